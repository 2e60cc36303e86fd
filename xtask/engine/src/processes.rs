//! A process and all that it started: how much memory they hold, and whether any still lives.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Looking takes at most one part in so many of a processor's time: what is measured must not wait
/// for whoever measures.
const SHARE: u32 = 30;

/// Whether there is a process of this id; also if nobody can tell.
pub fn is_alive(pid: u32) -> bool {
    let Ok(mut system) = System::new() else {
        return true;
    };
    let pid = Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    system.process(pid).is_some()
}

/// The processes below one, as far as they were seen: its descendants, and whoever belongs to its
/// process group. One that leaves the group and loses its parent between two looks is missed.
/// Dropping it kills those that still live.
pub struct Processes {
    root: Pid,
    system: System,
    /// Process id and start time, in seconds: an id alone may be given again.
    seen: BTreeMap<Pid, u64>,
    peak: u64,
    looked: Instant,
    /// How long the last look took.
    cost: Duration,
}

impl Processes {
    /// Starts to watch a process, which leads its process group. The error is a system that does
    /// not tell.
    pub fn below(root: u32) -> Result<Self> {
        let mut processes = Self {
            root: Pid::from_u32(root),
            system: System::new()?,
            seen: BTreeMap::new(),
            peak: 0,
            looked: Instant::now(),
            cost: Duration::ZERO,
        };
        processes.look();
        Ok(processes)
    }

    /// Looks once: finds new ones and sums up what all of them hold.
    pub fn look(&mut self) {
        self.looked = Instant::now();
        let kind = ProcessRefreshKind::nothing().without_tasks();
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        self.find_members();
        // Parents may be listed after their children.
        while let Some(found) = self.next_descendant() {
            self.seen.extend([found]);
        }
        let ids: Vec<Pid> = self.living().map(Process::pid).collect();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&ids),
            false,
            kind.with_memory(),
        );
        let memory = self.living().map(Process::memory).sum();
        self.peak = self.peak.max(memory);
        self.cost = self.looked.elapsed();
    }

    /// Looks, unless the last look is too recent.
    pub fn glance(&mut self) {
        if self.looked.elapsed() > self.cost * SHARE {
            self.look();
        }
    }

    /// The most that all of them held at one look, in bytes of resident memory. What several share
    /// counts for each.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Those that live: `4711 (name)`. As long as some do, new ones are looked for now and then, so
    /// that it may be asked often; that none lives is said after a look at all.
    pub fn left(&mut self) -> Vec<String> {
        let ids: Vec<Pid> = self.seen.keys().copied().collect();
        let kind = ProcessRefreshKind::nothing().without_tasks();
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::Some(&ids), true, kind);
        let any = self.living().next().is_some();
        match any {
            true => self.glance(),
            false => self.look(),
        }
        let living: Vec<Pid> = self.living().map(Process::pid).collect();
        named(&living)
    }

    /// The process itself, and those of its group, whoever their parent is by now.
    fn find_members(&mut self) {
        let all = self.system.processes().values();
        let members = all.filter(|it| it.pid() == self.root || is_in_group(it.pid(), self.root));
        let members: Vec<_> = members.map(|it| (it.pid(), it.start_time())).collect();
        for (pid, started) in members {
            self.seen.entry(pid).or_insert(started);
        }
    }

    fn next_descendant(&self) -> Option<(Pid, u64)> {
        let all = self.system.processes().values();
        all.filter(|it| !self.seen.contains_key(&it.pid()))
            .find(|it| {
                it.parent().is_some_and(|parent| {
                    // A parent that is gone may have handed its id on.
                    let alive = self.system.process(parent).map(Process::start_time);
                    alive.is_some() && alive == self.seen.get(&parent).copied()
                })
            })
            .map(|it| (it.pid(), it.start_time()))
    }

    fn living(&self) -> impl Iterator<Item = &Process> {
        self.seen.iter().filter_map(|(pid, started)| {
            let process = self.system.process(*pid)?;
            // A zombie ended; whoever adopted it has yet to notice.
            let lives = process.start_time() == *started
                && !matches!(
                    process.status(),
                    ProcessStatus::Zombie | ProcessStatus::Dead
                );
            lives.then_some(process)
        })
    }
}

/// With their names of this moment: who was first seen between fork and exec had its parent's then,
/// and a `System` keeps the name that it saw first.
fn named(ids: &[Pid]) -> Vec<String> {
    let mut system = System::new().ok();
    let kind = ProcessRefreshKind::nothing().without_tasks();
    if let Some(system) = &mut system {
        system.refresh_processes_specifics(ProcessesToUpdate::Some(ids), true, kind);
    }
    let name = |pid: &Pid| system.as_ref()?.process(*pid).map(Process::name);
    let named = ids.iter().map(|pid| match name(pid) {
        Some(name) => format!("{pid} ({})", name.to_string_lossy()),
        None => pid.to_string(),
    });
    named.collect()
}

impl Drop for Processes {
    fn drop(&mut self) {
        // What one of them starts while it is killed is found by the next look.
        for _ in 0..3 {
            self.look();
            if self.living().map(Process::kill).count() == 0 {
                return;
            }
        }
    }
}

#[cfg(unix)]
fn is_in_group(process: Pid, leader: Pid) -> bool {
    let raw = |it: Pid| i32::try_from(it.as_u32()).ok();
    let of = raw(process).map(nix::unistd::Pid::from_raw);
    let group = nix::unistd::getpgid(of).map(nix::unistd::Pid::as_raw);
    of.is_some() && group.ok() == raw(leader)
}

/// Windows has no process groups.
#[cfg(not(unix))]
fn is_in_group(_process: Pid, _leader: Pid) -> bool {
    false
}

/// Asks the system to drop what it holds of the files below a folder in memory: best effort, no
/// privilege needed.
#[cfg(target_os = "linux")]
pub fn forget_cached(folder: &std::path::Path) {
    use nix::fcntl::{PosixFadviseAdvice::POSIX_FADV_DONTNEED, posix_fadvise};
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            forget_cached(&path);
        } else if kind.is_ok_and(|it| it.is_file())
            && let Ok(file) = std::fs::File::open(&path)
        {
            // What is not on the disk yet cannot be dropped.
            file.sync_all().ok();
            posix_fadvise(&file, 0, 0, POSIX_FADV_DONTNEED).ok();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    use super::*;

    /// All that was known is gone by then.
    #[test]
    fn who_was_born_since_the_last_look_is_not_missed() {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "read line; sleep 90 < /dev/null > /dev/null 2>&1 &"])
            .stdin(Stdio::piped())
            .process_group(0);
        let mut parent = command.spawn().unwrap();
        let mut processes = Processes::below(parent.id()).unwrap();
        assert_eq!(processes.left().len(), 1);
        drop(parent.stdin.take());
        assert!(parent.wait().unwrap().success());
        let left = processes.left();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(!left[0].starts_with(&format!("{} ", parent.id())));
    }
}
