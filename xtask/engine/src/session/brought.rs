//! What another machine did, because this one cannot.

use anyhow::{Result, bail};

use super::{
    Context, Decision, Done, Event, Log, Outcome, Session, Step, Stopped, artifact, fingerprint,
    lock,
};

/// A step's work, as another machine left it in the state of this one.
pub enum Brought<T> {
    /// It is there, and made of what lies here.
    Here(Done<T>),
    /// It is not, or of no use; the text says why.
    Missing(String),
}

impl Session {
    /// Takes the record of a step whose work cannot be done on this machine, if one was brought here and
    /// was made of the same inputs. `counts` says of the name of an input whether it does so on any
    /// machine: the compiler of the other one is not that of this one. Nothing is run.
    ///
    /// # Errors
    /// [`Stopped`] where the selection leaves the step out; the disk's.
    pub fn brought<S: Step>(
        &self,
        step: &S,
        counts: impl Fn(&str) -> bool,
    ) -> Result<Brought<S::Output>> {
        self.check_interrupted()?;
        let name = step.name();
        let decision = self.selection.decide(&name, &self.steps);
        if let Decision::LeaveOut(_) = decision {
            bail!(Stopped);
        }
        let Some(record) = lock(&self.journal).get(&name).cloned() else {
            return Ok(Brought::Missing("nothing was brought here".to_owned()));
        };
        if let Decision::Keep(why) = decision {
            return self.keep(&name, Some(record), why).map(Brought::Here);
        }
        let cx = Context {
            session: self,
            step: &name,
            log: Log::at(self.log_path(&name)),
            last: None,
        };
        let taken = self.take(step, &serde_json::to_value(step)?, &cx)?;
        let mut changes = taken.changes_since(&record.fingerprint, &self.lists());
        changes.retain(|it| counts(&it.what));
        let why = match changes.is_empty() && record.version == S::VERSION {
            true => artifact::damage(&self.stage(&name), &record.artifacts, &self.cache)?,
            false => Some(fingerprint::summary(&changes)),
        };
        match why {
            None => self.reuse(&name, record).map(Brought::Here),
            Some(why) => Ok(Brought::Missing(format!(
                "what was brought here is stale: {why}"
            ))),
        }
    }

    /// Says that a step does nothing in this run, and why.
    pub fn leave_out(&self, step: &str, why: &str) {
        lock(&self.outcomes).insert(step.to_owned(), Outcome::LeftOut);
        let (step, why) = (step.to_owned(), why.to_owned());
        self.events.emit(Event::StepLeftOut { step, why });
    }
}
