//! What an executable file is, read from the file itself.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::{
    Architecture, BinaryFormat, FileKind, Object as _, ObjectKind, ObjectSection as _,
    read::macho::{FatArch as _, MachOFatFile32, MachOFatFile64},
};

use crate::{
    target::{Os, Target},
    tools::appimage::end_of_elf,
};

/// What Git LFS leaves of a file that was not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// Refuses a file that could not run on the target: empty, a script or a placeholder, of another
/// format or for another architecture. `what` begins the message: `sidecar analyzer`.
///
/// # Errors
/// What is wrong with it. Of a universal target every architecture must be in it.
pub fn check(path: &Path, target: &Target, what: &str) -> Result<()> {
    let mut parts = target.parts().into_iter();
    parts.try_for_each(|it| check_part(path, &it, what))
}

fn check_part(path: &Path, target: &Target, what: &str) -> Result<()> {
    check_content(&fs_err::read(path)?, path, target, what)?;
    ensure!(
        target.os == Os::Windows || may_run(path)?,
        "{what} is not marked as executable: {}\nhint: chmod +x",
        path.display()
    );
    Ok(())
}

/// The same of what a file holds that need not be marked as executable.
///
/// # Errors
/// What is wrong with it.
pub fn check_content(data: &[u8], path: &Path, target: &Target, what: &str) -> Result<()> {
    let at = path.display();
    ensure!(!data.is_empty(), "{what} is an empty file: {at}");
    ensure!(
        !data.starts_with(b"#!"),
        "{what} is a script, not an executable: {at}"
    );
    ensure!(
        !data.starts_with(LFS_POINTER),
        "{what} is only Git LFS's pointer to the file: {at}\nhint: git lfs pull"
    );
    let wanted = architecture(target)?;
    // What the parser says, such as that it finds no magic number, helps nobody.
    let slice = slice_for(data, wanted)
        .ok()
        .with_context(|| unknown(what, path))?;
    let file = object::File::parse(slice)
        .ok()
        .with_context(|| unknown(what, path))?;
    let format = match target.os {
        Os::Linux => BinaryFormat::Elf,
        Os::Windows => BinaryFormat::Pe,
        Os::Macos => BinaryFormat::MachO,
    };
    ensure!(
        file.format() == format,
        "{what} is a {:?} file, but {target} wants {format:?}: {at}",
        file.format()
    );
    // A position-independent executable is a shared object as far as ELF is concerned.
    ensure!(
        matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic),
        "{what} is no linked executable: {at}"
    );
    ensure!(
        file.architecture() == wanted,
        "{what} is built for {:?}, but {target} wants {wanted:?}: {at}",
        file.architecture()
    );
    Ok(())
}

/// Beginnings of the names of sections that tell the loader where libraries are, of what depends on
/// where those lie, and of what only debuggers read.
const NOT_THE_PROGRAM: [&str; 13] = [
    ".comment",
    ".debug",
    ".dyn",
    ".gnu.hash",
    ".gnu.version",
    ".got",
    ".hash",
    ".interp",
    ".note",
    ".rel",
    ".shstrtab",
    ".strtab",
    ".symtab",
];

/// Whether one program for Linux is the other, but for where it looks for its libraries: all else is
/// the same at the same address, and so is what is appended to it.
pub fn is_only_relinked(built: &[u8], shipped: &[u8]) -> bool {
    let (built, shipped) = (Parts::of(built), Parts::of(shipped));
    built.is_some() && built == shipped
}

/// What must stay the same.
#[derive(PartialEq)]
struct Parts<'a> {
    entry: u64,
    /// Name, address and content.
    sections: Vec<(String, u64, &'a [u8])>,
    /// Some programs read what they consist of from behind their own end.
    appended: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let file = object::File::parse(data).ok()?;
        let mut sections = Vec::new();
        for section in file.sections() {
            let name = section.name().ok()?.to_owned();
            if !NOT_THE_PROGRAM.iter().any(|it| name.starts_with(it)) {
                sections.push((name, section.address(), section.data().ok()?));
            }
        }
        let end = usize::try_from(end_of_elf(data).ok()?).ok()?;
        let appended = data.get(end..)?;
        let is_padding = appended.iter().all(|it| *it == 0);
        Some(Self {
            entry: file.entry(),
            sections,
            appended: if is_padding { &[] } else { appended },
        })
        .filter(|it| !it.sections.is_empty())
    }
}

fn unknown(what: &str, path: &Path) -> String {
    format!(
        "{what} is no executable of any known format: {}",
        path.display()
    )
}

/// The part for the architecture of a file for several, as macOS has them; any other file as it is.
fn slice_for(data: &[u8], wanted: Architecture) -> Result<&[u8]> {
    let slice = match FileKind::parse(data)? {
        FileKind::MachOFat32 => {
            let file = MachOFatFile32::parse(data)?;
            let mut all = file.arches().iter();
            all.find(|it| it.architecture() == wanted)
                .or(file.arches().first())
                .map(|it| it.data(data))
        }
        FileKind::MachOFat64 => {
            let file = MachOFatFile64::parse(data)?;
            let mut all = file.arches().iter();
            all.find(|it| it.architecture() == wanted)
                .or(file.arches().first())
                .map(|it| it.data(data))
        }
        _ => Some(Ok(data)),
    };
    Ok(slice.context("it has no part")??)
}

#[cfg(unix)]
fn may_run(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::metadata(path)?.permissions().mode() & 0o111 != 0)
}

/// Windows has no such mark.
#[cfg(not(unix))]
fn may_run(_path: &Path) -> Result<bool> {
    Ok(true)
}

fn architecture(target: &Target) -> Result<Architecture> {
    Ok(match target.arch() {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "i686" | "i586" => Architecture::I386,
        "armv7" | "arm" => Architecture::Arm,
        "riscv64gc" => Architecture::Riscv64,
        other => bail!("the architecture {other} of {target} is not known here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(bytes: &[u8], target: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, bytes).unwrap();
        mark_executable(&file);
        let outcome = check(&file, &target.parse().unwrap(), "sidecar a");
        let text = outcome.map_or_else(|it| format!("{it:#}"), |()| "fits".to_owned());
        assert!(text.starts_with(expected), "{text}");
    }

    fn mark_executable(file: &Path) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        #[cfg(not(unix))]
        let _ = file;
    }

    #[test]
    fn tells_what_a_file_is() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let host = Target::host();
        let other = if host.arch() == "x86_64" {
            "aarch64"
        } else {
            "x86_64"
        };
        let other = host.triple.replacen(host.arch(), other, 1);
        check_bytes(&own, &host.triple, "fits");
        check_bytes(&own, &other, "sidecar a is built for");
        let foreign = if cfg!(windows) {
            "x86_64-unknown-linux-gnu"
        } else {
            "x86_64-pc-windows-gnu"
        };
        check_bytes(&own, foreign, "sidecar a is a ");
        check_bytes(b"", &host.triple, "sidecar a is an empty file");
        check_bytes(b"#!/bin/sh\n", &host.triple, "sidecar a is a script");
        check_bytes(b"placeholder", &host.triple, "sidecar a is no executable");
        check_bytes(b"abc", &host.triple, "sidecar a is no executable");
        check_bytes(&own[..64], &host.triple, "sidecar a is no");
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
        check_bytes(pointer, &host.triple, "sidecar a is only Git LFS's pointer");
    }

    /// As what makes an AppImage does it.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_may_be_told_where_its_libraries_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("true");
        let mut built = std::fs::read("/bin/true").unwrap();
        // What a freezer appends.
        built.extend(b"payload");
        assert!(is_only_relinked(&built, &built));
        let changed = |at: usize| {
            let mut other = built.clone();
            other[at] ^= 1;
            is_only_relinked(&built, &other)
        };
        assert!(!changed(built.len() - 1), "the payload");
        let parsed = object::File::parse(&*built).unwrap();
        for (name, may) in [(".text", false), (".rodata", false), (".dynstr", true)] {
            let section = parsed.section_by_name(name).unwrap();
            let (at, _) = section.file_range().unwrap();
            assert_eq!(changed(usize::try_from(at).unwrap()), may, "{name}");
        }
        // As `strip` leaves it.
        assert!(!is_only_relinked(&built, &built[..built.len() - 7]));
        assert!(!is_only_relinked(b"text", b"text"));
        std::fs::write(&file, &built[..built.len() - 7]).unwrap();
        let mut patchelf = std::process::Command::new("patchelf");
        patchelf.args(["--set-rpath", "$ORIGIN/../lib/of/the/app"]);
        match patchelf.arg(&file).status() {
            Ok(status) => assert!(status.success()),
            Err(_) => return,
        }
        let mut shipped = std::fs::read(&file).unwrap();
        assert!(is_only_relinked(&built[..built.len() - 7], &shipped));
        assert!(!is_only_relinked(&built, &shipped), "without its payload");
        shipped.extend(b"payload");
        assert!(is_only_relinked(&built, &shipped));
    }

    /// As `lipo -create` writes it: two thin files behind a header that says where they begin.
    #[test]
    fn looks_into_a_file_for_several_architectures() {
        let thin = |cpu: u32, kind: u32| {
            let words = [0xfeed_facf, cpu, 0, kind, 0, 0, 0, 0_u32];
            words.map(u32::to_le_bytes).concat()
        };
        const X86_64: u32 = 0x0100_0007;
        const ARM64: u32 = 0x0100_000c;
        const EXECUTE: u32 = 2;
        let parts = [(X86_64, 48_u32), (ARM64, 80)];
        let mut fat = [0xcafe_babe_u32, 2].map(u32::to_be_bytes).concat();
        for (cpu, offset) in parts {
            fat.extend([cpu, 0, offset, 32, 0].map(u32::to_be_bytes).concat());
        }
        for (cpu, _) in parts {
            fat.extend(thin(cpu, EXECUTE));
        }
        check_bytes(&fat, "aarch64-apple-darwin", "fits");
        check_bytes(&fat, "x86_64-apple-darwin", "fits");
        check_bytes(&fat, "universal-apple-darwin", "fits");
        let host = "x86_64-unknown-linux-gnu";
        check_bytes(&fat, host, "sidecar a is a MachO file, but");
        let only = thin(X86_64, EXECUTE);
        check_bytes(
            &only,
            "aarch64-apple-darwin",
            "sidecar a is built for X86_64",
        );
        check_bytes(
            &only,
            "universal-apple-darwin",
            "sidecar a is built for X86_64, but aarch64-apple-darwin wants",
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_may_not_run_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(std::env::current_exe().unwrap(), file.path()).unwrap();
        check(file.path(), &Target::host(), "it").unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = check(file.path(), &Target::host(), "it").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("it is not marked as executable"),
            "{error}"
        );
    }
}
