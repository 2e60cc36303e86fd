//! What lies in the folder, and its hashes.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use fs_err as fs;

/// Something that is no folder.
pub(super) enum Found {
    /// A regular file.
    File,
    /// What it is instead: never opened, never followed.
    Other(&'static str),
}

/// All that is in the folder and below it, by path with `/`. Links are not followed.
pub(super) fn walk(folder: &Path) -> Result<BTreeMap<String, Found>> {
    let mut found = BTreeMap::new();
    walk_into(folder, "", &mut found)?;
    Ok(found)
}

fn walk_into(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Found>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = fs::symlink_metadata(entry.path())?;
        if meta.is_dir() {
            walk_into(&entry.path(), &format!("{path}/"), found)?;
        } else if meta.is_file() {
            found.insert(path, Found::File);
        } else {
            let what = if meta.is_symlink() {
                "symbolic link"
            } else {
                "special file"
            };
            found.insert(path, Found::Other(what));
        }
    }
    Ok(())
}

/// `work` on each item, on as many threads as the machine has; results in the order of the items.
pub(super) fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(item) = items.get(at)
                {
                    let result = work(item);
                    results.lock().expect("no thread panics").insert(at, result);
                }
            });
        }
    });
    results
        .into_inner()
        .expect("no thread panics")
        .into_values()
        .collect()
}
