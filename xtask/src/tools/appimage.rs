//! AppImages: a program with a squashfs image behind it, which it mounts and starts.

pub mod make;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use object::{
    Endianness, FileKind, elf,
    read::elf::{FileHeader, SectionHeader as _},
};

/// What a squashfs image begins with.
const SQUASHFS: &[u8] = b"hsqs";

/// Where the image of an AppImage begins, in bytes.
pub fn offset(package: &Path) -> Result<u64> {
    let data = fs_err::read(package)?;
    let end = end_of_elf(&data).with_context(|| format!("no AppImage: {}", package.display()))?;
    let image = data.get(usize::try_from(end)?..).unwrap_or_default();
    ensure!(
        image.starts_with(SQUASHFS),
        "no squashfs image behind the program that {} begins with",
        package.display()
    );
    Ok(end)
}

/// Where a file in the format ELF ends by its own account. What follows is not loaded.
pub fn end_of_elf(data: &[u8]) -> Result<u64> {
    match FileKind::parse(data)? {
        FileKind::Elf64 => end::<elf::FileHeader64<Endianness>>(data),
        FileKind::Elf32 => end::<elf::FileHeader32<Endianness>>(data),
        other => anyhow::bail!("not in the format ELF but {other:?}"),
    }
}

fn end<H: FileHeader<Endian = Endianness>>(data: &[u8]) -> Result<u64> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let table = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
    let mut end = header.e_shoff(endian).into() + table;
    for section in header.section_headers(endian, data)? {
        if let Some((offset, size)) = section.file_range(endian) {
            end = end.max(offset + size);
        }
    }
    Ok(end)
}
