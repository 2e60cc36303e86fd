//! The walk over source files, and the stat cache that spares reading them.
//!
//! A tree is all files below a folder that git does not ignore: `.gitignore` files and
//! `.git/info/exclude` count, a user's own global excludes do not, because a fingerprint must not
//! depend on who takes it. The walk is parallel, takes one stat a file and reads only what
//! changed: measured on 50,000 files, opening and hashing each costs ten times as much.
//!
//! The cache trusts an entry only if size, modification time, change time and inode are the same,
//! and it never stores a file that was modified in the same instant in which it was hashed (the
//! "racily clean" rule of git's index, see git's Documentation/technical/racy-git.adoc): such a
//! file may change again without any of the four moving.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    io::{Read, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Never a source, whatever `.gitignore` says.
const NEVER: [&str; 6] = [
    ".git",
    "node_modules",
    "target",
    "__pycache__",
    ".venv",
    ".DS_Store",
];
/// Clock ticks in which two modifications can look the same, nanoseconds: the kernel's tick is 1
/// to 10 ms; a file system that stores whole seconds (or two, FAT) shows itself by the missing
/// fraction.
const TICK: i64 = 20_000_000;
const COARSE_TICK: i64 = 2_000_000_000;

/// The hash of a file's content.
pub type Hash = [u8; 32];

/// What the operating system says of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    fn of(meta: &Metadata) -> Self {
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
    fn of(meta: &Metadata) -> Self {
        let nanos = |time: std::io::Result<SystemTime>| time.map_or(0, nanos_of);
        Self {
            size: meta.len(),
            modified: nanos(meta.modified()),
            changed: nanos(meta.created()),
            inode: 0,
            executable: false,
        }
    }

    /// Whether a content read at `now` can be told from any later one by its stat alone.
    fn is_settled(&self, now: i64) -> bool {
        let latest = self.modified.max(self.changed);
        let tick = if latest % 1_000_000_000 == 0 {
            COARSE_TICK
        } else {
            TICK
        };
        latest.saturating_add(tick) < now
    }
}

fn nanos_of(time: SystemTime) -> i64 {
    let nanos = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// Hashes by path and stat, kept in a file between runs.
pub struct StatCache {
    file: Option<PathBuf>,
    /// Sorted by path. Read-only during a run, so that walkers need no lock.
    known: Vec<Entry>,
    fresh: Mutex<BTreeMap<String, Entry>>,
    stale: AtomicBool,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    path: String,
    stat: Stat,
    hash: Hash,
}

impl StatCache {
    /// Reads the cache; a missing or damaged one is empty. With `rehash` nothing is trusted, and
    /// what is read anew is stored.
    pub fn open(file: PathBuf, rehash: bool) -> Self {
        let known = if rehash { None } else { Self::read(&file) };
        let stale = AtomicBool::new(rehash);
        Self {
            file: Some(file),
            known: known.unwrap_or_default(),
            fresh: Mutex::default(),
            stale,
        }
    }

    fn read(file: &Path) -> Option<Vec<Entry>> {
        let bytes = std::fs::read(file).ok()?;
        let (sum, body) = bytes.split_at_checked(32)?;
        // A flipped bit in here would be a false reuse.
        if Sha256::digest(body)[..] != *sum {
            return None;
        }
        postcard::from_bytes(body).ok()
    }

    /// Keeps what was learned. Failing is harmless: the next run hashes again.
    pub fn save(&self) {
        let (Some(file), true) = (&self.file, self.stale.load(Ordering::Relaxed)) else {
            return;
        };
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeMap<&str, &Entry> = self.known.iter().map(|it| (&*it.path, it)).collect();
        all.extend(fresh.values().map(|it| (&*it.path, it)));
        // What is gone from the disk would otherwise stay for ever.
        let all: Vec<&Entry> = all
            .into_values()
            .filter(|it| std::fs::symlink_metadata(&it.path).is_ok())
            .collect();
        let Ok(body) = postcard::to_stdvec(&all) else {
            return;
        };
        let mut bytes = Sha256::digest(&body).to_vec();
        bytes.extend(body);
        write_atomically(file, &bytes).ok();
    }

    /// The hash of a file's content, from the cache where that is safe. The path is absolute.
    pub fn hash(&self, path: &Path, meta: &Metadata) -> Result<(Stat, Hash)> {
        let stat = Stat::of(meta);
        let key = path.to_string_lossy();
        if let Some(hash) = self.lookup(&key, &stat) {
            return Ok((stat, hash));
        }
        let now = nanos_of(SystemTime::now());
        let hash = hash_file(path)?;
        self.stale.store(true, Ordering::Relaxed);
        if stat.is_settled(now) {
            let entry = Entry {
                path: key.to_string(),
                stat,
                hash,
            };
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.insert(entry.path.clone(), entry);
        }
        Ok((stat, hash))
    }

    fn lookup(&self, path: &str, stat: &Stat) -> Option<Hash> {
        let found = self.known.binary_search_by(|it| (*it.path).cmp(path));
        if let Ok(at) = found
            && self.known[at].stat == *stat
        {
            return Some(self.known[at].hash);
        }
        if !self.stale.load(Ordering::Relaxed) {
            return None;
        }
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh
            .get(path)
            .filter(|it| it.stat == *stat)
            .map(|it| it.hash)
    }
}

/// SHA-256 of a file, read in pieces.
pub fn hash_file(path: &Path) -> Result<Hash> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..n]);
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        })
}

/// Writes beside the file and renames over it, so that no reader ever sees a half.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, bytes, false)
}

/// The same, and synced before the rename: no reader sees a half after a power failure either.
pub fn write_durably(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, bytes, true)
}

fn replace(file: &Path, bytes: &[u8], sync: bool) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    new.write_all(bytes)
        .and_then(|()| {
            if sync {
                new.as_file().sync_data()
            } else {
                Ok(())
            }
        })
        .with_context(|| format!("cannot write {}", file.display()))?;
    new.persist(file)
        .with_context(|| format!("cannot replace {}", file.display()))?;
    Ok(())
}

/// A folder of sources. Serialized as part of a fingerprint's explanation.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Absolute; need not exist (then it is empty).
    pub root: PathBuf,
    /// Globs as in `.gitignore`, relative to `root`, of files that do not decide the output.
    pub exclude: Vec<String>,
    /// Globs of the only files that count; all if empty.
    pub only: Vec<String>,
}

/// A file that the walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Relative to the tree's root, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the content; of the target's text for a symbolic link.
    pub hash: Hash,
    /// Whether it may be executed.
    pub executable: bool,
    /// The target, if it is a symbolic link.
    pub link: Option<String>,
}

impl Tree {
    /// All of the folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            exclude: Vec::new(),
            only: Vec::new(),
        }
    }

    /// All files of the tree, sorted by path. `repository` is where `.gitignore` files begin.
    pub fn walk(&self, repository: &Path, cache: &StatCache) -> Result<Vec<Found>> {
        let rules = Rules::above(&self.root, repository);
        let mut exclude = GitignoreBuilder::new(&self.root);
        for glob in &self.exclude {
            exclude
                .add_line(None, glob)
                .with_context(|| format!("the pattern `{glob}`"))?;
        }
        let mut only = GitignoreBuilder::new(&self.root);
        for glob in &self.only {
            only.add_line(None, glob)
                .with_context(|| format!("the pattern `{glob}`"))?;
        }
        let filter = Filter {
            exclude: exclude.build()?,
            only: only.build()?,
            git: true,
        };
        Walker::run(&self.root, Some(rules), &filter, cache)
    }
}

/// All files below a folder, ignored or not: what a step left behind.
pub fn walk_all(root: &Path, cache: &StatCache) -> Result<Vec<Found>> {
    let filter = Filter {
        exclude: Gitignore::empty(),
        only: Gitignore::empty(),
        git: false,
    };
    Walker::run(root, None, &filter, cache)
}

struct Filter {
    exclude: Gitignore,
    only: Gitignore,
    /// Whether `.gitignore` files and the names in [`NEVER`] count.
    git: bool,
}

/// The `.gitignore` files that apply in a folder, innermost first.
#[derive(Clone)]
struct Rules(Arc<RulesIn>);

struct RulesIn {
    here: Gitignore,
    above: Option<Rules>,
}

impl Rules {
    /// The rules of all folders from the repository's root down to, but without, `root`.
    fn above(root: &Path, repository: &Path) -> Self {
        let mut builder = GitignoreBuilder::new(repository);
        builder.add(repository.join(".git/info/exclude"));
        let mut rules = Self::layer(&builder, None);
        let inside = root.strip_prefix(repository).unwrap_or(Path::new(""));
        let mut folder = repository.to_owned();
        for part in inside.components() {
            rules = rules.enter(&folder);
            folder.push(part);
        }
        rules
    }

    fn layer(builder: &GitignoreBuilder, above: Option<Self>) -> Self {
        let here = builder.build().unwrap_or_else(|_| Gitignore::empty());
        Self(Arc::new(RulesIn { here, above }))
    }

    /// The rules inside `folder`, with its own `.gitignore` if there is one.
    fn enter(&self, folder: &Path) -> Self {
        let file = folder.join(".gitignore");
        if !file.is_file() {
            return self.clone();
        }
        let mut builder = GitignoreBuilder::new(folder);
        // A pattern that cannot be read is skipped, as git does.
        builder.add(file);
        Self::layer(&builder, Some(self.clone()))
    }

    fn ignores(&self, path: &Path, is_dir: bool) -> bool {
        let mut rules = Some(self);
        while let Some(Rules(it)) = rules {
            if it.here.num_ignores() + it.here.num_whitelists() > 0 {
                let matched = it.here.matched(path, is_dir);
                if !matched.is_none() {
                    return matched.is_ignore();
                }
            }
            rules = it.above.as_ref();
        }
        false
    }
}

/// Folders still to be read, shared by the walker threads.
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

struct QueueState {
    folders: Vec<(PathBuf, Option<Rules>)>,
    busy: usize,
    failed: bool,
}

struct Walker<'a> {
    root: &'a Path,
    filter: &'a Filter,
    cache: &'a StatCache,
    queue: Queue,
}

impl Walker<'_> {
    fn run(
        root: &Path,
        rules: Option<Rules>,
        filter: &Filter,
        cache: &StatCache,
    ) -> Result<Vec<Found>> {
        if !root.is_dir() {
            return Ok(Vec::new());
        }
        let state = QueueState {
            folders: vec![(root.into(), rules)],
            busy: 0,
            failed: false,
        };
        let queue = Queue {
            state: Mutex::new(state),
            changed: Condvar::new(),
        };
        let walker = Walker {
            root,
            filter,
            cache,
            queue,
        };
        let threads = std::thread::available_parallelism().map_or(1, |it| it.get().min(8));
        let parts: Vec<Result<Vec<Found>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| walker.work()))
                .collect();
            workers
                .into_iter()
                .map(|it| it.join().expect("a walker does not panic"))
                .collect()
        });
        let mut found = Vec::new();
        for part in parts {
            found.extend(part?);
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn work(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        while let Some((folder, rules)) = self.next() {
            let outcome = self.read(&folder, rules.as_ref(), &mut found);
            let mut state = self
                .queue
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.busy -= 1;
            state.failed |= outcome.is_err();
            drop(state);
            self.queue.changed.notify_all();
            outcome?;
        }
        Ok(found)
    }

    /// The next folder; none when all is read or another thread failed.
    fn next(&self) -> Option<(PathBuf, Option<Rules>)> {
        let mut state = self
            .queue
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.failed {
                return None;
            }
            if let Some(folder) = state.folders.pop() {
                state.busy += 1;
                return Some(folder);
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .queue
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(&self, folder: &Path, rules: Option<&Rules>, found: &mut Vec<Found>) -> Result<()> {
        let rules = rules.map(|it| it.enter(folder));
        let mut folders = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if self.leaves_out(&entry.file_name(), &path, kind.is_dir(), rules.as_ref()) {
                continue;
            }
            if kind.is_dir() {
                folders.push((path, rules.clone()));
            } else if kind.is_symlink() {
                found.push(self.link(&path)?);
            } else if kind.is_file() {
                found.push(self.file(path)?);
            }
        }
        if !folders.is_empty() {
            let mut state = self
                .queue
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.folders.extend(folders);
            drop(state);
            self.queue.changed.notify_all();
        }
        Ok(())
    }

    fn leaves_out(
        &self,
        name: &std::ffi::OsStr,
        path: &Path,
        is_dir: bool,
        rules: Option<&Rules>,
    ) -> bool {
        if !self.filter.git {
            return false;
        }
        NEVER.iter().any(|it| name == *it)
            || rules.is_some_and(|it| it.ignores(path, is_dir))
            || self.filter.exclude.matched(path, is_dir).is_ignore()
            || (!is_dir
                && !self.filter.only.is_empty()
                && !self
                    .filter
                    .only
                    .matched_path_or_any_parents(path, false)
                    .is_ignore())
    }

    fn file(&self, path: PathBuf) -> Result<Found> {
        let meta = fs_err::symlink_metadata(&path)?;
        let (stat, hash) = self.cache.hash(&path, &meta)?;
        let path = self.relative(&path);
        Ok(Found {
            path,
            size: stat.size,
            hash,
            executable: stat.executable,
            link: None,
        })
    }

    fn link(&self, path: &Path) -> Result<Found> {
        let target = fs_err::read_link(path)?
            .to_string_lossy()
            .replace('\\', "/");
        let hash = Sha256::digest(target.as_bytes()).into();
        let path = self.relative(path);
        Ok(Found {
            path,
            size: 0,
            hash,
            executable: false,
            link: Some(target),
        })
    }

    fn relative(&self, path: &Path) -> String {
        let inside = path
            .strip_prefix(self.root)
            .unwrap_or(path)
            .to_string_lossy();
        if std::path::MAIN_SEPARATOR == '/' {
            inside.into()
        } else {
            inside.replace('\\', "/")
        }
    }
}

/// One hash over a whole tree: paths, contents, links and execute bits.
pub fn digest(files: &[Found]) -> Hash {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.path.as_bytes());
        hasher.update([0, u8::from(file.executable), u8::from(file.link.is_some())]);
        hasher.update(file.hash);
    }
    hasher.finalize().into()
}
