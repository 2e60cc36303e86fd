//! Mach-O executables and libraries, for one architecture or several.

use anyhow::{Context as _, Result, ensure};
use object::{
    BigEndian, Endianness, FileKind,
    macho::{CpuSubtype, CpuType, FatHeader, LC_CODE_SIGNATURE, MachHeader32, MachHeader64},
    read::macho::{
        FatArch, MachHeader, MachOFatFile32, MachOFatFile64, Section as _, Segment as _,
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
    let all: Result<Vec<Inspected>> = slices(data)?.into_iter().map(one).collect();
    let mut all = all?;
    // Which of them runs is the machine's choice; what is said of a file must be true of each.
    if let Some((first, others)) = all.split_first_mut() {
        for other in others {
            if other.signed.fingerprint != first.signed.fingerprint {
                let problem = "another architecture is signed with another certificate";
                other.signed.problems.push(problem.to_owned());
            }
        }
    }
    Ok(all)
}

/// The architectures' parts of the file.
fn slices(data: &[u8]) -> Result<Vec<&[u8]>> {
    match FileKind::parse(data).context("no Mach-O file")? {
        FileKind::MachOFat32 => parts(data, MachOFatFile32::parse(data)?.arches()),
        FileKind::MachOFat64 => {
            let arches = MachOFatFile64::parse(data)?.arches();
            ensure!(
                arches.iter().all(|it| it.reserved.get(BigEndian) == 0),
                "the list of architectures is damaged"
            );
            parts(data, arches)
        }
        _ => Ok(vec![data]),
    }
}

/// Before them and between them there is nothing but zeros, and they are what the list says.
fn parts<'data, A: FatArch>(data: &'data [u8], arches: &[A]) -> Result<Vec<&'data [u8]>> {
    let mut parts = Vec::new();
    let mut after = size_of::<FatHeader>() + size_of_val(arches);
    for arch in arches {
        let (start, size) = arch.file_range();
        let (start, size) = (usize::try_from(start)?, usize::try_from(size)?);
        let end = start
            .checked_add(size)
            .context("a part beyond the end of the file")?;
        let gap = data.get(after..start).context("two parts overlap")?;
        ensure!(
            gap.iter().all(|it| *it == 0),
            "something lies between two architectures"
        );
        let part = data
            .get(start..end)
            .context("a part beyond the end of the file")?;
        let unit = 1_usize.checked_shl(arch.align());
        ensure!(
            is_of(part, arch)? && unit.is_some_and(|it| start.is_multiple_of(it)),
            "an architecture is not what the list says"
        );
        parts.push(part);
        after = end;
    }
    ensure!(
        !parts.is_empty() && after == data.len(),
        "something follows the last architecture"
    );
    Ok(parts)
}

/// Whether the code is for the machine that is named in the list. The list may leave the features
/// out that a header names.
fn is_of(part: &[u8], arch: &impl FatArch) -> Result<bool> {
    let (kind, subtype) = match FileKind::parse(part)? {
        FileKind::MachO32 => machine::<MachHeader32<Endianness>>(part)?,
        FileKind::MachO64 => machine::<MachHeader64<Endianness>>(part)?,
        _ => anyhow::bail!("no Mach-O file"),
    };
    let named = arch.cpusubtype();
    let is_subtype = named == subtype || named.0 == subtype.id().0;
    Ok(arch.cputype() == kind && is_subtype)
}

fn machine<M: MachHeader<Endian = Endianness>>(part: &[u8]) -> Result<(CpuType, CpuSubtype)> {
    let header = M::parse(part, 0)?;
    let endian = header.endian()?;
    Ok((header.cputype(endian), header.cpusubtype(endian)))
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
    Err(super::NotSigned.into())
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
