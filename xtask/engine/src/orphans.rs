//! Process groups that outlived a killed run.
//!
//! Whoever kills the orchestrator with SIGKILL leaves its commands running: a freezer would go on
//! compiling, and write beside the next run. Each running group therefore has a file, named by
//! its leader's process id, with the time at which the leader started (so that a process that got
//! the same id later is left alone). The next run ends what the files still name.
//! On Windows nothing outlives a killed run: see [`Tether`](super::tether::Tether).

use std::path::{Path, PathBuf};

/// The folder of running groups, below the target's state folder.
#[derive(Clone)]
pub struct Orphans {
    folder: PathBuf,
}

/// Forgets the group when dropped.
pub struct Running(Option<PathBuf>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            std::fs::remove_file(path).ok();
        }
    }
}

impl Orphans {
    /// Keeps its files in `folder`, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Remembers the group until the value is dropped. Best effort: without the file only the
    /// clean-up after a kill is lost.
    pub fn remember(&self, leader: u32) -> Running {
        let Some(started) = started(leader) else {
            return Running(None);
        };
        let path = self.folder.join(leader.to_string());
        let written = std::fs::create_dir_all(&self.folder).and_then(|()| whole(&path, &started));
        Running(written.is_ok().then_some(path))
    }

    /// Ends every remembered group that still runs; gives how many there were. Only the holder of
    /// the target's lock may call it.
    pub fn end_all(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return 0;
        };
        let mut ended = 0;
        for path in entries.flatten().map(|it| it.path()) {
            let leader = path
                .file_name()
                .and_then(|it| it.to_str())
                .and_then(|it| it.parse().ok());
            let recorded = std::fs::read_to_string(&path).ok();
            if let (Some(leader), Some(recorded)) = (leader, recorded)
                && started(leader).as_ref() == Some(&recorded)
                && kill_group(leader)
            {
                ended += 1;
            }
            std::fs::remove_file(&path).ok();
        }
        ended
    }
}

/// Writes the file under another name first: whoever is killed here leaves the whole of it or none.
fn whole(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}

/// When the process started, in clock ticks since boot (proc(5), field 22 of `stat`).
#[cfg(target_os = "linux")]
fn started(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the name in parentheses, may itself hold spaces and parentheses.
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(not(target_os = "linux"))]
fn started(_process: u32) -> Option<String> {
    None
}

#[cfg(unix)]
fn kill_group(leader: u32) -> bool {
    use std::time::{Duration, Instant};

    use nix::{sys::signal, unistd::Pid};
    let Ok(leader) = i32::try_from(leader) else {
        return false;
    };
    let group = Pid::from_raw(leader);
    if signal::killpg(group, signal::Signal::SIGKILL).is_err() {
        return false;
    }
    // A killed process may still finish a write. One that nobody reaps stays a zombie for ever.
    let until = Instant::now() + Duration::from_millis(500);
    while signal::killpg(group, None).is_ok() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

#[cfg(not(unix))]
fn kill_group(_leader: u32) -> bool {
    false
}
