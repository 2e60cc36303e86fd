//! The steps of the pipeline, one a file. Each is plain data made from a [`Release`]; its fields
//! are what decides its output, paths in them are relative to the repository.
//!
//! [`Release`]: crate::release::Release

pub mod app;
pub(crate) mod apple;
pub mod archive;
mod authenticode;
pub mod bundle;
pub(crate) mod checksums;
pub mod frontend;
pub mod notarize;
pub mod seal;
pub mod sidecar;
pub mod sidecars;
pub mod sign_code;
pub mod sign_installers;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::{
    config::Sources,
    engine::{files::Tree, fingerprint::Inputs},
    release::Release,
};

/// Adds what the configuration says of a step's sources: further files and variables.
fn with_sources(inputs: Inputs, release: &Release, sources: &Sources) -> Inputs {
    let mut inputs = inputs.variables(&sources.env);
    if !sources.inputs.is_empty() {
        let mut tree = Tree::new(&release.config.root);
        tree.only = sources.inputs.iter().map(|it| format!("/{it}")).collect();
        tree.exclude = sources.exclude.iter().map(|it| format!("/{it}")).collect();
        inputs = inputs.tree("named under `inputs`", tree);
    }
    inputs
}

/// A tree without what the configuration leaves out and without these folders, if they are inside.
fn tree_without(release: &Release, dir: &Path, sources: &Sources, without: &[&Path]) -> Tree {
    let mut tree = Tree::new(dir);
    for folder in without {
        if let Ok(inside) = folder.strip_prefix(dir)
            && inside != Path::new("")
        {
            tree.exclude
                .push(format!("/{}", inside.to_string_lossy().replace('\\', "/")));
        }
    }
    // In the configuration, patterns start at the repository's top.
    let inside = release.relative(dir);
    for glob in &sources.exclude {
        let glob = match glob.strip_prefix(&format!("{inside}/")) {
            Some(rest) => format!("/{rest}"),
            None => glob.clone(),
        };
        tree.exclude.push(glob);
    }
    tree
}

/// Adds to a refusal, which is a message and nothing else, what the user can do. What was wrong with a
/// file or a program speaks for itself.
fn with_hint(error: anyhow::Error, hint: &str) -> anyhow::Error {
    let is_message = error.is::<String>() || error.is::<&'static str>();
    match is_message && error.chain().count() == 1 {
        true => anyhow::anyhow!("{error}\nhint: {hint}"),
        false => error,
    }
}

/// Copies a file with its mode.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs_err::create_dir_all(parent)?;
    }
    fs_err::copy(from, to)?;
    Ok(())
}

/// Copies all files below a folder. Symbolic links stay links.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    let mut links = Vec::new();
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (path, into) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&path, &into)?;
        } else if kind.is_symlink() {
            links.push((fs_err::read_link(&path)?, into));
        } else {
            fs_err::copy(&path, &into)?;
        }
    }
    // Last: what they point to decides on Windows of which kind they are.
    links.iter().try_for_each(|(target, at)| link(target, at))
}

/// Makes the symbolic link that an artifact records.
pub(crate) fn link_to(target: &str, at: &Path) -> Result<()> {
    if let Some(parent) = at.parent() {
        fs_err::create_dir_all(parent)?;
    }
    link(Path::new(target), at)
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> Result<()> {
    fs_err::os::unix::fs::symlink(target, at)?;
    Ok(())
}

#[cfg(windows)]
fn link(target: &Path, at: &Path) -> Result<()> {
    use fs_err::os::windows::fs::{symlink_dir, symlink_file};

    let behind = at.parent().unwrap_or(Path::new(".")).join(target);
    let made = match behind.is_dir() {
        true => symlink_dir(target, at),
        false => symlink_file(target, at),
    };
    // It takes a privilege there. What a link points to is as good in a copy, if it is there already.
    match made {
        Ok(()) => Ok(()),
        Err(_) if behind.is_dir() => copy_tree(&behind, at),
        Err(_) if behind.is_file() => copy(&behind, at),
        Err(error) => Err(error).context(
            "the link could not be made\nhint: switch on Windows' Developer Mode, or run as administrator",
        ),
    }
}

/// Fixes a file's modification time.
pub(crate) fn set_time(path: &Path, epoch: i64) -> Result<()> {
    let time =
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch.try_into().unwrap_or(0));
    let file = fs_err::OpenOptions::new().append(true).open(path)?;
    file.set_modified(time)
        .with_context(|| format!("the time of {}", path.display()))
}
