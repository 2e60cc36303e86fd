//! Windows Installer packages: compound files ([MS-CFB]), whose signature is one of the streams.
//! What is hashed, and in which order, is written down nowhere but in programs that do it.

use std::{
    io::{Cursor, Read as _},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use cfb::{CompoundFile, Entry};
use ring::digest::{Algorithm, Context};

use crate::{Format, Signed, Trust, cms::Message};

/// With which a compound file begins.
pub const MAGIC: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// The stream of the signature.
const SIGNATURE: &str = "\u{5}DigitalSignature";
/// The stream of a hash over names, sizes and times, which signers may add.
const EXTENDED: &str = "\u{5}MsiDigitalSignatureEx";
/// What else has a name that is not encoded as installer packages encode names.
const KNOWN: [&str; 2] = ["\u{5}SummaryInformation", "\u{5}DocumentSummaryInformation"];
/// Where encoded names begin: with the first of the characters that stand for two others.
const ENCODED: char = '\u{3800}';
/// From 1601 to 1970, in units of 100 ns.
const FILETIME_EPOCH: u64 = 116_444_736_000_000_000;

type File<'a> = CompoundFile<Cursor<&'a [u8]>>;

/// What the signature in the file says; none if it has none.
///
/// # Errors
/// When it is no compound file.
pub fn inspect(data: &[u8], trust: &Trust) -> Result<Option<Signed>> {
    // Not strictly: msitools leaves the last sector short.
    let file = CompoundFile::open(Cursor::new(data));
    let mut file = file.context("no Windows Installer package")?;
    let Some(signature) = stream(&mut file, SIGNATURE)? else {
        return Ok(None);
    };
    let extended = stream(&mut file, EXTENDED)?;
    check_names(&file)?;
    let message = Message::parse(&signature)?;
    let signed = super::all(Format::Msi, &message, trust, |algorithm| {
        let mut hash = Context::new(algorithm);
        if let Some(claimed) = &extended {
            let actual = metadata(&file, algorithm)?;
            ensure!(
                *claimed == actual,
                "names, sizes or times inside are not those that were signed"
            );
            hash.update(&actual);
        }
        let root = file.root_entry();
        contents(&mut file, &root, &mut hash)?;
        Ok(hash.finish().as_ref().to_vec())
    })?;
    Ok(super::first(signed))
}

/// Fails if a stream has a name that no installer package has. The stream of the extended hash is
/// hashed first, and so is any stream whose name comes first: under another name it would be taken
/// for content, and what it says not be looked at.
fn check_names(file: &File<'_>) -> Result<()> {
    let known = [&KNOWN[..], &[SIGNATURE, EXTENDED]].concat();
    for entry in file.read_root_storage() {
        let encoded = entry.name().chars().next().is_some_and(|it| it >= ENCODED);
        let fine = encoded || !entry.is_stream() || known.contains(&entry.name());
        ensure!(
            fine,
            "it has a stream of an unknown kind, {:?}",
            entry.name()
        );
    }
    Ok(())
}

fn stream(file: &mut File<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let path = Path::new("/").join(name);
    if !file.is_stream(&path) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.open_stream(&path)?.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// What lies directly in a storage, in the order in which it is hashed: by the bytes of the names
/// in UTF-16, the shorter first.
fn children(file: &File<'_>, parent: &Entry) -> Result<Vec<Entry>> {
    let found = file.read_storage(parent.path())?;
    let is_signature = |it: &Entry| parent.is_root() && [SIGNATURE, EXTENDED].contains(&it.name());
    let mut found: Vec<Entry> = found.filter(|it| !is_signature(it)).collect();
    found.sort_by_key(|it| utf16(it.name()));
    Ok(found)
}

fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn contents(file: &mut File<'_>, storage: &Entry, hash: &mut Context) -> Result<()> {
    for child in children(file, storage)? {
        if child.is_storage() {
            contents(file, &child, hash)?;
            continue;
        }
        let mut bytes = Vec::new();
        file.open_stream(child.path())?.read_to_end(&mut bytes)?;
        hash.update(&bytes);
    }
    hash.update(&storage.clsid().to_bytes_le());
    Ok(())
}

fn metadata(file: &File<'_>, algorithm: &'static Algorithm) -> Result<Vec<u8>> {
    let mut hash = Context::new(algorithm);
    describe(file, &file.root_entry(), &mut hash)?;
    Ok(hash.finish().as_ref().to_vec())
}

fn describe(file: &File<'_>, entry: &Entry, hash: &mut Context) -> Result<()> {
    if !entry.is_root() {
        hash.update(&utf16(entry.name()));
    }
    if entry.is_stream() {
        hash.update(&u32::try_from(entry.len())?.to_le_bytes());
    } else {
        hash.update(&entry.clsid().to_bytes_le());
    }
    hash.update(&entry.state_bits().to_le_bytes());
    if !entry.is_root() {
        hash.update(&filetime(entry.created()));
        hash.update(&filetime(entry.modified()));
    }
    if !entry.is_stream() {
        for child in children(file, entry)? {
            describe(file, &child, hash)?;
        }
    }
    Ok(())
}

/// In units of 100 ns since 1601.
fn filetime(time: SystemTime) -> [u8; 8] {
    let since = |it: Duration| u64::try_from(it.as_nanos() / 100).unwrap_or(u64::MAX);
    let count = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => FILETIME_EPOCH.saturating_add(since(after)),
        Err(before) => FILETIME_EPOCH.saturating_sub(since(before.duration())),
    };
    count.to_le_bytes()
}
