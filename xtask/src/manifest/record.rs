//! How the release came to be: the part of the manifest that differs from run to run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One step of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The name that the command line and the logs use.
    pub id: String,
    /// Raised when the step's work changes meaning.
    pub version: u32,
    /// SHA-256 of everything that decides its output, 64 lower-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9a-f]{64}$")))]
    pub fingerprint: String,
    /// Wall time of the work that made the output, in seconds, rounded to milliseconds; of a
    /// reused step, that of the run that made it.
    pub seconds: f64,
    /// Whether it ran this time.
    pub status: StepStatus,
    /// Why it ran, or why it was taken as it was; one line.
    pub why: String,
    /// Decisions on the way, such as the freezer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// The processes that it started, in order; secrets are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// What its fingerprint was taken of, in short.
    pub inputs: Inputs,
}

impl Step {
    /// More digits of a duration are noise.
    pub(super) fn round(&mut self) {
        let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        self.seconds = round(self.seconds);
        for command in &mut self.commands {
            command.seconds = round(command.seconds);
        }
    }
}

/// Whether a step ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// It did its work in this run.
    Ran,
    /// Nothing had changed: its output is that of an earlier run.
    Reused,
    /// The command line said to take its output, though something had changed.
    Kept,
}

/// A process that a step started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// As it can be pasted into a shell, secrets masked.
    pub command: String,
    /// How it ended: `exit status: 0`.
    pub status: String,
    /// Wall time in seconds, rounded to milliseconds.
    pub seconds: f64,
}

/// What a fingerprint was taken of. Of the environment only the names: a value may tell more about
/// the builder than the public should read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// How many files.
    pub files: u64,
    /// Their size together, in bytes.
    pub bytes: u64,
    /// Programs with their versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, String>,
    /// The names of environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
}

/// A frozen Python program inside the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// The program's name.
    pub name: String,
    /// The version that the frozen program itself reported when it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What froze it: `nuitka`, `pyinstaller`.
    pub freezer: String,
    /// Why it was not the freezer that the configuration prefers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// How it lies on the disk.
    pub layout: Layout,
    /// What the freezers failed at that the configuration prefers, in the order of trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
}

/// A freezer's failure that made the next one in the list necessary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// What failed: `nuitka`, `pyinstaller`.
    pub freezer: String,
    /// Its version, as the lock pins it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it was making.
    pub layout: Layout,
    /// The kind of failure: `missing-tool`, `out-of-memory`, `download`, `network`, `compile-error`,
    /// `crash`, `time-budget`, `missing-import`, `trial`.
    pub class: String,
    /// The decisive lines of its output, or what the trial showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// How a frozen program lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// An executable beside its libraries.
    Folder,
    /// One file that unpacks itself when it starts.
    Onefile,
}
