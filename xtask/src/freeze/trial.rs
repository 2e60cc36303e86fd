//! The trial of a frozen program: it is started many times, the way a host starts it, and each time
//! must get ready, end when it should, and leave nothing behind.
//!
//! It runs from a copy in a folder whose name has a space and a letter outside of ASCII, in an
//! empty folder, with nothing of the build's environment: what it finds there only by accident is
//! missing on a user's machine.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{candidate::Candidate, cleaner::impersonal, judge::Heard, startup::Startup};
use crate::{
    config,
    engine::{
        event::Level,
        launch::{Launched, Line},
        processes::Processes,
        staging,
        step::Context,
    },
    steps::{copy, copy_tree},
    tools::python::Environment,
};

/// How long a program, and all that it started, may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long a program is left alone between `READY` and the end of its stdin: what goes wrong a
/// moment later, such as a second `READY`, shows. The other ends come at once, since a signal at
/// that very moment is what some frozen programs do not survive.
const SETTLE: Duration = Duration::from_millis(150);

/// How often what still lives is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Starts the candidate as a child that outlives its parent's death by nothing but its stdin. The
/// first argument is the child's environment: the parent needs its own.
const PARENT: &str = "import json, subprocess, sys\n\
                      environment = json.loads(sys.argv[1])\n\
                      child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, env=environment)\n\
                      child.wait()\n";

/// What a program on Windows finds in any session: the system's own places. Without the first of
/// them it cannot start.
const OF_WINDOWS: [&str; 7] = [
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "ProgramData",
    "TEMP",
    "TMP",
];

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
    /// Windows, and who adopts a child there is another matter.
    fn of(number: usize) -> Self {
        match number % 4 {
            2 if cfg!(unix) => Self::Terminated,
            0 if cfg!(unix) => Self::ParentKilled,
            _ => Self::StdinClosed,
        }
    }

    /// What it ends after.
    pub(super) fn words(self) -> &'static str {
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
    /// How it ended; none if it had to be killed.
    #[serde(skip)]
    pub ended: Option<ExitStatus>,
}

impl Launch {
    fn never_started(number: usize, how: How, failure: String) -> Self {
        Self {
            number,
            how,
            cold: number == 1,
            ready_ms: None,
            peak_memory: 0,
            failure: Some(failure),
            version: None,
            missing_module: None,
            ended: None,
        }
    }
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
                match self.files {
                    1 => format!("{} MiB in 1 file", mib(self.bytes)),
                    files => format!("{} MiB in {files} files", mib(self.bytes)),
                },
            ),
        ]
    }

    /// `3 of 20 launches failed: …`, or that none did. If one way to end never went well, which.
    pub fn reliability(&self) -> String {
        let (failed, all) = (self.failed().count(), self.launches.len());
        let never = never_well(&self.launches);
        let mut failures = self.failed();
        let first = failures.find(|it| never.is_none_or(|how| how == it.how));
        let Some(first) = first.and_then(|it| it.failure.as_ref()) else {
            return format!("{all} of {all} launches passed");
        };
        let which = never.map_or_else(String::new, |how| {
            format!(", among them all that were to end after {}", how.words())
        });
        // It is recorded and published: what is kept of the launch has all of it.
        let first = impersonal(first);
        format!("{failed} of {all} launches failed{which}: {first}")
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
    ///
    /// # Errors
    /// Ctrl-C, and what is no fault of the candidate, such as a full disk.
    pub fn run(&self, candidate: &Candidate) -> Result<Report> {
        // Beside the build and not below /tmp, which is often memory: no launch would be cold.
        let home = self.cx.cache("trial \u{fc}")?.join(self.name_of(candidate));
        staging::remove(&home)?;
        let (app, empty) = (home.join("app"), home.join("empty"));
        fs_err::create_dir_all(&empty)?;
        let place = Place {
            executable: install(candidate, &app)?,
            environment: environment(&home.join("user"))?,
            empty,
        };
        let kept = self.kept(candidate)?;
        let allowed = self.allowed_failures();
        let mut launches: Vec<Launch> = Vec::new();
        let mut failures = 0;
        for number in 1..=self.sidecar.trial.launches {
            if number == 1 {
                forget_cached(&app);
            }
            let launch = self.launch(number, &place, &kept)?;
            self.cx.progress(&self.line(&launch))?;
            failures += usize::from(launch.failure.is_some());
            launches.push(launch);
            if failures > allowed {
                break;
            }
        }
        let (bytes, files) = size(&app)?;
        staging::remove(&home)?;
        let report = Report {
            rejected: failures > allowed || never_well(&launches).is_some(),
            startup: Startup::of(&launches),
            launches,
            bytes,
            files,
            kept,
        };
        if failures > 0 && !report.rejected {
            let (text, kept) = (report.reliability(), report.kept.display());
            let text = format!("{text}\nthat is tolerated; what they printed: {kept}");
            self.cx.note(Level::Warning, text);
        }
        Ok(report)
    }

    /// Starts the program as it is before anything is frozen, once.
    pub fn plain(&self, mut command: Command) -> Result<()> {
        command
            .args(&self.sidecar.probe)
            .current_dir(self.cx.root());
        let mut launched = self.cx.launch(command)?;
        let launch = self.watch(&mut launched, 0, How::StdinClosed)?;
        let Some(failure) = launch.failure else {
            let ready = launch.ready_ms.unwrap_or_default();
            let line = format!("under plain Python: ready after {ready:.0} ms");
            return self.cx.progress(&line);
        };
        for line in launched.printed() {
            self.cx.log().line(&line.text)?;
        }
        bail!("under plain Python {failure}");
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

    /// `analyzer-nuitka-onefile`.
    fn name_of(&self, candidate: &Candidate) -> String {
        let name = staging::file_name(&self.sidecar.name);
        format!("{name}-{}", candidate.id())
    }

    /// A folder for what failed launches print, without what an earlier trial left there.
    fn kept(&self, candidate: &Candidate) -> Result<PathBuf> {
        let logs = self.cx.log().path.parent().context("a log has a folder")?;
        let folder = logs.join("trial").join(self.name_of(candidate));
        staging::remove(&folder)?;
        Ok(folder)
    }

    fn launch(&self, number: usize, place: &Place, kept: &Path) -> Result<Launch> {
        let how = How::of(number);
        let mut launched = match self.cx.launch(self.command(place, how)?) {
            Ok(launched) => launched,
            Err(error) => {
                let failure = cannot_run(error)?;
                keep(kept, number, &failure, None, &[])?;
                return Ok(Launch::never_started(number, how, failure));
            }
        };
        let launch = self.watch(&mut launched, number, how)?;
        if let Some(failure) = &launch.failure {
            keep(kept, number, failure, launch.ended, launched.printed())?;
        }
        Ok(launch)
    }

    /// Sees a launch through to its end. What still lives then is killed.
    fn watch(&self, launched: &mut Launched, number: usize, how: How) -> Result<Launch> {
        let within = self.sidecar.ready_timeout;
        let mut processes = Processes::below(launched.id())?;
        let ready = launched.wait_for("READY", within, || processes.glance())?;
        if ready.is_some() && how == How::StdinClosed {
            launched.listen(SETTLE)?;
        }
        processes.look();
        let (ended, left) = match ready {
            Some(_) => end(launched, &mut processes, how)?,
            None => (end_early(launched)?, Vec::new()),
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
        let failure = heard.failure();
        Ok(Launch {
            number,
            how,
            cold: number == 1,
            ready_ms: ready.map(|it| it.as_secs_f64() * 1000.0),
            peak_memory: processes.peak(),
            version: heard.reported_version(),
            missing_module: failure.as_ref().and_then(|_| heard.missing_module()),
            failure,
            ended,
        })
    }

    fn command(&self, place: &Place, how: How) -> Result<Command> {
        let mut command = match how {
            How::ParentKilled => {
                // A Python may need something of its environment, such as where its libraries are.
                let mut parent = Command::new(self.environment.python());
                parent.args(["-I", "-S", "-c", PARENT]);
                parent.arg(serde_json::to_string(&place.environment)?);
                parent.arg(&place.executable);
                parent
            }
            How::StdinClosed | How::Terminated => {
                let mut command = Command::new(&place.executable);
                command.env_clear().envs(&place.environment);
                command
            }
        };
        command.args(&self.sidecar.probe).current_dir(&place.empty);
        Ok(command)
    }
}

/// Where a candidate is tried.
struct Place {
    executable: PathBuf,
    /// All variables that it gets.
    environment: BTreeMap<&'static str, String>,
    /// The folder that it is started in.
    empty: PathBuf,
}

/// The environment of a launch, with a new home where a program cannot do without: none at all, but
/// on Windows.
fn environment(user: &Path) -> Result<BTreeMap<&'static str, String>> {
    if !cfg!(windows) {
        return Ok(BTreeMap::new());
    }
    let environment = of_windows(&user.to_string_lossy(), |name| std::env::var(name).ok());
    for folder in ["APPDATA", "LOCALAPPDATA"] {
        fs_err::create_dir_all(&environment[folder])?;
    }
    Ok(environment)
}

/// What Windows gives a program of a user who has just been made.
fn of_windows(
    user: &str,
    inherited: impl Fn(&str) -> Option<String>,
) -> BTreeMap<&'static str, String> {
    // As ordinary programs know paths.
    let user = user.strip_prefix(r"\\?\").unwrap_or(user);
    let system = OF_WINDOWS.iter();
    let mut environment: BTreeMap<_, _> = system
        .filter_map(|it| Some((*it, inherited(it)?)))
        .collect();
    // A path without a drive is one of the network; it is its own HOMEPATH.
    let (drive, path) = user.split_at(user.find(':').map_or(0, |it| it + 1));
    environment.extend([
        ("USERPROFILE", user.to_owned()),
        ("APPDATA", format!("{user}\\AppData\\Roaming")),
        ("LOCALAPPDATA", format!("{user}\\AppData\\Local")),
        ("HOMEDRIVE", drive.to_owned()),
        ("HOMEPATH", path.to_owned()),
    ]);
    environment
}

/// Ends a program that is ready; gives how it ended and which of its processes did not.
fn end(
    launched: &mut Launched,
    processes: &mut Processes,
    how: How,
) -> Result<(Option<ExitStatus>, Vec<String>)> {
    match how {
        How::StdinClosed => launched.close_stdin(),
        #[cfg(unix)]
        How::Terminated => launched.terminate()?,
        #[cfg(unix)]
        How::ParentKilled => launched.kill()?,
        #[cfg(not(unix))]
        How::Terminated | How::ParentKilled => launched.close_stdin(),
    }
    let until = Instant::now() + GRACE;
    let ended = launched.wait(GRACE)?;
    let mut left = processes.left();
    // What was started holds the output open even where it cannot be seen otherwise.
    while (!left.is_empty() || launched.is_open()) && Instant::now() < until {
        launched.listen(POLL)?;
        left = processes.left();
    }
    if left.is_empty() && launched.is_open() {
        left.push("an unknown process that holds its output open".to_owned());
    }
    Ok((ended, left))
}

/// Ends a program that never was ready, unless it ended by itself.
fn end_early(launched: &mut Launched) -> Result<Option<ExitStatus>> {
    // A closed output is mostly the first that is seen of an end.
    let grace = match launched.is_open() {
        true => Duration::ZERO,
        false => GRACE,
    };
    let ended = launched.wait(grace)?;
    if ended.is_none() {
        launched.kill_group();
    }
    Ok(ended)
}

/// What is said of a program that the system does not start.
///
/// # Errors
/// What says nothing about the program: no memory, too many processes.
fn cannot_run(error: anyhow::Error) -> Result<String> {
    use std::io::ErrorKind::{OutOfMemory, WouldBlock};
    let of_system = error.downcast_ref::<std::io::Error>();
    match of_system.map(|it| (it.kind(), it)) {
        None | Some((OutOfMemory | WouldBlock, _)) => Err(error),
        Some((_, it)) => Ok(format!("it cannot be started: {it}")),
    }
}

/// A way to end that went wrong each time, although a few failures are tolerated: that is not
/// chance. One time alone may be.
fn never_well(launches: &[Launch]) -> Option<How> {
    let of = |how: How| launches.iter().filter(move |it| it.how == how);
    let ways = [How::StdinClosed, How::Terminated, How::ParentKilled];
    let never = |how: &How| of(*how).count() > 1 && of(*how).all(|it| it.failure.is_some());
    ways.into_iter().find(never)
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Windows is not here to show it: what a program finds there that belongs to nobody yet.
    #[test]
    fn on_windows_a_program_has_a_home_that_is_empty() {
        let inherited = |name: &str| match name {
            "SystemRoot" | "windir" => Some(r"C:\Windows".to_owned()),
            "ComSpec" => Some(r"C:\Windows\system32\cmd.exe".to_owned()),
            "ProgramData" => Some(r"C:\ProgramData".to_owned()),
            "SystemDrive" => Some("C:".to_owned()),
            "TEMP" | "TMP" => Some(r"D:\tmp".to_owned()),
            _ => Some("of the build".to_owned()),
        };
        let environment = of_windows(r"\\?\D:\trial a b\user", inherited);
        let lines = environment.iter().map(|it| format!("{}={}\n", it.0, it.1));
        expect![[r#"
            APPDATA=D:\trial a b\user\AppData\Roaming
            ComSpec=C:\Windows\system32\cmd.exe
            HOMEDRIVE=D:
            HOMEPATH=\trial a b\user
            LOCALAPPDATA=D:\trial a b\user\AppData\Local
            ProgramData=C:\ProgramData
            SystemDrive=C:
            SystemRoot=C:\Windows
            TEMP=D:\tmp
            TMP=D:\tmp
            USERPROFILE=D:\trial a b\user
            windir=C:\Windows
        "#]]
        .assert_eq(&lines.collect::<String>());
    }
}
