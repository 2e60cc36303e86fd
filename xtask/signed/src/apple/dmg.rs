//! Disk images: their last 512 bytes say where everything lies, the signature too (the `koly` block
//! of `libdmg`).

use anyhow::{Context as _, Result, ensure};

use super::{Inspected, Seals, inspect as inspect_code};
use crate::{Format, Trust};

/// The size of the trailer.
const TRAILER: usize = 512;
/// With which it begins.
const MAGIC: &[u8] = b"koly";
/// Where the signature's place and size stand in it, 8 bytes each, the first byte the highest.
const PLACE: usize = 296;
const SIZE: usize = 304;

/// Whether this is the end of a disk image.
pub fn is_one(data: &[u8]) -> bool {
    let start = data.len().checked_sub(TRAILER);
    start.is_some_and(|it| data[it..].starts_with(MAGIC))
}

/// What the signature says; none if there is none.
///
/// # Errors
/// When it is no disk image, or the signature is damaged.
pub fn inspect(data: &[u8], trust: &Trust) -> Result<Option<Inspected>> {
    ensure!(is_one(data), "no disk image");
    let (rest, trailer) = data.split_at(data.len() - TRAILER);
    let number = |at: usize| -> Result<usize> {
        let bytes: [u8; 8] = trailer[at..at + 8].try_into()?;
        Ok(usize::try_from(u64::from_be_bytes(bytes))?)
    };
    let (start, size) = (number(PLACE)?, number(SIZE)?);
    if size == 0 {
        return Ok(None);
    }
    ensure!(
        start.checked_add(size) == Some(rest.len()),
        "the signature does not lie where the trailer says"
    );
    let signature = rest.get(start..).context("the signature is cut off")?;
    // The trailer is sealed as it was before there was a signature.
    let mut sealed = trailer.to_vec();
    sealed[SIZE..SIZE + 8].fill(0);
    let seals = Seals {
        trailer: Some(&sealed),
        ..Seals::default()
    };
    let mut found = inspect_code(Format::Dmg, signature, &rest[..start], seals, trust)?;
    // A signer may set the flag all the same, but nothing here runs.
    found.signed.hardened_runtime = None;
    Ok(Some(found))
}
