//! Where a step's output goes.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};

/// Where a step's output goes: the file that a failure names.
#[derive(Clone)]
pub struct Log {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// None until the step runs: deciding writes no log.
    file: Option<Arc<Mutex<std::fs::File>>>,
}

impl Log {
    /// The log of a step that does not run yet; its older log stays.
    pub fn at(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Starts a new log, in the place of an older one.
    pub fn create(path: PathBuf) -> Result<Self> {
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = Arc::new(Mutex::new(fs_err::File::create(&path)?.into_parts().0));
        Ok(Self {
            path,
            file: Some(file),
        })
    }

    /// Adds a line. The error is the disk's (full, read-only).
    pub fn line(&self, line: &str) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").with_context(|| format!("cannot write {}", self.path.display()))
    }
}
