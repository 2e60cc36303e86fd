//! `rcodesign` of the crate apple-codesign 0.29: Apple's signatures, notarization and stapling on any
//! system. It would read configuration of its own, which could say anything: it is given none.

use std::{ffi::OsString, path::Path, process::Command};

use super::network;

/// How its configuration is kept out, on every system.
const NO_CONFIGURATION: [&str; 2] = [
    "--config-file",
    if cfg!(windows) { "NUL" } else { "/dev/null" },
];

/// What it says when the timestamp server did not do its part.
const TIMESTAMP: &str = "Time-Stamp Protocol error";

/// What is to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A Mach-O file.
    Code,
    /// A folder whose code is signed already: only its main executable and its seal are made.
    Bundle,
    /// A disk image, which has no hardened runtime.
    Image,
}

fn command(verb: &str) -> Command {
    let mut command = Command::new("rcodesign");
    command.arg(verb).args(NO_CONFIGURATION);
    command
}

/// Signs in place. `identity` are the arguments that name certificate and key; without a `server`
/// nobody vouches for the time.
pub fn sign_cmd(
    what: What,
    path: &Path,
    identity: &[OsString],
    entitlements: Option<&Path>,
    server: Option<&str>,
) -> Command {
    let mut command = command("sign");
    command.args(identity);
    command.args(["--timestamp-url", server.unwrap_or("none")]);
    if what != What::Image {
        command.args(["--code-signature-flags", "runtime"]);
    }
    if let Some(file) = entitlements {
        command.arg("--entitlements-xml-file").arg(file);
    }
    if what == What::Bundle {
        // It would sign all inside again, which needs the timestamp server once more for each.
        command.args(["--exclude", "**"]);
    }
    command.arg(path);
    command
}

/// Whether what it printed says that the timestamp server failed, which may pass.
pub fn is_transient(printed: &[String]) -> bool {
    printed.iter().any(|it| it.contains(TIMESTAMP)) || network::failed(printed)
}

/// The arguments that name a PKCS#12 file, and a file with its password.
pub fn pkcs12(file: &Path, password: &Path) -> Vec<OsString> {
    let words: [OsString; 4] = [
        "--p12-file".into(),
        file.into(),
        "--p12-password-file".into(),
        password.into(),
    ];
    words.into()
}

/// The arguments that name PEM files: the first certificate is the signer's.
pub fn pem(files: &[&Path]) -> Vec<OsString> {
    let words = files
        .iter()
        .flat_map(|it| ["--pem-file".into(), it.as_os_str().to_owned()]);
    words.collect()
}

/// Prints the certificate that it would sign with, as PEM among other things.
pub fn analyze_cmd(identity: &[OsString]) -> Command {
    let mut command = command("analyze-certificate");
    command.args(identity);
    command
}

/// Uploads a file for notarization and does not wait. `key` is the file of [`api_key`].
pub fn submit_cmd(key: &Path, file: &Path) -> Command {
    let mut command = command("notary-submit");
    command.arg("--api-key-file").arg(key).arg(file);
    command
}

/// Asks once how a submission stands, and exits with 1 unless Apple has answered. It is never let
/// wait itself: its token is good for five minutes, and is not renewed.
pub fn ask_cmd(key: &Path, id: &str) -> Command {
    let mut command = command("notary-wait");
    command.arg("--api-key-file").arg(key);
    command.args(["--max-wait-seconds", "0", id]);
    command
}

/// Prints Apple's log of a submission as JSON.
pub fn log_cmd(key: &Path, id: &str) -> Command {
    let mut command = command("notary-log");
    command.arg("--api-key-file").arg(key).arg(id);
    command
}

/// Prints the last submissions, a line each.
pub fn list_cmd(key: &Path) -> Command {
    let mut command = command("notary-list");
    command.arg("--api-key-file").arg(key);
    command
}

/// Attaches Apple's ticket.
pub fn staple_cmd(path: &Path) -> Command {
    let mut command = command("staple");
    command.arg(path);
    command
}

/// The id in what [`submit_cmd`] printed.
pub fn submitted(printed: &[String]) -> Option<&str> {
    let mut ids = printed
        .iter()
        .filter_map(|it| it.split_once("created submission ID: "));
    ids.next().map(|(_, id)| id.trim())
}

/// The state in what [`ask_cmd`] printed: `Accepted`, `InProgress`, `Invalid`, `Rejected`.
pub fn state(printed: &[String]) -> Option<&str> {
    let mut polls = printed.iter().filter(|it| it.contains("poll state after "));
    polls.next_back()?.rsplit(": ").next()
}

/// Dates, ids and file names in what [`list_cmd`] printed: `<id> <date> <name> <type> <state>`, where
/// only the name and `in progress` hold spaces.
pub fn listed(stdout: &str) -> Vec<(&str, &str, &str)> {
    stdout.lines().filter_map(listed_line).collect()
}

fn listed_line(line: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = line.split_once(' ')?;
    let (date, rest) = rest.split_once(' ')?;
    let rest = match rest.strip_suffix(" in progress") {
        Some(rest) => rest,
        None => rest.rsplit_once(' ')?.0,
    };
    let (name, _type) = rest.rsplit_once(' ')?;
    Some((date, id, name))
}

/// What it reads as `--api-key-file`: the parts of a key of App Store Connect. `der` is the private
/// key without the armor that Apple's `.p8` has around it.
pub fn api_key(issuer: &str, id: &str, der_base64: &str) -> String {
    serde_json::json!({ "issuer_id": issuer, "key_id": id, "private_key": der_base64 }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_it_prints_is_understood() {
        // As it printed them.
        let submitted_ = lines(
            "creating Notary API submission for a.zip (sha256: 00ff)\n\
             created submission ID: 2efe2717-52ef-43a5-96dc-0797e4ca1041\n\
             uploading asset to s3://bucket/object\n\
             S3 upload completed successfully",
        );
        assert_eq!(
            submitted(&submitted_),
            Some("2efe2717-52ef-43a5-96dc-0797e4ca1041")
        );
        let waiting = lines(
            "waiting up to 0s for package upload X to finish processing\npoll state after 0s: InProgress",
        );
        assert_eq!(state(&waiting), Some("InProgress"));
        assert_eq!(state(&submitted_), None);
        let list = "i1 2026-01-02T03:04:05.678Z my app.zip submissions accepted\n\
                    i2 2026-01-02T03:04:05.678Z b.zip submissions in progress\n";
        let date = "2026-01-02T03:04:05.678Z";
        assert_eq!(
            listed(list),
            [(date, "i1", "my app.zip"), (date, "i2", "b.zip")]
        );
    }
}
