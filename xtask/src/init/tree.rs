//! The files of a repository that somebody wrote, and paths in it: relative, with `/`; the top is the
//! empty path.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// Folders in which nobody writes: what was installed or built.
const BUILT: [&str; 9] = [
    "node_modules",
    "target",
    "dist",
    "out",
    "venv",
    "env",
    "site-packages",
    "__pycache__",
    "coverage",
];
/// Folders of others, and of what tests take for a repository.
const FOREIGN: [&str; 4] = ["vendor", "third_party", "fixtures", "testdata"];
/// Folders of what was built, or of what builds it: only the latter counts.
const EITHER: [&str; 3] = ["build", "bin", "release"];
/// What builds something, by its name or the end of it.
const BUILDS: [&str; 10] = [
    ".spec",
    ".sh",
    ".bash",
    ".ps1",
    ".bat",
    ".cmd",
    ".py",
    "Makefile",
    "justfile",
    "Cargo.toml",
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

/// Whose a folder is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Either,
    Foreign,
    Built,
}

impl Tree {
    /// Looks through a folder. What cannot be read counts as absent.
    pub(super) fn of(root: &Path) -> Self {
        let mut tree = Self {
            root: root.to_owned(),
            files: Vec::new(),
        };
        tree.collect(root, 0, Kind::Own);
        tree.files
            .sort_by_key(|it| (it.matches('/').count(), it.clone()));
        tree
    }

    fn collect(&mut self, dir: &Path, depth: usize, kind: Kind) {
        for (path, name, is_folder) in entries(dir) {
            let inner = path.strip_prefix(&self.root).unwrap_or(&path);
            let inner = inner.to_string_lossy().replace('\\', "/");
            if !is_folder {
                let builds = BUILDS.iter().any(|end| name.ends_with(end));
                if kind == Kind::Own || builds {
                    self.files.push(inner);
                }
            } else if depth < DEPTH && self.files.len() < FILES {
                match (kind_of(&path, &name), kind) {
                    (Kind::Built | Kind::Foreign, _) => {}
                    (Kind::Own, kind) | (kind, _) => self.collect(&path, depth + 1, kind),
                }
            }
        }
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

/// The files and folders in a folder, with their names. What cannot be read counts as absent.
fn entries(dir: &Path) -> impl Iterator<Item = (PathBuf, String, bool)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|it| {
        let kind = it.file_type().ok()?;
        let name = it.file_name().to_str()?.to_owned();
        (kind.is_dir() || kind.is_file()).then(|| (it.path(), name, kind.is_dir()))
    })
}

fn kind_of(dir: &Path, name: &str) -> Kind {
    let hidden = name.starts_with('.') && name != ".github";
    if hidden || BUILT.contains(&name) || dir.join("pyvenv.cfg").exists() {
        Kind::Built
    } else if FOREIGN.contains(&name) || dir.join(".git").exists() {
        // A submodule has a file of this name.
        Kind::Foreign
    } else if EITHER.contains(&name) {
        Kind::Either
    } else {
        Kind::Own
    }
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
    use expect_test::expect;

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

    /// What is looked through.
    #[test]
    fn folders() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "build/freeze.sh",
            "build/lib/app.js",
            "bin/tool.spec",
            "bin/tool",
            "scripts/release/pack.ps1",
            "release/helper/Cargo.toml",
            "vendor/deep/crate/Cargo.toml",
            "vendor/build.sh",
            "tests/fixtures/one/app.py",
            "modules/sub/.git",
            "modules/sub/crates/a/Cargo.toml",
            "target/package/x/Cargo.toml",
            "node_modules/y/build.sh",
            ".github/workflows/ci.yml",
            ".venv/z.py",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let tree = Tree::of(root.path());
        expect![[r#"
            bin/tool.spec
            build/freeze.sh
            .github/workflows/ci.yml
            release/helper/Cargo.toml
            scripts/release/pack.ps1"#]]
        .assert_eq(&tree.files.join("\n"));
    }
}
