//! Whether there is anything to look at: most archives hold no code of these kinds, and need not be
//! unpacked.

use std::{io::Read, path::Path};

use anyhow::{Context as _, Result};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use fs_err as fs;
use rawzip::{CompressionMethod, ZipArchive};

use crate::sign::format::Format;

/// How much of a file tells whether it is code: the header of a PE file that compilers write begins
/// before.
const HEAD: u64 = 1024;

pub(super) fn has_code(file: &Path, format: Format) -> Result<bool> {
    match format {
        Format::Zip => in_zip(file),
        _ => in_tar(file),
    }
}

fn in_tar(file: &Path) -> Result<bool> {
    let archive = MultiGzDecoder::new(fs::File::open(file)?);
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() && is_code(&mut entry)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn in_zip(file: &Path) -> Result<bool> {
    let file = fs::File::open(file)?.into_file();
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).context("no zip")?;
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry()? {
        let packed = archive.get_entry(entry.wayfinder())?;
        let is_code = match entry.compression_method() {
            _ if entry.is_dir() => false,
            CompressionMethod::STORE => is_code(packed.reader())?,
            CompressionMethod::DEFLATE => is_code(DeflateDecoder::new(packed.reader()))?,
            // It could be.
            _ => true,
        };
        if is_code {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether it may be code: what is, is seen once it is unpacked.
fn is_code(data: impl Read) -> Result<bool> {
    let mut head = Vec::new();
    data.take(HEAD).read_to_end(&mut head)?;
    Ok(Format::may_be_code(&head))
}
