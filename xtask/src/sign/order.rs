//! The hash of a sidecar must be that of the signed one. Whoever compiles it into the host takes it
//! from bytes that are not signed yet, and the program refuses its own sidecar on every machine but
//! the developer's. So a host that holds such a hash is refused, and the right one comes in a file.

use std::path::Path;

use anyhow::{Result, bail};
use ct_codecs::{Base64, Encoder as _};

use crate::engine::files::{hash_file, hex};

/// The file with the hashes of the sidecars as they are shipped, beside the resources: a line of
/// `sha256sum` each.
pub const HASHES: &str = "sidecars.sha256";

/// A file whose bytes signing may change.
pub struct Hashed {
    /// Its name, for messages.
    pub name: String,
    /// Its SHA-256 before it was signed.
    before: [u8; 32],
}

impl Hashed {
    /// Of a file that is not signed yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(name: &str, unsigned: &Path) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            before: hash_file(unsigned)?,
        })
    }

    /// Whether signing gave the file other bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn changed(&self, signed: &Path) -> Result<bool> {
        Ok(hash_file(signed)? != self.before)
    }
}

/// The form in which `code` holds the hash: `raw`, `hex`, `base64`; none if it does not.
pub fn form_in(code: &[u8], hashed: &Hashed) -> Option<&'static str> {
    let lower = hex(&hashed.before);
    let base64 = Base64::encode_to_string(hashed.before).unwrap_or_default();
    let forms: [(&str, &[u8]); 4] = [
        ("as raw bytes", &hashed.before),
        ("in hex", lower.as_bytes()),
        ("in hex", &lower.to_ascii_uppercase().into_bytes()),
        ("in base64", base64.trim_end_matches('=').as_bytes()),
    ];
    let found = forms.iter().find(|(_, it)| memmem(code, it));
    found.map(|it| it.0)
}

/// Fails if the executable holds the hash of one of these files from before it was signed.
///
/// # Errors
/// It does, or cannot be read.
pub fn refuse_stale_hashes(executable: &Path, name: &str, sidecars: &[Hashed]) -> Result<()> {
    let code = fs_err::read(executable)?;
    for sidecar in sidecars {
        if let Some(form) = form_in(&code, sidecar) {
            bail!(
                "{name} holds the SHA-256 of {} {form}, but from before it was signed: the shipped \
                 one has another\n\
                 hint: compile no hash in; set `sign.sidecar-hashes = true`, and let the app read \
                 {HASHES} among its resources at run time (docs/signing.md, \"Byte order\")",
                sidecar.name
            );
        }
    }
    Ok(())
}

/// Whether `all` contains `part`.
fn memmem(all: &[u8], part: &[u8]) -> bool {
    // Looking for the first byte alone is quick; what follows it is compared seldom.
    let Some((&first, _)) = part.split_first() else {
        return true;
    };
    let mut rest = all;
    while let Some(at) = rest.iter().position(|it| *it == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_found_in_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let (sidecar, host) = (folder.path().join("sidecar"), folder.path().join("host"));
        fs_err::write(&sidecar, "frozen").unwrap();
        let hashed = [Hashed::new("sidecar analyzer", &sidecar).unwrap()];
        let before = hash_file(&sidecar).unwrap();
        let check = |held: &[u8], expected: &str| {
            fs_err::write(&host, [b"\x7fELF code ", held, b" and more"].concat()).unwrap();
            let said = match refuse_stale_hashes(&host, "the host", &hashed) {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            };
            let of = "the host holds the SHA-256 of sidecar analyzer ";
            let said = said.strip_prefix(of).unwrap_or(&said);
            assert_eq!(said.split(", but").next().unwrap(), expected);
        };
        check(b"", "");
        check(&before, "as raw bytes");
        check(hex(&before).as_bytes(), "in hex");
        check(hex(&before).to_uppercase().as_bytes(), "in hex");
        let base64 = Base64::encode_to_string(before).unwrap();
        check(base64.as_bytes(), "in base64");
        // The right one is nobody's business.
        fs_err::write(&sidecar, "frozen and signed").unwrap();
        check(hex(&hash_file(&sidecar).unwrap()).as_bytes(), "");
        assert!(hashed[0].changed(&sidecar).unwrap());
    }
}
