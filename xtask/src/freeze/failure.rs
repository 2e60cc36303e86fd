//! A freezer's failure, for which another one is tried.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::class::Class;
use crate::config::{Freezer, Layout};

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

impl Failure {
    /// What failed, and in which way: `nuitka 4.3.3 (onefile) failed: out of memory`.
    fn title(&self) -> String {
        let (name, layout) = (self.freezer.name(), self.layout.name());
        let version = self.version.as_ref().map(|it| format!(" {it}"));
        let version = version.unwrap_or_default();
        format!("{name}{version} ({layout}) failed: {}", self.class.words())
    }

    /// Whether the same failed in the same way, whatever was printed.
    pub fn is_like(&self, other: &Self) -> bool {
        let kind = |it: &Self| (it.freezer, it.version.clone(), it.layout, it.class);
        kind(self) == kind(other)
    }

    /// With the lines that show it below.
    pub fn explained(&self) -> String {
        let lines = self.lines.iter().map(|it| format!("\n  {it}"));
        std::iter::once(self.title()).chain(lines).collect()
    }

    /// The class and the lines that show it, where it is known what failed.
    pub fn reasons(&self) -> String {
        match &*self.lines {
            [] => self.class.words().to_owned(),
            lines => format!("{}: {}", self.class.words(), lines.join("\n")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        match &*self.lines {
            [] => Ok(()),
            lines => write!(f, " ({})", lines.join(" | ")),
        }
    }
}

impl std::error::Error for Failure {}
