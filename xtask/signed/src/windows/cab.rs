//! Cabinets (Microsoft's "Cabinet File Signature Format"): what is hashed leaves out the fields
//! that say where the signature lies.

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use ring::digest::Context;

use crate::{Format, Signed, Trust, cms::Message};

/// `MSCF`, with which a cabinet begins.
pub const MAGIC: &[u8] = b"MSCF";
/// The flag that says that there are reserved fields, where the signature's place stands.
const RESERVED: u16 = 4;
/// The parts of the header that are hashed, up to where the folders' table or names begin.
const HASHED: [Range<usize>; 3] = [0..4, 8..34, 56..60];
/// What the reserved fields begin with when they name a signature: their sizes, and a constant.
const SIGNED: [u8; 8] = [20, 0, 0, 0, 0, 0, 16, 0];

/// What the signature in the file says; none if it has none.
///
/// # Errors
/// When it is no cabinet, or names a signature that is not where it should be.
pub fn inspect(data: &[u8], trust: &Trust) -> Result<Option<Signed>> {
    ensure!(data.starts_with(MAGIC) && data.len() >= 36, "no cabinet");
    let flags = u16::from_le_bytes([data[30], data[31]]);
    if flags & RESERVED == 0 {
        return Ok(None);
    }
    let word = |at: usize| -> Result<usize> {
        let bytes = data
            .get(at..at + 4)
            .context("the cabinet's header is cut off")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    // What Windows does not hash must be what it has to be, or a byte could change there unseen.
    ensure!(
        data.get(36..44) == Some(&SIGNED),
        "the cabinet's reserved fields name no signature"
    );
    ensure!(
        word(4)? == 0 && data[34..36] == [0, 0] && word(52)? == 0,
        "the cabinet's header has a value where none belongs"
    );
    let (start, size) = (word(44)?, word(48)?);
    ensure!(
        start >= 60 && start.checked_add(size) == Some(data.len()),
        "the cabinet's signature is not where its header says"
    );
    let message = Message::parse(&data[start..])?;
    let signed = super::all(Format::Cab, &message, trust, |algorithm| {
        let mut hash = Context::new(algorithm);
        for part in HASHED {
            hash.update(&data[part]);
        }
        hash.update(&data[60..start]);
        Ok(hash.finish().as_ref().to_vec())
    })?;
    Ok(super::first(signed))
}
