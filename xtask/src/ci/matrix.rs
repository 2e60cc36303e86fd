//! The targets of a release, and the machine that makes each.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use crate::{
    config::{CiTarget, Config},
    target::{Os, Target},
};

/// What is released where the configuration names nothing. The portable set: no paid runner is in it.
const USUAL: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
];

/// The machines that GitHub itself lends, by target. A package for Linux wants the C library of the
/// machine that made it or a later one, so who ships for older systems names an older runner.
const RUNNERS: [(&str, &str); 8] = [
    ("x86_64-unknown-linux-gnu", "ubuntu-24.04"),
    ("aarch64-unknown-linux-gnu", "ubuntu-24.04-arm"),
    ("x86_64-pc-windows-msvc", "windows-2025"),
    ("x86_64-pc-windows-gnu", "windows-2025"),
    ("aarch64-pc-windows-msvc", "windows-11-arm"),
    ("aarch64-apple-darwin", "macos-15"),
    ("x86_64-apple-darwin", "macos-15-intel"),
    ("universal-apple-darwin", "macos-15"),
];

/// Runs what needs no particular system.
pub(super) const ANY: &str = "ubuntu-24.04";
/// What a build there is for, where nothing else is said.
pub(super) const ON_ANY: &str = "x86_64-unknown-linux-gnu";

/// The jobs of a release, as `strategy.matrix` of a workflow takes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// A job for each target.
    pub include: Vec<Job>,
}

/// A target and the machine that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// What to hand to `--target`, and the job's id: the triple, since a friendly name means another
    /// one on each machine.
    pub target: String,
    /// Its operating system.
    pub os: Os,
    /// The label of the machine.
    pub runner: String,
    /// Further secrets of the job.
    #[serde(skip)]
    pub secrets: Vec<String>,
}

impl Matrix {
    /// The matrix of a configuration: its targets, or the usual ones.
    ///
    /// # Errors
    /// A target twice, one that is none, or one that no machine of GitHub makes and whose `runner`
    /// is not named. A `[[ci.target]]` that is not released.
    pub fn of(config: &Config) -> Result<Self> {
        Self::new(&config.release.targets, &config.ci.targets)
    }

    /// The jobs on whose machines the unit tests run, too.
    ///
    /// # Errors
    /// One of `ci.test-on` is not released.
    pub fn tested(&self, config: &Config) -> Result<Vec<&Job>> {
        let job = |name: &String| {
            let target = Target::released(name).context("`test-on` of `[ci]`")?;
            let mut jobs = self.include.iter();
            jobs.find(|it| it.target == target.triple).with_context(|| {
                format!(
                    "`test-on` of `[ci]` names {name}, but no job makes {}\n\
                     hint: name a target of `release.targets`",
                    target.triple
                )
            })
        };
        config.ci.test_on.iter().map(job).collect()
    }

    fn new(released: &[String], special: &[CiTarget]) -> Result<Self> {
        let usual = USUAL.map(str::to_owned);
        let names = if released.is_empty() {
            &usual[..]
        } else {
            released
        };
        let special = special.iter().map(|it| {
            let target = Target::released(&it.name).context("`name` of `[[ci.target]]`")?;
            Ok((target.triple, it))
        });
        let mut special: Vec<(String, &CiTarget)> = special.collect::<Result<_>>()?;
        twice("`[[ci.target]]`", special.iter().map(|it| &*it.0))?;
        let mut include = Vec::new();
        for name in names {
            let target = Target::released(name).context("`release.targets`")?;
            let own = special.iter().position(|it| it.0 == target.triple);
            include.push(Job::of(&target, own.map(|at| special.remove(at).1))?);
        }
        twice("`release.targets`", include.iter().map(|it| &*it.target))?;
        if let Some((triple, it)) = special.first() {
            let all: Vec<&str> = include.iter().map(|it| &*it.target).collect();
            bail!(
                "`[[ci.target]]` describes the job of {}, but `release.targets` is {}\n\
                 hint: add {triple} to `targets` of `[release]`, or take its `[[ci.target]]` away",
                it.name,
                all.join(", ")
            );
        }
        Ok(Self { include })
    }
}

/// Refuses one target under two names, too: both would be one job.
fn twice<'a>(list: &str, triples: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = Vec::new();
    for triple in triples {
        ensure!(
            !seen.contains(&triple),
            "{list} names {triple} twice\nhint: take one away in packaging/dist.toml"
        );
        seen.push(triple);
    }
    Ok(())
}

impl Job {
    fn of(target: &Target, special: Option<&CiTarget>) -> Result<Self> {
        let triple = &target.triple;
        let usual = RUNNERS.iter().find(|it| it.0 == triple);
        let runner = special.and_then(|it| it.runner.clone());
        let runner = runner.or(usual.map(|it| it.1.to_owned()));
        let runner = runner.with_context(|| {
            format!(
                "no machine of GitHub makes {triple}\n\
                 hint: name one of your own in `runner` of its `[[ci.target]]`"
            )
        })?;
        Ok(Self {
            target: triple.clone(),
            os: target.os,
            runner,
            secrets: special.map(|it| it.secrets.clone()).unwrap_or_default(),
        })
    }
}

/// Which job does for a target what the machine at hand cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Its own, on this machine.
    Job(String),
    /// None, but for the same system there is that of another target.
    Other {
        /// What is made there.
        target: String,
        /// The label of the machine.
        runner: String,
    },
    /// None. So it is if the configuration's jobs are wrong, which `ci generate` tells.
    Nobody,
}

impl Maker {
    /// The one of this configuration.
    pub fn of(config: &Config, target: &Target) -> Self {
        let matrix = Matrix::of(config);
        let jobs = matrix.map(|it| it.include).unwrap_or_default();
        Self::among(&jobs, target)
    }

    fn among(jobs: &[Job], target: &Target) -> Self {
        if let Some(job) = jobs.iter().find(|it| it.target == target.triple) {
            return Self::Job(job.runner.clone());
        }
        let arch = format!("{}-", target.arch());
        let of_system = jobs.iter().filter(|it| it.os == target.os);
        // The same processor before another one.
        match of_system.max_by_key(|it| it.target.starts_with(&arch)) {
            Some(job) => Self::Other {
                target: job.target.clone(),
                runner: job.runner.clone(),
            },
            None => Self::Nobody,
        }
    }
}

/// The end of a sentence that says what cannot be done here.
impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(runner) => write!(f, "the job on {runner} does it"),
            Self::Other { target, runner } => {
                write!(f, "the job on {runner} makes {target} instead")
            }
            Self::Nobody => f.write_str("no job does it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A `[[ci.target]]` of this name, with a runner.
    fn job(name: &str, runner: Option<&str>) -> CiTarget {
        CiTarget {
            name: name.to_owned(),
            runner: runner.map(str::to_owned),
            secrets: Vec::new(),
        }
    }

    fn matrix(released: &[&str], special: &[CiTarget]) -> Result<Matrix> {
        let released: Vec<String> = released.iter().map(|&it| it.to_owned()).collect();
        Matrix::new(&released, special)
    }

    #[track_caller]
    fn check(released: &[&str], special: &[CiTarget], expected: Expect) {
        let shown = match matrix(released, special) {
            Ok(matrix) => matrix
                .include
                .iter()
                .map(|it| format!("{} {:?} {}\n", it.target, it.os, it.runner))
                .collect(),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn each_target_has_a_machine() {
        check(
            &[],
            &[],
            expect![[r#"
            x86_64-unknown-linux-gnu Linux ubuntu-24.04
            x86_64-pc-windows-msvc Windows windows-2025
            aarch64-apple-darwin Macos macos-15
            x86_64-apple-darwin Macos macos-15-intel
        "#]],
        );
        let older = job("linux", Some("ubuntu-22.04"));
        check(
            &["linux", "windows", "macos", "aarch64-unknown-linux-gnu"],
            std::slice::from_ref(&older),
            expect![[r#"
                x86_64-unknown-linux-gnu Linux ubuntu-22.04
                x86_64-pc-windows-msvc Windows windows-2025
                aarch64-apple-darwin Macos macos-15
                aarch64-unknown-linux-gnu Linux ubuntu-24.04-arm
            "#]],
        );
        let own = job("riscv64gc-unknown-linux-gnu", Some("my-board"));
        check(
            &["riscv64gc-unknown-linux-gnu"],
            &[own],
            expect![[r#"
            riscv64gc-unknown-linux-gnu Linux my-board
        "#]],
        );
    }

    #[test]
    fn what_fits_nothing_is_named() {
        check(
            &["riscv64gc-unknown-linux-gnu"],
            &[],
            expect![[r#"
            no machine of GitHub makes riscv64gc-unknown-linux-gnu
            hint: name one of your own in `runner` of its `[[ci.target]]`"#]],
        );
        check(
            &["linux", "x86_64-unknown-linux-gnu"],
            &[],
            expect![[r#"
            `release.targets` names x86_64-unknown-linux-gnu twice
            hint: take one away in packaging/dist.toml"#]],
        );
        let twice = [job("windows", None), job("x86_64-pc-windows-msvc", None)];
        check(
            &["windows"],
            &twice,
            expect![[r#"
            `[[ci.target]]` names x86_64-pc-windows-msvc twice
            hint: take one away in packaging/dist.toml"#]],
        );
        check(
            &["linux"],
            &[job("windows", None)],
            expect![[r#"
            `[[ci.target]]` describes the job of windows, but `release.targets` is x86_64-unknown-linux-gnu
            hint: add x86_64-pc-windows-msvc to `targets` of `[release]`, or take its `[[ci.target]]` away"#]],
        );
        check(
            &["linux"],
            &[job("plan9", None)],
            expect![[r#"
            `name` of `[[ci.target]]`: `plan9` is no target
            hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such as x86_64-unknown-linux-gnu"#]],
        );
    }

    /// What to wait for where this machine cannot do a thing.
    #[test]
    fn who_makes_a_target() {
        let check = |released: &[&str], special: &[CiTarget], target: &str, expected: Expect| {
            let jobs = matrix(released, special).unwrap().include;
            let target: Target = target.parse().unwrap();
            expected.assert_eq(&Maker::among(&jobs, &target).to_string());
        };
        check(
            &[],
            &[],
            "x86_64-apple-darwin",
            expect!["the job on macos-15-intel does it"],
        );
        check(
            &[],
            &[],
            "x86_64-pc-windows-gnu",
            expect!["the job on windows-2025 makes x86_64-pc-windows-msvc instead"],
        );
        let own = job("windows", Some("my-runner"));
        check(
            &["windows"],
            &[own],
            "x86_64-pc-windows-msvc",
            expect!["the job on my-runner does it"],
        );
        check(
            &["macos"],
            &[],
            "universal-apple-darwin",
            expect!["the job on macos-15 makes aarch64-apple-darwin instead"],
        );
        check(
            &["linux"],
            &[],
            "x86_64-pc-windows-gnu",
            expect!["no job does it"],
        );
    }
}
