//! The choice: the candidates in order, until one passes.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{
    candidate::{Candidate, Freezing},
    class::Class,
    failure::Failure,
    report::Report,
    trial::Trial,
    verdict::classify,
};
use crate::{
    config::{Freezer, Layout},
    engine::{
        event::{Event, Level},
        step::Context,
    },
};

/// What the command line says about fallbacks. It decides no output, only which outputs are good
/// enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `--no-fallback`: only the first freezer.
    pub no_fallback: bool,
    /// `--require-freezer`: only this one.
    pub require: Option<Freezer>,
    /// `--retry-fallback`: a fallback is tried again now.
    pub retry_fallback: bool,
}

impl Policy {
    /// The freezers that may be used, of those that are configured.
    pub fn allowed(self, configured: &[Freezer]) -> Vec<Freezer> {
        let first = configured.first().copied();
        match (self.require, self.no_fallback) {
            (Some(required), _) => vec![required],
            (None, true) => first.into_iter().collect(),
            (None, false) => configured.to_vec(),
        }
    }
}

/// A candidate that passed its trial.
pub struct Passed {
    /// What passed.
    pub candidate: Candidate,
    /// What its trial showed.
    pub report: Report,
}

/// What came out of a choice.
pub struct Chosen {
    /// What passed; none if the product that was held ready is the one.
    pub made: Option<Passed>,
    /// What others failed at before.
    pub failures: Vec<Failure>,
}

/// Makes and tries one candidate after the other.
///
/// An error that is a [`Failure`] is one that another freezer may not share; all others end the
/// choice.
pub struct Choice<'a> {
    /// Makes them.
    pub freezing: &'a Freezing<'a>,
    /// Tries them.
    pub trial: &'a Trial<'a>,
    /// The freezers in order.
    pub freezers: &'a [Freezer],
}

impl Choice<'_> {
    /// The first candidate that passes. `held` is the freezer of which a product that passed lies
    /// ready, made of the same inputs: it need not freeze again.
    ///
    /// # Errors
    /// What no other freezer would help against fails at once; otherwise all failures together.
    pub fn make(&self, held: Option<Freezer>) -> Result<Chosen> {
        let (cx, sidecar) = (self.freezing.cx, &self.freezing.sidecar.name);
        let (made, failures) = first(cx, sidecar, self.freezers, held, |it| self.with(it))?;
        Ok(Chosen { made, failures })
    }

    /// What one freezer makes, in the layout that the configuration wants.
    ///
    /// # Errors
    /// A [`Failure`] where another freezer may do better.
    pub fn with(&self, freezer: Freezer) -> Result<Passed> {
        let sidecar = self.freezing.sidecar;
        let layout = match sidecar.layout {
            Layout::Auto => Layout::Onefile,
            layout => layout,
        };
        let passed = self.one(freezer, layout)?;
        let Some(slow) = too_slow(&passed.report, sidecar.max_startup) else {
            return Ok(passed);
        };
        if sidecar.layout == Layout::Auto {
            return self.one_file_or_folder(passed);
        }
        let proposal = match layout {
            Layout::Folder => "its imports take that long",
            _ => "layout = \"folder\" or \"auto\" in packaging/dist.toml would save the extraction",
        };
        let text = format!("{slow}{}: {proposal}", self.beside());
        self.freezing.cx.note(Level::Warning, text);
        Ok(passed)
    }

    /// What `layout = "auto"` takes where one file was too slow: a folder, unless a second look finds
    /// the file quick enough, or the folder fails. The file passed, and slow is better than nothing.
    fn one_file_or_folder(&self, file: Passed) -> Result<Passed> {
        let (cx, limit) = (self.freezing.cx, self.freezing.sidecar.max_startup);
        let file = self.quicker(file)?;
        let Some(slow) = too_slow(&file.report, limit) else {
            return Ok(file);
        };
        let beside = self.beside();
        let text = format!("{slow}, in the better of two trials{beside}: making a folder");
        cx.note(Level::Info, text);
        match self.one(file.candidate.freezer, Layout::Folder) {
            Ok(folder) => {
                cx.fact("layout", format!("folder, since as one file {slow}"));
                Ok(folder)
            }
            Err(error) => {
                let failure: Failure = error.downcast()?;
                let text = format!("{failure}; keeping the one file, though {slow}");
                cx.note(Level::Warning, text);
                cx.fact("layout", format!("onefile, since {failure}"));
                Ok(file)
            }
        }
    }

    /// A second trial, and the better of both: what ran beside the first may have ended meanwhile.
    /// One that is not passed does not undo the first.
    fn quicker(&self, first: Passed) -> Result<Passed> {
        match self.tried(first.candidate.clone()) {
            Ok(second) if typical_ms(&second.report) <= typical_ms(&first.report) => Ok(second),
            Ok(_) => Ok(first),
            Err(error) => {
                let failure: Failure = error.downcast()?;
                let text = format!("in a second trial {failure}; the first one counts");
                self.freezing.cx.note(Level::Warning, text);
                Ok(first)
            }
        }
    }

    /// A measurement's surroundings, in words: other work makes programs start slowly.
    fn beside(&self) -> &'static str {
        match self.freezing.cx.one_at_a_time() {
            true => "",
            false => " (other steps may have run beside it)",
        }
    }

    /// Makes and tries a candidate.
    fn one(&self, freezer: Freezer, layout: Layout) -> Result<Passed> {
        self.tried(self.made(freezer, layout)?)
    }

    /// Makes a candidate.
    ///
    /// # Errors
    /// A [`Failure`] where another freezer may do better.
    pub fn made(&self, freezer: Freezer, layout: Layout) -> Result<Candidate> {
        let made = self.freezing.freeze(freezer, layout);
        made.or_else(|error| bail!(classify(self.freezing, freezer, layout, error)?))
    }

    /// Tries a candidate.
    fn tried(&self, candidate: Candidate) -> Result<Passed> {
        let report = self.trial.run(&candidate)?;
        match self.rejection(candidate.freezer, candidate.layout, &report) {
            Some(failure) => bail!(failure),
            None => Ok(Passed { candidate, report }),
        }
    }

    /// Why a candidate's trial was not good enough; none if it was.
    pub fn rejection(&self, freezer: Freezer, layout: Layout, report: &Report) -> Option<Failure> {
        if !report.rejected {
            return None;
        }
        let missing = report.failed().find_map(|it| it.missing_module.clone());
        let class = match missing {
            Some(_) => Class::MissingImport,
            None => Class::Trial,
        };
        let mut lines = vec![report.reliability()];
        let kept = report.kept.strip_prefix(self.freezing.cx.root());
        let kept = kept.unwrap_or(&report.kept);
        lines.push(format!("what they printed: {}", kept.display()));
        Some(Failure {
            freezer,
            version: self.freezing.version_of(freezer),
            layout,
            class,
            lines,
        })
    }
}

/// What the first freezer makes that manages, and what others failed at before; nothing if that is the
/// one that is `held`.
///
/// # Errors
/// Those of `make` that are no [`Failure`] at once; otherwise all failures together.
pub fn first<T>(
    cx: &Context,
    sidecar: &str,
    freezers: &[Freezer],
    held: Option<Freezer>,
    mut make: impl FnMut(Freezer) -> Result<T>,
) -> Result<(Option<T>, Vec<Failure>)> {
    let mut failures: Vec<Failure> = Vec::new();
    for (index, &freezer) in freezers.iter().enumerate() {
        if held == Some(freezer) {
            return Ok((None, failures));
        }
        match make(freezer) {
            Ok(made) => return Ok((Some(made), failures)),
            Err(error) => {
                let failure: Failure = error.downcast()?;
                tell(cx, &failure, freezers.get(index + 1).copied(), held);
                failures.push(failure);
            }
        }
    }
    let failures: Vec<String> = failures.iter().map(Failure::explained).collect();
    bail!("no freezer managed {sidecar}\n{}", failures.join("\n"));
}

/// Tells programs and people of a failure; people read of the last one when the step fails.
fn tell(cx: &Context, failure: &Failure, next: Option<Freezer>, held: Option<Freezer>) {
    cx.emit(Event::AttemptFailed {
        step: cx.step().to_owned(),
        tool: failure.freezer.name().to_owned(),
        version: failure.version.clone(),
        variant: failure.layout.name().to_owned(),
        class: failure.class.name().to_owned(),
        transient: failure.class.is_transient(),
        lines: failure.lines.clone(),
        next: next.map(|it| it.name().to_owned()),
    });
    let Some(next) = next else { return };
    let (then, name) = match held == Some(next) {
        true => ("keeping what was made with", next.name()),
        false => ("trying", next.name()),
    };
    cx.note(Level::Warning, format!("{failure}; {then} {name}"));
}

/// The time to `READY` that a program is judged by, in milliseconds; none if no launch tells.
fn typical_ms(report: &Report) -> Option<f64> {
    report.startup.median_ms.or(report.startup.cold_ms)
}

/// `it takes 6100 ms to be ready, more than max-startup (5s)`; none if it is quick enough.
fn too_slow(report: &Report, limit: Option<Duration>) -> Option<String> {
    let limit = limit?;
    let typical = typical_ms(report)?;
    let too_long = typical > limit.as_secs_f64() * 1000.0;
    too_long
        .then(|| format!("it takes {typical:.0} ms to be ready, more than max-startup ({limit:?})"))
}
