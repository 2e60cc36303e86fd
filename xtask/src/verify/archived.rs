//! Code for Windows and macOS in archives: the portable form of a release, what Tauri's updater
//! fetches for macOS, or what somebody downloaded. Archives carry no signature inside themselves,
//! but what is in them does.

mod judge;
mod list;
mod unpack;

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

pub(super) use self::judge::{loose, of_release};
use super::{
    Report, Trust,
    inside::{self, Mark},
    scratch::Scratch,
};
use crate::{
    engine::files::sha256_file,
    manifest::SignatureKind,
    sign::{format::Format, macos::discover},
};

/// The code of an archive.
struct Code {
    /// In the order of the paths.
    units: Vec<Unit>,
    /// Whether there is nothing but apps, whose signatures cover every file.
    sealed: bool,
}

/// Something in an archive that is signed as a whole: a file, an app, or a framework.
struct Unit {
    /// The archive's name and the path in it.
    name: String,
    /// The path in the archive.
    path: String,
    format: Format,
    kind: SignatureKind,
    /// Of a file, its SHA-256.
    sha256: Option<String>,
    /// What its signatures say; none if it has none, or only one by a linker, in the name of nobody.
    /// The error is why it cannot be read.
    marks: Result<Vec<Mark>, String>,
}

/// What is in the archive; none if it is no archive or cannot be read. If that cannot even be seen
/// to be code it becomes a note, else a row of the report.
fn look(file: &Path, name: &str, trust: &Trust, report: &mut Report) -> Result<Option<Code>> {
    let format = match Format::of(file) {
        Ok(it @ (Format::Gzip | Format::Zip)) => it,
        _ => return Ok(None),
    };
    match list::has_code(file, format) {
        Ok(false) => {
            return Ok(Some(Code {
                units: Vec::new(),
                sealed: false,
            }));
        }
        Ok(true) => {}
        Err(error) => {
            report.note(format!("{name}: not looked into ({error:#})"));
            return Ok(None);
        }
    }
    let scratch = Scratch::new()?;
    let folder = scratch.path().join("files");
    fs::create_dir(&folder)?;
    if let Err(error) = unpack::unpack(file, format, &folder) {
        if error.is::<unpack::NoLinks>() {
            report.note(format!("{name}: not looked into ({error:#})"));
        } else {
            report.check(name, "archive", "can be unpacked", &format!("{error:#}"));
        }
        return Ok(None);
    }
    let mut code = Code {
        units: Vec::new(),
        sealed: only_apps(&folder)?,
    };
    walk(&folder, "", name, trust, &mut code.units)?;
    Ok(Some(code))
}

fn only_apps(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || Format::of(&entry.path())? != Format::App {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Links are not followed: what they lead to lies elsewhere in the archive, too.
fn walk(
    folder: &Path,
    prefix: &str,
    name: &str,
    trust: &Trust,
    units: &mut Vec<Unit>,
) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (at, kind) = (entry.path(), entry.file_type()?);
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_file() {
            units.extend(Unit::of_file(&at, path, name, trust)?);
        } else if kind.is_dir() {
            match Unit::of_bundle(&at, &path, name, trust) {
                Some(unit) => units.push(unit),
                None => walk(&at, &format!("{path}/"), name, trust, units)?,
            }
        }
    }
    Ok(())
}

impl Unit {
    fn of_file(at: &Path, path: String, archive: &str, trust: &Trust) -> Result<Option<Self>> {
        let format = Format::of(at)?;
        let is_code = match format {
            // Object files and the like begin so, too; nobody signs them.
            Format::MachO => discover::is_code(at)?,
            it => it.is_windows() || it == Format::Dmg,
        };
        let Some(kind) = inside::kind(format).filter(|_| is_code) else {
            return Ok(None);
        };
        let name = format!("{archive}/{path}");
        Ok(Some(Self {
            marks: marks(inside::look(at, &name, trust)),
            sha256: Some(sha256_file(at)?),
            name,
            path,
            format,
            kind,
        }))
    }

    /// An app, or a framework that is signed as a whole; none if the folder is neither.
    fn of_bundle(at: &Path, path: &str, archive: &str, trust: &Trust) -> Option<Self> {
        let name = format!("{archive}/{path}");
        let is_app = Format::of(at).is_ok_and(|it| it == Format::App);
        let looked = match is_app {
            true => inside::look(at, &name, trust),
            false if is_sealed_framework(at) => inside::of_framework(at, &name, trust),
            false => return None,
        };
        Some(Self {
            marks: marks(looked),
            sha256: None,
            name,
            path: path.to_owned(),
            format: Format::App,
            kind: SignatureKind::Apple,
        })
    }
}

fn is_sealed_framework(folder: &Path) -> bool {
    folder.extension().is_some_and(|it| it == "framework")
        && folder
            .join("Versions/Current/_CodeSignature/CodeResources")
            .is_file()
}

/// Code for Apple's processors does not start without a signature, so linkers make one in the name
/// of nobody. As long as it fits the bytes it is as good as none.
fn marks(looked: Result<Vec<Mark>>) -> Result<Vec<Mark>, String> {
    match looked {
        Ok(marks) => Ok(match marks.iter().all(Mark::is_by_nobody) {
            true => Vec::new(),
            false => marks,
        }),
        Err(error) if error.is::<xtask_signed::apple::NotSigned>() => Ok(Vec::new()),
        Err(error) => Err(format!("{error:#}")),
    }
}
