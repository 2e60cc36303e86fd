//! Checks a release folder against its manifest, offline: what is there, what it holds, who signed.
//!
//! Nothing in the folder is believed before it is checked, and no link in it is followed. What is
//! wrong is a row of the report, not an error: one look shows everything.

mod archived;
mod contents;
mod files;
mod inside;
mod loose;
mod merged;
mod report;
mod scratch;
mod signatures;
mod trusted;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

pub(crate) use self::report::short;
use self::{
    files::{Found, parallel},
    signatures::Keys,
};
pub use self::{
    inside::{CodeTrust, Mark},
    loose::{read_again, verify_files},
    report::{Report, Row, Table},
};
use crate::{
    engine::files::sha256_file,
    manifest::{
        Artifact, Document, Files, Identity, MANIFEST_MINISIG, MANIFEST_NAME, Merged, NO_TIMESTAMP,
        SUMS_ASC, SUMS_MINISIG, SUMS_NAME, Sums,
    },
    tools::minisign::PublicKey,
};

/// Whom to believe.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Keys that may have signed, from `--key` or the configuration. With none, the manifest's own
    /// key is used, and the report says that the release is self-attested.
    pub public_keys: Vec<PublicKey>,
    /// A file with the publisher's exported OpenPGP key; without it `.asc` files are not checked.
    pub gpg_key: Option<PathBuf>,
    /// Whose code signatures count, from `--trust` or the configuration. Where nobody is named, only
    /// the manifest says who must have signed.
    pub code: CodeTrust,
    /// What whoever reads the report must know of whom he named, such as a list of revoked
    /// certificates that is out of date.
    pub warnings: Vec<String>,
    /// The least identity that will do. With the publisher's, every artifact whose format holds a
    /// code signature must have one, with a timestamp unless the manifest has [`NO_TIMESTAMP`](crate::manifest::NO_TIMESTAMP) among
    /// its gaps.
    pub require: Identity,
    /// Whether the manifest's own key will do for a release of the publisher, because it is held against one
    /// that is known otherwise.
    pub self_attested: bool,
    /// Whether installed apps look for updates: a signed release of all targets then has `latest.json`.
    pub updates: bool,
}

impl Trust {
    /// Whether whoever made the release must have been known before.
    fn refuses_self_attested(&self) -> bool {
        self.require == Identity::Release && !self.self_attested
    }
}

impl Default for Trust {
    /// Nobody in particular.
    fn default() -> Self {
        Self {
            public_keys: Vec::new(),
            gpg_key: None,
            code: CodeTrust::default(),
            warnings: Vec::new(),
            require: Identity::Unsigned,
            self_attested: false,
            updates: false,
        }
    }
}

/// What every check needs.
struct Release<'a> {
    folder: &'a Path,
    files: &'a Files,
    /// The manifest of a merged release, which `files` is made of.
    merged: Option<&'a Merged>,
    /// The text of the manifest is not kept: its hash is among these.
    hashes: &'a BTreeMap<String, String>,
    keys: &'a Keys,
    trust: &'a Trust,
}

impl Release<'_> {
    /// Whether the path is a readable regular file: what is not has its row already.
    fn has(&self, path: &str) -> bool {
        self.hashes.contains_key(path)
    }

    /// Whether the signatures inside of the file have no timestamp on purpose.
    fn wants_no_timestamp(&self, path: &str) -> bool {
        let says = |gaps: &[String]| gaps.iter().any(|it| it == NO_TIMESTAMP);
        let Some(merged) = self.merged else {
            return says(&self.files.gaps);
        };
        // What one target goes without, another need not.
        let has = |artifacts: &[Artifact]| artifacts.iter().any(|it| it.path == path);
        let parts = merged.targets.iter();
        parts
            .filter(|it| has(&it.artifacts))
            .all(|it| says(&it.gaps))
    }
}

/// Checks the release in a folder, or beside a `manifest.json`.
///
/// # Errors
/// When there is no such folder, a trusted key cannot be read, or a command cannot be started.
/// What is wrong with the release is in the report.
pub fn verify(path: &Path, trust: &Trust) -> Result<Report> {
    let folder = folder_of(path)?;
    let mut report = Report::new(folder);
    report.notes.extend(trust.warnings.iter().cloned());
    let found = files::walk(folder)?;
    let Some((files, merged)) = read_manifest(folder, &found, &mut report) else {
        return Ok(report);
    };
    let covered = covered(&files);
    let all: BTreeSet<&str> = covered.iter().copied().chain(uncovered(&files)).collect();
    check_presence(&found, &all, &mut report);
    let hashes = hash_all(folder, &found, &all, &mut report);
    let keys = Keys::new(&files, trust, &mut report);
    let release = Release {
        folder,
        files: &files,
        merged: merged.as_ref(),
        hashes: &hashes,
        keys: &keys,
        trust,
    };
    check_artifacts(&release, &mut report);
    check_sums(&release, &covered, &mut report);
    let parts = parallel(&files.artifacts, |artifact| {
        check_inside(&release, artifact)
    });
    for part in parts {
        report.absorb(part?);
    }
    signatures::of_release(&release, &mut report)?;
    merged::check(&release, &mut report)?;
    report.conclude(&files, &keys);
    Ok(report)
}

/// What the signatures inside of a file say; none if it has none.
///
/// # Errors
/// It cannot be read, or what is there is no signature at all.
pub fn marks(file: &Path, trust: &Trust) -> Result<Vec<Mark>> {
    inside::look(file, &file.display().to_string(), trust)
}

fn folder_of(path: &Path) -> Result<&Path> {
    if path.is_dir() {
        return Ok(path);
    }
    ensure!(
        path.exists(),
        "{} does not exist: give the release folder",
        path.display()
    );
    let named = path.file_name().is_some_and(|name| name == MANIFEST_NAME);
    ensure!(
        named,
        "{} is no release: give its folder or its {MANIFEST_NAME}",
        path.display()
    );
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    Ok(parent.unwrap_or(Path::new(".")))
}

fn read_manifest(
    folder: &Path,
    found: &BTreeMap<String, Found>,
    report: &mut Report,
) -> Option<(Files, Option<Merged>)> {
    let parsed = match found.get(MANIFEST_NAME) {
        Some(Found::File) => fs::read_to_string(folder.join(MANIFEST_NAME))
            .context("cannot be read")
            .and_then(|text| Document::parse(&text)),
        Some(Found::Other(what)) => Err(anyhow::anyhow!("a {what}")),
        None => Err(anyhow::anyhow!("missing")),
    };
    let actual = parsed.as_ref().err().map(|e| format!("{e:#}"));
    report.check(
        MANIFEST_NAME,
        "manifest",
        "readable",
        actual.as_deref().unwrap_or("readable"),
    );
    Some(match parsed.ok()? {
        Document::Release(manifest) => (Files::from(&*manifest), None),
        Document::Merged(merged) => (merged.files(), Some(*merged)),
    })
}

/// The files that `SHA256SUMS` must cover: all but itself and its signatures.
fn covered(files: &Files) -> BTreeSet<&str> {
    let artifacts = files
        .artifacts
        .iter()
        .map(|artifact| artifact.path.as_str());
    let signed = files.signing.minisign.is_some().then_some(MANIFEST_MINISIG);
    artifacts
        .chain(files.signature_files())
        .chain([MANIFEST_NAME])
        .chain(signed)
        .collect()
}

fn uncovered(files: &Files) -> impl Iterator<Item = &str> {
    let minisign = files.signing.minisign.is_some().then_some(SUMS_MINISIG);
    let gpg = files.signing.gpg.is_some().then_some(SUMS_ASC);
    [SUMS_NAME].into_iter().chain(minisign).chain(gpg)
}

fn check_presence(found: &BTreeMap<String, Found>, all: &BTreeSet<&str>, report: &mut Report) {
    for path in all {
        let actual = match found.get(*path) {
            Some(Found::File) => "file",
            Some(Found::Other(what)) => what,
            None => "missing",
        };
        report.check(path, "present", "file", actual);
    }
    for (path, what) in found
        .iter()
        .filter(|(path, _)| !all.contains(path.as_str()))
    {
        let actual = match what {
            Found::File => "extra file",
            Found::Other(what) => what,
        };
        report.check(path, "named", "in the manifest", actual);
    }
}

/// SHA-256 of every expected file that is there.
fn hash_all(
    folder: &Path,
    found: &BTreeMap<String, Found>,
    all: &BTreeSet<&str>,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let is_file = |path: &&str| matches!(found.get(*path), Some(Found::File));
    let paths: Vec<&str> = all.iter().copied().filter(is_file).collect();
    let hashed = parallel(&paths, |path| sha256_file(&folder.join(path)));
    let mut hashes = BTreeMap::new();
    for (path, hash) in paths.into_iter().zip(hashed) {
        match hash {
            Ok(hash) => drop(hashes.insert(path.to_owned(), hash)),
            Err(e) => report.check(path, "present", "readable", &format!("{e:#}")),
        }
    }
    hashes
}

fn check_artifacts(release: &Release<'_>, report: &mut Report) {
    for artifact in &release.files.artifacts {
        let Some(hash) = release.hashes.get(&artifact.path) else {
            continue;
        };
        let size = fs::metadata(release.folder.join(&artifact.path)).map_or(0, |m| m.len());
        let bytes = |size| format!("{size} bytes");
        report.check(&artifact.path, "size", &bytes(artifact.size), &bytes(size));
        report.check(&artifact.path, "sha256", &artifact.sha256, hash);
    }
}

/// What needs the whole artifact to be read again: its signatures and contents.
fn check_inside(release: &Release<'_>, artifact: &Artifact) -> Result<Report> {
    let mut report = Report::new(release.folder);
    signatures::of_artifact(release, artifact, &mut report)?;
    if release.has(&artifact.path) {
        contents::check(release.folder, artifact, &mut report);
        archived::of_release(release, artifact, &mut report)?;
    }
    Ok(report)
}

/// `SHA256SUMS` against the manifest for artifacts, against the bytes for all else it covers.
fn check_sums(release: &Release<'_>, covered: &BTreeSet<&str>, report: &mut Report) {
    if !release.has(SUMS_NAME) {
        return;
    }
    let text = fs::read_to_string(release.folder.join(SUMS_NAME)).map_err(anyhow::Error::from);
    let sums = match text.as_ref().map(|text| Sums::parse(text)) {
        Ok(Ok(sums)) => sums,
        Ok(Err(e)) => return report.check(SUMS_NAME, "form", "sha256sum's", &format!("{e:#}")),
        Err(e) => return report.check(SUMS_NAME, "form", "sha256sum's", &format!("{e:#}")),
    };
    let recorded: BTreeMap<&str, &str> = release
        .files
        .artifacts
        .iter()
        .map(|a| (a.path.as_str(), a.sha256.as_str()))
        .collect();
    for path in covered {
        let of_file = release.hashes.get(*path).map(String::as_str);
        // What is missing has its row already.
        let Some(expected) = recorded.get(path).copied().or(of_file) else {
            continue;
        };
        let listed = sums.0.get(*path).map_or("not listed", String::as_str);
        report.check(path, "SHA256SUMS", expected, listed);
    }
    for path in sums
        .0
        .keys()
        .filter(|path| !covered.contains(path.as_str()))
    {
        report.check(path, "SHA256SUMS", "not listed", "listed");
    }
    let same = text.is_ok_and(|text| text == sums.to_text());
    let actual = if same {
        "sorted, sha256sum's"
    } else {
        "written otherwise"
    };
    report.check(SUMS_NAME, "form", "sorted, sha256sum's", actual);
}
