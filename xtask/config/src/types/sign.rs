//! What is signed, with what.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::as_text;

/// Which keys sign what is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sign {
    /// The key of the updater.
    pub minisign: Minisign,
    /// The OpenPGP key; `None` makes no OpenPGP signature.
    pub gpg: Option<Gpg>,
    /// How Windows' executables and installers are signed.
    pub windows: WindowsSigning,
    /// How macOS' code, apps and disk images are signed.
    pub macos: AppleSigning,
    /// Signatures inside of Linux' packages.
    pub linux: LinuxSigning,
    /// Whether a file with the hashes of the signed sidecars is shipped among the resources.
    pub sidecar_hashes: bool,
}

/// The minisign key, which signs updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Minisign {
    /// The environment variable with the secret key.
    pub key_env: String,
    /// The environment variable with the secret key's password.
    pub password_env: String,
    /// The public key that verification trusts.
    pub public_key: Option<PathBuf>,
}

/// The OpenPGP key, which signs packages and checksums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gpg {
    /// The key's fingerprint: 40 or 64 hexadecimal digits, upper case.
    pub key: String,
    /// The environment variable with the passphrase.
    pub passphrase_env: String,
    /// The public key that verification trusts.
    pub public_key: Option<PathBuf>,
}

/// What signs for Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WindowsTool {
    /// What fits the machine and the configuration
    Auto,
    /// Microsoft's, of the Windows SDK
    Signtool,
    /// The one of OpenSSL, on any system
    Osslsigncode,
    /// A program of your own
    Command,
}

/// What signs for macOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AppleTool {
    /// What fits the machine
    Auto,
    /// Apple's
    Codesign,
    /// The one of the crate apple-codesign, on any system
    Rcodesign,
}

/// Whether somebody else vouches for the time of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Timestamping {
    /// A server does
    Rfc3161,
    /// Nobody does
    None,
}

/// A PKCS#12 file, which an environment variable names or holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateFile {
    /// The variable: a path, or the file itself in base64.
    pub env: String,
    /// The variable with its password.
    pub password_env: String,
}

/// Authenticode signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WindowsSigning {
    /// What signs; `Auto` is resolved where the machine is known.
    pub tool: WindowsTool,
    /// Whose key signs.
    pub identity: WindowsIdentity,
    /// Variables with secrets that a command of one's own reads.
    pub command_env: Vec<String>,
    /// Whether somebody vouches for the time.
    pub timestamp: Timestamping,
    /// RFC 3161 servers, in the order in which they are asked.
    pub timestamp_servers: Vec<String>,
    /// How long all attempts for one file may take together.
    #[serde(serialize_with = "as_text")]
    pub patience: Duration,
    /// What Windows shows as the program's name; `None` is the product's.
    pub description: Option<String>,
    /// The address that Windows shows.
    pub url: Option<String>,
    /// PEM: one of these every signature must lead to.
    pub trust: Option<PathBuf>,
    /// PEM: one of these every timestamp must lead to.
    pub timestamp_trust: Option<PathBuf>,
    /// The name in the certificates of Azure or of a command; `None` learns it from a signature.
    pub publisher: Option<String>,
    /// By common name or organization, whose valid signatures stay as they are; empty is everybody's.
    pub leave_signed_by: Vec<String>,
    /// Lists of revoked certificates, each after the certificate of who made it.
    pub revoked: Vec<PathBuf>,
}

/// Whose key signs for Windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowsIdentity {
    /// A PKCS#12 file.
    File(CertificateFile),
    /// A certificate in Windows' store, by the 40 hexadecimal digits of its SHA-1, upper case.
    Store(String),
    /// A key in a token.
    Pkcs11(Pkcs11),
    /// Azure Artifact Signing.
    Azure(Azure),
    /// Whatever this program uses; `%1` is the file.
    Command(Vec<String>),
}

/// A key in a PKCS#11 token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pkcs11 {
    /// The token's library.
    pub module: PathBuf,
    /// The key's URI (RFC 7512).
    pub key: String,
    /// PEM: the certificate and those above it.
    pub certificate: PathBuf,
    /// The environment variable with the PIN.
    pub pin_env: String,
}

/// An account of Azure Artifact Signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Azure {
    /// Its client library, which `signtool` loads.
    pub dlib: PathBuf,
    /// JSON: endpoint, account, certificate profile.
    pub metadata: PathBuf,
}

/// Apple's code signatures, and notarization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppleSigning {
    /// What signs; `Auto` is resolved where the machine is known.
    pub tool: AppleTool,
    /// The certificate's name in the keychain; `None` takes that of the file.
    pub identity: Option<String>,
    /// The certificate and its key.
    pub certificate: CertificateFile,
    /// Entitlements of the main executable.
    pub entitlements: Option<PathBuf>,
    /// Entitlements of other code; the first that fits counts.
    pub files: Vec<Entitled>,
    /// Whether somebody vouches for the time.
    pub timestamp: Timestamping,
    /// The RFC 3161 server of `rcodesign`.
    pub timestamp_server: String,
    /// Whether Apple is asked to check a release.
    pub notarize: bool,
    /// How long one run waits for Apple's answer.
    #[serde(serialize_with = "as_text")]
    pub notarize_timeout: Duration,
    /// PEM: one of these every signature must lead to.
    pub trust: Option<PathBuf>,
}

/// Code with entitlements of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entitled {
    /// A glob over paths in the app.
    pub path: String,
    /// The property list.
    pub entitlements: PathBuf,
}

/// Signatures inside of Linux' packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinuxSigning {
    /// Of `.deb` packages.
    pub deb: bool,
    /// Of `.rpm` packages.
    pub rpm: bool,
}

impl Sign {
    /// The environment variables that the configuration names for secrets.
    pub fn secret_variables(&self) -> Vec<String> {
        let mut names = vec![&self.minisign.key_env, &self.minisign.password_env];
        names.extend(self.gpg.iter().map(|it| &it.passphrase_env));
        match &self.windows.identity {
            WindowsIdentity::File(it) => names.extend([&it.env, &it.password_env]),
            WindowsIdentity::Pkcs11(it) => names.push(&it.pin_env),
            _ => {}
        }
        names.extend(&self.windows.command_env);
        let apple = &self.macos.certificate;
        names.extend([&apple.env, &apple.password_env]);
        names.into_iter().cloned().collect()
    }
}
