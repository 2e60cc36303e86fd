//! The files of a release, with their signatures.

use serde::{Deserialize, Serialize};

/// One file of the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Relative to the folder of the manifest, with `/` on every platform, never leaving it.
    pub path: String,
    /// What it is for.
    pub kind: ArtifactKind,
    /// `deb`, `rpm`, `appimage`, `nsis`, `msi`, `dmg`, `app`, `tar.gz`, `zip`, `json`, …
    pub format: String,
    /// In bytes.
    pub size: u64,
    /// Of the whole file, 64 lower-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// Sorted by kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureRef>,
    /// Files inside it that must be exactly these: the executables. Sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
}

/// What an artifact is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// Users run or install it.
    Installer,
    /// The program's files to unpack.
    Archive,
    /// What the updater reads to find a new version.
    UpdaterMetadata,
    /// Anything else, such as a list of components.
    Other,
}

impl ArtifactKind {
    /// As it is written in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installer => "installer",
            Self::Archive => "archive",
            Self::UpdaterMetadata => "updater-metadata",
            Self::Other => "other",
        }
    }
}

/// A signature of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignatureRef {
    /// How it is made.
    pub kind: SignatureKind,
    /// The file that holds it, relative like the artifact's path; absent if it is inside the
    /// artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Minisign's key id, OpenPGP's fingerprint, or the SHA-256 of the certificate, in hex.
    pub key_id: String,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// `NAME.minisig`, for `minisign -V`.
    Minisign,
    /// `NAME.sig`, for Tauri's updater: base64 of minisign's text.
    TauriUpdater,
    /// `NAME.asc`, a detached armored OpenPGP signature.
    Gpg,
    /// Inside a Windows executable or installer.
    Authenticode,
    /// Inside a macOS program or disk image.
    Apple,
    /// Inside an rpm package.
    Rpm,
    /// Inside a Debian package: a member `_gpgorigin`.
    Deb,
}

impl SignatureKind {
    /// As it is written in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minisign => "minisign",
            Self::TauriUpdater => "tauri-updater",
            Self::Gpg => "gpg",
            Self::Authenticode => "authenticode",
            Self::Apple => "apple",
            Self::Rpm => "rpm",
            Self::Deb => "deb",
        }
    }
}

/// A file inside an installer or archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// As the package names it, without a leading `./` or `/`: `usr/bin/app`.
    pub path: String,
    /// 64 lower-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9a-f]{64}$")))]
    pub sha256: String,
}
