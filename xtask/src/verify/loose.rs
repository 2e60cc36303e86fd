//! Files by themselves, such as an installer that somebody downloaded: what they carry inside, and
//! what lies beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use super::{
    Report, Trust, archived,
    inside::{self, Mark},
    scratch::Scratch,
    signatures,
};
use crate::{
    engine::exec,
    sign::format::Format,
    tools::{gpg, minisign::Signature},
};

/// Checks every signature of these files. One that nobody signed is as wrong as one whose signature
/// is bad, and so is one for which nobody is trusted: each needs a signature that a certificate or a
/// key in `trust` decides about, of the kind that the signature is of.
///
/// # Errors
/// One of them does not exist, or a trusted key cannot be read.
pub fn verify_files(files: &[PathBuf], trust: &Trust) -> Result<Report> {
    let (mut report, open) = look(files, trust)?;
    for file in &open {
        report.check(file, "signature", "by whom you trust", NOBODY);
    }
    report.signed = "signed by whom you trust".to_owned();
    Ok(report)
}

/// Reads the signatures again that somebody made just now. Those of whom nobody says that he is
/// trusted are a note, and the files not called verified.
///
/// # Errors
/// As those of [`verify_files`].
pub fn read_again(files: &[PathBuf], trust: &Trust) -> Result<Report> {
    let (mut report, open) = look(files, trust)?;
    for file in &open {
        report.note(format!(
            "{file}: the configuration names nobody to trust for it"
        ));
    }
    report.vouched = open.is_empty();
    report.signed = match report.vouched {
        true => "signed by whom you trust".to_owned(),
        false => "by whomever the table names".to_owned(),
    };
    Ok(report)
}

/// What is wrong where nothing tells a signature from anybody else's.
const NOBODY: &str = "nobody is trusted for it: --trust KEY";

/// Also gives the files that nothing is wrong with, but that carry no signature of which a trusted
/// certificate or key could tell whose it is.
fn look(files: &[PathBuf], trust: &Trust) -> Result<(Report, Vec<String>)> {
    let mut report = Report::new(Path::new(""));
    report.notes.extend(trust.warnings.iter().cloned());
    let mut open = Vec::new();
    for file in files {
        let there = file.exists();
        ensure!(
            there,
            "{} does not exist: give a release folder, or files",
            file.display()
        );
        let before = report.rows.len();
        let compared = check(file, trust, &mut report)?;
        let is_good = report.rows[before..].iter().all(|it| it.ok);
        if is_good && !compared {
            open.push(file.display().to_string());
        }
    }
    report.loose = files.len();
    Ok((report, open))
}

/// Returns whether any signature of the file was compared with whom `trust` names for its kind.
fn check(file: &Path, trust: &Trust, report: &mut Report) -> Result<bool> {
    let name = file.display().to_string();
    let format = Format::of(file)?;
    let mut marks = match inside::look(file, &name, trust) {
        Ok(marks) => marks,
        Err(error) => {
            report.check(&name, "signature inside", "readable", &format!("{error:#}"));
            vec![Mark::plain(&name, format.name(), None, None)]
        }
    };
    let named = inside::kind(format).is_some_and(|it| trust.names_authority(it));
    let open_inside = !named && !marks.is_empty();
    let mut compared = named && !marks.is_empty();
    for mark in &marks {
        report.check_mark(mark, "signature inside");
    }
    let is_package = matches!(format, Format::Deb | Format::Rpm);
    if open_inside && is_package {
        let text = format!("{name}: the signature inside was not checked, no GPG key given");
        report.note(text);
    }
    if file.is_file() {
        for (mark, by_trusted) in beside(file, &name, trust, report)? {
            compared |= by_trusted;
            marks.push(mark);
        }
    }
    if open_inside && compared && !is_package {
        let text = format!("{name}: no authority is trusted for the signature inside (--trust)");
        report.note(text);
    }
    let at = report.marks.len();
    let sealed = file.is_file() && archived::loose(file, &name, trust, report)?;
    compared |= sealed;
    if marks.is_empty() && !sealed {
        report.check(&name, "signature", "signed", "nobody signed it");
        marks.push(Mark::plain(&name, format.name(), None, None));
    }
    // The archive's own come before those of what is in it.
    report.marks.splice(at..at, marks);
    Ok(compared)
}

/// A signature, and whether a trusted key decided about it.
type Seen = (Mark, bool);

/// The signatures in files of their own.
fn beside(file: &Path, name: &str, trust: &Trust, report: &mut Report) -> Result<Vec<Seen>> {
    let mut marks = Vec::new();
    for (suffix, kind) in [("minisig", "minisign"), ("sig", "tauri-updater")] {
        let path = with_suffix(file, suffix);
        if path.is_file() {
            marks.extend(of_minisign(file, &path, name, kind, trust, report)?);
        }
    }
    let path = with_suffix(file, "asc");
    if path.is_file() {
        marks.push(of_gpg(file, &path, name, trust, report)?);
    }
    Ok(marks)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn of_minisign(
    file: &Path,
    path: &Path,
    name: &str,
    kind: &str,
    trust: &Trust,
    report: &mut Report,
) -> Result<Option<Seen>> {
    let text = fs::read_to_string(path)?;
    let shown = path.display().to_string();
    let signature = match Signature::parse(&text) {
        Ok(it) => it,
        Err(error) => {
            report.check(&shown, kind, "good signature", &format!("{error:#}"));
            return Ok(None);
        }
    };
    let id = signature.key_id();
    let key = trust.public_keys.iter().find(|it| it.key_id() == id);
    let Some(key) = key else {
        if trust.public_keys.is_empty() {
            report.note(format!("{shown}: not checked, no minisign key given"));
        } else {
            let actual = format!("signed by key {id}, which is not trusted");
            report.check(&shown, kind, "good signature", &actual);
        }
        return Ok(Some((Mark::plain(name, kind, None, Some(id)), false)));
    };
    let own = file.file_name().unwrap_or_default().to_string_lossy();
    let outcome = key.verify(file, &signature).and_then(|()| {
        // An old file with its good signature under a new name is still an old file.
        let signed = signature.field("file").filter(|it| *it != own);
        ensure!(
            signed.is_none(),
            "signed as file {}",
            signed.unwrap_or_default()
        );
        Ok(())
    });
    signatures::add(report, &shown, kind, outcome);
    let signer = Some("minisign key".to_owned());
    Ok(Some((Mark::plain(name, kind, signer, Some(id)), true)))
}

fn of_gpg(
    file: &Path,
    path: &Path,
    name: &str,
    trust: &Trust,
    report: &mut Report,
) -> Result<Seen> {
    let shown = path.display().to_string();
    let armor = gpg::check_armor(&fs::read_to_string(path)?);
    let (Some(exported), Ok(())) = (&trust.gpg_key, &armor) else {
        let signer = armor.is_ok().then(|| inside::UNCHECKED.to_owned());
        match armor {
            Err(_) => signatures::add(report, &shown, "gpg", armor),
            Ok(()) => report.note(format!("{shown}: not checked, no GPG key given")),
        }
        return Ok((Mark::plain(name, "gpg", signer, None), false));
    };
    let scratch = Scratch::new()?;
    let ring = scratch.path().join("key.gpg");
    let keyring = gpg::keyring(&fs::read(exported)?);
    fs::write(
        &ring,
        keyring.with_context(|| exported.display().to_string())?,
    )?;
    let (path, file) = (std::path::absolute(path)?, std::path::absolute(file)?);
    let (success, said) = exec::quiet(gpg::verify_cmd(&ring, &path, &file))?;
    let by = gpg::signed_by(&said).filter(|_| success);
    let actual = match by {
        Some(_) => "good signature",
        None => "bad signature, or another key",
    };
    report.check(&shown, "gpg", "good signature", actual);
    let signer = by.is_some().then(|| gpg::signer_name(&said)).flatten();
    Ok((Mark::plain(name, "gpg", signer, by), true))
}
