//! osslsigncode: Authenticode signatures with OpenSSL, on any system.
//!
//! A signature and its timestamp are made by two commands, so that a timestamp server that is down
//! costs no second use of the key, and is known by its name. Every file is read from one path and
//! written to another: the program refuses to replace one.

use std::{path::Path, process::Command};

use crate::engine::probe::Probe;

/// The program's name on PATH.
pub const PROGRAM: &str = "osslsigncode";

/// Where the key is. What opens it, a password or a PIN, is read from stdin.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// A PKCS#12 file with the certificate.
    Pkcs12(&'a Path),
    /// A token.
    Pkcs11 {
        /// The token's library.
        module: &'a Path,
        /// RFC 7512.
        uri: &'a str,
        /// PEM: the certificate and those above it.
        certificate: &'a Path,
    },
}

/// What Windows shows when it asks whether to run the file.
#[derive(Clone, Debug, Default)]
pub struct Label {
    /// The program's name.
    pub description: Option<String>,
    /// More about it.
    pub url: Option<String>,
}

/// Whose signatures count: files with certificates (PEM).
#[derive(Clone, Copy, Debug)]
pub struct Anchors<'a> {
    /// For signatures.
    pub signature: &'a Path,
    /// For timestamps.
    pub timestamp: &'a Path,
}

/// Asks for the version: `osslsigncode 2.9, using:`.
pub fn version() -> Probe {
    Probe::new(PROGRAM, ["--version"])
}

/// Signs, without a timestamp. Reads the password or PIN from stdin, if there is one: it takes an
/// empty stdin for a mistake.
pub fn sign(key: Key<'_>, has_password: bool, label: &Label, file: &Path, into: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("sign");
    match key {
        Key::Pkcs12(file) => command.arg("-pkcs12").arg(file),
        Key::Pkcs11 {
            module,
            uri,
            certificate,
        } => {
            command.arg("-pkcs11module").arg(module);
            command.arg("-certs").arg(certificate).args(["-key", uri])
        }
    };
    if has_password {
        command.args(["-readpass", "-"]);
    }
    command.args(["-h", "sha256"]);
    if let Some(description) = &label.description {
        command.args(["-n", description]);
    }
    if let Some(url) = &label.url {
        command.args(["-i", url]);
    }
    if file
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("msi"))
    {
        // Names, sizes and times inside of a package are signed, too.
        command.arg("-add-msi-dse");
    }
    in_and_out(&mut command, file, into);
    command
}

/// Adds a timestamp to a signature. It succeeds also with one that is worth nothing, such as one for
/// another file.
pub fn timestamp(server: &str, file: &Path, into: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["add", "-ts", server, "-h", "sha256"]);
    in_and_out(&mut command, file, into);
    command
}

fn in_and_out(command: &mut Command, file: &Path, into: &Path) {
    command.arg("-in").arg(file).arg("-out").arg(into);
}

/// Checks a signature and its timestamp, without asking the network for revocations. What it prints
/// is for [`objection`]: it exits with 0 also if the timestamp is bad.
pub fn verify(anchors: Anchors<'_>, file: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["verify", "-ignore-cdp", "-ignore-crl"]);
    command.arg("-CAfile").arg(anchors.signature);
    command.arg("-TSA-CAfile").arg(anchors.timestamp);
    command.arg("-in").arg(file);
    command
}

/// What [`verify`] found wrong; none if its output says that all is well.
pub fn objection(printed: &[String], wants_timestamp: bool) -> Option<String> {
    let says = |line: &str| printed.iter().any(|it| it.trim() == line);
    let mut wanted = vec!["Signature verification: ok"];
    if wants_timestamp {
        wanted.push("Timestamp Server Signature verification: ok");
    }
    let missing = wanted.into_iter().find(|it| !says(it))?;
    let (what, _) = missing.split_once(':')?;
    // The reason stands in a line of OpenSSL's error stack.
    let reason = printed.iter().find_map(|it| it.split_once("Verify error:"));
    let reason = reason.map(|(_, reason)| format!(": {}", reason.trim()));
    Some(format!(
        "no line `{what}: ok`{}",
        reason.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_count_and_not_the_exit_status() {
        let check = |text: &str, wants_timestamp, expected: Option<&str>| {
            let printed: Vec<String> = text.lines().map(str::to_owned).collect();
            let found = objection(&printed, wants_timestamp);
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        let good = "Timestamp Server Signature verification: ok\nSignature verification: ok\n";
        check(good, true, None);
        check("Signature verification: ok\n", false, None);
        // Exit status 0.
        check(
            "Timestamp Server Signature verification: failed\nSignature verification: ok\n",
            true,
            Some("no line `Timestamp Server Signature verification: ok`"),
        );
        check(
            "error:10800075:PKCS7 routines::x:pk7_smime.c:291:Verify error: unable to get local \
             issuer certificate\nSignature verification: failed\n",
            false,
            Some("no line `Signature verification: ok`: unable to get local issuer certificate"),
        );
    }
}
