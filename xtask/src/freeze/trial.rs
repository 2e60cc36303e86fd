//! The trial of a frozen program: it is started many times, the way a host starts it, and each time
//! must get ready, end when it should, and leave nothing behind.
//!
//! It runs from a copy in a folder whose name has a space and a letter outside of ASCII, in an
//! empty folder, with nothing of the build's environment: what it finds there only by accident is
//! missing on a user's machine.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    candidate::Candidate,
    ending::{How, end, end_early},
    judge::Heard,
    place::{Place, Temporary},
    report::{Launch, Report, keep, never_well},
    startup::Startup,
};
use crate::{
    config,
    engine::{event::Level, launch::Launched, processes::Processes, staging, step::Context},
    tools::python::Environment,
};

/// How long a program is left alone between `READY` and the end of its stdin: what goes wrong a
/// moment later, such as a second `READY`, shows. The other ends come at once, since a signal at
/// that very moment is what some frozen programs do not survive.
const SETTLE: Duration = Duration::from_millis(150);

/// Starts the candidate as a child that outlives its parent's death by nothing but its stdin. The
/// first argument is the child's environment: the parent needs its own.
const PARENT: &str = "import json, subprocess, sys\n\
                      environment = json.loads(sys.argv[1])\n\
                      child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, env=environment)\n\
                      child.wait()\n";

/// Where the two versions come from that must agree.
const WHOSE_VERSION: &str = "\nhint: the release's version is that of tauri.conf.json, or else of \
                             Cargo.toml, unless packaging/dist.toml gives one; the sidecar's is what \
                             its own sources print after BOOT: bring them in line";

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
        let place = Place::make(home, candidate)?;
        let kept = self.kept(candidate)?;
        let allowed = self.allowed_failures();
        let mut launches: Vec<Launch> = Vec::new();
        let mut failures = 0;
        for number in 1..=self.sidecar.trial.launches {
            if number == 1 {
                place.forget_cached();
            }
            let launch = self.launch(number, &place, &kept)?;
            self.cx.progress(&self.line(&launch))?;
            failures += usize::from(launch.failure.is_some());
            launches.push(launch);
            if failures > allowed {
                break;
            }
        }
        let (bytes, files) = place.size()?;
        place.remove()?;
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
        let hint = match launch.version {
            Some(version) if version != self.version => WHOSE_VERSION,
            _ => "",
        };
        bail!("under plain Python {failure}{hint}");
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
        let how = How::of(number, place.layout);
        // What a killed wrapper has unpacked nobody removes.
        let temporary = match how {
            How::WrapperKilled => Some(Temporary::make(place)?),
            _ => None,
        };
        let mut command = self.command(place, how)?;
        command.envs(temporary.iter().map(|it| ("TMPDIR", it.path())));
        let mut launched = match self.cx.launch(command) {
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
            How::StdinClosed | How::Terminated | How::WrapperKilled => {
                let mut command = Command::new(&place.executable);
                command.env_clear().envs(&place.environment);
                command
            }
        };
        command.args(&self.sidecar.probe).current_dir(&place.empty);
        Ok(command)
    }
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
