//! What runs, as /proc has it. On other systems it finds nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A process that was seen. Its id may be used anew once it is gone; together with its start it is
/// unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: i32,
    parent: i32,
    /// In clock ticks since boot.
    started: u64,
    /// The executable; none for a zombie, and for processes of others.
    program: Option<PathBuf>,
}

impl Process {
    fn read(id: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The second field, the name in parentheses, may itself hold spaces and parentheses.
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        let program = std::fs::read_link(format!("/proc/{id}/exe")).ok();
        // A zombie has ended: who should take note of it may never do so in a container.
        (state != "Z").then_some(Self {
            id,
            parent,
            started,
            program,
        })
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&self) -> bool {
        Self::read(self.id).is_some_and(|it| it.started == self.started)
    }

    /// A variable of the environment that it was started with.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let all = std::fs::read(format!("/proc/{}/environ", self.id)).ok()?;
        let text = String::from_utf8_lossy(&all);
        let mut pairs = text.split('\0').filter_map(|it| it.split_once('='));
        pairs.find(|it| it.0 == name).map(|it| it.1.to_owned())
    }

    /// The executable.
    pub(super) fn runs(&self, program: &Path) -> bool {
        self.program.as_deref() == Some(program)
    }

    /// Whether its executable or its first argument has this file name.
    fn is_called(&self, name: &str) -> bool {
        let arguments = std::fs::read(format!("/proc/{}/cmdline", self.id)).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        let first = arguments.split('\0').next().map(PathBuf::from);
        [&first, &self.program]
            .into_iter()
            .flatten()
            .any(|it| it.file_name().is_some_and(|it| it == name))
    }

    /// Kills it with SIGKILL: it cannot clean up after itself.
    #[cfg(unix)]
    pub(super) fn kill(&self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
    }

    /// Stops it where it is; only SIGKILL ends it then.
    #[cfg(unix)]
    pub(super) fn stop(&self) {
        self.signal(nix::sys::signal::Signal::SIGSTOP);
    }

    /// Asks it to end, with SIGTERM.
    #[cfg(unix)]
    pub(super) fn terminate(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) {
        use nix::{sys::signal, unistd::Pid};
        if self.is_alive() {
            signal::kill(Pid::from_raw(self.id), signal).ok();
        }
    }

    #[cfg(not(unix))]
    pub(super) fn kill(&self) {}

    #[cfg(not(unix))]
    pub(super) fn stop(&self) {}

    #[cfg(not(unix))]
    pub(super) fn terminate(&self) {}
}

/// Everything that runs now.
pub(super) fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    ids.filter_map(Process::read).collect()
}

/// The processes below `host` that go by one of these names, and all below them: what packs a
/// program into one file starts the real one as its child.
pub(super) fn below<'a>(host: &Process, names: &[&str], all: &'a [Process]) -> Vec<&'a Process> {
    let parents: BTreeMap<i32, &Process> = all.iter().map(|it| (it.id, it)).collect();
    let named = |it: &&Process| names.iter().any(|name| it.is_called(name));
    let belongs =
        |it: &&Process| line(it, host, &parents).is_some_and(|line| line.iter().any(named));
    all.iter().filter(belongs).collect()
}

/// The process and all below it.
pub(super) fn family<'a>(head: &Process, all: &'a [Process]) -> Vec<&'a Process> {
    let parents: BTreeMap<i32, &Process> = all.iter().map(|it| (it.id, it)).collect();
    let belongs = |it: &&Process| it.id == head.id || line(it, head, &parents).is_some();
    all.iter().filter(belongs).collect()
}

/// The process and its ancestors up to the child of `host`; none if it is not below it.
fn line<'a>(
    process: &'a Process,
    host: &Process,
    parents: &BTreeMap<i32, &'a Process>,
) -> Option<Vec<&'a Process>> {
    let mut line = vec![process];
    loop {
        let last = line[line.len() - 1];
        match parents.get(&last.parent) {
            Some(up) if up.id == host.id => return Some(line),
            // What was seen one after the other could form a ring.
            Some(up) if !line.contains(up) => line.push(up),
            _ => return None,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_and_its_place() {
        let all = all();
        let me = all
            .iter()
            .find(|it| it.id == std::process::id() as i32)
            .unwrap();
        assert!(me.is_alive() && me.runs(&std::env::current_exe().unwrap()));
        assert_eq!(me.variable("PATH"), std::env::var("PATH").ok());
        let parent = all.iter().find(|it| it.id == me.parent).unwrap();
        let name = std::env::current_exe().unwrap();
        let name = name.file_name().unwrap().to_str().unwrap();
        assert!(below(parent, &[name], &all).contains(&me));
        assert!(below(parent, &["no such name"], &all).is_empty());
        assert!(below(me, &[name], &all).is_empty());
        assert!(family(parent, &all).contains(&me) && family(me, &all).contains(&me));
        assert!(!family(me, &all).contains(&parent));
    }
}
