//! A program that is started, watched and ended on purpose, as a host does with its sidecar.
//!
//! Unlike a [command](super::exec::Run) of a step it is no event of its own: it is started dozens
//! of times to learn how it behaves.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read},
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
/// How much of a stream is kept, in bytes: a program that prints without end fills no memory.
const KEPT: u64 = 4 << 20;

/// A line that a program printed.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whether it came from stdout, not stderr.
    pub stdout: bool,
    /// Without its end, secrets masked.
    pub text: String,
    /// Whether it had an end: the last thing that a stream says may have none.
    pub whole: bool,
    /// When it was read.
    pub at: Instant,
}

/// A program that runs. Dropping it kills it with its process group.
pub struct Launched {
    exec: Exec,
    child: Box<dyn ChildWrapper>,
    ended: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    /// Whether it, or something that it started, can still print.
    open: bool,
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
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut wrap = CommandWrap::from(command);
        own_group(&mut wrap);
        let (mut child, started) = spawn(&mut wrap)?;
        let running = exec.orphans.remember(child.id());
        let (sender, lines) = channel();
        pump(exec, child.stdout().take(), true, sender.clone());
        pump(exec, child.stderr().take(), false, sender);
        Ok(Self {
            exec: exec.clone(),
            stdin: child.stdin().take(),
            child,
            ended: None,
            lines,
            open: true,
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

    /// Whether anything can still be printed: the program, or something that it started, holds
    /// its output open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Waits until it prints this line to stdout; gives the time since its start, none if it ended,
    /// closed its output or the time is up. `meanwhile` is called about a hundred times a second.
    pub fn wait_for(
        &mut self,
        line: &str,
        within: Duration,
        mut meanwhile: impl FnMut(),
    ) -> Result<Option<Duration>> {
        let until = self.started + within;
        let mut seen = 0;
        loop {
            let over = !self.open || Instant::now() >= until || self.has_ended()?;
            if over {
                self.drain(LINGER);
            }
            let mut new = self.printed[seen..].iter();
            if let Some(found) = new.find(|it| it.stdout && it.whole && it.text == line) {
                // On a busy machine it may be taken late; what counts is when it was read.
                let after = found.at.duration_since(self.started);
                return Ok((after <= within).then_some(after));
            }
            if over {
                return Ok(None);
            }
            seen = self.printed.len();
            self.listen(POLL)?;
            meanwhile();
        }
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

    /// Kills it alone: `TerminateProcess`, not that of its job.
    #[cfg(not(unix))]
    pub fn kill(&mut self) -> Result<()> {
        if self.ended.is_none() {
            // What the job wraps is the process that it began with.
            (*self.child).inner_mut().start_kill()?;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) -> Result<()> {
        if self.ended.is_some() {
            // Its id may be another's by now.
            return Ok(());
        }
        let id = nix::unistd::Pid::from_raw(self.id().try_into()?);
        nix::sys::signal::kill(id, signal)?;
        Ok(())
    }

    /// Waits for its end and for the rest of what it prints; none if the time is up. What it
    /// started may live on.
    pub fn wait(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let until = Instant::now() + within;
        while !self.has_ended()? && Instant::now() < until {
            self.listen(POLL)?;
        }
        if self.ended.is_some() {
            self.drain(LINGER);
        }
        Ok(self.ended)
    }

    /// Lets the time pass, and takes what it prints. The error is Ctrl-C.
    pub fn listen(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            if self.exec.interrupted.load(Ordering::SeqCst) {
                bail!(Interrupted);
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left.min(POLL)) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    self.open = false;
                    thread::sleep(left.min(POLL));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= until {
                self.printed.extend(self.lines.try_iter());
                return Ok(());
            }
        }
    }

    /// Takes what is still printed, until nothing more can come or the time is up.
    pub fn drain(&mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.open = false;
                    return;
                }
            }
        }
    }

    /// Kills it with its process group, and takes what it had printed: also a line without an end,
    /// such as a question.
    pub fn kill_group(&mut self) {
        self.child.start_kill().ok();
        self.drain(LINGER);
    }

    /// Asks for the program itself: whether others of its group live is another question.
    fn has_ended(&mut self) -> Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.inner_mut().try_wait()?;
        }
        Ok(self.ended.is_some())
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.child.start_kill().ok();
        self.child.wait().ok();
    }
}

/// Starts it, and says when. A program that was written a moment ago may still count as being
/// written: another thread's child holds the file open until it has become its own program.
fn spawn(wrap: &mut CommandWrap) -> Result<(Box<dyn ChildWrapper>, Instant)> {
    let mut tries = 50;
    loop {
        let started = Instant::now();
        match wrap.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries > 0 => {
                tries -= 1;
                thread::sleep(POLL);
            }
            spawned => {
                let program = wrap.command().get_program().to_string_lossy();
                return Ok((spawned.with_context(|| cannot_start(&program))?, started));
            }
        }
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
        let (mut raw, mut left) = (Vec::new(), KEPT);
        loop {
            raw.clear();
            let read = (&mut reader).take(left).read_until(b'\n', &mut raw);
            let at = Instant::now();
            if !read.is_ok_and(|it| it > 0) {
                break;
            }
            left -= raw.len() as u64;
            let text = String::from_utf8_lossy(&raw);
            let text = redactor.redact(console::strip_ansi_codes(text.trim_end()).as_ref());
            let whole = raw.ends_with(b"\n");
            let line = Line {
                stdout,
                text,
                whole,
                at,
            };
            if lines.send(line).is_err() {
                return;
            }
        }
        // A full pipe would stop the program.
        std::io::copy(&mut reader, &mut std::io::sink()).ok();
    });
}
