//! What runs on other machines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::as_text;

/// What the generated workflows do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ci {
    /// Jobs that are not the usual ones.
    pub targets: Vec<CiTarget>,
    /// What is checked of every change.
    pub checks: Vec<Check>,
    /// The targets on whose machines the unit tests run, too, by friendly name or triple.
    pub test_on: Vec<String>,
    /// The branches whose pushes are checked.
    pub branches: Vec<String>,
    /// Commands that make what `dist` expects to find.
    pub before: Vec<String>,
    /// The Rust toolchain; `None` takes what the repository says.
    pub rust: Option<String>,
    /// The Node.js; `None` takes what the repository says.
    pub node: Option<String>,
    /// The Python; `None` takes what the repository says.
    pub python: Option<String>,
    /// The environment on GitHub that holds the secrets.
    pub environment: String,
    /// The environment of the job that publishes.
    pub publish_environment: Option<String>,
    /// How long a job may take.
    #[serde(serialize_with = "as_text")]
    pub timeout: Duration,
}

/// What is special about the job of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CiTarget {
    /// `linux`, `windows`, `macos`, or a Rust target triple.
    pub name: String,
    /// The runner's label; `None` takes GitHub's own one.
    pub runner: Option<String>,
    /// Names of further secrets for its job.
    pub secrets: Vec<String>,
}

/// What is checked of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// `cargo xtask test`
    Test,
    /// `cargo xtask ci generate --check`
    Generate,
    /// `cargo xtask version`
    Version,
    /// `cargo xtask dist --unsigned`, for each target
    Dist,
}
