//! A candidate: what one freezer makes of a program in one layout.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail, ensure};

use crate::{
    binary,
    config::{self, Freezer, Layout},
    engine::{staging, step::Context},
    target::Target,
    tools::{
        nuitka, pyinstaller,
        python::{self, Environment},
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
        staging::remove(&work.join(nuitka::REPORT))?;
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
        let mut command = self.environment.command()?;
        command.env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        match freezer {
            Freezer::Nuitka => {
                let arguments = nuitka::arguments(self, layout, executable, work);
                command.args(["-m", "nuitka"]).args(arguments);
                command.env("NUITKA_CACHE_DIR", self.cx.cache("nuitka")?);
            }
            Freezer::Pyinstaller => {
                let arguments = pyinstaller::arguments(self.sidecar, layout, work);
                command.args(["-m", "PyInstaller"]).args(arguments);
                command.env("PYINSTALLER_CONFIG_DIR", self.cx.cache("pyinstaller")?);
            }
        }
        self.cx
            .exec(command)
            .timeout(self.sidecar.time_budget)
            .run()
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
