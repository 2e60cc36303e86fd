//! Digests by the numbers that CMS names them with.

use anyhow::{Result, bail};
use der::asn1::ObjectIdentifier;
use ring::digest::{self, Algorithm};

/// SHA-1 (RFC 3279): only ever compared with, never trusted on its own.
pub const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// SHA-256 (RFC 5754).
pub const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// SHA-384 (RFC 5754).
pub const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
/// SHA-512 (RFC 5754).
pub const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The algorithm of that number.
///
/// # Errors
/// Anything but the SHA-2 family: Windows and macOS accept nothing weaker any more.
pub fn algorithm(oid: ObjectIdentifier) -> Result<&'static Algorithm> {
    Ok(match oid {
        SHA256 => &digest::SHA256,
        SHA384 => &digest::SHA384,
        SHA512 => &digest::SHA512,
        SHA1 => bail!(WEAK),
        other => bail!("its digest algorithm {other} is not known"),
    })
}

/// What is said of a signature that is made with SHA-1.
pub const WEAK: &str = "it is made with SHA-1, which counts no more";

/// The same, and SHA-1 besides, for those who judge by themselves what that is worth.
pub(crate) fn even_weak(oid: ObjectIdentifier) -> Result<&'static Algorithm> {
    match oid {
        SHA1 => Ok(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        other => algorithm(other),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
