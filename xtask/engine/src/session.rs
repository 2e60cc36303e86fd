//! One run over the steps of a pipeline: decides, runs, records.

mod beside;
mod brought;
mod end;
mod gathered;
mod keep;
mod options;
mod plan;
mod task;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use super::{
    artifact,
    event::{Event, Events, Failure, Level, Reporter, Stamped},
    exec::{self, CommandFailed, Exec, Interrupted, Log},
    files::{self, StatCache},
    fingerprint::{self, Change, Taken},
    jobs::Jobs,
    journal::{CommandRun, Journal, Record},
    lock::Lock,
    orphans::Orphans,
    probe::Probes,
    secret::Redactor,
    select::{Decision, Selection},
    staging::{self, Staging},
    step::{Context, Done, Origin, Step},
};
use gathered::{Gather, Gathered};

pub use brought::Brought;
pub use end::{EndsWith, Reported, Stopped, failure};
pub use options::{Hashes, Options};
pub use task::Task;

/// A run. Steps may be run from several threads.
pub struct Session {
    pub(super) root: PathBuf,
    pub(super) state: PathBuf,
    pub(super) jobs: Jobs,
    pub(super) exec: Exec,
    pub(super) events: Events,
    pub(super) probes: Probes,
    steps: Vec<String>,
    command: String,
    program: String,
    plan: bool,
    selection: Selection,
    at_commit: Option<fn(&str)>,
    cache: StatCache,
    journal: Mutex<Journal>,
    outcomes: Mutex<BTreeMap<String, Outcome>>,
    changes: Mutex<BTreeMap<String, Vec<Change>>>,
    gathered: Arc<Mutex<Gathered>>,
    _lock: Option<Lock>,
}

/// What this run knows of a step.
#[derive(Clone, Debug)]
enum Outcome {
    Is(Origin),
    Planned,
    Pending,
    LeftOut,
    Failed,
}

impl Session {
    /// Takes the target's lock (unless only planning), reads the journal and the caches, and
    /// clears away what a killed run left.
    pub fn open(options: Options) -> Result<Self> {
        options.selection.check(&options.steps)?;
        let state = options.state;
        let lock = match options.plan {
            true => None,
            false => Some(Lock::take(&state, &options.command)?),
        };
        let (journal, trouble) = Journal::open(&state, &options.target);
        let events = options.events;
        if let Some(text) = trouble {
            let level = Level::Warning;
            events.emit(Event::Note {
                step: String::new(),
                level,
                text,
            });
        }
        let orphans = Orphans::new(state.join("running"));
        if lock.is_some() {
            // First of all: what still runs would go on writing into what is cleared away.
            if let ended @ 1.. = orphans.end_all() {
                let text = format!("ended {ended} process group(s) that a killed run left behind");
                events.emit(Event::Note {
                    step: String::new(),
                    level: Level::Info,
                    text,
                });
            }
            staging::clear(&state.join("staging"))?;
        }
        let gathered = Arc::new(Mutex::new(Gathered::default()));
        events.add(Box::new(Gather(gathered.clone())));
        let exec = Exec {
            root: options.root.clone(),
            events: events.clone(),
            redactor: options.redactor,
            interrupted: options.interrupted,
            withheld: options.withheld,
            orphans,
            timeout: options.timeout,
        };
        Ok(Self {
            cache: options.hashes.wait(),
            root: options.root,
            jobs: Jobs::new(options.jobs)?,
            probes: options.probes,
            steps: options.steps,
            command: options.command,
            program: options.program,
            plan: options.plan,
            selection: options.selection,
            at_commit: options.at_commit,
            journal: Mutex::new(journal),
            outcomes: Mutex::default(),
            changes: Mutex::default(),
            gathered,
            _lock: lock,
            state,
            exec,
            events,
        })
    }

    /// Brings a step up to date: reuses its record, or runs it and records it.
    ///
    /// # Errors
    /// [`Stopped`] where the selection or a plan ends the pipeline, [`Reported`] for a failure
    /// that the reporters have seen.
    pub fn step<S: Step>(&self, step: S) -> Result<Done<S::Output>> {
        let name = step.name();
        let started = Instant::now();
        self.try_step(&step, &name).map_err(|error| {
            if error.is::<Stopped>() || error.is::<Reported>() {
                return error;
            }
            lock(&self.outcomes).insert(name.clone(), Outcome::Failed);
            if error.is::<Interrupted>() {
                // Nothing failed: the reporters show what still ran as interrupted.
                return error;
            }
            let seconds = started.elapsed().as_secs_f64();
            let failure = self.failure(&error, &name);
            self.events.emit(Event::StepFailed {
                step: name.clone(),
                seconds,
                failure,
            });
            Reported::of(name, &error).into()
        })
    }

    fn try_step<S: Step>(&self, step: &S, name: &str) -> Result<Done<S::Output>> {
        self.check_interrupted()?;
        let decision = self.selection.decide(name, &self.steps);
        if let Decision::LeaveOut(_) = decision {
            bail!(Stopped);
        }
        let record = lock(&self.journal).get(name).cloned();
        if let Decision::Keep(why) = decision {
            return self.keep(name, record, why);
        }
        let parameters = serde_json::to_value(step)?;
        if self.plan && decision == Decision::Force {
            return self.planned(name, record, "--force".to_owned());
        }
        if self.plan
            && let waits @ [_, ..] = &*self.waits_for(&parameters)
        {
            return self.pending(name, record, waits.to_vec());
        }
        let log = Log::at(self.log_path(name));
        let mut cx = Context {
            session: self,
            step: name,
            log,
            last: None,
        };
        let taken = self.take(step, &parameters, &cx)?;
        let why = match &record {
            _ if decision == Decision::Force => Some("--force".to_owned()),
            None => Some("it never ran here".to_owned()),
            Some(record) => match self.stale(record, &taken, S::VERSION)? {
                None => {
                    cx.last = Some(record.clone());
                    again(step, record)?
                }
                why => why,
            },
        };
        let Some(why) = why else {
            return self.reuse(name, record.expect("checked above"));
        };
        if self.plan {
            if let Some(record) = &record {
                let changes = taken.changes_since(&record.fingerprint, &self.lists());
                lock(&self.changes).insert(name.to_owned(), changes);
            }
            return self.planned(name, record, why);
        }
        self.run(step, cx, &parameters, taken, record, why)
    }

    /// Why the record no longer counts; none if it does.
    fn stale(&self, record: &Record, taken: &Taken, version: u32) -> Result<Option<String>> {
        if record.version != version || record.fingerprint != taken.fingerprint {
            let changes = taken.changes_since(&record.fingerprint, &self.lists());
            let why = fingerprint::summary(&changes);
            return Ok(Some(match record.imported() {
                Some(from) => format!("imported from {from}: {why}"),
                None => why,
            }));
        }
        artifact::damage(&self.stage(&record.step), &record.artifacts, &self.cache)
    }

    fn take<S: Step>(
        &self,
        step: &S,
        parameters: &serde_json::Value,
        cx: &Context,
    ) -> Result<Taken> {
        // What a step does may change with this program, also where its own version did not.
        let inputs = step.inputs(cx)?.tool("xtask", &self.program);
        Taken::take(S::VERSION, parameters, &inputs, &self.root, &self.cache)
    }

    fn run<S: Step>(
        &self,
        step: &S,
        mut cx: Context,
        parameters: &serde_json::Value,
        taken: Taken,
        before: Option<Record>,
        why: String,
    ) -> Result<Done<S::Output>> {
        let name = cx.step.to_owned();
        cx.log = Log::create(self.log_path(&name))?;
        let (log, started) = (cx.log.path.clone(), Instant::now());
        self.events.emit(Event::StepStarted {
            step: name.clone(),
            why: why.clone(),
            log,
        });
        lock(&self.gathered).0.remove(&name);
        let staging = Staging::create(&self.state.join("staging"), &name)?;
        let output = step.run(&cx, &staging)?;
        self.check_interrupted()?;
        self.commit_point("staged");
        let artifacts = artifact::collect(staging.path(), &self.cache)?;
        self.commit_point("hashed");
        staging.publish(&self.stage(&name))?;
        self.commit_point("renamed");
        self.refuse_changed_inputs(step, parameters, &cx, &taken)?;
        self.commit_point("checked");
        let (commands, facts) = lock(&self.gathered).0.remove(&name).unwrap_or_default();
        let record = Record {
            step: name.clone(),
            version: S::VERSION,
            artifacts,
            output: serde_json::to_value(&output)?,
            why,
            seconds: started.elapsed().as_secs_f64(),
            finished: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commands,
            facts,
            fingerprint: taken.fingerprint.clone(),
        };
        taken.keep_lists(&self.lists())?;
        lock(&self.journal).append(record.clone())?;
        self.commit_point("recorded");
        lock(&self.outcomes).insert(name.clone(), Outcome::Is(Origin::Ran));
        self.events.emit(Event::StepFinished {
            step: name,
            seconds: record.seconds,
            artifacts: record.artifacts.len(),
            bytes: record.bytes(),
            changed: before
                .is_none_or(|it| it.artifacts != record.artifacts || it.output != record.output),
        });
        self.done(record)
    }

    /// The output belongs to the inputs that were fingerprinted, or to none.
    fn refuse_changed_inputs<S: Step>(
        &self,
        step: &S,
        parameters: &serde_json::Value,
        cx: &Context,
        before: &Taken,
    ) -> Result<()> {
        let now = self.take(step, parameters, cx)?;
        if now.fingerprint == before.fingerprint {
            return Ok(());
        }
        before.keep_lists(&self.lists())?;
        let changes = now.changes_since(&before.fingerprint, &self.lists());
        bail!(
            "its inputs changed while it ran: {}\n\
             hint: run again; if the step itself writes that file, let git ignore it or name it \
             under `exclude` in the step's section of packaging/dist.toml",
            fingerprint::summary(&changes)
        );
    }

    fn reuse<T: serde::de::DeserializeOwned>(&self, name: &str, record: Record) -> Result<Done<T>> {
        lock(&self.outcomes).insert(name.to_owned(), Outcome::Is(Origin::Reused));
        self.events.emit(Event::StepReused {
            step: name.to_owned(),
            artifacts: record.artifacts.len(),
            bytes: record.bytes(),
        });
        self.done(record)
    }

    fn keep<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        record: Option<Record>,
        why: String,
    ) -> Result<Done<T>> {
        let Some(record) = record else {
            bail!(
                "{why} takes step {name} as recorded, but it never ran here\nhint: run without {why}"
            );
        };
        if let Some(damage) = artifact::damage(&self.stage(name), &record.artifacts, &self.cache)? {
            bail!("{why} takes step {name} as recorded, but {damage}\nhint: run without {why}");
        }
        lock(&self.outcomes).insert(name.to_owned(), Outcome::Is(Origin::Kept));
        self.events.emit(Event::StepKept {
            step: name.into(),
            why,
            bytes: record.bytes(),
        });
        self.done(record)
    }

    pub(super) fn done<T: serde::de::DeserializeOwned>(&self, record: Record) -> Result<Done<T>> {
        let folder = self.stage(&record.step);
        let output = serde_json::from_value(record.output)
            .with_context(|| format!("the record of step {} is of another shape", record.step))?;
        Ok(Done {
            step: record.step,
            artifacts: record.artifacts,
            output,
            folder,
        })
    }

    /// Emits a fact about the run as a whole.
    pub fn emit(&self, event: Event) {
        self.events.emit(event);
    }

    /// Reports the steps that were left out, in a plan also those that it could not reach, and
    /// keeps what was learned of the files.
    pub fn close(&self) {
        let outcomes = lock(&self.outcomes).clone();
        let is_planned = |it: &&String| matches!(outcomes.get(*it), Some(Outcome::Planned));
        for (at, step) in self.steps.iter().enumerate() {
            if outcomes.contains_key(step) {
                continue;
            }
            let after: Vec<String> = self.steps[..at]
                .iter()
                .filter(is_planned)
                .cloned()
                .collect();
            match self.selection.decide(step, &self.steps) {
                Decision::LeaveOut(why) => {
                    let step = step.clone();
                    self.events.emit(Event::StepLeftOut { step, why });
                }
                _ if self.plan => {
                    let (step, after) = (step.clone(), after.clone());
                    self.events.emit(Event::StepPending { step, after });
                }
                _ => {}
            }
        }
        if !self.plan {
            self.cache.save();
            self.forget_lists();
        }
    }

    /// The records that this run used or made, in the order of the steps.
    pub fn history(&self) -> Vec<(Record, Origin)> {
        let outcomes = lock(&self.outcomes);
        let journal = lock(&self.journal);
        let of = |step: &String| match outcomes.get(step) {
            Some(Outcome::Is(origin)) => Some((journal.get(step)?.clone(), *origin)),
            _ => None,
        };
        self.steps.iter().filter_map(of).collect()
    }

    /// The repository's top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Fails once Ctrl-C was pressed.
    pub fn check_interrupted(&self) -> Result<()> {
        if self.exec.interrupted.load(Ordering::SeqCst) {
            bail!(Interrupted);
        }
        Ok(())
    }

    fn failure(&self, error: &anyhow::Error, step: &str) -> Failure {
        let mut failure = failure(error, &self.command);
        failure.log.get_or_insert_with(|| self.log_path(step));
        failure.log = failure.log.filter(|it| it.exists());
        failure
            .chain
            .iter_mut()
            .for_each(|it| *it = self.exec.redactor.redact(it));
        failure
    }

    fn commit_point(&self, point: &str) {
        if let Some(at) = self.at_commit {
            at(point);
        }
    }

    fn stage(&self, step: &str) -> PathBuf {
        self.state.join("stages").join(staging::file_name(step))
    }

    fn lists(&self) -> PathBuf {
        self.state.join("inputs")
    }

    fn log_path(&self, step: &str) -> PathBuf {
        self.state
            .join("logs")
            .join(format!("{}.log", staging::file_name(step)))
    }
}

/// Why a true record is not good enough for the step; none if it is.
fn again<S: Step>(step: &S, record: &Record) -> Result<Option<String>> {
    let last: S::Output = serde_json::from_value(record.output.clone())
        .with_context(|| format!("the record of step {}", record.step))?;
    Ok(step.again(&last))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
