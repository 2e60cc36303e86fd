//! `archive`: the portable form, without an installer: tar.gz on Linux and macOS, zip on Windows.
//! The same inputs give the same bytes.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, GzBuilder, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter, time::UtcDateTime};
use serde::{Deserialize, Serialize};

use super::{sign_code::Code, sign_installers::sign};
use crate::{
    engine::{
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    manifest::{Content, SignatureKind, SignatureRef},
    release::Release,
    target::{Os, Target},
    tools::inside,
};

/// Of `miniz_oxide` this level packs executables as small as level 6 of zlib, in 1.3 times the
/// time; its own level 6 saves another 2 % and takes three times as long. The faster `zlib-rs`
/// would cost every build of xtask four seconds.
const LEVEL: Compression = Compression::new(4);

/// Executables and texts to be packed.
#[derive(Serialize)]
pub struct Archive<'r> {
    #[serde(skip)]
    release: &'r Release,
    name: String,
    files: Vec<String>,
    epoch: i64,
    public_key: Option<String>,
    target: Target,
    code: Done<Code>,
}

/// The packed archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Packed {
    /// Its name in the stage folder.
    pub file: String,
    /// `tar.gz` or `zip`.
    pub format: String,
    /// Files in the stage folder.
    pub signatures: Vec<SignatureRef>,
    /// Files that others signed: by their hashes alone one knows that they belong there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
}

/// A file on its way into the archive.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) source: PathBuf,
    pub(super) mode: u32,
    /// Where a symbolic link points to.
    pub(super) link: Option<String>,
}

impl<'r> Archive<'r> {
    /// The step over the signed executables.
    pub fn new(release: &'r Release, code: &Done<Code>, files: &[PathBuf]) -> Self {
        let product = &release.config.product;
        let name = product.name.replace(' ', "-");
        Self {
            release,
            name: format!("{name}-{}-{}", product.version, release.target.triple),
            files: files.iter().map(|it| release.relative(it)).collect(),
            epoch: release.epoch,
            public_key: release.signer.as_ref().map(|it| it.public_key().line()),
            target: release.target.clone(),
            code: code.clone(),
        }
    }

    /// What others signed, as it is in the archive.
    fn left_alone(&self) -> Result<Vec<Content>> {
        let files = self.code.output.left_alone.iter();
        files
            .map(|path| {
                Ok(Content {
                    path: format!("{}/{path}", self.name),
                    sha256: self.code.artifact(path)?.sha256.clone(),
                })
            })
            .collect()
    }

    fn entries(&self) -> Result<Vec<Entry>> {
        let code = self.code.artifacts.iter().map(|it| {
            Ok(Entry {
                path: format!("{}/{}", self.name, it.path),
                source: match it.link {
                    Some(_) => self.code.path(&it.path),
                    None => self.code.unchanged(&it.path)?,
                },
                mode: mode(&self.target, &it.path, it.executable),
                link: it.link.clone(),
            })
        });
        let mut entries = code.collect::<Result<Vec<Entry>>>()?;
        for file in &self.files {
            let source = self.release.config.root.join(file);
            let name = source
                .file_name()
                .context("a file has a name")?
                .to_string_lossy();
            let path = format!("{}/{name}", self.name);
            entries.push(Entry {
                path,
                source,
                mode: 0o644,
                link: None,
            });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        for pair in entries.windows(2) {
            ensure!(
                !pair[0].path.eq_ignore_ascii_case(&pair[1].path),
                "two files would be {} in the archive\n\
                 hint: name one of them under `archive.files` in packaging/dist.toml",
                pair[1].path
            );
        }
        Ok(entries)
    }
}

/// A library beside a sidecar is no program. On Windows files have no mode, and names tell: the same
/// files are packed alike wherever that is done.
fn mode(target: &Target, path: &str, executable: bool) -> u32 {
    let is_program = match target.os {
        Os::Windows => path.to_ascii_lowercase().ends_with(".exe"),
        Os::Linux | Os::Macos => executable,
    };
    if is_program { 0o755 } else { 0o644 }
}

/// Packs a folder, which is the one at the top of the archive.
pub(super) fn pack_folder(folder: &Path, epoch: i64, into: &Path) -> Result<()> {
    let root = folder.parent().context("a folder lies in another")?;
    let files = inside::of_folder(root, folder)?.into_iter();
    let entries: Vec<Entry> = files
        .map(|(path, it)| Entry {
            source: root.join(&path),
            path,
            mode: if it.executable { 0o755 } else { 0o644 },
            link: it.link,
        })
        .collect();
    let file = io::BufWriter::new(fs_err::File::create(into)?);
    tar_gz(&entries, epoch, file)
}

fn tar_gz(entries: &[Entry], epoch: i64, file: impl Write) -> Result<()> {
    // No name and no time in gzip's own header.
    let gzip = GzBuilder::new().write(file, LEVEL);
    let mut builder = tar::Builder::new(gzip);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_mtime(epoch.try_into().unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        if let Some(target) = &entry.link {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, &entry.path, target)?;
            continue;
        }
        let source = fs_err::File::open(&entry.source)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(source.metadata()?.len());
        builder.append_data(&mut header, &entry.path, source)?;
    }
    builder.into_inner()?.finish()?.flush()?;
    Ok(())
}

fn zip(entries: &[Entry], epoch: i64, file: impl Write) -> Result<()> {
    let mut archive = ZipArchiveWriter::new(file);
    for entry in entries {
        // A mode has the type with it: a symbolic link, whose content is its target, or a file.
        let (kind, mut content): (_, Box<dyn io::Read>) = match &entry.link {
            Some(target) => (0o120_000, Box::new(target.as_bytes())),
            None => (0o100_000, Box::new(fs_err::File::open(&entry.source)?)),
        };
        let (mut packed, config) = archive
            .new_file(&entry.path)
            .compression_method(CompressionMethod::DEFLATE)
            .last_modified(UtcDateTime::from_unix(epoch))
            .unix_permissions(kind | entry.mode)
            .start()?;
        let mut plain = config.wrap(DeflateEncoder::new(&mut packed, LEVEL));
        io::copy(&mut content, &mut plain)?;
        let (encoder, sums) = plain.finish()?;
        encoder.finish()?;
        packed.finish(sums)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

impl Step for Archive<'_> {
    const ID: &'static str = "archive";
    const VERSION: u32 = 3;
    type Output = Packed;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        let files = self
            .files
            .iter()
            .map(|it| self.release.config.root.join(it));
        Ok(files.fold(Inputs::new(), Inputs::file))
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<Packed> {
        let format = self.target.archive();
        let name = format!("{}.{format}", self.name);
        let file = std::io::BufWriter::new(fs_err::File::create(out.file(&name)?)?);
        let entries = self.entries()?;
        match self.target.os {
            Os::Windows => zip(&entries, self.epoch, file)?,
            Os::Linux | Os::Macos => tar_gz(&entries, self.epoch, file)?,
        }
        let signatures = sign(self.release, out, &name, None, &[SignatureKind::Minisign])?;
        Ok(Packed {
            file: name,
            format: format.to_owned(),
            signatures,
            contents: self.left_alone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A text and a program of more than a megabyte.
    fn entries(folder: &std::path::Path) -> Vec<Entry> {
        let files = [
            ("README.md", 0o644, "read me\n"),
            ("app.exe", 0o755, &"code ".repeat(300_000)),
        ];
        let entry = |(name, mode, text): (&str, u32, &str)| {
            let source = folder.join(name);
            std::fs::write(&source, text).unwrap();
            Entry {
                path: format!("App-1.0.0/{name}"),
                source,
                mode,
                link: None,
            }
        };
        let link = Entry {
            path: "App-1.0.0/latest".to_owned(),
            source: PathBuf::new(),
            mode: 0o755,
            link: Some("app.exe".to_owned()),
        };
        files.map(entry).into_iter().chain([link]).collect()
    }

    /// Packs twice, at two places, and lists what `list` tells of the archive.
    fn check(
        pack: fn(&[Entry], i64, &mut Vec<u8>) -> Result<()>,
        list: fn(&[u8]) -> Vec<String>,
        expected: Expect,
    ) {
        let archives = [(); 2].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            let mut bytes = Vec::new();
            pack(&entries(folder.path()), 1_000_000_001, &mut bytes).unwrap();
            bytes
        });
        assert!(archives[0] == archives[1], "the same inputs, other bytes");
        assert!(archives[0].len() < 10_000, "{}", archives[0].len());
        expected.assert_eq(&(list(&archives[0]).join("\n") + "\n"));
    }

    #[test]
    fn zip_holds_modes_and_one_time() {
        let list = |bytes: &[u8]| {
            let archive = rawzip::ZipArchive::from_slice(bytes).unwrap();
            let line = |entry: Result<rawzip::ZipFileHeaderRecord<'_>, rawzip::Error>| {
                let entry = entry.unwrap();
                let path = entry.file_path().try_normalize().unwrap();
                format!(
                    "{} {:o} {} {} {:?}",
                    path.as_str(),
                    entry.external_attributes() >> 16,
                    entry.uncompressed_size_hint(),
                    entry.last_modified(),
                    entry.compression_method(),
                )
            };
            archive.entries().map(line).collect()
        };
        check(
            |entries, epoch, to| zip(entries, epoch, to),
            list,
            expect![[r#"
                App-1.0.0/README.md 100644 8 2001-09-09T01:46:41Z CompressionMethod::DEFLATE
                App-1.0.0/app.exe 100755 1500000 2001-09-09T01:46:41Z CompressionMethod::DEFLATE
                App-1.0.0/latest 120755 7 2001-09-09T01:46:41Z CompressionMethod::DEFLATE
            "#]],
        );
    }

    #[test]
    fn what_is_no_program_is_not_marked_as_one() {
        let check = |target: &str, path, executable, expected| {
            let target: Target = target.parse().unwrap();
            assert_eq!(mode(&target, path, executable), expected, "{path}");
        };
        // As Windows has it, where every file counts as executable, and as others do.
        for executable in [true, false] {
            check("x86_64-pc-windows-msvc", "App.EXE", executable, 0o755);
            check("x86_64-pc-windows-msvc", "x/x.dll", executable, 0o644);
        }
        check("x86_64-unknown-linux-gnu", "x/x", true, 0o755);
        check("x86_64-unknown-linux-gnu", "x/x.exe", false, 0o644);
    }

    #[test]
    fn tar_holds_modes_and_one_time() {
        let list = |bytes: &[u8]| {
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
            let line = |entry: io::Result<tar::Entry<'_, _>>| {
                let entry = entry.unwrap();
                let header = entry.header();
                format!(
                    "{} {:o} {} {} {}:{}",
                    entry.path().unwrap().display(),
                    header.mode().unwrap(),
                    entry.size(),
                    header.mtime().unwrap(),
                    header.uid().unwrap(),
                    header.gid().unwrap(),
                )
            };
            archive.entries().unwrap().map(line).collect()
        };
        check(
            |entries, epoch, to| tar_gz(entries, epoch, to),
            list,
            expect![[r#"
                App-1.0.0/README.md 644 8 1000000001 0:0
                App-1.0.0/app.exe 755 1500000 1000000001 0:0
                App-1.0.0/latest 755 0 1000000001 0:0
            "#]],
        );
    }
}
