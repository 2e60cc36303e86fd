//! A candidate: what one freezer makes of a program in one layout.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail, ensure};

use crate::{
    binary,
    config::{self, Freezer, Layout},
    engine::{event::Level, staging, step::Context},
    preflight,
    steps::{copy, copy_tree},
    target::{Os, Target},
    tools::{
        nuitka,
        packages::Need,
        pyinstaller,
        python::{self, Environment},
        versions,
    },
};

/// A frozen program on its way to the trial.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What made it.
    pub freezer: Freezer,
    /// How it lies on the disk.
    pub layout: Layout,
    /// The folder that it consists of; none if it is one file.
    pub folder: Option<PathBuf>,
    /// Its executable.
    pub executable: PathBuf,
}

impl Candidate {
    /// `nuitka-onefile`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.freezer.name(), self.layout.name())
    }
}

/// A freezer ended well, but without something that the configuration asks for.
#[derive(Debug)]
pub struct Ignored(pub String);

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it ended well, but without what was asked for: {}",
            self.0
        )
    }
}

impl std::error::Error for Ignored {}

/// A freezer ended well, but what it left is not its work, or no program for the target.
#[derive(Debug)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// The time that is told to freezers, in seconds: 1980-01-01, the first that a ZIP archive knows. Some
/// write it into their output, and a commit that changes nothing of the sidecar must not change that.
const EPOCH: i64 = 315_532_800;

/// Makes candidates of a sidecar.
pub struct Freezing<'a> {
    /// The step it runs for.
    pub cx: &'a Context<'a>,
    /// What is frozen, and how.
    pub sidecar: &'a config::Sidecar,
    /// What it is made known as where the system shows it.
    pub product: &'a config::Product,
    /// Has the locked packages and the freezers.
    pub environment: &'a Environment,
    /// What it must run on.
    pub target: &'a Target,
    /// Whether the C cache is to be empty at first, so that the times of several freezes compare.
    pub is_cold: bool,
}

/// How much earlier than the beginning a file's time may be: some file systems count in pairs of
/// seconds.
pub const CLOCK: Duration = Duration::from_secs(2);

/// Refuses what cannot be the freezer's work: nothing, a placeholder, something for another target,
/// or an executable that was there before the freeze began and so is older than its inputs.
pub fn check(made: &Path, began: SystemTime, target: &Target) -> Result<()> {
    let at = made.display();
    ensure!(made.is_file(), "the freezer ended well but left no {at}");
    binary::check(made, target, "the frozen sidecar")?;
    let written = fs_err::metadata(made)?.modified()?;
    ensure!(
        written + CLOCK >= began,
        "the frozen sidecar is older than its inputs: it was written {} s before the freeze \
         began: {at}",
        began.duration_since(written).unwrap_or_default().as_secs()
    );
    Ok(())
}

/// What it is by the clock that stamps the files of a folder: that of a network file system is its
/// server's.
pub fn now_at(folder: &Path) -> Result<SystemTime> {
    let marker = folder.join("began");
    // A new file, since the same bytes may leave an old one alone.
    staging::remove(&marker)?;
    fs_err::write(&marker, "")?;
    Ok(fs_err::metadata(&marker)?.modified()?)
}

/// A refusal blames the freezer; that a file could not be read does not.
fn refusal(error: anyhow::Error) -> anyhow::Error {
    match error.chain().any(|it| it.is::<std::io::Error>()) {
        true => error,
        false => Unusable(format!("{error:#}")).into(),
    }
}

impl Freezing<'_> {
    /// Runs the freezer, and checks that it left a program for the target.
    pub fn freeze(&self, freezer: Freezer, layout: Layout) -> Result<Candidate> {
        let candidate = self.made(freezer, layout)?;
        let made = &candidate.executable;
        // What an earlier try left must not be taken for this one's output.
        staging::remove(candidate.folder.as_ref().unwrap_or(made))?;
        let work = self.work(freezer, layout)?;
        let began = now_at(&work)?;
        staging::remove(&work.join(nuitka::REPORT))?;
        self.run(freezer, layout, &work, &self.target.exe(&self.sidecar.name))?;
        check(made, began, self.target).map_err(refusal)?;
        Ok(candidate)
    }

    /// Where a freezer leaves its output.
    pub fn made(&self, freezer: Freezer, layout: Layout) -> Result<Candidate> {
        let work = self.work(freezer, layout)?;
        let name = self.target.exe(&self.sidecar.name);
        let folder = match (freezer, layout) {
            (_, Layout::Auto) => bail!("a layout is decided on before it is frozen"),
            (_, Layout::Onefile) => None,
            (Freezer::Nuitka, Layout::Folder) => {
                Some(work.join(nuitka::folder(&self.sidecar.entry)))
            }
            (Freezer::Pyinstaller, Layout::Folder) => {
                Some(work.join("dist").join(&self.sidecar.name))
            }
        };
        let executable = match (&folder, freezer) {
            (Some(folder), _) => folder.join(name),
            (None, Freezer::Nuitka) => work.join(name),
            (None, Freezer::Pyinstaller) => work.join("dist").join(name),
        };
        Ok(Candidate {
            freezer,
            layout,
            folder,
            executable,
        })
    }

    /// The version of a freezer that the lock pins.
    pub fn version_of(&self, freezer: Freezer) -> Option<String> {
        let lock = fs_err::read_to_string(&self.sidecar.lock).ok()?;
        python::locked_version(&lock, freezer.name()).map(str::to_owned)
    }

    /// Where a freezer works. It survives between runs, for what it keeps to be quicker.
    pub fn work(&self, freezer: Freezer, layout: Layout) -> Result<PathBuf> {
        let name = staging::file_name(&self.sidecar.name);
        let arch = self.environment.arch.as_ref();
        let arch = arch.map_or_else(String::new, |it| format!("-{it}"));
        self.cx.cache(&format!(
            "{name}-{}-{}{arch}",
            freezer.name(),
            layout.name()
        ))
    }

    /// How a freezer ended by its own report; none if it wrote none.
    pub fn completion(&self, freezer: Freezer, layout: Layout) -> Option<String> {
        match freezer {
            Freezer::Nuitka => nuitka::completion(&self.work(freezer, layout).ok()?),
            Freezer::Pyinstaller => None,
        }
    }

    /// What a freezer needs and does not find, in words.
    pub fn missing_tools(&self, freezer: Freezer) -> Result<Vec<String>> {
        let path = self.environment.path()?;
        let missing = missing_tools(freezer, self.target, &path).into_iter();
        Ok(missing.map(|it| format!("no {it} on PATH")).collect())
    }

    fn run(&self, freezer: Freezer, layout: Layout, work: &Path, executable: &str) -> Result<()> {
        let data = self.gather(&work.join("data"))?;
        let mut command = self.environment.command()?;
        command.env("SOURCE_DATE_EPOCH", EPOCH.to_string());
        match freezer {
            Freezer::Nuitka => {
                let arguments = nuitka::arguments(self, layout, executable, work, data.as_deref());
                command.args(["-m", "nuitka"]).args(arguments);
                nuitka::environment(self, work, &mut command)?;
                self.miss_ccache();
                command = self.with_fixed_addresses(command);
            }
            Freezer::Pyinstaller => {
                let arguments = pyinstaller::arguments(self, layout, work, data.as_deref())?;
                command.args(["-m", "PyInstaller"]).args(arguments);
                command.env("PYINSTALLER_CONFIG_DIR", self.cx.cache("pyinstaller")?);
                // What it reads from bytecode that an earlier run left comes out with other bytes
                // than what it compiles itself. In a folder that is never made there is none.
                command
                    .env("PYTHONPYCACHEPREFIX", work.join("no-bytecode"))
                    .env("PYTHONDONTWRITEBYTECODE", "1");
            }
        }
        let budget = self.sidecar.time_budget;
        let finished = self.cx.exec(command).timeout(budget).checked()?;
        if freezer == Freezer::Pyinstaller {
            let ignored = |line: &&String| {
                let mut words = pyinstaller::CONFIGURATION_ERRORS.iter();
                words.any(|it| line.contains(it))
            };
            if let Some(line) = finished.printed.iter().find(ignored) {
                bail!(Ignored(line.clone()));
            }
        }
        Ok(())
    }

    /// Says once in a run what it costs that there is no C cache. Windows has one without ccache.
    fn miss_ccache(&self) {
        static SAID: AtomicBool = AtomicBool::new(false);
        let of_itself = self.target.os == Os::Windows || self.is_cold;
        if of_itself
            || self.cx.probe(&versions::ccache()).is_ok()
            || SAID.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let advice = preflight::advice(Need::Ccache, self.cx.probes());
        let text = format!("no ccache: every freeze compiles everything; {advice}");
        self.cx.note(Level::Info, text);
    }

    /// Lays out the data files as the frozen program shall find them: one folder, so that no
    /// freezer's own rules of names and kinds of files come into play. None if there are none.
    fn gather(&self, folder: &Path) -> Result<Option<PathBuf>> {
        staging::remove(folder)?;
        for data in &self.sidecar.data {
            let to = folder.join(&data.to);
            if data.from.is_dir() {
                copy_tree(&data.from, &to)?;
            } else {
                copy(&data.from, &to)?;
            }
        }
        Ok((!self.sidecar.data.is_empty()).then(|| folder.to_owned()))
    }

    /// Some of what Nuitka writes is in the order of addresses, which the system chooses by chance.
    fn with_fixed_addresses(&self, command: Command) -> Command {
        if !cfg!(target_os = "linux") || self.cx.probe(&versions::setarch()).is_err() {
            return command;
        }
        let mut fixed = Command::new("setarch");
        fixed.arg("-R").arg(command.get_program());
        fixed.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => fixed.env(name, value),
                None => fixed.env_remove(name),
            };
        }
        fixed
    }
}

/// The programs that a freezer needs and does not find on this PATH, by the first of their names.
pub fn missing_tools(freezer: Freezer, target: &Target, path: &OsStr) -> Vec<String> {
    let needed = match freezer {
        Freezer::Nuitka => nuitka::needed(target.os),
        Freezer::Pyinstaller => pyinstaller::needed(target.os),
    };
    let found = |name: &String| which::which_in(name, Some(path), ".").is_ok();
    let missing = needed.into_iter().filter(|names| !names.iter().any(found));
    missing
        .filter_map(|names| names.into_iter().next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A freezer that left this, whose time is so many seconds before the freeze.
    fn left(content: Option<&[u8]>, seconds: u64) -> String {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        let began = SystemTime::now();
        if let Some(content) = content {
            // A copy, for the mode.
            std::fs::copy(std::env::current_exe().unwrap(), &made).unwrap();
            std::fs::write(&made, content).unwrap();
            let file = std::fs::File::options().append(true).open(&made).unwrap();
            let written = began - Duration::from_secs(seconds);
            file.set_modified(written).unwrap();
        }
        let outcome = check(&made, began, &Target::host());
        let text = outcome.map_or_else(|it| format!("{it:#}"), |()| "passes".to_owned());
        text.replace(made.to_str().unwrap(), "MADE")
    }

    /// Where the server of a network file system lags behind, its files do so as well.
    #[test]
    fn the_clock_is_that_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let began = now_at(folder.path()).unwrap();
        let marker = std::fs::File::open(folder.path().join("began")).unwrap();
        assert_eq!(marker.metadata().unwrap().modified().unwrap(), began);
        // What an earlier freeze left says nothing of this one.
        let hour = Duration::from_secs(3600);
        marker.set_modified(began - hour).unwrap();
        assert!(now_at(folder.path()).unwrap() >= began);
    }

    #[test]
    fn what_a_freezer_left_must_be_its_work() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let host = Target::host();
        assert_eq!(left(Some(&own), 0), "passes");
        // A clock that ticks coarsely.
        assert_eq!(left(Some(&own), 1), "passes");
        let check = |content, seconds, expected: &str| {
            let text = left(content, seconds);
            assert!(text.starts_with(expected), "{text}");
        };
        let old = "the frozen sidecar is older than its inputs: it was written 3600 s before";
        check(Some(&own), 3600, old);
        check(None, 0, "the freezer ended well but left no MADE");
        check(Some(b""), 0, "the frozen sidecar is an empty file: MADE");
        check(
            Some(b"#!/bin/sh\nexec python3\n"),
            0,
            "the frozen sidecar is a script",
        );
        check(
            Some(b"placeholder"),
            0,
            "the frozen sidecar is no executable of any known",
        );
        let mut foreign = own.clone();
        if host.os == crate::target::Os::Linux {
            // e_machine of ELF: another architecture.
            foreign[18] = if host.arch() == "x86_64" { 0xb7 } else { 0x3e };
            check(Some(&foreign), 0, "the frozen sidecar is built for");
        }
    }
}
