//! Programs that were signed before. A step begins anew when a timestamp server ends it half-way, or
//! when one of a hundred libraries changed; what is signed already need not be signed again: each
//! signature may cost money, a touch on a token, and other bytes for all that come after.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::Result;
use fs_err as fs;
use sha2::{Digest as _, Sha256};

use super::Policy;
use crate::{
    engine::{files::hex, staging, step::Context},
    sign::windows::{Made, Signer},
};

/// Signed copies in a folder of the cache.
pub(super) struct Kept {
    folder: PathBuf,
    /// Who signs, and how.
    how: String,
    used: BTreeSet<String>,
}

impl Kept {
    /// What this key signed in this way.
    pub(super) fn of(signer: &Signer, policy: Option<&Policy>, cx: &Context) -> Result<Self> {
        let key = signer.identity_input(cx)?;
        Ok(Self {
            folder: cx.cache("signed-for-windows")?,
            how: format!("{key} {}", serde_json::to_string(&policy)?),
            used: BTreeSet::new(),
        })
    }

    /// The name under which a file is kept, by its bytes before they are signed.
    pub(super) fn name(&self, file: &Path) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(&self.how);
        hash.update(fs::read(file)?);
        Ok(hex(&hash.finalize()))
    }

    /// Puts the signed copy in the file's place, if there is one and it is still good.
    pub(super) fn take(
        &mut self,
        name: &str,
        signer: &Signer,
        file: &Path,
    ) -> Result<Option<Made>> {
        let copy = self.folder.join(name);
        self.used.insert(name.to_owned());
        if !copy.is_file() {
            return Ok(None);
        }
        // Whatever lies in a cache may have come from anywhere.
        let is_same = differ_only_by_signature(&fs::read(file)?, &fs::read(&copy)?);
        let Some(made) = signer.still_good(&copy)?.filter(|_| is_same) else {
            return Ok(None);
        };
        let mode = fs::metadata(file)?.permissions();
        fs::copy(&copy, file)?;
        fs::set_permissions(file, mode)?;
        Ok(Some(made))
    }

    /// Keeps a file that was signed just now.
    pub(super) fn add(&self, name: &str, signed: &Path) -> Result<()> {
        let half = self.folder.join(format!("{name}.half"));
        fs::copy(signed, &half)?;
        Ok(fs::rename(half, self.folder.join(name))?)
    }

    /// Forgets what this run had no use for.
    pub(super) fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !self.used.contains(&*entry.file_name().to_string_lossy()) {
                staging::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Whether a signed program is the unsigned one, but for what signing writes: the checksum, where the
/// signature lies, and the signature behind the end.
fn differ_only_by_signature(unsigned: &[u8], signed: &[u8]) -> bool {
    let Some([checksum, place]) = fields(unsigned) else {
        return false;
    };
    let Some(start) = signed.get(..unsigned.len()) else {
        return false;
    };
    let parts = [
        0..checksum.start,
        checksum.end..place.start,
        place.end..unsigned.len(),
    ];
    parts
        .into_iter()
        .all(|it| unsigned.get(it.clone()) == start.get(it))
}

/// Where the checksum and the directory entry of the signature stand in the headers.
fn fields(program: &[u8]) -> Option<[Range<usize>; 2]> {
    const PE32_PLUS: u16 = 0x20b;
    let word = |at: usize| {
        Some(u16::from_le_bytes(
            program.get(at..at + 2)?.try_into().ok()?,
        ))
    };
    let header = program.get(0x3c..0x40)?.try_into().ok()?;
    let optional = usize::try_from(u32::from_le_bytes(header))
        .ok()?
        .checked_add(24)?;
    let directories = optional
        + if word(optional)? == PE32_PLUS {
            112
        } else {
            96
        };
    let (checksum, place) = (optional + 64, directories + 4 * 8);
    (place + 8 <= program.len()).then_some([checksum..checksum + 4, place..place + 8])
}
