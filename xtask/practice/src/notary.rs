//! Apple's notary and its ticket desk, which `rcodesign` is led to by its environment, and the
//! xcrun stand-in by its settings.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use crate::server::Trouble;
use crate::{
    pki::Pki,
    server::{Entry, Server},
};

/// A running notary.
#[derive(Debug)]
pub struct Notary {
    server: Server,
    trust: PathBuf,
}

/// What a client may be asking when it runs into trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// All of those below.
    Any,
    /// Announcing a file: an identifier comes back.
    Submit,
    /// The same, after the notary took note of it: its answer, and with it the identifier, is lost.
    Submitted,
    /// Uploading it.
    Upload,
    /// The same, after the store has all bytes: only its answer is lost.
    Uploaded,
    /// Asking for the list of submissions.
    List,
    /// Asking how it stands.
    Status,
    /// Asking where the log is.
    Logs,
    /// Fetching the log.
    Log,
    /// Asking for the ticket.
    Ticket,
}

/// What the notary thinks of what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// All is well.
    Accepted,
    /// It is not, and the log says why.
    Invalid,
    /// An older word for that.
    Rejected,
}

/// What is wrong with one file, as the notary's log has it.
#[derive(Clone, Debug, Serialize)]
pub struct Issue {
    /// `error` or `warning`.
    pub severity: String,
    /// From the archive's name on.
    pub path: String,
    /// For people.
    pub message: String,
    /// `arm64`, `x86_64`; none for what is no code.
    pub architecture: Option<String>,
}

/// How it behaves.
#[derive(Clone, Debug, Serialize)]
pub struct Behaviour {
    trouble: Vec<Entry>,
    /// So many questions are answered with "In Progress".
    polls: u32,
    verdict: Verdict,
    issues: Vec<Issue>,
    ticket: &'static str,
}

/// What was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Submission {
    /// By which the notary knows it.
    pub id: String,
    /// The file's name.
    pub name: String,
    /// The announced SHA-256, in hex.
    pub sha256: String,
}

impl Behaviour {
    /// Accepts, at the first question.
    pub fn accepting() -> Self {
        Self {
            trouble: Vec::new(),
            polls: 0,
            verdict: Verdict::Accepted,
            issues: Vec::new(),
            ticket: "good",
        }
    }

    /// Rejects, with these lines in its log.
    pub fn rejecting(issues: Vec<Issue>) -> Self {
        Self {
            verdict: Verdict::Invalid,
            issues,
            ..Self::accepting()
        }
    }

    /// Answers so many questions with "In Progress" first; `u32::MAX` for ever.
    #[must_use]
    pub fn after(mut self, polls: u32) -> Self {
        self.polls = polls;
        self
    }

    /// Runs into trouble, so many times or for ever.
    #[must_use]
    pub fn trouble(mut self, request: Request, what: Trouble, times: Option<u32>) -> Self {
        let at = match request {
            Request::Any => "any",
            Request::Submit => "submit",
            Request::Submitted => "submitted",
            Request::Upload => "upload",
            Request::Uploaded => "uploaded",
            Request::List => "list",
            Request::Status => "status",
            Request::Logs => "logs",
            Request::Log => "log",
            Request::Ticket => "ticket",
        };
        self.trouble.push(Entry { at, what, times });
        self
    }

    /// Accepts, but the ticket desk does not know of it yet.
    #[must_use]
    pub fn without_ticket(mut self) -> Self {
        self.ticket = "missing";
        self
    }

    /// Hands out the ticket of other code.
    #[must_use]
    pub fn with_other_ticket(mut self) -> Self {
        self.ticket = "other";
        self
    }
}

impl Issue {
    /// An error in one file.
    pub fn error(path: &str, message: &str) -> Self {
        Self {
            severity: "error".to_owned(),
            path: path.to_owned(),
            message: message.to_owned(),
            architecture: Some("arm64".to_owned()),
        }
    }
}

impl Notary {
    /// Starts one that accepts.
    ///
    /// # Errors
    /// Python or the port.
    pub fn start(pki: &Pki) -> Result<Self> {
        let server = Server::start("notary.py", &Behaviour::accepting(), pki, &[])?;
        let trust = pki.file("tls-root.pem");
        Ok(Self { server, trust })
    }

    /// Changes how it behaves from the next request on.
    ///
    /// # Errors
    /// The disk's.
    pub fn set(&self, behaviour: &Behaviour) -> Result<()> {
        self.server.set(behaviour)
    }

    /// Where it listens, on loopback, without TLS.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// What leads rcodesign here instead of to Apple.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("HTTPS_PROXY", self.url()),
            ("SSL_CERT_FILE", self.trust.display().to_string()),
            ("AWS_ENDPOINT_URL_S3", self.url()),
            // What the machine has set for itself would lead elsewhere, or ask the cloud's metadata.
            ("NO_PROXY", String::new()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// What was submitted until now, in order.
    ///
    /// # Errors
    /// The disk's.
    pub fn submissions(&self) -> Result<Vec<Submission>> {
        let all = self.server.requests()?.into_iter();
        let is_one = |it: &serde_json::Value| it["what"] == "submit" && it.get("id").is_some();
        all.filter(is_one)
            .map(|it| Ok(serde_json::from_value(it)?))
            .collect()
    }

    /// How often the file with this SHA-256 (hex) was submitted: never more than once, if all is
    /// well.
    ///
    /// # Errors
    /// The disk's.
    pub fn count(&self, sha256: &str) -> Result<usize> {
        let all = self.submissions()?;
        Ok(all.iter().filter(|it| it.sha256 == sha256).count())
    }

    /// What was asked, in order: `submit`, `upload`, `list`, `status`, `logs`, `log`, `ticket`,
    /// `unauthorized`, with the trouble that the request ran into.
    ///
    /// # Errors
    /// The disk's.
    pub fn requests(&self) -> Result<Vec<String>> {
        let text = |it: &serde_json::Value, key: &str| it[key].as_str().map(str::to_owned);
        let all = self.server.requests()?;
        let shown = all.iter().map(|it| {
            let what = text(it, "what").unwrap_or_default();
            text(it, "trouble").map_or(what.clone(), |trouble| format!("{what}: {trouble}"))
        });
        Ok(shown.collect())
    }
}
