//! How a run can end before its last step, and what a reader is told then.

use std::fmt;

use super::{CommandFailed, Failure};

/// The pipeline ends early and nothing is wrong: the selection or a plan stops here.
#[derive(Clone, Copy, Debug)]
pub struct Stopped;

/// A step failed and its failure was already reported.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The step.
    pub step: String,
    /// What the process ends with, if that says more than that something failed.
    pub status: Option<u8>,
}

impl Reported {
    /// That a step failed with this error.
    pub(super) fn of(step: String, error: &anyhow::Error) -> Self {
        let status = error.downcast_ref::<EndsWith>().map(|it| it.status);
        Self { step, status }
    }
}

/// A failure that is told to programs by an exit status of its own.
#[derive(Clone, Debug)]
pub struct EndsWith {
    /// The exit status.
    pub status: u8,
    /// What went wrong, and what to do.
    pub text: String,
}

impl fmt::Display for EndsWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for EndsWith {}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipeline ends here")
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} failed", self.step)
    }
}

impl std::error::Error for Stopped {}
impl std::error::Error for Reported {}

/// Takes an error apart for the reporters. Lines of it that begin with `hint: ` are what the user
/// can do; `resume` is the command that goes on from here.
pub fn failure(error: &anyhow::Error, resume: &str) -> Failure {
    let mut failure = Failure {
        resume: resume.to_owned(),
        ..Failure::default()
    };
    for cause in error.chain() {
        let mut lines = Vec::new();
        for line in cause.to_string().lines() {
            match line.strip_prefix("hint: ") {
                Some(hint) => failure.hints.push(hint.to_owned()),
                None => lines.push(line.to_owned()),
            }
        }
        failure.chain.push(lines.join("\n"));
        if let Some(failed) = cause.downcast_ref::<CommandFailed>() {
            failure.command = Some(failed.command.clone());
            failure.status = Some(failed.status.clone());
            failure.tail = failed.tail.clone();
            failure.log = Some(failed.log.clone());
        }
        let full = cause.downcast_ref::<std::io::Error>();
        if full.is_some_and(|it| it.kind() == std::io::ErrorKind::StorageFull) {
            failure
                .hints
                .push("the disk is full: free some space; what is recorded is safe".into());
        }
    }
    failure
}
