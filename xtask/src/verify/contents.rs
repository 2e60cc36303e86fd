//! Whether installers and archives hold the very executables that were signed and tried.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use fs_err as fs;
use rawzip::{CompressionMethod, ReaderAt, ZipArchive, ZipFileHeaderRecord};

use super::report::Report;
use crate::{
    config::BundleKind,
    engine::{exec, files::sha256_reader, staging},
    manifest::Artifact,
    tools::{
        inside::{self, Entry, Inside},
        rpm, unpack,
    },
};

/// How long a program may take to unpack an installer.
const UNPACKING: Duration = Duration::from_secs(300);

/// Hash by path inside; `None` for what is no plain file, or comes twice.
type Hashes = BTreeMap<String, Option<String>>;

/// Compares the recorded contents of an artifact with what it holds. Formats that are not read
/// become a note.
pub(super) fn check(folder: &Path, artifact: &Artifact, report: &mut Report) {
    if artifact.contents.is_empty() {
        return;
    }
    let inside = match read(&folder.join(&artifact.path), artifact) {
        Ok(Some(inside)) => inside,
        Ok(None) => {
            let name = &artifact.path;
            return report.note(format!("{name}: not looked into ({})", artifact.format));
        }
        Err(e) => {
            return report.check(&artifact.path, "contents", "readable", &format!("{e:#}"));
        }
    };
    for content in &artifact.contents {
        let check = format!("contents: {}", content.path);
        let actual = match inside.get(&content.path) {
            Some(Some(hash)) => hash,
            Some(None) => "not one plain file",
            None => "missing",
        };
        report.check(&artifact.path, &check, &content.sha256, actual);
    }
}

/// `None` if the format is not one that is read here.
fn read(path: &Path, artifact: &Artifact) -> Result<Option<Hashes>> {
    let wanted = |path: &str| artifact.contents.iter().any(|content| content.path == path);
    match artifact.format.as_str() {
        "deb" => read_deb(path, &wanted),
        // What Tauri's updater asks for of macOS: a bundle, packed.
        "tar.gz" | "app" => read_tar(MultiGzDecoder::new(fs::File::open(path)?), &wanted).map(Some),
        "zip" => read_zip(path, &wanted).map(Some),
        "rpm" if rpm::is_there() => read_rpm(path, &wanted).map(Some),
        "appimage" => read_unpacked(path, BundleKind::Appimage, artifact),
        "nsis" => read_unpacked(path, BundleKind::Nsis, artifact),
        "msi" => read_unpacked(path, BundleKind::Msi, artifact),
        "dmg" => read_unpacked(path, BundleKind::Dmg, artifact),
        _ => Ok(None),
    }
}

/// A deb is an ar archive; the files are in its member `data.tar` with a suffix for the
/// compression (deb(5)). Tauri writes gzip; of the others only none at all is read.
fn read_deb(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Option<Hashes>> {
    let mut archive = ar::Archive::new(fs::File::open(path)?);
    while let Some(member) = archive.next_entry() {
        let member = member?;
        match member.header().identifier() {
            b"data.tar.gz" => return read_tar(MultiGzDecoder::new(member), wanted).map(Some),
            b"data.tar" => return read_tar(member, wanted).map(Some),
            name if name.starts_with(b"data.tar") => return Ok(None),
            _ => {}
        }
    }
    bail!("a deb without data.tar")
}

fn read_tar(data: impl Read, wanted: &dyn Fn(&str) -> bool) -> Result<Hashes> {
    let mut inside = Hashes::new();
    for entry in tar::Archive::new(data).entries()? {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path
            .trim_start_matches("./")
            .trim_start_matches('/')
            .to_owned();
        if wanted(&path) {
            let plain = entry.header().entry_type().is_file() && !inside.contains_key(&path);
            let hash = if plain {
                Some(sha256_reader(entry)?)
            } else {
                None
            };
            inside.insert(path, hash);
        }
    }
    Ok(inside)
}

/// As the program `rpm` reads it, once it has found that header and payload fit.
fn read_rpm(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Hashes> {
    // What begins with a dash would be an option.
    let path = std::path::absolute(path)?;
    let (fits, said) = exec::quiet(rpm::check(&path))?;
    ensure!(fits, "rpm finds it damaged: {}", said.trim());
    let (read, answer) = exec::quiet(rpm::query(&path))?;
    ensure!(read, "rpm cannot read it: {}", answer.trim());
    let inside = rpm::contents(&answer)?.into_iter();
    let plain = inside.filter(|(path, _)| wanted(path));
    Ok(plain
        .map(|(path, it)| (path, it.link.is_none().then_some(it.sha256)))
        .collect())
}

/// What another program unpacks, to a folder beside nothing that is published; `None` without that
/// program.
fn read_unpacked(path: &Path, kind: BundleKind, artifact: &Artifact) -> Result<Option<Hashes>> {
    if unpack::missing(kind).is_some() {
        return Ok(None);
    }
    let scratch = Scratch(std::env::temp_dir().join(format!(
        "xtask-inside-{}-{}",
        std::process::id(),
        artifact.sha256
    )));
    let run = |command| {
        let (ended_well, said) = exec::quiet_within(command, UNPACKING)?;
        ensure!(ended_well, "it cannot be unpacked: {}", said.trim());
        Ok(())
    };
    let unpacked = unpack::unpack(kind, path, &scratch.0, &run)?;
    let mut inside = Hashes::new();
    for path in artifact.contents.iter().map(|it| &it.path) {
        let found = match unpacked.inside.get(path) {
            None if names_first_folder(kind) => below_another(&unpacked.inside, path)?,
            found => found,
        };
        if let Some(it) = found {
            let plain = it.link.is_none().then(|| it.sha256.clone());
            inside.insert(path.clone(), plain);
        }
    }
    Ok(Some(inside))
}

/// Whether the outermost folder has its name from what unpacks it: one program calls the folder of all
/// programs `Program Files`, another `PFiles`, and not all make a folder of a volume.
fn names_first_folder(kind: BundleKind) -> bool {
    matches!(kind, BundleKind::Msi | BundleKind::Dmg)
}

/// The file that another program unpacks to this path, but for the outermost folder.
fn below_another<'a>(inside: &'a Inside, path: &str) -> Result<Option<&'a Entry>> {
    let Some((_, below)) = path.split_once('/') else {
        return Ok(None);
    };
    Ok(inside::find(inside, below, &[])?.map(|(_, it)| it))
}

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        staging::remove(&self.0).ok();
    }
}

fn read_zip(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Hashes> {
    let file = fs::File::open(path)?.into_file();
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).context("no zip")?;
    let mut entries = archive.entries(&mut buffer);
    let mut inside = Hashes::new();
    let mut seen = 0;
    while let Some(entry) = entries.next_entry()? {
        seen += 1;
        let path = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        if wanted(&path) {
            let plain =
                !entry.is_dir() && !entry.mode().is_symlink() && !inside.contains_key(&path);
            let hash = if plain {
                Some(hash_zipped(&archive, &entry)?)
            } else {
                None
            };
            inside.insert(path, hash);
        }
    }
    // What readers that rely on the number see must be what was compared here.
    let named = archive.entries_hint();
    ensure!(
        seen == named,
        "the zip names {named} entries, but holds {seen}"
    );
    Ok(inside)
}

/// The hash of an entry, whose length and CRC are verified by the way.
fn hash_zipped(
    archive: &ZipArchive<impl ReaderAt>,
    entry: &ZipFileHeaderRecord<'_>,
) -> Result<String> {
    let packed = archive.get_entry(entry.wayfinder())?;
    match entry.compression_method() {
        CompressionMethod::STORE => sha256_reader(packed.verifying_reader(packed.reader())),
        CompressionMethod::DEFLATE => {
            sha256_reader(packed.verifying_reader(DeflateDecoder::new(packed.reader())))
        }
        other => bail!("{other} is a compression that is not read here"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    #[cfg(target_os = "linux")]
    use expect_test::Expect;
    use expect_test::expect;
    use flate2::{Compression, write::DeflateEncoder};
    use rawzip::ZipArchiveWriter;

    use super::*;

    /// An archive of files with their modes, the even ones compressed, the odd ones not.
    fn zipped(files: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut archive = ZipArchiveWriter::new(Vec::new());
        for (index, (path, mode, text)) in files.iter().enumerate() {
            let file = archive.new_file(*path).unix_permissions(*mode);
            if index % 2 == 0 {
                let file = file.compression_method(CompressionMethod::DEFLATE);
                let (mut packed, config) = file.start().unwrap();
                let encoder = DeflateEncoder::new(&mut packed, Compression::fast());
                let mut plain = config.wrap(encoder);
                plain.write_all(text.as_bytes()).unwrap();
                let (encoder, sums) = plain.finish().unwrap();
                encoder.finish().unwrap();
                packed.finish(sums).unwrap();
            } else {
                let (mut packed, config) = file.start().unwrap();
                let mut plain = config.wrap(&mut packed);
                plain.write_all(text.as_bytes()).unwrap();
                let (_, sums) = plain.finish().unwrap();
                packed.finish(sums).unwrap();
            }
        }
        archive.finish().unwrap()
    }

    /// What is wanted of an archive, a line each with the beginning of the hash.
    fn looked_into(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        match read_zip(file.path(), &|path| path != "unwanted") {
            Err(error) => format!("{error:#}\n"),
            Ok(inside) => inside
                .iter()
                .map(|(path, hash)| match hash {
                    Some(hash) => format!("{path} {}\n", &hash[..8]),
                    None => format!("{path} is not one plain file\n"),
                })
                .collect(),
        }
    }

    #[test]
    fn looks_into_a_zip() {
        // As `sha256sum` has them.
        let good = zipped(&[
            ("app", 0o100_755, "app"),
            ("text", 0o100_644, "text"),
            ("link", 0o120_777, "app"),
            ("twice", 0o100_644, "a"),
            ("twice", 0o100_644, "b"),
            ("unwanted", 0o100_644, "u"),
        ]);
        expect![[r#"
            app a172cedc
            link is not one plain file
            text 982d9e3e
            twice is not one plain file
        "#]]
        .assert_eq(&looked_into(&good));
        expect![[r#"
            no zip: Missing end of central directory
        "#]]
        .assert_eq(&looked_into(b"PK no zip"));
    }

    /// At the very paths that `bundle` found.
    #[cfg(target_os = "linux")]
    #[test]
    fn looks_into_an_installer_for_windows() {
        use std::process::Command;

        use crate::manifest::{ArtifactKind, Content};

        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("app", "app");
        write("twice", "twice");
        let script = "Name App\nOutFile setup.exe\nSection\nSetOutPath $INSTDIR\\App\n\
                      File /oname=app.exe app\nFile /oname=twice.exe twice\n\
                      SetOutPath $INSTDIR\\Other\nFile /oname=twice.exe twice\nSectionEnd\n";
        write("setup.nsi", script);
        let mut make = Command::new("makensis");
        make.args(["-V1", "setup.nsi"]).current_dir(folder.path());
        let made = make.status().is_ok_and(|it| it.success());
        if !made || unpack::missing(BundleKind::Nsis).is_some() {
            return unpack::tests::skip("skipped: no NSIS or no 7-Zip");
        }
        let check = |paths: &[&str], expected: Expect| {
            let content = |path: &&str| Content {
                path: (*path).to_owned(),
                sha256: String::new(),
            };
            let artifact = Artifact {
                path: "setup.exe".to_owned(),
                kind: ArtifactKind::Installer,
                format: "nsis".to_owned(),
                size: 0,
                sha256: "0".repeat(64),
                signatures: Vec::new(),
                contents: paths.iter().map(content).collect(),
            };
            let text = match read(&folder.path().join("setup.exe"), &artifact) {
                Err(error) => format!("{error:#}"),
                Ok(inside) => format!("{:?}", inside.unwrap().keys().collect::<Vec<_>>()),
            };
            // What 7-Zip says differs with its version.
            expected.assert_eq(text.split(" ERROR: ").next().unwrap());
        };
        check(
            &["App/app.exe", "other.exe"],
            expect![[r#"["App/app.exe"]"#]],
        );
        // Neither the end of a path nor another folder is the file that was recorded.
        check(&["app.exe", "Other/app.exe"], expect!["[]"]);
        check(&["App/twice.exe"], expect![[r#"["App/twice.exe"]"#]]);
        write("setup.exe", "no installer");
        check(&["app.exe"], expect!["it cannot be unpacked:"]);
    }

    /// A bundle for macOS is released packed.
    #[test]
    fn looks_into_a_bundle() {
        use crate::manifest::{ArtifactKind, Content};

        let folder = tempfile::tempdir().unwrap();
        let gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        let host = "App.app/Contents/MacOS/app";
        tar.append_data(&mut header, host, &b"app"[..]).unwrap();
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        fs::write(folder.path().join("App.app.tar.gz"), bytes).unwrap();
        let content = |path: &str| Content {
            path: path.to_owned(),
            sha256: String::new(),
        };
        let artifact = Artifact {
            path: "App.app.tar.gz".to_owned(),
            kind: ArtifactKind::Installer,
            format: "app".to_owned(),
            size: 0,
            sha256: String::new(),
            signatures: Vec::new(),
            contents: vec![content(host), content("app")],
        };
        let inside = read(&folder.path().join(&artifact.path), &artifact);
        let inside = inside.unwrap().unwrap();
        let found: Vec<_> = inside.iter().collect();
        // As `sha256sum` has it.
        expect![[r#"[("App.app/Contents/MacOS/app", Some("a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333"))]"#]].assert_eq(&format!("{found:?}"));
    }

    #[test]
    fn another_program_may_name_the_outermost_folder() {
        let check = |paths: &[&str], wanted: &str, expected: &str| {
            let entry = |path: &&str| Entry {
                sha256: (*path).to_owned(),
                executable: true,
                link: None,
                modified: None,
            };
            let inside = paths.iter().map(|it| ((*it).to_owned(), entry(it)));
            let text = match below_another(&inside.collect(), wanted) {
                Ok(found) => found.map_or("none".to_owned(), |it| it.sha256.clone()),
                Err(error) => error.to_string(),
            };
            assert_eq!(text, expected, "{wanted} of {paths:?}");
        };
        let msi = ["PFiles/App/app.exe", "PFiles/App/x/x.exe"];
        check(&msi, "Program Files/App/app.exe", "PFiles/App/app.exe");
        check(&msi, "Program Files/app.exe", "PFiles/App/app.exe");
        check(&msi, "Program Files/Other/app.exe", "none");
        check(
            &["App.app/Contents/a"],
            "App/App.app/Contents/a",
            "App.app/Contents/a",
        );
        check(&msi, "app.exe", "none");
        let two = ["a/App/app.exe", "b/App/app.exe"];
        let said = "the package holds two of App/app.exe: a/App/app.exe and b/App/app.exe";
        check(&two, "Program Files/App/app.exe", said);
    }

    #[test]
    fn a_damaged_zip_is_not_readable() {
        let mut bytes = zipped(&[("app", 0o100_755, "app"), ("text", 0o100_644, "text")]);
        let at = bytes.windows(8).position(|it| it == b"texttext");
        bytes[at.expect("the stored text follows its name") + 4] = b'n';
        expect![[r#"
            Invalid checksum: expected 0x3b8ba7c7, got 0x042f103c
        "#]]
        .assert_eq(&looked_into(&bytes));
        // The end of the central directory: 22 bytes with the number of entries at 10 (APPNOTE.TXT).
        let mut bytes = zipped(&[("app", 0o100_755, "app"), ("text", 0o100_644, "text")]);
        let end = bytes.len() - 22;
        bytes[end + 10] = 1;
        expect![[r#"
            the zip names 1 entries, but holds 2
        "#]]
        .assert_eq(&looked_into(&bytes));
    }
}
