//! Whether installers and archives hold the very executables that were signed and tried.

use std::{collections::BTreeMap, io::Read, path::Path};

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use fs_err as fs;

use super::{files::hash, report::Report};
use crate::manifest::Artifact;

/// Hash by path inside; `None` for what is no plain file, or comes twice.
type Inside = BTreeMap<String, Option<String>>;

/// Compares the recorded contents of an artifact with what it holds. Formats that are not read
/// become a note.
pub(super) fn check(folder: &Path, artifact: &Artifact, report: &mut Report) {
    if artifact.contents.is_empty() {
        return;
    }
    let inside = match read(&folder.join(&artifact.path), artifact) {
        Ok(Some(inside)) => inside,
        Ok(None) => {
            let name = &artifact.path;
            return report.note(format!("{name}: not looked into ({})", artifact.format));
        }
        Err(e) => {
            return report.check(&artifact.path, "contents", "readable", &format!("{e:#}"));
        }
    };
    for content in &artifact.contents {
        let check = format!("contents: {}", content.path);
        let actual = match inside.get(&content.path) {
            Some(Some(hash)) => hash,
            Some(None) => "not one plain file",
            None => "missing",
        };
        report.check(&artifact.path, &check, &content.sha256, actual);
    }
}

/// `None` if the format is not one that is read here.
fn read(path: &Path, artifact: &Artifact) -> Result<Option<Inside>> {
    let wanted = |path: &str| artifact.contents.iter().any(|content| content.path == path);
    match artifact.format.as_str() {
        "deb" => read_deb(path, &wanted),
        "tar.gz" => read_tar(MultiGzDecoder::new(fs::File::open(path)?), &wanted).map(Some),
        "zip" => read_zip(path, &wanted).map(Some),
        _ => Ok(None),
    }
}

/// A deb is an ar archive; the files are in its member `data.tar` with a suffix for the
/// compression (deb(5)). Tauri writes gzip; of the others only none at all is read.
fn read_deb(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Option<Inside>> {
    let mut archive = ar::Archive::new(fs::File::open(path)?);
    while let Some(member) = archive.next_entry() {
        let member = member?;
        match member.header().identifier() {
            b"data.tar.gz" => return read_tar(MultiGzDecoder::new(member), wanted).map(Some),
            b"data.tar" => return read_tar(member, wanted).map(Some),
            name if name.starts_with(b"data.tar") => return Ok(None),
            _ => {}
        }
    }
    bail!("a deb without data.tar")
}

fn read_tar(data: impl Read, wanted: &dyn Fn(&str) -> bool) -> Result<Inside> {
    let mut inside = Inside::new();
    for entry in tar::Archive::new(data).entries()? {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path
            .trim_start_matches("./")
            .trim_start_matches('/')
            .to_owned();
        if wanted(&path) {
            let plain = entry.header().entry_type().is_file() && !inside.contains_key(&path);
            let hash = if plain { Some(hash(entry)?) } else { None };
            inside.insert(path, hash);
        }
    }
    Ok(inside)
}

fn read_zip(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Inside> {
    let file = fs::File::open(path)?;
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file)).context("no zip")?;
    let mut inside = Inside::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let path = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if wanted(&path) {
            let plain = entry.is_file() && !entry.is_symlink() && !inside.contains_key(&path);
            let hash = if plain { Some(hash(entry)?) } else { None };
            inside.insert(path, hash);
        }
    }
    Ok(inside)
}
