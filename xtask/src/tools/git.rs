//! git: which source this is.

use std::{path::Path, process::Command};

use anyhow::Result;
use serde::Serialize;

use crate::engine::exec;

/// The commit that is checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// 40 hexadecimal digits; none outside of a git repository or before the first commit.
    pub id: Option<String>,
    /// The tag on it; the first in git's order if there are several.
    pub tag: Option<String>,
    /// When it was committed, seconds since 1970.
    pub time: Option<i64>,
}

fn git(root: &Path, args: &[&str]) -> Result<Option<String>> {
    let mut command = Command::new("git");
    command.current_dir(root).args(args);
    let (ok, text) = exec::quiet(command)?;
    Ok(ok.then_some(text))
}

/// Reads HEAD; outside of a repository all is none.
pub fn head(root: &Path) -> Result<Commit> {
    let format = "--format=%H%n%ct%n%D";
    let text = git(
        root,
        &[
            "log",
            "-1",
            "--no-show-signature",
            "--decorate-refs=refs/tags",
            format,
        ],
    );
    let Some(text) = text? else {
        return Ok(Commit::default());
    };
    let mut lines = text.lines();
    let id = lines.next().map(str::to_owned);
    let time = lines.next().and_then(|it| it.parse().ok());
    let tags = lines.next().unwrap_or_default();
    let tag = tags
        .split(", ")
        .find_map(|it| it.strip_prefix("tag: "))
        .map(str::to_owned);
    Ok(Commit { id, tag, time })
}

/// Whether anything differs from HEAD, new files included. `leave_out` are folders, relative to
/// the root, that the build itself writes.
pub fn is_dirty(root: &Path, leave_out: &[String]) -> Result<bool> {
    let exclude: Vec<String> = leave_out
        .iter()
        .map(|it| format!(":(exclude){it}"))
        .collect();
    let mut args = vec!["status", "--porcelain", "--", "."];
    args.extend(exclude.iter().map(String::as_str));
    Ok(git(root, &args)?.is_none_or(|it| !it.trim().is_empty()))
}

/// Whether git tracks anything below a folder; false outside of a repository.
pub fn tracks(root: &Path, folder: &Path) -> Result<bool> {
    let folder = folder.to_string_lossy();
    Ok(git(root, &["ls-files", "--", &folder])?.is_some_and(|it| !it.trim().is_empty()))
}
