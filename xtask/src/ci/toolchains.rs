//! The versions of Rust, Node.js and Python, each from where the repository says it.

mod rust;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::config::{Config, Frontend, PackageManager};

pub(super) use rust::Rust;

/// The last major version of Node.js that Corepack comes with,
/// <https://nodejs.org/api/corepack.html>.
const COREPACK: u32 = 24;
/// The newest Node.js with long support.
const LTS: &str = "lts/*";
/// The newest Python.
const ANY_PYTHON: &str = "3.x";

/// What a job installs before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchains {
    /// The toolchain that rustup installs; `None` where a `rust-toolchain.toml` says that rustup finds by
    /// itself.
    pub(super) rust: Option<Rust>,
    /// `None` where no front end is built.
    pub(super) node: Option<Wanted>,
    /// `None` where no front end is built.
    pub(super) manager: Option<Manager>,
    /// `None` where there is no sidecar.
    pub(super) python: Option<Wanted>,
}

/// The package manager of the front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    /// Which one.
    pub(super) kind: PackageManager,
    /// The `package.json` whose `packageManager` says its version, relative to the repository.
    pub(super) said_in: Option<String>,
}

/// How an action is told a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The version itself.
    Version(String),
    /// A file with it, relative to the repository, with `/`.
    File(String),
}

impl Toolchains {
    /// Looks at the repository.
    ///
    /// # Errors
    /// A file outside of the repository. A `rust-toolchain.toml` that names none. Yarn with a Node.js that
    /// has no Corepack.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let rust = rust::wanted(config)?;
        let web = config.frontend.as_ref();
        let node = web.map(|it| node(config, it)).transpose()?;
        let manager = web.map(|it| manager(config, it)).transpose()?;
        let python = match config.sidecars.is_empty() {
            true => None,
            false => Some(python(config)?),
        };
        Ok(Self {
            rust,
            node,
            manager,
            python,
        })
    }

    /// What has another version whenever its maker releases one, and the word that stands for it.
    pub(super) fn newest(&self) -> Vec<String> {
        let mut all = Vec::new();
        let rust = self.rust.as_ref().map(|it| &*it.channel);
        let rust = rust.filter(|it| matches!(*it, "stable" | "beta" | "nightly"));
        all.extend(rust.map(|it| format!("Rust {it}")));
        for (name, wanted) in [("Node.js", &self.node), ("Python", &self.python)] {
            if let Some(Wanted::Version(it)) = wanted
                && (it == LTS || it == ANY_PYTHON)
            {
                all.push(format!("{name} {it}"));
            }
        }
        let manager = self.manager.as_ref().filter(|it| it.said_in.is_none());
        all.extend(manager.and_then(|it| match it.kind {
            // It comes with Node.js.
            PackageManager::Npm => None,
            PackageManager::Pnpm => Some("pnpm latest".to_owned()),
            PackageManager::Bun => Some("Bun latest".to_owned()),
            PackageManager::Yarn => Some("Yarn by Corepack".to_owned()),
        }));
        all
    }
}

/// `path` as a workflow names it.
pub(super) fn relative(root: &Path, path: &Path) -> Result<String> {
    let inner = path.strip_prefix(root).with_context(|| {
        format!(
            "{} is outside of the repository: no other machine has it",
            path.display()
        )
    })?;
    let parts: Vec<_> = inner.iter().map(|it| it.to_string_lossy()).collect();
    Ok(parts.join("/"))
}

/// The first of these that exists.
fn first(root: &Path, candidates: impl IntoIterator<Item = PathBuf>) -> Result<Option<Wanted>> {
    let found = candidates.into_iter().find(|it| it.is_file());
    let file = found.map(|it| relative(root, &it)).transpose()?;
    Ok(file.map(Wanted::File))
}

/// The version that stands nearest to the front end.
fn node(config: &Config, web: &Frontend) -> Result<Wanted> {
    let wanted = said_node(config, &web.dir)?;
    if web.package_manager != PackageManager::Yarn {
        return Ok(wanted.unwrap_or_else(|| Wanted::Version(LTS.to_owned())));
    }
    let Some(wanted) = wanted else {
        return Ok(Wanted::Version(COREPACK.to_string()));
    };
    let text = match &wanted {
        Wanted::Version(text) => text.clone(),
        Wanted::File(file) if file.ends_with(".json") => return Ok(wanted),
        Wanted::File(file) => fs_err::read_to_string(config.root.join(file))?,
    };
    let digits = text.trim().trim_start_matches('v');
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next();
    let major: Option<u32> = digits.and_then(|it| it.parse().ok());
    ensure!(
        major.is_none_or(|it| it <= COREPACK),
        "Yarn comes by Node.js's Corepack, which Node.js {} does not have\n\
         hint: name one up to {COREPACK}: `node = \"{COREPACK}\"` in `[ci]` of packaging/dist.toml",
        text.trim()
    );
    Ok(wanted)
}

/// Where the version of the package manager is said: in the nearest `package.json` at or above the front
/// end that says one.
fn manager(config: &Config, web: &Frontend) -> Result<Manager> {
    let above = web.dir.ancestors();
    let above = above.take_while(|it| it.starts_with(&config.root));
    let mut files = above.map(|it| it.join("package.json"));
    let says = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        said["packageManager"].is_string()
    };
    let said = files.find(says);
    let said_in = said.map(|it| relative(&config.root, &it)).transpose()?;
    let kind = web.package_manager;
    Ok(Manager { kind, said_in })
}

fn said_node(config: &Config, dir: &Path) -> Result<Option<Wanted>> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Package {
        engines: Versions,
        volta: Versions,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Versions {
        node: Option<String>,
    }
    if let Some(version) = &config.ci.node {
        return Ok(Some(Wanted::Version(version.clone())));
    }
    let above = dir
        .ancestors()
        .take_while(|it| it.starts_with(&config.root));
    let names = |dir: &Path| [".nvmrc", ".node-version"].map(|it| dir.join(it));
    if let Some(file) = first(&config.root, above.flat_map(names))? {
        return Ok(Some(file));
    }
    let package = dir.join("package.json");
    let text = std::fs::read_to_string(&package).unwrap_or_default();
    let said: Package = serde_json::from_str(&text).unwrap_or_default();
    if said.engines.node.or(said.volta.node).is_some() {
        let file = relative(&config.root, &package)?;
        return Ok(Some(Wanted::File(file)));
    }
    Ok(None)
}

fn python(config: &Config) -> Result<Wanted> {
    let given = config.ci.python.clone();
    let mut own = config.sidecars.iter().filter_map(|it| it.python);
    let own = || own.next().map(|it| it.to_string());
    if let Some(version) = given.or_else(own) {
        return Ok(Wanted::Version(version));
    }
    let dirs = config.sidecars.iter().map(|it| &*it.dir);
    let dirs = dirs.chain([&*config.root]);
    let versions = dirs.clone().map(|it| it.join(".python-version"));
    if let Some(file) = first(&config.root, versions)? {
        return Ok(file);
    }
    let says = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .any(|it| it.trim_start().starts_with("requires-python"))
    };
    let projects = dirs.map(|it| it.join("pyproject.toml")).filter(says);
    Ok(first(&config.root, projects)?.unwrap_or_else(|| Wanted::Version(ANY_PYTHON.to_owned())))
}
