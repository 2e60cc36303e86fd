//! What was checked, and how it is shown.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    inside::{self, Mark},
    signatures::Keys,
};
use crate::manifest::{Artifact, Files, Identity};

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Relative to the release folder, with `/`.
    pub file: String,
    /// What was compared: `present`, `size`, `sha256`, `SHA256SUMS`, a kind of signature, …
    pub check: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// Whether they are the same.
    pub ok: bool,
}

/// Everything that was checked in a release.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The release folder.
    pub folder: PathBuf,
    /// All comparisons, also those that went well.
    pub rows: Vec<Row>,
    /// What the reader must know besides: who vouches, what was not looked at.
    pub notes: Vec<String>,
    /// Who signed, as a part of a sentence; empty if the manifest could not be read.
    pub signed: String,
    /// The manifest's files, for the table of a good release.
    pub artifacts: Vec<Artifact>,
    /// Every signature that was looked at.
    pub marks: Vec<Mark>,
    /// How many files were looked at that belong to no release.
    #[serde(skip)]
    pub(super) loose: usize,
    /// Whether the signatures were compared with somebody who is trusted, or with what a release
    /// says of itself.
    #[serde(skip)]
    pub(super) vouched: bool,
}

/// Lays out a table: its head, its rows.
pub type Table<'a> = &'a dyn Fn(&[&str], &[Vec<String>]) -> String;

impl Report {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            rows: Vec::new(),
            notes: Vec::new(),
            signed: String::new(),
            artifacts: Vec::new(),
            marks: Vec::new(),
            loose: 0,
            vouched: true,
        }
    }

    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.wrong().next().is_none()
    }

    /// The comparisons that failed.
    pub fn wrong(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.ok)
    }

    /// What is wrong, or if nothing is, the files; then the notes and one line that sums up.
    pub fn render(&self, table: Table<'_>) -> String {
        let mut parts = Vec::new();
        if self.ok() && self.loose == 0 {
            parts.push(self.files(table));
        }
        if (self.ok() || self.loose > 0) && !self.marks.is_empty() {
            parts.push(self.signatures(table));
        }
        if !self.ok() {
            parts.push(self.differences(table));
        }
        let mut text = parts.join("\n");
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// The one line.
    pub fn summary(&self) -> String {
        let (wrong, all) = (self.wrong().count(), self.rows.len());
        match wrong {
            0 => {
                let checks = if all == 1 { "check" } else { "checks" };
                let (files, signed) = (self.count(), &self.signed);
                let verified = if self.vouched {
                    "verified"
                } else {
                    "signed, not verified"
                };
                format!("{verified}: {files}, {all} {checks} passed, {signed}")
            }
            _ if self.loose > 0 => format!("NOT verified: {wrong} of {all} checks failed"),
            _ => format!(
                "NOT verified: {wrong} of {all} checks failed in {}",
                self.folder.display()
            ),
        }
    }

    pub(super) fn check(&mut self, file: &str, check: &str, expected: &str, actual: &str) {
        self.rows.push(Row {
            file: file.to_owned(),
            check: check.to_owned(),
            expected: expected.to_owned(),
            actual: actual.to_owned(),
            ok: expected == actual,
        });
    }

    /// Adds a signature to the table.
    pub(super) fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Adds what is wrong with a signature, or that nothing is; nothing where only its form was
    /// looked at.
    pub(super) fn check_mark(&mut self, mark: &Mark, check: &str) {
        const GOOD: &str = "good signature";
        if mark.problems.is_empty() && mark.calculated {
            self.check(&mark.file, check, GOOD, GOOD);
        }
        for problem in &mark.problems {
            self.check(&mark.file, check, GOOD, problem);
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(super) fn absorb(&mut self, part: Self) {
        self.rows.extend(part.rows);
        self.notes.extend(part.notes);
        self.marks.extend(part.marks);
    }

    /// Adds who vouches, and what a reader might overlook.
    pub(super) fn conclude(&mut self, files: &Files, keys: &Keys) {
        self.artifacts.clone_from(&files.artifacts);
        let identity = files.signing.identity.as_str();
        let by = if keys.trusted {
            "trusted"
        } else {
            "self-attested"
        };
        self.signed = match (&files.signing.minisign, &files.signing.gpg) {
            (Some(key), _) => format!("{by} {identity} key {}", key.key_id),
            (None, Some(key)) => format!("{identity} GPG key {}", key.fingerprint),
            (None, None) => identity.to_owned(),
        };
        match files.signing.identity {
            Identity::Unsigned => self.note(
                "unsigned: the checksums find accidents, not someone who replaces all files".into(),
            ),
            Identity::Development => self.note(
                "development signature: a key made by the building machine, it vouches for nothing"
                    .into(),
            ),
            Identity::Release => {}
        }
        if files.signing.minisign.is_some() && !keys.trusted {
            self.note(
                "self-attested: no trusted key given, checked with the manifest's own".into(),
            );
        }
        for gap in &files.gaps {
            self.note(format!("gap: {gap}"));
        }
    }

    fn count(&self) -> String {
        match self.artifacts.len().max(self.loose) {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        }
    }

    fn differences(&self, table: Table<'_>) -> String {
        let row = |row: &Row| {
            vec![
                row.file.clone(),
                row.check.clone(),
                short(&row.expected),
                short(&row.actual),
            ]
        };
        let rows: Vec<_> = self.wrong().map(row).collect();
        table(&["file", "check", "expected", "actual"], &rows)
    }

    fn signatures(&self, table: Table<'_>) -> String {
        let rows: Vec<_> = self.marks.iter().map(Mark::cells).collect();
        table(&inside::COLUMNS, &rows)
    }

    fn files(&self, table: Table<'_>) -> String {
        let row = |artifact: &Artifact| {
            let kinds = artifact.signatures.iter().map(|s| s.kind.as_str());
            vec![
                artifact.path.clone(),
                artifact.kind.as_str().to_owned(),
                size(artifact.size),
                short(&artifact.sha256),
                kinds.collect::<Vec<_>>().join(", "),
            ]
        };
        let rows: Vec<_> = self.artifacts.iter().map(row).collect();
        table(&["file", "kind", "size", "sha256", "signatures"], &rows)
    }
}

/// A hash is told apart by its beginning; two of 64 digits make a table unreadable.
pub(crate) fn short(text: &str) -> String {
    if crate::manifest::is_sha256(text) {
        format!("{}…", &text[..12])
    } else {
        text.to_owned()
    }
}

/// In decimal units, as download pages show it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
