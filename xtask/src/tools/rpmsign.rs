//! Signatures inside of RPM packages: made by `rpmsign`, read here.
//!
//! A package is a lead that nothing needs any more, a header with signatures, the header proper and
//! the payload (the format's description: <https://rpm-software-management.github.io/rpm/manual/format_v4.html>).
//! The signature covers the header proper, which names the digest of the payload.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::engine::files::sha256_bytes;

/// How a package begins.
const LEAD_MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb, 3, 0];
const LEAD: usize = 96;
/// How a header begins.
const HEADER_MAGIC: &[u8] = &[0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
/// The size of a header's beginning, and that of an entry of its index.
const PREAMBLE: usize = 16;
const ENTRY: usize = 16;
/// Tags of signatures over the header proper: of RSA, and of all other kinds of keys.
const SIGNATURES: [u32; 2] = [268, 267];
/// The tag of the header's SHA-256, in hex.
const HEADER_SHA256: u32 = 273;
/// The tags of the payload's digest, in hex, and of its algorithm.
const PAYLOAD_DIGEST: u32 = 5092;
const PAYLOAD_ALGORITHM: u32 = 5093;
/// SHA-256 among the algorithms of OpenPGP (RFC 4880, section 9.4).
const SHA256: u8 = 8;
/// No package has more entries in a header, or a larger one.
const MOST: usize = 1 << 28;

/// Signs a package in place with the key of this fingerprint. `passphrase` is a file that holds it:
/// rpmsign feeds gpg through stdin, so that stays no way for a secret.
pub fn sign_cmd(gpg: &Path, key: &str, passphrase: Option<&Path>, package: &Path) -> Command {
    let mut extra = "--batch --no-tty".to_owned();
    if let Some(file) = passphrase {
        let path = quoted(&file.to_string_lossy());
        extra.push_str(&format!(
            " --pinentry-mode loopback --passphrase-file {path}"
        ));
    }
    let mut command = Command::new("rpmsign");
    let gpg = gpg.to_string_lossy().replace('%', "%%");
    for define in [
        format!("__gpg {gpg}"),
        format!("_gpg_name {key}"),
        "_gpg_digest_algo sha256".to_owned(),
        format!("_gpg_sign_cmd_extra_args {extra}"),
    ] {
        command.args(["--define", &define]);
    }
    command.arg("--addsign").arg(package);
    command
}

/// One word of a macro that is split like a command line.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('%', "%%"))
}

/// Takes a key into a fresh folder of rpm's own, so that nothing else on the machine is trusted.
pub fn import_cmd(database: &Path, key: &Path) -> Command {
    let mut command = rpm_with(database);
    command.arg("--import").arg(key);
    command
}

/// Checks a package with the keys of [`import_cmd`]; [`all_good`] reads the answer.
pub fn check_cmd(database: &Path, package: &Path) -> Command {
    let mut command = rpm_with(database);
    command.arg("-Kv").arg(package);
    command
}

fn rpm_with(database: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.arg("--dbpath").arg(database).env("LC_ALL", "C");
    command
}

/// What `rpm -Kv` answered: it ends well, too, where there is no signature at all.
///
/// # Errors
/// A line that is not good, or no line of a signature.
pub fn all_good(answer: &str) -> Result<()> {
    let lines: Vec<&str> = answer.lines().skip(1).map(str::trim).collect();
    let bad = lines.iter().find(|it| !it.ends_with(": OK"));
    ensure!(bad.is_none(), "rpm says: {}", bad.unwrap_or(&""));
    let signed = lines.iter().any(|it| it.contains(" Signature, "));
    ensure!(signed, "rpm finds no signature in it");
    Ok(())
}

/// Where gpg is. rpm's own macro names one that many systems do not have.
///
/// # Errors
/// There is none.
pub fn gpg() -> Result<PathBuf> {
    which::which("gpg")
        .context("there is no gpg\nhint: `cargo xtask doctor` says how to install it")
}

/// What a package consists of, as far as signing goes.
pub struct Package {
    /// What is signed: the header proper.
    pub signed: Vec<u8>,
    /// The signature, if there is one.
    pub signature: Option<Vec<u8>>,
    /// What does not fit within the package, whoever signed it.
    pub problems: Vec<String>,
}

impl Package {
    /// Takes a package apart.
    ///
    /// # Errors
    /// It is none, or is cut off.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.starts_with(LEAD_MAGIC), "no RPM package");
        let signatures = Header::parse(bytes, LEAD).context("the signatures' header")?;
        let start = signatures.end.next_multiple_of(8);
        let header = Header::parse(bytes, start).context("the header")?;
        let (signed, payload) = (&bytes[start..header.end], &bytes[header.end..]);
        let mut problems = Vec::new();
        let filler = &bytes[signatures.end..start];
        if filler.iter().any(|it| *it != 0) {
            problems.push("something hides between its headers".to_owned());
        }
        if signatures.text(HEADER_SHA256) != Some(sha256_bytes(signed)) {
            problems.push("its header is not the one that was hashed".to_owned());
        }
        let algorithm = header.get(PAYLOAD_ALGORITHM).and_then(|it| it.get(3));
        if algorithm != Some(&SHA256) {
            problems.push("its header names no SHA-256 of the payload".to_owned());
        } else if header.text(PAYLOAD_DIGEST) != Some(sha256_bytes(payload)) {
            problems.push("the payload is not the one that was signed".to_owned());
        }
        let mut found = SIGNATURES.iter().filter_map(|it| signatures.sized(*it));
        let signature = found.next().map(<[u8]>::to_vec);
        if found.next().is_some() {
            problems.push("it has two signatures".to_owned());
        }
        Ok(Self {
            signed: signed.to_vec(),
            signature,
            problems,
        })
    }
}

/// A header: an index of tags, and what they stand for.
struct Header<'a> {
    /// Tag, offset in the store, number of elements.
    index: Vec<(u32, usize, usize)>,
    store: &'a [u8],
    /// Where it ends in the file.
    end: usize,
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8], at: usize) -> Result<Self> {
        let rest = bytes.get(at..).context("cut off")?;
        ensure!(rest.starts_with(HEADER_MAGIC), "damaged");
        let number = |from: usize| -> Result<usize> {
            let four = rest.get(from..from + 4).context("cut off")?;
            Ok(u32::from_be_bytes(four.try_into()?) as usize)
        };
        let (entries, size) = (number(8)?, number(12)?);
        ensure!(entries < MOST / ENTRY && size < MOST, "damaged");
        let from = PREAMBLE + entries * ENTRY;
        let store = rest.get(from..from + size).context("cut off")?;
        let mut index = Vec::new();
        for entry in 0..entries {
            let place = PREAMBLE + entry * ENTRY;
            let tag = u32::try_from(number(place)?)?;
            index.push((tag, number(place + 8)?, number(place + 12)?));
        }
        let end = at + from + size;
        Ok(Self { index, store, end })
    }

    /// From where a tag's value begins.
    fn get(&self, tag: u32) -> Option<&'a [u8]> {
        let entry = self.index.iter().find(|it| it.0 == tag)?;
        self.store.get(entry.1..)
    }

    /// Bytes of a known number.
    fn sized(&self, tag: u32) -> Option<&'a [u8]> {
        let entry = self.index.iter().find(|it| it.0 == tag)?;
        self.get(tag)?.get(..entry.2)
    }

    /// A text, or the first of several.
    fn text(&self, tag: u32) -> Option<String> {
        let value = self.get(tag)?.split(|it| *it == 0).next()?;
        String::from_utf8(value.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_signature_is_good() {
        let check = |lines: &str, expected: &str| {
            let answer = format!("app.rpm:\n{lines}");
            let said = all_good(&answer).map_or_else(|it| it.to_string(), |()| "good".to_owned());
            assert_eq!(said, expected, "{lines}");
        };
        let digest = "    Header SHA256 digest: OK\n";
        let signature = "    Header V4 EdDSA/SHA256 Signature, key ID 36640d26: ";
        check(&format!("{signature}OK\n{digest}"), "good");
        check(digest, "rpm finds no signature in it");
        for bad in ["NOKEY", "BAD", "NOTTRUSTED"] {
            let expected = format!("rpm says: {}{bad}", signature.trim_start());
            check(&format!("{signature}{bad}\n{digest}"), &expected);
        }
        let bad = "    Payload SHA256 digest: BAD (Expected a != b)";
        let expected = format!("rpm says: {}", bad.trim());
        check(&format!("{signature}OK\n{bad}\n"), &expected);
    }

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(quoted("/a b/100%\"x"), "\"/a b/100%%\\\"x\"");
    }
}
