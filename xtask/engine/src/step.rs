//! The step trait, what a step is given, and what it leaves.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    artifact::Artifact,
    event::{Event, Level},
    exec::{Log, Run},
    files,
    fingerprint::Inputs,
    journal::Record,
    launch::Launched,
    probe::{Probe, Probed, Probes},
    secret::Secret,
    session::Session,
    staging::Staging,
};

/// One stage of a pipeline. The value is plain data: its serialized fields are the parameter part
/// of the fingerprint, and the outputs of earlier steps among them (as [`Done`]) are what it
/// depends on.
pub trait Step: Serialize {
    /// The name on the command line, in the journal, in events and of the log.
    const ID: &'static str;
    /// Raised when `run` changes meaning, so that older records no longer count.
    const VERSION: u32;
    /// What later steps are told, beyond the files themselves.
    type Output: Serialize + DeserializeOwned;

    /// Tells several steps of one kind apart; the full name is then `ID:instance`.
    fn instance(&self) -> Option<&str> {
        None
    }

    /// The world beyond the fields that decides the output. It must be quick and change nothing.
    fn inputs(&self, cx: &Context) -> Result<Inputs>;

    /// Why a record that is still true is not good enough all the same; none if it is. For outputs
    /// that came about under bad luck, such as a download that failed, or that the command line
    /// does not accept.
    fn again(&self, _last: &Self::Output) -> Option<String> {
        None
    }

    /// Does the work, writing files only into `out` and into [`Context::cache`].
    fn run(&self, cx: &Context, out: &Staging) -> Result<Self::Output>;

    /// The full name.
    fn name(&self) -> String {
        match self.instance() {
            Some(instance) => format!("{}:{instance}", Self::ID),
            None => Self::ID.to_owned(),
        }
    }
}

/// A finished step: its typed output and the files that it left, all of them hashed.
///
/// Serialized as a field of a later step it carries the hashes, not the fingerprint: an output
/// that comes out identical stops the ripple.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done<T> {
    /// The step's full name.
    #[serde(rename = "step-output")]
    pub step: String,
    /// All files of the stage folder, sorted by path.
    pub artifacts: Vec<Artifact>,
    /// What the step says of them.
    pub output: T,
    /// The stage folder, absolute: where it lies decides nothing.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl<T> Done<T> {
    /// The absolute path of a file.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// Copies a file with its mode, and fails if it is not what was hashed: a byte that changed
    /// since then must not go any further.
    pub fn copy_to(&self, relative: &str, to: &Path) -> Result<()> {
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::copy(self.path(relative), to)?;
        self.refuse_changed(relative, to)
    }

    /// The path of a file that is read where it lies; fails like [`Self::copy_to`].
    pub fn unchanged(&self, relative: &str) -> Result<PathBuf> {
        let path = self.path(relative);
        self.refuse_changed(relative, &path)?;
        Ok(path)
    }

    fn refuse_changed(&self, relative: &str, file: &Path) -> Result<()> {
        ensure!(
            files::sha256_file(file)? == self.artifact(relative)?.sha256,
            "{relative}, which step {} left, changed since it was hashed\n\
             hint: run again; what wrote to {} meanwhile must not",
            self.step,
            self.path(relative).display()
        );
        Ok(())
    }

    /// The record of a file. An error means that the step and its user disagree on a name.
    pub fn artifact(&self, relative: &str) -> Result<&Artifact> {
        let found = self.artifacts.iter().find(|it| it.path == relative);
        found.with_context(|| format!("step {} left no file {relative}", self.step))
    }
}

/// What a step may use.
pub struct Context<'a> {
    pub(super) session: &'a Session,
    pub(super) step: &'a str,
    pub(super) log: Log,
    /// The step's record, if it is still true and only [`Step::again`] made the step run.
    pub(super) last: Option<Record>,
}

/// What a step left when it ran last.
pub struct Last<T> {
    /// Its output and files.
    pub done: Done<T>,
    /// The facts that it recorded.
    pub facts: BTreeMap<String, String>,
}

impl Context<'_> {
    /// The repository's top folder.
    pub fn root(&self) -> &Path {
        &self.session.root
    }

    /// The folder with everything that is kept of the target.
    pub fn state(&self) -> &Path {
        &self.session.state
    }

    /// A folder that survives between runs, for what only saves time: deleting it is harmless.
    pub fn cache(&self, name: &str) -> Result<PathBuf> {
        let path = self.session.state.join("cache").join(name);
        fs_err::create_dir_all(&path)?;
        Ok(path)
    }

    /// How many processes a program may start that can only be told a number: a part of those that
    /// may work at once, while something else runs beside this step.
    pub fn jobs(&self) -> usize {
        self.session.jobs.share()
    }

    /// A command on behalf of this step; `xshell::cmd!` is welcome.
    pub fn exec(&self, command: impl Into<Command>) -> Run<'_> {
        Run::new(&self.session.exec, self.step, &self.log, command)
    }

    /// Like [`Self::exec`], for a program that knows the job server of GNU make: it starts as many
    /// processes as may work at once, and changes that number whenever others begin or end.
    pub fn exec_sharing(&self, command: impl Into<Command>) -> Run<'_> {
        self.exec(command).sharing(self.session.jobs.server())
    }

    /// Whether only one process may work at once.
    pub fn one_at_a_time(&self) -> bool {
        self.session.jobs.all() == 1
    }

    /// Starts a program to watch how it behaves; it is no event and goes into no log.
    pub fn launch(&self, command: impl Into<Command>) -> Result<Launched> {
        Launched::start(&self.session.exec, command.into())
    }

    /// What the step left last, if only [`Step::again`] made it run: all that decides its output is
    /// as it was, and its files are whole, so that a part of the work may be taken from there.
    pub fn last<T: DeserializeOwned>(&self) -> Result<Option<Last<T>>> {
        let Some(record) = self.last.clone() else {
            return Ok(None);
        };
        let facts = record.facts.clone();
        let done = self.session.done(record)?;
        Ok(Some(Last { done, facts }))
    }

    /// Says how far the work is, where the last line of output is shown.
    pub fn progress(&self, line: &str) -> Result<()> {
        let line = self.session.exec.redactor.redact(line);
        self.log.line(&line)?;
        let step = self.step.to_owned();
        self.session
            .events
            .emit(Event::CommandOutput { step, line });
        Ok(())
    }

    /// A private shell for `xshell::cmd!`, in the repository's top folder.
    pub fn shell(&self) -> Result<xshell::Shell> {
        let shell = xshell::Shell::new()?;
        shell.change_dir(&self.session.root);
        Ok(shell)
    }

    /// The version of a program, asked only when it may have changed.
    pub fn probe(&self, probe: &Probe) -> Result<Probed> {
        self.session.probes.version(probe)
    }

    /// All programs that were asked for their version.
    pub fn probes(&self) -> &Probes {
        &self.session.probes
    }

    /// Tells the reader of the run something.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        let text = self.session.exec.redactor.redact(&text.into());
        self.session.events.emit(Event::Note {
            step: self.step.to_owned(),
            level,
            text,
        });
    }

    /// Masks a secret that was made or read just now, in all output from then on.
    pub fn mask(&self, secret: &Secret) {
        self.session.exec.redactor.add(secret);
    }

    /// Records a decision: it reaches the terminal, the journal and the manifest.
    pub fn fact(&self, key: &str, value: impl Into<String>) {
        let value = self.session.exec.redactor.redact(&value.into());
        let (step, key) = (self.step.to_owned(), key.to_owned());
        self.session.events.emit(Event::Fact { step, key, value });
    }

    /// Tells programs that read the run's events something that has a form of its own.
    pub fn emit(&self, event: Event) {
        self.session.events.emit(event);
    }

    /// The step's name, as events give it.
    pub fn step(&self) -> &str {
        self.step
    }

    /// The step's log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The recorded steps of this run, and how each came to be.
    pub fn history(&self) -> Vec<(Record, Origin)> {
        self.session.history()
    }

    /// Sleeps, but not through Ctrl-C.
    pub fn pause(&self, time: Duration) -> Result<()> {
        let until = std::time::Instant::now() + time;
        while std::time::Instant::now() < until {
            self.session.check_interrupted()?;
            std::thread::sleep(time.min(Duration::from_millis(50)));
        }
        Ok(())
    }
}

/// How a step's output came to be in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It ran.
    Ran,
    /// Its record was still true.
    Reused,
    /// It was taken as recorded because the command line said so.
    Kept,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_changed_after_it_was_hashed_goes_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_owned();
        std::fs::write(folder.join("app"), "hashed").unwrap();
        let sha256 = files::sha256_file(&folder.join("app")).unwrap();
        let artifact = Artifact {
            path: "app".to_owned(),
            size: 6,
            sha256,
            executable: false,
            link: None,
        };
        let (step, artifacts, output) = ("app".to_owned(), vec![artifact], ());
        let done = Done {
            step,
            artifacts,
            output,
            folder: folder.clone(),
        };
        done.copy_to("app", &folder.join("deep/copy")).unwrap();
        assert_eq!(done.unchanged("app").unwrap(), folder.join("app"));
        std::fs::write(folder.join("app"), "hashes").unwrap();
        for outcome in [
            done.copy_to("app", &folder.join("copy")),
            done.unchanged("app").map(drop),
        ] {
            let error = outcome.unwrap_err().to_string();
            assert!(
                error.starts_with("app, which step app left, changed since"),
                "{error}"
            );
        }
    }
}
