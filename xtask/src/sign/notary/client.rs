//! How Apple is asked: with `notarytool` on macOS, with `rcodesign` elsewhere. Which of them it is
//! shows nowhere else.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use ct_codecs::{Base64, Decoder as _};
use serde_json::Value;

use crate::{
    config::{AppleSigning, AppleTool},
    engine::exec::{CommandFailed, Finished},
    sign::{
        hands::Hands,
        macos::{failed, identity},
        private::Private,
        secrets::Secrets,
    },
    tools::{notarytool, rcodesign},
};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(120);
/// Words for what nobody can mend by asking again: who asks is not let in, or asks for something
/// that is not there.
const FINAL: [&str; 11] = [
    "NOT_AUTHORIZED",
    "Unauthenticated",
    "Unauthorized",
    "\"status\": \"401\"",
    "\"status\": \"403\"",
    "\"status\": \"404\"",
    "HTTP status code: 401",
    "HTTP status code: 403",
    "HTTP status code: 404",
    "does not exist or does not belong to your team",
    "Invalid credentials",
];
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
}

/// What came of an upload.
pub struct Uploaded {
    /// By which Apple knows it.
    pub id: String,
}

impl Client {
    /// The one that configuration and environment give; none if there is no login.
    ///
    /// # Errors
    /// A login that cannot be used.
    pub fn find(
        config: &AppleSigning,
        secrets: &Secrets,
        private: &Private,
    ) -> Result<Option<Self>> {
        let rcodesign = identity::tool(config) == AppleTool::Rcodesign;
        if let Some(key) = ApiKey::find(secrets)? {
            if rcodesign {
                let text = rcodesign::api_key(&key.issuer, &key.id, &key.der_base64()?);
                return Ok(Some(Self::Rcodesign(
                    private.file("api-key.json", text.as_bytes())?,
                )));
            }
            let file = private.file("api-key.p8", key.pem.as_bytes())?;
            return Ok(Some(Self::Notarytool(notarytool::api_key(
                &file,
                &key.id,
                &key.issuer,
            ))));
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        match variable("APPLE_KEYCHAIN_PROFILE") {
            Some(name) if !rcodesign => {
                let keychain = variable("APPLE_KEYCHAIN");
                Ok(Some(Self::Notarytool(notarytool::profile(
                    &name,
                    keychain.as_deref(),
                ))))
            }
            _ if variable("APPLE_ID").is_some() => bail!(
                "notarytool takes the password of an Apple ID only as an argument, which every process \
                 on the machine can read{}\n\
                 hint: {API_KEY_HINT}\n\
                 hint: or keep the password in the keychain with `xcrun notarytool store-credentials \
                 NAME`, and export APPLE_KEYCHAIN_PROFILE=NAME (on macOS)",
                if rcodesign {
                    ", and rcodesign takes none"
                } else {
                    ""
                }
            ),
            _ => Ok(None),
        }
    }

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
    /// A [`Trouble`]: then Apple has not got it. Another error leaves that open.
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
                let state = notarytool::submission(&ran.stdout).map(|it| it.status);
                (ran, state)
            }
        };
        match state.as_deref() {
            Some("Accepted") => Ok(Answer::Accepted),
            Some("Invalid" | "Rejected") => Ok(Answer::Rejected),
            Some(_) => Ok(Answer::Waits),
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
    pub fn find_by_name(&self, hands: &dyn Hands, name: &str) -> Result<Option<String>> {
        let command = match self {
            Self::Rcodesign(key) => rcodesign::list_cmd(key),
            Self::Notarytool(login) => notarytool::history_cmd(login),
        };
        let ran = hands
            .exec(command)
            .stdout_is_data()
            .timeout(ANSWER)
            .checked();
        let ran = ran.context("Apple's list of submissions")?;
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
        let passing = has(&NO_TICKET) || has(&TRANSIENT) || notarytool::is_transient(&ran.printed);
        let error = failed(ran).into();
        Err(if passing {
            Trouble::Passing(error)
        } else {
            Trouble::Final(error)
        })
    }

    fn trouble(&self, ran: Finished) -> Trouble {
        let has = |words: &[&str]| {
            ran.printed
                .iter()
                .any(|line| words.iter().any(|it| line.contains(it)))
        };
        let transient = match self {
            Self::Rcodesign(_) => has(&TRANSIENT),
            Self::Notarytool(_) => notarytool::is_transient(&ran.printed),
        };
        if has(&FINAL) {
            let denied = !has(&["NOT_FOUND", "\"404\"", "code: 404", "does not belong"]);
            let error = anyhow::Error::from(failed(ran));
            return Trouble::Final(match denied {
                true => error.context(format!("Apple refuses the login\nhint: {API_KEY_HINT}")),
                false => {
                    error.context("Apple knows no such submission: it belongs to another team")
                }
            });
        }
        let error = failed(ran).into();
        if transient {
            Trouble::Passing(error)
        } else {
            Trouble::Final(error)
        }
    }
}

const API_KEY_HINT: &str = "make an API key in App Store Connect (Users and Access, Integrations), and \
                            export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path \
                            of its .p8 file as APPLE_API_KEY_PATH";

/// What takes too long may be quicker the next time.
fn run(hands: &dyn Hands, command: Command) -> std::result::Result<Finished, Trouble> {
    hands
        .exec(command)
        .timeout(ANSWER)
        .output()
        .map_err(|error| {
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

/// A key of App Store Connect.
struct ApiKey {
    id: String,
    issuer: String,
    pem: String,
}

impl ApiKey {
    /// Under the names of Tauri; electron-builder's are understood, too, which has the path in
    /// `APPLE_API_KEY` and the id in `APPLE_API_KEY_ID`.
    fn find(secrets: &Secrets) -> Result<Option<Self>> {
        let find = |name: &str| {
            Ok::<_, anyhow::Error>(secrets.find(&[name])?.map(|it| it.expose().to_owned()))
        };
        let (first, other) = (find("APPLE_API_KEY")?, find("APPLE_API_KEY_ID")?);
        let path = find("APPLE_API_KEY_PATH")?;
        let (id, path) = match other {
            Some(id) => (id, path.or(first)),
            None => match first {
                Some(id) => (id, path),
                None => return Ok(None),
            },
        };
        let issuer = find("APPLE_API_ISSUER")?.context(
            "APPLE_API_KEY is set, but APPLE_API_ISSUER is not\n\
             hint: App Store Connect shows the issuer's id above the list of keys",
        )?;
        let pem = match path {
            Some(text) => content(&text).context("APPLE_API_KEY_PATH")?,
            None => usual(&id)?,
        };
        secrets.remember(&pem);
        ensure!(
            pem.trim_start().starts_with("-----BEGIN PRIVATE KEY-----"),
            "the API key is no .p8 file as App Store Connect hands it out"
        );
        Ok(Some(Self { id, issuer, pem }))
    }

    /// Without its armor.
    fn der_base64(&self) -> Result<String> {
        let lines = self
            .pem
            .trim()
            .lines()
            .filter(|it| !it.starts_with("-----"));
        let body: String = lines.flat_map(|it| it.trim().chars()).collect();
        let der = Base64::decode_to_vec(&body, None);
        ensure!(der.is_ok_and(|it| !it.is_empty()), "the API key is damaged");
        Ok(body)
    }
}

/// What a variable names or holds: a path, the text of the file, or that in base64.
fn content(text: &str) -> Result<String> {
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(text.to_owned());
    }
    if Path::new(text).is_file() {
        return Ok(fs_err::read_to_string(text)?);
    }
    let compact: String = text.split_whitespace().collect();
    let decoded = Base64::decode_to_vec(&compact, None).ok();
    let decoded = decoded.and_then(|it| String::from_utf8(it).ok());
    decoded.filter(|it| it.starts_with("-----BEGIN")).context(
        "there is no such file, and it is no key in base64 either\n\
         hint: App Store Connect lets a key be downloaded once, as AuthKey_<id>.p8",
    )
}

/// Where Apple's own tools look for a key.
fn usual(id: &str) -> Result<String> {
    let name = format!("AuthKey_{id}.p8");
    let home = std::env::home_dir().unwrap_or_default();
    let folders = [
        PathBuf::from("private_keys"),
        home.join("private_keys"),
        home.join(".private_keys"),
        home.join(".appstoreconnect/private_keys"),
    ];
    let found = folders
        .iter()
        .map(|it| it.join(&name))
        .find(|it| it.is_file());
    let found = found.with_context(|| {
        format!(
            "there is no {name} where Apple's tools look for it\n\
             hint: export its path as APPLE_API_KEY_PATH"
        )
    })?;
    Ok(fs_err::read_to_string(found)?)
}
