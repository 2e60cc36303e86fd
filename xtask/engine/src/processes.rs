//! A process and all that it started: how much memory they hold, and whether any still lives.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// How often processes are looked at while one waits for their end.
const POLL: Duration = Duration::from_millis(20);

/// The processes below one, as far as they were seen: one that comes and goes between two looks is
/// missed.
pub struct Processes {
    system: System,
    /// Process id and start time, in seconds: an id alone may be given again.
    seen: BTreeMap<Pid, u64>,
    peak: u64,
}

impl Processes {
    /// Starts to watch a process. The error is a system that does not tell.
    pub fn below(root: u32) -> Result<Self> {
        let mut processes = Self {
            system: System::new()?,
            seen: BTreeMap::new(),
            peak: 0,
        };
        processes.refresh();
        let root = Pid::from_u32(root);
        if let Some(process) = processes.system.process(root) {
            processes.seen.insert(root, process.start_time());
        }
        processes.look();
        Ok(processes)
    }

    /// Looks once: finds new descendants and sums up what all of them hold.
    pub fn look(&mut self) {
        self.refresh();
        // Parents may be listed after their children.
        while let Some(found) = self.next_descendant() {
            self.seen.extend([found]);
        }
        let memory = self.living().map(Process::memory).sum();
        self.peak = self.peak.max(memory);
    }

    /// The most that all of them held at one time, in bytes of resident memory. What several share
    /// counts for each.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Waits until none is left; the ids of those that are.
    pub fn gone_within(&mut self, time: Duration) -> Vec<u32> {
        let until = Instant::now() + time;
        loop {
            self.look();
            let left: Vec<u32> = self.living().map(|it| it.pid().as_u32()).collect();
            if left.is_empty() || Instant::now() >= until {
                return left;
            }
            thread::sleep(POLL);
        }
    }

    fn refresh(&mut self) {
        let kind = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
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

/// Asks the system to drop what it holds of the files below a folder in memory: best effort, no
/// privilege needed.
#[cfg(target_os = "linux")]
pub fn forget_cached(folder: &std::path::Path) {
    use nix::fcntl::{PosixFadviseAdvice::POSIX_FADV_DONTNEED, posix_fadvise};
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget_cached(&path);
        } else if let Ok(file) = std::fs::File::open(&path) {
            // What is not on the disk yet cannot be dropped.
            file.sync_all().ok();
            posix_fadvise(&file, 0, 0, POSIX_FADV_DONTNEED).ok();
        }
    }
}
