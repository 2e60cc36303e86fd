//! Who may write to a folder of state, such as a target's: one run at a time.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

/// Held until dropped; the operating system frees it when the process dies, however that is.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state folder, or says who has it.
    pub fn take(state: &Path, command: &str) -> Result<Self> {
        fs_err::create_dir_all(state)?;
        let path = state.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        let file = file.into_parts().0;
        // Beside the lock, because on Windows nobody else can read a locked file.
        let holder = state.join("lock.holder");
        match patiently(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs_err::read_to_string(&holder).unwrap_or_default();
                bail!(
                    "another run works on {}: {}\nhint: wait for it, or end that process",
                    state.display(),
                    if holder.is_empty() {
                        "its name is not known yet"
                    } else {
                        holder.trim()
                    },
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        let text = format!("process {}, `{command}`, since {now}\n", std::process::id());
        // On a full disk the lock holds all the same; but an older name must not stand for us.
        if super::files::write_atomically(&holder, text.as_bytes()).is_err() {
            fs_err::remove_file(&holder).ok();
        }
        Ok(Self { _file: file })
    }
}

/// Tries for a moment: a child of a killed run holds the lock, too, from its fork to its exec.
fn patiently(file: &File) -> std::result::Result<(), TryLockError> {
    let until = Instant::now() + Duration::from_millis(300);
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}
