//! `sign-installers`: signs packages inside where that is configured, those for Windows and Linux'
//! own; then each installer, as it is now, with minisign, in the forms of minisign and of Tauri's
//! updater.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    apple, authenticode,
    bundle::{Installer, Installers},
};
use crate::{
    engine::{
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    manifest::{Identity, SignatureKind, SignatureRef},
    release::Release,
    sign::linux,
    tools::{minisign, versions},
};

/// All installers, to be signed.
#[derive(Serialize)]
pub struct SignInstallers<'r> {
    #[serde(skip)]
    release: &'r Release,
    identity: Identity,
    public_key: Option<String>,
    version: String,
    epoch: i64,
    /// The keys for packages of each kind that are signed inside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    package_keys: BTreeMap<String, String>,
    installers: Done<Installers>,
    /// How they are signed for Windows; none if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticode: Option<authenticode::Policy>,
}

/// Installers with their signatures beside them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// One for each installer.
    pub installers: Vec<SignedInstaller>,
}

/// An installer and the files that sign it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedInstaller {
    /// What is signed.
    pub installer: Installer,
    /// Inside of it, and in files of the stage folder.
    pub signatures: Vec<SignatureRef>,
}

impl<'r> SignInstallers<'r> {
    /// The step over the bundler's output.
    pub fn new(release: &'r Release, installers: Done<Installers>) -> Self {
        Self {
            release,
            identity: release.identity,
            public_key: release.signer.as_ref().map(|it| it.public_key().line()),
            version: release.config.product.version.to_string(),
            epoch: release.epoch,
            package_keys: release.package_keys(),
            installers,
            authenticode: authenticode::Policy::of(release),
        }
    }
}

impl SignInstallers<'_> {
    /// Signs the file itself, where its kind is signed.
    fn sign_inside(
        &self,
        cx: &Context,
        installer: &Installer,
        file: &Path,
    ) -> Result<Vec<SignatureRef>> {
        let Some(fingerprint) = self.package_keys.get(&installer.kind) else {
            return Ok(Vec::new());
        };
        let key = linux::Key {
            fingerprint,
            passphrase: self.release.gpg_passphrase.as_ref(),
        };
        let signature = linux::sign(cx, &key, cx.state(), file)?;
        cx.fact(
            &format!("signature inside {}", installer.kind),
            format!("OpenPGP key {fingerprint}"),
        );
        Ok(vec![signature])
    }
}

impl Step for SignInstallers<'_> {
    const ID: &'static str = "sign-installers";
    const VERSION: u32 = 1;
    type Output = Signed;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let mut inputs = Inputs::new();
        if !self.package_keys.is_empty() {
            inputs = inputs.tool("gpg", cx.probe(&versions::gpg())?.version);
        }
        if self.package_keys.contains_key("rpm") {
            inputs = inputs.tool("rpmsign", cx.probe(&versions::rpmsign())?.version);
        }
        authenticode::inputs(self.release, cx, inputs)
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Signed> {
        cx.fact("identity", self.identity.as_str());
        let mut installers = Vec::new();
        for installer in &self.installers.output.installers {
            let name = &installer.file;
            self.installers.copy_to(name, &out.file(name)?)?;
            let mut signatures = self.sign_inside(cx, installer, &out.file(name)?)?;
            if let Some(signer) = authenticode::signer(self.release) {
                signatures.extend(authenticode::sign_one(signer, cx, out, name)?);
            }
            signatures.extend(apple::reference(self.release, installer, &out.file(name)?)?);
            // Only now: these signatures cover those inside.
            let beside = sign(self.release, out, name, Some(&self.version), &FORMS)?;
            signatures.extend(beside);
            installers.push(SignedInstaller {
                installer: installer.clone(),
                signatures,
            });
        }
        Ok(Signed { installers })
    }
}

/// For `minisign -V`, and for Tauri's updater.
const FORMS: [SignatureKind; 2] = [SignatureKind::Minisign, SignatureKind::TauriUpdater];

/// Signs a file of the staging folder in one or both of minisign's forms: `<name>.minisig` and
/// `<name>.sig`. Nothing if the release is unsigned.
pub fn sign(
    release: &Release,
    out: &Staging,
    name: &str,
    version: Option<&str>,
    forms: &[SignatureKind],
) -> Result<Vec<SignatureRef>> {
    let Some(signer) = &release.signer else {
        return Ok(Vec::new());
    };
    let comment = minisign::trusted_comment(release.epoch, name, version);
    let signature = signer.sign(&out.file(name)?, &comment)?;
    let mut signatures = Vec::new();
    for &kind in forms {
        let (suffix, text) = match kind {
            SignatureKind::TauriUpdater => ("sig", signature.tauri()),
            _ => ("minisig", signature.minisig()),
        };
        let file = format!("{name}.{suffix}");
        fs_err::write(out.file(&file)?, text)?;
        signatures.push(SignatureRef {
            kind,
            file: Some(file),
            key_id: signature.key_id(),
        });
    }
    Ok(signatures)
}
