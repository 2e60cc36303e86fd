//! What is uploaded: a disk image as it is, an app as a zip. The same app gives the same bytes, at any
//! time and on any machine: by them a submission is found again.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, write::DeflateEncoder};
use fs_err as fs;
use rawzip::{CompressionMethod, ZipArchiveWriter, time::UtcDateTime};

use super::checkpoint::FOLDER;
use crate::engine::{files::sha256_file, processes, staging};

/// 1980-01-01, the first time that a zip can hold.
const TIME: i64 = 315_532_800;
const LEVEL: Compression = Compression::new(4);
/// So much of the SHA-256 tells one submission from another in Apple's list.
const ENOUGH: usize = 12;

/// Below [`FOLDER`], before the id of the process.
const UPLOAD: &str = "upload-";

/// A file to upload, removed when this is dropped.
pub struct Package {
    /// Where it lies.
    pub path: PathBuf,
    /// How Apple will call it. No two files have the same name.
    pub name: String,
    /// Of its bytes, in hex.
    pub sha256: String,
    folder: PathBuf,
}

impl Package {
    /// Of an app or a disk image.
    ///
    /// # Errors
    /// The disk's.
    pub fn of(product: &Path, state: &Path) -> Result<Self> {
        let stem = product
            .file_stem()
            .context("it has a name")?
            .to_string_lossy()
            .into_owned();
        let folder = state
            .join(FOLDER)
            .join(format!("{UPLOAD}{}", std::process::id()));
        staging::remove(&folder)?;
        fs::create_dir_all(&folder)?;
        let (made, ending) = match product.is_dir() {
            true => (folder.join("app.zip"), "zip".to_owned()),
            false => (folder.join("image"), ending(product)?),
        };
        match product.is_dir() {
            true => zip(product, &made)?,
            // Its name has to change, which must not cost a copy where the disk spares it.
            false if fs::hard_link(product, &made).is_ok() => {}
            false => drop(fs::copy(product, &made)?),
        }
        let sha256 = sha256_file(&made)?;
        let name = format!("{stem}-{}.{ending}", &sha256[..ENOUGH]);
        let path = folder.join(&name);
        fs::rename(made, &path)?;
        Ok(Self {
            path,
            name,
            sha256,
            folder,
        })
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        staging::remove(&self.folder).ok();
    }
}

/// Removes what processes that are gone were about to upload.
///
/// # Errors
/// The disk's.
pub fn sweep(state: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(state.join(FOLDER)) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pid = name.strip_prefix(UPLOAD).and_then(|it| it.parse().ok());
        if pid.is_some_and(|it| !processes::is_alive(it)) {
            staging::remove(&path).context("a killed run left what it was uploading")?;
        }
    }
    Ok(())
}

fn ending(product: &Path) -> Result<String> {
    let ending = product
        .extension()
        .map(|it| it.to_string_lossy().into_owned());
    match ending {
        Some(ending) if ["dmg", "pkg", "zip"].contains(&&*ending) => Ok(ending),
        _ => bail!(
            "{} is nothing that Apple notarizes\n\
             hint: it takes an .app, a .dmg, a .pkg or a .zip",
            product.display()
        ),
    }
}

/// In the form of `ditto -c -k --keepParent`: the app's own folder is part of each name, links stay
/// links.
fn zip(app: &Path, into: &Path) -> Result<()> {
    let name = app.file_name().context("it has a name")?;
    let file = io::BufWriter::new(fs::File::create(into)?);
    let mut archive = ZipArchiveWriter::new(file);
    add(&mut archive, app, &name.to_string_lossy())?;
    io::Write::flush(&mut archive.finish()?)?;
    Ok(())
}

fn add(archive: &mut ZipArchiveWriter<impl io::Write>, path: &Path, name: &str) -> Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    let time = UtcDateTime::from_unix(TIME);
    if kind.is_dir() {
        archive
            .new_dir(format!("{name}/"))
            .last_modified(time)
            .unix_permissions(0o040_755)
            .create()?;
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inside = format!("{name}/{}", entry.file_name().to_string_lossy());
            add(archive, &entry.path(), &inside)?;
        }
        return Ok(());
    }
    let (mode, mut content): (_, Box<dyn io::Read>) = match kind.is_symlink() {
        true => {
            let target = fs::read_link(path)?.to_string_lossy().replace('\\', "/");
            (0o120_755, Box::new(io::Cursor::new(target.into_bytes())))
        }
        false => (0o100_000 | mode(path)?, Box::new(fs::File::open(path)?)),
    };
    let (mut packed, config) = archive
        .new_file(name)
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified(time)
        .unix_permissions(mode)
        .start()?;
    let mut plain = config.wrap(DeflateEncoder::new(&mut packed, LEVEL));
    io::copy(&mut content, &mut plain)?;
    let (encoder, sums) = plain.finish()?;
    encoder.finish()?;
    packed.finish(sums)?;
    Ok(())
}

#[cfg(unix)]
fn mode(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = fs::metadata(path)?.permissions().mode() & 0o111 != 0;
    Ok(if executable { 0o755 } else { 0o644 })
}

/// Windows keeps no modes: what may be a program is one.
#[cfg(not(unix))]
fn mode(_: &Path) -> Result<u32> {
    Ok(0o755)
}

#[cfg(all(test, unix))]
mod tests {
    use expect_test::expect;

    use super::*;

    fn app(folder: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let contents = folder.join("A.app/Contents");
        fs::create_dir_all(contents.join("MacOS")).unwrap();
        fs::create_dir_all(contents.join("Empty")).unwrap();
        let program = contents.join("MacOS/A");
        fs::write(&program, "program").unwrap();
        fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(contents.join("Info.plist"), "info").unwrap();
        fs::os::unix::fs::symlink("MacOS/A", contents.join("link")).unwrap();
        folder.join("A.app")
    }

    #[test]
    fn the_same_app_gives_the_same_bytes() {
        let packed = [(); 2].map(|()| {
            let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let package = Package::of(&app(folder.path()), state.path()).unwrap();
            (fs::read(&package.path).unwrap(), package.name.clone())
        });
        assert!(packed[0] == packed[1]);
        let archive = rawzip::ZipArchive::from_slice(&packed[0].0).unwrap();
        let mut text = String::new();
        for entry in archive.entries() {
            let entry = entry.unwrap();
            let path = entry
                .file_path()
                .try_normalize()
                .unwrap()
                .as_str()
                .to_owned();
            let mode = entry.external_attributes() >> 16;
            text += &format!("{mode:o} {path} {}\n", entry.last_modified());
        }
        expect![[r#"
            40755 A.app/ 1980-01-01T00:00:00Z
            40755 A.app/Contents/ 1980-01-01T00:00:00Z
            40755 A.app/Contents/Empty/ 1980-01-01T00:00:00Z
            100644 A.app/Contents/Info.plist 1980-01-01T00:00:00Z
            40755 A.app/Contents/MacOS/ 1980-01-01T00:00:00Z
            100755 A.app/Contents/MacOS/A 1980-01-01T00:00:00Z
            120755 A.app/Contents/link 1980-01-01T00:00:00Z
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("A 1.0.dmg");
        fs::write(&image, "image").unwrap();
        let package = Package::of(&image, folder.path()).unwrap();
        assert!(package.name.starts_with("A 1.0-") && package.name.ends_with(".dmg"));
        assert!(package.path.is_file());
        let path = package.folder.clone();
        drop(package);
        assert!(!path.exists() && image.is_file());
        let text = folder.path().join("a.txt");
        fs::write(&text, "").unwrap();
        assert!(Package::of(&text, folder.path()).is_err());
    }
}
