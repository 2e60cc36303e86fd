//! One child process and the threads that serve its streams.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::state::Tail;

/// A running child. Dropping it kills it.
pub(crate) struct Process {
    running: Mutex<Running>,
    /// Lines on their way to the child. Its own thread writes them, because a child
    /// that does not read would otherwise block whoever wants to end it.
    input: Mutex<Option<Sender<String>>>,
    stderr: Tail,
    stderr_closed: Mutex<Receiver<()>>,
}

impl Process {
    /// Starts the child; its standard output arrives line by line on the receiver,
    /// which is disconnected when the stream ends.
    pub(crate) fn spawn(mut command: Command) -> io::Result<(Self, Receiver<String>)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        detach(&mut command);
        let mut running = Running::new(command.spawn()?)?;
        let child = &mut running.child;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());

        let (input, queued) = mpsc::channel();
        thread::spawn(move || write_lines(stdin, queued));
        let (lines_in, lines) = mpsc::channel();
        thread::spawn(move || read_lines(stdout, |line| lines_in.send(line).is_ok()));
        let tail = Tail::default();
        let (closing, stderr_closed) = mpsc::channel();
        let kept = tail.clone();
        thread::spawn(move || {
            let _held_until_the_end = closing;
            read_lines(stderr, |line| {
                kept.push(line);
                true
            });
        });

        let process = Self {
            running: Mutex::new(running),
            input: Mutex::new(Some(input)),
            stderr: tail,
            stderr_closed: Mutex::new(stderr_closed),
        };
        Ok((process, lines))
    }

    /// Queues a line for the child; false when its input is closed.
    pub(crate) fn write(&self, line: String) -> bool {
        self.input.lock().unwrap().as_ref().is_some_and(|input| input.send(line).is_ok())
    }

    /// Ends the child: closes its input, waits for it to go, then kills it.
    pub(crate) fn end(&self, grace: Duration) -> Option<ExitStatus> {
        self.input.lock().unwrap().take();
        let deadline = Instant::now() + grace;
        loop {
            let mut running = self.running.lock().unwrap();
            if let Ok(Some(status)) = running.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                running.kill();
                return running.child.wait().ok();
            }
            drop(running);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the child wrote to its standard error last. Call it after the child ended:
    /// it waits a moment for what is still in the pipe.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let _ = self.stderr_closed.lock().unwrap().recv_timeout(Duration::from_millis(500));
        self.stderr.lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// A group of its own, so that killing reaches the program inside a one-file wrapper.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// No console window next to the app's own.
#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

/// A child, and what reaches all that it starts.
struct Running {
    child: Child,
    /// Closing it kills what is inside. The system closes it when the app is killed: the sidecar
    /// then goes even if it takes no notice of its input.
    #[cfg(windows)]
    job: Option<win32job::Job>,
}

impl Running {
    #[cfg(unix)]
    fn new(child: Child) -> io::Result<Self> {
        Ok(Self { child })
    }

    /// What the child starts before it is in the job would stay outside. It gets there before a
    /// one-file wrapper has unpacked anything.
    #[cfg(windows)]
    fn new(mut child: Child) -> io::Result<Self> {
        use std::os::windows::io::AsRawHandle;
        let mut limits = win32job::ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let handle = child.as_raw_handle() as isize;
        let job = win32job::Job::create_with_limit_info(&limits);
        match job.and_then(|job| job.assign_process(handle).map(|()| job)) {
            Ok(job) => Ok(Self { child, job: Some(job) }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(io::Error::other(error))
            }
        }
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) =
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            // Not reaped yet, so the number still belongs to this child.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        #[cfg(windows)]
        drop(self.job.take());
        let _ = self.child.kill();
    }
}

fn write_lines(stdin: Option<ChildStdin>, lines: Receiver<String>) {
    let Some(mut stdin) = stdin else { return };
    // Leaving drops stdin, which is how the child learns that it is over.
    for line in lines {
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(stream: Option<impl Read>, mut take: impl FnMut(String) -> bool) {
    let Some(stream) = stream else { return };
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
        // Bytes that are not UTF-8 are no reason to stop reading.
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if !take(text) {
            return;
        }
    }
}
