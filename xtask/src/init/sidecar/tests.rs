//! What is said of the sidecars of a repository.

use expect_test::{Expect, expect};

use super::*;
use crate::init::tauri;

/// A repository with an app that names these executables, and these files.
#[track_caller]
fn check(external: &[&str], files: &[(&str, &str)], expected: Expect) {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let bundle = serde_json::json!({ "identifier": "a.b", "bundle": { "externalBin": external } });
    write("src-tauri/tauri.conf.json", &bundle.to_string());
    for (path, text) in files {
        write(path, text);
    }
    let tree = Tree::of(root.path());
    let host = tauri::host(&tree, None).unwrap();
    let found = sidecars(&tree, &host, &["src-tauri"]);
    let mut shown = String::new();
    for it in found.python {
        let entry = it.entry.map(|it| format!("{} ({})", it.0, it.1));
        shown += &format!(
            "{} in {}: {}\n",
            it.name,
            it.dir.0,
            entry.unwrap_or_default()
        );
        if let Some(freeze) = it.freeze {
            shown += &format!("  {} modules {:?}\n", freeze.freezer.name(), freeze.modules);
        }
        shown.extend(
            it.data
                .iter()
                .map(|it| format!("  data {} to {}\n", it.0, it.1)),
        );
        shown.extend(it.left.iter().map(|it| format!("  left {it}\n")));
    }
    let others = found
        .others
        .iter()
        .map(|it| format!("other {}: {}\n", it.0, it.1));
    shown.extend(others.chain(found.notes.iter().map(|it| format!("note {it}\n"))));
    expected.assert_eq(&shown);
}

/// What is not taken over is told, with what the line said.
#[test]
fn lines_whose_script_is_not_found() {
    check(
        &["bin/tool"],
        &[
            ("sidecar/main.py", ""),
            ("sidecar/words.txt", ""),
            (
                "build.sh",
                "cd sidecar\npyinstaller -F --name tool --hidden-import a --add-data words.txt:. src/gone.py\n",
            ),
        ],
        expect![[r#"
            tool in sidecar: 
              pyinstaller modules ["a"]
              data sidecar/words.txt to words.txt
              left build.sh freezes src/gone.py with pyinstaller, but there is no such file in the repository
        "#]],
    );
    check(
        &["bin/tool"],
        &[
            ("py/main.py", ""),
            (
                "Makefile",
                "freeze:\n\tpyinstaller $(OPTIONS)\n\trm -rf build/pyinstaller $(OUT)\n",
            ),
            ("freeze.sh", "pyinstaller py/gone.spec\n"),
            (
                ".github/workflows/ci.yml",
                "- name: PyInstaller on ${{ matrix.os }}\n  run: pyinstaller --version\n",
            ),
        ],
        expect![[r#"
            other src-tauri/bin/tool: nothing here freezes it, and no Python project has its name: it is bundled as it lies. If it is one, give it a `[[sidecar]]`
            note Makefile freezes something with pyinstaller, but what it starts is not known: $(OPTIONS): it would have to be computed. Nothing of it was taken over; what it says belongs into a `[[sidecar]]`
            note freeze.sh freezes py/gone.spec with pyinstaller, but there is no such file in the repository. Nothing of it was taken over; what it says belongs into a `[[sidecar]]`
        "#]],
    );
}

#[test]
fn build_scripts_in_python() {
    check(
        &["bin/tool"],
        &[
            ("py/app/__main__.py", ""),
            (
                "py/freeze.py",
                "import os, sys\nNAME = 'tool'\nENTRY = os.path.join('app', '__main__.py')\nMODULE = 'a.b'\n\
                 subprocess.run([sys.executable, '-m', 'PyInstaller', f'--name={NAME}-{triple}', '--hidden-import', \
                 MODULE, f'--paths={here}', os.path.join('app', '__main__.py'), *EXTRA])\n",
            ),
        ],
        expect![[r#"
            tool in py/app: py/app/__main__.py (py/freeze.py:5)
              pyinstaller modules ["a.b"]
              left --paths {here}: modules are looked for beside the entry and among the locked packages; make it a package with `__main__.py`, or install it by the lock
              left {EXTRA}: it would have to be computed
        "#]],
    );
}
