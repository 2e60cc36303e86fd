//! A command as a line that a person can paste into a shell.

use std::{ffi::OsStr, path::Path, process::Command};

use super::secret::{MASK, Redactor};

/// The command as a POSIX shell would take it: folder and added environment included.
pub fn pasteable(command: &Command, root: &Path) -> String {
    line(command, root, &Redactor::default())
}

/// The same with secrets masked. To be done before quotes tear them apart.
pub(super) fn line(command: &Command, root: &Path, redactor: &Redactor) -> String {
    let quote = |word: &str| quote_masked(word, redactor);
    let mut words = Vec::new();
    for (name, _) in command.get_envs().filter(|(_, value)| value.is_none()) {
        words.extend(["-u".to_owned(), quote(&name.to_string_lossy())]);
    }
    if !words.is_empty() {
        words.insert(0, "env".to_owned());
    }
    let folder = command.get_current_dir().unwrap_or(root);
    let word = |it: &OsStr| match folder == root {
        true => quote(&from_here(&it.to_string_lossy(), root)),
        false => quote(&it.to_string_lossy()),
    };
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let value = added_to_path(name, value).map_or_else(
                || word(value),
                |added| format!("{}\"$PATH\"", word(OsStr::new(&added))),
            );
            words.push(format!("{}={value}", name.to_string_lossy()));
        }
    }
    words.push(word(command.get_program()));
    words.extend(command.get_args().map(word));
    let line = words.join(" ");
    match folder.strip_prefix(root).unwrap_or(folder) {
        here if here == Path::new("") => line,
        there => format!("(cd {} && {line})", quote(&there.to_string_lossy())),
    }
}

fn quote_masked(word: &str, redactor: &Redactor) -> String {
    let masked = redactor.redact(word);
    // Nobody can paste it anyway.
    match masked != word && masked.replace(MASK, "").chars().all(is_plain) {
        true => masked,
        false => quote(&masked),
    }
}

/// A path below the folder that the command runs in, or an option with one, made relative: it
/// means the same and can be read.
fn from_here(word: &str, here: &Path) -> String {
    let here = format!("{}/", here.to_string_lossy());
    match word.strip_prefix(&here) {
        Some(rest) => rest.to_owned(),
        None => word.replacen(&format!("={here}"), "=", 1),
    }
}

/// What a value of PATH puts before the PATH that we have ourselves, if that is all it does.
fn added_to_path(name: &OsStr, value: &OsStr) -> Option<String> {
    let own = std::env::var("PATH").ok().filter(|_| name == "PATH")?;
    value.to_str()?.strip_suffix(&own).map(str::to_owned)
}

/// The program in a line that [`pasteable`] wrote.
pub(super) fn program_of(line: &str) -> String {
    let inner = match line
        .strip_prefix("(cd ")
        .and_then(|it| it.split_once(" && "))
    {
        Some((_, inner)) => inner,
        None => line,
    };
    let mut words = shlex::split(inner)
        .unwrap_or_default()
        .into_iter()
        .peekable();
    if words.peek().is_some_and(|it| it == "env") {
        words.next();
        while words.next_if(|it| it == "-u").is_some() {
            words.next();
        }
    }
    let mut words = words.skip_while(|it| it.contains('=')).peekable();
    if words.next_if(|it| it == "setarch").is_some() {
        // It only starts what is really meant.
        while words.next_if(|it| it.starts_with('-')).is_some() {}
    }
    words.next().unwrap_or_else(|| line.to_owned())
}

fn quote(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |it| it.into_owned())
}

/// `=` needs no quotes in an argument, and options full of quotes are hard to read. A word before the
/// program would be an assignment, but no program is named so.
fn is_plain(it: char) -> bool {
    it.is_ascii_alphanumeric() || "_-./:=,@%+".contains(it)
}
