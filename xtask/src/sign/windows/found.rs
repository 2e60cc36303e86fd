//! What a file's signature says, by the file's bytes: the exit codes of tools lie.

use std::{path::Path, time::SystemTime};

use anyhow::{Result, ensure};
use fs_err as fs;
use xtask_signed::{
    Certificate, Signed, Trust,
    windows::{cab, msi, pe},
};

use crate::{config::WindowsSigning, sign::format::Format};

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
        revoked: Vec::new(),
        now: SystemTime::now(),
    })
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
    /// Whom one trusts does not matter here, nor whether a certificate has expired since: the owner of
    /// the certificate signed these bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is of another kind.
    pub fn of(file: &Path) -> Result<Self> {
        let nobody = Trust {
            anchors: Vec::new(),
            timestamp_anchors: Vec::new(),
            revoked: Vec::new(),
            now: SystemTime::now(),
        };
        format_of(file)?;
        let found = match read(file, &nobody) {
            Ok(found) => found,
            Err(error) => return Ok(Self::Broken(format!("{error:#}"))),
        };
        let Some(first) = found.into_iter().next() else {
            return Ok(Self::Unsigned);
        };
        if first.intact {
            return Ok(Self::Intact(Box::new(first)));
        }
        let why = first.problems.into_iter().next().unwrap_or_default();
        Ok(Self::Broken(why))
    }
}
