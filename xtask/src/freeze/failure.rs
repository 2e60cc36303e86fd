//! Why a freezer could not, and whether another could.

use serde::{Deserialize, Serialize};

use crate::config::{Freezer, Layout};

/// The kind of a failure that another freezer may not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A program that the freezer needs is not there: a C compiler, patchelf, objcopy.
    MissingTool,
    /// The memory did not suffice.
    OutOfMemory,
    /// Something could not be downloaded, or the freezer was not allowed to.
    Download,
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
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::MissingTool => "a tool is missing",
            Self::OutOfMemory => "out of memory",
            Self::Download => "a download failed",
            Self::CompileError => "the C compiler failed",
            Self::Crash => "the freezer broke",
            Self::TimeBudget => "time budget exceeded",
            Self::MissingImport => "a module is missing when frozen",
            Self::Trial => "the trial was not passed",
        }
    }

    /// Whether the same inputs may well do better next time.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::OutOfMemory | Self::Download | Self::TimeBudget)
    }
}

/// A freezer's failure that made another one necessary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// Which one failed.
    pub freezer: Freezer,
    /// Its version, as the lock pins it.
    pub version: Option<String>,
    /// What it was making.
    pub layout: Layout,
    /// The kind of failure.
    pub class: Class,
    /// The lines of output, or of the trial, that show it. At most a few.
    pub lines: Vec<String>,
}
