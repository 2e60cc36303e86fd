//! Why a freezer could not, and whether another could.

use std::{fmt, path::Path};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::candidate::{Freezing, Ignored, Unusable};
use crate::{
    config::{Freezer, Layout},
    engine::exec::{CommandFailed, Interrupted},
    tools::{nuitka, pyinstaller},
};

/// How many lines of output a failure keeps.
const LINES: usize = 4;
/// How long a line of them may be, in characters.
const WIDTH: usize = 240;
/// What SIGKILL gives as the status of a process. Nobody sends it to a freezer but the system when
/// it is out of memory: a time-out and Ctrl-C are told apart before.
const KILLED: &str = "signal: 9";

/// The kind of a failure that another freezer may not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A program that the freezer needs is not there: a C compiler, patchelf, objcopy.
    MissingTool,
    /// The memory did not suffice.
    OutOfMemory,
    /// Something would have to be downloaded, and the freezer is not allowed to.
    Download,
    /// An allowed download failed.
    Network,
    /// The C compiler refused the generated C.
    CompileError,
    /// The freezer itself broke.
    Crash,
    /// It took longer than `time-budget`.
    TimeBudget,
    /// The frozen program misses a module that it had before.
    MissingImport,
    /// The frozen program failed too many launches.
    Trial,
}

impl Class {
    /// As it is written in events, records and the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingTool => "missing-tool",
            Self::OutOfMemory => "out-of-memory",
            Self::Download => "download",
            Self::Network => "network",
            Self::CompileError => "compile-error",
            Self::Crash => "crash",
            Self::TimeBudget => "time-budget",
            Self::MissingImport => "missing-import",
            Self::Trial => "trial",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::MissingTool => "a tool is missing",
            Self::OutOfMemory => "out of memory",
            Self::Download => "a download was refused",
            Self::Network => "the network failed",
            Self::CompileError => "the C compiler failed",
            Self::Crash => "the freezer broke",
            Self::TimeBudget => "time budget exceeded",
            Self::MissingImport => "a module is missing when frozen",
            Self::Trial => "the trial was not passed",
        }
    }

    /// Whether the same inputs may well do better next time.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::OutOfMemory | Self::Network | Self::TimeBudget)
    }
}

/// A freezer's failure that made another one necessary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// Which one failed.
    pub freezer: Freezer,
    /// Its version, as the lock pins it.
    pub version: Option<String>,
    /// What it was making.
    pub layout: Layout,
    /// The kind of failure.
    pub class: Class,
    /// The lines of output, or of the trial, that show it. At most a few.
    pub lines: Vec<String>,
}

impl Failure {
    /// What failed, and in which way: `nuitka 4.3.3 (onefile) failed: out of memory`.
    fn title(&self) -> String {
        let (name, layout) = (self.freezer.name(), self.layout.name());
        let version = self.version.as_ref().map(|it| format!(" {it}"));
        let version = version.unwrap_or_default();
        format!("{name}{version} ({layout}) failed: {}", self.class.words())
    }

    /// Whether the same failed in the same way, whatever was printed.
    pub fn is_like(&self, other: &Self) -> bool {
        let kind = |it: &Self| (it.freezer, it.version.clone(), it.layout, it.class);
        kind(self) == kind(other)
    }

    /// With the lines that show it below.
    pub fn explained(&self) -> String {
        let lines = self.lines.iter().map(|it| format!("\n  {it}"));
        std::iter::once(self.title()).chain(lines).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        match &*self.lines {
            [] => Ok(()),
            lines => write!(f, " ({})", lines.join(" | ")),
        }
    }
}

/// Words in what a freezer printed that give away what went wrong.
pub struct Sign {
    /// Part of a line, in lower case.
    pub words: &'static str,
    /// What they say.
    pub means: Meaning,
}

/// What a [`Sign`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Another freezer may manage.
    Class(Class),
    /// The configuration asks for what cannot be had: another freezer would only hide it.
    Configuration,
    /// There is no room, for no freezer.
    DiskFull,
}

/// A sign of a class of failures.
pub const fn class(words: &'static str, class: Class) -> Sign {
    let means = Meaning::Class(class);
    Sign { words, means }
}

/// A sign of a mistake in the configuration.
pub const fn configuration(words: &'static str) -> Sign {
    let means = Meaning::Configuration;
    Sign { words, means }
}

const fn disk_full(words: &'static str) -> Sign {
    let means = Meaning::DiskFull;
    Sign { words, means }
}

/// What the system and the interpreter say, whichever freezer runs. First of all: what else goes
/// wrong then only follows from it.
const SYSTEM: [Sign; 7] = [
    // strerror of ENOSPC and EDQUOT; Windows' ERROR_DISK_FULL.
    disk_full("no space left on device"),
    disk_full("disk quota exceeded"),
    disk_full("not enough space on the disk"),
    // strerror of ENOMEM; Python; C++; "Killed" is what shells and make say.
    class("cannot allocate memory", Class::OutOfMemory),
    class("memoryerror", Class::OutOfMemory),
    class("std::bad_alloc", Class::OutOfMemory),
    class("error -9", Class::OutOfMemory),
];

/// What the compilers and linkers that Nuitka starts say. What is missing or too small comes before
/// what they refuse.
const TOOLCHAIN: [Sign; 17] = [
    // gcc 4 to 14: its own allocations, the driver about a child that the system killed, and the
    // older words for the latter. Binutils; clang; MSVC's C1060 and C1002.
    class("out of memory allocating", Class::OutOfMemory),
    class("killed signal terminated program", Class::OutOfMemory),
    class("internal compiler error: killed", Class::OutOfMemory),
    class("memory exhausted", Class::OutOfMemory),
    class("llvm error: out of memory", Class::OutOfMemory),
    class("out of heap space", Class::OutOfMemory),
    // gcc without its parts, a compiler without Python's headers, as gcc and as clang say it, a shell
    // without a program, macOS without its command line tools.
    class("cannot execute", Class::MissingTool),
    class("fatal error: cannot find", Class::MissingTool),
    class("python.h: no such file", Class::MissingTool),
    class("'python.h' file not found", Class::MissingTool),
    class(
        "xcrun: error: invalid active developer path",
        Class::MissingTool,
    ),
    class(": not found", Class::MissingTool),
    // gcc and clang; MSVC; linkers; Nuitka, when a program printed nothing.
    class(" error: ", Class::CompileError),
    class(": error c", Class::CompileError),
    class("undefined reference", Class::CompileError),
    class("cannot find -l", Class::CompileError),
    class("failed unexpectedly in scons", Class::CompileError),
];

/// What kind of failure this is.
///
/// # Errors
/// What no other freezer would help against: a mistake in the configuration, a full disk, Ctrl-C,
/// and whatever went wrong on our own side.
pub fn classify(
    freezing: &Freezing,
    freezer: Freezer,
    layout: Layout,
    error: anyhow::Error,
) -> Result<Failure> {
    if error.is::<Interrupted>() || is_disk_full(&error) {
        return Err(error);
    }
    let cleaner = Cleaner {
        root: freezing.cx.root(),
    };
    if let Some(Ignored(said)) = error.downcast_ref() {
        return Err(misconfigured(freezing, freezer, &cleaner.clean(said)));
    }
    let (class, lines) = match error.downcast_ref() {
        Some(failed) => {
            let completion = freezing.completion(freezer, layout);
            let seen = Seen {
                freezer,
                failed,
                completion,
            };
            class_of(freezing, &seen, &cleaner)?
        }
        None if error.is::<Unusable>() => (Class::Crash, vec![error.to_string()]),
        // A file of our own that could not be written says nothing about the freezer.
        None => return Err(error),
    };
    Ok(Failure {
        freezer,
        version: freezing.version_of(freezer),
        layout,
        class,
        lines: cleaner.lines(&lines, class),
    })
}

/// The class with the decisive lines. Where nothing is said, what is missing is the likely cause.
fn class_of(freezing: &Freezing, seen: &Seen, cleaner: &Cleaner) -> Result<(Class, Vec<String>)> {
    let freezer = seen.freezer;
    match seen.judge() {
        Verdict::Class(class, lines) => Ok((class, lines)),
        Verdict::Unclear(lines) => match freezing.missing_tools(freezer)? {
            missing if missing.is_empty() => Ok((Class::Crash, lines)),
            missing => Ok((Class::MissingTool, missing)),
        },
        Verdict::Configuration(said) => {
            Err(misconfigured(freezing, freezer, &cleaner.clean(&said)))
        }
        Verdict::DiskFull(said) => Err(anyhow!(
            "{} found no room: {}\n\
             hint: the disk is full: free some space; what is recorded is safe",
            freezer.name(),
            cleaner.clean(&said)
        )),
    }
}

/// What is known of a freezer that failed.
struct Seen<'a> {
    freezer: Freezer,
    failed: &'a CommandFailed,
    /// How it ended by its own report, if it writes one.
    completion: Option<String>,
}

/// What kind of failure it was, with the lines that say so.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Class(Class, Vec<String>),
    /// Nothing known.
    Unclear(Vec<String>),
    Configuration(String),
    DiskFull(String),
}

impl Seen<'_> {
    fn judge(&self) -> Verdict {
        let status = &self.failed.status;
        if self.failed.timed_out() {
            return Verdict::Class(Class::TimeBudget, vec![status.clone()]);
        }
        let bad_flag =
            self.freezer == Freezer::Nuitka && self.failed.code == Some(nuitka::EXIT_BAD_FLAG);
        if bad_flag {
            return Verdict::Configuration(self.last_words());
        }
        if let Some((means, lines)) = self.sign() {
            return match means {
                Meaning::Class(class) => Verdict::Class(class, lines),
                Meaning::Configuration => Verdict::Configuration(lines.join(" | ")),
                Meaning::DiskFull => Verdict::DiskFull(lines.join(" | ")),
            };
        }
        if status.starts_with(KILLED) {
            return Verdict::Class(Class::OutOfMemory, vec![status.clone()]);
        }
        let completion = self.completion.as_deref().unwrap_or_default();
        if completion.contains("SyntaxError") || completion.contains("TabError") {
            return Verdict::Configuration(completion.to_owned());
        }
        // What a signal broke off said nothing of it.
        let said = self.failed.code.map(|_| self.last_words());
        Verdict::Unclear(said.into_iter().chain([status.clone()]).collect())
    }

    /// The gravest sign, and the lines that show it.
    fn sign(&self) -> Option<(Meaning, Vec<String>)> {
        let (own, toolchain): (&[Sign], &[Sign]) = match self.freezer {
            Freezer::Nuitka => (&nuitka::SIGNS, &TOOLCHAIN),
            Freezer::Pyinstaller => (&pyinstaller::SIGNS, &[]),
        };
        let lower: Vec<String> = self
            .failed
            .printed
            .iter()
            .map(|it| it.to_lowercase())
            .collect();
        SYSTEM.iter().chain(own).chain(toolchain).find_map(|sign| {
            let mut shown: Vec<String> = (lower.iter().zip(&self.failed.printed))
                .filter(|(it, _)| it.contains(sign.words))
                .map(|(_, line)| line.clone())
                .collect();
            if shown.is_empty() {
                return None;
            }
            // What it made of that, unless it only says that something failed.
            let is_more = |it: &&String| {
                it.contains("FATAL") && !it.contains("Failed unexpectedly") && !shown.contains(it)
            };
            let fatal = self.failed.printed.iter().filter(is_more);
            let fatal: Vec<String> = fatal.cloned().collect();
            shown.extend(fatal);
            Some((sign.means, shown))
        })
    }

    /// The line that says why it failed, if none is a sign. The last one rarely does: freezers end
    /// with where their report lies.
    fn last_words(&self) -> String {
        let printed = &self.failed.printed;
        let fatal = printed.iter().find(|it| it.contains("FATAL"));
        let says = |it: &&String| {
            let it = it.to_lowercase();
            it.contains("error:") || it.contains("exception:")
        };
        let error = || printed.iter().rfind(says);
        let line = fatal.or_else(error).or(printed.last());
        line.map_or_else(|| "it printed nothing".to_owned(), Clone::clone)
    }
}

/// An error that says which part of the configuration to mend.
fn misconfigured(freezing: &Freezing, freezer: Freezer, said: &str) -> anyhow::Error {
    let (name, sidecar) = (freezer.name(), &freezing.sidecar.name);
    anyhow!(
        "{name} refuses what it was told: {said}\n\
         hint: mend the section of sidecar {sidecar} in packaging/dist.toml, or `{name}.args` there; \
         no other freezer is tried, since it would only hide the mistake"
    )
}

/// No freezer manages without room, and none is to blame.
fn is_disk_full(error: &anyhow::Error) -> bool {
    let full = |it: &std::io::Error| it.kind() == std::io::ErrorKind::StorageFull;
    error.chain().any(|it| it.downcast_ref().is_some_and(full))
}

/// Takes from lines what differs from run to run and from place to place: they are part of a step's
/// output, and the same failure must give the same output.
struct Cleaner<'a> {
    root: &'a Path,
}

impl Cleaner<'_> {
    /// The first few different lines.
    fn lines(&self, lines: &[String], class: Class) -> Vec<String> {
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

    fn clean(&self, line: &str) -> String {
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

    /// What is made of a freezer's output where the failure itself cannot be had in a test: other
    /// compilers, and the system's own hand.
    #[test]
    fn words_of_other_tools_are_known_too() {
        let check = |freezer, printed: &[&str], status: &str, expect| {
            let printed: Vec<String> = printed.iter().map(|it| (*it).to_owned()).collect();
            let failed = CommandFailed {
                command: "python -m nuitka".into(),
                status: status.into(),
                code: Some(1),
                tail: Vec::new(),
                printed: printed.clone(),
                log: "log".into(),
            };
            let seen = Seen {
                freezer,
                failed: &failed,
                completion: None,
            };
            let class = match seen.judge() {
                Verdict::Class(class, _) => Some(class),
                _ => None,
            };
            assert_eq!(class, expect, "{printed:?}, {status}");
        };
        let nuitka = |line: &str, expect| {
            let last = "FATAL: Failed unexpectedly in Scons C backend compilation.";
            check(Freezer::Nuitka, &[line, last], "exit status: 1", expect);
        };
        let memory = Some(Class::OutOfMemory);
        nuitka(
            "gcc: fatal error: Killed signal terminated program cc1",
            memory,
        );
        nuitka("fatal error C1060: compiler is out of heap space", memory);
        nuitka("scons: *** [module.a.o] Error -9", memory);
        nuitka("a.c(3): error C2065: undeclared", Some(Class::CompileError));
        nuitka("a.c:3:1: error: expected ';'", Some(Class::CompileError));
        nuitka(
            "prelude.h:1:1: fatal error: Python.h: No such file or directory",
            Some(Class::MissingTool),
        );
        nuitka(
            "prelude.h:1:10: fatal error: 'Python.h' file not found",
            Some(Class::MissingTool),
        );
        nuitka(
            "xcrun: error: invalid active developer path (/Library/Developer), missing xcrun",
            Some(Class::MissingTool),
        );
        nuitka("Failed to download 'x' due to y", Some(Class::Network));
        let refused = "Is it OK to download and put it in local user cache.";
        nuitka(refused, Some(Class::Download));
        nuitka("", Some(Class::CompileError));
        // Its own words for a wrong hidden import are no compiler's.
        let line = "12 ERROR: Hidden import 'x' not found";
        check(Freezer::Pyinstaller, &[line], "exit status: 1", None);
        check(Freezer::Pyinstaller, &[], "signal: 9 (SIGKILL)", memory);
        // It may come back at the next run; a permission does not.
        assert!(Class::Network.is_transient() && !Class::Download.is_transient());
    }

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
