//! What kind of file it is, and what its signature says, by its bytes: names lie, and so do the exit
//! codes of tools.

use std::{io::Read as _, path::Path, time::SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;
use xtask_signed::{
    Certificate, Signed, Trust,
    windows::{cab, msi, pe},
};

use crate::config::WindowsSigning;

/// A kind of file that carries such a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An executable, a library, an installer of NSIS.
    Pe,
    /// A package of Windows Installer, or another compound file.
    Msi,
    /// A cabinet.
    Cab,
}

impl Kind {
    /// Of a file; none if it carries no such signature.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(file: &Path) -> Result<Option<Self>> {
        /// Where the PE header's place stands in the old header.
        const PLACE: std::ops::Range<usize> = 0x3c..0x40;
        const OLD_HEADER: u64 = 64;
        let mut bytes = Vec::new();
        let mut opened = fs::File::open(file)?;
        (&mut opened).take(OLD_HEADER).read_to_end(&mut bytes)?;
        if bytes.starts_with(msi::MAGIC) {
            return Ok(Some(Self::Msi));
        }
        if bytes.starts_with(cab::MAGIC) {
            return Ok(Some(Self::Cab));
        }
        let place = bytes.get(PLACE).and_then(|it| <[u8; 4]>::try_from(it).ok());
        let Some(place) = place.filter(|_| bytes.starts_with(b"MZ")) else {
            return Ok(None);
        };
        // A program for DOS has no such header.
        let mut header = [0; 4];
        use std::io::Seek as _;
        opened.seek(std::io::SeekFrom::Start(u32::from_le_bytes(place).into()))?;
        let is_pe = opened.read_exact(&mut header).is_ok() && header == *b"PE\0\0";
        Ok(is_pe.then_some(Self::Pe))
    }
}

/// What the signatures in a file say; empty if it has none.
///
/// # Errors
/// The file is of another kind, or its signature cannot be read.
pub fn read(file: &Path, trust: &Trust) -> Result<Vec<Signed>> {
    let kind = Kind::of(file)?.context("no Windows executable, installer package or cabinet")?;
    let data = fs::read(file)?;
    Ok(match kind {
        Kind::Pe => pe::inspect(&data, trust)?,
        Kind::Msi => msi::inspect(&data, trust)?.into_iter().collect(),
        Kind::Cab => cab::inspect(&data, trust)?.into_iter().collect(),
    })
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
    Intact(Signed),
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
        Kind::of(file)?.context("no Windows executable, installer package or cabinet")?;
        let found = match read(file, &nobody) {
            Ok(found) => found,
            Err(error) => return Ok(Self::Broken(format!("{error:#}"))),
        };
        let Some(first) = found.into_iter().next() else {
            return Ok(Self::Unsigned);
        };
        if first.intact {
            return Ok(Self::Intact(first));
        }
        let why = first.problems.into_iter().next().unwrap_or_default();
        Ok(Self::Broken(why))
    }
}
