//! How Apple is asked: with `notarytool` on macOS, with `rcodesign` elsewhere. Which of them it is
//! shows nowhere else.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::login::API_KEY_HINT;

use crate::{
    engine::exec::{CommandFailed, Finished, Run},
    sign::{hands::Hands, macos::failed},
    tools::{network, notarytool, rcodesign},
};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(120);
const AGREEMENT_HINT: &str = "the login is good: the account's holder signs it at \
                              https://developer.apple.com/account, or in App Store Connect under Business";
/// Words for what nobody can mend by asking again: who asks is not let in,
const DENIED: [&str; 8] = [
    "NOT_AUTHORIZED",
    "Unauthenticated",
    "Unauthorized",
    "\"status\": \"401\"",
    "\"status\": \"403\"",
    "HTTP status code: 401",
    "HTTP status code: 403",
    "Invalid credentials",
];
/// or is, but has to sign something first;
const AGREEMENT: [&str; 2] = [
    "REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED",
    "required agreement is missing",
];
/// or asks for something that is not there.
const MISSING: [&str; 3] = [
    "\"status\": \"404\"",
    "HTTP status code: 404",
    "does not exist or does not belong to your team",
];
/// The storage that files go to, which lets in by another login: then there is a submission already.
const STORAGE: [&str; 3] = ["s3 upload error", "abortedUpload", "SotoS3"];
/// What `rcodesign` says when the network or Apple's servers failed.
const TRANSIENT: [&str; 5] = [
    "error sending request",
    "appstore connect error",
    "error decoding response body",
    "s3 upload error",
    "expected value at line",
];
/// Apple has answered, but not everywhere.
const NO_TICKET: [&str; 5] = [
    "NOT_FOUND",
    "not in response",
    "Could not find base64 encoded ticket",
    "Record not found",
    // stapler's exit status where there is no way to Apple.
    "Error 68",
];

/// Who asks.
pub enum Client {
    /// With a file that holds an API key.
    Rcodesign(PathBuf),
    /// With the arguments that name an API key or a keychain profile.
    Notarytool(Vec<OsString>),
}

/// How a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not decided.
    Waits,
    /// All is well.
    Accepted,
    /// It is not.
    Rejected,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// It may pass.
    Passing(anyhow::Error),
    /// It will not.
    Final(anyhow::Error),
    /// Apple does not let in who asks: nothing was done.
    Denied(anyhow::Error),
}

/// What came of an upload.
pub struct Uploaded {
    /// By which Apple knows it.
    pub id: String,
}

impl Client {
    /// The program.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rcodesign(_) => "rcodesign",
            Self::Notarytool(_) => "notarytool",
        }
    }

    /// Uploads a file.
    ///
    /// # Errors
    /// A [`Trouble`]. Only after [`Trouble::Denied`] is it sure that Apple has not got it.
    pub fn submit(
        &self,
        hands: &dyn Hands,
        file: &Path,
    ) -> Result<std::result::Result<Uploaded, Trouble>> {
        let command = match self {
            Self::Rcodesign(key) => rcodesign::submit_cmd(key, file),
            Self::Notarytool(login) => notarytool::submit_cmd(login, file),
        };
        let ran = hands.exec(command).output()?;
        if !ran.status.success() {
            return Ok(Err(self.trouble(ran)));
        }
        let id = match self {
            Self::Rcodesign(_) => rcodesign::submitted(&ran.printed).map(str::to_owned),
            Self::Notarytool(_) => notarytool::submission(&ran.stdout).map(|it| it.id),
        };
        let id = id.with_context(|| format!("{} uploaded it, but told no id", self.name()))?;
        Ok(Ok(Uploaded { id }))
    }

    /// Asks how a submission stands.
    ///
    /// # Errors
    /// There is no answer now.
    pub fn ask(&self, hands: &dyn Hands, id: &str) -> std::result::Result<Answer, Trouble> {
        let (ran, state) = match self {
            Self::Rcodesign(key) => {
                let ran = run(hands, rcodesign::ask_cmd(key, id))?;
                // It exits with 1 also where the answer is that there is none yet.
                let state = rcodesign::state(&ran.printed).map(str::to_owned);
                (ran, state)
            }
            Self::Notarytool(login) => {
                let ran = run(hands, notarytool::info_cmd(login, id))?;
                let state = notarytool::status(&ran.stdout);
                (ran, state)
            }
        };
        match state.as_deref() {
            Some("Accepted") => Ok(Answer::Accepted),
            Some("Invalid" | "Rejected") => Ok(Answer::Rejected),
            Some(_) => Ok(Answer::Waits),
            None if ran.status.success() => {
                let what = format!("{} ended well, but told no status", self.name());
                Err(Trouble::Final(
                    anyhow::Error::from(failed(ran)).context(what),
                ))
            }
            None => Err(self.trouble(ran)),
        }
    }

    /// Apple's log of a submission that was decided.
    ///
    /// # Errors
    /// There is none, or Apple cannot be asked.
    pub fn log(&self, hands: &dyn Hands, id: &str) -> Result<Value> {
        let command = match self {
            Self::Rcodesign(key) => rcodesign::log_cmd(key, id),
            Self::Notarytool(login) => notarytool::log_cmd(login, id),
        };
        let ran = hands
            .exec(command)
            .stdout_is_data()
            .timeout(ANSWER)
            .checked();
        let ran = ran.with_context(|| format!("Apple's log of submission {id}"))?;
        serde_json::from_slice(&ran.stdout).context("Apple's log is no JSON")
    }

    /// The id of the last submission with this name, if it is among Apple's last hundred.
    ///
    /// # Errors
    /// Apple cannot be asked.
    pub fn find_by_name(
        &self,
        hands: &dyn Hands,
        name: &str,
    ) -> std::result::Result<Option<String>, Trouble> {
        let command = match self {
            Self::Rcodesign(key) => rcodesign::list_cmd(key),
            Self::Notarytool(login) => notarytool::history_cmd(login),
        };
        let ran = ended(hands.exec(command).stdout_is_data())?;
        if !ran.status.success() {
            return Err(self.trouble(ran));
        }
        Ok(match self {
            Self::Rcodesign(_) => {
                let text = String::from_utf8_lossy(&ran.stdout);
                let all = rcodesign::listed(&text).into_iter();
                all.filter(|it| it.2 == name)
                    .max()
                    .map(|it| it.1.to_owned())
            }
            Self::Notarytool(_) => {
                let all = notarytool::history(&ran.stdout).into_iter();
                let last = all
                    .filter(|it| it.name == name)
                    .max_by(|a, b| a.created.cmp(&b.created));
                last.map(|it| it.id)
            }
        })
    }

    /// Attaches Apple's ticket.
    ///
    /// # Errors
    /// It is not to be had now, or never.
    pub fn staple(&self, hands: &dyn Hands, path: &Path) -> std::result::Result<(), Trouble> {
        let ran = run(
            hands,
            match self {
                Self::Rcodesign(_) => rcodesign::staple_cmd(path),
                Self::Notarytool(_) => notarytool::staple_cmd(path),
            },
        )?;
        if ran.status.success() {
            return Ok(());
        }
        let has = |words: &[&str]| {
            ran.printed
                .iter()
                .any(|line| words.iter().any(|it| line.contains(it)))
        };
        let passing = has(&NO_TICKET) || self.is_transient(&ran.printed);
        let error = failed(ran).into();
        Err(if passing {
            Trouble::Passing(error)
        } else {
            Trouble::Final(error)
        })
    }

    fn is_transient(&self, printed: &[String]) -> bool {
        let words = |line: &String| TRANSIENT.iter().any(|it| line.contains(it));
        match self {
            Self::Rcodesign(_) => printed.iter().any(words) || network::failed(printed),
            Self::Notarytool(_) => notarytool::is_transient(printed),
        }
    }

    fn trouble(&self, ran: Finished) -> Trouble {
        let reason = self.reason(&ran.printed);
        let error = anyhow::Error::from(failed(ran));
        match reason {
            Reason::Missing => Trouble::Final(
                error.context("Apple knows no such submission: it belongs to another team"),
            ),
            Reason::Agreement => Trouble::Denied(error.context(format!(
                "Apple wants an agreement to be signed first\nhint: {AGREEMENT_HINT}"
            ))),
            Reason::Denied => Trouble::Denied(
                error.context(format!("Apple refuses the login\nhint: {API_KEY_HINT}")),
            ),
            Reason::Passing => Trouble::Passing(error),
            Reason::Other => Trouble::Final(error),
        }
    }

    fn reason(&self, printed: &[String]) -> Reason {
        let has = |words: &[&str]| {
            printed
                .iter()
                .any(|line| words.iter().any(|it| line.contains(it)))
        };
        match () {
            () if has(&STORAGE) => Reason::Passing,
            () if has(&MISSING) => Reason::Missing,
            () if has(&AGREEMENT) => Reason::Agreement,
            () if has(&DENIED) => Reason::Denied,
            () if self.is_transient(printed) => Reason::Passing,
            () => Reason::Other,
        }
    }
}

/// Why a tool got no answer, by its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Missing,
    Agreement,
    Denied,
    Passing,
    Other,
}

impl From<Trouble> for anyhow::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Passing(error) | Trouble::Final(error) | Trouble::Denied(error) => error,
        }
    }
}

/// What takes too long may be quicker the next time.
fn run(hands: &dyn Hands, command: Command) -> std::result::Result<Finished, Trouble> {
    ended(hands.exec(command))
}

fn ended(run: Run<'_>) -> std::result::Result<Finished, Trouble> {
    run.timeout(ANSWER).output().map_err(|error| {
        let slow = error
            .downcast_ref::<CommandFailed>()
            .is_some_and(CommandFailed::timed_out);
        if slow {
            Trouble::Passing(error)
        } else {
            Trouble::Final(error)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way() {
        let check = |lines: &str, expected: Reason| {
            let printed: Vec<_> = lines.lines().map(str::to_owned).collect();
            let rcodesign = Client::Rcodesign(PathBuf::new());
            for client in [rcodesign, Client::Notarytool(Vec::new())] {
                assert_eq!(
                    client.reason(&printed),
                    expected,
                    "{}: {lines}",
                    client.name()
                );
            }
        };
        check(
            "Error: HTTP status code: 401. Unauthenticated.",
            Reason::Denied,
        );
        check(
            "  \"code\": \"FORBIDDEN\",\n  \"status\": \"403\",",
            Reason::Denied,
        );
        // By the same number, but the login is good.
        check(
            "Error: HTTP status code: 403. A required agreement is missing or has expired.",
            Reason::Agreement,
        );
        check(
            "\"code\": \"FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED\",\n\"status\": \"403\",",
            Reason::Agreement,
        );
        // Of the storage, after Apple has made a submission: it must not be forgotten.
        check(
            "created submission ID: 0\nError: s3 upload error: Unauthorized, HTTP status code: 403",
            Reason::Passing,
        );
        check(
            "Error: abortedUpload(SotoS3, HTTP status code: 403)",
            Reason::Passing,
        );
        check("  \"status\": \"404\",", Reason::Missing);
        check("something else", Reason::Other);
    }
}
