//! A local server: a Python program that is told by files how to behave, and ends with its test.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::pki::Pki;

/// How a request ends badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The connection is reset (RST).
    #[serde(rename = "reset")]
    Reset,
    /// The connection is closed without an answer.
    #[serde(rename = "drop")]
    Drop,
    /// No answer ever comes.
    #[serde(rename = "hang")]
    Hang,
    /// 200 with an empty body.
    #[serde(rename = "empty")]
    Empty,
    /// 200 with a page of HTML, as a hotel's network answers.
    #[serde(rename = "garbage")]
    Garbage,
    /// 401.
    #[serde(rename = "401")]
    Unauthorized,
    /// 403, as a timestamp server or a store answers to somebody it dislikes.
    #[serde(rename = "403")]
    Forbidden,
    /// 404.
    #[serde(rename = "404")]
    NotFound,
    /// 429 with a `Retry-After` of a second.
    #[serde(rename = "429")]
    TooManyRequests,
    /// 500.
    #[serde(rename = "500")]
    InternalError,
    /// 502.
    #[serde(rename = "502")]
    BadGateway,
    /// 503.
    #[serde(rename = "503")]
    Unavailable,
}

/// Which requests run into which trouble, how often.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) at: &'static str,
    pub(crate) what: Trouble,
    /// Every time without a number.
    pub(crate) times: Option<u32>,
}

/// A running server. It ends when this is dropped, and when the test's process ends.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
    generation: AtomicU64,
}

impl Server {
    /// Starts the program `servers/<name>` with a state folder, that of the PKI, and `arguments`.
    pub(crate) fn start(
        name: &str,
        behaviour: &impl Serialize,
        pki: &Pki,
        arguments: &[&Path],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        write(folder.path(), 0, behaviour)?;
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers");
        let mut command = Command::new(pki.python());
        // Without what the user has set and installed. And tests run side by side in a checkout that
        // must not change: no bytecode.
        command.arg("-ESB").arg(servers.join(name));
        command.arg(folder.path()).arg(pki.folder()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("python3, for a local server")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("a pipe")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().parse();
        let port = port.with_context(|| format!("the local server {name} did not start"))?;
        Ok(Self {
            child,
            folder,
            port,
            generation: AtomicU64::new(1),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From the next request on.
    pub(crate) fn set(&self, behaviour: &impl Serialize) -> Result<()> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        write(self.folder.path(), generation, behaviour)
    }

    /// What was asked until now, in order.
    pub(crate) fn requests(&self) -> Result<Vec<Value>> {
        let text =
            fs::read_to_string(self.folder.path().join("requests.jsonl")).unwrap_or_default();
        // The last line may just be written.
        let whole = text.split_inclusive('\n').filter(|it| it.ends_with('\n'));
        whole.map(|it| Ok(serde_json::from_str(it)?)).collect()
    }
}

fn write(folder: &Path, generation: u64, behaviour: &impl Serialize) -> Result<()> {
    let mut value = serde_json::to_value(behaviour)?;
    value["generation"] = generation.into();
    let (new, old) = (folder.join("behaviour.new"), folder.join("behaviour.json"));
    fs::write(&new, value.to_string())?;
    Ok(fs::rename(new, old)?)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
