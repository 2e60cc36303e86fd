//! What there is to test, as the configuration and the repository say it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{
    config::Config,
    engine::{
        exec,
        files::{StatCache, Tree},
    },
};

/// A part of the tests. Their order is the order in which they run: what is quick comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Formatters of Rust and of the front end.
    Format,
    /// Lints of Rust.
    Clippy,
    /// Lints of Rust for other platforms.
    Platforms,
    /// The root workspace's tests, but for the slow ones.
    Unit,
    /// The root workspace's tests whose name says that they are slow.
    Integration,
    /// The tests of the app's own workspace that need no Tauri.
    App,
    /// The front end's `test` script.
    Frontend,
    /// The tests of a sidecar, by its place in the configuration.
    Sidecar(usize),
    /// A release from the first step to the running app.
    EndToEnd,
}

/// What tests whose name contains it have in common: they take long.
pub(super) const SLOW: &str = "slow_";

/// A Cargo workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workspace {
    pub(super) dir: PathBuf,
    /// Its packages without the Tauri host, which cannot be compiled before there are a front end
    /// and a sidecar, and takes minutes then.
    pub(super) packages: Vec<String>,
    /// Where Cargo builds.
    pub(super) target: PathBuf,
    /// Whether a test of it has a slow name.
    slow: bool,
}

/// The repository, as far as its tests go.
pub(super) struct Repository {
    pub(super) config: Config,
    /// The one at the top, if there is one.
    pub(super) root: Option<Workspace>,
    /// The one of the Tauri host.
    pub(super) app: Workspace,
    /// The scripts of the front end's `package.json`.
    scripts: BTreeSet<String>,
}

impl Repository {
    /// Looks at the repository of this configuration.
    pub(super) fn discover(config: Config) -> Result<Self> {
        let app = Workspace::of(&config.app.dir, &config)?;
        let root = config.root.join("Cargo.toml").is_file();
        let root = root
            .then(|| Workspace::of(&config.root, &config))
            .transpose()?;
        let scripts = config
            .frontend
            .as_ref()
            .map(|it| scripts(&it.dir.join("package.json")));
        let scripts = scripts.transpose()?.unwrap_or_default();
        Ok(Self {
            config,
            root,
            app,
            scripts,
        })
    }

    /// All parts that there are.
    pub(super) fn parts(&self) -> Vec<Part> {
        let sidecars = self.config.sidecars.iter().enumerate();
        let sidecars = sidecars.filter(|(_, it)| it.dir.join("tests").is_dir());
        let sidecars: Vec<Part> = sidecars.map(|(index, _)| Part::Sidecar(index)).collect();
        let root = self.root.as_ref().filter(|it| !it.packages.is_empty());
        let separate = self.workspaces().len() > 1 || self.root.is_none();
        let all = [
            (Part::Format, true),
            (Part::Clippy, true),
            (
                Part::Platforms,
                root.is_some() && !self.config.test.platforms.is_empty(),
            ),
            (Part::Unit, root.is_some()),
            (Part::Integration, root.is_some_and(|it| it.slow)),
            (Part::App, separate && !self.app.packages.is_empty()),
            (Part::Frontend, self.has_script("test")),
        ];
        let mut parts: Vec<Part> = all.iter().filter(|it| it.1).map(|it| it.0).collect();
        parts.extend(sidecars);
        parts.push(Part::EndToEnd);
        parts
    }

    /// The name on the command line.
    pub(super) fn name(&self, part: Part) -> String {
        match part {
            Part::Format => "format".to_owned(),
            Part::Clippy => "clippy".to_owned(),
            Part::Platforms => "platforms".to_owned(),
            Part::Unit => "unit".to_owned(),
            Part::Integration => "integration".to_owned(),
            Part::App => "app".to_owned(),
            Part::Frontend => "frontend".to_owned(),
            Part::Sidecar(index) => format!("sidecar:{}", self.config.sidecars[index].name),
            Part::EndToEnd => "end-to-end".to_owned(),
        }
    }

    /// What it does, in one line.
    pub(super) fn what(&self, part: Part) -> String {
        match part {
            Part::Format => "formatting of Rust and of the front end".to_owned(),
            Part::Clippy => "lints of Rust".to_owned(),
            Part::Platforms => format!("lints for {}", self.config.test.platforms.join(", ")),
            Part::Unit => self
                .root
                .as_ref()
                .map_or(String::new(), |it| it.packages.join(", ")),
            Part::Integration => format!("tests with `{SLOW}` in their name"),
            Part::App => self.app.packages.join(", "),
            Part::Frontend => "the `test` script".to_owned(),
            Part::Sidecar(_) => "pytest in the locked environment".to_owned(),
            Part::EndToEnd => {
                "dist, verify, kill dist, dist again, install, start, kill".to_owned()
            }
        }
    }

    /// Each Cargo workspace once.
    pub(super) fn workspaces(&self) -> Vec<&Workspace> {
        let root = self.root.iter().filter(|it| it.dir != self.app.dir);
        root.chain([&self.app]).collect()
    }

    /// Whether the front end has a script of this name.
    pub(super) fn has_script(&self, name: &str) -> bool {
        self.scripts.contains(name)
    }
}

impl Workspace {
    /// The workspace that the package in `dir` belongs to. Cargo knows: globs of members, default
    /// members and excluded folders are its own business.
    fn of(dir: &Path, config: &Config) -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
            workspace_root: PathBuf,
            target_directory: PathBuf,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            manifest_path: PathBuf,
        }
        let mut command = Command::new("cargo");
        command
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(dir);
        let (ok, text) = exec::quiet(command)?;
        ensure!(
            ok,
            "cargo cannot read {}\n{text}",
            dir.join("Cargo.toml").display()
        );
        let metadata: Metadata = serde_json::from_str(&text).context("`cargo metadata`")?;
        let mut packages = metadata.packages;
        packages.retain(|it| it.name != config.app.package);
        let mut slow = false;
        for package in packages.iter().filter_map(|it| it.manifest_path.parent()) {
            slow = slow || has_slow_tests(package)?;
        }
        Ok(Self {
            dir: metadata.workspace_root,
            packages: packages.into_iter().map(|it| it.name).collect(),
            target: metadata.target_directory,
            slow,
        })
    }
}

/// Whether a Rust file names a test so. Compiling all tests just to list them takes minutes.
fn has_slow_tests(package: &Path) -> Result<bool> {
    let mut sources = Tree::new(package);
    sources.only.push("*.rs".into());
    let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
    let rust = sources.walk(package, &cache)?;
    let start = format!("fn {SLOW}");
    Ok(rust.iter().any(|it| {
        let text = std::fs::read_to_string(package.join(&it.path)).unwrap_or_default();
        text.lines().any(|it| it.trim_start().starts_with(&start))
    }))
}

fn scripts(package: &Path) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Package {
        #[serde(default)]
        scripts: std::collections::BTreeMap<String, String>,
    }
    let text = fs_err::read_to_string(package)?;
    let package: Package =
        serde_json::from_str(&text).with_context(|| package.display().to_string())?;
    Ok(package.scripts.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with a root workspace, a host with a helper beside it, a front end and a
    /// sidecar, and what else is given.
    fn repository(more: &[(&str, &str)]) -> (tempfile::TempDir, Repository) {
        let plain = [
            (
                "Cargo.toml",
                "[workspace]\nmembers = ['tool']\nexclude = ['src-tauri']\nresolver = '3'",
            ),
            ("tool/Cargo.toml", "[package]\nname = 'tool'"),
            ("tool/src/lib.rs", ""),
            (
                "src-tauri/Cargo.toml",
                "[workspace]\nmembers = ['helper']\n[package]\nname = 'host'",
            ),
            ("src-tauri/src/main.rs", "fn main() {}"),
            ("src-tauri/helper/Cargo.toml", "[package]\nname = 'helper'"),
            ("src-tauri/helper/src/lib.rs", ""),
            (
                "src-tauri/tauri.conf.json",
                r#"{"version": "1.0.0", "identifier": "org.example.host", "build": {"frontendDist": "../web"}}"#,
            ),
            ("package.json", r#"{"scripts": {"build": "vite build"}}"#),
            ("package-lock.json", "{}"),
            ("packaging/dist.toml", "[[sidecar]]\nname = 'py'"),
            ("sidecar/main.py", ""),
            ("sidecar/requirements.txt", ""),
        ];
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, text) in plain.iter().chain(more) {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let repository = Repository::discover(crate::config::load(&root, None).unwrap()).unwrap();
        (dir, repository)
    }

    #[track_caller]
    fn check(more: &[(&str, &str)], expected: &[&str]) {
        let (_dir, repository) = repository(more);
        let names: Vec<_> = repository
            .parts()
            .iter()
            .map(|it| repository.name(*it))
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn parts_follow_from_what_there_is() {
        check(&[], &["format", "clippy", "unit", "app", "end-to-end"]);
        let more = [
            ("tool/tests/long.rs", "#[test]\nfn slow_kills() {}"),
            (
                "package.json",
                r#"{"scripts": {"build": "vite build", "test": "vitest run"}}"#,
            ),
            ("sidecar/tests/test_it.py", ""),
        ];
        let all = [
            "format",
            "clippy",
            "unit",
            "integration",
            "app",
            "frontend",
            "sidecar:py",
            "end-to-end",
        ];
        check(&more, &all);
    }

    #[test]
    fn one_workspace_is_tested_once_and_without_the_host() {
        let root = "[workspace]\nmembers = ['tool', 'src-tauri', 'src-tauri/helper']";
        let host = ("src-tauri/Cargo.toml", "[package]\nname = 'host'");
        let (_dir, repository) = repository(&[("Cargo.toml", root), host]);
        assert_eq!(repository.workspaces().len(), 1);
        assert!(!repository.parts().contains(&Part::App));
        let mut packages = repository.root.unwrap().packages;
        packages.sort();
        assert_eq!(packages, ["helper", "tool"]);
    }

    #[test]
    fn a_part_is_chosen_by_a_piece_of_its_name() {
        let (_dir, repository) = repository(&[("sidecar/tests/test_it.py", "")]);
        let select = |only| super::super::select(&repository, only);
        assert_eq!(select(None).unwrap(), repository.parts());
        assert_eq!(select(Some("side")).unwrap(), [Part::Sidecar(0)]);
        let error = select(Some("nothing")).unwrap_err().to_string();
        assert!(error.contains("there are format, clippy"), "{error}");
    }
}
