//! Looking around in a repository.

use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use super::value;

/// The path without `.` and `..`, by its text alone.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// The path as a message shows it: relative to the repository, with `/`.
pub fn shown(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(inner) if inner.as_os_str().is_empty() => ".".to_owned(),
        Ok(inner) => inner.display().to_string().replace('\\', "/"),
        Err(_) => path.display().to_string(),
    }
}

/// The folder and those above it, up to the repository.
pub fn upward<'a>(root: &Path, from: &'a Path) -> impl Iterator<Item = &'a Path> + use<'a> {
    let root = root.to_owned();
    from.ancestors()
        .take_while(move |dir| dir.starts_with(&root))
}

/// What matches a relative pattern, in which `*` stands for any characters of one part, sorted.
/// What is hidden or installed is left out.
pub(super) fn matching(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for part in pattern.split('/') {
        found = found.iter().flat_map(|dir| children(dir, part)).collect();
    }
    found.sort();
    found
}

/// The entries of one folder that match one part of a pattern.
fn children(dir: &Path, part: &str) -> Vec<PathBuf> {
    if !part.contains('*') {
        let path = dir.join(part);
        return if path.exists() {
            vec![path]
        } else {
            Vec::new()
        };
    }
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let wanted = |name: &str| {
        let skipped = name.starts_with('.') || matches!(name, "node_modules" | "target");
        !skipped && value::matches(part, name)
    };
    let names = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(wanted));
    names.map(|entry| entry.path()).collect()
}
