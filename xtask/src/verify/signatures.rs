//! Who signed, and whether they signed this.

use std::path::Path;

use anyhow::{Result, anyhow, bail, ensure};
use fs_err as fs;

use super::{
    Release, Report, Trust,
    inside::{self, Mark},
    scratch::Scratch,
};
use crate::{
    engine::exec,
    manifest::{
        Artifact, Files, Identity, MANIFEST_MINISIG, MANIFEST_NAME, SUMS_ASC, SUMS_MINISIG,
        SUMS_NAME, SignatureKind,
    },
    sign::format::Format,
    tools::{
        gpg,
        minisign::{PublicKey, Signature},
    },
};

impl Release<'_> {
    /// A signature of minisign's, for the table.
    fn mark(&self, file: &str, kind: SignatureKind, key: &str, good: bool) -> Mark {
        let signer = format!("{} key", self.files.signing.identity.as_str());
        Mark::plain(
            file,
            kind.as_str(),
            good.then_some(signer),
            Some(key.to_owned()),
        )
    }
}

impl Trust {
    /// Whether somebody is named whose signatures of this kind count.
    pub(super) fn names_authority(&self, kind: SignatureKind) -> bool {
        match kind {
            SignatureKind::Authenticode => !self.code.windows.is_empty(),
            SignatureKind::Apple => !self.code.apple.is_empty(),
            SignatureKind::Minisign | SignatureKind::TauriUpdater => !self.public_keys.is_empty(),
            SignatureKind::Gpg | SignatureKind::Rpm | SignatureKind::Deb => self.gpg_key.is_some(),
        }
    }
}

/// The keys whose signatures count.
pub(super) struct Keys {
    accepted: Vec<PublicKey>,
    /// Whether they come from elsewhere than the release itself.
    pub(super) trusted: bool,
}

impl Keys {
    /// Compares the release's claim with whom the caller trusts.
    pub(super) fn new(files: &Files, trust: &Trust, report: &mut Report) -> Self {
        let identity = files.signing.identity;
        let least = identity.max(trust.require);
        report.check(MANIFEST_NAME, "identity", least.as_str(), identity.as_str());
        let own = files.signing.minisign.as_ref();
        let parsed = own.and_then(|own| match PublicKey::parse(&own.public_key) {
            Ok(key) => {
                report.check(MANIFEST_NAME, "key id", &key.key_id(), &own.key_id);
                Some(key)
            }
            Err(e) => {
                report.check(MANIFEST_NAME, "public key", "minisign's", &format!("{e:#}"));
                None
            }
        });
        let trusted = !trust.public_keys.is_empty();
        if trust.refuses_self_attested() && !trusted && own.is_some() {
            let wanted = "one that was known before: --key, `public-key` in [sign.minisign], or \
                          `plugins.updater.pubkey`";
            report.check(MANIFEST_NAME, "trusted key", wanted, "the manifest's own");
        }
        if !trusted {
            return Self {
                accepted: parsed.into_iter().collect(),
                trusted,
            };
        }
        let known = parsed
            .as_ref()
            .is_some_and(|key| trust.public_keys.contains(key));
        let ids: Vec<String> = trust.public_keys.iter().map(PublicKey::key_id).collect();
        let expected = match (&parsed, known) {
            (Some(key), true) => key.key_id(),
            _ => ids.join(" or "),
        };
        let actual = own.map_or("unsigned", |own| own.key_id.as_str());
        report.check(MANIFEST_NAME, "trusted key", &expected, actual);
        Self {
            accepted: trust.public_keys.clone(),
            trusted,
        }
    }

    /// The key with this id, if its signatures count.
    pub(super) fn find(&self, id: &str) -> Result<&PublicKey> {
        let key = self.accepted.iter().find(|key| key.key_id() == id);
        let why = if self.trusted {
            "which is not trusted"
        } else {
            "not by the manifest's"
        };
        key.ok_or_else(|| anyhow!("signed by key {id}, {why}"))
    }
}

/// The signatures of one artifact, beside it and inside.
pub(super) fn of_artifact(
    release: &Release<'_>,
    artifact: &Artifact,
    report: &mut Report,
) -> Result<()> {
    // Both forms usually hold the same text: the file is then read once.
    let mut verified = None;
    for signature in &artifact.signatures {
        let kind = signature.kind;
        let Some(file) = &signature.file else {
            continue;
        };
        if !release.has(file) || !release.has(&artifact.path) {
            continue;
        }
        if kind == SignatureKind::Gpg {
            check_gpg(release, &artifact.path, file, report)?;
            continue;
        }
        let outcome =
            check_minisign(release, &artifact.path, file, kind, &mut verified).and_then(|by| {
                ensure!(
                    by == signature.key_id,
                    "by {by}, the manifest says {}",
                    signature.key_id
                );
                Ok(())
            });
        report.mark(release.mark(&artifact.path, kind, &signature.key_id, outcome.is_ok()));
        add(report, file, kind.as_str(), outcome);
    }
    of_inside(release, artifact, report)
}

/// The signatures inside of an artifact: each that the manifest names must be there, good, and of
/// whom it names.
fn of_inside(release: &Release<'_>, artifact: &Artifact, report: &mut Report) -> Result<()> {
    let path = &artifact.path;
    let named = artifact.signatures.iter().filter(|it| it.file.is_none());
    let named: Vec<_> = named.collect();
    if !release.has(path) {
        return Ok(());
    }
    let file = release.folder.join(path);
    // Archives have none of their own: what is in them is looked at by itself.
    if matches!(Format::of(&file)?, Format::Gzip | Format::Zip) {
        return Ok(());
    }
    let required = release.trust.require == Identity::Release && holds_code(&file)?;
    if named.is_empty() && !required {
        return Ok(());
    }
    let marks = match inside::look(&file, path, release.trust) {
        Ok(marks) => marks,
        Err(error) => {
            report.check(path, "signature inside", "readable", &format!("{error:#}"));
            return Ok(());
        }
    };
    if required {
        require_code(release, path, &marks, report);
    }
    for signature in named {
        let kind = signature.kind;
        let by_gpg = matches!(kind, SignatureKind::Rpm | SignatureKind::Deb);
        for mark in &marks {
            report.check_mark(mark, kind.as_str());
        }
        if by_gpg && release.trust.gpg_key.is_none() && !marks.is_empty() {
            let text = format!("{path}: the signature inside was not checked, no GPG key given");
            report.note(text);
            continue;
        }
        let by = marks.iter().find_map(|it| it.fingerprint.as_deref());
        let by = by.unwrap_or("nobody");
        report.check(
            path,
            &format!("{} signer", kind.as_str()),
            &signature.key_id,
            by,
        );
        if !by_gpg && !release.trust.names_authority(kind) {
            report.note(format!(
                "{path}: no authority is trusted for it (--trust): only the manifest says who signed"
            ));
        }
    }
    marks.into_iter().for_each(|it| report.mark(it));
    Ok(())
}

/// Whether it is an installer, disk image or program that carries a signature inside.
fn holds_code(file: &Path) -> Result<bool> {
    let format = Format::of(file)?;
    Ok(format.is_windows() || format.is_apple())
}

/// What only a release for publishing must have: a signature inside, whether or not the manifest
/// names one, with a timestamp.
fn require_code(release: &Release<'_>, path: &str, marks: &[Mark], report: &mut Report) {
    let actual = match marks {
        [] => "nobody signed it",
        _ => "signed",
    };
    report.check(path, "signature inside", "signed", actual);
    for mark in marks {
        report.check_mark(mark, "signature inside");
    }
    let wanted = !release.wants_no_timestamp(path);
    for mark in marks.iter().filter(|_| wanted) {
        let actual = mark.timestamp.as_ref().map_or("none", |_| "there");
        report.check(&mark.file, "timestamp", "there", actual);
    }
}

/// The signatures of the manifest and of the checksums.
pub(super) fn of_release(release: &Release<'_>, report: &mut Report) -> Result<()> {
    for (file, signature) in [(MANIFEST_NAME, MANIFEST_MINISIG), (SUMS_NAME, SUMS_MINISIG)] {
        if release.files.signing.minisign.is_some() && release.has(file) && release.has(signature) {
            let kind = SignatureKind::Minisign;
            let outcome = check_minisign(release, file, signature, kind, &mut None);
            let by = outcome.as_deref().unwrap_or_default();
            report.mark(release.mark(file, kind, by, outcome.is_ok()));
            let outcome = outcome.map(drop);
            add(report, signature, kind.as_str(), outcome);
        }
    }
    let signing = &release.files.signing;
    if signing.gpg.is_some() && release.has(SUMS_NAME) && release.has(SUMS_ASC) {
        check_gpg(release, SUMS_NAME, SUMS_ASC, report)?;
    }
    // With a key to check by, a release without that signature may have lost it on purpose.
    let expected = release.trust.gpg_key.is_some() && signing.identity == Identity::Release;
    if expected && signing.gpg.is_none() {
        report.check(SUMS_ASC, "gpg", "signed", "unsigned");
    }
    Ok(())
}

pub(super) fn add(report: &mut Report, file: &str, kind: &str, outcome: Result<()>) {
    let actual = outcome.err().map(|e| format!("{e:#}"));
    report.check(
        file,
        kind,
        "good signature",
        actual.as_deref().unwrap_or("good signature"),
    );
}

/// Returns the id of the key that signed. `verified` holds the text of a signature that was already
/// found good for this file.
fn check_minisign(
    release: &Release<'_>,
    file: &str,
    signature: &str,
    kind: SignatureKind,
    verified: &mut Option<String>,
) -> Result<String> {
    let text = fs::read_to_string(release.folder.join(signature))?;
    let parsed = Signature::parse(&text)?;
    let form = if kind == SignatureKind::TauriUpdater {
        parsed.tauri()
    } else {
        parsed.minisig()
    };
    ensure!(text == form, "not in the form of {}", kind.as_str());
    let key = release.keys.find(&parsed.key_id())?;
    let minisig = parsed.minisig();
    if verified.as_ref() != Some(&minisig) {
        key.verify(&release.folder.join(file), &parsed)?;
        *verified = Some(minisig);
    }
    // An old file with its good signature under a new name is still an old file.
    let name = file.rsplit('/').next().unwrap_or(file);
    for (field, expected) in [("file", name), ("version", &release.files.product.version)] {
        if let Some(actual) = parsed.field(field).filter(|actual| actual != expected) {
            bail!("signed as {field} {actual}, not {expected}");
        }
    }
    Ok(parsed.key_id())
}

/// With a key, gpgv decides; without, only the frame is looked at, and a note says so.
fn check_gpg(
    release: &Release<'_>,
    file: &str,
    signature: &str,
    report: &mut Report,
) -> Result<()> {
    let armor = fs::read_to_string(release.folder.join(signature))
        .map_err(anyhow::Error::from)
        .and_then(|text| gpg::check_armor(&text));
    if armor.is_err() {
        add(report, signature, "gpg", armor);
        return Ok(());
    }
    let Some(exported) = &release.trust.gpg_key else {
        report.note(format!("{signature}: not checked, no GPG key given"));
        return Ok(());
    };
    let scratch = Scratch::new()?;
    let ring = scratch.path().join("key.gpg");
    fs::write(&ring, gpg::keyring(&fs::read(exported)?)?)?;
    // gpgv takes what begins with a dash for an option.
    let folder = std::path::absolute(release.folder)?;
    let cmd = gpg::verify_cmd(&ring, &folder.join(signature), &folder.join(file));
    let (success, output) = exec::quiet(cmd)?;
    let by = gpg::signed_by(&output).filter(|_| success);
    let expected = release
        .files
        .signing
        .gpg
        .as_ref()
        .map(|key| key.fingerprint.as_str());
    let (expected, actual) = (expected.unwrap_or("a key"), by.as_deref());
    let signer = by.is_some().then(|| gpg::signer_name(&output)).flatten();
    report.mark(Mark::plain(file, "gpg", signer, by.clone()));
    report.check(
        signature,
        "gpg",
        expected,
        actual.unwrap_or("bad signature, or another key"),
    );
    Ok(())
}
