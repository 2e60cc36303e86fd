//! The kind of a failure.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A network may come back by the next run; a permission does not.
    #[test]
    fn what_may_be_over_at_the_next_run() {
        assert!(Class::Network.is_transient() && !Class::Download.is_transient());
    }
}
