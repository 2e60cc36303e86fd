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
    ffi::OsStr,
    fs::{DirEntry, Metadata},
    io::{Read, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const GITIGNORE: &str = ".gitignore";
/// Never a source, whatever `.gitignore` says, unless git tracks it.
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

    fn found(self, path: String, hash: Hash) -> Found {
        Found {
            path,
            size: self.size,
            hash,
            executable: self.executable,
            link: None,
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

/// Asks a program; gives whether it ended well, and what it printed.
pub type Ask = fn(Command) -> Result<(bool, String)>;

/// Hashes by path and stat, kept in a file between runs.
pub struct StatCache {
    file: Option<PathBuf>,
    ask: Ask,
    /// Read-only during a run, so that walkers need no lock.
    known: Known,
    fresh: Mutex<Fresh>,
    stale: AtomicBool,
}

/// What the file holds. By folder: a walker looks up a folder once, and then only names.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    /// Sorted by absolute path; the entries by name.
    folders: Vec<(String, Vec<Entry>)>,
    /// By absolute path of a tree's root.
    forced: BTreeMap<String, Forced>,
}

#[derive(Default)]
struct Fresh {
    folders: BTreeMap<String, BTreeMap<String, Entry>>,
    forced: BTreeMap<String, Forced>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    name: String,
    stat: Stat,
    hash: Hash,
}

/// The files of a tree that git tracks although it ignores them, while the index and the rules
/// are as they were.
#[derive(Clone, Serialize, Deserialize)]
struct Forced {
    index: Stat,
    rules: Hash,
    paths: Vec<String>,
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
        postcard::from_bytes(body).ok()
    }

    /// Keeps what was learned. Failing is harmless: the next run hashes again.
    pub fn save(&self) {
        let (Some(file), true) = (&self.file, self.stale.load(Ordering::Relaxed)) else {
            return;
        };
        let Ok(body) = postcard::to_stdvec(&self.merged()) else {
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

    /// The hash of a file's content, from the cache where that is safe. The path is absolute.
    pub fn hash(&self, path: &Path, meta: &Metadata) -> Result<(Stat, Hash)> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = text_of(path.file_name().unwrap_or_default());
        self.folder(folder).hash(&name, meta, || path.to_owned())
    }

    /// What is known of a folder's files.
    fn folder(&self, folder: &Path) -> Folder<'_> {
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
struct Folder<'c> {
    cache: &'c StatCache,
    path: String,
    entries: &'c [Entry],
}

impl Folder<'_> {
    fn hash(
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
fn text_of(name: &OsStr) -> String {
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
    /// Whether files that git ignores count as well.
    pub ignored: bool,
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
            ignored: false,
        }
    }

    /// All files of the tree, sorted by path. `repository` is where `.gitignore` files begin.
    pub fn walk(&self, repository: &Path, cache: &StatCache) -> Result<Vec<Found>> {
        let git = Git::of(&self.root);
        let top = git.as_ref().map_or(repository, |it| it.top);
        let rules = Rules::above(&self.root, top, git.as_ref());
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
            git: !self.ignored,
        };
        let rules = (!self.ignored).then_some(rules);
        let mut found = Walker::run(&self.root, rules, &filter, cache)?;
        if let (Some(git), false) = (git, self.ignored) {
            git.add_forced(&self.root, &filter, cache, &mut found)?;
        }
        Ok(found)
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

/// The git repository that a tree lies in.
struct Git<'t> {
    top: &'t Path,
    /// `.git`, or what it points to in a worktree or a submodule.
    folder: PathBuf,
}

impl<'t> Git<'t> {
    fn of(root: &'t Path) -> Option<Self> {
        let top = root.ancestors().find(|it| it.join(".git").exists())?;
        let folder = top.join(".git");
        let folder = match std::fs::read_to_string(&folder) {
            Ok(text) => top.join(text.strip_prefix("gitdir:")?.trim()),
            Err(_) => folder,
        };
        Some(Self { top, folder })
    }

    /// A worktree shares it with its repository.
    fn exclude(&self) -> PathBuf {
        let common = std::fs::read_to_string(self.folder.join("commondir"));
        let common = common.map_or_else(|_| self.folder.clone(), |it| self.folder.join(it.trim()));
        common.join("info/exclude")
    }

    /// Adds the files that git tracks although it ignores them, or though their folder has a name
    /// that the walk leaves out: a change to them must not go unnoticed.
    fn add_forced(
        &self,
        root: &Path,
        filter: &Filter,
        cache: &StatCache,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let Ok(index) = std::fs::metadata(self.folder.join("index")) else {
            return Ok(());
        };
        let (index, now) = (Stat::of(&index), nanos_of(SystemTime::now()));
        let rules = self.rules(root, found, cache)?;
        let key = text_of(root.as_os_str());
        let fits = |it: &&Forced| it.index == index && it.rules == rules;
        let known = cache.known.forced.get(&key).filter(fits).cloned();
        let known = known.or_else(|| cache.fresh().forced.get(&key).filter(fits).cloned());
        let paths = match known {
            Some(known) => known.paths,
            None => {
                let paths = self.ask(root, cache.ask)?;
                if index.is_settled(now) {
                    let forced = Forced {
                        index,
                        rules,
                        paths: paths.clone(),
                    };
                    cache.fresh().forced.insert(key, forced);
                    cache.stale.store(true, Ordering::Relaxed);
                }
                paths
            }
        };
        for path in paths {
            let Err(at) = found.binary_search_by(|it| it.path.cmp(&path)) else {
                continue;
            };
            let file = root.join(&path);
            // What is tracked may be deleted, or a submodule's folder.
            let Ok(meta) = file.symlink_metadata() else {
                continue;
            };
            if filter.counts(&file) && !meta.is_dir() {
                found.insert(at, found_at(&file, path, &meta, cache)?);
            }
        }
        Ok(())
    }

    /// One hash over all that says what is ignored in the tree.
    fn rules(&self, root: &Path, found: &[Found], cache: &StatCache) -> Result<Hash> {
        let mut hasher = Sha256::new();
        let inside = |it: &&Found| it.path.rsplit('/').next() == Some(GITIGNORE);
        for file in found.iter().filter(inside) {
            hasher.update(&file.path);
            hasher.update(file.hash);
        }
        let above = root
            .ancestors()
            .skip(1)
            .take_while(|it| it.starts_with(self.top));
        let above = above.map(|it| it.join(GITIGNORE)).chain([self.exclude()]);
        for file in above {
            hasher.update([0]);
            if let Ok(meta) = std::fs::metadata(&file) {
                hasher.update(cache.hash(&file, &meta)?.1);
            }
        }
        Ok(hasher.finalize().into())
    }

    fn ask(&self, root: &Path, ask: Ask) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.current_dir(root)
            .args(["ls-files", "-z", "--cached", "--ignored"]);
        git.args(NEVER.iter().flat_map(|it| ["--exclude", it]));
        git.args(["--exclude-per-directory", GITIGNORE]);
        let exclude = self.exclude();
        if exclude.is_file() {
            git.arg("--exclude-from").arg(exclude);
        }
        // A git hook sets them, for a repository that need not be this one.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            git.env_remove(name);
        }
        let (ok, text) = ask(git)?;
        anyhow::ensure!(
            ok,
            "git cannot say which ignored files of {} it tracks: {}",
            root.display(),
            text.trim()
        );
        Ok(text.split_terminator('\0').map(str::to_owned).collect())
    }
}

struct Filter {
    exclude: Gitignore,
    only: Gitignore,
    /// Whether `.gitignore` files and the names in [`NEVER`] count.
    git: bool,
}

impl Filter {
    /// Whether a file counts as far as the globs go.
    fn counts(&self, path: &Path) -> bool {
        let matches = |globs: &Gitignore| {
            !globs.is_empty() && globs.matched_path_or_any_parents(path, false).is_ignore()
        };
        !matches(&self.exclude) && (self.only.is_empty() || matches(&self.only))
    }
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
    fn above(root: &Path, repository: &Path, git: Option<&Git>) -> Self {
        let mut builder = GitignoreBuilder::new(repository);
        if let Some(git) = git {
            builder.add(git.exclude());
        }
        let mut rules = Self::layer(&builder, None);
        let inside = root.strip_prefix(repository).unwrap_or(Path::new(""));
        let mut folder = repository.to_owned();
        for part in inside.components() {
            if folder.join(GITIGNORE).is_file() {
                rules = rules.enter(&folder);
            }
            folder.push(part);
        }
        rules
    }

    fn layer(builder: &GitignoreBuilder, above: Option<Self>) -> Self {
        let here = builder.build().unwrap_or_else(|_| Gitignore::empty());
        Self(Arc::new(RulesIn { here, above }))
    }

    /// The rules inside `folder`, which has a `.gitignore`.
    fn enter(&self, folder: &Path) -> Self {
        let mut builder = GitignoreBuilder::new(folder);
        // A pattern that cannot be read is skipped, as git does.
        builder.add(folder.join(GITIGNORE));
        Self::layer(&builder, Some(self.clone()))
    }

    /// Whether there is any rule: most paths need not be put together then.
    fn any(&self) -> bool {
        !self.0.here.is_empty() || self.0.above.as_ref().is_some_and(Self::any)
    }

    fn ignores(&self, path: &Path, is_dir: bool) -> bool {
        let mut rules = Some(self);
        while let Some(Rules(it)) = rules {
            if !it.here.is_empty() {
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

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            let mut state = self.queue.state();
            state.busy -= 1;
            state.failed |= outcome.is_err();
            // Else nobody waits in vain: who adds folders wakes the others.
            let over = state.failed || (state.busy == 0 && state.folders.is_empty());
            drop(state);
            if over {
                self.queue.changed.notify_all();
            }
            outcome?;
        }
        Ok(found)
    }

    /// The next folder; none when all is read or another thread failed.
    fn next(&self) -> Option<(PathBuf, Option<Rules>)> {
        let mut state = self.queue.state();
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
        let cannot = || format!("cannot read the folder {}", folder.display());
        let entries: Vec<DirEntry> = std::fs::read_dir(folder)
            .and_then(Iterator::collect)
            .with_context(cannot)?;
        let has_rules = || entries.iter().any(|it| it.file_name() == GITIGNORE);
        let rules = match rules {
            Some(rules) if has_rules() => Some(rules.enter(folder)),
            other => other.cloned(),
        };
        let rules = rules.filter(Rules::any);
        let (mut folders, mut inside) = (Vec::new(), self.inside(folder));
        let (cache, prefix) = (self.cache.folder(folder), inside.len());
        for entry in entries {
            let (kind, name) = (entry.file_type()?, entry.file_name());
            if self.leaves_out(folder, &name, kind.is_dir(), rules.as_ref()) {
                continue;
            }
            if kind.is_dir() {
                folders.push((folder.join(name), rules.clone()));
                continue;
            }
            let text = text_of(&name);
            inside.truncate(prefix);
            inside += &text;
            if kind.is_symlink() {
                found.push(link_at(&folder.join(name), inside.clone())?);
            } else if kind.is_file() {
                // By the folder's descriptor: the kernel need not look up the path again.
                let meta = entry
                    .metadata()
                    .with_context(|| format!("cannot read {inside}"))?;
                let (stat, hash) = cache.hash(&text, &meta, || folder.join(&name))?;
                found.push(stat.found(inside.clone(), hash));
            }
        }
        if !folders.is_empty() {
            self.queue.state().folders.extend(folders);
            self.queue.changed.notify_all();
        }
        Ok(())
    }

    fn leaves_out(&self, folder: &Path, name: &OsStr, is_dir: bool, rules: Option<&Rules>) -> bool {
        let filter = self.filter;
        if !filter.git {
            return false;
        }
        if NEVER.iter().any(|it| name == *it) {
            return true;
        }
        if rules.is_none() && filter.exclude.is_empty() && filter.only.is_empty() {
            return false;
        }
        let path = folder.join(name);
        rules.is_some_and(|it| it.ignores(&path, is_dir))
            || filter.exclude.matched(&path, is_dir).is_ignore()
            || (!is_dir && !filter.counts(&path))
    }

    /// What comes before the names of a folder's files: nothing, or ends in `/`.
    fn inside(&self, folder: &Path) -> String {
        let inside = folder.strip_prefix(self.root).unwrap_or(folder);
        let mut text = text_of(inside.as_os_str());
        if std::path::MAIN_SEPARATOR != '/' {
            text = text.replace(std::path::MAIN_SEPARATOR, "/");
        }
        if !text.is_empty() {
            text.push('/');
        }
        text
    }
}

fn found_at(file: &Path, path: String, meta: &Metadata, cache: &StatCache) -> Result<Found> {
    if meta.is_symlink() {
        return link_at(file, path);
    }
    let (stat, hash) = cache.hash(file, meta)?;
    Ok(stat.found(path, hash))
}

fn link_at(file: &Path, path: String) -> Result<Found> {
    let target = text_of(fs_err::read_link(file)?.as_os_str()).replace('\\', "/");
    let hash = Sha256::digest(target.as_bytes()).into();
    Ok(Found {
        path,
        size: 0,
        hash,
        executable: false,
        link: Some(target),
    })
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
