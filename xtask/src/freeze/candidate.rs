//! A candidate: what one freezer makes of a program in one layout.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};

use crate::{
    binary,
    config::{self, Freezer, Layout},
    engine::{staging, step::Context},
    steps::{copy, copy_tree},
    target::Target,
    tools::{
        nuitka, pyinstaller,
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
    /// `SOURCE_DATE_EPOCH`, in seconds.
    pub epoch: i64,
}

impl Freezing<'_> {
    /// Runs the freezer, and checks that it left a program for the target.
    pub fn freeze(&self, freezer: Freezer, layout: Layout) -> Result<Candidate> {
        let work = self.work(freezer, layout)?;
        let executable = self.target.exe(&self.sidecar.name);
        let (folder, made) = match (freezer, layout) {
            (_, Layout::Auto) => bail!("a layout is decided on before it is frozen"),
            (Freezer::Nuitka, Layout::Onefile) => (None, work.join(&executable)),
            (Freezer::Nuitka, Layout::Folder) => {
                let folder = work.join(nuitka::folder(&self.sidecar.entry));
                (Some(folder.clone()), folder.join(&executable))
            }
            (Freezer::Pyinstaller, Layout::Onefile) => (None, work.join("dist").join(&executable)),
            (Freezer::Pyinstaller, Layout::Folder) => {
                let folder = work.join("dist").join(&self.sidecar.name);
                (Some(folder.clone()), folder.join(&executable))
            }
        };
        // What an earlier try left must not be taken for this one's output.
        staging::remove(folder.as_deref().unwrap_or(&made))?;
        self.run(freezer, layout, &work, &executable)?;
        ensure!(
            made.is_file(),
            "it ended well but left no {}",
            made.display()
        );
        binary::check(&made, self.target, "the frozen sidecar")?;
        Ok(Candidate {
            freezer,
            layout,
            folder,
            executable: made,
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
        self.cx
            .cache(&format!("{name}-{}-{}", freezer.name(), layout.name()))
    }

    fn run(&self, freezer: Freezer, layout: Layout, work: &Path, executable: &str) -> Result<()> {
        let data = self.gather(&work.join("data"))?;
        let mut command = self.environment.command()?;
        command.env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        match freezer {
            Freezer::Nuitka => {
                let arguments = nuitka::arguments(self, layout, executable, work, data.as_deref());
                command.args(["-m", "nuitka"]).args(arguments);
                nuitka::environment(self.cx, &mut command)?;
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
                bail!("it ended well, but without what was asked for: {line}");
            }
        }
        Ok(())
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
