//! What the steps that sign for macOS have in common: what of it decides their output, and the app,
//! which has to be signed before it is packed into a disk image.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use super::{bundle::Installer, sign_code::Program};
use crate::{
    config::{AppleTool, Timestamping},
    engine::{
        event::Level,
        files::{sha256_bytes, sha256_file},
        fingerprint::Inputs,
        step::Context,
    },
    manifest::{Content, Identity, SignatureKind, SignatureRef},
    release::Release,
    sign::macos::{self, Signing, failed, identity},
    target::Os,
    tools::hdiutil,
};

/// Waits before a disk image is tried again that something held.
const BUSY: [u64; 4] = [1, 3, 5, 10];

/// What decides how code is signed, besides the tool.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Policy {
    timestamp: Timestamping,
    /// SHA-256 of the certificate's file, or the certificate's name in the keychain.
    certificate: String,
    /// Globs, and the files with their entitlements, relative to the repository.
    files: Vec<(String, String)>,
}

impl Policy {
    /// None where nothing is signed: then nothing of it may show in a fingerprint.
    pub(super) fn of(release: &Release) -> Option<Self> {
        let config = &release.config.sign.macos;
        let named = |it: &macos::plan::Named| (it.glob.clone(), release.relative(&it.file));
        Some(Self {
            timestamp: config.timestamp,
            certificate: certificate(release)?,
            files: macos::plan::named(config).iter().map(named).collect(),
        })
    }
}

/// What names the certificate; none if nothing is signed.
fn certificate(release: &Release) -> Option<String> {
    let config = &release.config.sign.macos;
    if release.target.os != Os::Macos || release.identity == Identity::Unsigned {
        return None;
    }
    // One that cannot be read is an error where it is used.
    match release.secrets.pkcs12(&config.certificate) {
        Ok(Some(file)) => Some(sha256_bytes(&file.bytes)),
        Ok(None) => identity::name(config),
        Err(_) => Some("unreadable".to_owned()),
    }
}

/// Whether somebody signs for macOS.
pub(crate) fn signs(release: &Release) -> bool {
    certificate(release).is_some()
}

/// The tool, and the files with entitlements.
pub(super) fn inputs(release: &Release, cx: &Context, mut inputs: Inputs) -> Result<Inputs> {
    if !signs(release) {
        return Ok(inputs);
    }
    let config = &release.config.sign.macos;
    if identity::tool(config) == AppleTool::Rcodesign {
        inputs = inputs.tool(
            "rcodesign",
            cx.probe(&crate::tools::versions::rcodesign())?.version,
        );
    }
    let named = macos::plan::named(config);
    Ok(named
        .iter()
        .fold(inputs, |inputs, it| inputs.file(&it.file)))
}

/// Signs apps, disk images or code in place. `sidecars` are those that are shipped with it. Returns
/// the SHA-256 of the certificate, in hex.
pub(super) fn sign(
    release: &Release,
    cx: &Context,
    paths: &[PathBuf],
    sidecars: &[Program],
) -> Result<String> {
    let one_file = sidecars.iter().filter(|it| it.folder.is_none());
    let sidecars: Vec<String> = one_file.map(|it| it.name.clone()).collect();
    let signing = Signing {
        hands: cx,
        config: &release.config.sign.macos,
        sidecars: &sidecars,
        secrets: &release.secrets,
        state: cx.state(),
    };
    let outcome = signing.sign(paths)?.context("nobody signs for macOS")?;
    for (what, why) in &outcome.facts {
        cx.fact(what, why);
    }
    let (signer, fingerprint) = (outcome.signer, outcome.fingerprint);
    let count = outcome.files.len();
    let text =
        format!("Apple code signature by {signer} (certificate {fingerprint}), {count} signatures");
    cx.fact("signature", text);
    Ok(fingerprint)
}

/// The signature inside of an installer, for the manifest: of the app that is packed, or of the
/// disk image at `file`.
pub(super) fn reference(
    release: &Release,
    installer: &Installer,
    file: &Path,
) -> Result<Option<SignatureRef>> {
    let kind = SignatureKind::Apple;
    let packed = |key_id: &String| SignatureRef {
        kind,
        file: None,
        key_id: key_id.clone(),
    };
    if installer.file.ends_with(".app.tar.gz") {
        return Ok(installer.certificate.as_ref().map(packed));
    }
    if !signs(release) || file.extension().is_none_or(|it| it != "dmg") {
        return Ok(None);
    }
    let trust = macos::check::trust(&release.config.sign.macos)?;
    let found = xtask_signed::apple::dmg::inspect(&fs_err::read(file)?, &trust)?;
    let found = found.with_context(|| format!("{} is not signed", file.display()))?;
    let problems = found.signed.problems.join("; ");
    ensure!(
        problems.is_empty(),
        "the signature of {} does not hold: {problems}",
        file.display()
    );
    let key_id = found
        .signed
        .fingerprint
        .context("a signature has a signer")?;
    Ok(Some(packed(&key_id)))
}

/// The executables in an app as they are now: signing changed them after they were compared with what
/// was built.
pub(super) fn hashed_again(app: &Path, contents: &mut [Content]) -> Result<()> {
    let above = app.parent().unwrap_or(Path::new(""));
    for content in contents {
        content.sha256 = sha256_file(&above.join(&content.path))?;
    }
    Ok(())
}

/// Packs an app into a disk image, with the link by which people install it.
pub(super) fn image(
    cx: &Context,
    name: &str,
    app: &Path,
    folder: &Path,
    image: &Path,
) -> Result<()> {
    let file = app.file_name().context("an app has a name")?;
    super::copy_tree(app, &folder.join(file))?;
    super::link(Path::new("/Applications"), &folder.join("Applications"))?;
    let mut waits = BUSY.iter();
    loop {
        let ran = cx.exec(hdiutil::create_cmd(name, folder, image)).output()?;
        if ran.status.success() {
            return Ok(());
        }
        match waits.next().filter(|_| hdiutil::is_transient(&ran.printed)) {
            Some(wait) => {
                cx.note(
                    Level::Warning,
                    format!("hdiutil found the image busy; again in {wait} s"),
                );
                cx.pause(Duration::from_secs(*wait))?;
            }
            None => bail!(failed(ran)),
        }
    }
}
