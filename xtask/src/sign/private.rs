//! Files with secrets in them, for tools that read a secret from nowhere else. They lie in a folder
//! that only this user may enter, and are gone when the work is done; what a killed run left behind,
//! the next run removes.

mod acl;

use std::{
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::engine::processes;

/// Its name in the state folder.
const FOLDER: &str = "private";

/// A folder of this process. It and all in it are removed when this is dropped.
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
        static MADE: AtomicU32 = AtomicU32::new(0);
        sweep(state)?;
        let all = state.join(FOLDER);
        fs::create_dir_all(&all)?;
        loop {
            // Several parts of a run may have one at a time; a process of the same id may have left
            // one long ago.
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let path = all.join(format!("{}-{number}", std::process::id()));
            match create_folder(&path) {
                Ok(()) => return Self::restricted(path),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).with_context(|| format!("cannot make {}", path.display())),
            }
        }
    }

    /// Goes again, if it cannot be kept from others.
    fn restricted(path: PathBuf) -> Result<Self> {
        let private = Self { path };
        #[cfg(windows)]
        acl::only_for_this_user(&private.path)
            .with_context(|| format!("{} would hold secrets", private.path.display()))?;
        Ok(private)
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
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().mode(0o700).create(path)
    }
    #[cfg(not(unix))]
    std::fs::create_dir(path)
}

/// Removes the folders of processes that are gone. Every run begins with it: secrets must not lie
/// about until the next signature.
///
/// # Errors
/// The disk's.
pub fn sweep(state: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(state.join(FOLDER)) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pid = name.split('-').next().and_then(|it| it.parse::<u32>().ok());
        if pid.is_none_or(|it| !processes::is_alive(it)) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn nobody_else_can_read_it_and_nothing_stays() {
        let state = tempfile::tempdir().unwrap();
        let (one, two) = (Private::new(state.path()), Private::new(state.path()));
        let (one, two) = (one.unwrap(), two.unwrap());
        let file = one.file("pin", b"1234").unwrap();
        assert_eq!((mode(one.path()), mode(&file)), (0o700, 0o600));
        assert!(one.file("pin", b"1234").is_err(), "never over another");
        drop(two);
        assert_eq!(
            fs::read(&file).unwrap(),
            b"1234",
            "the other one is its own"
        );
        drop(one);
        let left = fs::read_dir(state.path().join(FOLDER)).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn what_a_killed_run_left_goes() {
        let state = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let own = state
            .path()
            .join(format!("private/{}-0", std::process::id()));
        let gone = state.path().join(format!("private/{}-0", child.id()));
        for folder in [&own, &gone] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("pin"), "1234").unwrap();
        }
        sweep(state.path()).unwrap();
        assert_eq!((own.exists(), gone.exists()), (true, false));
    }
}
