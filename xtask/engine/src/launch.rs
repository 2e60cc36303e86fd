//! A program that is started, watched and ended on purpose, as a host does with its sidecar.
//!
//! Unlike a [command](super::exec::Run) of a step it is no event of its own: it is started dozens
//! of times to learn how it behaves.

use std::{
    io::{BufRead, BufReader, Read},
    process::{ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use process_wrap::std::{ChildWrapper, CommandWrap};

use super::{
    exec::{Exec, Interrupted, cannot_start, own_group},
    orphans::Running,
};

/// How often a program is looked at while one waits for it.
const POLL: Duration = Duration::from_millis(10);
/// How long output may stay open after the program is gone.
const LINGER: Duration = Duration::from_millis(500);

/// A line that a program printed.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whether it came from stdout, not stderr.
    pub stdout: bool,
    /// Without its end, secrets masked.
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

/// A program that runs. Dropping it kills it with all that it started.
pub struct Launched {
    exec: Exec,
    child: Box<dyn ChildWrapper>,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    printed: Vec<Line>,
    started: Instant,
    _running: Running,
}

impl Launched {
    /// Starts it in a group of its own, with a stdin that stays open.
    pub fn start(exec: &Exec, mut command: Command) -> Result<Self> {
        for name in &exec.withheld {
            if !command.get_envs().any(|(key, _)| key == name.as_str()) {
                command.env_remove(name);
            }
        }
        let program = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut wrap = CommandWrap::from(command);
        own_group(&mut wrap);
        let started = Instant::now();
        let mut child = wrap.spawn().with_context(|| cannot_start(&program))?;
        let running = exec.orphans.remember(child.id());
        let (sender, lines) = channel();
        pump(exec, child.stdout().take(), true, sender.clone());
        pump(exec, child.stderr().take(), false, sender);
        Ok(Self {
            exec: exec.clone(),
            stdin: child.stdin().take(),
            child,
            lines,
            printed: Vec::new(),
            started,
            _running: running,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn printed(&self) -> &[Line] {
        &self.printed
    }

    /// Waits until it prints this line to stdout; gives the time since its start, none if it ended
    /// or the time is up. `meanwhile` is called a hundred times a second.
    pub fn wait_for(
        &mut self,
        line: &str,
        within: Duration,
        mut meanwhile: impl FnMut(),
    ) -> Result<Option<Duration>> {
        let until = self.started + within;
        while Instant::now() < until {
            self.check_interrupted()?;
            match self.lines.recv_timeout(POLL) {
                Ok(found) => {
                    let is_it = found.stdout && found.text == line;
                    let after = found.at.duration_since(self.started);
                    self.printed.push(found);
                    if is_it {
                        return Ok(Some(after));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => meanwhile(),
            }
        }
        Ok(None)
    }

    /// Lets it see the end of its stdin, as when its parent vanished.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Asks it alone to end, not what it started: SIGTERM.
    #[cfg(unix)]
    pub fn terminate(&self) -> Result<()> {
        self.signal(nix::sys::signal::Signal::SIGTERM)
    }

    /// Kills it alone, not what it started: SIGKILL.
    #[cfg(unix)]
    pub fn kill(&self) -> Result<()> {
        self.signal(nix::sys::signal::Signal::SIGKILL)
    }

    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) -> Result<()> {
        let id = nix::unistd::Pid::from_raw(self.id().try_into()?);
        nix::sys::signal::kill(id, signal)?;
        Ok(())
    }

    /// Waits for its end and for the rest of what it prints; none if the time is up.
    pub fn wait(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let until = Instant::now() + within;
        loop {
            self.check_interrupted()?;
            self.printed.extend(self.lines.try_iter());
            if let Some(status) = self.child.try_wait()? {
                self.drain(LINGER);
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }

    /// Takes what is still printed, until both streams are closed or the time is up.
    pub fn drain(&mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while let Ok(line) = self
            .lines
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.printed.push(line);
        }
    }

    fn check_interrupted(&self) -> Result<()> {
        if self.exec.interrupted.load(Ordering::SeqCst) {
            bail!(Interrupted);
        }
        Ok(())
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.child.start_kill().ok();
        self.child.wait().ok();
    }
}

/// Reads a stream to its end in a thread of its own.
fn pump(
    exec: &Exec,
    stream: Option<impl Read + Send + 'static>,
    stdout: bool,
    lines: Sender<Line>,
) {
    let redactor = exec.redactor.clone();
    thread::spawn(move || {
        let Some(stream) = stream else { return };
        let mut reader = BufReader::new(stream);
        let mut raw = Vec::new();
        while reader.read_until(b'\n', &mut raw).is_ok_and(|n| n > 0) {
            let at = Instant::now();
            let text = String::from_utf8_lossy(&raw);
            let text = redactor.redact(console::strip_ansi_codes(text.trim_end()).as_ref());
            if lines.send(Line { stdout, text, at }).is_err() {
                return;
            }
            raw.clear();
        }
    });
}
