//! GitHub's command line, `gh`: one release of one repository. It finds the repository by the
//! checkout's remote, or by `GH_REPO`.

use std::{cell::Cell, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::{
    engine::{
        event::Level,
        exec::{CommandFailed, Finished, Interrupted},
        secret::Secret,
    },
    sign::hands::Hands,
};

/// How often a call is tried in all.
const ATTEMPTS: u32 = 5;
/// What `gh` exits with if nobody is logged in: no patience helps.
const NO_LOGIN: i32 = 4;
/// What it says where there is no release of a tag.
const NOT_FOUND: &str = "release not found";

/// What it says where GitHub's interface has no such thing, or no commit of that name.
const UNKNOWN: [&str; 2] = ["(HTTP 404)", "(HTTP 422)"];

/// Calls `gh`.
pub struct Gh<'a> {
    /// What runs it.
    pub hands: &'a dyn Hands,
    /// Handed to it as `GH_TOKEN`; none leaves it to its own login.
    pub token: Option<Secret>,
    /// How long to wait after a first failure; twice as long after each further one.
    pub wait: Duration,
}

/// A release, as GitHub has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remote {
    /// Nobody but those who may write sees it.
    pub(super) is_draft: bool,
    /// Its page.
    pub(super) url: String,
    /// Its files.
    pub(super) assets: Vec<Asset>,
}

/// A file of a release.
#[derive(Debug, Deserialize)]
pub(super) struct Asset {
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// `uploaded` once it is there; what broke off is something else.
    #[serde(default = "uploaded")]
    pub(super) state: String,
    /// `sha256:` and 64 hexadecimal digits; an old `gh` does not hand it on.
    #[serde(default)]
    pub(super) digest: Option<String>,
}

/// What `state` is where it is not said.
fn uploaded() -> String {
    "uploaded".to_owned()
}

impl Gh<'_> {
    /// The release of this tag, draft or not; none if there is none.
    pub(super) fn view(&self, tag: &str) -> Result<Option<Remote>> {
        self.patiently(&|| self.view_once(tag))
    }

    fn view_once(&self, tag: &str) -> Result<Option<Remote>> {
        let answer = self.call(&["release", "view", tag, "--json", "isDraft,url,assets"]);
        match answer {
            Ok(answer) => {
                let remote = serde_json::from_slice(&answer.stdout);
                Ok(Some(remote.context("what `gh release view` said")?))
            }
            Err(error) if said(&error, NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a draft of this tag. An answer that got lost does not mean that there is none, and GitHub
    /// would make a second one.
    pub(super) fn create(&self, tag: &str, title: &str) -> Result<()> {
        let again = Cell::new(false);
        self.patiently(&|| {
            if again.replace(true) && self.view_once(tag)?.is_some() {
                return Ok(());
            }
            let mut words = vec!["release", "create", tag, "--draft", "--verify-tag"];
            words.extend(["--title", title, "--generate-notes"]);
            self.call(&words).map(drop)
        })
    }

    /// Uploads a file, in the place of one of its name.
    pub(super) fn upload(&self, tag: &str, file: &Path) -> Result<()> {
        let file = file
            .to_str()
            .context("the name of a file to upload is no text")?;
        self.patiently(&|| {
            self.call(&["release", "upload", tag, file, "--clobber"])
                .map(drop)
        })
    }

    /// Removes a file.
    pub(super) fn delete(&self, tag: &str, name: &str) -> Result<()> {
        self.patiently(&|| {
            self.call(&["release", "delete-asset", tag, name, "--yes"])
                .map(drop)
        })
    }

    /// Fetches a file into a folder.
    pub(super) fn download(&self, tag: &str, name: &str, dir: &Path) -> Result<()> {
        let dir = dir
            .to_str()
            .context("the name of the folder to load into is no text")?;
        self.patiently(&|| {
            let words = [
                "release",
                "download",
                tag,
                "--pattern",
                name,
                "--dir",
                dir,
                "--clobber",
            ];
            self.call(&words).map(drop)
        })
    }

    /// Lets everybody see it. Whether it is a pre-release, and the newest, is said in any case: the draft may
    /// be one that somebody made by hand, and GitHub takes what is published last for the newest.
    pub(super) fn publish(&self, tag: &str, prerelease: bool, latest: bool) -> Result<()> {
        let prerelease = format!("--prerelease={prerelease}");
        let latest = format!("--latest={latest}");
        self.patiently(&|| {
            let words = [
                "release",
                "edit",
                tag,
                "--draft=false",
                &prerelease,
                &latest,
            ];
            self.call(&words).map(drop)
        })
    }

    /// The commit of a tag, 40 hexadecimal digits; none if GitHub has no such tag.
    /// <https://docs.github.com/en/rest/commits/commits#get-a-commit>
    pub(super) fn commit_of(&self, tag: &str) -> Result<Option<String>> {
        let tag = tag.replace('+', "%2B");
        self.ask(&format!("commits/tags/{tag}"), ".sha")
    }

    /// The tag of what GitHub offers as the newest release; none if there is none.
    /// <https://docs.github.com/en/rest/releases/releases#get-the-latest-release>
    pub(super) fn latest(&self) -> Result<Option<String>> {
        self.ask("releases/latest", ".tag_name")
    }

    /// A field of what GitHub says of something of this repository; none if there is no such thing.
    fn ask(&self, what: &str, field: &str) -> Result<Option<String>> {
        // `gh` itself puts the repository in.
        let path = format!("repos/{{owner}}/{{repo}}/{what}");
        self.patiently(&|| match self.call(&["api", &path, "--jq", field]) {
            Ok(answer) => {
                let text = String::from_utf8(answer.stdout).context("what `gh api` said")?;
                Ok(Some(text.trim().to_owned()))
            }
            Err(error) if UNKNOWN.iter().any(|it| said(&error, it)) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Says something to the user.
    pub(super) fn note(&self, text: impl Into<String>) {
        self.hands.note(Level::Info, text.into());
    }

    fn call(&self, words: &[&str]) -> Result<Finished> {
        let mut command = Command::new("gh");
        command.args(words);
        if let Some(token) = &self.token {
            command.env("GH_TOKEN", token.expose());
        }
        self.hands.exec(command).stdout_is_data().checked()
    }

    /// Does it until it works, as often as makes sense.
    fn patiently<T>(&self, call: &dyn Fn() -> Result<T>) -> Result<T> {
        let mut wait = self.wait;
        for left in (0..ATTEMPTS).rev() {
            match call() {
                Ok(done) => return Ok(done),
                Err(error) if left == 0 || hopeless(&error) => return Err(explained(error)),
                Err(error) => {
                    let why = last_line(&error);
                    self.note(format!(
                        "{why}; once more in {}",
                        humantime::format_duration(wait)
                    ));
                    self.hands.pause(wait)?;
                    wait *= 2;
                }
            }
        }
        bail!("`gh` was never called");
    }
}

/// Whether one more attempt would end the same.
fn hopeless(error: &anyhow::Error) -> bool {
    let failed = error.downcast_ref::<CommandFailed>();
    error.is::<Interrupted>() || failed.is_none_or(|it| it.code == Some(NO_LOGIN))
}

fn explained(error: anyhow::Error) -> anyhow::Error {
    let code = error.downcast_ref::<CommandFailed>().map(|it| it.code);
    match code {
        Some(Some(NO_LOGIN)) => error.context(
            "GitHub does not let `gh` in\n\
             hint: export a token as GH_TOKEN, or log in with `gh auth login`",
        ),
        Some(_) => error.context(format!(
            "GitHub did not do it in {ATTEMPTS} attempts\n\
             hint: nothing is published by halves: run this again, and it goes on from here"
        )),
        None => error,
    }
}

fn said(error: &anyhow::Error, text: &str) -> bool {
    let failed = error.downcast_ref::<CommandFailed>();
    failed.is_some_and(|it| it.tail.iter().any(|line| line.contains(text)))
}

fn last_line(error: &anyhow::Error) -> String {
    let failed = error.downcast_ref::<CommandFailed>();
    let line = failed.and_then(|it| it.tail.last().cloned());
    line.unwrap_or_else(|| error.to_string())
}
