//! What is said of `.spec` files.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(text: &str, expected: Expect) {
    let shown = match parse(text, "py/tool.spec") {
        Some(it) => format!(
            "{} {:?} {:?} at {}\nmodules {:?}\npackages {:?}\nexclude {:?}\ndata {:?}\nargs {:?}\nleft {:#?}\n",
            it.name.unwrap(),
            it.entry.as_deref().unwrap_or("?"),
            it.layout,
            it.at,
            it.modules,
            it.packages,
            it.exclude,
            it.data,
            it.args,
            it.left
        ),
        None => "none".to_owned(),
    };
    expected.assert_eq(&shown);
}

/// As `pyi-makespec --onefile --collect-all uvicorn --name tool-$TRIPLE main.py` leaves it.
#[test]
fn made_by_pyinstaller() {
    check(
        "# -*- mode: python ; coding: utf-8 -*-\nfrom PyInstaller.utils.hooks import collect_all\n\n\
             datas = [('models/small.bin', 'models')]\nbinaries = []\nhiddenimports = ['a.b']\n\
             tmp_ret = collect_all('uvicorn')\n\
             datas += tmp_ret[0]; binaries += tmp_ret[1]; hiddenimports += tmp_ret[2]\n\n\n\
             a = Analysis(\n    ['main.py'],\n    pathex=[],\n    binaries=binaries,\n    datas=datas,\n    \
             hiddenimports=hiddenimports,\n    hookspath=[],\n    excludes=['torch', \"tkinter\"],\n    noarchive=False,\n)\n\
             pyz = PYZ(a.pure)\n\nexe = EXE(\n    pyz,\n    a.scripts,\n    [],\n    name='tool-x86_64-pc-windows-msvc',\n    console=True,\n)\n",
        expect![[r#"
                tool "main.py" Onefile at py/tool.spec:11
                modules ["a.b"]
                packages ["uvicorn"]
                exclude ["torch", "tkinter"]
                data [("models/small.bin", "models/")]
                args []
                left []
            "#]],
    );
}

#[test]
fn written_by_hand() {
    check(
        "import os, sys\nROOT = os.path.abspath(SPECPATH)\nhidden = collect_submodules('engine') + ['x']\n\
             if sys.platform == 'win32':\n    hidden += ['winreg_helper']\n\
             a = Analysis([os.path.join('src', 'app.py')], pathex=['src'], datas=[(os.path.join(SPECPATH, 'data'), 'data'),\n  \
             (find(), '.')] + collect_data_files('certifi'), hiddenimports=hidden, excludes=EXCLUDED)\n\
             exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name='inner')\ncoll = COLLECT(exe, a.datas, name='tool')\n",
        expect![[r#"
            tool "src/app.py" Folder at py/tool.spec:6
            modules ["x"]
            packages ["engine"]
            exclude []
            data [("./data", "data/")]
            args ["--collect-data=certifi"]
            left [
                "pathex: src: modules are looked for beside the entry and among the locked packages",
                "datas: (find(), '.'): it would have to be computed",
                "excludes: EXCLUDED: it would have to be computed",
                "line 5: hidden += ('winreg_helper'): it depends on a condition or stands in a loop",
            ]
        "#]],
    );
    check("print('hello')\n", expect![[r#"none"#]]);
}

/// What is done to the lists outside of `Analysis(…)` counts as well, or is told.
#[test]
fn changed_afterwards() {
    check(
        "datas = []\ndatas.append(('a.txt', '.'))\nhidden = ['x']\nhidden.extend(['y', 'z'])\nhidden.remove('x')\n\
             icons = ['i']\nicons.remove('i')\nfor it in glob('*.bin'):\n    datas.append((it, 'bin'))\n\
             a = Analysis(['main.py'], [], [], datas, hidden, [], {}, ['torch'], optimize=2, noarchive=True)\n\
             a.datas += Tree('assets', prefix='assets')\na.datas += [('words.txt', 'data/w.txt', 'DATA')]\n\
             a.binaries += [('lib.so', 'libs/lib.so', 'BINARY')]\n\
             a.binaries = [it for it in a.binaries if 'gl' not in it[0]]\n\
             a.datas.append(found())\nif win:\n    a.datas += Tree('win')\n\
             b = Analysis(['other.py'])\nb.datas += Tree('b')\n\
             exe = EXE(PYZ(a.pure), a.scripts, [], [('u', None, 'OPTION')], exclude_binaries=True, name='tool', \
             console=False, icon=['a.ico'], strip=True, uac_admin=True)\n\
             COLLECT(exe, a.binaries, a.datas, Tree('models', 'models', excludes=['*.tmp']), Tree('more', 'more'), \
             strip=True, name='tool')\n",
        expect![[r#"
            tool "main.py" Folder at py/tool.spec:10
            modules ["x", "y", "z"]
            packages []
            exclude ["torch"]
            data [("a.txt", "/"), ("more", "more/"), ("assets", "assets/"), ("data/w.txt", "words.txt")]
            args ["--optimize=2", "--strip"]
            left [
                "Analysis in line 18: a sidecar starts one file",
                "noarchive: True: it has no place in `dist.toml`; see whether `[sidecar.pyinstaller] args` can say it",
                "EXE: ('u', None, 'OPTION'): it has no place in `dist.toml`; see whether `[sidecar.pyinstaller] args` can say it",
                "EXE: console=False: a sidecar needs its stdin and stdout; the host starts it without a window",
                "EXE: icon=('a.ico'): nobody sees it of a sidecar; `[sidecar.pyinstaller] args` takes it all the same",
                "EXE: uac_admin=True: it has no place in `dist.toml`; see whether `[sidecar.pyinstaller] args` can say it",
                "COLLECT: Tree('models', 'models', excludes=('*.tmp')): it would have to be computed",
                "line 5: hidden.remove('x'): it would have to be computed",
                "line 9: datas.append((it, 'bin')): it depends on a condition or stands in a loop",
                "line 13: a.binaries: ('lib.so', 'libs/lib.so', 'BINARY'): it has no place in `dist.toml`; see whether `[sidecar.pyinstaller] args` can say it",
                "line 14: a.binaries = (it for it in a.binaries if 'gl' not in it[0]): it would have to be computed",
                "line 15: a.datas: found(): it would have to be computed",
                "line 17: a.datas += Tree('win'): it depends on a condition or stands in a loop",
                "line 19: b.datas += Tree('b'): it would have to be computed",
            ]
        "#]],
    );
    check(
        "a = Analysis([str(ROOT / 'main.py')], datas=[*more])\n",
        expect![[r#"
            tool "?" Onefile at py/tool.spec:1
            modules []
            packages []
            exclude []
            data []
            args []
            left [
                "scripts: str(…): it would have to be computed",
                "datas: more: it would have to be computed",
            ]
        "#]],
    );
}
