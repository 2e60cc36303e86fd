//! Reads the signatures inside of files and checks them: Authenticode in Windows' formats, Apple's
//! code signatures. On any platform, and by reading the bytes alone: signing tools exit with 0
//! after a timestamp that is worth nothing, and overlook altered resources.
//!
//! What a signature claims and what is wrong with it are told apart: [`Signed`] is what it says,
//! its [`Signed::problems`] are why it must not be believed.

pub mod apple;
mod ber;
pub mod certificate;
pub mod chain;
pub mod cms;
pub mod digest;
mod endorsed;
mod revoked;
pub mod windows;

use std::time::SystemTime;

use serde::Serialize;

pub use certificate::Certificate;

/// A kind of file that carries its signature inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A Windows executable, library or installer of NSIS or Inno Setup.
    Pe,
    /// A Windows Installer package.
    Msi,
    /// A cabinet.
    Cab,
    /// A macOS executable or library.
    MachO,
    /// A macOS application: a folder.
    App,
    /// A macOS disk image.
    Dmg,
}

/// Whose signatures count, and when.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Certificates that a chain may end in: roots, or the expected publisher's own. Without any, a
    /// chain is followed as far as it came along, and where it ends is not looked at.
    pub anchors: Vec<Certificate>,
    /// Certificates that a timestamp's chain may end in. Without any, where it ends is not looked at
    /// either; but beside [`Self::anchors`] such a timestamp does not outlive the signer's certificate.
    pub timestamp_anchors: Vec<Certificate>,
    /// Serial numbers that an issuer revoked.
    pub revoked: Vec<chain::Revoked>,
    /// The time for which certificates must be valid where no timestamp that counts says another.
    pub now: SystemTime,
}

/// What one signature in a file says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Signed {
    /// The kind of file.
    pub format: Format,
    /// The signer's common name; none if no certificate fits the signature (ad-hoc ones have none).
    pub signer: Option<String>,
    /// SHA-256 of the signer's certificate, in hex.
    pub fingerprint: Option<String>,
    /// The signer's certificate itself.
    #[serde(skip)]
    pub certificate: Option<Certificate>,
    /// When a timestamp server saw it, and which one; none if none did.
    pub timestamp: Option<Timestamp>,
    /// Whether macOS' hardened runtime is asked for; none where there is no such thing.
    pub hardened_runtime: Option<bool>,
    /// Whether Apple's notarization ticket is attached; none where there is no such thing.
    pub stapled: Option<bool>,
    /// Whether these are the bytes that the owner of the certificate's key signed: whoever that is,
    /// and whether or not anybody trusts the certificate today.
    pub intact: bool,
    /// Why the signature must not be believed; empty if it is good.
    pub problems: Vec<String>,
}

/// What a timestamp server vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timestamp {
    /// In seconds since 1970.
    pub seconds: u64,
    /// The server's common name.
    pub authority: String,
}
