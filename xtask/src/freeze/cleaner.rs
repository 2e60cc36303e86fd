//! Lines of output without what differs from run to run, and from place to place.

use std::path::Path;

use super::class::Class;

/// How many lines of output a failure keeps.
const LINES: usize = 4;
/// How long a line of them may be, in characters.
const WIDTH: usize = 240;

/// Takes from lines what differs from run to run and from place to place: they are part of a step's
/// output, and the same failure must give the same output.
pub(super) struct Cleaner<'a> {
    /// The repository.
    pub root: &'a Path,
}

impl Cleaner<'_> {
    /// The first few different lines.
    pub fn lines(&self, lines: &[String], class: Class) -> Vec<String> {
        let mut few: Vec<String> = Vec::new();
        for line in lines {
            let mut line = self.clean(line);
            if class == Class::OutOfMemory {
                line = without_numbers(&line);
            }
            if few.len() < LINES && !line.is_empty() && !few.contains(&line) {
                few.push(line);
            }
        }
        few
    }

    /// A line that says nothing of the machine.
    pub fn clean(&self, line: &str) -> String {
        let root = format!("{}{}", self.root.display(), std::path::MAIN_SEPARATOR);
        let line = line.trim().replace(&root, "");
        let temporary = std::env::temp_dir();
        let temporary = temporary.to_string_lossy();
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|it| {
                if it.contains(&*temporary) {
                    "<temporary>"
                } else {
                    it
                }
            })
            .collect();
        impersonal(&words.join(" ")).chars().take(WIDTH).collect()
    }
}

/// Without the home folder and without process ids: they say whose machine it was, and differ each
/// time.
pub(super) fn impersonal(line: &str) -> String {
    let home = std::env::home_dir().unwrap_or_default();
    without_process_ids(&without_home(line, &home.to_string_lossy()))
}

fn without_home(line: &str, home: &str) -> String {
    let home = home.trim_end_matches(std::path::is_separator);
    if home.is_empty() {
        return line.to_owned();
    }
    let mut short = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(home) {
        let (before, after) = (&rest[..at], &rest[at + home.len()..]);
        // Not a folder of that name elsewhere, nor one whose name only begins alike.
        let goes_on = |it: char| it.is_alphanumeric() || "_-.".contains(it);
        let is_whole = !after.starts_with(goes_on)
            && !before.ends_with(|it| goes_on(it) || std::path::is_separator(it));
        short += before;
        short += if is_whole { "~" } else { home };
        rest = after;
    }
    short + rest
}

/// `4711 (name)` as a trial names what is left, and `[PYI-4711:ERROR]` as PyInstaller's programs
/// begin what they say.
fn without_process_ids(line: &str) -> String {
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let words: Vec<&str> = line.split(' ').collect();
    let shown = words.iter().enumerate().map(|(at, word)| {
        let before = at.checked_sub(1).map_or("", |it| words[it]);
        let after = words.get(at + 1).copied().unwrap_or_default();
        if is_number(word) && after.starts_with('(') && !before.ends_with("signal:") {
            return "…".to_owned();
        }
        let bootloader = word.strip_prefix("[PYI-").and_then(|it| it.split_once(':'));
        match bootloader {
            Some((id, rest)) if is_number(id) => format!("[PYI-…:{rest}"),
            _ => (*word).to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// How many bytes were wanted differs each time.
fn without_numbers(line: &str) -> String {
    let is_amount = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let words = line
        .split(' ')
        .map(|it| if is_amount(it) { "…" } else { it });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_nothing_of_the_machine() {
        let check = |line: &str, expect| {
            assert_eq!(without_process_ids(&without_home(line, "/root/")), expect);
        };
        check("cannot read /root/a/b, '/root'", "cannot read ~/a/b, '~'");
        check(
            "-I/srv/root/a /rooted /root.d",
            "-I/srv/root/a /rooted /root.d",
        );
        check(
            "it left behind: 4711 (sh), 12 (sleep)",
            "it left behind: … (sh), … (sleep)",
        );
        check(
            "it ended (signal: 9 (SIGKILL))",
            "it ended (signal: 9 (SIGKILL))",
        );
        check("[PYI-4711:ERROR] Failed: 3", "[PYI-…:ERROR] Failed: 3");
        let home = std::env::home_dir().unwrap().join("a");
        assert_eq!(impersonal(home.to_str().unwrap()), "~/a");
    }

    #[test]
    fn the_same_failure_leaves_the_same_lines_wherever_it_happens() {
        let check = |class, line: &str, expect: &[&str]| {
            let root = Path::new("/home/me/app");
            let lines = Cleaner { root }.lines(&[line.to_owned(), line.to_owned()], class);
            assert_eq!(lines, expect);
        };
        let folder = std::env::temp_dir().join("ccXYZ.s");
        let line = format!(
            "  /home/me/app/target/a.c:12:  in {}: bad",
            folder.display()
        );
        check(
            Class::CompileError,
            &line,
            &["target/a.c:12: in <temporary> bad"],
        );
        check(
            Class::OutOfMemory,
            "cc1: out of memory allocating 65536 bytes after a total of 0 bytes",
            &["cc1: out of memory allocating … bytes after a total of … bytes"],
        );
    }
}
