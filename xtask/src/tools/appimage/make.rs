//! Makes an AppImage of a folder: [its specification][spec], type 2.
//!
//! [spec]: https://github.com/AppImage/AppImageSpec/blob/master/draft.md

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::end_of_elf;
use crate::{binary, engine::files::sha256_bytes, steps::link_to, target::Target};

/// Where AppImage's project publishes its runtimes.
pub const RUNTIMES: &str = "https://github.com/AppImage/type2-runtime/releases";

/// What stands in the header of a runtime for AppImages of type 2, and where.
const MAGIC: (usize, &[u8]) = (8, b"AI\x02");

/// Where icons lie in a package.
const ICONS: &str = "usr/share/icons/hicolor";

/// Reads the program that an AppImage begins with, which mounts what follows and starts `AppRun` in it.
/// Its SHA-256 must be among `pinned`, unless that is empty.
///
/// # Errors
/// It is not there, or no such program for the target.
pub fn runtime(file: &Path, target: &Target, pinned: &[String]) -> Result<Vec<u8>> {
    let shown = file.display();
    ensure!(file.is_file(), "there is no {shown}\nhint: {}", hint(file));
    let data = fs_err::read(file)?;
    let hash = sha256_bytes(&data);
    ensure!(
        pinned.is_empty() || pinned.contains(&hash),
        "{shown} has the SHA-256 {hash}, which `bundle.appimage.runtime-sha256` does not name\n\
         hint: if that is the file you want, name it there; else {}",
        hint(file)
    );
    let fits = binary::check_content(&data, file, target, "the runtime of AppImages");
    fits.map_err(|it| match it.to_string() {
        said if said.contains("hint: ") => it,
        said => anyhow::anyhow!("{said}\nhint: {}", hint(file)),
    })?;
    let (at, magic) = MAGIC;
    ensure!(
        data.get(at..).is_some_and(|it| it.starts_with(magic)),
        "{shown} is a program, but no type-2 runtime of AppImages\nhint: {}",
        hint(file)
    );
    // It looks for the image where it ends by its own account.
    let end = end_of_elf(&data)?;
    ensure!(
        end == data.len() as u64,
        "{shown} has {} bytes, but ends after {end}: it is damaged, or an AppImage\nhint: {}",
        data.len(),
        hint(file)
    );
    Ok(data)
}

fn hint(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("download {name} from {RUNTIMES} to there")
}

/// Adds to the folder what an AppImage has at its top: the program that is started, the desktop entry,
/// the icon. `host` is the main executable's name, `product` the desktop entry's.
///
/// # Errors
/// There is no icon, or no desktop entry.
pub fn finish(folder: &Path, host: &str, product: &str) -> Result<()> {
    let entry = format!("usr/share/applications/{product}.desktop");
    ensure!(
        folder.join(&entry).is_file(),
        "there is no {entry}, which an AppImage must have"
    );
    let icon = largest_icon(folder, host)?;
    let top = format!("{host}.png");
    for (at, target) in [
        ("AppRun", &*format!("usr/bin/{host}")),
        (&*format!("{product}.desktop"), &*entry),
        (&*top, &*icon),
        (".DirIcon", &*top),
    ] {
        let at = folder.join(at);
        // The app's own configuration may have put one there.
        if fs_err::symlink_metadata(&at).is_err() {
            link_to(target, &at)?;
        }
    }
    for_everyone(folder)
}

/// The largest square icon of the program, relative to the folder.
fn largest_icon(folder: &Path, host: &str) -> Result<String> {
    let sizes = fs_err::read_dir(folder.join(ICONS)).into_iter().flatten();
    let mut largest = None;
    for size in sizes {
        let name = size?.file_name().to_string_lossy().into_owned();
        let icon = format!("{ICONS}/{name}/apps/{host}.png");
        let (width, height) = name.trim_end_matches("@2").split_once('x').unzip();
        let pixels = width.and_then(|it| it.parse::<u32>().ok());
        if width == height && folder.join(&icon).is_file() {
            largest = largest.max(pixels.map(|it| (it, icon)));
        }
    }
    let (_, icon) = largest.context(
        "an AppImage needs an icon, but there is no square one\n\
         hint: name a PNG file as wide as high in `bundle.icon` of the Tauri configuration",
    )?;
    Ok(icon)
}

/// Who builds decides by their umask what others may read. In the image that would be another byte.
#[cfg(unix)]
fn for_everyone(folder: &Path) -> Result<()> {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    let set = |path: &Path, mode| fs_err::set_permissions(path, Permissions::from_mode(mode));
    set(folder, 0o755)?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            for_everyone(&path)?;
        } else if kind.is_file() {
            let may_run = entry.metadata()?.permissions().mode() & 0o111 != 0;
            set(&path, if may_run { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// Windows has no such mark; no AppImage is made there.
#[cfg(not(unix))]
fn for_everyone(_folder: &Path) -> Result<()> {
    Ok(())
}

/// The command that packs the folder, with one time for all: the same folder gives the same bytes.
/// `epoch` is in seconds since 1970.
pub fn squash(folder: &Path, image: &Path, epoch: i64) -> Command {
    let mut command = Command::new("mksquashfs");
    command.arg(folder).arg(image);
    // Every runtime reads what gzip packed; not all read zstd.
    command.args(["-noappend", "-no-progress", "-quiet", "-comp", "gzip"]);
    // Labels of the builder's system.
    command.args(["-root-owned", "-no-xattrs"]);
    let epoch = epoch.to_string();
    command.args(["-all-time", &epoch, "-mkfs-time", &epoch]);
    // Beside the two times it is refused.
    command.env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Writes the runtime and behind it the image, to a file that may be executed.
pub fn join(runtime: &[u8], image: &Path, to: &Path) -> Result<()> {
    let mut file = fs_err::File::create(to)?;
    file.write_all(runtime)?;
    std::io::copy(&mut fs_err::File::open(image)?, &mut file)?;
    file.sync_all()?;
    drop(file);
    mark_executable(to)
}

#[cfg(unix)]
fn mark_executable(file: &Path) -> Result<()> {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    Ok(fs_err::set_permissions(
        file,
        Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn mark_executable(_file: &Path) -> Result<()> {
    Ok(())
}

/// What Tauri's bundler would call it, so that who downloads it need not know what made it.
pub fn file_name(product: &str, version: &str, target: &Target) -> PathBuf {
    let arch = match target.arch() {
        "x86_64" => "amd64",
        "i686" | "i586" => "i386",
        "arm" | "armv7" => "armhf",
        arch => arch,
    };
    format!("{product}_{version}_{arch}.AppImage").into()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
