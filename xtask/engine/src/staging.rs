//! The folder that a running step writes into, until its output takes the old one's place.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

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
            replace(stage, &old)?;
        }
        replace(&self.path, stage)?;
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
        if remove_now(folder).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    remove(folder)
}

/// How long a file may be held by others, on Windows.
const HELD: Duration = Duration::from_secs(2);

/// Removes a file or a folder with all it holds; nothing there is fine. On Windows a program that has
/// just ended, or that a scanner looks into, cannot be removed at once: it is tried for two seconds.
pub fn remove(path: &Path) -> Result<()> {
    let patience = if cfg!(windows) { HELD } else { Duration::ZERO };
    let outcome = patiently(patience, || remove_now(path));
    outcome.with_context(|| format!("cannot remove {}", path.display()))
}

/// Gives a file or a folder the place of another. On Windows a scanner that looks into either keeps it from that for a
/// moment: it is tried for two seconds.
///
/// # Errors
/// The disk's.
pub fn replace(from: &Path, to: &Path) -> Result<()> {
    let patience = if cfg!(windows) { HELD } else { Duration::ZERO };
    let outcome = patiently(patience, || std::fs::rename(from, to));
    outcome.with_context(|| format!("cannot replace {}", to.display()))
}

/// Does it again while somebody else has a file open, for so long.
fn patiently(
    patience: Duration,
    mut work: impl FnMut() -> std::io::Result<()>,
) -> std::io::Result<()> {
    let until = Instant::now() + patience;
    loop {
        match work() {
            Err(error) if is_held(&error) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            outcome => return outcome,
        }
    }
}

/// Not by way of `fs_err`, whose errors do not tell the system's own number.
fn remove_now(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    }
}

/// Whether somebody else has a file open.
fn is_held(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{DirectoryNotEmpty, PermissionDenied, ResourceBusy};
    // Windows' ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, for a file that is open. A program
    // that still runs is ERROR_ACCESS_DENIED, and a folder stays full until all of it is gone.
    let violation = matches!(error.raw_os_error(), Some(32 | 33));
    let kinds = [PermissionDenied, ResourceBusy, DirectoryNotEmpty];
    violation || kinds.contains(&error.kind())
}

/// A step's name as part of a path: `sidecar:analyzer` becomes `sidecar-analyzer`.
pub fn file_name(step: &str) -> String {
    step.replace(
        |it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '.',
        "-",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody holds a file here but on Windows; the numbers are those of its `winerror.h`.
    #[test]
    fn what_is_worth_another_try() {
        let check = |error: std::io::Error, expected| {
            assert_eq!(is_held(&error), expected, "{error:?}");
        };
        check(std::io::Error::from_raw_os_error(32), true);
        check(std::io::ErrorKind::PermissionDenied.into(), true);
        check(std::io::ErrorKind::StorageFull.into(), false);
        check(std::io::ErrorKind::NotADirectory.into(), false);
    }

    #[test]
    fn what_is_held_is_tried_again() {
        use std::io::ErrorKind::{PermissionDenied, StorageFull};
        let check = |patience, kind: std::io::ErrorKind, tries: usize, works: bool| {
            let mut tried = 0;
            let outcome = patiently(Duration::from_secs(patience), || {
                tried += 1;
                if tried < 3 { Err(kind.into()) } else { Ok(()) }
            });
            assert_eq!((tried, outcome.is_ok()), (tries, works), "{kind:?}");
        };
        check(60, PermissionDenied, 3, true);
        // Not for ever, and not for what stays as it is.
        check(0, PermissionDenied, 1, false);
        check(60, StorageFull, 1, false);
    }

    #[test]
    fn removes_whatever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/b");
        remove(&inside).unwrap();
        fs_err::create_dir_all(&inside).unwrap();
        fs_err::write(inside.join("c"), "").unwrap();
        remove(&inside.join("c")).unwrap();
        assert!(inside.is_dir());
        remove(&folder.path().join("a")).unwrap();
        assert!(!folder.path().join("a").exists());
    }
}
