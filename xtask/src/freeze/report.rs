//! The report of a trial: all launches, and what they showed.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use anyhow::Result;
use serde::Serialize;

use super::{cleaner::impersonal, ending::How, startup::Startup};
use crate::engine::launch::Line;

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
    pub(super) fn never_started(number: usize, how: How, failure: String) -> Self {
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

/// A way to end that went wrong each time, although a few failures are tolerated: that is not
/// chance. One time alone may be.
pub(super) fn never_well(launches: &[Launch]) -> Option<How> {
    let of = |how: How| launches.iter().filter(move |it| it.how == how);
    let never = |how: &How| of(*how).count() > 1 && of(*how).all(|it| it.failure.is_some());
    How::ALL.into_iter().find(never)
}

/// Writes what a failed launch left to see.
pub(super) fn keep(
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
