//! Detached OpenPGP signatures with GnuPG. This file says what to run and reads what comes back;
//! the program's one spawn runs it.
//!
//! Signing uses the user's own key ring and agent. Checking uses neither: `gpgv` with one public
//! key in a file of its own trusts nothing else that happens to be on the machine.

mod packet;

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, anyhow, ensure};
use ct_codecs::{Base64, Decoder as _};

use crate::engine::secret::Secret;

pub use packet::check_packet;

/// Signs `file` into `signature` (armored) with the key that `key` names: fingerprint, key id or
/// mail address. Returns the command and what it reads from stdin.
///
/// A passphrase goes through stdin, never as an argument. Without one gpg's agent decides: a key
/// without passphrase, one that the agent remembers and a smart card work, and a terminal is asked.
pub fn sign_cmd(
    key: &str,
    passphrase: Option<&Secret>,
    file: &Path,
    signature: &Path,
) -> (Command, Vec<u8>) {
    detach(key, passphrase, file, signature, &["--armor"])
}

/// Like [`sign_cmd`], for a signature that goes into a package: without armor.
pub fn sign_bytes_cmd(
    key: &str,
    passphrase: Option<&Secret>,
    file: &Path,
    signature: &Path,
) -> (Command, Vec<u8>) {
    let digest = ["--digest-algo", "SHA256"];
    detach(key, passphrase, file, signature, &digest)
}

fn detach(
    key: &str,
    passphrase: Option<&Secret>,
    file: &Path,
    signature: &Path,
    form: &[&str],
) -> (Command, Vec<u8>) {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--yes", "--no-tty"]);
    if passphrase.is_some() {
        command.args(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
    }
    command.args(["--local-user", key]).args(form);
    command.arg("--output").arg(signature);
    command.args(["--detach-sign", "--"]).arg(file);
    let stdin = passphrase.map(|words| format!("{}\n", words.expose()).into_bytes());
    (command, stdin.unwrap_or_default())
}

/// Writes the public key to stdout, for [`keyring`].
pub fn export_cmd(key: &str) -> Command {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--no-tty", "--armor", "--export", key]);
    command
}

/// Checks `signature` over `file` with the keys in `keyring`, a file that holds [`keyring`]'s
/// bytes. Its path needs a `/`, or gpgv looks in its home. What it prints on stdout is for
/// [`signed_by`].
pub fn verify_cmd(keyring: &Path, signature: &Path, file: &Path) -> Command {
    let mut command = Command::new("gpgv");
    command.args(["--status-fd", "1", "--keyring"]).arg(keyring);
    command.arg("--").args([signature, file]);
    command
}

/// The primary key's fingerprint in `gpgv`'s status lines (GnuPG's doc/DETAILS: the last field of
/// `VALIDSIG`), or nothing if no signature was valid.
pub fn signed_by(output: &str) -> Option<String> {
    let valid = output
        .lines()
        .find_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "))?;
    valid.split_whitespace().last().map(str::to_owned)
}

/// Whose good signature it is, in `gpgv`'s status lines: the user id of the key.
pub fn signer_name(output: &str) -> Option<String> {
    let good = output
        .lines()
        .find_map(|line| line.strip_prefix("[GNUPG:] GOODSIG "))?;
    good.split_once(' ').map(|(_, name)| name.to_owned())
}

/// A public key as gpgv reads it: without armor. Takes what `gpg --export` wrote, armored or not.
///
/// # Errors
/// When the armor is damaged.
pub fn keyring(exported: &[u8]) -> Result<Vec<u8>> {
    match std::str::from_utf8(exported) {
        Ok(text) if text.trim_start().starts_with("-----BEGIN PGP") => {
            let text = text.trim_start().replace("\r\n", "\n");
            // Exported keys may carry headers (`Comment: …`) before the empty line.
            let (_, body) = text.split_once("\n\n").context("no OpenPGP public key")?;
            let label = "PGP PUBLIC KEY BLOCK";
            armored(
                &format!("-----BEGIN {label}-----\n\n{}\n", body.trim_end()),
                label,
            )
        }
        _ => Ok(exported.to_vec()),
    }
}

/// Whether an armored signature is only that. gpg overlooks what surrounds the armor and changes
/// in its last line, so that not every byte of the file would count.
///
/// # Errors
/// When the text is anything but one armored signature without headers.
pub fn check_armor(signature: &str) -> Result<()> {
    armored(signature, "PGP SIGNATURE").map(|_| ())
}

/// The bytes inside RFC 4880 armor without headers; the checksum line is left to gpg.
fn armored(text: &str, label: &str) -> Result<Vec<u8>> {
    let body = text
        .strip_prefix(&format!("-----BEGIN {label}-----\n\n"))
        .and_then(|rest| rest.strip_suffix(&format!("\n-----END {label}-----\n")))
        .with_context(|| format!("not exactly one armored {label}"))?;
    let decode = |text: &str| {
        Base64::decode_to_vec(text, Some(b"\n")).map_err(|e| anyhow!("damaged armor: {e}"))
    };
    let Some((body, checksum)) = body.rsplit_once("\n=") else {
        return decode(body);
    };
    ensure!(
        checksum.len() == 4 && decode(checksum).is_ok(),
        "damaged armor: checksum"
    );
    decode(body)
}

#[cfg(all(test, unix))]
mod tests;
