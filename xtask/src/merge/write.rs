//! Writes a merged release: all of it in a folder beside, verified there, and then put in its place.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use super::{Found, LATEST_NAME, Plan, Wanted};
use crate::{
    engine::{files::sha256_file, staging, staging::Staging},
    manifest::{Artifact, Document, MANIFEST_NAME, SignatureKind},
    release::Release,
    sign::hands::Hands,
    steps::{checksums, set_time, sign_installers},
    verify::{self, Report},
};

/// How it ended well.
pub enum Outcome {
    /// It was written.
    Merged(Report),
    /// It was there already.
    UpToDate(Report),
}

/// Writes the release into `output`, which may only be replaced if it is a merged release itself.
///
/// # Errors
/// The folder holds something else, nobody can sign, or what was written does not stand up to the
/// same check that its users make.
pub fn write(
    plan: &Plan,
    found: &[Found],
    release: &Release,
    wanted: &Wanted,
    hands: &impl Hands,
    output: &Path,
) -> Result<Outcome> {
    refuse_other_folder(output, found)?;
    if let Some(report) = up_to_date(plan, found, wanted, output)? {
        return Ok(Outcome::UpToDate(report));
    }
    let parent = output.parent().context("the output folder has a parent")?;
    fs::create_dir_all(parent)?;
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let hidden = format!(".{name}");
    sweep(parent, &hidden)?;
    let out = Staging::create(parent, &hidden)?;
    copy(found, &out)?;
    if let Some(latest) = &plan.latest {
        fs::write(out.file(LATEST_NAME)?, latest.to_json())?;
        let version = Some(&*plan.merged.product.version);
        let kinds = [SignatureKind::Minisign];
        sign_installers::sign(release, &out, LATEST_NAME, version, &kinds)?;
    }
    fs::write(out.file(MANIFEST_NAME)?, plan.merged.to_json())?;
    checksums::sign_detached(release, &out, MANIFEST_NAME)?;
    let gpg = plan.merged.signing.gpg.as_ref().map(|it| &*it.fingerprint);
    checksums::write(release, gpg, hands, &out)?;
    set_times(out.path(), plan.merged.source.epoch)?;
    let mut report = verify::verify(out.path(), &wanted.trust)?;
    if let Some(row) = report.wrong().next() {
        bail!(
            "what was merged does not verify: {}: {}: {}, expected {}\n\
             hint: did something change the releases meanwhile? run it again",
            row.file,
            row.check,
            row.actual,
            row.expected
        );
    }
    out.publish(output)?;
    report.folder = output.to_owned();
    Ok(Outcome::Merged(report))
}

/// Where a path leads, also if there is nothing yet.
fn place(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(place), ..) => place,
        (_, Some(parent), Some(name)) => place(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Nothing is lost by a wrong path.
fn refuse_other_folder(output: &Path, found: &[Found]) -> Result<()> {
    let inside = found.iter().find(|it| {
        let folder = place(&it.folder);
        place(output).starts_with(&folder) || folder.starts_with(place(output))
    });
    if let Some(inside) = inside {
        bail!(
            "{} and the release {} would be one in the other\nhint: give another --output",
            output.display(),
            inside.folder.display()
        );
    }
    if fs::symlink_metadata(output).is_err() {
        return Ok(());
    }
    let manifest = output.join(MANIFEST_NAME);
    let is_merged = fs::read_to_string(manifest)
        .is_ok_and(|text| matches!(Document::parse(&text), Ok(Document::Merged(_))));
    let is_empty = || fs::read_dir(output).is_ok_and(|mut it| it.next().is_none());
    ensure!(
        !output.is_symlink() && output.is_dir() && (is_merged || is_empty()),
        "{} is there, and is no merged release: it will not be replaced\n\
         hint: give another --output, or remove it",
        output.display()
    );
    Ok(())
}

/// The report on what is there, if it is just what would be written.
fn up_to_date(
    plan: &Plan,
    found: &[Found],
    wanted: &Wanted,
    output: &Path,
) -> Result<Option<Report>> {
    let manifest = fs::read_to_string(output.join(MANIFEST_NAME));
    if manifest.ok().as_deref() != Some(&plan.merged.to_json()) {
        return Ok(None);
    }
    // The manifest has no hashes of these.
    for (release, artifact) in artifacts(found) {
        for file in signatures(artifact) {
            let same = |it: &Path| fs::read(it.join(file)).ok();
            if same(output) != same(&release.folder) {
                return Ok(None);
            }
        }
    }
    let report = verify::verify(output, &wanted.trust)?;
    Ok(Some(report).filter(Report::ok))
}

fn artifacts(found: &[Found]) -> impl Iterator<Item = (&Found, &Artifact)> {
    let of = |release| -> std::slice::Iter<'_, Artifact> {
        let release: &Found = release;
        release.manifest.artifacts.iter()
    };
    found
        .iter()
        .flat_map(move |release| of(release).map(move |it| (release, it)))
}

fn signatures(artifact: &Artifact) -> impl Iterator<Item = &str> {
    artifact
        .signatures
        .iter()
        .filter_map(|it| it.file.as_deref())
}

/// Copies what is shipped. A file that two releases have is the same one; the first gives it, with its
/// signatures.
fn copy(found: &[Found], out: &Staging) -> Result<()> {
    for (release, artifact) in artifacts(found) {
        let into = out.file(&artifact.path)?;
        if into.exists() {
            continue;
        }
        fs::copy(release.folder.join(&artifact.path), &into)?;
        ensure!(
            sha256_file(&into)? == artifact.sha256,
            "{} of {} changed since it was verified\nhint: run it again",
            artifact.path,
            release.folder.display()
        );
        for file in signatures(artifact) {
            fs::copy(release.folder.join(file), out.file(file)?)?;
        }
    }
    Ok(())
}

fn set_times(folder: &Path, epoch: i64) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => set_times(&entry.path(), epoch)?,
            false => set_time(&entry.path(), epoch)?,
        }
    }
    Ok(())
}

/// Removes what a killed run left; the caller holds the lock.
fn sweep(parent: &Path, hidden: &str) -> Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(&format!("{hidden}.")) {
            staging::remove(&entry.path())?;
        }
    }
    Ok(())
}
