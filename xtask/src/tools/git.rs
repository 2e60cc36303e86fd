//! git: which source this is.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, bail, ensure};
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

/// How long git may look at a whole repository.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs git; gives whether it said yes, and what it printed.
fn git(root: &Path, args: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new("git");
    command
        .current_dir(root)
        .arg("--no-optional-locks")
        .args(args);
    exec::quiet_within(command, PATIENCE)
}

/// Whether the folder is in a repository, as far as the disk tells: if git itself says no then,
/// something is wrong that must not pass for "no repository".
fn is_repository(root: &Path) -> bool {
    root.ancestors().any(|it| it.join(".git").exists())
}

/// Reads HEAD; outside of a repository, and before its first commit, all is none.
///
/// # Errors
/// When git cannot read the repository, in its own words.
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
    let text = match text? {
        (true, text) => text,
        (false, text) if is_repository(root) && !text.contains("does not have any commits") => {
            bail!("git cannot read this repository: {}", text.trim());
        }
        _ => return Ok(Commit::default()),
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
    let mut args = vec![
        "status",
        "--porcelain",
        "--untracked-files=normal",
        "--",
        ".",
    ];
    args.extend(exclude.iter().map(String::as_str));
    let (ok, text) = git(root, &args)?;
    ensure!(
        ok,
        "git cannot tell whether the checkout is clean: {}",
        text.trim()
    );
    // Two letters and a space; anything else is a warning.
    Ok(text.lines().any(|it| it.as_bytes().get(2) == Some(&b' ')))
}

/// Whether git is sure to ignore a folder; false if it cannot tell.
pub fn ignores(root: &Path, folder: &Path) -> Result<bool> {
    let folder = folder.to_string_lossy();
    Ok(git(root, &["check-ignore", "--quiet", "--", &folder])?.0)
}
