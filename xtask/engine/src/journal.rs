//! The durable record of which step finished, with which fingerprint and which artifacts.
//!
//! `target/dist/<target>/journal.v1.jsonl`: a header line, then a line a record; the last record of
//! a step counts. A line is sixteen hexadecimal digits of its JSON's SHA-256, a space, the JSON. A
//! last line that is cut short is what a crash leaves: it is dropped and the rest stands. Any
//! other damage, another version or another target means starting over, with a warning. There are
//! no migrations: the version is in the name.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{artifact::Artifact, files, fingerprint::Fingerprint};

/// Lines after which a journal is rewritten with only the records that count.
const COMPACT_AT: usize = 200;

/// The fact of a record that another machine made: the file that it came in, and in brackets when and
/// where that was written.
pub const IMPORTED: &str = "imported from";

/// What a finished step left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The step's name, `sidecar:analyzer` for one of several.
    pub step: String,
    /// Raised when the step's meaning changes.
    pub version: u32,
    /// Everything that decided the output.
    pub fingerprint: Fingerprint,
    /// All files of the stage folder, sorted by path.
    pub artifacts: Vec<Artifact>,
    /// The step's typed output.
    pub output: serde_json::Value,
    /// Why the step ran, in one line.
    pub why: String,
    /// Wall time.
    pub seconds: f64,
    /// RFC 3339, UTC.
    pub finished: String,
    /// What it ran, in order.
    pub commands: Vec<CommandRun>,
    /// Decisions, such as the freezer and why.
    pub facts: BTreeMap<String, String>,
}

impl Record {
    /// Size of all artifacts, bytes.
    pub fn bytes(&self) -> u64 {
        self.artifacts.iter().map(|it| it.size).sum()
    }

    /// The file that it came in from another machine, if any.
    pub fn imported(&self) -> Option<&str> {
        self.facts.get(IMPORTED)?.split(" (").next()
    }
}

/// A command that a step ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRun {
    /// As it can be pasted into a shell, secrets masked.
    pub command: String,
    /// `exit status: 0`.
    pub status: String,
    /// Wall time.
    pub seconds: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    journal: u32,
    target: String,
}

/// The records of one target.
pub struct Journal {
    path: PathBuf,
    header: Header,
    records: BTreeMap<String, Record>,
    lines: usize,
    /// The file holds just the lines that were read, so that a record can be appended.
    appendable: bool,
}

impl Journal {
    /// Reads the journal of a state folder. The text says what was wrong with it, if anything.
    pub fn open(state: &Path, target: &str) -> (Self, Option<String>) {
        let path = state.join("journal.v1.jsonl");
        let header = Header {
            journal: 1,
            target: target.to_owned(),
        };
        let mut journal = Self {
            path,
            header,
            records: BTreeMap::new(),
            lines: 0,
            appendable: false,
        };
        let bytes = match std::fs::read(&journal.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (journal, None),
            Err(error) => {
                return (
                    journal,
                    Some(format!("the journal cannot be read: {error}")),
                );
            }
        };
        let trouble = journal.read(&bytes).err().map(|error| {
            journal.records.clear();
            journal.appendable = false;
            format!("{} {error:#}; starting over", journal.path.display())
        });
        (journal, trouble)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(bytes);
        let whole = text.ends_with('\n');
        let lines: Vec<&str> = text.lines().collect();
        let (first, rest) = lines.split_first().context("is empty")?;
        let header: Header = parse(first).context("has a damaged first line")?;
        if header != self.header {
            anyhow::bail!(
                "belongs to target `{}`, version {}",
                header.target,
                header.journal
            );
        }
        self.appendable = whole;
        self.lines = rest.len();
        let mut last = BTreeMap::new();
        for (at, line) in rest.iter().enumerate() {
            match checked(line).and_then(|json| Ok((step_of(json)?, json))) {
                Ok((step, json)) => drop(last.insert(step, (at, json))),
                Err(_) if at + 1 == rest.len() && !whole => break,
                Err(error) => return Err(error.context(damaged(at))),
            }
        }
        // Most lines are superseded: only what counts is worth reading as a whole.
        for (step, (at, json)) in last {
            let record = serde_json::from_str(json).with_context(|| damaged(at))?;
            self.records.insert(step.to_owned(), record);
        }
        Ok(())
    }

    /// The last record of a step.
    pub fn get(&self, step: &str) -> Option<&Record> {
        self.records.get(step)
    }

    /// All records that count, by step name.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// Makes a record durable: when this returns, a crash cannot lose it.
    pub fn append(&mut self, record: Record) -> Result<()> {
        if !self.appendable || self.lines >= COMPACT_AT {
            self.records.insert(record.step.clone(), record);
            return self.rewrite();
        }
        let mut file = fs_err::OpenOptions::new().append(true).open(&self.path)?;
        let whole = file.metadata()?.len();
        // One write: a crash leaves the line or a part of it, never a mixture of two.
        let written = file
            .write_all(render(&record)?.as_bytes())
            .and_then(|()| file.sync_data());
        if let Err(error) = written {
            // The next record must not be glued to a part of this one, and may need its room.
            self.appendable = file.set_len(whole).is_ok();
            return Err(error).context("the journal cannot be written");
        }
        self.lines += 1;
        self.records.insert(record.step.clone(), record);
        Ok(())
    }

    /// Makes the records of another machine durable, all at once.
    pub fn adopt(&mut self, records: Vec<Record>) -> Result<()> {
        let by_step = records.into_iter().map(|it| (it.step.clone(), it));
        self.records.extend(by_step);
        self.rewrite()
    }

    /// Forgets a step, or all of them. The artifacts stay on disk.
    pub fn forget(&mut self, step: Option<&str>) -> Result<()> {
        match step {
            Some(step) => drop(self.records.remove(step)),
            None => self.records.clear(),
        }
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<()> {
        let mut text = render(&self.header)?;
        for record in self.records.values() {
            text += &render(record)?;
        }
        self.appendable = false;
        files::write_durably(&self.path, text.as_bytes())?;
        sync_folder(&self.path);
        self.lines = self.records.len();
        self.appendable = true;
        Ok(())
    }
}

/// The new name of a renamed file is durable only with its folder.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = std::fs::File::open(folder)
    {
        folder.sync_all().ok();
    }
}

fn render(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(format!("{} {json}\n", checksum(&json)))
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T> {
    Ok(serde_json::from_str(checked(line)?)?)
}

/// The JSON of a line whose checksum fits.
fn checked(line: &str) -> Result<&str> {
    let (sum, json) = line.split_once(' ').context("a line has no checksum")?;
    anyhow::ensure!(sum == checksum(json), "a checksum does not fit");
    Ok(json)
}

/// The step of a record's JSON, which is its first field: see [`Record`].
fn step_of(json: &str) -> Result<&str> {
    let rest = json.strip_prefix(r#"{"step":""#).context("is no record")?;
    Ok(rest.split('"').next().unwrap_or_default())
}

/// Which line it is: the header is the first.
fn damaged(at: usize) -> String {
    format!("is damaged in line {}", at + 2)
}

fn checksum(json: &str) -> String {
    files::hex(&Sha256::digest(json.as_bytes())[..8])
}
