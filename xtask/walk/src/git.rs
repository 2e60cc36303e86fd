//! What git says of a tree: what it ignores, and what it tracks all the same.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::{
    cache::{Stat, StatCache, nanos_of, text_of},
    sha256::Hash,
    walk::{Filter, Found, found_at},
};

pub(crate) const GITIGNORE: &str = ".gitignore";
/// Never a source, whatever `.gitignore` says, unless git tracks it.
pub(crate) const NEVER: [&str; 6] = [
    ".git",
    "node_modules",
    "target",
    "__pycache__",
    ".venv",
    ".DS_Store",
];

/// Asks a program; gives whether it ended well, and what it printed.
pub type Ask = fn(Command) -> Result<(bool, String)>;

/// The files of a tree that git tracks although it ignores them, while the index and the rules
/// are as they were.
#[derive(Clone)]
pub(crate) struct Forced {
    pub(crate) index: Stat,
    pub(crate) rules: Hash,
    pub(crate) paths: Vec<String>,
}

/// The git repository that a tree lies in.
pub(crate) struct Git<'t> {
    pub(crate) top: &'t Path,
    /// `.git`, or what it points to in a worktree or a submodule.
    folder: PathBuf,
}

impl<'t> Git<'t> {
    pub(crate) fn of(root: &'t Path) -> Option<Self> {
        let top = root.ancestors().find(|it| it.join(".git").exists())?;
        let folder = top.join(".git");
        let folder = match std::fs::read_to_string(&folder) {
            Ok(text) => top.join(text.strip_prefix("gitdir:")?.trim()),
            Err(_) => folder,
        };
        Some(Self { top, folder })
    }

    /// A worktree shares it with its repository.
    pub(crate) fn exclude(&self) -> PathBuf {
        let common = std::fs::read_to_string(self.folder.join("commondir"));
        let common = common.map_or_else(|_| self.folder.clone(), |it| self.folder.join(it.trim()));
        common.join("info/exclude")
    }

    /// Adds the files that git tracks although it ignores them, or though their folder has a name
    /// that the walk leaves out: a change to them must not go unnoticed.
    pub(crate) fn add_forced(
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
        let paths = match cache.forced(&key, fits) {
            Some(known) => known.paths,
            None => {
                let paths = self.ask(root, cache.ask)?;
                if index.is_settled(now) {
                    let forced = Forced {
                        index,
                        rules,
                        paths: paths.clone(),
                    };
                    cache.keep_forced(key, forced);
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
            if filter.counts(path.as_bytes()) && !meta.is_dir() {
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
