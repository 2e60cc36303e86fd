//! Mach-O executables and libraries, for one architecture or several.

use anyhow::{Context as _, Result, ensure};
use object::{
    Endianness, FileKind,
    macho::{LC_CODE_SIGNATURE, MachHeader32, MachHeader64},
    read::macho::{
        FatArch as _, MachHeader, MachOFatFile32, MachOFatFile64, Section as _, Segment as _,
    },
};

use super::{Inspected, Seals, inspect as inspect_code};
use crate::{Format, Trust};

/// What the signatures say, one for each architecture; an error if one has none.
///
/// # Errors
/// When it is no Mach-O file, one architecture is unsigned, or a signature is damaged.
pub fn inspect(data: &[u8], seals: Seals<'_>, trust: &Trust) -> Result<Vec<Inspected>> {
    let one = |part: &[u8]| match FileKind::parse(part) {
        Ok(FileKind::MachO32) => code::<MachHeader32<Endianness>>(part, seals, trust),
        Ok(FileKind::MachO64) => code::<MachHeader64<Endianness>>(part, seals, trust),
        _ => anyhow::bail!("no Mach-O file"),
    };
    slices(data)?.into_iter().map(one).collect()
}

/// The architectures' parts of the file. Between them there is nothing but zeros.
fn slices(data: &[u8]) -> Result<Vec<&[u8]>> {
    let ranges: Vec<(u64, u64)> = match FileKind::parse(data).context("no Mach-O file")? {
        FileKind::MachOFat32 => {
            let file = MachOFatFile32::parse(data)?;
            file.arches().iter().map(|it| it.file_range()).collect()
        }
        FileKind::MachOFat64 => {
            let file = MachOFatFile64::parse(data)?;
            file.arches().iter().map(|it| it.file_range()).collect()
        }
        _ => return Ok(vec![data]),
    };
    let mut slices = Vec::new();
    let mut after = None;
    for (start, size) in ranges {
        let (start, size) = (usize::try_from(start)?, usize::try_from(size)?);
        let end = start
            .checked_add(size)
            .context("a part beyond the end of the file")?;
        let gap = data.get(after.unwrap_or(start)..start).unwrap_or_default();
        ensure!(
            gap.iter().all(|it| *it == 0),
            "something lies between two architectures"
        );
        slices.push(
            data.get(start..end)
                .context("a part beyond the end of the file")?,
        );
        after = Some(end);
    }
    ensure!(
        after == Some(data.len()),
        "something follows the last architecture"
    );
    Ok(slices)
}

fn code<M: MachHeader<Endian = Endianness>>(
    data: &[u8],
    seals: Seals<'_>,
    trust: &Trust,
) -> Result<Inspected> {
    let header = M::parse(data, 0)?;
    let endian = header.endian()?;
    let seals = Seals {
        embedded: embedded_info(header, endian, data)?,
        ..seals
    };
    let mut commands = header.load_commands(endian, data, 0)?;
    while let Some(command) = commands.next()? {
        if command.cmd() != LC_CODE_SIGNATURE {
            continue;
        }
        let place = command.data::<object::macho::LinkeditDataCommand<Endianness>>()?;
        let start = place.dataoff.get(endian) as usize;
        let end = start + place.datasize.get(endian) as usize;
        let signature = data.get(start..end).context("the signature is cut off")?;
        let rest = data.get(end..).unwrap_or_default();
        ensure!(
            rest.iter().all(|it| *it == 0),
            "something follows the signature"
        );
        return inspect_code(Format::MachO, signature, &data[..start], seals, trust);
    }
    anyhow::bail!("not signed")
}

/// The `Info.plist` that programs have inside when there is no bundle around them.
fn embedded_info<'data, M: MachHeader<Endian = Endianness>>(
    header: &M,
    endian: Endianness,
    data: &'data [u8],
) -> Result<Option<&'data [u8]>> {
    let mut commands = header.load_commands(endian, data, 0)?;
    while let Some(command) = commands.next()? {
        let Some((segment, sections)) = M::Segment::from_command(command)? else {
            continue;
        };
        for section in segment.sections(endian, sections)? {
            if section.name() == b"__info_plist" {
                let offset = section.offset(endian).into();
                return Ok(section.data(endian, data, offset).ok());
            }
        }
    }
    Ok(None)
}
