//! lipo: joins programs for several architectures into one, as macOS has them. Part of Apple's command
//! line tools.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use crate::{
    engine::step::Context,
    sign::macos::discover,
    steps::{copy, link_to},
    tools::inside,
};

/// `lipo -create … -output …`.
pub fn create(parts: &[PathBuf], into: &Path) -> Command {
    let mut command = Command::new("lipo");
    command.arg("-create").args(parts).arg("-output").arg(into);
    command
}

/// Joins programs, one for each architecture.
///
/// # Errors
/// lipo's, such as two parts for the same architecture.
pub fn join(cx: &Context, parts: &[PathBuf], into: &Path) -> Result<()> {
    cx.exec(create(parts, into)).run()
}

/// What a package's installer writes down about its wheel, which may be another for each architecture:
/// its tags, the hashes of its files, where it came from. Nothing that runs reads it.
const OF_INSTALLATION: [&str; 5] = [
    "RECORD",
    "WHEEL",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
];

/// PyInstaller's archive of the standard library's modules, compiled.
const BASE_LIBRARY: &str = "base_library.zip";

/// Whether a file may differ without being another program: notes of an installer, and bytecode, which
/// no processor runs and which Python does not write with the same bytes each time.
fn may_differ(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    let name = folders.pop().unwrap_or_default();
    let is_note = folders.last().is_some_and(|it| it.ends_with(".dist-info"));
    let is_bytecode = folders.contains(&"__pycache__");
    is_bytecode || (is_note && OF_INSTALLATION.contains(&name))
}

/// The modules of [`BASE_LIBRARY`] are the same, however they were compiled.
fn have_same_modules(files: &[PathBuf]) -> Result<bool> {
    let names = |file: &PathBuf| -> Result<BTreeSet<Vec<u8>>> {
        let data = fs_err::read(file)?;
        let archive = rawzip::ZipArchive::from_slice(&data)?;
        let entries = archive.entries().map(|it| {
            let entry = it?;
            Ok(entry.file_path().as_ref().to_vec())
        });
        entries.collect()
    };
    let first = names(&files[0])?;
    for other in &files[1..] {
        if names(other)? != first {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Joins folders file by file: code is handed to `join`; everything else must be the same in all of
/// them, and is copied from the first. `into` must not exist yet. Gives the files that were not the
/// same, but need not be.
///
/// # Errors
/// The first file that is not in all folders, or not the same. That of `join`.
pub fn join_folders(
    folders: &[PathBuf],
    into: &Path,
    mut join: impl FnMut(&[PathBuf], &Path) -> Result<()>,
) -> Result<Vec<String>> {
    let (mut all, mut differ) = (Vec::new(), Vec::new());
    for folder in folders {
        all.push(inside::of_folder(folder, folder)?);
    }
    let paths: BTreeSet<&String> = all.iter().flat_map(|it| it.keys()).collect();
    for path in paths {
        let to = into.join(path);
        let sources = folders.iter().map(|it| it.join(path));
        if may_differ(path) {
            // Not even all need have it.
            let sources: Vec<PathBuf> = sources.filter(|it| it.is_file()).collect();
            if sources.len() < folders.len() || !is_same(&sources)? {
                differ.push(path.clone());
            }
            copy(&sources[0], &to)?;
            continue;
        }
        refuse_missing(path, &all, folders)?;
        let sources: Vec<PathBuf> = sources.collect();
        if let Some(link) = &all[0][path].link {
            let same = all.iter().all(|it| it[path].link.as_ref() == Some(link));
            ensure!(
                same,
                "{path} is a link to different places in {}",
                named(folders)
            );
            link_to(link, &to)?;
        } else if !discover::is_code(&sources[0])? {
            if !is_same(&sources)? {
                refuse_other(path, &sources, folders)?;
                differ.push(path.clone());
            }
            copy(&sources[0], &to)?;
        } else if is_same(&sources)? {
            ensure!(
                is_joined(&sources[0])?,
                "{path} is for one architecture alone, but is in {}\n\
                 hint: install the package for each architecture",
                named(folders)
            );
            copy(&sources[0], &to)?;
        } else {
            if let Some(parent) = to.parent() {
                fs_err::create_dir_all(parent)?;
            }
            join(&sources, &to)?;
        }
    }
    Ok(differ)
}

fn refuse_missing(path: &str, all: &[inside::Inside], folders: &[PathBuf]) -> Result<()> {
    for (files, folder) in all.iter().zip(folders) {
        ensure!(
            files.contains_key(path),
            "{path} is in one architecture's folder, but not in {}\n\
             hint: install the same packages for both; a package of Python with code in it must \
             be there for both",
            folder.display()
        );
    }
    Ok(())
}

/// Refuses what is no code, and not the same.
fn refuse_other(path: &str, sources: &[PathBuf], folders: &[PathBuf]) -> Result<()> {
    let is_library = path.rsplit('/').next() == Some(BASE_LIBRARY);
    ensure!(
        is_library && have_same_modules(sources)?,
        "{path} is no code, but is not the same in {}\n\
         hint: only one of them can be shipped; leave it out, or ship an app for each \
         architecture: --target x86_64-apple-darwin --target aarch64-apple-darwin",
        named(folders)
    );
    Ok(())
}

fn named(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|it| it.display().to_string()).collect();
    names.join(" and ")
}

/// Whether it holds several architectures: `FAT_MAGIC` of <mach-o/fat.h>, or the one for large files.
fn is_joined(file: &Path) -> Result<bool> {
    let data = fs_err::read(file)?;
    Ok(data.starts_with(&[0xca, 0xfe, 0xba, 0xbe]) || data.starts_with(&[0xca, 0xfe, 0xba, 0xbf]))
}

fn is_same(files: &[PathBuf]) -> Result<bool> {
    let first = fs_err::read(&files[0])?;
    for other in &files[1..] {
        if fs_err::read(other)? != first {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// What `<mach-o/loader.h>` begins a program with, for a processor.
    fn thin(cpu: u32) -> Vec<u8> {
        let words = [0xfeed_facf, cpu, 0, 2, 0, 0, 0, 0_u32];
        words.map(u32::to_le_bytes).concat()
    }

    const X86_64: u32 = 0x0100_0007;
    const ARM64: u32 = 0x0100_000c;

    /// Joins two folders of these files; as lipo does it, but without telling the parts apart.
    fn check(x86_64: &[(&str, &[u8])], arm64: &[(&str, &[u8])], expected: &str) {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, files: &[(&str, &[u8])]| {
            let folder = root.path().join(name);
            for (path, content) in files {
                let path = folder.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            folder
        };
        let folders = [folder("x86_64", x86_64), folder("arm64", arm64)];
        let into = root.path().join("both");
        let mut joined = 0;
        let outcome = join_folders(&folders, &into, |parts, to| {
            joined += 1;
            let parts: Vec<Vec<u8>> = parts.iter().map(|it| std::fs::read(it).unwrap()).collect();
            Ok(fs_err::write(to, parts.concat())?)
        });
        let text = match outcome {
            Ok(differ) => {
                let files = inside::of_folder(&into, &into).unwrap();
                let names: Vec<String> = files.into_keys().collect();
                let differ = differ.iter().map(|it| format!("; differs: {it}"));
                format!(
                    "{} files, {joined} joined: {}{}",
                    names.len(),
                    names.join(" "),
                    differ.collect::<String>()
                )
            }
            // What follows are the folders.
            Err(error) => {
                let text = error.to_string();
                text.split_once(root.path().to_str().unwrap())
                    .map_or(text.clone(), |it| it.0.to_owned())
            }
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn folders_are_joined_file_by_file() {
        let (intel, arm) = (thin(X86_64), thin(ARM64));
        let text: (&str, &[u8]) = ("data/a.txt", b"the same");
        check(
            &[("side", &intel), ("lib/a.so", &intel), text],
            &[("side", &arm), ("lib/a.so", &arm), text],
            "3 files, 2 joined: data/a.txt lib/a.so side",
        );
        check(
            &[("side", &intel), ("b.json", b"x86_64")],
            &[("side", &arm), ("b.json", b"arm64")],
            "b.json is no code, but is not the same in ",
        );
        check(
            &[("side", &intel), ("only.so", &intel)],
            &[("side", &arm)],
            "only.so is in one architecture's folder, but not in ",
        );
        check(
            &[("side", &intel), ("a.so", &intel)],
            &[("side", &arm), ("a.so", &intel)],
            "a.so is for one architecture alone, but is in ",
        );
        // Packages of Python may have been joined by those who made them.
        let fat = [&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2][..], &[0; 56]].concat();
        check(
            &[("side", &intel), ("a.so", &fat)],
            &[("side", &arm), ("a.so", &fat)],
            "2 files, 1 joined: a.so side",
        );
    }

    /// PyInstaller's archive of modules with these names and this content.
    fn library(names: &[&str], content: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for name in names {
            let (mut entry, config) = archive.new_file(name).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content.as_bytes()).unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        bytes
    }

    #[test]
    fn what_an_installer_or_a_compiler_wrote_may_differ() {
        let (intel, arm) = (thin(X86_64), thin(ARM64));
        for path in [
            "a-1.0.dist-info/RECORD",
            "lib/a-1.0.dist-info/WHEEL",
            "lib/__pycache__/a.cpython-311.pyc",
        ] {
            check(
                &[("side", &intel), (path, b"x86_64")],
                &[("side", &arm), (path, b"arm64")],
                &format!("2 files, 1 joined: {path} side; differs: {path}"),
            );
            check(
                &[("side", &intel)],
                &[("side", &arm), (path, b"arm64")],
                &format!("2 files, 1 joined: {path} side; differs: {path}"),
            );
        }
        for path in ["a-1.0.dist-info/METADATA", "RECORD", "a.pyc"] {
            check(
                &[("side", &intel), (path, b"x86_64")],
                &[("side", &arm), (path, b"arm64")],
                &format!("{path} is no code, but is not the same in "),
            );
        }
        let path = "_internal/base_library.zip";
        let libraries = |names: &[&str], expected: &str| {
            check(
                &[("side", &intel), (path, &library(&["os.pyc"], "one"))],
                &[("side", &arm), (path, &library(names, "another"))],
                expected,
            );
        };
        libraries(
            &["os.pyc"],
            &format!("2 files, 1 joined: {path} side; differs: {path}"),
        );
        libraries(
            &["os.pyc", "re.pyc"],
            &format!("{path} is no code, but is not the same in "),
        );
    }
}
