//! Whose key signs, and what is known of its certificate.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use xtask_signed::Certificate;

use super::{Signer, found};
use crate::{
    config::{Azure, Pkcs11, WindowsIdentity},
    engine::{
        files::{hex, sha256_bytes, write_atomically},
        secret::Secret,
    },
    sign::{
        hands::Hands,
        secrets::{Pkcs12, Secrets},
    },
};

/// What the command line says of signing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Whether a key that is configured, but not in the environment, is to be used: those belong to the
    /// publisher, and machines without them can still build.
    pub publisher: bool,
    /// Whether a tool may be given a secret as an argument.
    pub allow_secret_in_args: bool,
}

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// SHA-256, in hex.
    pub(super) fingerprint: String,
    /// The common name.
    pub(super) name: String,
    /// What stays when it is renewed.
    pub(super) publisher: Publisher,
}

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publisher {
    /// The whole subject.
    subject: String,
    /// What Azure calls somebody for good: numbers below [`FOR_GOOD`]. Empty for others.
    ids: Vec<String>,
}

/// Extended key usages by which Azure knows whom it has once identified, however the subject changes
/// and although each certificate lasts three days.
const FOR_GOOD: &str = "1.3.6.1.4.1.311.97.";

impl Known {
    pub(super) fn of(certificate: &Certificate) -> Self {
        let mut ids = certificate.purposes();
        ids.retain(|it| it.starts_with(FOR_GOOD));
        Self {
            fingerprint: certificate.fingerprint(),
            name: certificate.name(),
            publisher: Publisher {
                subject: certificate.subject(),
                ids,
            },
        }
    }
}

/// The key that signs.
pub(super) enum Key {
    File(Pkcs12),
    Store(String),
    Pkcs11(Pkcs11),
    Azure(Azure),
    Command(Vec<String>),
}

/// Variables that clients of Azure and programs of one's own read, and that no other process gets.
pub(super) const FOR_SERVICES: [&str; 7] = [
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "WIN_CSC_LINK",
    "WIN_CSC_KEY_PASSWORD",
    "CSC_LINK",
    "CSC_KEY_PASSWORD",
];

/// Whose certificate it is, by [`Signer::source`].
const KNOWN: &str = "cache/windows-certificates.v2.json";

impl Key {
    /// None if there is none.
    pub(super) fn find(
        configured: &WindowsIdentity,
        secrets: &Secrets,
        wish: Wish,
    ) -> Result<Option<Self>> {
        let in_environment = match configured {
            WindowsIdentity::File(variables) => {
                let found = secrets.pkcs12(variables)?;
                return Ok(found.map(Self::File));
            }
            WindowsIdentity::Pkcs11(token) => secrets.find(&[&token.pin_env])?.is_some(),
            _ => false,
        };
        if !wish.publisher && !in_environment {
            return Ok(None);
        }
        Ok(Some(match configured.clone() {
            WindowsIdentity::File(_) => return Ok(None),
            WindowsIdentity::Store(thumbprint) => Self::Store(thumbprint),
            WindowsIdentity::Pkcs11(token) => Self::Pkcs11(token),
            WindowsIdentity::Azure(account) => Self::Azure(account),
            WindowsIdentity::Command(words) => Self::Command(words),
        }))
    }

    /// Whether somebody else keeps the certificate, and may renew it any day.
    pub(super) fn is_a_service(&self) -> bool {
        matches!(self, Self::Azure(_) | Self::Command(_))
    }

    /// What to look at when it does not sign.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::File(file) => file.hint(),
            Self::Store(thumbprint) => format!(
                "the certificate {thumbprint} must be in the user's store, with its private key: \
                 `certutil -user -store My`"
            ),
            Self::Pkcs11(token) => format!(
                "the PIN comes from {}; `pkcs11-tool --module {} --login --list-objects` lists the \
                 keys",
                token.pin_env,
                token.module.display()
            ),
            Self::Azure(account) => format!(
                "the account stands in {}; AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                 AZURE_CLIENT_SECRET, or `az login`, give access to it",
                account.metadata.display()
            ),
            Self::Command(words) => format!(
                "`sign.windows.command` signs the file in place, and makes the timestamp: {}",
                words.join(" ")
            ),
        }
    }

    /// What opens it; none if nothing does, or the tool finds it by itself.
    pub(super) fn password(&self, secrets: &Secrets) -> Result<Option<Secret>> {
        match self {
            Self::File(file) => secrets.password(file).map(Some),
            Self::Pkcs11(token) => {
                let what = "The PIN of the token that signs for Windows";
                secrets.require(what, &[&token.pin_env]).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl Signer {
    /// For people: whose key, without opening it.
    pub fn identity_text(&self) -> String {
        match &self.key {
            Key::File(file) => format!("certificate in {}", file.from),
            Key::Store(thumbprint) => format!("certificate {thumbprint} in Windows' store"),
            Key::Pkcs11(token) => format!("key {} in a token", token.key),
            Key::Azure(account) => {
                format!("Azure Artifact Signing by {}", account.metadata.display())
            }
            Key::Command(words) => format!("`{}`", words.join(" ")),
        }
    }

    /// What decides whose signature it is: changes if another key is to sign.
    ///
    /// # Errors
    /// The key's file cannot be opened, or a file that is named cannot be read.
    pub fn identity_input(&self, hands: &impl Hands) -> Result<String> {
        Ok(match &self.key {
            Key::File(..) | Key::Pkcs11(_) => self.certificate(hands)?,
            Key::Store(thumbprint) => format!("store {thumbprint}"),
            Key::Azure(account) => {
                let metadata = fs::read(&account.metadata)?;
                format!("azure {}", sha256_bytes(metadata))
            }
            Key::Command(words) => format!("command {}", words.join(" ")),
        })
    }

    /// SHA-256 of the certificate that signs, in hex. The key is used for this once in a process, to sign
    /// something small: it shows a wrong password before anything is built, whatever is remembered of
    /// the file.
    ///
    /// # Errors
    /// The password is wrong, the tool is missing, or the disk's.
    pub fn certificate(&self, hands: &impl Hands) -> Result<String> {
        if let Key::Pkcs11(token) = &self.key {
            let chain = Certificate::read_all(&token.certificate)?;
            let first = chain.first().context("a file without a certificate")?;
            return Ok(first.fingerprint());
        }
        if let Some(known) = self.certificate.get() {
            return Ok(known.fingerprint.clone());
        }
        let folder = self.folder()?;
        let (sample, signed) = (folder.join("sample.dll"), folder.join("signed/sample.dll"));
        fs::write(&sample, sample_library())?;
        self.sign_sample(hands, &sample, &signed)?;
        let found = found::read(&signed, &found::trust(&self.config)?)?;
        fs::remove_dir_all(folder)?;
        let found = found.into_iter().next().and_then(|it| it.certificate);
        let known = Known::of(&found.context("a signature without a certificate")?);
        self.remember(&known)?;
        Ok(known.fingerprint)
    }

    /// What is known of the certificate without using the key; of services, of the one that they used
    /// last.
    pub(super) fn known(&self) -> Result<Option<Known>> {
        if let Some(known) = self.certificate.get() {
            return Ok(Some(known.clone()));
        }
        if let Key::Pkcs11(token) = &self.key {
            let chain = Certificate::read_all(&token.certificate)?;
            return Ok(chain.first().map(Known::of));
        }
        Ok(self.remembered().remove(&self.source()?))
    }

    /// For people: by what a signature is known to be this key's.
    pub(super) fn expected(&self) -> Result<String> {
        if let Key::Store(thumbprint) = &self.key {
            return Ok(format!("SHA-1 {thumbprint}"));
        }
        let known = self.known()?;
        if !self.key.is_a_service() {
            return Ok(known.map_or_else(String::new, |it| it.fingerprint));
        }
        let subject = known.map(|it| it.publisher.subject);
        let publisher = self.config.publisher.clone().or(subject);
        Ok(format!(
            "{}; if that has changed, state it as `sign.windows.publisher`",
            publisher.unwrap_or_default()
        ))
    }

    /// Keeps whose certificate it is, for this process and all later ones.
    pub(super) fn remember(&self, found: &Known) -> Result<()> {
        if self.certificate.set(found.clone()).is_err() {
            return Ok(());
        }
        let (mut all, source) = (self.remembered(), self.source()?);
        if all.get(&source) == Some(found) {
            return Ok(());
        }
        all.insert(source, found.clone());
        let path = self.state.join(KNOWN);
        write_atomically(&path, &serde_json::to_vec_pretty(&all)?)
    }

    fn remembered(&self) -> BTreeMap<String, Known> {
        let text = std::fs::read(self.state.join(KNOWN)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// SHA-256 of what leads to the key, in hex. Passwords have no part in it.
    fn source(&self) -> Result<String> {
        let mut hash = Sha256::new();
        match &self.key {
            Key::File(file) => hash.update(&file.bytes),
            Key::Store(thumbprint) => hash.update(format!("store {thumbprint}")),
            Key::Pkcs11(token) => hash.update(format!("token {}", token.key)),
            Key::Azure(account) => {
                hash.update("azure ");
                hash.update(fs::read(&account.metadata)?);
            }
            Key::Command(words) => hash.update(format!("command {}", words.join("\0"))),
        }
        Ok(hex(&hash.finalize()))
    }

    /// A service's secrets, which the environment has to hand to its tool, by the names of variables.
    pub(super) fn for_services(&self) -> Result<Vec<(&str, Secret)>> {
        let mut found = Vec::new();
        if self.key.is_a_service() {
            let own = self.config.command_env.iter().map(|it| &**it);
            for name in FOR_SERVICES.into_iter().chain(own) {
                if let Some(secret) = self.secrets.find(&[name])? {
                    found.push((name, secret));
                }
            }
        }
        Ok(found)
    }

    /// The PKCS#12 file as a file, for tools; only while this runs.
    pub(super) fn pkcs12(&self, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.private()?.path().join("identity.p12");
        match path.exists() {
            true => Ok(path),
            false => self.private()?.file("identity.p12", bytes),
        }
    }
}

/// The smallest library that can be signed: headers, and no sections.
fn sample_library() -> Vec<u8> {
    const SIZE: usize = 512;
    let mut bytes = vec![0; SIZE];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &64_u32.to_le_bytes());
    put(64, b"PE\0\0");
    // The file header: x86-64, no sections, the size of the optional header, a library.
    put(68, &0x8664_u16.to_le_bytes());
    put(84, &240_u16.to_le_bytes());
    put(86, &0x2022_u16.to_le_bytes());
    // The optional header: PE32+, alignments, sizes, and how many directories there are.
    put(88, &0x20b_u16.to_le_bytes());
    put(88 + 32, &0x1000_u32.to_le_bytes());
    put(88 + 36, &0x200_u32.to_le_bytes());
    put(88 + 56, &0x1000_u32.to_le_bytes());
    put(88 + 60, &0x200_u32.to_le_bytes());
    put(88 + 108, &16_u32.to_le_bytes());
    bytes
}
