//! The Cargo packages of a repository, those included that belong to others: a workspace at the top takes
//! them in as well, unless it leaves them out.

use fs_err as fs;
use toml::{Table, Value};

use super::tree::{self, Tree};

/// Folders that nothing but tools fill.
const BUILT: [&str; 2] = ["target", "node_modules"];
/// Folders whose packages are all left out together: there may be hundreds.
const OF_OTHERS: [&str; 6] = [
    "vendor",
    "third_party",
    "fixtures",
    "testdata",
    "site-packages",
    "dist",
];
/// How deep a package lies at most.
const DEPTH: usize = 8;

/// A package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Its folder, from the top.
    pub dir: String,
    /// What it is called; nothing if the manifest is one of a workspace alone.
    pub name: String,
    /// Whether it depends on the library xtask.
    pub uses_xtask: bool,
}

impl Package {
    /// All of a repository.
    pub(super) fn all(tree: &Tree) -> Vec<Self> {
        let mut all = Vec::new();
        collect(tree, "", 0, &mut all);
        all.sort_by(|a, b| a.dir.cmp(&b.dir));
        all
    }

    /// The folder to leave out of a workspace: its own, or the one with all that belongs to others.
    pub(super) fn apart(&self) -> &str {
        let mut end = 0;
        for part in self.dir.split('/') {
            end += part.len();
            if OF_OTHERS.contains(&part) {
                return &self.dir[..end];
            }
            end += 1;
        }
        &self.dir
    }

    fn read(dir: &str, text: &str) -> Self {
        // One that Cargo does not understand is in its way all the same.
        let manifest: Table = toml::from_str(text).unwrap_or_default();
        let name = manifest.get("package").and_then(|it| it.get("name"));
        let dependencies = manifest.get("dependencies").and_then(Value::as_table);
        let is_xtask = |(key, value): (&String, &Value)| {
            let renamed = value.get("package").and_then(Value::as_str);
            renamed.unwrap_or(key) == "xtask"
        };
        Self {
            dir: dir.to_owned(),
            name: name.and_then(Value::as_str).unwrap_or_default().to_owned(),
            uses_xtask: dependencies.is_some_and(|it| it.iter().any(is_xtask)),
        }
    }
}

/// What cannot be read counts as absent.
fn collect(tree: &Tree, dir: &str, depth: usize, all: &mut Vec<Package>) {
    let slash = if dir.is_empty() { "" } else { "/" };
    if let Some(text) = tree.text(&format!("{dir}{slash}Cargo.toml")) {
        all.push(Package::read(dir, &text));
    }
    let entries = fs::read_dir(tree.path(dir));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_own = !name.starts_with('.') && !BUILT.contains(&name);
        if is_own && depth < DEPTH && entry.file_type().is_ok_and(|it| it.is_dir()) {
            let inner = tree::join(dir, name);
            collect(tree, &inner.unwrap_or_default(), depth + 1, all);
        }
    }
}
