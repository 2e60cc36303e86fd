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
    engine::event::{Event, Level},
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

/// What came out of a choice.
pub struct Chosen {
    /// The candidate that passed, with what its trial showed; none if the product that was held
    /// ready is the one.
    pub made: Option<(Candidate, Report)>,
    /// What others failed at before.
    pub failures: Vec<Failure>,
}

/// Makes and tries one candidate after the other.
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
        let mut failures = Vec::new();
        for (index, &freezer) in self.freezers.iter().enumerate() {
            if held == Some(freezer) {
                let made = None;
                return Ok(Chosen { made, failures });
            }
            match self.with(freezer)? {
                Ok(made) => {
                    let made = Some(made);
                    return Ok(Chosen { made, failures });
                }
                Err(failure) => {
                    let next = self.freezers.get(index + 1).copied();
                    self.tell(&failure, next, held);
                    failures.push(failure);
                }
            }
        }
        let sidecar = &self.freezing.sidecar.name;
        let failures: Vec<String> = failures.iter().map(Failure::explained).collect();
        bail!("no freezer managed {sidecar}\n{}", failures.join("\n"));
    }

    /// Tells programs and people of a failure; people read of the last one when the step fails.
    fn tell(&self, failure: &Failure, next: Option<Freezer>, held: Option<Freezer>) {
        let cx = self.freezing.cx;
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

    /// What one freezer makes, in the layout that the configuration wants.
    fn with(&self, freezer: Freezer) -> Result<Result<(Candidate, Report), Failure>> {
        let sidecar = self.freezing.sidecar;
        let layout = match sidecar.layout {
            Layout::Auto => Layout::Onefile,
            layout => layout,
        };
        let (candidate, report) = match self.one(freezer, layout)? {
            Ok(made) => made,
            failure => return Ok(failure),
        };
        let Some(slow) = too_slow(&report, sidecar.max_startup) else {
            return Ok(Ok((candidate, report)));
        };
        if sidecar.layout == Layout::Auto {
            return self.one_file_or_folder(candidate, report);
        }
        let proposal = match layout {
            Layout::Folder => "its imports take that long",
            _ => "layout = \"folder\" or \"auto\" in packaging/dist.toml would save the extraction",
        };
        let text = format!("{slow}{}: {proposal}", self.beside());
        self.freezing.cx.note(Level::Warning, text);
        Ok(Ok((candidate, report)))
    }

    /// What `layout = "auto"` takes where one file was too slow: a folder, unless a second look finds
    /// the file quick enough, or the folder fails. The file passed, and slow is better than nothing.
    fn one_file_or_folder(
        &self,
        file: Candidate,
        first: Report,
    ) -> Result<Result<(Candidate, Report), Failure>> {
        let (cx, limit) = (self.freezing.cx, self.freezing.sidecar.max_startup);
        // What ran beside the first trial may have ended meanwhile.
        let second = self.trial.run(&file)?;
        if let Some(failure) = self.rejection(file.freezer, file.layout, &second) {
            return Ok(Err(failure));
        }
        let better = match typical_ms(&second) <= typical_ms(&first) {
            true => second,
            false => first,
        };
        let Some(slow) = too_slow(&better, limit) else {
            return Ok(Ok((file, better)));
        };
        let text = format!(
            "{slow}, in the better of two trials{}: making a folder",
            self.beside()
        );
        cx.note(Level::Info, text);
        Ok(Ok(match self.one(file.freezer, Layout::Folder)? {
            Ok(folder) => {
                cx.fact("layout", format!("folder, since as one file {slow}"));
                folder
            }
            Err(failure) => {
                cx.note(
                    Level::Warning,
                    format!("{failure}; keeping the one file, though {slow}"),
                );
                cx.fact("layout", format!("onefile, since {failure}"));
                (file, better)
            }
        }))
    }

    /// A measurement's surroundings, in words: other work makes programs start slowly.
    fn beside(&self) -> &'static str {
        match self.freezing.cx.one_at_a_time() {
            true => "",
            false => " (other steps may have run beside it)",
        }
    }

    /// Makes and tries a candidate.
    pub fn one(
        &self,
        freezer: Freezer,
        layout: Layout,
    ) -> Result<Result<(Candidate, Report), Failure>> {
        let candidate = match self.made(freezer, layout)? {
            Ok(candidate) => candidate,
            Err(failure) => return Ok(Err(failure)),
        };
        let report = self.trial.run(&candidate)?;
        Ok(match self.rejection(freezer, layout, &report) {
            Some(failure) => Err(failure),
            None => Ok((candidate, report)),
        })
    }

    /// Makes a candidate.
    pub fn made(&self, freezer: Freezer, layout: Layout) -> Result<Result<Candidate, Failure>> {
        match self.freezing.freeze(freezer, layout) {
            Ok(candidate) => Ok(Ok(candidate)),
            Err(error) => classify(self.freezing, freezer, layout, error).map(Err),
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
