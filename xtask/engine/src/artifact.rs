//! A file that a step leaves behind.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files::{self, Found, StatCache};

/// A file of a step's output, as it was when the step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Relative to the step's stage folder, with `/` on every platform.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal; of the target's text for a symbolic link.
    pub sha256: String,
    /// Whether it may be executed; always false on Windows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Where a symbolic link points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl From<Found> for Artifact {
    fn from(found: Found) -> Self {
        let sha256 = files::hex(&found.hash);
        let Found {
            path,
            size,
            executable,
            link,
            ..
        } = found;
        Self {
            path,
            size,
            sha256,
            executable,
            link,
        }
    }
}

/// All files of a folder as artifacts, sorted by path.
pub fn collect(folder: &Path, cache: &StatCache) -> Result<Vec<Artifact>> {
    Ok(files::walk_all(folder, cache)?
        .into_iter()
        .map(Artifact::from)
        .collect())
}

/// The first thing that makes the folder differ from its record, in words; none if it is intact.
pub fn damage(folder: &Path, recorded: &[Artifact], cache: &StatCache) -> Result<Option<String>> {
    let present = collect(folder, cache)?;
    if present == recorded {
        return Ok(None);
    }
    let find = |list: &[Artifact], path: &str| list.iter().find(|it| it.path == path).cloned();
    for artifact in recorded {
        match find(&present, &artifact.path) {
            None => return Ok(Some(format!("its {} was deleted", artifact.path))),
            Some(it) if it != *artifact => {
                return Ok(Some(format!("its {} was altered", artifact.path)));
            }
            Some(_) => {}
        }
    }
    let extra = present.iter().find(|it| find(recorded, &it.path).is_none());
    Ok(extra.map(|it| format!("{} appeared among its files", it.path)))
}
