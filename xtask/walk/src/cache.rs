//! The stat cache: hashes by path and stat, and how files are hashed and written.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::Metadata,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};

use crate::{
    git::{Ask, Forced},
    sha256::{Hash, hash_file},
    walk::Found,
};

/// Clock ticks in which two modifications can look the same, nanoseconds: the kernel's tick is 1
/// to 10 ms; a file system that stores whole seconds (or two, FAT) shows itself by the missing
/// fraction.
const TICK: i64 = 20_000_000;
const COARSE_TICK: i64 = 2_000_000_000;

/// What the operating system says of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// Nanoseconds since 1970; creation time on Windows.
    pub changed: i64,
    /// 0 on Windows.
    pub inode: u64,
    /// Whether any execute bit is set; false on Windows.
    pub executable: bool,
}

impl Stat {
    #[cfg(unix)]
    pub(crate) fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
        Self {
            size: meta.len(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
            executable: meta.mode() & 0o111 != 0,
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(meta: &Metadata) -> Self {
        let nanos = |time: std::io::Result<SystemTime>| time.map_or(0, nanos_of);
        Self {
            size: meta.len(),
            modified: nanos(meta.modified()),
            changed: nanos(meta.created()),
            inode: 0,
            executable: false,
        }
    }

    pub(crate) fn found(self, path: String, hash: Hash) -> Found {
        Found {
            path,
            size: self.size,
            hash,
            executable: self.executable,
            link: None,
        }
    }

    /// Whether a content read at `now` can be told from any later one by its stat alone.
    pub(crate) fn is_settled(&self, now: i64) -> bool {
        let latest = self.modified.max(self.changed);
        let tick = if latest % 1_000_000_000 == 0 {
            COARSE_TICK
        } else {
            TICK
        };
        latest.saturating_add(tick) < now
    }
}

pub(crate) fn nanos_of(time: SystemTime) -> i64 {
    let nanos = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// Hashes by path and stat, kept in a file between runs.
pub struct StatCache {
    file: Option<PathBuf>,
    pub(crate) ask: Ask,
    /// Read-only during a run, so that walkers need no lock.
    known: Known,
    fresh: Mutex<Fresh>,
    stale: AtomicBool,
}

/// What the file holds. By folder: a walker looks up a folder once, and then only names.
#[derive(Default)]
pub(crate) struct Known {
    /// Sorted by absolute path; the entries by name.
    pub(crate) folders: Vec<(String, Vec<Entry>)>,
    /// By absolute path of a tree's root.
    pub(crate) forced: BTreeMap<String, Forced>,
}

#[derive(Default)]
struct Fresh {
    folders: BTreeMap<String, BTreeMap<String, Entry>>,
    forced: BTreeMap<String, Forced>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) stat: Stat,
    pub(crate) hash: Hash,
}

impl StatCache {
    /// Reads the cache; a missing or damaged one is empty. With `rehash` nothing is trusted, and
    /// what is read anew is stored. `ask` runs git, which is asked only when its index changed.
    pub fn open(file: PathBuf, rehash: bool, ask: Ask) -> Self {
        let known = if rehash { None } else { Self::read(&file) };
        let stale = AtomicBool::new(rehash);
        Self {
            file: Some(file),
            ask,
            known: known.unwrap_or_default(),
            fresh: Mutex::default(),
            stale,
        }
    }

    fn read(file: &Path) -> Option<Known> {
        let bytes = std::fs::read(file).ok()?;
        let (sum, body) = bytes.split_at_checked(32)?;
        // A flipped bit in here would be a false reuse.
        if Sha256::digest(body)[..] != *sum {
            return None;
        }
        borsh::from_slice(body).ok()
    }

    /// Keeps what was learned. Failing is harmless: the next run hashes again.
    pub fn save(&self) {
        let (Some(file), true) = (&self.file, self.stale.load(Ordering::Relaxed)) else {
            return;
        };
        let Ok(body) = borsh::to_vec(&self.merged()) else {
            return;
        };
        let mut bytes = Sha256::digest(&body).to_vec();
        bytes.extend(body);
        write_atomically(file, &bytes).ok();
    }

    fn merged(&self) -> Known {
        let fresh = self.fresh();
        let mut folders = fresh.folders.clone();
        for (folder, entries) in &self.known.folders {
            let merged = folders.entry(folder.clone()).or_default();
            for entry in entries {
                // What is gone from the disk would otherwise stay for ever.
                if !merged.contains_key(&entry.name)
                    && Path::new(folder)
                        .join(&entry.name)
                        .symlink_metadata()
                        .is_ok()
                {
                    merged.insert(entry.name.clone(), entry.clone());
                }
            }
        }
        let mut forced = self.known.forced.clone();
        forced.extend(fresh.forced.clone());
        let folders = folders
            .into_iter()
            .filter(|(_, entries)| !entries.is_empty());
        Known {
            folders: folders
                .map(|(folder, entries)| (folder, entries.into_values().collect()))
                .collect(),
            forced,
        }
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the tracked files of the tree at `root`, if it still fits.
    pub(crate) fn forced(&self, root: &str, fits: impl Fn(&&Forced) -> bool) -> Option<Forced> {
        let known = self.known.forced.get(root).filter(&fits).cloned();
        known.or_else(|| self.fresh().forced.get(root).filter(&fits).cloned())
    }

    pub(crate) fn keep_forced(&self, root: String, forced: Forced) {
        self.fresh().forced.insert(root, forced);
        self.stale.store(true, Ordering::Relaxed);
    }

    /// The hash of a file's content, from the cache where that is safe. The path is absolute.
    pub fn hash(&self, path: &Path, meta: &Metadata) -> Result<(Stat, Hash)> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = text_of(path.file_name().unwrap_or_default());
        self.folder(folder).hash(&name, meta, || path.to_owned())
    }

    /// What is known of a folder's files.
    pub(crate) fn folder(&self, folder: &Path) -> Folder<'_> {
        let path = text_of(folder.as_os_str());
        let found = self
            .known
            .folders
            .binary_search_by(|(it, _)| (**it).cmp(&*path));
        let entries = found.map_or(&[][..], |at| &self.known.folders[at].1);
        Folder {
            cache: self,
            path,
            entries,
        }
    }
}

/// The part of the cache on one folder.
pub(crate) struct Folder<'c> {
    cache: &'c StatCache,
    path: String,
    entries: &'c [Entry],
}

impl Folder<'_> {
    pub(crate) fn hash(
        &self,
        name: &str,
        meta: &Metadata,
        path: impl FnOnce() -> PathBuf,
    ) -> Result<(Stat, Hash)> {
        let stat = Stat::of(meta);
        if let Some(hash) = self.lookup(name, &stat) {
            return Ok((stat, hash));
        }
        let now = nanos_of(SystemTime::now());
        let hash = hash_file(&path())?;
        if stat.is_settled(now) {
            let name = name.to_owned();
            let mut fresh = self.cache.fresh();
            let folder = fresh.folders.entry(self.path.clone()).or_default();
            folder.insert(name.clone(), Entry { name, stat, hash });
            self.cache.stale.store(true, Ordering::Relaxed);
        }
        Ok((stat, hash))
    }

    fn lookup(&self, name: &str, stat: &Stat) -> Option<Hash> {
        let found = self.entries.binary_search_by(|it| (*it.name).cmp(name));
        if let Ok(at) = found
            && self.entries[at].stat == *stat
        {
            return Some(self.entries[at].hash);
        }
        if !self.cache.stale.load(Ordering::Relaxed) {
            return None;
        }
        let fresh = self.cache.fresh();
        let entry = fresh.folders.get(&self.path)?.get(name)?;
        (entry.stat == *stat).then_some(entry.hash)
    }
}

/// Text for a name, also for one that is no UTF-8, and different for different names.
pub(crate) fn text_of(name: &OsStr) -> String {
    use std::fmt::Write as _;
    if let Some(text) = name.to_str() {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text += chunk.valid();
        for byte in chunk.invalid() {
            write!(text, "\u{FFFD}{byte:02x}").ok();
        }
    }
    text
}

/// Writes beside the file and renames over it, so that no reader ever sees a half.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, bytes, false)
}

/// The same, and synced before the rename: no reader sees a half after a power failure either.
pub fn write_durably(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, bytes, true)
}

/// On Windows a file that somebody reads, such as a scanner or another run, cannot be replaced at once: it
/// is tried for a second.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    let tries = if cfg!(windows) { 50 } else { 1 };
    let mut outcome = std::fs::rename(from, to);
    for _ in 1..tries {
        // ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION of winerror.h.
        let held = |it: &std::io::Error| matches!(it.raw_os_error(), Some(5 | 32 | 33));
        if !outcome.as_ref().is_err_and(held) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        outcome = std::fs::rename(from, to);
    }
    outcome
}

fn replace(file: &Path, bytes: &[u8], sync: bool) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    // Another run may write the same file at the same moment.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}-{count}.new", std::process::id()));
    let written = std::fs::File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        if sync { file.sync_data() } else { Ok(()) }
    });
    let replaced = written
        .with_context(|| format!("cannot write {}", file.display()))
        .and_then(|()| {
            rename(&new, file).with_context(|| format!("cannot replace {}", file.display()))
        });
    if replaced.is_err() {
        std::fs::remove_file(&new).ok();
    }
    replaced
}
