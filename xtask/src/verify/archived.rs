//! Code in archives that hold no signature themselves: what signs it is not read there.

use std::{io::Read, path::Path};

use anyhow::{Context as _, Result};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use fs_err as fs;
use rawzip::{CompressionMethod, ZipArchive};

use super::Report;
use crate::sign::format::Format;

/// How much of a file tells whether it is code: the header of a PE file that compilers write begins
/// before.
const HEAD: u64 = 1024;

/// Notes that the archive holds code for Windows or macOS whose signatures nobody looked into; of a
/// file that is no archive, nothing.
pub(super) fn note(file: &Path, name: &str, report: &mut Report) {
    let code = match Format::of(file) {
        Ok(Format::Gzip) => in_tar(file),
        Ok(Format::Zip) => in_zip(file),
        _ => return,
    };
    match code.as_deref() {
        Ok([]) => {}
        Ok([one]) => report.note(format!("{name}: the signature of {one} was {NOT_READ}")),
        Ok([first, others @ ..]) => {
            let count = others.len();
            report.note(format!(
                "{name}: the signatures of {first} and {count} more were {NOT_READ}"
            ));
        }
        Err(error) => report.note(format!("{name}: not looked into ({error:#})")),
    }
}

const NOT_READ: &str = "not looked into: unpack it and verify what is in it";

/// Paths of all code in it that could be signed.
fn in_tar(file: &Path) -> Result<Vec<String>> {
    let mut code = Vec::new();
    let archive = MultiGzDecoder::new(fs::File::open(file)?);
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() && is_code(&mut entry)? {
            code.push(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        }
    }
    Ok(code)
}

/// See [`in_tar`].
fn in_zip(file: &Path) -> Result<Vec<String>> {
    let file = fs::File::open(file)?.into_file();
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).context("no zip")?;
    let mut entries = archive.entries(&mut buffer);
    let mut code = Vec::new();
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
            code.push(String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned());
        }
    }
    Ok(code)
}

fn is_code(data: impl Read) -> Result<bool> {
    let mut head = Vec::new();
    data.take(HEAD).read_to_end(&mut head)?;
    Ok(Format::is_code(&head))
}
