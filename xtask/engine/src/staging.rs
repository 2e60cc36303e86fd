//! The folder that a running step writes into, until its output takes the old one's place.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// A private folder for one run of one step; removed when dropped, unless it was published.
pub struct Staging {
    path: PathBuf,
    published: bool,
}

impl Staging {
    /// Makes `<folder>/<step>.<process id>`, empty.
    pub fn create(folder: &Path, step: &str) -> Result<Self> {
        let path = folder.join(format!("{}.{}", file_name(step), std::process::id()));
        remove(&path)?;
        fs_err::create_dir_all(&path)?;
        Ok(Self {
            path,
            published: false,
        })
    }

    /// The absolute path to write into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside, whose parent folder exists afterwards.
    pub fn file(&self, relative: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path.join(relative);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        Ok(path)
    }

    /// Puts the folder in the place of `stage`. A crash between the two renames leaves no stage,
    /// which the next run takes for deleted artifacts.
    pub fn publish(mut self, stage: &Path) -> Result<()> {
        let old = self.path.with_extension("old");
        remove(&old)?;
        if let Some(parent) = stage.parent() {
            fs_err::create_dir_all(parent)?;
        }
        if stage.exists() {
            fs_err::rename(stage, &old)?;
        }
        fs_err::rename(&self.path, stage)?;
        self.published = true;
        remove(&old)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// Removes what a killed run left. A command of it that nobody remembers may just be ending, and
/// write into a folder while it is removed.
pub fn clear(folder: &Path) -> Result<()> {
    for _ in 0..20 {
        if remove(folder).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    remove(folder)
}

/// Removes a file or a folder with all it holds; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    let outcome = match fs_err::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(meta) if meta.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
    };
    Ok(outcome?)
}

/// A step's name as part of a path: `sidecar:analyzer` becomes `sidecar-analyzer`.
pub fn file_name(step: &str) -> String {
    step.replace(
        |it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '.',
        "-",
    )
}
