//! Unpacks archives that nobody has vouched for yet: nothing is written outside of the folder, and
//! no link leads out of it.

use std::{
    fmt,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use fs_err as fs;
use rawzip::{CompressionMethod, ReaderAt, ZipArchive, ZipFileHeaderRecord};

use crate::sign::format::Format;

/// How many bytes an archive may unpack to: a few thousand times what is packed can come out of it.
const MOST: u64 = 16 << 30;
/// How long a link's target may be.
const LONGEST_LINK: u64 = 4096;

/// This machine cannot make the symbolic links that the archive holds.
#[derive(Debug)]
pub(super) struct NoLinks(io::Error);

impl fmt::Display for NoLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it holds symbolic links, which cannot be made here: {}; on Windows, switch on its developer mode",
            self.0
        )
    }
}

impl std::error::Error for NoLinks {}

/// Unpacks into an empty folder.
///
/// # Errors
/// The archive is damaged, in a form that is not read here, or would write elsewhere; [`NoLinks`].
pub(super) fn unpack(file: &Path, format: Format, folder: &Path) -> Result<()> {
    let mut out = Out {
        folder,
        left: MOST,
        links: Vec::new(),
    };
    match format {
        Format::Zip => of_zip(file, &mut out)?,
        _ => of_tar(file, &mut out)?,
    }
    out.link()
}

/// Where it is unpacked to.
struct Out<'a> {
    folder: &'a Path,
    /// How many bytes may still be written.
    left: u64,
    /// Paths and targets: made last, so that nothing is ever written through one.
    links: Vec<(PathBuf, String)>,
}

impl Out<'_> {
    fn add_folder(&self, path: &Path) -> Result<()> {
        Ok(fs::create_dir_all(self.folder.join(path))?)
    }

    fn add_file(&mut self, path: &Path, data: impl Read) -> Result<()> {
        let at = self.folder.join(path);
        fs::create_dir_all(at.parent().unwrap_or(self.folder))?;
        // What comes twice is one thing to one reader, and another to the next.
        let mut file = fs::File::create_new(&at)
            .with_context(|| format!("{} cannot be written, or comes twice", path.display()))?;
        let written = io::copy(&mut data.take(self.left + 1), &mut file)
            .with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            written <= self.left,
            "more than {} GiB come out of it",
            MOST >> 30
        );
        self.left -= written;
        Ok(())
    }

    fn link(&self) -> Result<()> {
        for (path, target) in &self.links {
            ensure!(
                stays_inside(path, target),
                "{} is a link that leads out of it, to {target}",
                path.display()
            );
            let parent = path.parent().unwrap_or(Path::new(""));
            let above = parent.ancestors().map(|it| self.folder.join(it));
            let through = above.into_iter().any(|it| it.is_symlink());
            ensure!(!through, "{} lies behind a link", path.display());
            self.add_folder(parent)?;
            let at = self.folder.join(path);
            ensure!(
                !at.is_symlink() && !at.exists(),
                "{} comes twice",
                path.display()
            );
            link(Path::new(target), &at).map_err(NoLinks)?;
        }
        Ok(())
    }
}

/// Whether the target of a link at this path is in the same folder as the path. `..` only counts at
/// the beginning: behind the name of another link it would lead anywhere.
fn stays_inside(path: &Path, target: &str) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    let mut below = false;
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir if depth > 0 && !below => depth -= 1,
            Component::CurDir => {}
            Component::Normal(_) => below = true,
            _ => return false,
        }
    }
    !target.contains('\\')
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// Windows tells links to folders from those to files, and makes them only for some users.
#[cfg(windows)]
fn link(target: &Path, at: &Path) -> io::Result<()> {
    let is_folder = at.parent().is_some_and(|it| it.join(target).is_dir());
    match is_folder {
        true => std::os::windows::fs::symlink_dir(target, at),
        false => std::os::windows::fs::symlink_file(target, at),
    }
}

/// The path of an entry; none for the folder itself.
fn inner(name: &[u8]) -> Result<Option<PathBuf>> {
    let shown = || String::from_utf8_lossy(name).into_owned();
    let text = std::str::from_utf8(name)
        .ok()
        .with_context(|| format!("{} is no name in UTF-8", shown()))?;
    // Both mean something else on Windows.
    ensure!(
        !text.contains(['\\', ':', '\0']),
        "{text:?} is no portable path"
    );
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => bail!("{text} leads out of it"),
        }
    }
    Ok(Some(path).filter(|it| it.components().next().is_some()))
}

fn of_tar(file: &Path, out: &mut Out<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(fs::File::open(file)?));
    for entry in archive.entries()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        let Some(path) = inner(&entry.path_bytes())? else {
            continue;
        };
        if kind.is_dir() {
            out.add_folder(&path)?;
        } else if kind.is_file() {
            out.add_file(&path, entry)?;
        } else if kind.is_symlink() {
            let target = entry.link_name_bytes().context("a link without a target")?;
            let target = String::from_utf8(target.into_owned())?;
            out.links.push((path, target));
        } else if !kind.is_pax_global_extensions() {
            bail!("{} is no file, folder or symbolic link", path.display());
        }
    }
    // gzip's own checksum comes after the last entry.
    let rest = io::copy(&mut archive.into_inner().take(out.left), &mut io::sink());
    rest.context("its end is damaged")?;
    Ok(())
}

fn of_zip(file: &Path, out: &mut Out<'_>) -> Result<()> {
    let file = fs::File::open(file)?.into_file();
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).context("no zip")?;
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry()? {
        let Some(path) = inner(entry.file_path().as_bytes())? else {
            continue;
        };
        if entry.is_dir() {
            out.add_folder(&path)?;
            continue;
        }
        let data = zipped(&archive, &entry)?;
        if entry.mode().is_symlink() {
            let mut target = String::new();
            data.take(LONGEST_LINK).read_to_string(&mut target)?;
            out.links.push((path, target));
        } else {
            out.add_file(&path, data)?;
        }
    }
    Ok(())
}

/// The content of an entry, whose length and CRC are verified by the way.
fn zipped<'a>(
    archive: &'a ZipArchive<impl ReaderAt>,
    entry: &ZipFileHeaderRecord<'_>,
) -> Result<Box<dyn Read + 'a>> {
    let packed = archive.get_entry(entry.wayfinder())?;
    Ok(match entry.compression_method() {
        CompressionMethod::STORE => Box::new(packed.verifying_reader(packed.reader())),
        CompressionMethod::DEFLATE => {
            Box::new(packed.verifying_reader(DeflateDecoder::new(packed.reader())))
        }
        other => bail!("{other} is a compression that is not read here"),
    })
}

#[cfg(test)]
mod tests;
