//! A release made, checked, made again, installed and started.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};

use super::{Tests, app, interruption, scratch::Scratch, tally::Tally, variants};
use crate::{
    engine::{
        event::{Event, Level, Stamped},
        step::Context,
    },
    pipeline,
    target::Os,
};

/// Which steps of a release ran, and which were reused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) ran: BTreeSet<String>,
    pub(super) reused: BTreeSet<String>,
}

pub(super) fn run(tests: &Tests, cx: &Context, tally: &mut Tally) -> Result<()> {
    let scratch = Scratch::new(tests, cx)?;
    let mut done = |what: String| {
        tally.check();
        cx.note(Level::Info, what);
    };
    let forced = forced(tests);
    let force: Vec<_> = forced.iter().map(|it| format!("--force={it}")).collect();
    let first = dist(&scratch, cx, &force)?;
    first.did(&forced)?;
    done(format!("made a release: {}", first.text()));
    verify(&scratch, cx)?;
    done("verified it".to_owned());
    for what in interruption::kill_and_resume(tests, &scratch, cx)? {
        done(what);
    }
    if let Some(page) = page(tests, &scratch)? {
        touch(&page)?;
        let again = dist(&scratch, cx, &[])?;
        ensure!(
            again.ran.is_empty(),
            "nothing changed, but a second release ran {}",
            again.text()
        );
        done(format!(
            "touched {}, made it again: {}",
            name(&page),
            again.text()
        ));
        change(&page)?;
        let changed = dist(&scratch, cx, &[])?;
        changed.follows_the_frontend()?;
        done(format!("changed {}: {}", name(&page), changed.text()));
    } else {
        let again = dist(&scratch, cx, &[])?;
        ensure!(
            again.ran.is_empty(),
            "nothing changed, but a second release ran {}",
            again.text()
        );
        done(format!("made it again: {}", again.text()));
    }
    let Some(package) = package(tests, &scratch)? else {
        cx.note(
            Level::Warning,
            "no Debian package in the release: the app was not started",
        );
        return Ok(());
    };
    let installed = app::install(tests, cx, &package)?;
    done(installed.how.clone());
    for what in app::try_out(tests, cx, &installed.program)? {
        done(what);
    }
    // One package at a time can be installed.
    drop(installed);
    for variant in variants::all(tests) {
        for what in variant.run(tests, &scratch, cx)? {
            done(what);
        }
    }
    Ok(())
}

/// What the first release does even where an earlier test did it already: all but the freezing of
/// sidecars, which takes minutes and has tests of its own.
fn forced(tests: &Tests) -> Vec<String> {
    let mut steps = pipeline::steps(&tests.repository.config, tests.target.os);
    steps.retain(|it| !it.starts_with("sidecar:"));
    steps
}

/// Makes a release, with these options.
pub(super) fn dist(scratch: &Scratch, cx: &Context, options: &[String]) -> Result<Course> {
    let words: Vec<&str> = std::iter::once("dist")
        .chain(options.iter().map(String::as_str))
        .collect();
    cx.exec(scratch.xtask(&words))
        .run()
        .context("no release was made")?;
    Ok(Course::of(&scratch.last_run()?))
}

pub(super) fn verify(scratch: &Scratch, cx: &Context) -> Result<()> {
    cx.exec(scratch.xtask(&["verify"]))
        .run()
        .context("the release does not verify")
}

impl Course {
    pub(super) fn of(events: &[Stamped]) -> Self {
        let mut course = Self::default();
        for stamped in events {
            match &stamped.event {
                Event::StepFinished { step, .. } => drop(course.ran.insert(step.clone())),
                Event::StepReused { step, .. } => drop(course.reused.insert(step.clone())),
                _ => {}
            }
        }
        course
    }

    pub(super) fn text(&self) -> String {
        let ran: Vec<&str> = self.ran.iter().map(String::as_str).collect();
        let ran = if ran.is_empty() {
            "no step".to_owned()
        } else {
            ran.join(", ")
        };
        format!("{ran} ran, {} reused", self.reused.len())
    }

    /// Each of these steps ran.
    fn did(&self, steps: &[String]) -> Result<()> {
        let missing = steps.iter().find(|it| !self.ran.contains(*it));
        ensure!(
            missing.is_none(),
            "forced to run {}, but {}",
            missing.map_or("", String::as_str),
            self.text()
        );
        Ok(())
    }

    /// What depends on the front end ran, and no sidecar did.
    fn follows_the_frontend(&self) -> Result<()> {
        for step in ["frontend", "app", "bundle", "seal"] {
            ensure!(
                self.ran.contains(step),
                "the front end changed, but {step} did not run"
            );
        }
        let sidecar = self.ran.iter().find(|it| it.starts_with("sidecar:"));
        ensure!(
            sidecar.is_none(),
            "the front end changed, and {} ran",
            self.text()
        );
        Ok(())
    }
}

/// The page in the copy from which bundlers start, if the front end is built from one.
fn page(tests: &Tests, scratch: &Scratch) -> Result<Option<PathBuf>> {
    let Some(frontend) = &tests.repository.config.frontend else {
        return Ok(None);
    };
    let page = scratch.inside(&frontend.dir)?.join("index.html");
    Ok(page.is_file().then_some(page))
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn touch(file: &Path) -> Result<()> {
    let file = fs_err::OpenOptions::new().append(true).open(file)?;
    Ok(file.set_modified(SystemTime::now())?)
}

/// Comments of a page survive bundling, so that the change reaches the app.
fn change(page: &Path) -> Result<()> {
    let mut file = fs_err::OpenOptions::new().append(true).open(page)?;
    Ok(file.write_all(b"<!-- changed by the end-to-end test -->\n")?)
}

/// The Debian package of the release, if it holds one that this system can install.
fn package(tests: &Tests, scratch: &Scratch) -> Result<Option<PathBuf>> {
    let config = &tests.repository.config;
    if tests.target.os != Os::Linux || which::which("dpkg").is_err() {
        return Ok(None);
    }
    let releases = scratch.inside(&config.release.dir)?;
    let release = releases
        .join(config.product.version.to_string())
        .join(&tests.target.name);
    let files = fs_err::read_dir(release)?.flatten().map(|it| it.path());
    Ok(files
        .into_iter()
        .find(|it| it.extension().is_some_and(|it| it == "deb")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forced_must_run() {
        let course = Course {
            ran: ["app".to_owned()].into(),
            reused: BTreeSet::new(),
        };
        course.did(&["app".to_owned()]).unwrap();
        let error = course.did(&["seal".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "forced to run seal, but app ran, 0 reused");
    }

    #[test]
    fn only_what_depends_on_the_front_end_may_run() {
        let course = |ran: &[&str]| Course {
            ran: ran.iter().map(|&it| it.to_owned()).collect(),
            reused: BTreeSet::new(),
        };
        let fine = ["frontend", "app", "sign-code", "bundle", "seal"];
        course(&fine).follows_the_frontend().unwrap();
        let error = course(&fine[1..])
            .follows_the_frontend()
            .unwrap_err()
            .to_string();
        assert_eq!(error, "the front end changed, but frontend did not run");
        let more = [&fine[..], &["sidecar:py"]].concat();
        let error = course(&more)
            .follows_the_frontend()
            .unwrap_err()
            .to_string();
        assert!(error.contains("sidecar:py"), "{error}");
    }
}
