//! What is in the file, said before anything else in it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Owner;
use crate::{
    engine::{artifact::Artifact, journal::Record, staging},
    manifest::{check_path, is_sha256},
};

/// The version of the form. There are no migrations: what is of another one is made again.
pub(super) const VERSION: u32 = 1;

/// The name of the first entry.
pub(super) const NAME: &str = "index.json";

/// The longest index that is read, in bytes: a step with 10,000 files has two megabytes of it.
pub(super) const LONGEST: u64 = 64 << 20;

/// The most that the files may be together, in bytes.
const LARGEST: u64 = 32 << 30;

/// The most that DEFLATE makes of one byte (zlib's documentation: 1032 to 1).
const EXPANSION: u64 = 1032;

/// The first entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    /// [`VERSION`].
    pub state: u32,
    /// The version of the program that wrote it.
    pub xtask: String,
    /// The Rust target triple.
    pub target: String,
    /// The app's reverse domain name.
    pub identifier: String,
    /// The version of the product.
    pub version: String,
    /// The commit that was checked out; none if nobody knows.
    pub commit: Option<String>,
    /// When, in RFC 3339.
    pub exported: String,
    /// On what: `linux x86_64`.
    pub on: String,
    /// The finished steps.
    pub records: Vec<Record>,
    /// What explains the differences of source trees.
    pub lists: Vec<List>,
}

/// A list of the files in a source tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// Of the tree, 64 lower-case hex digits: the list's name.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Of the list itself.
    pub sha256: String,
}

/// A file whose bytes follow.
pub(super) struct Entry {
    /// Where it goes, below the folder of state; with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// Whether it may be executed.
    pub executable: bool,
}

impl Index {
    /// The files whose bytes follow, in their order.
    pub fn entries(&self) -> Vec<Entry> {
        let lists = self.lists.iter().map(|it| Entry {
            path: format!("inputs/{}.v1", it.digest),
            size: it.size,
            sha256: it.sha256.clone(),
            executable: false,
        });
        let of = |record: &Record| {
            let stage = stage(&record.step);
            let files = record.artifacts.iter().filter(|it| it.link.is_none());
            let entry = |it: &Artifact| Entry {
                path: format!("{stage}/{}", it.path),
                size: it.size,
                sha256: it.sha256.clone(),
                executable: it.executable,
            };
            files.map(entry).collect::<Vec<_>>()
        };
        lists.chain(self.records.iter().flat_map(of)).collect()
    }

    /// Whether it is of this program, this product, this target and this commit.
    ///
    /// # Errors
    /// It is not, and must not be used.
    pub fn refuse_foreign(&self, owner: &Owner, any_commit: bool) -> Result<()> {
        let own = crate::VERSION;
        ensure!(
            self.xtask == own,
            "it was written by xtask {}, and this is {own}: every step runs again anyway\n\
             hint: leave it out",
            self.xtask
        );
        ensure!(
            self.target == owner.target,
            "it is of the target {}, not {}\nhint: say --target {}",
            self.target,
            owner.target,
            self.target
        );
        ensure!(
            self.identifier == owner.identifier,
            "it is of the product {}, not {}\nhint: leave it out: what another app has built is of no use here",
            self.identifier,
            owner.identifier
        );
        if any_commit || (self.commit.is_some() && self.commit == owner.commit) {
            return Ok(());
        }
        let name = |it: &Option<String>| it.clone().unwrap_or_else(|| "no commit".to_owned());
        bail!(
            "it is of {}, and here is {}\n\
             hint: check out that commit; or say --any-commit, and what each step depends on decides",
            name(&self.commit),
            name(&owner.commit)
        );
    }

    /// Refuses what no honest file says. `packed` is the size of the whole file in bytes.
    ///
    /// # Errors
    /// It says so.
    pub fn check(&self, packed: u64) -> Result<()> {
        let mut stages = BTreeSet::new();
        for record in &self.records {
            let step = &record.step;
            let stage = stage(step).to_lowercase();
            ensure!(
                !step.is_empty() && stages.insert(stage),
                "it has the step `{step}` twice"
            );
            check_record(record).with_context(|| format!("its step {step}"))?;
        }
        let mut digests = BTreeSet::new();
        for list in &self.lists {
            let digest = &list.digest;
            let good = is_sha256(digest) && digests.insert(digest);
            ensure!(
                good,
                "its list `{}` has no good name",
                digest.escape_debug()
            );
        }
        let mut total: u64 = 0;
        for entry in self.entries() {
            ensure!(is_sha256(&entry.sha256), "{} has no SHA-256", entry.path);
            total = total.saturating_add(entry.size);
        }
        ensure!(
            total <= LARGEST && total <= packed.saturating_mul(EXPANSION),
            "it says that {total} bytes are in it, which cannot be: it has {packed} itself"
        );
        Ok(())
    }
}

/// Where a step's files lie, below the folder of state.
pub(super) fn stage(step: &str) -> String {
    format!("stages/{}", staging::file_name(step))
}

fn check_record(record: &Record) -> Result<()> {
    humantime::parse_rfc3339(&record.finished).context("its time")?;
    let links: BTreeSet<String> = record
        .artifacts
        .iter()
        .filter(|it| it.link.is_some())
        .map(|it| it.path.to_lowercase())
        .collect();
    let mut paths = BTreeSet::new();
    for artifact in &record.artifacts {
        let path = &artifact.path;
        ensure!(
            check_path(path).is_ok(),
            "`{}` is no path inside of its folder",
            path.escape_debug()
        );
        let lower = path.to_lowercase();
        let above = lower.match_indices('/').map(|(at, _)| &lower[..at]);
        for folder in above {
            let through = links.contains(folder);
            ensure!(!through, "`{path}` would be written through a link");
        }
        ensure!(paths.insert(path), "`{path}` is in it twice");
        if let Some(target) = &artifact.link {
            check_link(path, target)?;
        }
    }
    Ok(())
}

/// A link that stays in its step's folder, also if it leads through other links: it goes up first, in
/// folders that are none, and then only down.
fn check_link(path: &str, target: &str) -> Result<()> {
    let portable = !target.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'));
    let up = target.split('/').take_while(|it| *it == "..").count();
    let down = target.split('/').skip(up);
    let inside = portable
        && !target.is_empty()
        && up <= path.matches('/').count()
        && down.into_iter().all(|it| it != "..")
        && !target.starts_with('/');
    ensure!(
        inside,
        "the link `{path}` leads out of its folder, to `{}`",
        target.escape_debug()
    );
    Ok(())
}
