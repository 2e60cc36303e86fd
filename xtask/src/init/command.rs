//! A command line of PyInstaller or Nuitka, translated. The options are those of PyInstaller 6
//! (<https://pyinstaller.org/en/stable/usage.html>) and Nuitka 4 (`nuitka --help`).

use super::{
    freeze::{Freeze, bare},
    tree,
};
use crate::config::{Freezer, Layout};

/// Words before the freezer's name that show that it is not called.
const TALK: [&str; 10] = [
    "install",
    "add",
    "which",
    "command",
    "type",
    "echo",
    "where",
    "uninstall",
    "list",
    "show",
];

/// The freezer that these words call, and what follows its name.
pub(super) fn freezer(words: &[String]) -> Option<(Freezer, &[String])> {
    for (at, word) in words.iter().enumerate() {
        let plain = word.trim_start_matches(['@', '-']).replace('\\', "/");
        if TALK.contains(&plain.as_str()) {
            return None;
        }
        let program = tree::name(&plain).trim_end_matches(".exe").to_lowercase();
        let before = at.checked_sub(1).map(|it| words[it].as_str());
        // `uv run --with pyinstaller pyinstaller …`
        if matches!(before, Some("--with" | "--from" | "--group" | "--extra")) {
            continue;
        }
        let freezer = match program.as_str() {
            "pyinstaller" => Freezer::Pyinstaller,
            "nuitka" | "nuitka3" | "nuitka.cmd" => Freezer::Nuitka,
            _ => continue,
        };
        return Some((freezer, &words[at + 1..]));
    }
    None
}

/// What a call freezes: itself, or the `.spec` file that it names.
pub(super) enum Call {
    /// All is said on the command line.
    Freeze(Box<Freeze>),
    /// All is said in this file, as it stands there.
    Spec(String),
}

/// Translates what follows the freezer's name. None if nothing is frozen: `pyinstaller --version`.
pub(super) fn translate(
    freezer: Freezer,
    words: &[String],
    at: &str,
    bases: &[String],
) -> Option<Call> {
    let mut freeze = Freeze::new(freezer, at.to_owned(), bases.to_owned());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-') else {
            if word.ends_with(".spec") {
                return Some(Call::Spec(word.clone()));
            }
            if freeze.entry.is_none() && !word.starts_with(['>', '<', '2']) {
                freeze.entry = Some(word.clone());
            }
            continue;
        };
        let option = option.trim_start_matches('-');
        let (name, given) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        match freezer {
            Freezer::Pyinstaller => {
                let value = || given.clone().or_else(|| words.next().cloned());
                pyinstaller(&mut freeze, name, value, word);
            }
            Freezer::Nuitka => nuitka(&mut freeze, name, given.unwrap_or_default(), word),
        }
    }
    freeze.entry.as_ref()?;
    for list in [
        &mut freeze.modules,
        &mut freeze.packages,
        &mut freeze.exclude,
    ] {
        let mut seen = Vec::new();
        list.retain(|it| {
            !seen.contains(it) && {
                seen.push(it.clone());
                true
            }
        });
    }
    Some(Call::Freeze(Box::new(freeze)))
}

fn pyinstaller(
    freeze: &mut Freeze,
    name: &str,
    mut value: impl FnMut() -> Option<String>,
    word: &str,
) {
    match name {
        "F" | "onefile" => freeze.layout = Layout::Onefile,
        "D" | "onedir" => freeze.layout = Layout::Folder,
        "n" | "name" => freeze.name = value().map(|it| bare(&it)).filter(|it| !it.is_empty()),
        "hidden-import" | "hiddenimport" => freeze.modules.extend(value()),
        "collect-all" | "collect-submodules" => freeze.packages.extend(value()),
        "exclude-module" => freeze.exclude.extend(value()),
        "add-data" => add_data(freeze, &value().unwrap_or_default()),
        "collect-data"
        | "collect-datas"
        | "collect-binaries"
        | "copy-metadata"
        | "recursive-copy-metadata" => {
            let value = value().unwrap_or_default();
            freeze.args.push(format!("--{name}={value}"));
        }
        "s" | "strip" => freeze.args.push("--strip".to_owned()),
        "noupx" | "disable-windowed-traceback" => freeze.args.push(format!("--{name}")),
        "p" | "paths" => {
            let value = value().unwrap_or_default();
            let why = "modules are looked for beside the entry and among the locked packages; make it a package \
                       with `__main__.py`, or install it by the lock";
            freeze.leave(format!("--paths {value}"), why);
        }
        "add-binary"
        | "runtime-hook"
        | "additional-hooks-dir"
        | "upx-dir"
        | "splash"
        | "contents-directory"
        | "upx-exclude"
        | "resource"
        | "r"
        | "manifest"
        | "m" => {
            let value = value().unwrap_or_default();
            freeze.leave(
                format!("--{name} {value}"),
                "`[sidecar.pyinstaller] args` takes it, with a path from the top",
            );
        }
        // The release's own business.
        "distpath"
        | "workpath"
        | "specpath"
        | "log-level"
        | "i"
        | "icon"
        | "version-file"
        | "target-arch"
        | "target-architecture"
        | "codesign-identity"
        | "osx-bundle-identifier"
        | "osx-entitlements-file"
        | "runtime-tmpdir"
        | "debug"
        | "d" => {
            let value = value().unwrap_or_default();
            if matches!(name, "i" | "icon" | "runtime-tmpdir") {
                freeze.leave(format!("--{name} {value}"), NOT_KEPT);
            }
        }
        "y" | "noconfirm" | "clean" | "c" | "console" | "nowindowed" => {}
        "w" | "windowed" | "noconsole" => freeze.leave(word, CONSOLE),
        _ => freeze.leave(word, UNKNOWN),
    }
}

/// Why a window is no business of a sidecar.
const CONSOLE: &str = "a sidecar needs its stdin and stdout; the host starts it without a window";
const NOT_KEPT: &str =
    "nobody sees it of a sidecar; `[sidecar.pyinstaller] args` takes it all the same";
const UNKNOWN: &str = "not known to `init`; if it is needed, put it into `args` of the freezer";

/// `from:to` and, on Windows, `from;to`; `to` is the folder in which the file lies, `from` may have
/// wildcards.
pub(super) fn add_data(freeze: &mut Freeze, value: &str) {
    let parted = value.rsplit_once(';').or_else(|| value.rsplit_once(':'));
    match parted {
        Some((from, to)) => data(freeze, from, to, false),
        None => freeze.leave(format!("--add-data {value}"), "it names no destination"),
    }
}

/// A file or folder to carry along; `whole` if `to` is the new name rather than the folder around a file.
pub(super) fn data(freeze: &mut Freeze, from: &str, to: &str, whole: bool) {
    let from = from.replace('\\', "/");
    let to = to.replace('\\', "/");
    if from.contains(['$', '%', '{', '*', '?']) {
        freeze.leave(
            format!("data {from} to {to}"),
            "`data` wants a path of its own for each file or folder",
        );
        return;
    }
    let inner = tree::join("", &to).unwrap_or_default();
    let whole = whole && !to.ends_with('/') && !inner.is_empty();
    let mark = match whole {
        true => "",
        // Whether it is a folder is seen when it is resolved.
        false => "/",
    };
    freeze.data.push((from, format!("{inner}{mark}")));
}

fn nuitka(freeze: &mut Freeze, name: &str, value: String, word: &str) {
    let list = |value: &str| -> Vec<String> { value.split(',').map(str::to_owned).collect() };
    match name {
        "onefile" => freeze.layout = Layout::Onefile,
        "mode" => match value.as_str() {
            "onefile" => freeze.layout = Layout::Onefile,
            "standalone" | "app" | "app-dist" => freeze.layout = Layout::Folder,
            _ => freeze.leave(word, UNKNOWN),
        },
        "output-filename" | "o" => {
            freeze.name = Some(bare(&value)).filter(|it| !it.is_empty());
        }
        "main" => freeze.entry = Some(value),
        "include-module" => freeze.modules.extend(list(&value)),
        "include-package" => freeze.packages.extend(list(&value)),
        "nofollow-import-to" => freeze.exclude.extend(list(&value)),
        "include-data-files" | "include-data-file" | "include-data-dir" | "include-raw-dir" => {
            match value.split_once('=') {
                Some((from, to)) => data(freeze, from, to, true),
                None => freeze.leave(word, "it names no destination"),
            }
        }
        "company-name" => freeze.metadata.push(("company", value)),
        "file-description" => freeze.metadata.push(("description", value)),
        "copyright" => freeze.metadata.push(("copyright", value)),
        // The release's own business.
        "standalone"
        | "output-dir"
        | "remove-output"
        | "product-name"
        | "product-version"
        | "file-version"
        | "show-progress"
        | "show-memory"
        | "quiet"
        | "jobs"
        | "j"
        | "report"
        | "lto"
        | "follow-imports"
        | "macos-target-arch"
        | "windows-console-mode"
        | "disable-console"
        | "enable-console"
        | "deployment"
        | "no-pyi-file"
        | "low-memory"
        | "windows-disable-console"
        | "update-check"
        | "verbose"
        | "macos-app-version"
        | "macos-app-name"
        | "macos-signed-app-name"
        | "no-progressbar" => {}
        "assume-yes-for-downloads" | "assume-yes-for-download" => freeze.leave(
            word,
            "nothing unpinned is fetched; what Nuitka needs, `cargo xtask doctor` names",
        ),
        "macos-sign-identity" | "macos-sign-notarization" => {
            freeze.leave(word, "signing is a step of its own: `[sign.macos]`");
        }
        "enable-plugin"
        | "enable-plugins"
        | "plugin-enable"
        | "disable-plugin"
        | "include-package-data"
        | "noinclude-pytest-mode"
        | "noinclude-setuptools-mode"
        | "noinclude-unittest-mode"
        | "noinclude-default-mode"
        | "noinclude-data-files"
        | "nofollow-imports"
        | "python-flag"
        | "static-libpython"
        | "clang"
        | "mingw64"
        | "msvc"
        | "onefile-tempdir-spec"
        | "onefile-no-compression"
        | "include-distribution-metadata"
        | "include-windows-runtime-dlls"
        | "no-deployment-flag"
        | "disable-ccache"
        | "noinclude-custom-mode"
        | "anti-bloat"
        | "include-onefile-external-data" => {
            freeze.args.push(word.to_owned());
        }
        "windows-icon-from-ico" | "windows-icon-from-exe" | "linux-icon" | "macos-app-icon" => {
            freeze.leave(
                word,
                "nobody sees it of a sidecar; `[sidecar.nuitka] args` takes it all the same",
            );
        }
        _ => freeze.leave(word, UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::init::words;

    /// What is said of a line that freezes something; nothing of one that does not.
    #[track_caller]
    fn check(line: &str, expected: Expect) {
        let words = words::commands(line).remove(0);
        let call = freezer(&words).and_then(|(freezer, rest)| translate(freezer, rest, "", &[]));
        let shown = match call {
            Some(Call::Freeze(it)) => {
                let layout = it.layout.name();
                let mut shown = format!("{:?} {:?} as {layout}\n", it.entry.unwrap(), it.name);
                for (key, values) in [
                    ("packages", it.packages),
                    ("modules", it.modules),
                    ("exclude", it.exclude),
                    (
                        "data",
                        it.data
                            .iter()
                            .map(|it| format!("{} to {}", it.0, it.1))
                            .collect(),
                    ),
                    ("args", it.args),
                    (
                        "metadata",
                        it.metadata
                            .iter()
                            .map(|it| format!("{}: {}", it.0, it.1))
                            .collect(),
                    ),
                    ("left", it.left),
                ] {
                    let lines = values.iter().map(|it| format!("{key} {it}\n"));
                    shown += &lines.collect::<String>();
                }
                shown
            }
            Some(Call::Spec(file)) => format!("spec {file}\n"),
            None => "nothing\n".to_owned(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn lines_of_pyinstaller() {
        check(
            "uv run --with pyinstaller pyinstaller -y -F -n tool-x86_64-pc-windows-msvc.exe main.py --hidden-import a.b \
             --hiddenimport=c --collect-all d --exclude-module torch --add-data 'x y;.' --add-data=m/*.bin:m \
             --copy-metadata e --icon app.ico -w -p src --distpath out --fancy",
            expect![[r#"
                "main.py" Some("tool") as onefile
                packages d
                modules a.b
                modules c
                exclude torch
                data x y to /
                args --copy-metadata=e
                left data m/*.bin to m: `data` wants a path of its own for each file or folder
                left --icon app.ico: nobody sees it of a sidecar; `[sidecar.pyinstaller] args` takes it all the same
                left -w: a sidecar needs its stdin and stdout; the host starts it without a window
                left --paths src: modules are looked for beside the entry and among the locked packages; make it a package with `__main__.py`, or install it by the lock
                left --fancy: not known to `init`; if it is needed, put it into `args` of the freezer
            "#]],
        );
        check(
            "python -m PyInstaller --clean build/tool.spec",
            expect![[r#"
                spec build/tool.spec
            "#]],
        );
        check(
            "pip install pyinstaller",
            expect![[r#"
            nothing
        "#]],
        );
        check(
            "which pyinstaller",
            expect![[r#"
            nothing
        "#]],
        );
        check(
            "pyinstaller --version",
            expect![[r#"
            nothing
        "#]],
        );
    }

    #[test]
    fn lines_of_nuitka() {
        check(
            "py -3.11 -m nuitka --standalone --include-module=a,b --include-package=c --nofollow-import-to=torch \
             --include-data-files=a.txt=in/ --include-data-dir=b=c --enable-plugin=numpy --company-name='A B' \
             --copyright='(c) A' --lto=yes --macos-sign-identity=x --windows-icon-from-ico=i.ico src/tool.py",
            expect![[r#"
                "src/tool.py" None as folder
                packages c
                modules a
                modules b
                exclude torch
                data a.txt to in/
                data b to c
                args --enable-plugin=numpy
                metadata company: A B
                metadata copyright: (c) A
                left --macos-sign-identity=x: signing is a step of its own: `[sign.macos]`
                left --windows-icon-from-ico=i.ico: nobody sees it of a sidecar; `[sidecar.nuitka] args` takes it all the same
            "#]],
        );
        check(
            "nuitka3 --mode=onefile --output-filename=tool.exe --main=m.py",
            expect![[r#"
                "m.py" Some("tool") as onefile
            "#]],
        );
        check(
            "python -m pip wheel nuitka-tools x",
            expect![[r#"
            nothing
        "#]],
        );
    }
}
