//! Apple's `codesign` (its manual page). It takes the key from a keychain, and no password.

use std::{path::Path, process::Command};

use super::network;

/// What it says when the timestamp server did not do its part.
const TIMESTAMP: [&str; 2] = [
    "timestamp service is not available",
    "timestamp was expected but was not found",
];

/// Who signs.
pub struct Signer<'a> {
    /// The certificate's name, or the hexadecimal digits of its SHA-1.
    pub identity: &'a str,
    /// Where it is looked for; none is the user's search list.
    pub keychain: Option<&'a Path>,
}

/// Signs in place, in the place of any other signature. Code inside is left as it is.
pub fn sign_cmd(
    path: &Path,
    signer: &Signer<'_>,
    hardened: bool,
    entitlements: Option<&Path>,
    timestamp: bool,
) -> Command {
    let mut command = Command::new("codesign");
    command.args(["--sign", signer.identity, "--force"]);
    if let Some(keychain) = signer.keychain {
        command.arg("--keychain").arg(keychain);
    }
    command.arg(if timestamp {
        "--timestamp"
    } else {
        "--timestamp=none"
    });
    if hardened {
        command.args(["--options", "runtime"]);
    }
    if let Some(file) = entitlements {
        command.arg("--entitlements").arg(file);
    }
    command.arg(path);
    command
}

/// Checks a signature, and with `deep` those of the code inside.
pub fn verify_cmd(path: &Path, deep: bool) -> Command {
    let mut command = Command::new("codesign");
    command.args(["--verify", "--strict", "--verbose=2"]);
    if deep {
        command.arg("--deep");
    }
    command.arg(path);
    command
}

/// Whether what it printed says that the timestamp server failed, which may pass.
pub fn is_transient(printed: &[String]) -> bool {
    let timestamp = |line: &String| TIMESTAMP.iter().any(|it| line.contains(it));
    printed.iter().any(timestamp) || network::failed(printed)
}
