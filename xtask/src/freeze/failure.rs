//! Why a freezer could not, and whether another could.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::candidate::Freezing;
use crate::{
    config::{Freezer, Layout},
    engine::exec::{CommandFailed, Interrupted},
    tools::nuitka,
};

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

impl Failure {
    /// With the lines that show it.
    pub fn explained(&self) -> String {
        let lines = self.lines.iter().map(|it| format!("\n  {it}"));
        std::iter::once(self.to_string()).chain(lines).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, layout) = (self.freezer.name(), self.layout.name());
        let version = self
            .version
            .as_ref()
            .map(|it| format!(" {it}"))
            .unwrap_or_default();
        write!(
            f,
            "{name}{version} ({layout}) failed: {}",
            self.class.words()
        )?;
        match self.lines.first() {
            Some(line) => write!(f, " ({line})"),
            None => Ok(()),
        }
    }
}

/// What kind of failure this is.
///
/// # Errors
/// What no other freezer would help against: a mistake in the configuration, a full disk, Ctrl-C.
pub fn classify(
    freezing: &Freezing,
    freezer: Freezer,
    layout: Layout,
    error: anyhow::Error,
) -> Result<Failure> {
    if error.is::<Interrupted>() || is_disk_full(&error) {
        return Err(error);
    }
    let failed = error.downcast_ref::<CommandFailed>();
    let printed = failed.map(|it| &*it.printed).unwrap_or_default();
    let name = &freezing.sidecar.name;
    if freezer == Freezer::Nuitka {
        if failed.is_some_and(|it| it.code == Some(nuitka::EXIT_BAD_FLAG)) {
            let said = printed.last().map(String::as_str).unwrap_or_default();
            bail!(
                "nuitka does not know one of its flags: {said}\n\
                 hint: mend `nuitka.args` of sidecar {name} in packaging/dist.toml"
            );
        }
        let misconfigured = |line: &&String| {
            let line = line.to_lowercase();
            nuitka::CONFIGURATION_ERRORS
                .iter()
                .any(|it| line.contains(it))
        };
        if let Some(line) = printed.iter().find(misconfigured) {
            bail!(
                "nuitka refuses the configuration: {line}\n\
                 hint: mend the section of sidecar {name} in packaging/dist.toml"
            );
        }
    }
    let mut lines: Vec<String> = decisive(printed).into_iter().cloned().collect();
    lines.push(format!("{error:#}"));
    Ok(Failure {
        freezer,
        version: freezing.version_of(freezer),
        layout,
        class: Class::Crash,
        lines,
    })
}

/// The line that says why a freezer failed. The last one rarely does: freezers end with where their
/// report lies.
fn decisive(printed: &[String]) -> Option<&String> {
    let fatal = printed.iter().find(|it| it.contains("FATAL"));
    let error = || {
        printed
            .iter()
            .rfind(|it| it.to_lowercase().contains("error"))
    };
    fatal.or_else(error).or(printed.last())
}

/// No freezer manages without room, and none is to blame.
fn is_disk_full(error: &anyhow::Error) -> bool {
    let full = |it: &std::io::Error| it.kind() == std::io::ErrorKind::StorageFull;
    error.chain().any(|it| it.downcast_ref().is_some_and(full))
}
