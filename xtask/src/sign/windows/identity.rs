//! Whose key signs, and what is known of its certificate.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use xtask_signed::Certificate;

use super::{Made, Signer, found};
use crate::{
    config::{Azure, Pkcs11, WindowsIdentity},
    engine::{
        files::{hex, write_atomically},
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    /// SHA-256, in hex.
    pub(super) fingerprint: String,
    /// The common name.
    pub(super) name: String,
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
pub(super) const FOR_SERVICES: [&str; 6] = [
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "WIN_CSC_LINK",
    "WIN_CSC_KEY_PASSWORD",
    "CSC_LINK",
    "CSC_KEY_PASSWORD",
];

/// Which certificate a PKCS#12 file holds, by the SHA-256 of the file.
const KNOWN: &str = "cache/windows-certificates.v1.json";

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

    /// What to look at when it does not sign.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::File(file) => format!(
                "the certificate comes from {}, its password from the variable that goes with it",
                file.from
            ),
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
            Self::File(file) => Ok(Some(file.password.clone())),
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
            Key::File(..) | Key::Pkcs11(_) => self
                .certificate(hands)?
                .context("the certificate is not known")?,
            Key::Store(thumbprint) => format!("store {thumbprint}"),
            Key::Azure(account) => {
                let metadata = fs::read(&account.metadata)?;
                format!("azure {}", hex(&Sha256::digest(metadata)))
            }
            Key::Command(words) => format!("command {}", words.join(" ")),
        })
    }

    /// SHA-256 of the certificate that signs; none if only its signature will tell. A file is opened
    /// for this once, by signing something small: it shows a wrong password before anything is built.
    ///
    /// # Errors
    /// The password is wrong, the tool is missing, or the disk's.
    pub fn certificate(&self, hands: &impl Hands) -> Result<Option<String>> {
        if let Some(known) = self.known()? {
            return Ok(Some(known.fingerprint.clone()));
        }
        let Key::File(file) = &self.key else {
            return Ok(None);
        };
        let folder = self.folder()?;
        let (sample, signed) = (folder.join("sample.dll"), folder.join("signed/sample.dll"));
        fs::write(&sample, sample_library())?;
        self.sign_sample(hands, &sample, &signed)?;
        let found = found::read(&signed, &found::trust(&self.config)?)?;
        fs::remove_dir_all(folder)?;
        let known = found.into_iter().next().and_then(|it| {
            Some(Known {
                fingerprint: it.fingerprint?,
                name: it.signer?,
            })
        });
        let known = known.context("a signature without a certificate")?;
        self.remember(&file.bytes, &known)?;
        Ok(Some(
            self.certificate.get_or_init(|| known).fingerprint.clone(),
        ))
    }

    /// What is known of the certificate without using the key.
    pub(super) fn known(&self) -> Result<Option<&Known>> {
        if let Some(known) = self.certificate.get() {
            return Ok(Some(known));
        }
        let known = match &self.key {
            Key::File(file) => self.remembered().remove(&digest(&file.bytes)),
            Key::Pkcs11(token) => {
                let chain = Certificate::read_all(&token.certificate)?;
                chain.first().map(|it| Known {
                    fingerprint: it.fingerprint(),
                    name: it.name(),
                })
            }
            _ => None,
        };
        Ok(known.map(|it| self.certificate.get_or_init(|| it)))
    }

    /// Of identities that only their signature tells, the first one counts for all files of a run.
    pub(super) fn learn(&self, made: &Made) -> &str {
        let known = || Known {
            fingerprint: made.fingerprint.clone(),
            name: made.signer.clone(),
        };
        &self.certificate.get_or_init(known).fingerprint
    }

    fn remembered(&self) -> BTreeMap<String, Known> {
        let text = std::fs::read(self.state.join(KNOWN)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn remember(&self, file: &[u8], found: &Known) -> Result<()> {
        let mut known = self.remembered();
        known.insert(digest(file), found.clone());
        let path = self.state.join(KNOWN);
        write_atomically(&path, &serde_json::to_vec_pretty(&known)?)
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

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
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

/// Whether the environment has to hand a service's secrets to the tool.
pub(super) fn for_services(key: &Key, secrets: &Secrets) -> Result<Vec<(&'static str, Secret)>> {
    let mut found = Vec::new();
    if matches!(key, Key::Azure(_) | Key::Command(_)) {
        for name in FOR_SERVICES {
            if let Some(secret) = secrets.find(&[name])? {
                found.push((name, secret));
            }
        }
    }
    Ok(found)
}
