//! The walk: the files below a folder that count.

use std::{
    ffi::OsStr,
    fs::{DirEntry, Metadata},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use sha2::{Digest, Sha256};

use crate::{
    cache::{Hash, StatCache, text_of},
    git::{GITIGNORE, Git, NEVER},
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

pub(crate) struct Filter {
    exclude: Gitignore,
    only: Gitignore,
    /// Whether `.gitignore` files and the names in [`NEVER`] count.
    git: bool,
}

impl Filter {
    /// Whether a file counts as far as the globs go.
    pub(crate) fn counts(&self, path: &Path) -> bool {
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
