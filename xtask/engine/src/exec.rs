//! The one place that spawns a process.
//!
//! Every command gets its own process group (a job object on Windows), so that a time-out or
//! Ctrl-C ends it with all its children; its output goes to the step's log and to the events,
//! secrets masked; the variables that hold secrets are taken from its environment unless the
//! step hands one over. A command line is only ever a list of arguments, never a shell string.

use std::{
    collections::VecDeque,
    fmt,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use process_wrap::std::{ChildWrapper, CommandWrap};

use super::{
    event::{Event, Events},
    orphans::Orphans,
    paste::{pasteable, program_of},
    secret::Redactor,
};

/// Lines of output that a failure shows.
const TAIL: usize = 20;
/// Lines of output that are kept for whoever looks for a word in them.
const PRINTED: usize = 5_000;
/// How long a group may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How the status of a command begins that took too long.
const TIMED_OUT: &str = "timed out after";
/// How often a silent command is asked whether it ended.
const POLL: Duration = Duration::from_millis(50);
/// How long output may stay open after the process itself is gone (a daemon that it left behind).
const LINGER: Duration = Duration::from_secs(2);
/// How long a program may take to say its version.
const ANSWER: Duration = Duration::from_secs(20);

/// What all commands of a run share.
#[derive(Clone)]
pub struct Exec {
    /// Where commands start and what printed paths are relative to.
    pub root: PathBuf,
    /// Receives what the commands do.
    pub events: Events,
    /// Masks secrets in everything that leaves this module.
    pub redactor: Redactor,
    /// Set by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
    /// Names of variables that no child inherits.
    pub withheld: Vec<String>,
    /// Remembers the running groups, for the run after a crash.
    pub orphans: Orphans,
    /// The longest that one command may take.
    pub timeout: Duration,
}

/// Where a step's output goes: the file that a failure names.
#[derive(Clone)]
pub struct Log {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// None until the step runs: deciding writes no log.
    file: Option<Arc<Mutex<std::fs::File>>>,
}

impl Log {
    /// The log of a step that does not run yet; its older log stays.
    pub fn at(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Starts a new log, in the place of an older one.
    pub fn create(path: PathBuf) -> Result<Self> {
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = Arc::new(Mutex::new(fs_err::File::create(&path)?.into_parts().0));
        Ok(Self {
            path,
            file: Some(file),
        })
    }

    /// Adds a line. The error is the disk's (full, read-only).
    pub fn line(&self, line: &str) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A command did not end well. The reporter shows its parts one by one.
#[derive(Clone, Debug)]
pub struct CommandFailed {
    /// As it can be pasted into a shell.
    pub command: String,
    /// `exit status: 1`, `timed out after 30s`, `interrupted`.
    pub status: String,
    /// What it exited with; none if a signal or a time-out ended it.
    pub code: Option<i32>,
    /// The last lines of its output, masked.
    pub tail: Vec<String>,
    /// The last few thousand lines, masked: what decides is not always what is printed last.
    pub printed: Vec<String>,
    /// The step's log.
    pub log: PathBuf,
}

impl CommandFailed {
    /// Whether it was ended because it took too long.
    pub fn timed_out(&self) -> bool {
        self.status.starts_with(TIMED_OUT)
    }
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed: {}", program_of(&self.command), self.status)
    }
}

impl std::error::Error for CommandFailed {}

/// The user pressed Ctrl-C, or the system asked the run to end.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A process that ended, with what it printed.
#[derive(Debug)]
pub struct Finished {
    /// How it ended; a time-out or Ctrl-C is an error instead.
    pub status: ExitStatus,
    /// All that it printed to stdout, not masked.
    pub stdout: Vec<u8>,
    /// Its last lines of both streams, masked.
    pub tail: Vec<String>,
    /// The last few thousand lines of both streams, masked.
    pub printed: Vec<String>,
    /// The command as it can be pasted.
    pub command: String,
}

/// A command about to run on behalf of a step.
pub struct Run<'a> {
    exec: &'a Exec,
    step: &'a str,
    log: &'a Log,
    command: Command,
    stdin: Option<Vec<u8>>,
    hold_stdin: Option<(String, Duration)>,
    stdout_is_data: bool,
    jobs: Option<jobserver::Client>,
    timeout: Duration,
}

impl<'a> Run<'a> {
    /// Prepares the command; `xshell::cmd!(…)` is welcome here.
    pub fn new(exec: &'a Exec, step: &'a str, log: &'a Log, command: impl Into<Command>) -> Self {
        let timeout = exec.timeout;
        Self {
            exec,
            step,
            log,
            command: command.into(),
            stdin: None,
            hold_stdin: None,
            stdout_is_data: false,
            jobs: None,
            timeout,
        }
    }

    /// Feeds these bytes, then end of file. Without it stdin is empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Keeps stdin open until the process prints this line to stdout: it then sees the end of file
    /// that a vanished parent would leave. Without the line in time the command is ended.
    pub fn hold_stdin_until(mut self, line: &str, within: Duration) -> Self {
        self.hold_stdin = Some((line.to_owned(), within));
        self
    }

    /// What it prints to stdout is for a program to read: it would fill the log and
    /// crowd out the last lines of a failure that a person can read.
    pub fn stdout_is_data(mut self) -> Self {
        self.stdout_is_data = true;
        self
    }

    /// Lets it take tokens from this job server for the processes that it starts. The printed
    /// command does not show that: pasted, it would find no server.
    pub fn sharing(mut self, jobs: Option<jobserver::Client>) -> Self {
        self.jobs = jobs;
        self
    }

    /// Ends the command when it takes longer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs to a good end.
    pub fn run(self) -> Result<()> {
        self.checked().map(drop)
    }

    /// Runs to a good end and gives what it printed to stdout.
    pub fn read(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.checked()?.stdout)
            .trim_end()
            .to_owned())
    }

    /// Runs, and fails unless the exit status is 0.
    pub fn checked(self) -> Result<Finished> {
        let log = self.log.path.clone();
        let finished = self.output()?;
        if !finished.status.success() {
            let status = finished.status.to_string();
            bail!(CommandFailed {
                command: finished.command,
                code: finished.status.code(),
                status,
                tail: finished.tail,
                printed: finished.printed,
                log
            });
        }
        Ok(finished)
    }

    /// Runs; a bad exit status is the caller's to judge.
    pub fn output(mut self) -> Result<Finished> {
        if self.command.get_current_dir().is_none() && self.exec.root != Path::new("") {
            self.command.current_dir(&self.exec.root);
        }
        let line = self
            .exec
            .redactor
            .redact(&pasteable(&self.command, &self.exec.root));
        for name in &self.exec.withheld {
            // A value that the step set itself stays: it is the tool that needs it.
            if !self.command.get_envs().any(|(key, _)| key == name.as_str()) {
                self.command.env_remove(name);
            }
        }
        self.exec.events.emit(Event::CommandStarted {
            step: self.step.to_owned(),
            command: line.clone(),
        });
        self.log.line(&format!("$ {line}"))?;
        let started = Instant::now();
        let outcome = self.spawn_and_wait(&line);
        let (status, ok) = match &outcome {
            Ok(finished) => (finished.status.to_string(), finished.status.success()),
            Err(error) => (status_of(error), false),
        };
        let seconds = started.elapsed().as_secs_f64();
        self.log.line(&format!("[{status}, {seconds:.2} s]"))?;
        let step = self.step.to_owned();
        self.exec.events.emit(Event::CommandFinished {
            step,
            command: line,
            status,
            ok,
            seconds,
        });
        outcome
    }

    fn spawn_and_wait(&mut self, line: &str) -> Result<Finished> {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let mut command = std::mem::replace(&mut self.command, Command::new(""));
        if let Some(jobs) = &self.jobs {
            jobs.configure(&mut command);
        }
        let mut wrap = CommandWrap::from(command);
        wrap.command_mut()
            .stdin(if self.stdin.is_some() || self.hold_stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        own_group(&mut wrap);
        let mut child = wrap.spawn().with_context(|| cannot_start(&program))?;
        let _running = self.exec.orphans.remember(child.id());
        let (lines, collected) = channel();
        let out = self.pump(child.stdout().take(), true, &lines);
        let err = self.pump(child.stderr().take(), false, &lines);
        drop(lines);
        let mut seen = Seen::default();
        let stdin = child.stdin().take();
        match (self.stdin.take(), self.hold_stdin.take(), stdin) {
            // Its own thread: a process that prints before it reads must not block us.
            (Some(bytes), _, Some(mut stdin)) => {
                thread::spawn(move || stdin.write_all(&bytes));
            }
            (None, Some((line, within)), stdin) => {
                seen.held = stdin.map(|stdin| Held {
                    line,
                    within,
                    _stdin: stdin,
                });
            }
            _ => {}
        }
        let status = self.wait(child.as_mut(), &collected, &mut seen, line)?;
        seen.drain_for(&collected, LINGER);
        if !out.is_finished() || !err.is_finished() {
            // Something that the command left behind holds its output open; it must not live on.
            child.start_kill().ok();
        }
        if let Some(error) = seen.log_error {
            bail!(error);
        }
        Ok(Finished {
            status,
            tail: seen.tail(),
            stdout: seen.stdout,
            printed: seen.printed.into(),
            command: line.into(),
        })
    }

    fn wait(
        &self,
        child: &mut dyn ChildWrapper,
        collected: &Receiver<Piece>,
        seen: &mut Seen,
        line: &str,
    ) -> Result<ExitStatus> {
        let started = Instant::now();
        let mut closed = Duration::from_millis(1);
        loop {
            let held = seen.held.as_ref().map(|it| it.within);
            let limit = held.map_or(self.timeout, |it| it.min(self.timeout));
            match collected.recv_timeout(POLL) {
                Ok(piece) => {
                    seen.take(piece);
                    if started.elapsed() < limit && !self.is_interrupted() {
                        continue;
                    }
                }
                // Both streams are closed: the end is mostly a matter of a moment.
                Err(RecvTimeoutError::Disconnected) => {
                    thread::sleep(closed);
                    closed = (closed * 2).min(POLL);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.is_interrupted() {
                end_group(child);
                bail!(Interrupted);
            }
            if started.elapsed() >= limit {
                end_group(child);
                seen.drain_for(collected, LINGER);
                bail!(CommandFailed {
                    command: line.to_owned(),
                    status: format!("{TIMED_OUT} {} s", limit.as_secs_f64()),
                    code: None,
                    tail: seen.tail(),
                    printed: std::mem::take(&mut seen.printed).into(),
                    log: self.log.path.clone(),
                });
            }
        }
    }

    fn is_interrupted(&self) -> bool {
        self.exec.interrupted.load(Ordering::SeqCst)
    }

    /// Reads a stream to its end in a thread of its own: log, events and the channel get each
    /// line as soon as it is there.
    fn pump(
        &self,
        stream: Option<impl Read + Send + 'static>,
        keep: bool,
        lines: &Sender<Piece>,
    ) -> thread::JoinHandle<()> {
        let (exec, log, step) = (self.exec.clone(), self.log.clone(), self.step.to_owned());
        let lines = lines.clone();
        let for_people = !(keep && self.stdout_is_data);
        thread::spawn(move || {
            let Some(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let mut raw = Vec::new();
            while reader.read_until(b'\n', &mut raw).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&raw);
                let mut text = exec
                    .redactor
                    .redact(console::strip_ansi_codes(text.trim_end()).as_ref());
                let mut log_error = None;
                if for_people {
                    log_error = log.line(&text).err();
                    exec.events.emit(Event::CommandOutput {
                        step: step.clone(),
                        line: text.clone(),
                    });
                } else {
                    text.clear();
                }
                let stdout = if keep {
                    std::mem::take(&mut raw)
                } else {
                    Vec::new()
                };
                raw.clear();
                lines
                    .send(Piece {
                        text,
                        stdout,
                        log_error,
                    })
                    .ok();
            }
        })
    }
}

/// One line as the pump threads hand it over.
struct Piece {
    text: String,
    stdout: Vec<u8>,
    log_error: Option<anyhow::Error>,
}

/// A stdin that stays open until a line is printed.
struct Held {
    line: String,
    /// How long the line may take.
    within: Duration,
    _stdin: std::process::ChildStdin,
}

/// What a process printed so far.
#[derive(Default)]
struct Seen {
    /// Dropped, and so closed, when the line is printed.
    held: Option<Held>,
    stdout: Vec<u8>,
    printed: VecDeque<String>,
    log_error: Option<anyhow::Error>,
}

impl Seen {
    fn take(&mut self, piece: Piece) {
        if self
            .held
            .as_ref()
            .is_some_and(|it| !piece.stdout.is_empty() && it.line == piece.text)
        {
            self.held = None;
        }
        self.stdout.extend(piece.stdout);
        self.log_error = self.log_error.take().or(piece.log_error);
        if piece.text.is_empty() {
            return;
        }
        if self.printed.len() == PRINTED {
            self.printed.pop_front();
        }
        self.printed.push_back(piece.text);
    }

    fn tail(&self) -> Vec<String> {
        let above = self.printed.len().saturating_sub(TAIL);
        self.printed.iter().skip(above).cloned().collect()
    }

    fn drain_for(&mut self, collected: &Receiver<Piece>, at_most: Duration) {
        let until = Instant::now() + at_most;
        while let Ok(piece) = collected.recv_timeout(until.duration_since(Instant::now())) {
            self.take(piece);
        }
    }
}

#[cfg(unix)]
pub(crate) fn own_group(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::ProcessGroup::leader());
}

#[cfg(windows)]
pub(crate) fn own_group(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::JobObject);
}

/// What [`quiet`] keeps from its children. Questions are asked where no run is at hand, and git
/// alone may start hooks and filters of the repository's.
static WITHHELD: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Keeps these variables from everything that [`quiet`] asks from now on.
pub fn withhold(names: impl IntoIterator<Item = String>) {
    let mut withheld = WITHHELD.write().unwrap_or_else(PoisonError::into_inner);
    withheld.extend(names);
    withheld.sort_unstable();
    withheld.dedup();
}

/// Asks a program something small, such as its version: without event or log, within 20 s. Gives
/// whether it ended well, and what it printed to stdout, or else the end of what it said at all.
pub fn quiet(command: Command) -> Result<(bool, String)> {
    quiet_within(command, ANSWER)
}

/// [`quiet`] with a limit of its own, for questions about a whole repository.
pub fn quiet_within(command: Command, timeout: Duration) -> Result<(bool, String)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let exec = Exec {
        root: std::env::current_dir()?,
        events: Events::default(),
        redactor: Redactor::default(),
        interrupted: Arc::default(),
        withheld: WITHHELD
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
        // No folder can have this name: what ends by itself in a moment need not be remembered.
        orphans: Orphans::new(PathBuf::from("\0")),
        timeout,
    };
    let log = Log::at(PathBuf::new());
    let finished = Run::new(&exec, "", &log, command)
        .output()
        .map_err(|error| match error.downcast_ref::<CommandFailed>() {
            Some(failed) => anyhow::anyhow!("`{program}` gave no answer: {}", failed.status),
            None => error,
        })?;
    let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
    let text = if stdout.trim().is_empty() {
        finished.tail.join("\n")
    } else {
        stdout
    };
    Ok((finished.status.success(), text))
}

/// Asks the whole group to end, then makes it.
fn end_group(child: &mut dyn ChildWrapper) {
    #[cfg(unix)]
    {
        const SIGTERM: i32 = 15;
        child.signal(SIGTERM).ok();
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    // Also after the leader ended: its children may have ignored the signal.
    child.start_kill().ok();
    child.try_wait().ok();
}

fn status_of(error: &anyhow::Error) -> String {
    match error.downcast_ref::<CommandFailed>() {
        Some(failed) => failed.status.clone(),
        None => error.to_string(),
    }
}

pub(crate) fn cannot_start(program: &str) -> String {
    format!("cannot start `{program}`; `cargo xtask doctor` says how to install what is missing")
}
