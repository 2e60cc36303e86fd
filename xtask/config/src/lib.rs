//! The one configuration, `packaging/dist.toml`: read, checked, completed by looking at the
//! repository.
//!
//! A file goes through three stages. It is held against the schema of the raw types, which
//! finds every unknown key and impossible value at once. What is left becomes the raw types, plain
//! serde. Then everything that the file leaves open is looked up: folders, lock files, names, the
//! app's own Tauri configuration. The result is a [`Config`] that leaves no question.

mod check;
mod document;
mod find;
mod problem;
mod raw;
#[cfg(test)]
mod reference;
mod resolve;
mod schema;
mod sidecar;
mod sign;
mod tauri;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod web;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

pub use find::{plain, shown, upward};
pub use problem::Problems;
pub use tauri::tauri_value;
pub use types::*;

/// Where the configuration is, relative to the repository.
pub const FILE: &str = "packaging/dist.toml";

/// The names of a Tauri configuration, in the order in which Tauri looks for them.
pub const TAURI_FILES: [&str; 3] = tauri::FILES;

/// Reads the configuration of a repository.
///
/// Without `file` it is [`FILE`], which may be missing: then conventions decide everything. The
/// error, if the configuration is at fault, is [`Problems`]: all that is wrong.
pub fn load(root: &Path, file: Option<&Path>) -> Result<Config> {
    let root = find::plain(&std::path::absolute(root).context("the repository's folder")?);
    let (file, text) = read(&root, file)?;
    let name = file.as_deref().unwrap_or(Path::new(FILE));
    let doc = document::Document::parse(find::shown(&root, name), &text)?;
    let checked = check::check(&doc)?;
    Ok(resolve::resolve(root, file, &doc, checked)?)
}

/// Reads a configuration that is not on the disk yet, as if it were [`FILE`] of this repository.
///
/// # Errors
/// [`Problems`], as of [`load`].
pub fn load_text(root: &Path, text: &str) -> Result<Config> {
    let root = find::plain(&std::path::absolute(root).context("the repository's folder")?);
    let file = root.join(FILE);
    let doc = document::Document::parse(FILE.to_owned(), text)?;
    let checked = check::check(&doc)?;
    Ok(resolve::resolve(root, Some(file), &doc, checked)?)
}

/// The configuration's text and, if it exists, its place.
fn read(root: &Path, file: Option<&Path>) -> Result<(Option<PathBuf>, String)> {
    if let Some(file) = file {
        let file = find::plain(&std::path::absolute(file)?);
        let text = fs::read_to_string(&file)?;
        return Ok((Some(file), text));
    }
    let file = root.join(FILE);
    match fs::read_to_string(&file) {
        Ok(text) => Ok((Some(file), text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((None, String::new())),
        Err(error) => Err(error.into()),
    }
}
