//! The versions of Rust, Node.js and Python, each from where the repository says it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::config::Config;

/// What a job installs before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchains {
    /// The toolchain that rustup installs; `None` where `rust-toolchain.toml` says.
    pub(super) rust: Option<String>,
    /// `None` where no front end is built.
    pub(super) node: Option<Wanted>,
    /// `None` where there is no sidecar.
    pub(super) python: Option<Wanted>,
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
    /// A file outside of the repository.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let root = &config.root;
        let pinned = ["rust-toolchain.toml", "rust-toolchain"].map(|it| root.join(it).is_file());
        let rust = config.ci.rust.clone();
        let rust = rust.or((!pinned.contains(&true)).then(|| "stable".to_owned()));
        let node = match &config.frontend {
            Some(web) => Some(node(config, &web.dir)?),
            None => None,
        };
        let python = match config.sidecars.is_empty() {
            true => None,
            false => Some(python(config)?),
        };
        Ok(Self { rust, node, python })
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

fn node(config: &Config, dir: &Path) -> Result<Wanted> {
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
        return Ok(Wanted::Version(version.clone()));
    }
    let above = dir
        .ancestors()
        .take_while(|it| it.starts_with(&config.root));
    let names = |dir: &Path| [".nvmrc", ".node-version"].map(|it| dir.join(it));
    if let Some(file) = first(&config.root, above.flat_map(names))? {
        return Ok(file);
    }
    let package = dir.join("package.json");
    let text = std::fs::read_to_string(&package).unwrap_or_default();
    let said: Package = serde_json::from_str(&text).unwrap_or_default();
    if said.engines.node.or(said.volta.node).is_some() {
        return relative(&config.root, &package).map(Wanted::File);
    }
    Ok(Wanted::Version("lts/*".to_owned()))
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
    Ok(first(&config.root, projects)?.unwrap_or_else(|| Wanted::Version("3.x".to_owned())))
}
