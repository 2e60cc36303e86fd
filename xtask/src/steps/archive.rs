//! `archive`: the portable form, without an installer: tar.gz on Linux and macOS, zip on Windows.
//! The same inputs give the same bytes.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};

use super::{sign_code::Code, sign_installers::sign};
use crate::{
    engine::{
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    manifest::{SignatureKind, SignatureRef},
    release::Release,
    target::{Os, Target},
};

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
}

/// A file on its way into the archive.
struct Entry {
    path: String,
    source: PathBuf,
    mode: u32,
    /// Where a symbolic link points to.
    link: Option<String>,
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

    fn entries(&self) -> Result<Vec<Entry>> {
        let code = self.code.artifacts.iter().map(|it| {
            Ok(Entry {
                path: format!("{}/{}", self.name, it.path),
                source: match it.link {
                    Some(_) => self.code.path(&it.path),
                    None => self.code.unchanged(&it.path)?,
                },
                // A library beside a sidecar is no program; what Windows built has no mode.
                mode: match it.executable || cfg!(windows) {
                    true => 0o755,
                    false => 0o644,
                },
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

    fn tar_gz(&self, entries: &[Entry], file: impl Write) -> Result<()> {
        // No name and no time in gzip's own header.
        let gzip = GzBuilder::new().write(file, Compression::new(6));
        let mut builder = tar::Builder::new(gzip);
        for entry in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(entry.mode);
            header.set_mtime(self.epoch.try_into().unwrap_or(0));
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

    fn zip(&self, entries: &[Entry], file: impl Write + std::io::Seek) -> Result<()> {
        let mut writer = zip::ZipWriter::new(file);
        for entry in entries {
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .last_modified_time(zip_time(self.epoch)?)
                .unix_permissions(entry.mode)
                .large_file(fs_err::symlink_metadata(&entry.source)?.len() > u32::MAX.into());
            if let Some(target) = &entry.link {
                writer.add_symlink(&entry.path, target, options)?;
                continue;
            }
            writer.start_file(&entry.path, options)?;
            std::io::copy(&mut fs_err::File::open(&entry.source)?, &mut writer)?;
        }
        writer.finish()?.flush()?;
        Ok(())
    }
}

/// Zip holds local times from 1980 on, in steps of two seconds.
fn zip_time(epoch: i64) -> Result<zip::DateTime> {
    let time = jiff::Timestamp::from_second(epoch)?.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |it: i8| u8::try_from(it).unwrap_or(0);
    let year = u16::try_from(time.year()).unwrap_or(1980).clamp(1980, 2107);
    zip::DateTime::from_date_and_time(
        year,
        part(time.month()),
        part(time.day()),
        part(time.hour()),
        part(time.minute()),
        part(time.second()),
    )
    .context("a time that zip cannot hold")
}

impl Step for Archive<'_> {
    const ID: &'static str = "archive";
    const VERSION: u32 = 1;
    type Output = Packed;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        let files = self
            .files
            .iter()
            .map(|it| self.release.config.root.join(it));
        Ok(files.fold(Inputs::new(), Inputs::file))
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<Packed> {
        let format = if self.target.os == Os::Windows {
            "zip"
        } else {
            "tar.gz"
        };
        let name = format!("{}.{format}", self.name);
        let file = std::io::BufWriter::new(fs_err::File::create(out.file(&name)?)?);
        let entries = self.entries()?;
        match self.target.os {
            Os::Windows => self.zip(&entries, file)?,
            Os::Linux | Os::Macos => self.tar_gz(&entries, file)?,
        }
        let signatures = sign(self.release, out, &name, None, &[SignatureKind::Minisign])?;
        Ok(Packed {
            file: name,
            format: format.to_owned(),
            signatures,
        })
    }
}
