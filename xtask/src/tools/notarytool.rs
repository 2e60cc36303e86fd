//! Apple's `notarytool` and `stapler`, by way of `xcrun` (their manual pages). A password would be
//! an argument of theirs; an API key is a file, and a keychain profile a name.

use std::{ffi::OsString, path::Path, process::Command};

use serde::Deserialize;

use super::network;

/// How it calls what may pass: the system's name for network errors, and the server's own.
const TRANSIENT: [&str; 11] = [
    "NSURLErrorDomain",
    // A page instead of an answer, as logs have it.
    "invalidJSONResponse(statusCode: Optional(429)",
    "invalidJSONResponse(statusCode: Optional(5",
    // The upload, which a library does that has words of its own.
    "abortedUpload",
    "HTTPClientError",
    "appears to be offline",
    "network connection was lost",
    "request timed out",
    "HTTP status code: 429",
    "HTTP status code: 5",
    "deadlineExceeded",
];

/// What it prints of a submission.
#[derive(Debug, Deserialize)]
pub struct Submission {
    /// By which Apple knows it.
    pub id: String,
    /// The name of the file.
    #[serde(default)]
    pub name: String,
    /// `In Progress`, `Accepted`, `Invalid`, `Rejected`.
    #[serde(default)]
    pub status: String,
    /// When it was submitted.
    #[serde(default, rename = "createdDate")]
    pub created: String,
}

#[derive(Deserialize)]
struct History {
    history: Vec<Submission>,
}

fn command(verb: &str, login: &[OsString]) -> Command {
    let mut command = Command::new("xcrun");
    command.args(["notarytool", verb]).args(login);
    command
}

/// The arguments that name a key of App Store Connect.
pub fn api_key(file: &Path, id: &str, issuer: &str) -> Vec<OsString> {
    let words: [OsString; 6] = [
        "--key".into(),
        file.into(),
        "--key-id".into(),
        id.into(),
        "--issuer".into(),
        issuer.into(),
    ];
    words.into()
}

/// The arguments that name what `notarytool store-credentials` keeps.
pub fn profile(name: &str, keychain: Option<&str>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["--keychain-profile".into(), name.into()];
    if let Some(keychain) = keychain {
        words.extend(["--keychain".into(), keychain.into()]);
    }
    words
}

/// The arguments that log in by an Apple ID. Every process on the machine can read the password.
pub fn apple_id(id: &str, password: &str, team: &str) -> Vec<OsString> {
    let words = ["--apple-id", id, "--password", password, "--team-id", team];
    words.map(OsString::from).into()
}

/// Uploads a file and does not wait.
pub fn submit_cmd(login: &[OsString], file: &Path) -> Command {
    let mut command = command("submit", login);
    command.args(["--output-format", "json"]).arg(file);
    command
}

/// Asks how a submission stands.
pub fn info_cmd(login: &[OsString], id: &str) -> Command {
    let mut command = command("info", login);
    command.args(["--output-format", "json", id]);
    command
}

/// Prints Apple's log of a submission, which is JSON.
pub fn log_cmd(login: &[OsString], id: &str) -> Command {
    let mut command = command("log", login);
    command.arg(id);
    command
}

/// Prints the last submissions.
pub fn history_cmd(login: &[OsString]) -> Command {
    let mut command = command("history", login);
    command.args(["--output-format", "json"]);
    command
}

/// Attaches Apple's ticket.
pub fn staple_cmd(path: &Path) -> Command {
    let mut command = Command::new("xcrun");
    command.args(["stapler", "staple"]).arg(path);
    command
}

/// How a submission stands, in what [`info_cmd`] printed; none if that says nothing of it.
pub fn status(stdout: &[u8]) -> Option<String> {
    let found = submission(stdout)?.status;
    Some(found).filter(|it| !it.trim().is_empty())
}

/// A submission in what [`submit_cmd`] or [`info_cmd`] printed.
pub fn submission(stdout: &[u8]) -> Option<Submission> {
    serde_json::from_slice(stdout).ok()
}

/// Those in what [`history_cmd`] printed.
pub fn history(stdout: &[u8]) -> Vec<Submission> {
    serde_json::from_slice::<History>(stdout).map_or_else(|_| Vec::new(), |it| it.history)
}

/// Whether what it printed speaks of something that may pass.
pub fn is_transient(printed: &[String]) -> bool {
    let transient = |line: &String| TRANSIENT.iter().any(|it| line.contains(it));
    printed.iter().any(transient) || network::failed(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_status_is_none() {
        let check = |printed: &str, expected: Option<&str>| {
            assert_eq!(status(printed.as_bytes()).as_deref(), expected, "{printed}");
        };
        check(r#"{"id":"0","status":"In Progress"}"#, Some("In Progress"));
        check(r#"{"id":"0","status":""}"#, None);
        check(r#"{"id":"0","message":"Successfully received"}"#, None);
        check("<html>", None);
    }

    /// Lines of logs that people published.
    #[test]
    fn what_may_pass() {
        let check = |line: &str, expected: bool| {
            assert_eq!(is_transient(&[line.to_owned()]), expected, "{line}");
        };
        check(
            "Error: HTTPError(statusCode: nil, error: Error Domain=NSURLErrorDomain Code=-1001 \"The request timed out.\"",
            true,
        );
        check(
            "Error: invalidJSONResponse(statusCode: Optional(504), data: \"\\n<!DOCTYPE html>\\n\")",
            true,
        );
        check(
            "Error: abortedUpload(resumeRequest: SotoS3.S3.ResumeMultipartUploadRequest(",
            true,
        );
        check("Error: HTTPClientError.connectTimeout", true);
        check(
            "Error: HTTP status code: 403. A required agreement is missing or has expired.",
            false,
        );
        check(
            "{\"message\":\"Submission does not exist or does not belong to your team.\",\"id\":\"0\"}",
            false,
        );
        check(
            "Error: invalidJSONResponse(statusCode: Optional(403), data: \"\")",
            false,
        );
    }
}
