//! What a session leaves on the disk besides records and stages.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Done, Session, Staging, artifact, files, lock, staging};

impl Session {
    /// Puts a copy of a step's files where people look for them, unless it is there already. The
    /// folder is replaced as a whole, or not at all.
    pub fn publish<T>(&self, done: &Done<T>, folder: &Path) -> Result<()> {
        if folder.is_dir() && artifact::damage(folder, &done.artifacts, &self.cache)?.is_none() {
            return Ok(());
        }
        let parent = folder.parent().context("a release folder has a parent")?;
        fs_err::create_dir_all(parent)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        // What a run that was killed here left; the lock is held, so nobody writes it.
        for entry in fs_err::read_dir(parent)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!(".{name}."))
            {
                staging::remove(&entry.path())?;
            }
        }
        let staging = Staging::create(parent, &format!(".{name}"))?;
        for artifact in &done.artifacts {
            let into = staging.file(&artifact.path)?;
            done.copy_to(&artifact.path, &into)?;
            let time = fs_err::metadata(done.path(&artifact.path))?.modified()?;
            fs_err::OpenOptions::new()
                .append(true)
                .open(&into)?
                .set_modified(time)?;
        }
        staging.publish(folder)
    }

    /// A durable note to the next runs, by name; only for what is as good unknown.
    pub fn memo(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.state.join(name)).ok()
    }

    /// Writes a note; a plan writes nothing.
    pub fn set_memo(&self, name: &str, text: &str) -> Result<()> {
        if self.plan {
            return Ok(());
        }
        files::write_atomically(&self.state.join(name), text.as_bytes())
    }

    /// Removes the file lists that no record refers to any more.
    pub(super) fn forget_lists(&self) {
        let journal = lock(&self.journal);
        let used: Vec<&String> = journal
            .records()
            .flat_map(|it| it.fingerprint.parts().values())
            .collect();
        let Ok(entries) = std::fs::read_dir(self.lists()) else {
            return;
        };
        for path in entries.flatten().map(|it| it.path()) {
            let digest = path.file_stem().unwrap_or_default().to_string_lossy();
            if !used.iter().any(|it| it.starts_with(&*digest)) {
                std::fs::remove_file(&path).ok();
            }
        }
    }
}
