//! An RFC 3161 server that may fail, hang or lie.

use anyhow::Result;
use serde::Serialize;

pub use crate::server::Trouble;
use crate::{
    pki::Pki,
    server::{Entry, Server},
};

/// A running timestamp server.
#[derive(Debug)]
pub struct Timestamps(Server);

/// How it behaves.
#[derive(Clone, Debug, Serialize)]
pub struct Behaviour {
    trouble: Vec<Entry>,
    /// In seconds, added to the true time.
    offset: i64,
    other_imprint: bool,
    other_nonce: bool,
    rejects: bool,
    signer: &'static str,
}

impl Behaviour {
    /// As a server should.
    pub fn good() -> Self {
        Self {
            trouble: Vec::new(),
            offset: 0,
            other_imprint: false,
            other_nonce: false,
            rejects: false,
            signer: "tsa",
        }
    }

    /// Fails so many times, then is good.
    pub fn failing(what: Trouble, times: u32) -> Self {
        Self::good().then(what, Some(times))
    }

    /// Fails every time.
    pub fn always(what: Trouble) -> Self {
        Self::good().then(what, None)
    }

    /// More trouble after the trouble there is already; without a number for ever.
    #[must_use]
    pub fn then(mut self, what: Trouble, times: Option<u32>) -> Self {
        let at = "timestamp";
        self.trouble.push(Entry { at, what, times });
        self
    }

    /// Answers with a time that is off by so many seconds.
    pub fn lying(seconds: i64) -> Self {
        let offset = seconds;
        Self {
            offset,
            ..Self::good()
        }
    }

    /// Answers for another file.
    pub fn other_imprint() -> Self {
        let other_imprint = true;
        Self {
            other_imprint,
            ..Self::good()
        }
    }

    /// Answers another request: what comes of a replayed answer.
    pub fn other_nonce() -> Self {
        let other_nonce = true;
        Self {
            other_nonce,
            ..Self::good()
        }
    }

    /// Signs with a certificate that is not made for timestamps.
    pub fn wrong_usage() -> Self {
        let signer = "leaf";
        Self {
            signer,
            ..Self::good()
        }
    }

    /// Answers properly that it does not want to.
    pub fn rejecting() -> Self {
        let rejects = true;
        Self {
            rejects,
            ..Self::good()
        }
    }
}

impl Timestamps {
    /// Starts a good one.
    ///
    /// # Errors
    /// Python or the port.
    pub fn start(pki: &Pki) -> Result<Self> {
        Server::start("timestamps.py", &Behaviour::good(), pki, &[]).map(Self)
    }

    /// Changes how it behaves from the next request on.
    ///
    /// # Errors
    /// The disk's.
    pub fn set(&self, behaviour: &Behaviour) -> Result<()> {
        self.0.set(behaviour)
    }

    /// Where it listens, on loopback.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    /// How many requests came, those that ran into trouble included.
    ///
    /// # Errors
    /// The disk's.
    pub fn requests(&self) -> Result<usize> {
        Ok(self.0.requests()?.len())
    }
}

/// The address of a port on which nobody listens: a server that is down.
///
/// # Errors
/// There is no free port.
pub fn nobody() -> Result<String> {
    let free = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", free.local_addr()?))
}
