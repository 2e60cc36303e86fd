//! The releases that were given: where they lie, and whether each is what its maker left.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::Problem;
use crate::{
    engine::files::sha256_file,
    manifest::{Document, MANIFEST_NAME, Manifest},
    verify::{self, Trust},
};

/// How far below a given folder a release may lie: what downloads the files of a CI run makes a folder
/// for each job, and keeps folders in it.
const DEPTH: usize = 4;

/// A release of one target.
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of its manifest.
    pub manifest_sha256: String,
}

impl Found {
    /// What a person calls it.
    pub(super) fn name(&self) -> &str {
        &self.manifest.target.name
    }
}

/// Finds and verifies all releases in these folders, besides the one that the result replaces.
///
/// # Errors
/// A folder cannot be read, or a program that verifies cannot be started. What is wrong with a release
/// is a problem.
pub fn find(given: &[PathBuf], output: &Path, trust: &Trust) -> Result<(Vec<Found>, Vec<Problem>)> {
    let (mut found, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for path in given {
        let shown = path.display().to_string();
        if !path.is_dir() {
            let text = "is no folder: give a release as `dist` leaves it, or a folder of several";
            problems.push(Problem::new(&shown, "", text));
            continue;
        }
        let mut folders = Vec::new();
        look_into(path, DEPTH, &mut folders)?;
        if folders.is_empty() {
            let text = format!("holds no release: there is no {MANIFEST_NAME} in it or below");
            problems.push(Problem::new(&shown, "", text));
        }
        for folder in folders {
            // The same, given twice.
            let place = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            if !seen.insert(place) || is_output(&folder, output) {
                continue;
            }
            found.extend(read(&folder, trust, &mut problems)?);
        }
    }
    found.sort_by(|a, b| a.manifest.target.triple.cmp(&b.manifest.target.triple));
    Ok((found, problems))
}

/// All folders with a manifest; none below another. Links are not followed.
fn look_into(folder: &Path, depth: usize, folders: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join(MANIFEST_NAME).exists() {
        folders.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut below: Vec<PathBuf> = Vec::new();
    for entry in entries {
        // What begins with a dot is no release: among them is what a killed run left.
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if depth > 0 && !hidden && entry.file_type()?.is_dir() {
            below.push(entry.path());
        }
    }
    below.sort();
    below
        .iter()
        .try_for_each(|it| look_into(it, depth - 1, folders))
}

fn is_output(folder: &Path, output: &Path) -> bool {
    let place = |path: &Path| path.canonicalize().ok();
    place(output).is_some_and(|it| Some(it) == place(folder))
}

/// Verifies a release. One that is damaged is still given, so that it does not count as missing.
fn read(folder: &Path, trust: &Trust, problems: &mut Vec<Problem>) -> Result<Option<Found>> {
    let file = folder.join(MANIFEST_NAME);
    let shown = folder.display().to_string();
    let document = fs::read_to_string(&file)
        .context("cannot be read")
        .and_then(|text| Document::parse(&text));
    let manifest = match document {
        Ok(Document::Release(manifest)) => *manifest,
        Ok(Document::Merged(_)) => {
            let text = "is merged already: give the releases that it was made of";
            problems.push(Problem::new(&shown, "", text));
            return Ok(None);
        }
        Err(error) => {
            problems.push(Problem::new(&shown, MANIFEST_NAME, format!("{error:#}")));
            return Ok(None);
        }
    };
    let name = manifest.target.name.clone();
    let report = verify::verify(folder, trust)?;
    for row in report.wrong() {
        let (actual, expected) = (verify::short(&row.actual), verify::short(&row.expected));
        let text = format!("{}: {actual}, expected {expected}", row.check);
        problems.push(Problem::new(&name, &row.file, text));
    }
    Ok(Some(Found {
        folder: folder.to_owned(),
        manifest_sha256: sha256_file(&file)?,
        manifest,
    }))
}
