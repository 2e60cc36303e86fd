//! Apple's notary, whose answer may take seconds or days. What is submitted is remembered in a file
//! before the wait begins: whoever comes later, in another run or on another machine that got the
//! file, goes on waiting for the same answer. The same bytes are never submitted twice unless somebody
//! says so.
//!
//! | module | its one noun |
//! |---|---|
//! | [`checkpoint`] | what is known of a submission |
//! | [`package`] | the file that is uploaded |
//! | [`upload`] | how it gets to Apple, once |
//! | [`client`] | who asks Apple |
//! | [`login`] | who may ask |
//! | [`log`] | what Apple found |

pub mod checkpoint;
pub mod client;
pub mod log;
mod login;
pub mod package;
mod upload;

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use xtask_signed::{Trust, apple};

use self::{
    checkpoint::{Checkpoint, Status},
    client::{Answer, Client, Trouble},
    package::Package,
};
use super::hands::Hands;
use crate::engine::{
    exec::{CommandFailed, Interrupted},
    paste::pasteable,
    session::EndsWith,
};

/// The exit status of a run that ends before Apple has answered: try again later (`EX_TEMPFAIL` of
/// `sysexits.h`).
pub const NOT_ANSWERED: u8 = 75;
/// Waits between two questions; the last one is kept.
const POLLS: [u64; 6] = [2, 4, 8, 15, 20, 30];
/// Waits before a ticket is asked for again that is not to be had yet.
const TICKETS: [u64; 6] = [2, 5, 10, 20, 40, 60];
/// What is shown of a tool's words, in characters: a whole page may have come instead of an answer.
const LONGEST_REASON: usize = 300;

/// What asking the notary needs.
pub struct Notary<'a> {
    /// Runs the tools.
    pub hands: &'a dyn Hands,
    /// Who asks.
    pub client: &'a Client,
    /// The target's folder of state.
    pub state: &'a Path,
    /// The repository: what lies in it is remembered relative to it.
    pub root: &'a Path,
    /// How long one run waits for one answer.
    pub timeout: Duration,
    /// What to type to go on waiting.
    pub resume: &'a str,
}

/// What came of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notarized {
    /// It carried a ticket before.
    Already,
    /// Apple accepted the submission of this id, and its ticket is attached; a .zip has no place for it.
    Now(String),
}

impl Notary<'_> {
    /// Has Apple check an app or a disk image, and attaches the ticket. `kept` says whether the product
    /// stays where it is, so that another command finds it there.
    ///
    /// # Errors
    /// Apple rejects it, or has not answered ([`NOT_ANSWERED`]), or cannot be asked.
    pub fn notarize(&self, product: &Path, kept: bool, again: bool) -> Result<Notarized> {
        if is_stapled(product)? && !again {
            return Ok(Notarized::Already);
        }
        let package = Package::of(product, self.state)?;
        let mut checkpoint = self.submitted(product, &package, kept, again)?;
        drop(package);
        self.answered(&mut checkpoint)?;
        if product.extension().is_none_or(|it| it != "zip") {
            self.staple(&mut checkpoint, product)?;
        }
        Ok(Notarized::Now(checkpoint.id()?.to_owned()))
    }

    /// Waits for Apple's answer to a submission.
    ///
    /// # Errors
    /// See [`Self::notarize`].
    pub fn answered(&self, checkpoint: &mut Checkpoint) -> Result<()> {
        if matches!(checkpoint.status, Status::Accepted | Status::Stapled) {
            return Ok(());
        }
        let id = checkpoint.id()?.to_owned();
        let started = Instant::now();
        let mut waits = POLLS.iter().map(|it| Duration::from_secs(*it));
        let mut wait = Duration::ZERO;
        loop {
            let last = match self.client.ask(self.hands, &id) {
                Ok(Answer::Accepted) => return self.now(checkpoint, Status::Accepted),
                Ok(Answer::Rejected) => {
                    self.now(checkpoint, Status::Rejected)?;
                    bail!(self.rejection(checkpoint)?);
                }
                Ok(Answer::Waits) => "Apple has not decided".to_owned(),
                Err(Trouble::Final(error)) if error.is::<Interrupted>() => return Err(error),
                Err(Trouble::Final(error) | Trouble::Denied(error)) => {
                    return Err(error.context(format!("submission {id} of {}", checkpoint.file)));
                }
                Err(Trouble::Passing(error)) => could_not_be_asked(&error),
            };
            let left = self.timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                self.now(checkpoint, Status::TimedOut)?;
                bail!(self.not_answered(checkpoint, &last));
            }
            wait = waits.next().unwrap_or(wait);
            self.hands.pause(wait.min(left))?;
        }
    }

    fn now(&self, checkpoint: &mut Checkpoint, status: Status) -> Result<()> {
        checkpoint.status = status;
        checkpoint.save(self.state)
    }

    fn not_answered(&self, checkpoint: &Checkpoint, last: &str) -> EndsWith {
        let waited = humantime::format_duration(Duration::from_secs(self.timeout.as_secs()));
        let id = checkpoint.id.as_deref().unwrap_or_default();
        EndsWith {
            status: NOT_ANSWERED,
            text: format!(
                "Apple has not answered within {waited}: {last}\n\
                 submission {id} of {}, submitted at {}, is remembered: nothing is submitted again\n\
                 hint: go on waiting with `{}`\n\
                 hint: it has been hours, and Apple's system status shows no trouble? Then submit again: {}",
                checkpoint.file,
                checkpoint.submitted,
                self.resume,
                self.again(checkpoint)
            ),
        }
    }

    /// How the same bytes are submitted again.
    fn again(&self, checkpoint: &Checkpoint) -> String {
        match &checkpoint.product {
            Some(product) => {
                let command = command(&["submit", "--resubmit"], self.state, product);
                format!("`{command}`")
            }
            // Only the step has the file.
            None => format!(
                "rename {} to {}, then `{}`",
                checkpoint.path(self.state).display(),
                checkpoint::wish(self.state, &checkpoint.sha256).display(),
                self.resume
            ),
        }
    }

    fn keep_log(&self, checkpoint: &Checkpoint) -> Result<()> {
        let log = self.client.log(self.hands, checkpoint.id()?)?;
        let text = serde_json::to_string_pretty(&log)? + "\n";
        Ok(fs_err::write(checkpoint.log(self.state), text)?)
    }

    /// Says what Apple found. The verdict stands, also where the log is not to be had.
    fn rejection(&self, checkpoint: &Checkpoint) -> Result<anyhow::Error> {
        let (file, id) = (checkpoint.log(self.state), checkpoint.id()?);
        let verdict = format!("Apple rejected {} (submission {id})", checkpoint.file);
        let kept = match file.is_file() {
            true => Ok(()),
            false => self.keep_log(checkpoint),
        };
        match kept {
            Err(error) if error.is::<Interrupted>() => return Ok(error),
            Err(error) => {
                let why = "why is in its log, which is not to be had now";
                let hint = command(&["log"], self.state, Path::new(id));
                return Ok(error.context(format!("{verdict}: {why}\nhint: {hint}")));
            }
            Ok(()) => {}
        }
        let text = fs_err::read_to_string(&file)?;
        let found = log::table(&serde_json::from_str(&text).context("Apple's log is no JSON")?);
        Ok(anyhow::anyhow!(
            "{verdict}:\n{found}\n\
             hint: what to do about each: https://developer.apple.com/documentation/security/resolving-common-notarization-issues\n\
             hint: Apple's whole log: {}",
            file.display()
        ))
    }

    /// Attaches the ticket, which comes a while after the answer.
    ///
    /// # Errors
    /// There is no ticket, or it is for other code.
    pub fn staple(&self, checkpoint: &mut Checkpoint, product: &Path) -> Result<()> {
        let mut waits = TICKETS.iter();
        loop {
            match self.client.staple(self.hands, product) {
                Ok(()) => break,
                Err(Trouble::Final(error)) if error.is::<Interrupted>() => return Err(error),
                Err(Trouble::Final(error) | Trouble::Denied(error)) => {
                    return Err(error.context(no_ticket(product)));
                }
                Err(Trouble::Passing(error)) => match waits.next() {
                    Some(wait) => self.hands.pause(Duration::from_secs(*wait))?,
                    None => {
                        let hint = format!(
                            "hint: Apple accepted it; attach the ticket later with `{}`",
                            self.resume
                        );
                        return Err(error.context(format!("{}\n{hint}", no_ticket(product))));
                    }
                },
            }
        }
        ensure!(
            is_stapled(product)?,
            "{} ended well, but there is no ticket in {}",
            self.client.name(),
            product.display()
        );
        self.now(checkpoint, Status::Stapled)
    }
}

/// What to type to have `cargo xtask notarize` do this to a file, with the state that is used here.
pub fn command(words: &[&str], state: &Path, file: &Path) -> String {
    let mut command = Command::new("cargo");
    command.args(["xtask", "notarize"]).args(words);
    let target = state.file_name().filter(|it| *it != "macos");
    if let Some(target) = target {
        command.arg("--target").arg(target);
    }
    pasteable(command.arg(file), Path::new(""))
}

/// What to type to have what Apple never got submitted.
pub fn submit_again(checkpoint: &Checkpoint, state: &Path) -> String {
    match &checkpoint.product {
        Some(product) => command(&["submit"], state, product),
        None => "cargo xtask dist, with the same options".to_owned(),
    }
}

/// The network or Apple's servers failed, and the tool's last words say how.
fn could_not_be_asked(error: &anyhow::Error) -> String {
    let failed = error.downcast_ref::<CommandFailed>();
    let printed = failed.filter(|it| !it.timed_out()).map(|it| &*it.printed);
    let printed = printed.unwrap_or_default();
    // An error of many lines begins with this word; without it the last line is all there is.
    let begin = printed.iter().rposition(|it| it.starts_with("Error"));
    let begin = begin.unwrap_or(printed.len().saturating_sub(1));
    let words: Vec<_> = printed[begin..]
        .iter()
        .flat_map(|it| it.split_whitespace())
        .collect();
    let said: String = words.join(" ").chars().take(LONGEST_REASON).collect();
    match said.is_empty() {
        true => format!("Apple could not be asked: {error:#}"),
        false => format!("Apple could not be asked: {said}"),
    }
}

fn no_ticket(product: &Path) -> String {
    format!("Apple's ticket cannot be attached to {}", product.display())
}

/// Whether Apple's ticket for just this code is attached.
///
/// # Errors
/// It is not signed, or the signature does not hold: Apple would reject it.
pub fn is_stapled(product: &Path) -> Result<bool> {
    let trust = Trust {
        anchors: Vec::new(),
        timestamp_anchors: Vec::new(),
        revoked: Vec::new(),
        now: SystemTime::now(),
    };
    let unsigned = || {
        let path = product.display();
        format!("{path} is not signed\nhint: sign it first: `cargo xtask sign {path}`")
    };
    let signed = match product.is_dir() {
        true => apple::app::inspect(product, &trust)
            .map(|it| Some(it.own))
            .with_context(unsigned)?,
        false => {
            let data = fs_err::read(product)?;
            if !apple::dmg::is_one(&data) {
                // A .zip or a .pkg: what is in it is Apple's to judge.
                return Ok(false);
            }
            apple::dmg::inspect(&data, &trust)?.map(|it| it.signed)
        }
    };
    let signed = signed.with_context(unsigned)?;
    ensure!(
        signed.problems.is_empty(),
        "the signature of {} does not hold: {}\n\
         hint: sign it again: `cargo xtask sign {0}`",
        product.display(),
        signed.problems.join("; ")
    );
    Ok(signed.stapled == Some(true))
}
