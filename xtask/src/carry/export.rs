//! Writes the finished steps of a target into one file.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use fs_err as fs;
use serde::Serialize;

use super::{
    Owner,
    index::{Entry, Index, List, NAME, VERSION},
};
use crate::engine::{
    artifact, exec,
    files::{HashingReader, StatCache, sha256_file},
    journal::{Journal, Record},
    staging,
};

/// A step that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its full name.
    pub step: String,
    /// The reason, as a part of a sentence.
    pub why: String,
}

/// What was written.
pub struct Exported {
    /// The steps, by full name.
    pub steps: Vec<String>,
    /// Steps that were left out.
    pub left_out: Vec<LeftOut>,
    /// Bytes of all files before they were packed.
    pub bytes: u64,
}

/// Writes the finished steps of a folder of state into `file`; if none has finished, there is no such file
/// afterwards. The caller holds the lock. A step whose files are not as recorded is left out.
///
/// # Errors
/// The journal is damaged, a file changes while it is read, or the disk is full; `file` is then as it
/// was.
pub fn export(state: &Path, owner: &Owner, file: &Path) -> Result<Exported> {
    let (journal, trouble) = Journal::open(state, &owner.target);
    ensure!(trouble.is_none(), "{}", trouble.unwrap_or_default());
    let (records, left_out) = intact(state, &journal)?;
    let index = Index {
        state: VERSION,
        xtask: crate::VERSION.to_owned(),
        target: owner.target.clone(),
        identifier: owner.identifier.clone(),
        version: owner.version.clone(),
        commit: owner.commit.clone(),
        exported: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        on: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        lists: lists(state, &records)?,
        records,
    };
    let entries = index.entries();
    let exported = Exported {
        steps: index.records.iter().map(|it| it.step.clone()).collect(),
        left_out,
        bytes: entries.iter().map(|it| it.size).sum(),
    };
    ensure!(
        !file.is_dir(),
        "{} is a folder\nhint: give the name of a file in it, such as state.tar.gz",
        file.display()
    );
    sweep(file)?;
    if exported.steps.is_empty() {
        // What is there would be taken for what has finished now.
        staging::remove(file)?;
        return Ok(exported);
    }
    let beside = beside(file, &std::process::id().to_string())?;
    let written =
        write(state, &index, &entries, &beside).and_then(|()| staging::replace(&beside, file));
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    written.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(exported)
}

/// Removes what killed runs left beside the file.
fn sweep(file: &Path) -> Result<()> {
    let folder = file.parent().context("the file lies in a folder")?;
    fs::create_dir_all(folder)?;
    let name = |it: &Path| {
        it.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let hidden = name(&beside(file, "")?);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let own = name(&path);
        let number = own.strip_prefix(&hidden);
        if number.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit())) {
            staging::remove(&path)?;
        }
    }
    Ok(())
}

/// The records whose files are what they say: each is read.
fn intact(state: &Path, journal: &Journal) -> Result<(Vec<Record>, Vec<LeftOut>)> {
    let (mut records, mut left_out) = (Vec::new(), Vec::new());
    let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
    for record in journal.records() {
        let stage = state.join(super::index::stage(&record.step));
        let damage = match stage.is_dir() {
            true => artifact::damage(&stage, &record.artifacts, &cache)?,
            false => Some("its files are gone".to_owned()),
        };
        match damage {
            Some(why) => left_out.push(LeftOut {
                step: record.step.clone(),
                why,
            }),
            None => records.push(record.clone()),
        }
    }
    Ok((records, left_out))
}

/// The lists that explain what changed in a source tree; that one is missing is no harm.
fn lists(state: &Path, records: &[Record]) -> Result<Vec<List>> {
    let values = records.iter().flat_map(|it| it.fingerprint.parts());
    let trees = values.filter(|it| it.0.starts_with("files "));
    let digests = trees.filter_map(|(_, text)| text.split(' ').next());
    let digests: BTreeSet<&str> = digests.collect();
    let mut lists = Vec::new();
    for digest in digests {
        let file = state.join("inputs").join(format!("{digest}.v1"));
        if file.is_file() {
            lists.push(List {
                digest: digest.to_owned(),
                size: fs::metadata(&file)?.len(),
                sha256: sha256_file(&file)?,
            });
        }
    }
    Ok(lists)
}

/// Where it is written until it is whole.
fn beside(file: &Path, id: &str) -> Result<PathBuf> {
    let name = file.file_name().context("the file has no name")?;
    Ok(file.with_file_name(format!(".{}.{id}", name.to_string_lossy())))
}

fn write(state: &Path, index: &Index, entries: &[Entry], into: &Path) -> Result<()> {
    // Mostly programs and packages: more effort would cost more time than it saves.
    let gzip = GzEncoder::new(fs::File::create(into)?, Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let json = serde_json::to_vec(index)?;
    append(&mut tar, NAME, json.len() as u64, &*json)?;
    for (number, entry) in entries.iter().enumerate() {
        let path = state.join(&entry.path);
        let mut file = HashingReader::new(fs::File::open(&path)?);
        append(&mut tar, &number.to_string(), entry.size, &mut file)?;
        ensure!(
            file.finish() == entry.sha256,
            "{} changed while it was read\nhint: what writes to it meanwhile must not",
            path.display()
        );
    }
    let file = tar.into_inner()?.finish()?;
    file.sync_all()?;
    Ok(())
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    data: impl Read,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, data.take(size))
}
