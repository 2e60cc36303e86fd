//! The sections that say what is signed, with what.

use serde::Deserialize;

use crate::types::{AppleTool, Timestamping, WindowsTool};

/// See [`Dist::sign`](super::Dist::sign).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Sign {
    /// The key of Tauri's updater, which signs updates.
    pub minisign: Minisign,
    /// The OpenPGP key, which signs packages and checksums. Without this section there is no
    /// OpenPGP signature.
    pub gpg: Option<Gpg>,
    /// How Windows' executables and installers are signed (Authenticode). Without this section they
    /// are not, unless `WIN_CSC_LINK` or `CSC_LINK` is set.
    pub windows: Windows,
    /// How macOS' code, apps and disk images are signed and notarized. Without this section they are
    /// not, unless `APPLE_CERTIFICATE` or `CSC_LINK` is set.
    pub macos: Macos,
    /// Signatures inside of Linux' packages.
    pub linux: Linux,
    /// Ship `sidecars.sha256` among the app's resources: the SHA-256 of each sidecar as it is after
    /// signing. A hash that the host has compiled in would be that of one before.
    pub sidecar_hashes: bool,
}

/// See [`Sign::minisign`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Minisign {
    /// The environment variable with the secret key.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub key_env: String,
    /// The environment variable with its password.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub password_env: String,
    /// The public key that verification trusts, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none")))]
    pub public_key: Option<String>,
}

impl Default for Minisign {
    fn default() -> Self {
        Self {
            key_env: "TAURI_SIGNING_PRIVATE_KEY".into(),
            password_env: "TAURI_SIGNING_PRIVATE_KEY_PASSWORD".into(),
            public_key: None,
        }
    }
}

/// See [`Sign::gpg`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Gpg {
    /// The key's fingerprint, which `gpg --list-secret-keys` prints.
    #[cfg_attr(test, schemars(extend("x-form" = "fingerprint")))]
    pub key: String,
    /// The environment variable with the passphrase.
    #[serde(default = "gpg_passphrase")]
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub passphrase_env: String,
    /// The public key that verification trusts, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none")))]
    pub public_key: Option<String>,
}

fn gpg_passphrase() -> String {
    "GPG_PASSPHRASE".into()
}

/// See [`Sign::windows`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Windows {
    /// What signs. `auto` takes what the identity wants; for a file that is `osslsigncode`, and on
    /// Windows `signtool` if that is not there or the file has no password.
    pub tool: WindowsTool,
    /// A program that signs a file in place, with its arguments; `%1` stands for the file. It makes
    /// the timestamp, too.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub command: Vec<String>,
    /// Environment variables with secrets that `command` reads, such as the login to a cloud's key.
    /// No other process gets them, and no output shows them. Each may be given as `<name>_FILE`, too:
    /// the path of a file that holds it.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub command_env: Vec<String>,
    /// The SHA-1 thumbprint of a certificate in Windows' store, for `signtool`.
    #[cfg_attr(test, schemars(extend("x-form" = "thumbprint", "x-default" = "none")))]
    pub thumbprint: Option<String>,
    /// The environment variable with a PKCS#12 file (`.pfx`): its path, or itself in base64. If it is
    /// not set, `CSC_LINK` is asked.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub certificate_env: String,
    /// The environment variable with that file's password; `CSC_KEY_PASSWORD` goes with `CSC_LINK`.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub password_env: String,
    /// A key in a PKCS#11 token, for `osslsigncode`.
    pub pkcs11: Option<Pkcs11>,
    /// Azure Artifact Signing, for `signtool`.
    pub azure: Option<Azure>,
    /// Whether a timestamp server vouches for the time (`rfc3161`). With `none` a signature ends
    /// with its certificate.
    pub timestamp: Timestamping,
    /// RFC 3161 servers, in the order in which they are asked: the next one if one fails.
    #[cfg_attr(test, schemars(extend("x-form" = "url", "minItems" = 1)))]
    pub timestamp_servers: Vec<String>,
    /// How long all attempts to have one file signed may take together.
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub patience: String,
    /// What Windows shows as the program's name when it asks whether to run it.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "x-default" = "the product's name")))]
    pub description: Option<String>,
    /// The address that Windows shows beside it.
    #[cfg_attr(test, schemars(extend("x-form" = "url", "x-default" = "none")))]
    pub url: Option<String>,
    /// Certificates (PEM), relative to the repository, one of which every signature must lead to:
    /// the authority's, or your own.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none: the chain's end is not looked at")))]
    pub trust: Option<String>,
    /// Certificates (PEM), relative to the repository, one of which every timestamp must lead to.
    /// With `trust` but without these, a timestamp does not make up for a certificate that has expired since.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none: the chain's end is not looked at")))]
    pub timestamp_trust: Option<String>,
    /// By what the certificates that `azure` or `command` signs with are known: their common name, or
    /// the whole subject. They may be others every day.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "x-default" = "learned from the first signature")))]
    pub publisher: Option<String>,
    /// Whose signatures on files that others made stay as they are, by common name or organization.
    /// All others are replaced. Without this, every one that is valid stays.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub leave_signed_by: Vec<String>,
    /// Lists of revoked certificates (PEM or DER), each after the certificate of the authority that
    /// made it, relative to the repository. What they name neither signs nor is left alone.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub revoked: Vec<String>,
}

impl Default for Windows {
    fn default() -> Self {
        let servers = [
            "http://timestamp.acs.microsoft.com",
            "http://timestamp.digicert.com",
            "http://timestamp.sectigo.com",
        ];
        Self {
            tool: WindowsTool::Auto,
            command: Vec::new(),
            command_env: Vec::new(),
            thumbprint: None,
            certificate_env: "WIN_CSC_LINK".into(),
            password_env: "WIN_CSC_KEY_PASSWORD".into(),
            pkcs11: None,
            azure: None,
            timestamp: Timestamping::Rfc3161,
            timestamp_servers: servers.map(str::to_owned).into(),
            patience: "10m".into(),
            description: None,
            url: None,
            trust: None,
            timestamp_trust: None,
            publisher: None,
            leave_signed_by: Vec::new(),
            revoked: Vec::new(),
        }
    }
}

/// See [`Windows::pkcs11`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Pkcs11 {
    /// The token's library, such as `/usr/lib/softhsm/libsofthsm2.so`.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub module: String,
    /// The key's URI (RFC 7512), such as `pkcs11:token=Release;object=signing;type=private`.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub key: String,
    /// The certificate and those between it and the root (PEM), relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub certificate: String,
    /// The environment variable with the PIN.
    #[serde(default = "pin")]
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub pin_env: String,
}

fn pin() -> String {
    "PKCS11_PIN".into()
}

/// See [`Windows::azure`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Azure {
    /// `Azure.CodeSigning.Dlib.dll` of the package Microsoft.ArtifactSigning.Client.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub dlib: String,
    /// The file that names endpoint, account and certificate profile, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub metadata: String,
}

/// See [`Sign::macos`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Macos {
    /// What signs. `auto` takes `codesign` on macOS and `rcodesign` elsewhere.
    pub tool: AppleTool,
    /// The certificate's name in the keychain, such as `Developer ID Application: Example (TEAM)`.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "x-default" = "`APPLE_SIGNING_IDENTITY`, else the first one in the certificate's file")))]
    pub identity: Option<String>,
    /// The environment variable with a PKCS#12 file (`.p12`): its path, or itself in base64. If it is
    /// not set, `CSC_LINK` is asked.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub certificate_env: String,
    /// The environment variable with that file's password; `CSC_KEY_PASSWORD` goes with `CSC_LINK`.
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub password_env: String,
    /// The entitlements of the app's main executable, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none")))]
    pub entitlements: Option<String>,
    /// Entitlements of other code. Repeat the section for several; the first that fits counts.
    pub file: Vec<EntitledFile>,
    /// Whether a timestamp server vouches for the time (`rfc3161`). Apple notarizes nothing without.
    pub timestamp: Timestamping,
    /// The RFC 3161 server, for `rcodesign`; `codesign` knows its own.
    #[cfg_attr(test, schemars(extend("x-form" = "url")))]
    pub timestamp_server: String,
    /// Whether Apple is asked to check what is released. A development release never is.
    pub notarize: bool,
    /// How long one run waits for Apple's answer. The next run goes on waiting for the same one.
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub notarize_timeout: String,
    /// Certificates (PEM), relative to the repository, one of which every signature must lead to.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none: the chain's end is not looked at")))]
    pub trust: Option<String>,
}

impl Default for Macos {
    fn default() -> Self {
        Self {
            tool: AppleTool::Auto,
            identity: None,
            certificate_env: "APPLE_CERTIFICATE".into(),
            password_env: "APPLE_CERTIFICATE_PASSWORD".into(),
            entitlements: None,
            file: Vec::new(),
            timestamp: Timestamping::Rfc3161,
            timestamp_server: "http://timestamp.apple.com/ts01".into(),
            notarize: true,
            notarize_timeout: "30m".into(),
            trust: None,
        }
    }
}

/// See [`Macos::file`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EntitledFile {
    /// Which code, by its path in the app: `Contents/MacOS/my-sidecar`.
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub path: String,
    /// Its entitlements, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub entitlements: String,
}

/// See [`Sign::linux`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Linux {
    /// Sign `.deb` packages with the key of `[sign.gpg]`, for `debsig-verify`.
    pub deb: bool,
    /// Sign `.rpm` packages with the key of `[sign.gpg]`, for `rpm --checksig`.
    pub rpm: bool,
}
