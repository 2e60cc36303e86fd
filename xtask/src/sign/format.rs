//! What kind of file it is, told by its bytes: names lie, and much of what must be signed has none
//! that would tell.

use std::{
    fmt,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use anyhow::Result;
use fs_err as fs;
use serde::Serialize;

/// A kind of file that is signed inside, or beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A Windows executable, library or installer.
    Pe,
    /// A Windows Installer package.
    Msi,
    /// A cabinet.
    Cab,
    /// A macOS executable or library.
    MachO,
    /// A macOS application: a folder.
    App,
    /// A macOS disk image.
    Dmg,
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
    /// Compressed with gzip, mostly a tar archive.
    Gzip,
    /// A zip archive.
    Zip,
    /// A Linux executable or library.
    Elf,
    /// Anything else: signatures lie beside it.
    Other,
}

/// How many bytes at the end hold what makes a file a disk image.
const DMG_TRAILER: i64 = 512;
/// Fewer architectures than that are in a universal Mach-O file; a Java class, which begins in the
/// same way, has its version there, which is higher.
const JAVA: u8 = 40;

impl Format {
    /// Of a file, or of a folder that is an app.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let is_app = path.join("Contents/Info.plist").is_file();
            return Ok(if is_app { Self::App } else { Self::Other });
        }
        let mut file = fs::File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(64).read_to_end(&mut head)?;
        let found = Self::by_head(&head);
        if found == Self::Pe {
            return Ok(if is_pe(&mut file, &head)? {
                Self::Pe
            } else {
                Self::Other
            });
        }
        if found == Self::Other && file.seek(SeekFrom::End(-DMG_TRAILER)).is_ok() {
            let mut magic = [0; 4];
            file.read_exact(&mut magic)?;
            return Ok(if &magic == b"koly" {
                Self::Dmg
            } else {
                Self::Other
            });
        }
        Ok(found)
    }

    fn by_head(head: &[u8]) -> Self {
        match head {
            [b'M', b'Z', ..] => Self::Pe,
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Self::Msi,
            [b'M', b'S', b'C', b'F', 0, 0, 0, 0, ..] => Self::Cab,
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
                Self::MachO
            }
            [0xca, 0xfe, 0xba, 0xbe | 0xbf, 0, 0, 0, 1..JAVA, ..] => Self::MachO,
            [0x7f, b'E', b'L', b'F', ..] => Self::Elf,
            [0xed, 0xab, 0xee, 0xdb, ..] => Self::Rpm,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Zip,
            _ if head.starts_with(b"!<arch>\ndebian-binary") => Self::Deb,
            _ => Self::Other,
        }
    }

    /// Whether a file that begins so may be code, an installer or a cabinet, as far as this much of
    /// it tells: the header of a program for Windows may come later.
    pub fn may_be_code(head: &[u8]) -> bool {
        match Self::by_head(head) {
            Self::MachO | Self::Msi | Self::Cab => true,
            Self::Pe => {
                let at = head.get(60..64).and_then(|it| it.try_into().ok());
                at.is_some_and(|it| {
                    let at = u32::from_le_bytes(it) as usize;
                    head.get(at..at.saturating_add(4))
                        .is_none_or(|it| it == b"PE\0\0")
                })
            }
            _ => false,
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pe => "PE",
            Self::Msi => "MSI",
            Self::Cab => "CAB",
            Self::MachO => "Mach-O",
            Self::App => "app",
            Self::Dmg => "dmg",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Elf => "ELF",
            Self::Other => "file",
        }
    }

    /// Whether it carries a signature of Windows' inside.
    pub fn is_windows(self) -> bool {
        matches!(self, Self::Pe | Self::Msi | Self::Cab)
    }

    /// Whether it carries a signature of Apple's inside.
    pub fn is_apple(self) -> bool {
        matches!(self, Self::MachO | Self::App | Self::Dmg)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether what begins like a program of MS-DOS says where that of Windows is.
fn is_pe(file: &mut fs::File, head: &[u8]) -> Result<bool> {
    let Some(at) = head.get(60..64) else {
        return Ok(false);
    };
    let at = u32::from_le_bytes(at.try_into()?);
    file.seek(SeekFrom::Start(at.into()))?;
    let mut magic = Vec::new();
    file.take(4).read_to_end(&mut magic)?;
    Ok(magic == b"PE\0\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_bytes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let check = |bytes: &[u8], expected: Format| {
            let path = folder.path().join("file");
            fs::write(&path, bytes).unwrap();
            assert_eq!(Format::of(&path).unwrap(), expected, "{bytes:x?}");
        };
        let mut pe = [0_u8; 80];
        pe[..2].copy_from_slice(b"MZ");
        check(&pe, Format::Other);
        pe[60] = 72;
        pe[72..76].copy_from_slice(b"PE\0\0");
        check(&pe, Format::Pe);
        check(b"MZ", Format::Other);
        check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::Msi);
        check(b"MSCF\0\0\0\0", Format::Cab);
        check(b"\xcf\xfa\xed\xfe\x0c\0\0\x01", Format::MachO);
        check(b"\xca\xfe\xba\xbe\0\0\0\x02", Format::MachO);
        check(b"\xca\xfe\xba\xbe\0\0\0\x41", Format::Other);
        check(b"!<arch>\ndebian-binary   ", Format::Deb);
        check(b"!<arch>\nobject.o/       ", Format::Other);
        check(b"\xed\xab\xee\xdb\x03\0", Format::Rpm);
        check(b"\x1f\x8b\x08", Format::Gzip);
        check(b"PK\x03\x04", Format::Zip);
        check(b"\x7fELF", Format::Elf);
        let mut dmg = vec![0; 1024];
        check(&dmg, Format::Other);
        dmg[512..516].copy_from_slice(b"koly");
        check(&dmg, Format::Dmg);
        check(b"", Format::Other);
        assert_eq!(Format::of(folder.path()).unwrap(), Format::Other);
        fs::create_dir(folder.path().join("Contents")).unwrap();
        fs::write(folder.path().join("Contents/Info.plist"), "").unwrap();
        assert_eq!(Format::of(folder.path()).unwrap(), Format::App);
    }
}
