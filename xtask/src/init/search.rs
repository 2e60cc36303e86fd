//! The files in which command lines stand.

use std::collections::BTreeMap;

use super::{
    command::{self, Call},
    freeze::Freeze,
    literal::{self, Value},
    spec,
    tree::{self, Tree},
    words,
};
use crate::config::Freezer;

/// Scripts of shells, and files of programs that run lines of a shell.
const SCRIPTS: [&str; 5] = [".sh", ".bash", ".ps1", ".bat", ".cmd"];
const RUNNERS: [&str; 9] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    "Taskfile.yml",
    "Taskfile.yaml",
    "tox.ini",
    "Procfile",
];

/// Everything that freezes something: what a person calls first, what a machine calls last; `.spec` files
/// that nobody calls stand behind the commands.
pub(super) fn freezes(tree: &Tree) -> Vec<Freeze> {
    let mut all = Vec::new();
    for file in tree.named("package.json") {
        let scripts = scripts(tree, file);
        for (name, text) in &scripts {
            let at = format!("script `{name}` of {file}");
            let at = (at.as_str(), tree::parent(file));
            calls(tree, text, at, &bases(file), &mut all);
        }
    }
    let is_runner = |it: &&String| RUNNERS.contains(&tree::name(it));
    let is_script = |it: &&String| SCRIPTS.iter().any(|end| it.ends_with(end));
    let is_workflow = |it: &&String| {
        it.starts_with(".github/workflows/") && (it.ends_with(".yml") || it.ends_with(".yaml"))
    };
    for file in tree.files.iter().filter(is_runner) {
        in_file(tree, file, &bases(file), &mut all);
    }
    for file in tree.files.iter().filter(is_script) {
        let mut bases = bases(file);
        bases.reverse();
        in_file(tree, file, &bases, &mut all);
    }
    for file in tree.files.iter().filter(|it| it.ends_with(".py")) {
        in_python(tree, file, &mut all);
    }
    for file in tree.files.iter().filter(|it| it.ends_with(".spec")) {
        if !all.iter().any(|it| it.at.starts_with(file.as_str())) {
            all.extend(spec::read(tree, file));
        }
    }
    for file in tree.files.iter().filter(is_workflow) {
        in_file(tree, file, &[String::new()], &mut all);
    }
    all
}

/// The scripts of a `package.json`.
pub(super) fn scripts(tree: &Tree, file: &str) -> BTreeMap<String, String> {
    let json: serde_json::Value =
        serde_json::from_str(&tree.text(file).unwrap_or_default()).unwrap_or_default();
    let scripts = json["scripts"].as_object().into_iter().flatten();
    let text = |(name, value): (&String, &serde_json::Value)| {
        Some((name.clone(), value.as_str()?.to_owned()))
    };
    scripts.filter_map(text).collect()
}

fn bases(file: &str) -> Vec<String> {
    let mut bases = vec![tree::parent(file).to_owned(), String::new()];
    bases.dedup();
    bases
}

fn in_file(tree: &Tree, file: &str, bases: &[String], all: &mut Vec<Freeze>) {
    let Some(text) = tree.text(file) else {
        return;
    };
    if !names_one(&text) {
        return;
    }
    let mut bases = bases.to_owned();
    // Of a workflow.
    for line in text.lines() {
        if let Some((_, dir)) = line.split_once("working-directory:") {
            let dir = dir.trim().trim_matches(['"', '\'']);
            bases.extend(tree::join("", dir).filter(|it| tree.path(it).is_dir()));
        }
    }
    // What a workflow runs stands behind a key.
    let text: String = text
        .lines()
        .map(|it| {
            let line = it.trim_start();
            let line = line.strip_prefix("- ").unwrap_or(line);
            format!("{}\n", line.strip_prefix("run:").unwrap_or(line))
        })
        .collect();
    let at = (file, tree::parent(file));
    calls(tree, &words::expanded(&text), at, &bases, all);
}

/// Whether a text may call a freezer at all.
fn names_one(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("pyinstaller") || lower.contains("nuitka")
}

/// A build script in Python: lists of words, handed to `PyInstaller.__main__.run` or `subprocess`.
fn in_python(tree: &Tree, file: &str, all: &mut Vec<Freeze>) {
    let Some(text) = tree.text(file).filter(|it| names_one(it)) else {
        return;
    };
    let statements = literal::statements(&text);
    let names = literal::texts(&statements);
    let mut bases = bases(file);
    bases.reverse();
    for statement in &statements {
        let (called, list) = match &statement.value {
            Value::List(items) => ("", items),
            Value::Call(name, positional, _) => match positional.first() {
                Some(Value::List(items)) => (name.as_str(), items),
                _ => continue,
            },
            _ => continue,
        };
        let words: Vec<String> = list.iter().map(|it| literal::word(it, &names)).collect();
        let call = match called.starts_with("PyInstaller") {
            true => Some((Freezer::Pyinstaller, words.as_slice())),
            false => command::freezer(&words),
        };
        if let Some((freezer, rest)) = call {
            let at = format!("{file}:{}", statement.line);
            let call = command::translate(freezer, rest, &at, &bases);
            found(tree, call, &at, &bases, all);
        }
    }
}

/// The calls of freezers in a text, from first to last.
fn calls(
    tree: &Tree,
    text: &str,
    (at, own): (&str, &str),
    bases: &[String],
    all: &mut Vec<Freeze>,
) {
    let mut bases = bases.to_owned();
    for words in words::commands(text) {
        if let [cd, dir, ..] = words.as_slice()
            && matches!(cd.as_str(), "cd" | "pushd" | "@cd" | "Set-Location")
        {
            enter(tree, dir, own, &mut bases);
            continue;
        }
        let Some((freezer, rest)) = command::freezer(&words) else {
            continue;
        };
        let call = command::translate(freezer, rest, at, &bases);
        found(tree, call, at, &bases, all);
    }
}

fn found(tree: &Tree, call: Option<Call>, at: &str, bases: &[String], all: &mut Vec<Freeze>) {
    match call {
        Some(Call::Freeze(freeze)) => all.push(*freeze),
        Some(Call::Spec(file)) => {
            let mut places = bases.iter().filter_map(|it| tree::join(it, &file));
            let Some(place) = places.find(|it| tree.has(it)) else {
                // Somebody has to know that it was not found.
                let mut lost = Freeze::new(Freezer::Pyinstaller, at.to_owned(), bases.to_owned());
                lost.entry = Some(file);
                all.push(lost);
                return;
            };
            all.extend(spec::read(tree, &place).map(|mut it| {
                it.at = format!("{}, called by {at}", it.at);
                it
            }));
        }
        None => {}
    }
}

/// The folders that a text is in after `cd`: first those that it leads to, then those from before, since
/// a subshell may have ended.
fn enter(tree: &Tree, dir: &str, own: &str, bases: &mut Vec<String>) {
    let from = match words::behind_own_folder(dir) {
        Some(_) => vec![own.to_owned()],
        None => bases.clone(),
    };
    let dir = words::behind_own_folder(dir).unwrap_or(dir);
    let inner = from.iter().filter_map(|it| tree::join(it, dir));
    let inner: Vec<String> = inner.filter(|it| tree.path(it).is_dir()).collect();
    for (at, it) in inner.into_iter().enumerate() {
        if !bases.contains(&it) {
            bases.insert(at.min(bases.len()), it);
        }
    }
}
