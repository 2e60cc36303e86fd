//! Facts about a run. The engine and the steps emit them, reporters decide what is shown.
//!
//! With `--format json` each event is one line on stdout, and the last run's events are kept in
//! `target/dist/<target>/last-run.jsonl`; both are the serialized [`Stamped`]. The tag `event`
//! names the kind; fields may be added, but none is renamed or removed.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

/// One fact. Times are in seconds, sizes in bytes, paths are absolute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "the variants' documentation names their fields"
)]
pub enum Event {
    /// The run begins; `steps` are all that the pipeline has, in order.
    RunStarted {
        command: String,
        target: String,
        steps: Vec<String>,
        jobs: usize,
        logs: PathBuf,
    },
    /// A step begins its work; `why` says in one line what makes it necessary.
    StepStarted {
        step: String,
        why: String,
        log: PathBuf,
    },
    /// A step's record is still true: nothing ran. `bytes` is the size of all its artifacts.
    StepReused {
        step: String,
        artifacts: usize,
        bytes: u64,
    },
    /// A step was taken as recorded because the command line said so, though it may be stale.
    StepKept {
        step: String,
        why: String,
        bytes: u64,
    },
    /// A step finished and its record is durable. `seconds` is wall time; `changed` is false when
    /// the output came out identical to the recorded one, so nothing after it has to run.
    StepFinished {
        step: String,
        seconds: f64,
        artifacts: usize,
        bytes: u64,
        changed: bool,
    },
    /// Work that is never recorded, such as tests, went well; `result` sums it up.
    StepPassed {
        step: String,
        seconds: f64,
        result: String,
    },
    /// A step failed; the run stops after what runs beside it has ended.
    StepFailed {
        step: String,
        seconds: f64,
        failure: Failure,
    },
    /// Only in a plan: the step would run, and why.
    StepPlanned { step: String, why: String },
    /// Only in a plan: whether the step runs depends on the output of others.
    StepPending { step: String, after: Vec<String> },
    /// The step's record and files were removed: the next run does its work again.
    StepForgotten { step: String },
    /// The command line left the step out.
    StepLeftOut { step: String, why: String },
    /// A process was started; `command` can be pasted into a shell, secrets are masked.
    CommandStarted { step: String, command: String },
    /// A line that a process printed, secrets masked, without its line end.
    CommandOutput { step: String, line: String },
    /// A process ended.
    CommandFinished {
        step: String,
        command: String,
        status: String,
        ok: bool,
        seconds: f64,
    },
    /// Something that a reader of the run should know. `step` is empty for the run as a whole.
    Note {
        step: String,
        level: Level,
        text: String,
    },
    /// A decision that also goes into the manifest, such as the freezer and why.
    Fact {
        step: String,
        key: String,
        value: String,
    },
    /// Something that the machine should have was looked for; `wanted_for` says by which step.
    /// `found` is its version or place, `problem` what is wrong, and `fix` what helps: without a
    /// problem it is a recommendation.
    ToolChecked {
        tool: String,
        wanted_for: String,
        found: Option<String>,
        problem: Option<String>,
        fix: Option<String>,
    },
    /// One of several ways to do a step's work failed: that of a `tool`, in the `variant` that it
    /// tried. `class` is the kind of failure (`out-of-memory`), `lines` are the decisive ones of
    /// its output, `transient` says whether the same inputs may do better at the next run, and
    /// `next` is the tool that is tried instead. A note or the step's failure tells people the
    /// same.
    AttemptFailed {
        step: String,
        tool: String,
        version: Option<String>,
        variant: String,
        class: String,
        transient: bool,
        lines: Vec<String>,
        next: Option<String>,
    },
    /// Whether a step of the pipeline can be done on this machine. If not, `why` says so in a line,
    /// and `elsewhere` names the runner whose job does it; `fix` is what to type where something is
    /// only missing.
    StepChecked {
        step: String,
        here: bool,
        why: Option<String>,
        fix: Option<String>,
        elsewhere: Option<String>,
    },
    /// The run failed outside of a step.
    RunFailed { failure: Failure },
    /// The release is complete at `folder`. `identity` says how it is signed.
    Released {
        folder: PathBuf,
        files: Vec<ReleasedFile>,
        identity: String,
    },
    /// All runs of a command for several targets are over. Those that Ctrl-C left no time for are not
    /// among them.
    TargetsFinished {
        ok: bool,
        seconds: f64,
        targets: Vec<TargetEnded>,
    },
    /// The run is over. `next` is the command to type next, or what to do.
    RunFinished {
        ok: bool,
        seconds: f64,
        next: Option<String>,
    },
}

/// One file of the finished release; `path` is relative to its folder, with `/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleasedFile {
    /// `installer`, `archive`, `signature`, `checksums` or `manifest`.
    pub kind: String,
    /// Relative to the release folder, with `/` on every platform.
    pub path: String,
    /// In bytes.
    pub size: u64,
}

/// How the run for one of several targets ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetEnded {
    /// As it was named.
    pub target: String,
    /// Its Rust target triple.
    pub triple: String,
    /// What a process for it alone would have ended with; 0 is good.
    pub status: u8,
    /// What to type next.
    pub next: Option<String>,
}

/// How important a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be, but the run goes on.
    Warning,
}

/// Why a step failed, with all that is needed to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The error and its causes, outermost first.
    pub chain: Vec<String>,
    /// The command that failed, as it can be pasted; none if no process was involved.
    pub command: Option<String>,
    /// `exit status: 1`, `signal: 9`, `timed out after 30 s`.
    pub status: Option<String>,
    /// The last lines that it printed.
    pub tail: Vec<String>,
    /// The step's log.
    pub log: Option<PathBuf>,
    /// What the user can do about it, one line each.
    pub hints: Vec<String>,
    /// The command that resumes here.
    pub resume: String,
}

/// An event with the time at which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// RFC 3339, UTC, milliseconds.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Reads events; called from several threads, one event at a time.
pub trait Reporter: Send {
    /// Shows, stores or ignores one event.
    fn report(&mut self, event: &Stamped);
}

/// Where events go. Cheap to clone; all clones feed the same reporters.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Box<dyn Reporter>>>>);

impl Events {
    /// Events for these reporters, which see each event in the order given.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Self(Arc::new(Mutex::new(reporters)))
    }

    /// Adds a reporter; it sees what is emitted from now on.
    pub fn add(&self, reporter: Box<dyn Reporter>) {
        self.lock().push(reporter);
    }

    /// Stamps the event with the current time and hands it to every reporter.
    pub fn emit(&self, event: Event) {
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let stamped = Stamped { at, event };
        for reporter in self.lock().iter_mut() {
            reporter.report(&stamped);
        }
    }

    /// A reporter that panicked must not silence the others.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Reporter>>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
