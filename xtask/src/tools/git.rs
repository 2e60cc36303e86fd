//! git: which source this is.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::engine::{
    exec,
    probe::{Probe, Probes},
};

/// The commit that is checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// 40 hexadecimal digits; none outside of a git repository or before the first commit.
    pub id: Option<String>,
    /// A tag on it; the first in git's order if there are several.
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

/// What `git log` is asked: id, time and the names that point there, in one line.
const HEAD: [&str; 5] = [
    "log",
    "-1",
    "--no-show-signature",
    "--decorate-refs=refs/tags",
    "--format=%H %ct %D",
];

/// Reads HEAD; outside of a repository, and before its first commit, all is none. The answer is
/// kept for as long as the files are the same in which git keeps HEAD, its branch and the tags.
///
/// # Errors
/// When git cannot read the repository, in its own words.
pub fn head(root: &Path, probes: &Probes) -> Result<Commit> {
    Ok(parse_head(&head_line(root, probes)?))
}

/// All tags of the commit that is checked out, in git's order. Asks nothing that [`head`] did not.
///
/// # Errors
/// As for [`head`].
pub fn tags(root: &Path, probes: &Probes) -> Result<Vec<String>> {
    let line = head_line(root, probes)?;
    Ok(tags_in(&line).map(str::to_owned).collect())
}

/// The line that [`HEAD`] asks for; empty where there is no commit.
fn head_line(root: &Path, probes: &Probes) -> Result<String> {
    if let Some(watch) = head_files(root) {
        let mut probe = Probe::new("git", HEAD);
        (probe.dir, probe.watch) = (root.to_owned(), watch);
        if let Ok(answer) = probes.version(&probe) {
            return Ok(answer.version);
        }
    }
    match git(root, &HEAD)? {
        (true, text) => Ok(text),
        (false, text) if is_repository(root) && !text.contains("does not have any commits") => {
            bail!("git cannot read this repository: {}", text.trim());
        }
        _ => Ok(String::new()),
    }
}

/// The files that HEAD depends on, in a repository with a plain `.git` folder; none where another
/// layout (a worktree, a submodule, reftable) keeps them elsewhere.
fn head_files(root: &Path) -> Option<Vec<PathBuf>> {
    let git = root.join(".git");
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    if git.join("reftable").exists() {
        return None;
    }
    let mut files = vec![
        git.join("HEAD"),
        git.join("packed-refs"),
        git.join("refs/tags"),
    ];
    files.extend(
        head.trim()
            .strip_prefix("ref: ")
            .map(|branch| git.join(branch)),
    );
    // Tags with a slash in their names lie deeper.
    let mut folders = vec![git.join("refs/tags")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            files.push(entry.path());
            folders.extend(entry.file_type().ok()?.is_dir().then(|| entry.path()));
        }
    }
    Some(files)
}

fn parse_head(line: &str) -> Commit {
    let mut words = line.trim().splitn(3, ' ');
    let id = words.next().filter(|it| !it.is_empty()).map(str::to_owned);
    let time = words.next().and_then(|it| it.parse().ok());
    let tag = tags_in(line).next().map(str::to_owned);
    Commit { id, tag, time }
}

/// What stands behind id and time: no name has a space in it.
fn tags_in(line: &str) -> impl Iterator<Item = &str> {
    let names = line.trim().splitn(3, ' ').nth(2).unwrap_or_default();
    names.split(", ").filter_map(|it| it.strip_prefix("tag: "))
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
