//! What a sidecar can be, as the user gets to see it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

/// The sidecar as it is now. Serialized, it is what the window draws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Not started yet, or ended on purpose.
    Stopped,
    /// Started; it has not said `READY` yet.
    Starting,
    /// It answers requests.
    Ready {
        /// What it called itself when it started, if it did.
        version: Option<String>,
    },
    /// It did not become ready, or it ended without being asked to.
    Failed {
        /// What happened, in a sentence for the user.
        reason: Failure,
        /// The end of what it wrote to its standard error.
        stderr: Vec<String>,
    },
}

/// Why a sidecar is not running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The operating system could not start it.
    NotStarted(io::ErrorKind, String),
    /// It ended before it said `READY`; how, if that is known.
    EndedEarly(Option<String>),
    /// It runs but did not say `READY` in time, so it was ended.
    NotReady(Duration),
    /// It said `READY` again, so that nobody knows what it is doing; it was ended.
    ReadyTwice,
    /// It wrote a line, of which this is the beginning, that is none of the protocol's: an answer
    /// may be lost in it. It was ended.
    Garbage(String),
    /// It ended after it had been ready; how, if that is known.
    Lost(Option<String>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = |status: &Option<String>| match status {
            Some(status) => format!(" ({status})"),
            None => String::new(),
        };
        match self {
            Self::NotStarted(_, error) => write!(f, "The analyzer could not be started: {error}"),
            Self::EndedEarly(status) => {
                write!(f, "The analyzer ended before it was ready{}", how(status))
            }
            Self::NotReady(limit) => {
                write!(f, "The analyzer was not ready within {} s", limit.as_secs_f32())
            }
            Self::ReadyTwice => f.write_str("The analyzer said twice that it is ready"),
            Self::Garbage(line) => {
                write!(f, "The analyzer wrote something that is not an answer: {line}")
            }
            Self::Lost(status) => write!(f, "The analyzer ended unexpectedly{}", how(status)),
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The last lines of a stream; the earlier ones are forgotten.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    const LINES: usize = 60;

    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap();
        if lines.len() == Self::LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}
