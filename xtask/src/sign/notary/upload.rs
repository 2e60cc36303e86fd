//! How a file gets to Apple once, whatever breaks on the way. An upload may break off after all bytes
//! arrived: only Apple's list of submissions tells, in which each file has a name of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    Notary,
    checkpoint::{self, Checkpoint, Status},
    client::Trouble,
    package::Package,
};
use crate::engine::{event::Level, exec::Interrupted};

/// Waits before an upload that broke off, or a question that failed, is tried again.
const RETRIES: [u64; 3] = [2, 10, 30];

impl Notary<'_> {
    /// The submission of these bytes: the one that there is, or a new one.
    pub(super) fn submitted(
        &self,
        product: &Path,
        package: &Package,
        kept: bool,
        again: bool,
    ) -> Result<Checkpoint> {
        let wish = checkpoint::wish(self.state, &package.sha256);
        let again = again || wish.exists();
        let known = Checkpoint::read(self.state, &package.sha256)?.filter(|_| !again);
        if let Some(known) = &known {
            if known.status == Status::Rejected {
                bail!(self.rejection(known)?);
            }
            if let Some(id) = &known.id {
                let text = format!(
                    "these bytes were submitted at {} as {id}: going on with that",
                    known.submitted
                );
                self.hands.note(Level::Info, text);
                return Ok(known.clone());
            }
        }
        // Another machine may have submitted them, or a run here whose memory is gone. With
        // `--resubmit` that is not what is meant.
        let before = self.find(&package.name)?;
        let product = kept.then(|| self.remembered(product)).transpose()?;
        let tool = self.client.name();
        let new = || Checkpoint::new(&package.name, &package.sha256, tool, product);
        let mut checkpoint = known.unwrap_or_else(new);
        match before {
            Some(id) if !again => {
                let text = format!("Apple has these bytes already, as {id}: going on with that");
                self.hands.note(Level::Info, text);
                checkpoint.id = Some(id);
            }
            before => {
                checkpoint.save(self.state)?;
                checkpoint.id = Some(self.upload(&checkpoint, package, before.as_deref())?);
            }
        }
        checkpoint.status = Status::Submitted;
        checkpoint.save(self.state)?;
        std::fs::remove_file(wish).ok();
        Ok(checkpoint)
    }

    /// The id of the last submission of this name in Apple's list. What may pass is asked again.
    ///
    /// # Errors
    /// Apple cannot be asked.
    pub fn find(&self, name: &str) -> Result<Option<String>> {
        let mut waits = RETRIES.iter();
        loop {
            let error = match self.client.find_by_name(self.hands, name) {
                Ok(found) => return Ok(found),
                Err(Trouble::Passing(error)) => error,
                Err(Trouble::Final(error)) if error.is::<Interrupted>() => return Err(error),
                Err(trouble) => return Err(anyhow::Error::from(trouble).context(not_asked(name))),
            };
            let Some(wait) = waits.next() else {
                return Err(error.context(not_asked(name)));
            };
            let text = format!(
                "the network or Apple's servers failed; whether {name} is there is asked again in {wait} s"
            );
            self.hands.note(Level::Warning, text);
            self.hands.pause(Duration::from_secs(*wait))?;
        }
    }

    fn remembered(&self, product: &Path) -> Result<PathBuf> {
        let full = fs_err::canonicalize(product)?;
        let root = fs_err::canonicalize(self.root)?;
        Ok(full
            .strip_prefix(&root)
            .map_or(full.clone(), Path::to_owned))
    }

    /// Uploads; again if that broke off, and Apple does not have it. Whatever fails here leaves a
    /// checkpoint without an id, so that the next run looks first, unless Apple let nobody in.
    fn upload(
        &self,
        checkpoint: &Checkpoint,
        package: &Package,
        before: Option<&str>,
    ) -> Result<String> {
        let mut waits = RETRIES.iter();
        loop {
            let error = match self.client.submit(self.hands, &package.path)? {
                Ok(uploaded) => return Ok(uploaded.id),
                Err(Trouble::Passing(error)) => error,
                Err(Trouble::Final(error)) => return Err(error.context(not_uploaded(package))),
                Err(Trouble::Denied(error)) => {
                    // After an attempt that broke off nobody knows what arrived.
                    if waits.len() == RETRIES.len() {
                        checkpoint.forget(self.state)?;
                    }
                    return Err(error.context(format!("{} cannot be submitted", package.name)));
                }
            };
            if let Some(id) = self.arrived(package, before, &mut waits, error)? {
                return Ok(id);
            }
        }
    }

    /// After an upload that broke off: the submission's id if Apple has it, none if it has not. While
    /// Apple cannot say that, nothing is uploaded.
    fn arrived(
        &self,
        package: &Package,
        before: Option<&str>,
        waits: &mut std::slice::Iter<u64>,
        mut error: anyhow::Error,
    ) -> Result<Option<String>> {
        loop {
            let Some(wait) = waits.next() else {
                return Err(error.context(not_uploaded(package)));
            };
            let text = format!("the upload broke off; Apple is asked in {wait} s what arrived");
            self.hands.note(Level::Warning, text);
            self.hands.pause(Duration::from_secs(*wait))?;
            match self.client.find_by_name(self.hands, &package.name) {
                Ok(Some(id)) if Some(&*id) != before => {
                    let text = format!(
                        "Apple has it as {id}: going on with that. Should no answer come, not all \
                         bytes may have arrived"
                    );
                    self.hands.note(Level::Info, text);
                    return Ok(Some(id));
                }
                Ok(_) => {
                    let text = "Apple does not have it: it is uploaded again".to_owned();
                    self.hands.note(Level::Info, text);
                    return Ok(None);
                }
                Err(Trouble::Passing(other)) => error = other,
                Err(Trouble::Final(error)) if error.is::<Interrupted>() => return Err(error),
                Err(trouble) => {
                    return Err(anyhow::Error::from(trouble).context(not_uploaded(package)));
                }
            }
        }
    }
}

fn not_asked(name: &str) -> String {
    format!(
        "Apple cannot be asked whether {name} was submitted before\n\
         hint: nothing was uploaded; the next run asks again"
    )
}

fn not_uploaded(package: &Package) -> String {
    format!(
        "the upload of {} broke off\n\
         hint: the next run asks Apple what arrived before it uploads anything",
        package.name
    )
}
