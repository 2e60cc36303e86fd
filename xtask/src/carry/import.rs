//! Takes finished steps from a file, if every byte of it is what it says.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use flate2::read::MultiGzDecoder;
use fs_err as fs;
use serde::Serialize;

use super::{
    Owner,
    index::{Entry, Index, LONGEST, NAME, VERSION, stage},
};
use crate::{
    engine::{
        artifact, exec,
        files::{StatCache, sha256_file},
        journal::{IMPORTED, Journal, Record},
        staging::{self, Staging},
    },
    steps::link_to,
};

/// What became of a step in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was taken.
    Imported,
    /// The one that is recorded here is as it is.
    Same,
    /// The one that is recorded here is newer, and was kept.
    Kept,
}

impl Verdict {
    /// One word for a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Same => "same",
            Self::Kept => "kept",
        }
    }
}

/// A step in the file.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// Its full name.
    pub step: String,
    /// What became of it.
    pub outcome: Verdict,
}

/// What was in the file.
pub struct Imported {
    /// Each step.
    pub steps: Vec<Taken>,
    /// Of which commit.
    pub commit: Option<String>,
    /// When it was written, in RFC 3339, and on what.
    pub exported: (String, String),
    /// What was wrong with the journal here, if anything.
    pub trouble: Option<String>,
}

/// Takes the finished steps in `file` into a folder of state. The caller holds the lock. All are read
/// and checked before the first takes its place.
///
/// # Errors
/// It is of another program, product, target or commit, it is damaged, or says more than it should;
/// nothing was taken then.
pub fn import(
    state: &Path,
    owner: &Owner,
    file: &Path,
    replace: bool,
    any_commit: bool,
) -> Result<Imported> {
    let (mut journal, trouble) = Journal::open(state, &owner.target);
    let staging = state.join("staging");
    staging::clear(&staging)?;
    let unpacked = Staging::create(&staging, "import")?;
    let index =
        unpack(file, owner, any_commit, unpacked.path()).map_err(|it| not_imported(file, it))?;
    let verdict = |record: &Record| -> Result<_> {
        let outcome = judge(state, &journal, record, replace)?;
        let step = record.step.clone();
        Ok(Taken { step, outcome })
    };
    let steps: Vec<_> = index.records.iter().map(verdict).collect::<Result<_>>()?;
    let taken = index.records.iter().zip(&steps);
    let taken = taken.filter(|(_, it)| it.outcome == Verdict::Imported);
    let mut records: Vec<Record> = taken.map(|(record, _)| record.clone()).collect();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    for (number, record) in records.iter_mut().enumerate() {
        let origin = format!("{name} ({} on {})", index.exported, index.on);
        record.facts.insert(IMPORTED.to_owned(), origin);
        let stage = stage(&record.step);
        let old = unpacked.path().join(format!("old.{number}"));
        put(&unpacked.path().join(&stage), &state.join(&stage), &old)?;
    }
    let lists = state.join("inputs");
    fs::create_dir_all(&lists)?;
    for list in &index.lists {
        let name = format!("{}.v1", list.digest);
        // The name says what is in it: what is here is the same, and was not carried.
        if !lists.join(&name).exists() {
            staging::replace(
                &unpacked.path().join("inputs").join(&name),
                &lists.join(name),
            )?;
        }
    }
    // A crash before this leaves other files under the old records: those steps run again.
    if !records.is_empty() {
        journal.adopt(records)?;
    }
    Ok(Imported {
        steps,
        commit: index.commit,
        exported: (index.exported, index.on),
        trouble,
    })
}

/// Says what to do about the file, unless the cause does.
fn not_imported(file: &Path, cause: anyhow::Error) -> anyhow::Error {
    let mut text = format!("{} is not imported", file.display());
    if !format!("{cause:#}").contains("\nhint: ") {
        text += "\nhint: make another with `cargo xtask state export`, or go on without: all steps run then";
    }
    cause.context(text)
}

/// Puts a folder in the place of another one.
fn put(new: &Path, place: &Path, old: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    if fs::symlink_metadata(place).is_ok() {
        staging::replace(place, old)?;
    }
    staging::replace(new, place)
}

/// Whether a step is taken. What is recorded here counts only as long as its files are whole.
fn judge(state: &Path, journal: &Journal, record: &Record, replace: bool) -> Result<Verdict> {
    let Some(own) = journal.get(&record.step) else {
        return Ok(Verdict::Imported);
    };
    let folder = state.join(stage(&own.step));
    let whole =
        folder.is_dir() && artifact::damage(&folder, &own.artifacts, &untrusting())?.is_none();
    let alike = |it: &Record| {
        let Record {
            version,
            fingerprint,
            artifacts,
            output,
            ..
        } = it.clone();
        (version, fingerprint, artifacts, output)
    };
    Ok(match () {
        () if !whole => Verdict::Imported,
        () if alike(own) == alike(record) => Verdict::Same,
        () if own.finished >= record.finished && !replace => Verdict::Kept,
        () => Verdict::Imported,
    })
}

/// Reads every file.
fn untrusting() -> StatCache {
    StatCache::open(PathBuf::new(), true, exec::quiet)
}

/// Reads all of it into an empty folder, and checks it.
fn unpack(file: &Path, owner: &Owner, any_commit: bool, into: &Path) -> Result<Index> {
    let packed = fs::File::open(file)?;
    let size = packed.metadata()?.len();
    let mut tar = tar::Archive::new(MultiGzDecoder::new(packed));
    // Raw: an entry is what its own header says, and nothing else.
    let mut entries = tar.entries()?.raw(true);
    let mut next = |name: &str| -> Result<_> {
        let entry = entries.next().context("it ends too early")??;
        let header = entry.header();
        ensure!(
            *entry.path_bytes() == *name.as_bytes(),
            "where {name} should be, it has `{}`",
            String::from_utf8_lossy(&entry.path_bytes()).escape_debug()
        );
        ensure!(header.entry_type().is_file(), "its entry {name} is no file");
        Ok(entry)
    };
    let first = next(NAME)?;
    ensure!(first.size() <= LONGEST, "its index is too long");
    let index = read_index(first)?;
    index.refuse_foreign(owner, any_commit)?;
    index.check(size)?;
    for (number, entry) in index.entries().iter().enumerate() {
        let data = next(&number.to_string())?;
        ensure!(
            data.size() == entry.size,
            "{} has {} bytes, and should have {}",
            entry.path,
            data.size(),
            entry.size
        );
        write(data, entry, into)?;
    }
    ensure!(entries.next().is_none(), "it has more in it than it says");
    refuse_more(tar.into_inner())?;
    for record in &index.records {
        let folder = into.join(stage(&record.step));
        fs::create_dir_all(&folder)?;
        for artifact in &record.artifacts {
            if let Some(target) = &artifact.link {
                link_to(target, &folder.join(&artifact.path))?;
            }
        }
        let damage = artifact::damage(&folder, &record.artifacts, &untrusting())?;
        ensure!(
            damage.is_none(),
            "step {}: {}; this machine keeps files in another way, or its record is wrong",
            record.step,
            damage.unwrap_or_default()
        );
    }
    Ok(index)
}

/// Reads to the end, past the padding of the form: only then are all checksums compared.
fn refuse_more(rest: impl Read) -> Result<()> {
    const PADDING: u64 = 1 << 20;
    let mut padding = Vec::new();
    rest.take(PADDING + 1).read_to_end(&mut padding)?;
    let empty = padding.len() as u64 <= PADDING && padding.iter().all(|it| *it == 0);
    ensure!(empty, "it has more in it than it says");
    Ok(())
}

fn read_index(mut entry: impl Read) -> Result<Index> {
    let mut text = String::new();
    entry.read_to_string(&mut text).context("its index")?;
    let value: serde_json::Value = serde_json::from_str(&text).context("its index")?;
    let version = &value["state"];
    ensure!(
        *version == VERSION,
        "it is of version {version}, and this program reads {VERSION}\nhint: leave it out"
    );
    serde_json::from_value(value).context("its index")
}

/// Says who may execute it.
#[cfg(unix)]
fn mark(path: &Path, executable: bool) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if executable { 0o755 } else { 0o644 };
    Ok(fs::set_permissions(path, PermissionsExt::from_mode(mode))?)
}

/// Nobody says so there; what was recorded elsewhere is refused when all files are compared.
#[cfg(not(unix))]
fn mark(_: &Path, _: bool) -> Result<()> {
    Ok(())
}

fn write(mut data: impl Read, entry: &Entry, into: &Path) -> Result<()> {
    let path = into.join(&entry.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create_new(&path)?;
    std::io::copy(&mut data, &mut file).with_context(|| entry.path.clone())?;
    drop(file);
    mark(&path, entry.executable)?;
    ensure!(
        sha256_file(&path)? == entry.sha256,
        "{} is not what was recorded: its SHA-256 is another",
        entry.path
    );
    Ok(())
}
