//! The trial of a frozen program: it is started many times, the way a host starts it, and each time
//! must get ready, end when it should, and leave nothing behind.
//!
//! It runs from a copy in a folder whose name has a space and a letter outside of ASCII, in an
//! empty folder, with nothing of the build's environment: what it finds there only by accident is
//! missing on a user's machine.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{candidate::Candidate, judge::Heard, startup::Startup};
use crate::{
    config,
    engine::{
        launch::{Launched, Line},
        processes::Processes,
        staging,
        step::Context,
    },
    steps::{copy, copy_tree},
    tools::python::Environment,
};

/// How long a program may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Starts the candidate as a child that outlives its parent's death by nothing but its stdin.
const PARENT: &str = "import subprocess, sys\n\
                      subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()\n";

/// How a launch is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Its stdin is closed, as a host does when it ends.
    StdinClosed,
    /// It gets SIGTERM, as when a session ends.
    Terminated,
    /// Its parent gets SIGKILL.
    ParentKilled,
}

impl How {
    /// Mostly the ordinary end; every fourth launch each of the others. There is no SIGTERM on
    /// Windows, and its job objects end a child with its parent.
    fn of(number: usize) -> Self {
        match number % 4 {
            2 if cfg!(unix) => Self::Terminated,
            0 if cfg!(unix) => Self::ParentKilled,
            _ => Self::StdinClosed,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::StdinClosed => "its stdin was closed",
            Self::Terminated => "SIGTERM",
            Self::ParentKilled => "its parent was killed",
        }
    }
}

/// One launch.
#[derive(Clone, Debug, Serialize)]
pub struct Launch {
    /// From 1.
    pub number: usize,
    /// How it was ended.
    pub how: How,
    /// Whether its files had to be read from the disk.
    pub cold: bool,
    /// Time to `READY`, in milliseconds.
    pub ready_ms: Option<f64>,
    /// The most memory that its processes held at once, in bytes.
    pub peak_memory: u64,
    /// What it did wrong; none if nothing.
    pub failure: Option<String>,
    /// The version that its `BOOT` line reports.
    #[serde(skip)]
    pub version: Option<String>,
    /// A module that it missed.
    #[serde(skip)]
    pub missing_module: Option<String>,
}

/// What a trial showed.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// All launches, in order.
    pub launches: Vec<Launch>,
    /// Whether too many of them failed.
    pub rejected: bool,
    /// The figures of those that got ready.
    pub startup: Startup,
    /// Size on the disk, in bytes.
    pub bytes: u64,
    /// How many files it consists of.
    pub files: usize,
    /// Where stdout, stderr and exit status of the failed launches are kept.
    pub kept: PathBuf,
}

impl Report {
    /// The failed launches.
    pub fn failed(&self) -> impl Iterator<Item = &Launch> {
        self.launches.iter().filter(|it| it.failure.is_some())
    }

    /// The version that the program reported; none if it reports none.
    pub fn version(&self) -> Option<String> {
        self.launches.iter().find_map(|it| it.version.clone())
    }

    /// What is recorded of it. Measured figures are facts and no output: they differ each time.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let ms = |it: Option<f64>| it.map_or_else(|| "-".to_owned(), |it| format!("{it:.0}"));
        let it = &self.startup;
        let startup = format!(
            "cold {} ms; warm min {}, median {}, p95 {} ms",
            ms(it.cold_ms),
            ms(it.min_ms),
            ms(it.median_ms),
            ms(it.p95_ms)
        );
        let mib = |bytes: u64| bytes >> 20;
        vec![
            ("trial", self.reliability()),
            ("startup", startup),
            ("memory", format!("{} MiB at most", mib(it.peak_memory))),
            (
                "size",
                format!("{} MiB in {} files", mib(self.bytes), self.files),
            ),
        ]
    }

    /// `3 of 20 launches failed: …`, or that none did.
    pub fn reliability(&self) -> String {
        let (failed, all) = (self.failed().count(), self.launches.len());
        let first = self.failed().find_map(|it| it.failure.as_ref());
        match first {
            Some(first) => format!("{failed} of {all} launches failed: {first}"),
            None => format!("{all} of {all} launches passed"),
        }
    }
}

/// Puts a candidate to the trial.
pub struct Trial<'a> {
    /// The step it runs for.
    pub cx: &'a Context<'a>,
    /// What is expected of it.
    pub sidecar: &'a config::Sidecar,
    /// The version that it must report, if it reports one.
    pub version: &'a str,
    /// Lends the interpreter that plays the parent.
    pub environment: &'a Environment,
}

impl Trial<'_> {
    /// Launches it as often as the configuration says, or until too many launches failed.
    pub fn run(&self, candidate: &Candidate) -> Result<Report> {
        let home = tempfile::Builder::new().prefix("trial \u{fc} ").tempdir()?;
        let (app, empty) = (home.path().join("app"), home.path().join("empty"));
        fs_err::create_dir(&empty)?;
        let executable = install(candidate, &app)?;
        let kept = self.kept(candidate)?;
        let allowed = self.allowed_failures();
        let mut launches: Vec<Launch> = Vec::new();
        let mut failures = 0;
        for number in 1..=self.sidecar.trial.launches {
            if number == 1 {
                forget_cached(&app);
            }
            let launch = self.launch(number, &executable, &empty, &kept)?;
            self.cx.progress(&self.line(&launch))?;
            failures += usize::from(launch.failure.is_some());
            launches.push(launch);
            if failures > allowed {
                break;
            }
        }
        let (bytes, files) = size(&app)?;
        Ok(Report {
            rejected: failures > allowed,
            startup: Startup::of(&launches),
            launches,
            bytes,
            files,
            kept,
        })
    }

    /// Starts the program as it is before anything is frozen, once.
    pub fn plain(&self, mut command: Command) -> Result<()> {
        command.args(&self.sidecar.probe);
        let how = How::StdinClosed;
        let mut launched = self.cx.launch(command)?;
        let launch = self.watch(&mut launched, 0, how)?;
        let ready = launch.ready_ms.unwrap_or_default();
        match launch.failure {
            Some(failure) => bail!("under plain Python {failure}"),
            None => self
                .cx
                .progress(&format!("under plain Python: ready after {ready:.0} ms")),
        }
    }

    /// How many launches may fail.
    fn allowed_failures(&self) -> usize {
        let trial = &self.sidecar.trial;
        trial.launches * usize::from(trial.max_failures) / 100
    }

    fn line(&self, launch: &Launch) -> String {
        let all = self.sidecar.trial.launches;
        let number = launch.number;
        match (&launch.failure, launch.ready_ms) {
            (Some(failure), _) => format!("launch {number} of {all}: {failure}"),
            (None, ready) => {
                let cold = if launch.cold { ", cold" } else { "" };
                format!(
                    "launch {number} of {all}: ready after {:.0} ms{cold}, ended well after {}",
                    ready.unwrap_or_default(),
                    launch.how.words()
                )
            }
        }
    }

    /// An empty folder for what failed launches printed.
    fn kept(&self, candidate: &Candidate) -> Result<PathBuf> {
        let logs = self.cx.log().path.parent().context("a log has a folder")?;
        let name = format!(
            "{}-{}",
            staging::file_name(&self.sidecar.name),
            candidate.id()
        );
        let folder = logs.join("trial").join(name);
        staging::remove(&folder)?;
        Ok(folder)
    }

    fn launch(&self, number: usize, program: &Path, empty: &Path, kept: &Path) -> Result<Launch> {
        let how = How::of(number);
        let mut launched = self.cx.launch(self.command(program, empty, how))?;
        let launch = self.watch(&mut launched, number, how)?;
        if let Some(failure) = &launch.failure {
            let ended = launched.wait(Duration::ZERO)?;
            keep(kept, number, failure, ended, launched.printed())?;
        }
        Ok(launch)
    }

    /// Sees a launch through to its end.
    fn watch(&self, launched: &mut Launched, number: usize, how: How) -> Result<Launch> {
        let within = self.sidecar.ready_timeout;
        let mut processes = Processes::below(launched.id())?;
        let ready = launched.wait_for("READY", within, || processes.look())?;
        processes.look();
        let (ended, left) = match ready {
            Some(_) => end(launched, &mut processes, how)?,
            None => (launched.wait(Duration::ZERO)?, Vec::new()),
        };
        let heard = Heard {
            lines: launched.printed(),
            ready,
            within,
            ended,
            left: &left,
            how,
            version: self.version,
        };
        Ok(Launch {
            number,
            how,
            cold: number == 1,
            ready_ms: ready.map(|it| it.as_secs_f64() * 1000.0),
            peak_memory: processes.peak(),
            version: heard.reported_version(),
            missing_module: heard.missing_module(),
            failure: heard.failure(),
        })
    }

    fn command(&self, program: &Path, empty: &Path, how: How) -> Command {
        let mut command = match how {
            How::ParentKilled => {
                let mut parent = Command::new(self.environment.python());
                parent.args(["-I", "-S", "-c", PARENT]).arg(program);
                parent
            }
            How::StdinClosed | How::Terminated => Command::new(program),
        };
        command.args(&self.sidecar.probe).current_dir(empty);
        only_what_the_system_needs(&mut command);
        command
    }
}

/// Takes the build's environment away.
pub fn only_what_the_system_needs(command: &mut Command) {
    command.env_clear();
    // Windows programs cannot start without these.
    for name in ["SystemRoot", "TEMP", "TMP"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Ends a program that is ready; gives how it ended and which of its processes did not.
fn end(
    launched: &mut Launched,
    processes: &mut Processes,
    how: How,
) -> Result<(Option<ExitStatus>, Vec<u32>)> {
    match how {
        How::StdinClosed => launched.close_stdin(),
        #[cfg(unix)]
        How::Terminated => launched.terminate()?,
        #[cfg(unix)]
        How::ParentKilled => launched.kill()?,
        #[cfg(not(unix))]
        How::Terminated | How::ParentKilled => launched.close_stdin(),
    }
    let ended = launched.wait(GRACE)?;
    let left = processes.gone_within(GRACE);
    launched.drain(Duration::ZERO);
    Ok((ended, left))
}

/// Copies the candidate as an installer would; gives where its executable is.
fn install(candidate: &Candidate, app: &Path) -> Result<PathBuf> {
    let into = app.join(candidate.executable.file_name().context("it has a name")?);
    match &candidate.folder {
        Some(folder) => copy_tree(folder, app)?,
        None => copy(&candidate.executable, &into)?,
    }
    Ok(into)
}

/// Writes what a failed launch left to see.
fn keep(
    folder: &Path,
    number: usize,
    failure: &str,
    ended: Option<ExitStatus>,
    lines: &[Line],
) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let printed = |stdout: bool| {
        lines
            .iter()
            .filter(|it| it.stdout == stdout)
            .fold(String::new(), |mut all, it| {
                let _ = writeln!(all, "{}", it.text);
                all
            })
    };
    let ended = ended.map_or_else(|| "it did not end".to_owned(), |it| it.to_string());
    let name = |what: &str| folder.join(format!("launch-{number:02}.{what}"));
    fs_err::write(name("stdout"), printed(true))?;
    fs_err::write(name("stderr"), printed(false))?;
    fs_err::write(name("status"), format!("{failure}\n{ended}\n"))?;
    Ok(())
}

/// Bytes and files below a folder.
fn size(folder: &Path) -> Result<(u64, usize)> {
    let (mut bytes, mut files) = (0, 0);
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (more, count) = match entry.file_type()? {
            kind if kind.is_dir() => size(&entry.path())?,
            _ => (entry.metadata()?.len(), 1),
        };
        bytes += more;
        files += count;
    }
    Ok((bytes, files))
}

/// Asks the system to forget what it holds of the files in memory, so that the first launch reads
/// them from the disk. Only Linux offers that without privileges.
fn forget_cached(folder: &Path) {
    #[cfg(target_os = "linux")]
    crate::engine::processes::forget_cached(folder);
    #[cfg(not(target_os = "linux"))]
    let _ = folder;
}
