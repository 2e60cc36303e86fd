//! Writes the finished steps of a target into one file.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use fs_err as fs;

use super::{
    Owner,
    index::{Entry, Index, List, NAME, VERSION},
};
use crate::engine::{
    artifact, exec,
    files::{StatCache, hash_file, hex},
    journal::{Journal, Record},
};

/// A step that was left out, by full name, and the reason.
pub type LeftOut = (String, String);

/// What was written.
pub struct Exported {
    /// The steps, by full name.
    pub steps: Vec<String>,
    /// Steps that were left out.
    pub left_out: Vec<LeftOut>,
    /// Bytes of all files before they were packed.
    pub bytes: u64,
}

/// Writes the finished steps of a folder of state into `file`; nothing if none has finished. The caller
/// holds the lock. A step whose files are not as recorded is left out.
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
        xtask: env!("CARGO_PKG_VERSION").to_owned(),
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
    if exported.steps.is_empty() {
        return Ok(exported);
    }
    let beside = beside(file)?;
    let written =
        write(state, &index, &entries, &beside).and_then(|()| Ok(fs::rename(&beside, file)?));
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    written.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(exported)
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
            Some(damage) => left_out.push((record.step.clone(), damage)),
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
                sha256: hex(&hash_file(&file)?),
            });
        }
    }
    Ok(lists)
}

fn beside(file: &Path) -> Result<PathBuf> {
    let name = file.file_name().context("the file has no name")?;
    let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(file.with_file_name(name))
}

fn write(state: &Path, index: &Index, entries: &[Entry], into: &Path) -> Result<()> {
    // Mostly programs and packages: more effort would cost more time than it saves.
    let gzip = GzEncoder::new(fs::File::create(into)?, Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let json = serde_json::to_vec(index)?;
    append(&mut tar, NAME, json.len() as u64, &*json)?;
    for (number, entry) in entries.iter().enumerate() {
        let path = state.join(&entry.path);
        let file = fs::File::open(&path)?;
        let read = Hashed::new(file);
        let hash = append(&mut tar, &number.to_string(), entry.size, read)?;
        ensure!(
            hash == entry.sha256,
            "{} changed while it was read\nhint: what writes to it meanwhile must not",
            path.display()
        );
    }
    let file = tar.into_inner()?.finish()?;
    file.sync_all()?;
    Ok(())
}

/// What gives bytes, and at the end says what they were.
trait Data: std::io::Read {
    fn hash(self) -> String;
}

impl Data for &[u8] {
    fn hash(self) -> String {
        String::new()
    }
}

/// A file that is hashed while it is read.
struct Hashed {
    file: fs::File,
    hasher: sha2::Sha256,
}

impl Hashed {
    fn new(file: fs::File) -> Self {
        let hasher = sha2::Digest::new();
        Self { file, hasher }
    }
}

impl std::io::Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        sha2::Digest::update(&mut self.hasher, &buffer[..n]);
        Ok(n)
    }
}

impl Data for Hashed {
    fn hash(self) -> String {
        hex(&sha2::Digest::finalize(self.hasher))
    }
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    mut data: impl Data,
) -> Result<String> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, std::io::Read::take(&mut data, size))?;
    Ok(data.hash())
}
