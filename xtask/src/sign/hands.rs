//! What signing does besides writing the file. A step can do all of it, and so can a command that
//! signs loose files outside of the pipeline.

use std::{
    process::Command,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::engine::{
    event::{Event, Level},
    exec::{Exec, Interrupted, Log, Run},
    secret::Secret,
    step::Context,
};

/// Runs programs, waits, and says what it does.
pub trait Hands {
    /// A command, to be run.
    fn exec(&self, command: Command) -> Run<'_>;
    /// Tells the reader of the run something.
    fn note(&self, level: Level, text: String);
    /// Masks a secret that was made or read on the way, in all output from then on. Those that the
    /// environment holds are known already.
    fn mask(&self, secret: &Secret);
    /// Sleeps, but not through Ctrl-C.
    ///
    /// # Errors
    /// [`Interrupted`].
    fn pause(&self, time: Duration) -> Result<()>;
    /// What it is by the clock that [`Self::pause`] waits by.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl Hands for Context<'_> {
    fn exec(&self, command: Command) -> Run<'_> {
        Context::exec(self, command)
    }

    fn note(&self, level: Level, text: String) {
        Context::note(self, level, text);
    }

    fn mask(&self, secret: &Secret) {
        Context::mask(self, secret);
    }

    fn pause(&self, time: Duration) -> Result<()> {
        Context::pause(self, time)
    }
}

/// Outside of a step.
pub struct Loose {
    /// What runs the commands.
    pub exec: Exec,
    /// Where their output goes.
    pub log: Log,
}

impl Hands for Loose {
    fn exec(&self, command: Command) -> Run<'_> {
        Run::new(&self.exec, "", &self.log, command)
    }

    fn note(&self, level: Level, text: String) {
        let (step, text) = (String::new(), self.exec.redactor.redact(&text));
        self.exec.events.emit(Event::Note { step, level, text });
    }

    fn mask(&self, secret: &Secret) {
        self.exec.redactor.add(secret);
    }

    fn pause(&self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.exec.interrupted.load(Ordering::SeqCst) {
                bail!(Interrupted);
            }
            std::thread::sleep(time.min(Duration::from_millis(50)));
        }
        Ok(())
    }
}
