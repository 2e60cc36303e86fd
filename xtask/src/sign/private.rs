//! Files with secrets in them, for tools that read a secret from nowhere else. They lie in a folder
//! that only this user may enter, and are gone when the work is done; what a killed run left behind,
//! the next run removes.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::engine::processes;

/// The folder of one process. It and all in it are removed when this is dropped.
#[derive(Debug)]
pub struct Private {
    path: PathBuf,
}

impl Private {
    /// Makes it below `state`, and removes those of processes that are gone.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(state: &Path) -> Result<Self> {
        let all = state.join("private");
        sweep(&all)?;
        let path = all.join(std::process::id().to_string());
        fs::create_dir_all(&all)?;
        create_folder(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    /// Writes a file that only this user may read.
    ///
    /// # Errors
    /// There is one of that name, or the disk's.
    pub fn file(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(&path)?.write_all(content)?;
        Ok(path)
    }

    /// The folder itself, for tools that write files with secrets.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Fails if there is one, also if it is a link: somebody else may have put it there.
fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Removes the folders of processes that are gone.
fn sweep(all: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(all) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let pid = path.file_name().and_then(|it| it.to_str()?.parse::<u32>().ok());
        if pid.is_none_or(|it| it == std::process::id() || !processes::is_alive(it)) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}
