//! Where to alter a file: its head, its tail, around everything that begins or ends in it, and
//! between.

use std::{collections::BTreeSet, path::Path};

use fs_err as fs;

/// What the parts of these formats begin with: Windows' executables, cabinets, Apple's signatures
/// and disk images, members of `.deb` files, headers of `.rpm` files, entries of zip archives,
/// gzip streams, certificates.
const MARKS: [&[u8]; 22] = [
    b"MZ",
    b"PE\0\0",
    b".text",
    b".data",
    b"MSCF",
    b"\xcf\xfa\xed\xfe",
    b"\xfa\xde\x0c\xc0",
    b"\xfa\xde\x0c\x02",
    b"\xfa\xde\x0c\x01",
    b"\xfa\xde\x0b\x01",
    b"koly",
    b"<plist",
    b"!<arch>\n",
    b"`\n",
    b"\xed\xab\xee\xdb",
    b"\x8e\xad\xe8",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b",
    b"-----BEGIN",
];
/// What compound files (MSI) and pages are made of.
const SECTOR: usize = 512;

/// How dense.
#[derive(Clone, Copy)]
pub(super) struct Density {
    /// How many bytes at both ends.
    pub(super) ends: usize,
    /// How many places of each mark at the most.
    pub(super) marks: usize,
    /// How many are spread evenly.
    pub(super) even: usize,
}

/// In this order.
pub(super) fn places(file: &Path, density: Density) -> Vec<usize> {
    let Density { ends, marks, even } = density;
    let bytes = fs::read(file).unwrap();
    let size = bytes.len();
    let mut all: BTreeSet<usize> = (0..ends).chain(size.saturating_sub(ends)..size).collect();
    all.extend((0..size).step_by((size / even).max(1)));
    let mut around = |at: usize| all.extend([at.saturating_sub(1), at, at + 1]);
    boundaries(&bytes, marks).into_iter().for_each(&mut around);
    all.into_iter().filter(|it| *it < size).collect()
}

fn boundaries(bytes: &[u8], most: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for mark in MARKS {
        let places = bytes.windows(mark.len()).enumerate();
        let places = places.filter(|(_, it)| *it == mark).map(|(at, _)| at);
        found.extend(places.take(most).flat_map(|at| [at, at + mark.len()]));
    }
    if bytes.starts_with(b"MZ") {
        found.extend(of_pe(bytes));
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        found.extend((0..bytes.len()).step_by(SECTOR).take(2 * most));
    }
    if bytes.starts_with(b"\xcf\xfa\xed\xfe") {
        found.extend(of_macho(bytes));
    }
    found
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes.get(at..at + 4).map(|it| it.try_into().unwrap());
    word.map_or(0, u32::from_le_bytes) as usize
}

/// The headers, the sections, and the table of signatures with what it holds.
fn of_pe(bytes: &[u8]) -> Vec<usize> {
    let header = word(bytes, 60);
    let (sections, optional) = (
        word(bytes, header + 4) >> 16,
        word(bytes, header + 20) & 0xffff,
    );
    let table = header + 24 + optional;
    let mut all = vec![60, header, header + 24, table];
    for section in (0..sections).map(|it| table + it * 40) {
        let (size, start) = (word(bytes, section + 16), word(bytes, section + 20));
        all.extend([section, start, start + size]);
    }
    // IMAGE_DIRECTORY_ENTRY_SECURITY, the fifth, in the two forms of the optional header.
    let first = if word(bytes, header + 24) & 0xffff == 0x20b {
        112
    } else {
        96
    };
    let security = header + 24 + first + 4 * 8;
    let start = word(bytes, security);
    // The checksum, the place of the signature, and the beginning of the signature with its length.
    all.extend([
        header + 24 + 64,
        security,
        security + 4,
        start,
        start + 4,
        start + 8,
    ]);
    all.push(start + word(bytes, start));
    all
}

/// The header's end, every load command, and where the signature begins.
fn of_macho(bytes: &[u8]) -> Vec<usize> {
    const CODE_SIGNATURE: usize = 0x1d;
    let mut at = 32;
    let mut all = vec![at];
    for _ in 0..word(bytes, 16) {
        if word(bytes, at) == CODE_SIGNATURE {
            let start = word(bytes, at + 8);
            all.extend([start, start + word(bytes, at + 12)]);
        }
        at += word(bytes, at + 4);
        all.push(at);
    }
    all
}
