//! A sidecar for both architectures of macOS: each is frozen by itself, by a Python that runs as that
//! architecture, and tried; then the folders are joined file by file.
//!
//! Always a folder. What one file carries is appended to it, where a file for several architectures has
//! room for one payload only: the other half would extract libraries that it cannot load.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::{Choice, Environment, Freezing, Frozen, Interpreter, Passed, Sidecar, Trial};
use crate::{
    config::{self, Freezer, Layout},
    engine::{
        event::Level,
        staging::{self, Staging},
        step::Context,
    },
    freeze::{candidate::Candidate, choice, failure::Failure},
    target::Target,
    tools::lipo,
};

/// What a Mac needs so that a Python runs as either architecture.
const PYTHON: &str = "a universal Python is needed: python.org's installer has one, Homebrew, uv and \
                      pyenv do not; and on Apple silicon `softwareupdate --install-rosetta`";

impl Sidecar<'_> {
    /// Freezes, tries and joins.
    pub(super) fn run_universal(
        &self,
        cx: &Context,
        out: &Staging,
        interpreter: &Interpreter,
    ) -> Result<Frozen> {
        ensure!(
            self.config.layout != Layout::Onefile,
            "sidecar {} is to be one file, but one file cannot carry what two architectures extract\n\
             hint: `layout = \"folder\"`, or an app for each architecture: --target \
             x86_64-apple-darwin --target aarch64-apple-darwin",
            self.config.name
        );
        let config = config::Sidecar {
            layout: Layout::Folder,
            ..self.config.clone()
        };
        let mut halves = Vec::new();
        for part in self.target.parts() {
            let environment = self.environment(cx, &config, interpreter, &part)?;
            halves.push((part, environment));
        }
        let freezers = self.release.freezing.allowed(&config.freezers);
        // Two freezers would leave two different programs: what one half cannot be made by, neither is.
        let made = |freezer| self.with(cx, &config, &halves, freezer);
        let (made, failures) = choice::first(cx, &config.name, &freezers, None, made)?;
        let mut made = made.context("nothing is held ready")?;
        let folders = made.iter().map(|it| it.candidate.folder.clone());
        let folders: Option<Vec<PathBuf>> = folders.collect();
        let folders = folders.context("the layout is a folder")?;
        let Passed { candidate, report } = made.pop().context("a universal target has parts")?;
        let candidate = self.join(cx, &folders, candidate)?;
        self.publish(cx, out, Passed { candidate, report }, failures)
    }

    /// The Python for one architecture, once the sources were seen to work with it.
    fn environment(
        &self,
        cx: &Context,
        config: &config::Sidecar,
        interpreter: &Interpreter,
        target: &Target,
    ) -> Result<Environment> {
        let environment = Environment::ensure_as(cx, config, interpreter, Some(target.arch()));
        let environment = environment.with_context(|| {
            format!(
                "the Python for {} cannot be set up\nhint: {PYTHON}",
                target.arch()
            )
        })?;
        self.refuse_broken_sources(&Trial {
            cx,
            sidecar: config,
            version: &self.version,
            environment: &environment,
        })?;
        Ok(environment)
    }

    /// What one freezer makes of all halves.
    ///
    /// # Errors
    /// A [`Failure`] where another freezer may do better, which says of which half it is.
    fn with(
        &self,
        cx: &Context,
        config: &config::Sidecar,
        halves: &[(Target, Environment)],
        freezer: Freezer,
    ) -> Result<Vec<Passed>> {
        let half = |(target, environment): &(Target, Environment)| {
            let freezing = Freezing {
                cx,
                sidecar: config,
                product: &self.release.config.product,
                environment,
                target,
                is_cold: false,
            };
            let choice = Choice {
                freezing: &freezing,
                trial: &Trial {
                    cx,
                    sidecar: config,
                    version: &self.version,
                    environment,
                },
                freezers: &[freezer],
            };
            choice.with(freezer).map_err(|it| of_half(it, target))
        };
        halves.iter().map(half).collect()
    }

    fn join(&self, cx: &Context, folders: &[PathBuf], made: Candidate) -> Result<Candidate> {
        let name = format!("{}-universal", staging::file_name(&self.config.name));
        let folder = cx.cache(&name)?.join(&self.config.name);
        staging::remove(&folder)?;
        let join = |parts: &[PathBuf], into: &Path| lipo::join(cx, parts, into);
        let differ = lipo::join_folders(folders, &folder, join)?;
        if !differ.is_empty() {
            let text = format!(
                "taken from the half for x86_64 though the other has another, which decides nothing \
                 of what runs: {}",
                differ.join(", ")
            );
            cx.note(Level::Info, text);
        }
        let executable = made.executable.file_name().context("it has a name")?;
        let executable = folder.join(executable);
        crate::binary::check(&executable, &self.target, "the joined sidecar")?;
        Ok(Candidate {
            executable,
            folder: Some(folder),
            ..made
        })
    }
}

/// Says of a freezer's failure which half it is about.
fn of_half(error: anyhow::Error, target: &Target) -> anyhow::Error {
    match error.downcast::<Failure>() {
        Ok(mut failure) => {
            failure.lines.insert(0, format!("for {}", target.arch()));
            failure.into()
        }
        Err(error) => error,
    }
}
