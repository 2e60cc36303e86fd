//! The one sidecar of an app, over as many starts as it takes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::Process;
use crate::state::{Failure, State};
use crate::wire::{self, Line};

/// What to start, and how patient to be with it.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The sidecar's executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// How long it may take to say `READY`.
    pub ready_within: Duration,
    /// How long it may take to end once its input is closed.
    pub grace: Duration,
}

impl Launch {
    /// A program without arguments and the usual patience: 30 s to start, 3 s to end.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            ready_within: Duration::from_secs(30),
            grace: Duration::from_secs(3),
        }
    }
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The sidecar is not ready.
    NotReady,
    /// The sidecar ended before it answered.
    Lost,
    /// The sidecar's own message, meant for the user.
    Refused(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("The analyzer is not ready"),
            Self::Lost => f.write_str("The analyzer ended before it answered"),
            Self::Refused(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for RequestError {}

type Answer = Result<Value, String>;

/// Starts a sidecar, follows its state, and ends it, at the latest when dropped.
pub struct Supervisor(Arc<Shared>);

struct Shared {
    launch: Launch,
    watcher: Box<dyn Fn(&State) + Send + Sync>,
    now: Mutex<Now>,
    /// Held from the end of one run to the start of the next: two restarts at once
    /// would otherwise leave a process that nobody knows of.
    changing: Mutex<()>,
    /// Held while a state is reported, so that reports arrive in order.
    reporting: Mutex<()>,
    next_id: AtomicU64,
}

struct Now {
    state: State,
    run: Option<Arc<Run>>,
}

/// One start of the sidecar.
struct Run {
    process: Process,
    /// Who waits for which answer; `None` once nobody can be answered any more.
    waiting: Mutex<Option<HashMap<u64, Sender<Answer>>>>,
}

impl Supervisor {
    /// Starts nothing yet. `watcher` hears of every change of state, in order and from
    /// other threads; it must not start or stop the sidecar itself.
    pub fn new(launch: Launch, watcher: impl Fn(&State) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            launch,
            watcher: Box::new(watcher),
            now: Mutex::new(Now { state: State::Stopped, run: None }),
            changing: Mutex::new(()),
            reporting: Mutex::new(()),
            next_id: AtomicU64::new(1),
        }))
    }

    /// The state right now.
    pub fn state(&self) -> State {
        self.0.now.lock().unwrap().state.clone()
    }

    /// Starts the sidecar, ending the one that runs. Returns at once; the watcher hears
    /// how it went.
    pub fn restart(&self) {
        let _alone = self.0.changing.lock().unwrap();
        self.end_run(State::Starting);
        let mut command = Command::new(&self.0.launch.program);
        command.args(&self.0.launch.args);
        match Process::spawn(command) {
            Ok((process, lines)) => {
                let run = Arc::new(Run { process, waiting: Mutex::new(Some(HashMap::new())) });
                self.0.now.lock().unwrap().run = Some(Arc::clone(&run));
                let shared = Arc::downgrade(&self.0);
                let ready_by = Instant::now() + self.0.launch.ready_within;
                thread::spawn(move || follow(&shared, &run, &lines, ready_by));
            }
            Err(error) => {
                let text = format!("{}: {error}", self.0.launch.program.display());
                let reason = Failure::NotStarted(error.kind(), text);
                self.0.report(|now| now.state = State::Failed { reason, stderr: Vec::new() });
            }
        }
    }

    /// Ends the sidecar; when this returns, its process is gone.
    pub fn stop(&self) {
        let _alone = self.0.changing.lock().unwrap();
        self.end_run(State::Stopped);
    }

    /// Asks the sidecar and waits for its answer.
    pub fn request(&self, method: &str, params: &Value) -> Result<Value, RequestError> {
        let run = {
            let now = self.0.now.lock().unwrap();
            let ready = matches!(now.state, State::Ready { .. });
            now.run.clone().filter(|_| ready).ok_or(RequestError::NotReady)?
        };
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = mpsc::channel();
        run.waiting.lock().unwrap().as_mut().ok_or(RequestError::Lost)?.insert(id, sender);
        if !run.process.write(wire::request(id, method, params)) {
            return Err(RequestError::Lost);
        }
        drop(run);
        match answer.recv() {
            Ok(answer) => answer.map_err(RequestError::Refused),
            Err(mpsc::RecvError) => Err(RequestError::Lost),
        }
    }

    fn end_run(&self, next: State) {
        let mut run = None;
        self.0.report(|now| {
            now.state = next;
            // From here on the run's own thread cannot change the state any more.
            run = now.run.take();
        });
        if let Some(run) = run {
            run.process.end(self.0.launch.grace);
            run.abandon();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(run) = self.0.now.lock().unwrap().run.take() {
            run.process.end(Duration::ZERO);
        }
    }
}

impl Shared {
    fn report(&self, change: impl FnOnce(&mut Now)) {
        let _in_order = self.reporting.lock().unwrap();
        let state = {
            let mut now = self.now.lock().unwrap();
            change(&mut now);
            now.state.clone()
        };
        (self.watcher)(&state);
    }

    /// Sets the state on behalf of a run, unless that run has been replaced.
    fn report_for(&self, run: &Arc<Run>, state: State) {
        let current = |now: &Now| now.run.as_ref().is_some_and(|it| Arc::ptr_eq(it, run));
        let _in_order = self.reporting.lock().unwrap();
        {
            let mut now = self.now.lock().unwrap();
            if !current(&now) {
                return;
            }
            if matches!(state, State::Failed { .. }) {
                now.run = None;
            }
            now.state = state.clone();
        }
        (self.watcher)(&state);
    }
}

/// How a run came to its end.
enum End {
    /// Its output ended.
    Closed,
    /// It was not ready in time.
    Late,
    /// It broke the protocol.
    Broken(Failure),
}

/// Reads a run's output until it ends, breaks the protocol or is not ready in time.
fn follow(shared: &Weak<Shared>, run: &Arc<Run>, lines: &Receiver<String>, ready_by: Instant) {
    let mut version = None;
    let mut ready = false;
    let end = loop {
        let line = match next_line(lines, (!ready).then_some(ready_by)) {
            Ok(line) => Line::parse(&line),
            Err(RecvTimeoutError::Timeout) => break End::Late,
            Err(RecvTimeoutError::Disconnected) => break End::Closed,
        };
        match line {
            Line::Boot(named) => version = named,
            Line::Ready if ready => break End::Broken(Failure::ReadyTwice),
            Line::Ready => {
                ready = true;
                let Some(shared) = shared.upgrade() else { return };
                shared.report_for(run, State::Ready { version: version.take() });
            }
            Line::Answer(id, answer) => run.answer(id, answer),
            Line::Garbage(line) => break End::Broken(Failure::Garbage(line)),
            Line::Shutdown | Line::Other => {}
        }
    };
    conclude(shared, run, end, ready);
}

fn conclude(shared: &Weak<Shared>, run: &Arc<Run>, end: End, ready: bool) {
    let Some(shared) = shared.upgrade() else { return };
    // Closing stdout is the usual last act of a program: give it time to end by itself,
    // so that the status is its own. One that is merely late gets none.
    let grace = if matches!(end, End::Late) { Duration::ZERO } else { shared.launch.grace };
    let status = run.process.end(grace).map(|status| status.to_string());
    let reason = match end {
        End::Closed if ready => Failure::Lost(status),
        End::Closed => Failure::EndedEarly(status),
        End::Late => Failure::NotReady(shared.launch.ready_within),
        End::Broken(failure) => failure,
    };
    let stderr = run.process.last_words();
    shared.report_for(run, State::Failed { reason, stderr });
    // Last, so that whoever is told `Lost` already finds the state failed.
    run.abandon();
}

fn next_line(lines: &Receiver<String>, by: Option<Instant>) -> Result<String, RecvTimeoutError> {
    let Some(by) = by else { return lines.recv().map_err(|_| RecvTimeoutError::Disconnected) };
    let left = by.saturating_duration_since(Instant::now());
    // A program that never stops talking always has a line waiting: time is up all the same.
    if left.is_zero() { Err(RecvTimeoutError::Timeout) } else { lines.recv_timeout(left) }
}

impl Run {
    fn answer(&self, id: u64, answer: Answer) {
        let asker = self.waiting.lock().unwrap().as_mut().and_then(|all| all.remove(&id));
        if let Some(asker) = asker {
            // Whoever asked may have given up.
            let _ = asker.send(answer);
        }
    }

    /// Tells everybody who still waits that there will be no answer.
    fn abandon(&self) {
        self.waiting.lock().unwrap().take();
    }
}
