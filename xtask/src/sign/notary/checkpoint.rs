//! What is known of a submission, in a file. It is on the disk before the wait begins, so that no
//! crash loses the id; and it can be carried to another machine, which then goes on waiting.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::engine::files;

/// Below the state folder.
pub const FOLDER: &str = "notary";
const SCHEMA: &str = "xtask-notary-1";
const SUFFIX: &str = "json";

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checkpoint {
    schema: String,
    /// The file's name, as Apple shows it.
    pub file: String,
    /// SHA-256 of the submitted bytes, in hex.
    pub sha256: String,
    /// By which Apple knows it; none until the upload has ended.
    pub id: Option<String>,
    /// When, in RFC 3339.
    pub submitted: String,
    /// How it stands.
    pub status: Status,
    /// What submitted it.
    pub tool: String,
    /// What was submitted, and gets the ticket: relative to the repository if it lies in it. None for
    /// what a step holds, which staples it itself.
    pub product: Option<PathBuf>,
}

/// How a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is being uploaded, or that was broken off.
    Uploading,
    /// Apple has it, and has not answered.
    Submitted,
    /// The same, and nobody waits any more.
    TimedOut,
    /// Apple found nothing wrong.
    Accepted,
    /// Apple did.
    Rejected,
    /// Apple's ticket is attached.
    Stapled,
}

impl Status {
    /// Whether there is something to wait for.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Uploading | Self::Submitted | Self::TimedOut)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uploading => "upload not finished",
            Self::Submitted => "submitted",
            Self::TimedOut => "submitted, not answered in time",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Stapled => "accepted, stapled",
        })
    }
}

impl Checkpoint {
    /// Of a file whose upload begins now.
    pub fn new(file: &str, sha256: &str, tool: &str, product: Option<PathBuf>) -> Self {
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
        Self {
            schema: SCHEMA.to_owned(),
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            id: None,
            submitted: now.to_string(),
            status: Status::Uploading,
            tool: tool.to_owned(),
            product,
        }
    }

    /// That of the bytes with this SHA-256; none if they were never submitted.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(state: &Path, sha256: &str) -> Result<Option<Self>> {
        let path = path(state, sha256);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => parse(&path, &read?).map(Some),
        }
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn all(state: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        let Ok(entries) = fs::read_dir(state.join(FOLDER)) else {
            return Ok(found);
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_one = name.strip_suffix(SUFFIX).is_some_and(|it| it.len() == 65)
                && !name.starts_with('.');
            if is_one {
                found.push(parse(&path, &fs::read(&path)?)?);
            }
        }
        found.sort_by(|a, b| {
            a.submitted
                .cmp(&b.submitted)
                .then_with(|| a.file.cmp(&b.file))
        });
        Ok(found)
    }

    /// Writes it; when this returns, no crash loses it.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, state: &Path) -> Result<()> {
        let path = self.path(state);
        let text = serde_json::to_string_pretty(self)? + "\n";
        files::write_durably(&path, text.as_bytes())?;
        // The name is durable only with its folder.
        if let Ok(folder) = std::fs::File::open(state.join(FOLDER)) {
            folder.sync_all().ok();
        }
        Ok(())
    }

    /// Forgets it: nothing was submitted.
    ///
    /// # Errors
    /// The disk's.
    pub fn forget(&self, state: &Path) -> Result<()> {
        Ok(fs::remove_file(self.path(state))?)
    }

    /// Where it is kept.
    pub fn path(&self, state: &Path) -> PathBuf {
        path(state, &self.sha256)
    }

    /// Where Apple's log of it is kept.
    pub fn log(&self, state: &Path) -> PathBuf {
        state.join(FOLDER).join(format!("{}.log", self.sha256))
    }

    /// The id.
    ///
    /// # Errors
    /// The upload was broken off.
    pub fn id(&self) -> Result<&str> {
        let id = self.id.as_deref();
        id.with_context(|| format!("the upload of {} was broken off", self.file))
    }
}

/// The file whose being there says that these bytes are to be submitted again: for what only a step
/// holds, which no command line names.
pub fn wish(state: &Path, sha256: &str) -> PathBuf {
    state.join(FOLDER).join(format!("{sha256}.resubmit"))
}

fn path(state: &Path, sha256: &str) -> PathBuf {
    state.join(FOLDER).join(format!("{sha256}.{SUFFIX}"))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Checkpoint> {
    let parsed = serde_json::from_slice::<Checkpoint>(bytes);
    let parsed = parsed.with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(
        parsed.schema == SCHEMA,
        "{} is of another version of this program: {}",
        path.display(),
        parsed.schema
    );
    Ok(parsed)
}
