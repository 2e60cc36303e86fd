//! What a file's signature says, by the file's bytes: the exit codes of tools lie.

use std::{path::Path, time::SystemTime};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use xtask_signed::{
    Certificate, Signed, Trust,
    chain::Revoked,
    digest::WEAK,
    windows::{cab, msi, pe},
};

use crate::{config::WindowsSigning, sign::format::Format, verify};

/// What the signatures in a file say; empty if it has none.
///
/// # Errors
/// The file is of another kind, or its signature cannot be read.
pub fn read(file: &Path, trust: &Trust) -> Result<Vec<Signed>> {
    let format = format_of(file)?;
    let data = fs::read(file)?;
    Ok(match format {
        Format::Msi => msi::inspect(&data, trust)?.into_iter().collect(),
        Format::Cab => cab::inspect(&data, trust)?.into_iter().collect(),
        _ => pe::inspect(&data, trust)?,
    })
}

/// Fails unless it is a kind of file that carries such a signature.
fn format_of(file: &Path) -> Result<Format> {
    let format = Format::of(file)?;
    ensure!(
        format.is_windows(),
        "{} is no Windows executable, installer package or cabinet",
        file.display()
    );
    Ok(format)
}

/// Whom the configuration trusts, now.
///
/// # Errors
/// A file of certificates cannot be read.
pub fn trust(config: &WindowsSigning) -> Result<Trust> {
    let read = |file: &Option<std::path::PathBuf>| match file {
        Some(file) => Certificate::read_all(file),
        None => Ok(Vec::new()),
    };
    Ok(Trust {
        anchors: read(&config.trust)?,
        timestamp_anchors: read(&config.timestamp_trust)?,
        revoked: revoked(config)?,
        now: SystemTime::now(),
    })
}

/// What authorities took back, as far as the configuration has their lists.
fn revoked(config: &WindowsSigning) -> Result<Vec<Revoked>> {
    let mut lists = verify::Trust::default();
    for file in &config.revoked {
        lists.add_file(file).context("sign.windows.revoked")?;
    }
    Ok(lists.code.revoked)
}

/// The first one; the next one that is good where that is made with SHA-1, for systems older than
/// Windows 8, which look at no other.
fn that_counts(found: Vec<Signed>) -> Option<Signed> {
    let is_weak = |it: &Signed| it.problems.iter().any(|it| it == WEAK);
    let better = match found.first() {
        Some(first) if is_weak(first) => found.iter().position(|it| it.problems.is_empty()),
        _ => None,
    };
    found.into_iter().nth(better.unwrap_or(0))
}

/// What is found on a file before it is signed.
#[derive(Clone, Debug)]
pub enum Before {
    /// No signature.
    Unsigned,
    /// A signature over just these bytes.
    Intact(Box<Signed>),
    /// Something that is no good signature, and why.
    Broken(String),
}

impl Before {
    /// Whom one trusts does not matter here: the owner of the certificate signed these bytes. What was
    /// revoked is a problem of the signature, as that it has expired.
    ///
    /// # Errors
    /// The file cannot be read, or is of another kind.
    pub fn of(file: &Path, config: &WindowsSigning) -> Result<Self> {
        let nobody = Trust {
            anchors: Vec::new(),
            timestamp_anchors: Vec::new(),
            revoked: revoked(config)?,
            now: SystemTime::now(),
        };
        format_of(file)?;
        let found = match read(file, &nobody) {
            Ok(found) => found,
            Err(error) => return Ok(Self::Broken(format!("{error:#}"))),
        };
        if let Some(broken) = found.iter().find(|it| !it.intact) {
            let why = broken.problems.first().cloned().unwrap_or_default();
            return Ok(Self::Broken(why));
        }
        Ok(match that_counts(found) {
            Some(it) => Self::Intact(Box::new(it)),
            None => Self::Unsigned,
        })
    }
}
