//! `Cargo.toml` of the host or its workspace, what wants a package of it in another, and `Cargo.lock`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::Result;

use super::{Form, Look};
use crate::{
    config::plain,
    version::leaf::{Source, Syntax},
};

/// The tables of dependencies, wherever they stand.
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// A package on the disk.
struct Package {
    file: PathBuf,
    source: Rc<Source>,
    name: String,
    /// Whether its version is the workspace's.
    inherits: bool,
}

pub(super) fn look(look: &mut Look<'_>) -> Result<()> {
    let host = look.config.app.dir.clone();
    let root = workspace_of(look, &host)?;
    let packages = packages(look, &host, &root)?;
    let manifest = host.join("Cargo.toml");
    let mut names = BTreeSet::from([look.config.app.package.clone()]);
    let inherits = packages.iter().any(|it| it.file == manifest && it.inherits);
    if inherits {
        let keys = ["workspace", "package", "version"];
        if !look.place(&root.join("Cargo.toml"), &keys, Form::Semver, None)? {
            let text = "its version is that of a workspace which is not in this repository";
            look.remark(&manifest, None, text);
        }
        let all = packages.iter().filter(|it| it.inherits);
        names.extend(all.map(|it| it.name.clone()));
    } else if !look.place(&manifest, &["package", "version"], Form::Semver, None)? {
        look.remark(&manifest, None, "no version");
        return Ok(());
    }
    let mut files: BTreeMap<_, _> = packages
        .into_iter()
        .map(|it| (it.file, it.source))
        .collect();
    let shared = root.join("Cargo.toml");
    files.insert(shared.clone(), look.read(&shared, Syntax::Toml)?);
    for (file, source) in files {
        wanted(look, &file, &source, &names);
    }
    locked(look, &root.join("Cargo.lock"), &names)
}

/// The folder of the workspace that a package belongs to; its own if it is in none.
fn workspace_of(look: &mut Look<'_>, dir: &Path) -> Result<PathBuf> {
    let own = look.read(&dir.join("Cargo.toml"), Syntax::Toml)?;
    if let Some(named) = own.text_of(&["package", "workspace"]) {
        return Ok(plain(&dir.join(named)));
    }
    for above in look.upward(dir) {
        let file = above.join("Cargo.toml");
        if !file.is_file() {
            continue;
        }
        let source = look.read(&file, Syntax::Toml)?;
        if source.under(&["workspace"]).next().is_some() {
            let excluded = source
                .under(&["workspace", "exclude"])
                .any(|it| !it.text.is_empty() && dir.starts_with(plain(&above.join(&it.text))));
            return Ok(if excluded { dir } else { above }.to_owned());
        }
    }
    Ok(dir.to_owned())
}

/// The packages of a workspace: its members, the host, and what they depend on by path.
fn packages(look: &mut Look<'_>, host: &Path, root: &Path) -> Result<Vec<Package>> {
    let shared = look.read(&root.join("Cargo.toml"), Syntax::Toml)?;
    let members = shared.under(&["workspace", "members"]);
    let mut open: Vec<PathBuf> = members.flat_map(|it| expand(root, &it.text)).collect();
    open.extend([root.to_owned(), host.to_owned()]);
    let mut seen = BTreeSet::new();
    let mut packages = Vec::new();
    while let Some(dir) = open.pop() {
        let file = dir.join("Cargo.toml");
        if !file.is_file() || !dir.starts_with(&look.config.root) || !seen.insert(dir.clone()) {
            continue;
        }
        let source = look.read(&file, Syntax::Toml)?;
        let paths = dependencies(&source).into_values();
        open.extend(paths.filter_map(|it| Some(plain(&dir.join(it.path?)))));
        let Some(name) = source.text_of(&["package", "name"]).map(str::to_owned) else {
            continue;
        };
        let inherited = ["package", "version", "workspace"];
        let inherits = source.get(&inherited).is_some() && workspace_of(look, &dir)? == root;
        packages.push(Package {
            file,
            source,
            name,
            inherits,
        });
    }
    packages.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(packages)
}

/// The folders that a member of `members` names, by the library that Cargo uses for it.
fn expand(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let root = glob::Pattern::escape(&root.to_string_lossy());
    let found = glob::glob(&format!("{root}/{pattern}"));
    let found = found.into_iter().flatten().flatten();
    found.map(|it| plain(&it)).collect()
}

/// A dependency, as far as it matters here.
#[derive(Default)]
struct Dependency {
    package: Option<String>,
    path: Option<String>,
    version: Option<Vec<String>>,
}

/// All dependencies of a manifest, by the keys that lead to them.
fn dependencies(source: &Source) -> BTreeMap<Vec<String>, Dependency> {
    let mut all = BTreeMap::<Vec<String>, Dependency>::new();
    for leaf in &source.leaves {
        let [table @ .., key] = leaf.keys.as_slice() else {
            continue;
        };
        let [.., kind, _] = table else { continue };
        if !TABLES.contains(&kind.as_str()) {
            continue;
        }
        let dependency = all.entry(table.to_owned()).or_default();
        match key.as_str() {
            "package" => dependency.package = Some(leaf.text.clone()),
            "path" => dependency.path = Some(leaf.text.clone()),
            "version" => dependency.version = Some(leaf.keys.clone()),
            _ => {}
        }
    }
    all
}

/// Takes note of what the packages of a workspace want of each other, where they name a version
/// besides the path.
fn wanted(look: &mut Look<'_>, file: &Path, source: &Source, names: &BTreeSet<String>) {
    for (keys, dependency) in dependencies(source) {
        let name = dependency.package.as_ref().or(keys.last());
        let concerned = dependency.path.is_some() && name.is_some_and(|it| names.contains(it));
        let version = dependency.version.filter(|_| concerned);
        let leaf = version.and_then(|keys| source.leaves.iter().find(|it| it.keys == keys));
        if let Some(leaf) = leaf {
            look.take(file, source, leaf, Form::Requirement, None);
        }
    }
}

/// Takes note of the entries that a lock file has for these packages.
fn locked(look: &mut Look<'_>, lock: &Path, names: &BTreeSet<String>) -> Result<()> {
    if !lock.is_file() {
        return Ok(());
    }
    let source = look.read(lock, Syntax::Toml)?;
    let mut entries = BTreeMap::<&str, BTreeMap<&str, &str>>::new();
    for leaf in source.under(&["package"]) {
        if let [_, index, key] = leaf.keys.as_slice() {
            entries.entry(index).or_default().insert(key, &leaf.text);
        }
    }
    // What comes from a registry has a `source`.
    let mut own = entries
        .into_iter()
        .filter(|(_, it)| !it.contains_key("source"))
        .filter_map(|(index, it)| Some((index, *it.get("name")?, *it.get("version")?)))
        .filter(|(_, name, _)| names.contains(*name))
        .collect::<Vec<_>>();
    own.sort_by_key(|it| it.0.parse::<usize>().unwrap_or_default());
    let mut stated = BTreeSet::new();
    for (index, name, version) in own {
        let keys = ["package", index, "version"];
        look.place(lock, &keys, Form::Semver, Some(format!("package {name}")))?;
        stated.insert(format!("{name} {version}"));
    }
    // Where two packages have the same name, dependencies name the version, too.
    for leaf in source.under(&["package"]) {
        let is_dependency = leaf.keys.get(2).is_some_and(|it| it == "dependencies");
        if is_dependency && stated.contains(&leaf.text) {
            look.take(
                lock,
                &source,
                leaf,
                Form::Locked,
                Some("dependency".to_owned()),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_their_patterns() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["crates/a", "crates/ab", "other"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let check = |pattern: &str, expected: &[&str]| {
            let mut found = expand(root.path(), pattern);
            found.sort();
            let expected: Vec<_> = expected.iter().map(|it| root.path().join(it)).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("crates/*", &["crates/a", "crates/ab"]);
        check("./crates/*b", &["crates/ab"]);
        check("crates/a/", &["crates/a"]);
        check("*/a*", &["crates/a", "crates/ab"]);
        check("crates/a?", &["crates/ab"]);
        check("**/ab", &["crates/ab"]);
    }
}
