//! The walk: the files below a folder that count.

use std::{
    ffi::OsStr,
    fs::{DirEntry, Metadata},
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};

use crate::{
    cache::{StatCache, text_of},
    git::{GITIGNORE, Git, NEVER},
    rules::{Globs, Place, Rules, prefix},
    sha256::Hash,
};

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
        let top = if self.root.starts_with(top) {
            top
        } else {
            &self.root
        };
        let rules = Rules::above(&self.root, top, git.as_ref());
        let filter = Filter {
            exclude: Globs::new(&self.exclude),
            only: Globs::new(&self.only),
            git: !self.ignored,
        };
        let rules = (!self.ignored).then_some(rules);
        let mut found = Walker::run(&self.root, top, rules, &filter, cache)?;
        if let (Some(git), false) = (git, self.ignored) {
            git.add_forced(&self.root, &filter, cache, &mut found)?;
        }
        Ok(found)
    }
}

/// All files below a folder, ignored or not: what a step left behind.
pub fn walk_all(root: &Path, cache: &StatCache) -> Result<Vec<Found>> {
    let filter = Filter {
        exclude: Globs::default(),
        only: Globs::default(),
        git: false,
    };
    Walker::run(root, root, None, &filter, cache)
}

pub(crate) struct Filter {
    exclude: Globs,
    only: Globs,
    /// Whether `.gitignore` files and the names in [`NEVER`] count.
    git: bool,
}

impl Filter {
    /// Whether a file counts as far as the globs go. The path is relative to the tree's root.
    pub(crate) fn counts(&self, path: &[u8]) -> bool {
        let file = Place {
            path,
            is_dir: false,
        };
        !self.exclude.match_within(file) && (self.only.is_empty() || self.only.match_within(file))
    }
}

/// Files that one thread reads before it calls others: starting a thread takes as long as that,
/// and the folder of a step's output has fewer.
const ALONE: usize = 50;

/// How many threads walk; asked once, because asking reads the control group's files.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, |it| it.get().min(8)))
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
    /// Where the patterns of git begin: the root, or above it.
    top: &'a Path,
    /// How much longer the paths are that git's patterns see than those that the globs see.
    lead: usize,
    filter: &'a Filter,
    cache: &'a StatCache,
    queue: Queue,
}

impl Walker<'_> {
    fn run(
        root: &Path,
        top: &Path,
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
            top,
            lead: prefix(top, root).len(),
            filter,
            cache,
            queue,
        };
        let mut found = walker.work(ALONE)?;
        if !walker.queue.state().folders.is_empty() {
            for part in walker.side_by_side() {
                found.extend(part?);
            }
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Reads what is left with as many threads as there are processors; this one is the first.
    fn side_by_side(&self) -> Vec<Result<Vec<Found>>> {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..processors())
                .map(|_| scope.spawn(|| self.work(usize::MAX)))
                .collect();
            let mut parts = vec![self.work(usize::MAX)];
            let others = others.into_iter().map(|it| it.join());
            parts.extend(others.map(|it| it.expect("a walker does not panic")));
            parts
        })
    }

    /// Reads folders until none is left or so many files were found.
    fn work(&self, enough: usize) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        while found.len() < enough
            && let Some((folder, rules)) = self.next()
        {
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
            Some(rules) if has_rules() => Some(rules.enter(self.top, folder)),
            other => other.cloned(),
        };
        let rules = rules.filter(Rules::any);
        let (mut folders, mut inside) = (Vec::new(), self.inside(folder));
        let (cache, start) = (self.cache.folder(folder), inside.len());
        let mut path = prefix(self.top, folder);
        let path_start = path.len();
        for entry in entries {
            let (kind, name) = (entry.file_type()?, entry.file_name());
            path.truncate(path_start);
            path.extend(name.as_encoded_bytes());
            if self.leaves_out(&name, &path, kind.is_dir(), rules.as_ref()) {
                continue;
            }
            if kind.is_dir() {
                folders.push((folder.join(name), rules.clone()));
                continue;
            }
            let text = text_of(&name);
            inside.truncate(start);
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

    fn leaves_out(&self, name: &OsStr, path: &[u8], is_dir: bool, rules: Option<&Rules>) -> bool {
        let filter = self.filter;
        if !filter.git {
            return false;
        }
        if NEVER.iter().any(|it| name == *it) {
            return true;
        }
        let place = Place { path, is_dir };
        if rules.is_some_and(|it| it.ignores(place)) {
            return true;
        }
        let path = &path[self.lead..];
        let place = Place { path, is_dir };
        filter.exclude.matches(place) || (!is_dir && !filter.counts(path))
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

pub(crate) fn found_at(
    file: &Path,
    path: String,
    meta: &Metadata,
    cache: &StatCache,
) -> Result<Found> {
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
