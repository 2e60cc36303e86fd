//! A command line of PyInstaller or Nuitka, translated. The options are those of PyInstaller 6
//! (<https://pyinstaller.org/en/stable/usage.html>) and Nuitka 4 (`nuitka --help`).

mod options;

use std::{collections::BTreeSet, iter::Peekable};

use self::options::Action;
pub(super) use self::options::{CONSOLE, UNSEEN};
use super::{
    freeze::{COMPUTED, Freeze, bare},
    tree, words,
};
use crate::config::{Freezer, Layout};

/// Words before the freezer's name that show that it is not called.
const TALK: &[&str] = &[
    "install",
    "add",
    "which",
    "command",
    "type",
    "where",
    "uninstall",
    "list",
    "show",
    "echo",
    "printf",
    "Write-Host",
    "Write-Output",
    "name:",
    "desc:",
    "description:",
    "rm",
    "cp",
    "mv",
    "mkdir",
    "ls",
    "cat",
    "grep",
    "find",
    "git",
    "test",
    "[",
    "[[",
    "del",
    "rmdir",
    "Remove-Item",
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
    let mut line = Line {
        freeze: Freeze::new(freezer, at.to_owned(), bases.to_owned()),
        words: words.iter().peekable(),
        scripts: Vec::new(),
        computed: Vec::new(),
    };
    while let Some(word) = line.words.next() {
        if let Some(long) = word.strip_prefix("--") {
            line.long(long, word);
        } else if let Some(short) = word.strip_prefix('-').filter(|it| !it.is_empty()) {
            line.short(short, word);
        } else if let Some(target) = redirected(word) {
            // What stands behind `>` is a file, too.
            line.words.next_if(|_| target.is_empty());
        } else {
            let plain = words::behind_own_folder(word).unwrap_or(word);
            match is_computed(plain) {
                true => line.computed.push(word.clone()),
                false => line.scripts.push(plain.to_owned()),
            }
        }
    }
    line.finished()
}

/// What stands behind the arrow of a redirection: `2>`, `>out.txt`.
fn redirected(word: &str) -> Option<&str> {
    let rest = word.trim_start_matches(|it: char| it.is_ascii_digit());
    let target = rest.trim_start_matches(['>', '<']);
    (target.len() < rest.len()).then_some(target)
}

/// Whether a shell, a workflow or Python puts something into it that nobody knows here.
fn is_computed(word: &str) -> bool {
    let percent = word.split('%').skip(1);
    let mut percent = percent.filter_map(|it| it.chars().next());
    word.contains(['$', '{', '`']) || percent.any(|it| it.is_alphanumeric() || "_~".contains(it))
}

/// A command line while it is read.
struct Line<'w> {
    freeze: Freeze,
    /// What was not read yet.
    words: Peekable<std::slice::Iter<'w, String>>,
    /// Words that are no options.
    scripts: Vec<String>,
    /// Those of them that would have to be computed.
    computed: Vec<String>,
}

impl Line<'_> {
    /// `--name`, `--name=value`, `--name value`.
    fn long(&mut self, option: &str, word: &str) {
        let (name, given) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        let Some((_, takes, action)) = options::known(self.freeze.freezer, name) else {
            self.unknown(word);
            return;
        };
        // Of a long option Nuitka takes the value behind `=` only.
        let follows = *takes && self.freeze.freezer == Freezer::Pyinstaller;
        let value = given.or_else(|| follows.then(|| self.words.next().cloned())?);
        self.option(name, value, *action);
    }

    /// `-n tool`, `-ntool`, and several in one word: `-yF`.
    fn short(&mut self, letters: &str, word: &str) {
        for (at, letter) in letters.char_indices() {
            let name = letter.to_string();
            let Some((names, takes, action)) = options::known(self.freeze.freezer, &name) else {
                self.unknown(word);
                return;
            };
            let name = names.split(' ').nth(1).unwrap_or(names);
            if !takes {
                self.option(name, None, *action);
                continue;
            }
            let rest = &letters[at + letter.len_utf8()..];
            let given = Some(rest.strip_prefix('=').unwrap_or(rest)).filter(|it| !it.is_empty());
            let value = given.map(str::to_owned);
            let value = value.or_else(|| self.words.next().cloned());
            self.option(name, value, *action);
            return;
        }
    }

    /// An option that stands in no table: it may have a value, which is not what is started.
    fn unknown(&mut self, word: &str) {
        let is_value = |it: &&String| {
            !it.starts_with('-')
                && redirected(it).is_none()
                && ![".py", ".pyw", ".spec"].iter().any(|end| it.ends_with(end))
        };
        let value = match word.contains('=') {
            true => None,
            false => self.words.next_if(is_value),
        };
        let value = value.map(|it| format!(" {it}")).unwrap_or_default();
        self.freeze
            .leave(format!("{word}{value}"), options::UNKNOWN);
    }

    fn option(&mut self, name: &str, value: Option<String>, action: Action) {
        let freeze = &mut self.freeze;
        let word = match (&value, freeze.freezer) {
            (None, _) => format!("--{name}"),
            (Some(value), Freezer::Pyinstaller) => format!("--{name} {value}"),
            (Some(value), Freezer::Nuitka) => format!("--{name}={value}"),
        };
        let written = value.as_ref().map(|it| format!("--{name}={it}"));
        let value = value.unwrap_or_default();
        let several: Vec<String> = match freeze.freezer {
            Freezer::Pyinstaller => vec![value.clone()],
            Freezer::Nuitka => value.split(',').map(str::to_owned).collect(),
        };
        match action {
            Action::Own => {}
            Action::Leave(why) => freeze.leave(word, why),
            Action::Layout(layout) => freeze.layout = layout,
            // Of what is computed the beginning is the name.
            Action::Name => freeze.name = Some(bare(&value)).filter(|it| !it.is_empty()),
            // It looks for the parts that are computed itself.
            Action::Data => add_data(freeze, &value),
            Action::Entry if is_computed(&value) => self.computed.push(word),
            Action::Entry => self.scripts.insert(0, value),
            _ if is_computed(&value) => freeze.leave(word, COMPUTED),
            Action::Mode => match value.as_str() {
                "onefile" => freeze.layout = Layout::Onefile,
                "standalone" | "app" | "app-dist" => freeze.layout = Layout::Folder,
                _ => freeze.leave(word, options::UNKNOWN),
            },
            Action::Modules => freeze.modules.extend(several),
            Action::Packages => freeze.packages.extend(several),
            Action::Exclude => freeze.exclude.extend(several),
            Action::Files => match value.split_once('=') {
                Some((from, to)) => data(freeze, from, to, true),
                None => freeze.leave(word, "it names no destination"),
            },
            Action::Metadata(key) => freeze.metadata.push((key, value)),
            Action::Args => freeze.args.push(written.unwrap_or(word)),
        }
    }

    /// What all of it says.
    fn finished(self) -> Option<Call> {
        let mut freeze = self.freeze;
        let is_spec = |it: &&String| it.ends_with(".spec");
        if let Some(spec) = self.scripts.iter().find(is_spec) {
            return Some(Call::Spec(spec.clone()));
        }
        let mut scripts = self.scripts.into_iter();
        freeze.entry = scripts.next();
        if freeze.entry.is_none() && self.computed.is_empty() {
            return None;
        }
        for more in scripts {
            freeze.leave(more, "a sidecar starts one file");
        }
        for word in self.computed {
            freeze.leave(word, COMPUTED);
        }
        for list in [
            &mut freeze.modules,
            &mut freeze.packages,
            &mut freeze.exclude,
        ] {
            let mut seen = BTreeSet::new();
            list.retain(|it| !it.is_empty() && seen.insert(it.clone()));
        }
        Some(Call::Freeze(Box::new(freeze)))
    }
}

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
                let entry = it.entry.unwrap_or_else(|| "?".to_owned());
                let mut shown = format!("{entry:?} {:?} as {layout}\n", it.name);
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
                left --windowed: a sidecar needs its stdin and stdout; the host starts it without a window
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

    /// A value is not what is started, nor is a word that only a run would show.
    #[test]
    fn stray_words() {
        check(
            "pyinstaller --hide-console hide-early --optimize 1 -yFn tool -pthere --exclude torch --fresh yes main.py",
            expect![[r#"
                "main.py" Some("tool") as onefile
                exclude torch
                args --optimize=1
                left --hide-console hide-early: a sidecar needs its stdin and stdout; the host starts it without a window
                left --paths there: modules are looked for beside the entry and among the locked packages; make it a package with `__main__.py`, or install it by the lock
                left --fresh yes: not known to `init`; if it is needed, put it into `args` of the freezer
            "#]],
        );
        check(
            "pyinstaller $OPTS --copy-metadata $PACKAGE -n tool ${EXTRA} src/2048.py more.py 2> log.txt >out.txt",
            expect![[r#"
                "src/2048.py" Some("tool") as folder
                left --copy-metadata $PACKAGE: it would have to be computed
                left more.py: a sidecar starts one file
                left $OPTS: it would have to be computed
                left ${EXTRA}: it would have to be computed
            "#]],
        );
    }

    #[test]
    fn stray_words_of_others() {
        check(
            "nuitka -j 8 -o tool --onefile --report=r.xml tool.py",
            expect![[r#"
                "tool.py" Some("tool") as onefile
            "#]],
        );
        check(
            "nuitka --jobs=8 --windows-company=A --fancy=1 main.py",
            expect![[r#"
                "main.py" None as folder
                metadata company: A
                left --fancy=1: not known to `init`; if it is needed, put it into `args` of the freezer
            "#]],
        );
        check(
            "pyinstaller \"$(dirname \"$0\")/../main.py\" -F",
            expect![[r#"
                "../main.py" None as onefile
            "#]],
        );
        check(
            "pyinstaller -F %1 --name tool",
            expect![[r#"
            "?" Some("tool") as onefile
            left %1: it would have to be computed
        "#]],
        );
        check(
            "pyinstaller --clean > log.txt",
            expect![[r#"
            nothing
        "#]],
        );
    }
}
