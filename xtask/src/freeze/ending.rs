//! The ends of launches: in which ways a program is ended, and what becomes of it.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use crate::{
    config::Layout,
    engine::{launch::Launched, processes::Processes},
};

/// How long a program, and all that it started, may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How often what still lives is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How a launch is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Its stdin is closed, as a host does when it ends.
    StdinClosed,
    /// It gets SIGTERM, as when a session ends.
    Terminated,
    /// Its parent is killed: SIGKILL.
    ParentKilled,
    /// Of a program that is one file, what unpacked it and waits for it gets SIGKILL, and its stdin is
    /// closed, as a host does that sees it end.
    WrapperKilled,
}

impl How {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::StdinClosed,
        Self::Terminated,
        Self::ParentKilled,
        Self::WrapperKilled,
    ];

    /// Mostly the ordinary end; every fourth launch SIGTERM, and every fourth a killed parent, which is
    /// the wrapper of one file each other time. On Windows there is no SIGTERM, and where a wrapper
    /// unpacks is not so easily told.
    pub(super) fn of(number: usize, layout: Layout) -> Self {
        match number % 8 {
            2 | 6 if cfg!(unix) => Self::Terminated,
            0 if cfg!(unix) && layout == Layout::Onefile => Self::WrapperKilled,
            0 | 4 => Self::ParentKilled,
            _ => Self::StdinClosed,
        }
    }

    /// Whether the time to `READY` and the memory are the program's own: a parent that plays the host
    /// adds its start, and another folder for temporary files may be slower.
    pub(super) fn is_measured(self) -> bool {
        matches!(self, Self::StdinClosed | Self::Terminated)
    }

    /// What it ends after.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::StdinClosed => "its stdin was closed",
            Self::Terminated => "SIGTERM",
            Self::ParentKilled => "its parent was killed",
            Self::WrapperKilled => "its wrapper was killed and its stdin closed",
        }
    }
}

/// Ends a program that is ready; gives how it ended and which of its processes did not.
pub(super) fn end(
    launched: &mut Launched,
    processes: &mut Processes,
    how: How,
) -> Result<(Option<ExitStatus>, Vec<String>)> {
    match how {
        How::StdinClosed => launched.close_stdin(),
        #[cfg(unix)]
        How::Terminated => launched.terminate()?,
        How::ParentKilled => launched.kill()?,
        #[cfg(unix)]
        How::WrapperKilled => {
            launched.kill()?;
            // Only then is the program without a wrapper, and sees that it is.
            launched.wait(GRACE)?;
            launched.close_stdin();
        }
        #[cfg(not(unix))]
        How::Terminated | How::WrapperKilled => launched.close_stdin(),
    }
    let until = Instant::now() + GRACE;
    let ended = launched.wait(GRACE)?;
    let mut left = processes.left();
    // What was started holds the output open even where it cannot be seen otherwise.
    while (!left.is_empty() || launched.is_open()) && Instant::now() < until {
        launched.listen(POLL)?;
        left = processes.left();
    }
    if left.is_empty() && launched.is_open() {
        left.push("an unknown process that holds its output open".to_owned());
    }
    Ok((ended, left))
}

/// Ends a program that never was ready, unless it ended by itself.
pub(super) fn end_early(launched: &mut Launched) -> Result<Option<ExitStatus>> {
    // A closed output is mostly the first that is seen of an end.
    let grace = match launched.is_open() {
        true => Duration::ZERO,
        false => GRACE,
    };
    let ended = launched.wait(grace)?;
    if ended.is_none() {
        launched.kill_group();
    }
    Ok(ended)
}
