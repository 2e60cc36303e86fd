//! The verdict on a freezer that failed: which class of failure it was, or that no other freezer would
//! help.

use anyhow::{Result, anyhow};

use super::{
    candidate::{Freezing, Ignored, Unusable},
    class::Class,
    cleaner::Cleaner,
    failure::Failure,
    sign::{Meaning, find},
};
use crate::{
    config::{Freezer, Layout},
    engine::exec::{CommandFailed, Interrupted},
    tools::nuitka,
};

/// What SIGKILL gives as the status of a process. Nobody sends it to a freezer but the system when
/// it is out of memory: a time-out and Ctrl-C are told apart before.
const KILLED: &str = "signal: 9";

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
                may_download: nuitka::may_download(&freezing.sidecar.nuitka_args),
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
    /// Whether Nuitka was allowed to download what it misses.
    may_download: bool,
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
        if let Some((means, lines)) = find(self.freezer, &self.failed.printed) {
            return match means {
                Meaning::Class(class) => Verdict::Class(class, lines),
                Meaning::NotDownloaded if self.may_download => {
                    Verdict::Class(Class::Network, lines)
                }
                Meaning::NotDownloaded => Verdict::Class(Class::Download, lines),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_freezer_does_not_say_its_end_does() {
        let check = |freezer, status: &str, code, expect: Verdict| {
            let failed = CommandFailed {
                command: "python -m freezer".into(),
                status: status.into(),
                code,
                tail: Vec::new(),
                printed: vec!["a line".into()],
                log: "log".into(),
            };
            let seen = Seen {
                freezer,
                failed: &failed,
                completion: None,
                may_download: false,
            };
            assert_eq!(seen.judge(), expect, "{status}");
        };
        let (nuitka, pyinstaller) = (Freezer::Nuitka, Freezer::Pyinstaller);
        let killed = "signal: 9 (SIGKILL)";
        let memory = Verdict::Class(Class::OutOfMemory, vec![killed.into()]);
        check(pyinstaller, killed, None, memory);
        let crashed = "signal: 11 (SIGSEGV)";
        check(
            nuitka,
            crashed,
            None,
            Verdict::Unclear(vec![crashed.into()]),
        );
        let bad_flag = Verdict::Configuration("a line".into());
        check(nuitka, "exit status: 2", Some(2), bad_flag);
        let said = vec!["a line".into(), "exit status: 2".into()];
        check(
            pyinstaller,
            "exit status: 2",
            Some(2),
            Verdict::Unclear(said),
        );
    }

    /// Its question is no sign to rely on: another Nuitka may word it otherwise.
    #[test]
    fn a_download_was_refused_unless_it_was_allowed() {
        let line = "FATAL: Nuitka with '--zig' depends on 'zig' to compile.";
        let check = |arguments: &[&str], class| {
            let arguments: Vec<String> = arguments.iter().map(|&it| it.into()).collect();
            let failed = CommandFailed {
                command: "python -m nuitka".into(),
                status: "exit status: 1".into(),
                code: Some(1),
                tail: Vec::new(),
                printed: vec!["Shall I fetch it?".into(), line.into()],
                log: "log".into(),
            };
            let seen = Seen {
                freezer: Freezer::Nuitka,
                failed: &failed,
                completion: None,
                may_download: nuitka::may_download(&arguments),
            };
            let expected = Verdict::Class(class, vec![line.into()]);
            assert_eq!(seen.judge(), expected, "{arguments:?}");
        };
        check(&["--zig"], Class::Download);
        check(&["--zig", "--assume-yes-for-downloads"], Class::Network);
        check(&["--assume-yes", "--zig"], Class::Network);
    }
}
