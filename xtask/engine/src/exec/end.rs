//! How a command ended.

use std::{fmt, path::PathBuf, process::ExitStatus};

use super::{TIMED_OUT, program_of};

/// A command did not end well. The reporter shows its parts one by one.
#[derive(Clone, Debug)]
pub struct CommandFailed {
    /// As it can be pasted into a shell.
    pub command: String,
    /// `exit status: 1`, `timed out after 30s`, `interrupted`.
    pub status: String,
    /// What it exited with; none if a signal or a time-out ended it.
    pub code: Option<i32>,
    /// The last lines of its output, masked.
    pub tail: Vec<String>,
    /// The last few thousand lines, masked: what decides is not always what is printed last.
    pub printed: Vec<String>,
    /// The step's log.
    pub log: PathBuf,
}

impl CommandFailed {
    /// Whether it was ended because it took too long.
    pub fn timed_out(&self) -> bool {
        self.status.starts_with(TIMED_OUT)
    }
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed: {}", program_of(&self.command), self.status)
    }
}

impl std::error::Error for CommandFailed {}

/// The user pressed Ctrl-C, or the system asked the run to end.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A process that ended, with what it printed.
#[derive(Debug)]
pub struct Finished {
    /// How it ended; a time-out or Ctrl-C is an error instead.
    pub status: ExitStatus,
    /// All that it printed to stdout, not masked.
    pub stdout: Vec<u8>,
    /// Its last lines of both streams, masked.
    pub tail: Vec<String>,
    /// The last few thousand lines of both streams, masked.
    pub printed: Vec<String>,
    /// The command as it can be pasted.
    pub command: String,
    /// Where all of its output is.
    pub log: PathBuf,
}
