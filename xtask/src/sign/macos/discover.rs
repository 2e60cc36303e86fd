//! What in an app carries a signature of its own. Code is known by its first bytes, wherever it
//! lies and whatever it is called: libraries of Python's have no executable bit, and what lies among
//! the resources is notarized like all else.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

/// Mach-O magic numbers (`mach-o/loader.h`), as they stand in the file.
const THIN: [[u8; 4]; 4] = [
    [0xfe, 0xed, 0xfa, 0xce],
    [0xce, 0xfa, 0xed, 0xfe],
    [0xfe, 0xed, 0xfa, 0xcf],
    [0xcf, 0xfa, 0xed, 0xfe],
];
/// Those of files for several architectures (`mach-o/fat.h`).
const FAT: [[u8; 4]; 2] = [[0xca, 0xfe, 0xba, 0xbe], [0xca, 0xfe, 0xba, 0xbf]];
/// Java's classes begin like a file for several architectures; their next number is a version, the
/// first of which was 45. Nobody has so many architectures.
const FIRST_JAVA: u32 = 45;
/// `MH_OBJECT` and `MH_DSYM`: nobody can start or load these, and nobody signs them.
const NOT_SIGNED: [u32; 2] = [0x1, 0xa];
/// `MH_EXECUTE`.
const PROGRAM: u32 = 0x2;
/// The trailer of a disk image, and how it begins.
const TRAILER: i64 = 512;
const KOLY: &[u8; 4] = b"koly";
/// Folders that are code as a whole if they have an `Info.plist` in `Contents`.
const BUNDLES: [&str; 6] = ["app", "appex", "bundle", "plugin", "systemextension", "xpc"];

/// Something that is signed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Mach-O file.
    Code,
    /// A version of a framework.
    Framework,
    /// A folder of code and resources, such as an app.
    Bundle,
    /// A disk image.
    Image,
}

impl Kind {
    /// What [`super::plan`] can begin with: an app, a disk image or a file of code.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn of(path: &Path) -> Result<Self> {
        if path.is_dir() {
            ensure!(
                is_bundle(path),
                "{} is a folder, but no app: Contents/Info.plist is missing",
                path.display()
            );
            return Ok(Self::Bundle);
        }
        if is_code(path)? {
            return Ok(Self::Code);
        }
        ensure!(
            is_image(path)?,
            "{} is no code for macOS and no disk image",
            path.display()
        );
        Ok(Self::Image)
    }
}

/// Whether the file is code that macOS wants signed.
///
/// # Errors
/// The file cannot be read.
pub fn is_code(file: &Path) -> Result<bool> {
    let mut head = Vec::new();
    fs::File::open(file)?.take(16).read_to_end(&mut head)?;
    let Some(magic) = head.first_chunk::<4>() else {
        return Ok(false);
    };
    let number = |at: usize, big: bool| {
        let bytes: Option<[u8; 4]> = head.get(at..at + 4).and_then(|it| it.try_into().ok());
        bytes.map(|it| match big {
            true => u32::from_be_bytes(it),
            false => u32::from_le_bytes(it),
        })
    };
    if FAT.contains(magic) {
        return Ok(number(4, true).is_some_and(|it| (1..FIRST_JAVA).contains(&it)));
    }
    let big = magic[0] == 0xfe;
    let kind = number(12, big);
    Ok(THIN.contains(magic) && kind.is_some_and(|it| !NOT_SIGNED.contains(&it)))
}

/// Whether code is a program, which can be started, rather than a library. Of a file for several
/// architectures the first one decides; what cannot be read is taken for one.
///
/// # Errors
/// The file cannot be read.
pub fn is_program(file: &Path) -> Result<bool> {
    use std::io::Seek as _;
    let mut file = fs::File::open(file)?;
    let mut head = [0; 24];
    let length = file.by_ref().take(24).read(&mut head)?;
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let begin = match head.first_chunk::<4>() {
        Some(magic) if *magic == FAT[0] && length == 24 => u64::from(number(16)),
        // The place has 64 bits.
        Some(magic) if *magic == FAT[1] && length == 24 => {
            u64::from(number(16)) << 32 | u64::from(number(20))
        }
        _ => 0,
    };
    let mut thin = [0; 16];
    file.seek(std::io::SeekFrom::Start(begin))?;
    if file.read_exact(&mut thin).is_err() || !THIN.iter().any(|it| thin.starts_with(it)) {
        return Ok(true);
    }
    let kind = [thin[12], thin[13], thin[14], thin[15]];
    Ok(PROGRAM
        == match thin[0] == 0xfe {
            true => u32::from_be_bytes(kind),
            false => u32::from_le_bytes(kind),
        })
}

/// Whether the file ends like a disk image.
fn is_image(file: &Path) -> Result<bool> {
    use std::io::Seek as _;
    let mut file = fs::File::open(file)?;
    let mut magic = [0; 4];
    let read =
        file.seek(std::io::SeekFrom::End(-TRAILER)).is_ok() && file.read_exact(&mut magic).is_ok();
    Ok(read && magic == *KOLY)
}

fn is_bundle(folder: &Path) -> bool {
    let extension = folder.extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| BUNDLES.contains(&it))
        && folder.join("Contents/Info.plist").is_file()
}

/// All that carries a signature below an app, itself included, innermost first: what seals another
/// comes after it. The main executable of a bundle is signed with the bundle.
///
/// # Errors
/// A file that lies where only code may lie, or the disk's.
pub fn inside_out(app: &Path) -> Result<Vec<(PathBuf, Kind)>> {
    let mut found = Vec::new();
    walk(app, &mut found)?;
    let mains: Vec<PathBuf> = found
        .iter()
        .filter_map(|(path, kind)| main_of(path, *kind))
        .collect();
    found.retain(|(path, kind)| *kind != Kind::Code || !mains.contains(path));
    found.sort_by(|a, b| {
        let depth = |it: &Path| it.components().count();
        depth(&b.0).cmp(&depth(&a.0)).then_with(|| a.0.cmp(&b.0))
    });
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, Kind)>) -> Result<()> {
    if is_bundle(folder) {
        found.push((folder.to_owned(), Kind::Bundle));
        refuse_data_among_programs(&folder.join("Contents/MacOS"))?;
    } else if is_framework_version(folder) {
        found.push((folder.to_owned(), Kind::Framework));
    }
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && entry.file_name() != "_CodeSignature" {
            walk(&path, found)?;
        } else if kind.is_file() && is_code(&path)? {
            found.push((path, Kind::Code));
        }
    }
    Ok(())
}

/// A version of a framework; of one that has no versions, itself.
fn is_framework_version(folder: &Path) -> bool {
    let is_framework = |it: &Path| it.extension().is_some_and(|it| it == "framework");
    let above = folder
        .parent()
        .filter(|it| it.ends_with("Versions"))
        .and_then(Path::parent);
    let place = match above {
        Some(framework) => is_framework(framework),
        None => is_framework(folder) && !folder.join("Versions").exists(),
    };
    place && info_of(folder, Kind::Framework).is_file()
}

fn info_of(folder: &Path, kind: Kind) -> PathBuf {
    folder.join(match kind {
        Kind::Framework => "Resources/Info.plist",
        _ => "Contents/Info.plist",
    })
}

/// The code that carries the signature of what lies at a path; none if it has no code.
pub fn executable(path: &Path, kind: Kind) -> Option<PathBuf> {
    match kind {
        Kind::Code => Some(path.to_owned()),
        _ => main_of(path, kind).filter(|it| it.is_file()),
    }
}

/// The executable that carries the signature of a bundle.
fn main_of(folder: &Path, kind: Kind) -> Option<PathBuf> {
    let programs = match kind {
        Kind::Framework => folder.to_owned(),
        Kind::Bundle => folder.join("Contents/MacOS"),
        Kind::Code | Kind::Image => return None,
    };
    let info = plist::Value::from_file(info_of(folder, kind)).ok()?;
    let name = info.as_dictionary()?.get("CFBundleExecutable")?;
    Some(programs.join(name.as_string()?))
}

/// The main executable of an app.
///
/// # Errors
/// `Info.plist` names none, or it is not there.
pub fn main_executable(app: &Path) -> Result<PathBuf> {
    let main = main_of(app, Kind::Bundle);
    let main = main.with_context(|| {
        format!(
            "{} names no CFBundleExecutable",
            info_of(app, Kind::Bundle).display()
        )
    })?;
    ensure!(main.is_file(), "{} is missing", main.display());
    Ok(main)
}

/// Whatever lies beside the programs is taken for code (Apple's Technical Note 2206): the app's
/// signature would not hold.
fn refuse_data_among_programs(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            refuse_data_among_programs(&path)?;
        } else if entry.file_type()?.is_file() {
            ensure!(
                is_code(&path)?,
                "{} is no program, and macOS takes all in Contents/MacOS for code: no signature \
                 would hold\n\
                 hint: put it into Contents/Resources, in Tauri with `bundle.resources`",
                path.display()
            );
        }
    }
    Ok(())
}
