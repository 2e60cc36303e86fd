//! The one place that spawns a process.
//!
//! Every command gets its own process group (a job object on Windows), so that a time-out or
//! Ctrl-C ends it with all its children; its output goes to the step's log and to the events,
//! secrets masked; the variables that hold secrets are taken from its environment unless the
//! step hands one over. A command line is only ever a list of arguments, never a shell string.

mod end;
mod log;
mod output;
mod quiet;

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc,
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
    paste::{line, program_of},
    secret::Redactor,
};
use output::{Held, Piece, Seen};

pub use end::{CommandFailed, Finished, Interrupted};
pub use log::Log;
pub use quiet::{quiet, quiet_within, withhold};

/// How long a group may take to end after SIGTERM before it is killed.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(5);
/// How the status of a command begins that took too long.
const TIMED_OUT: &str = "timed out after";
/// How often a silent command is asked whether it ended.
const POLL: Duration = Duration::from_millis(50);
/// How long output may stay open after the process itself is gone (a daemon that it left behind).
const LINGER: Duration = Duration::from_secs(2);

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
        let line =
            self.exec
                .redactor
                .redact(&line(&self.command, &self.exec.root, &self.exec.redactor));
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
            log: self.log.path.clone(),
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

#[cfg(unix)]
pub(crate) fn own_group(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::ProcessGroup::leader());
}

#[cfg(windows)]
pub(crate) fn own_group(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::JobObject);
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
