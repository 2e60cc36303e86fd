//! cargo: builds the host, and says which local packages it is made of.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// An executable that `cargo build` made.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The name of the cargo target.
    pub name: String,
    /// Where it lies, absolute.
    pub path: PathBuf,
}

/// Reads the executables from `cargo build --message-format=json…`, see the Cargo Book,
/// "External tools".
pub fn executables(messages: &[u8]) -> Vec<Executable> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let text = String::from_utf8_lossy(messages);
    let parsed = text
        .lines()
        .filter_map(|it| serde_json::from_str::<Message>(it).ok());
    let bins = parsed.filter_map(|it| Some((it.executable?, it.target?)));
    bins.filter(|(_, target)| target.kind.iter().any(|it| it == "bin"))
        .map(|(path, target)| Executable {
            name: target.name,
            path,
        })
        .collect()
}

/// The folders of all local packages that a package is built from, itself included, and the
/// workspace's own files: what a change of must rebuild it. Reads manifests only, since
/// `cargo metadata` alone takes longer than a whole up-to-date run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Folders with a `Cargo.toml`, sorted.
    pub packages: BTreeSet<PathBuf>,
    /// `Cargo.toml`, `Cargo.lock` of the workspace, configuration and toolchain files.
    pub files: BTreeSet<PathBuf>,
}

impl Local {
    /// Follows the path dependencies of the package in `dir`. `repository` bounds the search for
    /// the workspace above it.
    pub fn of(dir: &Path, repository: &Path) -> Result<Self> {
        let mut local = Self::default();
        let workspace = workspace_of(dir, repository)?;
        let shared = read(&workspace.join("Cargo.toml"))?;
        local.follow(dir, &workspace, &shared)?;
        for patched in patches(&shared, &workspace) {
            local.follow(&patched, &workspace, &shared)?;
        }
        for above in dir.ancestors().take_while(|it| it.starts_with(repository)) {
            for name in [
                ".cargo/config.toml",
                ".cargo/config",
                "rust-toolchain.toml",
                "rust-toolchain",
            ] {
                local.files.insert(above.join(name));
            }
        }
        local.files.insert(workspace.join("Cargo.toml"));
        local.files.insert(workspace.join("Cargo.lock"));
        Ok(local)
    }

    fn follow(&mut self, dir: &Path, workspace: &Path, shared: &toml::Table) -> Result<()> {
        if !self.packages.insert(dir.to_owned()) {
            return Ok(());
        }
        let manifest = read(&dir.join("Cargo.toml"))?;
        let mut paths = BTreeSet::new();
        dependencies(&manifest, &mut |name, dependency| {
            let own = dependency
                .get("path")
                .and_then(|it| it.as_str())
                .map(|it| dir.join(it));
            let inherited = || {
                dependency
                    .get("workspace")
                    .filter(|it| it.as_bool() == Some(true))?;
                let dependency = shared.get("workspace")?.get("dependencies")?.get(name)?;
                Some(workspace.join(dependency.get("path")?.as_str()?))
            };
            paths.extend(own.or_else(inherited));
        });
        for path in paths {
            // With the `\\?\` that Windows puts before it, it would not be found below the repository.
            let path = dunce::canonicalize(&path).with_context(|| {
                format!(
                    "{} depends on {}",
                    dir.join("Cargo.toml").display(),
                    path.display()
                )
            })?;
            self.follow(&path, workspace, shared)?;
        }
        Ok(())
    }
}

/// The local packages that a workspace puts in the place of others, by `[patch]` or `[replace]`.
fn patches(manifest: &toml::Table, workspace: &Path) -> Vec<PathBuf> {
    let tables = manifest.get("patch").and_then(|it| it.as_table());
    let tables = tables.into_iter().flat_map(|it| it.values());
    let tables = tables
        .chain(manifest.get("replace"))
        .filter_map(|it| it.as_table());
    let paths = tables
        .flat_map(|it| it.values())
        .filter_map(|it| it.get("path")?.as_str());
    let packages = paths
        .map(|it| workspace.join(it))
        .filter_map(|it| dunce::canonicalize(it).ok());
    packages.collect()
}

/// Calls back for every dependency table of a manifest.
fn dependencies(manifest: &toml::Table, each: &mut impl FnMut(&str, &toml::Value)) {
    for kind in ["dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(kind).and_then(|it| it.as_table()) {
            table.iter().for_each(|(name, it)| each(name, it));
        }
    }
    if let Some(targets) = manifest.get("target").and_then(|it| it.as_table()) {
        for table in targets.values().filter_map(|it| it.as_table()) {
            dependencies(table, each);
        }
    }
}

fn workspace_of(dir: &Path, repository: &Path) -> Result<PathBuf> {
    for above in dir.ancestors().take_while(|it| it.starts_with(repository)) {
        let file = above.join("Cargo.toml");
        if file.is_file() && read(&file)?.contains_key("workspace") {
            return Ok(above.to_owned());
        }
    }
    Ok(dir.to_owned())
}

fn read(file: &Path) -> Result<toml::Table> {
    let text = fs_err::read_to_string(file)?;
    text.parse()
        .with_context(|| format!("{} is not TOML", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_path_dependencies_through_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['host']\n[workspace.dependencies]\nb = { path = 'libs/b' }\n",
        );
        write(
            "host/Cargo.toml",
            "[dependencies]\na = { path = '../libs/a' }\nserde = '1'\n\
             [target.'cfg(unix)'.build-dependencies]\nb.workspace = true\n",
        );
        write(
            "libs/a/Cargo.toml",
            "[dependencies]\nb = { path = '../b' }\n",
        );
        write("libs/b/Cargo.toml", "");
        write("libs/unrelated/Cargo.toml", "");
        let local = Local::of(&root.join("host"), &root).unwrap();
        let packages: Vec<_> = local
            .packages
            .iter()
            .map(|it| it.strip_prefix(&root).unwrap().to_owned())
            .collect();
        assert_eq!(packages, ["host", "libs/a", "libs/b"].map(PathBuf::from));
        assert!(local.files.contains(&root.join("Cargo.lock")));
    }

    #[test]
    fn reads_executables_from_cargo_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"l"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"app"},"executable":"/t/app"}
{"reason":"build-finished","success":true}
"#;
        let expected = Executable {
            name: "app".into(),
            path: "/t/app".into(),
        };
        assert_eq!(executables(messages), [expected]);
    }
}
