//! The files of a repository that somebody wrote, and paths in it: relative, with `/`; the top is the
//! empty path.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// Folders in which nothing of the app stands: what was installed or built, what belongs to others, and
/// what tests take for a repository.
const SKIPPED: [&str; 16] = [
    "node_modules",
    "target",
    "dist",
    "build",
    "out",
    "release",
    "vendor",
    "third_party",
    "fixtures",
    "testdata",
    "venv",
    "env",
    "site-packages",
    "__pycache__",
    "coverage",
    "bin",
];

/// How deep an app lies at most.
const DEPTH: usize = 6;
/// Nobody writes more files by hand.
const FILES: usize = 50_000;

/// A repository, looked through once.
pub(super) struct Tree {
    /// Its top.
    pub root: PathBuf,
    /// Its files, sorted: those above before those below.
    pub files: Vec<String>,
}

impl Tree {
    /// Looks through a folder. What cannot be read counts as absent.
    pub(super) fn of(root: &Path) -> Self {
        let mut files = Vec::new();
        collect(root, root, 0, &mut files);
        files.sort_by_key(|it| (it.matches('/').count(), it.clone()));
        let root = root.to_owned();
        Self { root, files }
    }

    /// The absolute path.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether there is such a file, in a folder that was looked through or not.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).is_file()
    }

    /// Whether there is such a file or folder.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The text of a file, if it is one. A byte order mark is no part of it.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.trim_start_matches('\u{feff}').to_owned())
    }

    /// The files with this name.
    pub(super) fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let files = self.files.iter().map(String::as_str);
        files.filter(move |it| self::name(it) == name)
    }
}

fn collect(root: &Path, dir: &Path, depth: usize, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
            continue;
        };
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if kind.is_dir() && depth < DEPTH && files.len() < FILES && is_own(&path, name) {
            collect(root, &path, depth + 1, files);
        } else if kind.is_file()
            && let Ok(inner) = path.strip_prefix(root)
        {
            files.push(inner.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Whether what lies in a folder belongs to the repository.
fn is_own(dir: &Path, name: &str) -> bool {
    let hidden = name.starts_with('.') && name != ".github";
    // Another repository, or a Python environment.
    let foreign = dir.join(".git").exists() || dir.join("pyvenv.cfg").exists();
    !hidden && !SKIPPED.contains(&name) && !foreign
}

/// The folder of a path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |it| it.0)
}

/// The last part of a path.
pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |it| it.1)
}

/// The path from a folder, without `.` and `..`; none if it is absolute or leads out of the repository.
pub(super) fn join(dir: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    if path.starts_with('/') || path.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = dir.split('/').filter(|it| !it.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The path as it is named from a folder, with `..` where it lies outside.
pub(super) fn from(dir: &str, path: &str) -> String {
    let split = |it: &'_ str| -> Vec<String> {
        let parts = it.split('/').filter(|it| !it.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (dir, path) = (split(dir), split(path));
    let same = dir.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let mut parts = vec!["..".to_owned(); dir.len() - same];
    parts.extend_from_slice(&path[same..]);
    match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    }
}

/// The folder, and those above it up to the top.
pub(super) fn upward(dir: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(dir);
    std::iter::from_fn(move || {
        let now = next?;
        next = (!now.is_empty()).then(|| parent(now));
        Some(now)
    })
}

/// Whether a path lies in a folder, or is it.
pub(super) fn within(path: &str, dir: &str) -> bool {
    let rest = path.strip_prefix(dir);
    dir.is_empty() || rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// A folder as people read it.
pub(super) fn shown(dir: &str) -> &str {
    match dir {
        "" => ".",
        dir => dir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(join("a/b", "../c/./d"), Some("a/c/d".to_owned()));
        assert_eq!(join("a", "..\\c"), Some("c".to_owned()));
        assert_eq!(join("a", "../../c"), None);
        assert_eq!(join("a", "/c"), None);
        assert_eq!(join("a", "C:\\c"), None);
        assert_eq!(from("a/b", "a/c/d"), "../c/d");
        assert_eq!(from("", "a"), "a");
        assert_eq!(from("a", "a"), ".");
        assert_eq!(upward("a/b").collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert!(within("a/b", "a") && within("a", "a") && !within("ab", "a"));
    }
}
