//! What a signature is worth, read from the file after it was made: a tool's exit status is not
//! enough. `rcodesign` signs in the name of an authority without a word.

use std::{path::Path, time::SystemTime};

use anyhow::{Context as _, Result, ensure};
use xtask_signed::{Certificate, Signed, Trust, apple};

use super::{discover::Kind, entitled, plan::Item};
use crate::config::{AppleSigning, Timestamping};

/// Whose signatures count.
///
/// # Errors
/// The file of trusted certificates cannot be read.
pub fn trust(config: &AppleSigning) -> Result<Trust> {
    let anchors = config
        .trust
        .as_deref()
        .map(Certificate::read_all)
        .transpose()?
        .unwrap_or_default();
    Ok(Trust {
        timestamp_anchors: anchors.clone(),
        anchors,
        revoked: Vec::new(),
        now: SystemTime::now(),
    })
}

/// What the signature says; an error unless it is what was asked for, made by the certificate with this
/// fingerprint if one is known.
///
/// # Errors
/// Says what is wrong.
pub fn check(
    item: &Item,
    config: &AppleSigning,
    trust: &Trust,
    signer: Option<&str>,
) -> Result<Signed> {
    let all = read(item, trust).with_context(|| format!("{} was signed in vain", item.name))?;
    let entitlements = entitled::wrong(item, trust)?;
    for signed in &all {
        let mut problems = wrong(item, signed, config, signer);
        problems.extend(entitlements.iter().cloned());
        ensure!(
            problems.is_empty(),
            "{} was signed, but not as it should be: {}",
            item.name,
            problems.join("; ")
        );
    }
    all.into_iter().next().context("it has no architecture")
}

fn read(item: &Item, trust: &Trust) -> Result<Vec<Signed>> {
    Ok(match item.kind {
        Kind::Code => {
            let data = fs_err::read(&item.path)?;
            let found = apple::macho::inspect(&data, apple::Seals::default(), trust)?;
            found.into_iter().map(|it| it.signed).collect()
        }
        Kind::Bundle => vec![apple::app::inspect(&item.path, trust)?.own],
        Kind::Framework => vec![apple::app::inspect(framework(&item.path), trust)?.own],
        Kind::Image => {
            let found = apple::dmg::inspect(&fs_err::read(&item.path)?, trust)?;
            vec![found.context("not signed")?.signed]
        }
    })
}

/// The framework that this is a version of.
fn framework(version: &Path) -> &Path {
    let versions = version.parent().filter(|it| it.ends_with("Versions"));
    versions.and_then(Path::parent).unwrap_or(version)
}

fn wrong(item: &Item, signed: &Signed, config: &AppleSigning, signer: Option<&str>) -> Vec<String> {
    let mut problems = signed.problems.clone();
    if let (Some(wanted), Some(found)) = (signer, &signed.fingerprint)
        && wanted != found
    {
        problems.push(format!("the signature is of another certificate, {found}"));
    }
    if item.kind != Kind::Image && signed.hardened_runtime != Some(true) {
        problems.push("the hardened runtime is missing".to_owned());
    }
    if config.timestamp == Timestamping::Rfc3161 && signed.timestamp.is_none() {
        problems.push("the timestamp is missing".to_owned());
    }
    problems
}
