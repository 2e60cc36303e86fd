//! A sidecar for both architectures of macOS: each is frozen by itself, by a Python that runs as that
//! architecture, and tried; then the folders are joined file by file.
//!
//! Always a folder. What one file carries is appended to it, where a file for several architectures has
//! room for one payload only: the other half would extract libraries that it cannot load.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::{Choice, Chosen, Environment, Freezing, Frozen, Interpreter, Passed, Sidecar, Trial};
use crate::{
    config::{self, Freezer, Layout},
    engine::{
        staging::{self, Staging},
        step::Context,
    },
    freeze::{candidate::Candidate, failure::Failure},
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
        let mut freezers = self.release.freezing.allowed(&config.freezers);
        let (mut folders, mut failures, mut last) = (Vec::new(), Vec::new(), None);
        for part in self.target.parts() {
            let (passed, mut failed) = self.part(cx, &config, interpreter, &part, &freezers)?;
            // Two freezers would leave two different programs.
            freezers = vec![passed.candidate.freezer];
            failures.append(&mut failed);
            let folder = passed.candidate.folder.clone();
            folders.push(folder.context("the layout is a folder")?);
            last = Some(passed);
        }
        let Passed { candidate, report } = last.context("a universal target has parts")?;
        let candidate = self.join(cx, &folders, candidate)?;
        self.publish(cx, out, Passed { candidate, report }, failures)
    }

    /// The half for one architecture.
    fn part(
        &self,
        cx: &Context,
        config: &config::Sidecar,
        interpreter: &Interpreter,
        target: &Target,
        freezers: &[Freezer],
    ) -> Result<(Passed, Vec<Failure>)> {
        let environment = Environment::ensure_as(cx, config, interpreter, Some(target.arch()));
        let environment = environment.with_context(|| {
            format!(
                "the Python for {} cannot be set up\nhint: {PYTHON}",
                target.arch()
            )
        })?;
        let trial = Trial {
            cx,
            sidecar: config,
            version: &self.version,
            environment: &environment,
        };
        self.refuse_broken_sources(&trial)?;
        let freezing = Freezing {
            cx,
            sidecar: config,
            product: &self.release.config.product,
            environment: &environment,
            target,
            is_cold: false,
        };
        let choice = Choice {
            freezing: &freezing,
            trial: &trial,
            freezers,
        };
        let Chosen { made, failures } = choice.make(None)?;
        Ok((made.context("nothing is held ready")?, failures))
    }

    fn join(&self, cx: &Context, folders: &[PathBuf], made: Candidate) -> Result<Candidate> {
        let name = format!("{}-universal", staging::file_name(&self.config.name));
        let folder = cx.cache(&name)?.join(&self.config.name);
        staging::remove(&folder)?;
        lipo::join_folders(folders, &folder, |parts, into| lipo::join(cx, parts, into))?;
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
