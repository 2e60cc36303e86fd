//! Work that is shown like a step, but not recorded.

use std::time::Instant;

use anyhow::Result;

use super::{Context, Event, Interrupted, Log, Reported, Session};

/// What [`Session::task`] is told of its work.
pub struct Task {
    /// What events call it.
    pub name: String,
    /// What it does, or why, in one line.
    pub why: String,
    /// The name of its log, without `.log`.
    pub log: String,
    /// What to type to do it again.
    pub resume: String,
}

impl Session {
    /// Does work that is shown and logged like a step but neither recorded nor reused, such as
    /// tests. What it gives sums up how it went.
    ///
    /// # Errors
    /// [`Reported`] for a failure that the reporters have seen, [`Interrupted`] after Ctrl-C.
    pub fn task(&self, task: &Task, work: impl FnOnce(&Context) -> Result<String>) -> Result<()> {
        self.check_interrupted()?;
        let (step, why) = (task.name.clone(), task.why.clone());
        let log = Log::create(self.log_path(&task.log))?;
        let (path, started) = (log.path.clone(), Instant::now());
        self.events.emit(Event::StepStarted {
            step: step.clone(),
            why,
            log: path,
        });
        let cx = Context {
            session: self,
            step: &task.name,
            log,
            last: None,
        };
        let done = work(&cx).and_then(|it| self.check_interrupted().map(|()| it));
        let seconds = started.elapsed().as_secs_f64();
        let error = match done {
            Ok(result) => {
                self.events.emit(Event::StepPassed {
                    step,
                    seconds,
                    result,
                });
                return Ok(());
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => error,
        };
        let mut failure = self.failure(&error, &task.log);
        failure.resume.clone_from(&task.resume);
        self.events.emit(Event::StepFailed {
            step: step.clone(),
            seconds,
            failure,
        });
        Err(Reported::of(step, &error).into())
    }
}
