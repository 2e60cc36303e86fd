//! What a merged release has besides: the updater's metadata, which must have every platform, and
//! would be taken by the updater itself.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use fs_err as fs;

use super::{Release, Report};
use crate::{
    manifest::{Artifact, Identity, LATEST_NAME, MANIFEST_NAME, Merged, SignatureKind, Updater},
    target::Target,
    tools::updater::{self, Latest, Platform},
};

/// Checks it, if the release is a merged one.
pub(super) fn check(release: &Release<'_>, report: &mut Report) -> Result<()> {
    let Some(merged) = release.merged else {
        return Ok(());
    };
    let Some(updater) = &merged.updater else {
        // Whoever has an older version would never hear of this one.
        if release.trust.updates && merged.signing.identity != Identity::Unsigned {
            report.check(MANIFEST_NAME, "updater", LATEST_NAME, "none");
        }
        return Ok(());
    };
    check_platforms(merged, updater, report);
    if !release.has(LATEST_NAME) {
        return Ok(());
    }
    let text = fs::read_to_string(release.folder.join(LATEST_NAME))?;
    let latest = match Latest::parse(&text) {
        Ok(latest) => latest,
        Err(error) => {
            let actual = format!("{error:#}");
            report.check(LATEST_NAME, "form", "the updater's", &actual);
            return Ok(());
        }
    };
    let version = &merged.product.version;
    report.check(LATEST_NAME, "version", version, &latest.version);
    let date = &merged.source.committed_at;
    report.check(LATEST_NAME, "date", date, &latest.pub_date);
    for key in updater.platforms.keys().chain(latest.platforms.keys()) {
        let known = |has: bool| if has { "there" } else { "missing" };
        let (ours, theirs) = (
            known(updater.platforms.contains_key(key)),
            known(latest.platforms.contains_key(key)),
        );
        if ours != theirs {
            report.check(LATEST_NAME, key, ours, theirs);
        }
    }
    check_updates(release, updater, &latest, report);
    Ok(())
}

/// The manifest names every platform that the files make possible.
fn check_platforms(merged: &Merged, updater: &Updater, report: &mut Report) {
    let parsed = merged.targets.iter().map(|part| {
        let target = part.target.triple.parse::<Target>();
        target.map(|it| (it, &*part.artifacts))
    });
    let parts: Result<Vec<(Target, &[Artifact])>> = parsed.collect();
    let found = parts.map_err(|error| format!("{error:#}")).and_then(|it| {
        updater::platforms(it.iter().map(|(target, files)| (target, *files)))
            .map_err(|problems| problems.join("; "))
    });
    let listed = |it: &BTreeMap<String, String>| {
        let each = it.iter().map(|(key, file)| format!("{key} {file}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let expected = found.as_ref().map_or_else(Clone::clone, listed);
    let actual = listed(&updater.platforms);
    report.check(MANIFEST_NAME, "platforms", &expected, &actual);
}

/// Each platform's file is the one that its address names, and the updater would take it.
fn check_updates(release: &Release<'_>, updater: &Updater, latest: &Latest, report: &mut Report) {
    const GOOD: &str = "good signature";
    // Two keys often mean one file.
    let mut checked: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (key, file) in &updater.platforms {
        let Some(platform) = latest.platforms.get(key) else {
            continue;
        };
        let named = updater::names(&platform.url, file);
        let actual = if named { file } else { &platform.url };
        report.check(LATEST_NAME, &format!("{key} url"), file, actual);
        let outcome = checked.entry((file, &platform.signature));
        let actual = outcome.or_insert_with(|| match check_update(release, file, platform) {
            Ok(()) => GOOD.to_owned(),
            Err(error) => format!("{error:#}"),
        });
        report.check(LATEST_NAME, key, GOOD, actual);
    }
}

fn check_update(release: &Release<'_>, file: &str, platform: &Platform) -> Result<()> {
    let artifacts = &release.files.artifacts;
    let artifact = artifacts.iter().find(|it| it.path == file);
    let artifact = artifact.ok_or_else(|| anyhow!("{file} is not in the manifest"))?;
    ensure!(release.has(file), "{file} is missing");
    let own = artifact.signatures.iter();
    let own = own
        .filter(|it| it.kind == SignatureKind::TauriUpdater)
        .find_map(|it| it.file.as_ref());
    let own = own.ok_or_else(|| anyhow!("{file} has no signature for the updater"))?;
    let text = fs::read_to_string(release.folder.join(own))?;
    ensure!(platform.signature == text, "not the signature in {own}");
    let signing = release.files.signing.minisign.as_ref();
    let id = signing.map_or("", |it| &it.key_id);
    let key = release.keys.find(id)?;
    let data = fs::read(release.folder.join(file))?;
    updater::verify(&data, &platform.signature, &key.tauri())
}
