//! `sign-installers`: signs each installer with minisign, in the forms of minisign and of Tauri's
//! updater; before that, those for Windows inside.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    authenticode,
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
    tools::minisign,
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
            installers,
            authenticode: authenticode::Policy::of(release),
        }
    }
}

impl Step for SignInstallers<'_> {
    const ID: &'static str = "sign-installers";
    const VERSION: u32 = 1;
    type Output = Signed;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        authenticode::inputs(self.release, cx, Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Signed> {
        cx.fact("identity", self.identity.as_str());
        let mut installers = Vec::new();
        for installer in &self.installers.output.installers {
            let name = &installer.file;
            self.installers.copy_to(name, &out.file(name)?)?;
            let mut signatures = Vec::new();
            if let Some(signer) = authenticode::signer(self.release) {
                signatures.extend(authenticode::sign_one(signer, cx, out, name)?);
            }
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
