//! Unpacks installers of every kind, to look at what they install.
//!
//! | kind | what unpacks it |
//! |---|---|
//! | deb | this program |
//! | rpm | `rpm2archive`, once `rpm` has found that digests and bytes fit |
//! | AppImage | `unsquashfs`, from where its runtime ends |
//! | NSIS | 7-Zip |
//! | MSI | `msiextract`; on Windows `msiexec`, which installs nothing when asked so |
//! | dmg | 7-Zip, on macOS too: `hdiutil` mounts an image, which a killed run leaves mounted, and asks for consent to a licence if there is one |
//! | app | nothing: it is a folder, of which a copy is made |

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    appimage, deb,
    inside::{self, Inside},
    packages::Need,
    rpm,
};
use crate::{config::BundleKind, engine::staging, steps::copy_tree};

/// An installer that can be looked into.
pub struct Unpacked {
    /// What it holds.
    pub inside: Inside,
    files: Files,
}

/// Where the bytes are.
enum Files {
    /// Unpacked, in this folder.
    In(PathBuf),
    /// In this archive, to be unpacked to the folder when somebody asks for them: mostly nobody does.
    Packed { archive: Archive, folder: PathBuf },
}

enum Archive {
    Deb(PathBuf),
    Tar(PathBuf),
    /// No archive, but what is released: nobody may mark or start anything in it.
    Folder(PathBuf),
}

/// A program that is needed to unpack a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// By what names it goes; any of them will do.
    pub names: &'static [&'static str],
    /// The system package.
    pub need: Need,
}

/// What it takes to unpack this kind here.
pub fn tools(kind: BundleKind) -> &'static [Tool] {
    const fn tool(names: &'static [&'static str], need: Need) -> Tool {
        Tool { names, need }
    }
    const RPM: [Tool; 2] = [tool(&["rpm"], Need::Rpm), tool(&["rpm2archive"], Need::Rpm)];
    const SQUASHFS: [Tool; 1] = [tool(&["unsquashfs"], Need::Squashfs)];
    const SEVEN_ZIP: [Tool; 1] = [tool(&["7zz", "7z"], Need::SevenZip)];
    const MSI: [Tool; 1] = [tool(&["msiextract"], Need::Msitools)];
    match kind {
        BundleKind::Rpm => &RPM,
        BundleKind::Appimage => &SQUASHFS,
        BundleKind::Nsis | BundleKind::Dmg => &SEVEN_ZIP,
        // Windows has its own.
        BundleKind::Msi if !cfg!(windows) => &MSI,
        // Of Inno Setup's nothing is read; its compiler tells what it packed.
        BundleKind::Inno | BundleKind::Msi | BundleKind::Deb | BundleKind::App => &[],
    }
}

/// The first tool for this kind that is not here.
pub fn missing(kind: BundleKind) -> Option<Tool> {
    tools(kind).iter().find(|it| it.find().is_none()).copied()
}

impl Tool {
    /// Where it is; none if it is not here.
    pub fn find(&self) -> Option<PathBuf> {
        self.find_with(|name| which::which(name).ok())
    }

    /// The same, with something else to search PATH.
    pub fn find_with(&self, search: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
        let on_path = self.names.iter().find_map(|it| search(it));
        on_path.or_else(|| {
            // Its installer leaves PATH alone.
            let folder = std::env::var_os("ProgramFiles").filter(|_| cfg!(windows))?;
            let installed = Path::new(&folder).join("7-Zip").join("7z.exe");
            (self.need == Need::SevenZip && installed.is_file()).then_some(installed)
        })
    }
}

/// Unpacks an installer into a folder, which is removed first. `run` runs a command to a good end.
///
/// # Errors
/// The installer is damaged, or a tool is missing: see [`missing`].
pub fn unpack(
    kind: BundleKind,
    package: &Path,
    folder: &Path,
    run: &dyn Fn(Command) -> Result<()>,
) -> Result<Unpacked> {
    staging::remove(folder)?;
    // Nobody else's: among temporary files another user might have made one meanwhile.
    fs_err::create_dir(folder)?;
    // What begins with a dash would be an option.
    let package = &std::path::absolute(package)?;
    let files = folder.join("files");
    let archive = match kind {
        BundleKind::Deb => Archive::Deb(package.clone()),
        BundleKind::Rpm => {
            run(rpm::check(package))?;
            // It leaves the archive beside the package.
            let copy = folder.join("package.rpm");
            fs_err::copy(package, &copy)?;
            run(rpm::to_tar(&copy))?;
            Archive::Tar(folder.join("package.rpm.tar"))
        }
        BundleKind::App => Archive::Folder(package.clone()),
        BundleKind::Inno => bail!("nothing here unpacks what Inno Setup made"),
        _ => {
            run(command(kind, package, &files)?)?;
            return Unpacked::of_folder(files);
        }
    };
    Ok(Unpacked {
        inside: archive.inside()?,
        files: Files::Packed {
            archive,
            folder: files,
        },
    })
}

/// What unpacks into the folder, which some of these programs want not to exist.
fn command(kind: BundleKind, package: &Path, folder: &Path) -> Result<Command> {
    let tool = tools(kind).first();
    let mut command = match tool {
        Some(tool) => Command::new(tool.find().unwrap_or_else(|| tool.names[0].into())),
        None => Command::new("msiexec"),
    };
    match kind {
        BundleKind::Appimage => {
            let offset = appimage::offset(package)?.to_string();
            command.args(["-no-progress", "-no-xattrs", "-offset", &offset, "-dest"]);
            command.arg(folder).arg(package);
        }
        BundleKind::Msi if tool.is_none() => {
            command.arg("/a").arg(package).arg("/qn");
            target_dir(&mut command, folder);
        }
        BundleKind::Msi => {
            command.arg("--directory").arg(folder).arg(package);
        }
        _ => {
            let mut into = std::ffi::OsString::from("-o");
            into.push(folder);
            // An image has a link to the folder of all programs: leaving its own, a version of 7-Zip
            // refuses it.
            command.args([
                "x",
                "-y",
                "-bd",
                "-bso0",
                "-x!Applications",
                "-x!*/Applications",
            ]);
            command.arg(into).arg(package);
        }
    }
    Ok(command)
}

/// Only what follows the `=` may stand in quotation marks; around all of it, as a path with a space
/// would get them, `msiexec` refuses the command line (1639).
#[cfg(windows)]
fn target_dir(command: &mut Command, folder: &Path) {
    use std::os::windows::process::CommandExt as _;
    command.raw_arg(format!("TARGETDIR=\"{}\"", folder.display()));
}

#[cfg(not(windows))]
fn target_dir(command: &mut Command, folder: &Path) {
    command.arg(format!("TARGETDIR={}", folder.display()));
}

impl Archive {
    fn inside(&self) -> Result<Inside> {
        match self {
            Self::Deb(package) => deb::contents(package),
            Self::Tar(path) => inside::of_tar(fs_err::File::open(path)?),
            Self::Folder(path) => inside::of_folder(path.parent().unwrap_or(path), path),
        }
    }

    fn unpack(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Deb(package) => tar::Archive::new(&*deb::data(package)?).unpack(folder)?,
            Self::Tar(path) => tar::Archive::new(fs_err::File::open(path)?).unpack(folder)?,
            Self::Folder(path) => {
                let name = path.file_name().context("a bundle has a name")?;
                copy_tree(path, &folder.join(name))?;
            }
        }
        Ok(())
    }
}

impl Unpacked {
    fn of_folder(folder: PathBuf) -> Result<Self> {
        Ok(Self {
            inside: inside::of_folder(&folder, &folder)?,
            files: Files::In(folder),
        })
    }

    /// The folder with all files, to read or to start them.
    pub fn folder(&self) -> Result<&Path> {
        match &self.files {
            Files::In(folder) => Ok(folder),
            Files::Packed { archive, folder } => {
                if !folder.exists() {
                    archive.unpack(folder)?;
                }
                Ok(folder)
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests;
