//! Whose signatures the code of an archive must have.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

use super::{Unit, look};
use crate::{
    manifest::{Artifact, Identity, NO_TIMESTAMP, SignatureKind},
    verify::{Release, Report, Trust, inside::Mark},
};

const GOOD: &str = "good signature";
const INSIDE: &str = "signature inside";

/// Checks the code in an archive of a release.
///
/// Where the manifest names a signer of this kind, of the archive or of an installer beside it, all
/// code must be signed: by him, by whom the caller trusts, or by others whose files the manifest
/// names. Where nobody is said to have signed, what is signed all the same must fit its bytes.
pub(in crate::verify) fn of_release(
    release: &Release<'_>,
    artifact: &Artifact,
    report: &mut Report,
) -> Result<()> {
    let (file, name) = (release.folder.join(&artifact.path), &artifact.path);
    let Some(code) = look(&file, name, release.trust, report)? else {
        return Ok(());
    };
    let named = artifact.contents.iter();
    let wanted = Wanted {
        release,
        left_alone: named.map(|it| (&*it.path, &*it.sha256)).collect(),
    };
    for named in artifact.signatures.iter().filter(|it| it.file.is_none()) {
        if !code.units.iter().any(|it| it.kind == named.kind) {
            let check = format!("{} signer", named.kind.as_str());
            report.check(name, &check, &named.key_id, "nobody");
        }
    }
    for unit in code.units {
        wanted.check(&unit, report);
        show(unit, report);
    }
    Ok(())
}

/// What a release says of the code in one of its archives.
struct Wanted<'a> {
    release: &'a Release<'a>,
    /// Paths and hashes of files that others signed.
    left_alone: BTreeSet<(&'a str, &'a str)>,
}

impl Wanted<'_> {
    /// The certificates that sign this release, as the manifest has it.
    fn signers(&self, kind: SignatureKind) -> BTreeSet<&str> {
        let all = self.release.files.artifacts.iter();
        all.flat_map(|it| &it.signatures)
            .filter(|it| it.kind == kind)
            .map(|it| it.key_id.as_str())
            .collect()
    }

    fn check(&self, unit: &Unit, report: &mut Report) {
        let signers = self.signers(unit.kind);
        let required = self.release.trust.require == Identity::Release;
        match &unit.marks {
            Err(error) => report.check(&unit.name, INSIDE, "readable", error),
            Ok(marks) if marks.is_empty() => {
                if required || !signers.is_empty() {
                    report.check(&unit.name, INSIDE, "signed", "nobody signed it");
                }
            }
            Ok(marks) => {
                for mark in marks {
                    self.check_mark(unit, mark, &signers, report);
                }
            }
        }
    }

    fn check_mark(&self, unit: &Unit, mark: &Mark, signers: &BTreeSet<&str>, report: &mut Report) {
        let hash = unit.sha256.as_deref().unwrap_or_default();
        let by = mark.fingerprint.as_deref().unwrap_or("nobody");
        let is_own = signers.contains(by);
        if !is_own && self.left_alone.contains(&(&*unit.path, hash)) {
            return check_fits(mark, report);
        }
        let named = self.release.trust.names_authority(unit.kind);
        if !is_own && signers.is_empty() && !named {
            return check_fits(mark, report);
        }
        report.check_mark(mark, INSIDE);
        let is_trusted = named && mark.problems.is_empty();
        if !(is_own || is_trusted || signers.is_empty()) {
            let expected = signers.iter().copied().collect::<Vec<_>>().join(" or ");
            let check = format!("{} signer", unit.kind.as_str());
            report.check(&mark.file, &check, &expected, by);
        }
        let gaps = &self.release.files.gaps;
        let stamped = !gaps.iter().any(|it| it == NO_TIMESTAMP);
        if self.release.trust.require == Identity::Release && stamped {
            let actual = mark.timestamp.as_ref().map_or("none", |_| "there");
            report.check(&mark.file, "timestamp", "there", actual);
        }
    }
}

/// Checks the code in an archive that belongs to no release. Returns whether its signatures cover
/// every file of the archive, and are all by whom `trust` names.
pub(in crate::verify) fn loose(
    file: &Path,
    name: &str,
    trust: &Trust,
    report: &mut Report,
) -> Result<bool> {
    let Some(code) = look(file, name, trust, report)? else {
        return Ok(false);
    };
    let (mut open, mut trusted) = (false, true);
    for unit in code.units {
        let named = trust.names_authority(unit.kind);
        match &unit.marks {
            Err(error) => report.check(&unit.name, INSIDE, "readable", error),
            Ok(marks) if marks.is_empty() => {
                trusted = false;
                if named {
                    report.check(&unit.name, INSIDE, "signed", "nobody signed it");
                }
            }
            Ok(marks) if named => marks.iter().for_each(|it| report.check_mark(it, INSIDE)),
            Ok(marks) => {
                open = true;
                marks.iter().for_each(|it| check_fits(it, report));
            }
        }
        show(unit, report);
    }
    if open {
        report.note(format!(
            "{name}: no authority is trusted for the signatures of the code in it (--trust)"
        ));
    }
    Ok(code.sealed && trusted && !open)
}

/// Of somebody else's signature only that it is over these bytes: who he is, others decide.
fn check_fits(mark: &Mark, report: &mut Report) {
    match mark.intact {
        true => report.check(&mark.file, INSIDE, GOOD, GOOD),
        false => report.check_mark(mark, INSIDE),
    }
}

/// Adds what was read to the table of signatures.
fn show(unit: Unit, report: &mut Report) {
    let unsigned = || Mark::plain(&unit.name, unit.format.name(), None, None);
    match unit.marks {
        Ok(marks) if !marks.is_empty() => report.marks.extend(marks),
        _ => report.mark(unsigned()),
    }
}
