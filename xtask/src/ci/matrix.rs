//! The targets of a release, and the machine that makes each.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::{
    config::{Ci, CiTarget},
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
    /// `linux`, `windows` or `macos`.
    pub os: &'static str,
    /// The label of the machine.
    pub runner: String,
    /// Further secrets of the job.
    #[serde(skip)]
    pub secrets: Vec<String>,
    /// The operating system.
    #[serde(skip)]
    pub(super) system: Os,
}

impl Matrix {
    /// The matrix of a configuration.
    ///
    /// # Errors
    /// A target twice, one that is none, or one that no machine of GitHub makes and whose `runner`
    /// is not named.
    pub fn of(ci: &Ci) -> Result<Self> {
        let usual = USUAL.map(|name| CiTarget {
            name: name.to_owned(),
            runner: None,
            secrets: Vec::new(),
        });
        let targets = match ci.targets.is_empty() {
            true => &usual[..],
            false => &ci.targets,
        };
        let include: Vec<Job> = targets.iter().map(Job::of).collect::<Result<_>>()?;
        for (at, job) in include.iter().enumerate() {
            let twice = include[..at].iter().any(|it| it.target == job.target);
            ensure!(
                !twice,
                "`[[ci.target]]` names {} twice\nhint: take one away in packaging/dist.toml",
                job.target
            );
        }
        Ok(Self { include })
    }
}

impl Job {
    fn of(ci: &CiTarget) -> Result<Self> {
        // Not those of this machine: the same workflow is generated everywhere.
        let triple = match &*ci.name {
            "linux" => "x86_64-unknown-linux-gnu",
            "windows" => "x86_64-pc-windows-msvc",
            "macos" => "aarch64-apple-darwin",
            triple => triple,
        };
        let target: Target = triple.parse().context("`name` of `[[ci.target]]`")?;
        let usual = RUNNERS.iter().find(|it| it.0 == triple);
        let runner = ci.runner.clone().or(usual.map(|it| it.1.to_owned()));
        let runner = runner.with_context(|| {
            format!(
                "no machine of GitHub makes {triple}\n\
                 hint: name one of your own in `runner` of its `[[ci.target]]`"
            )
        })?;
        Ok(Self {
            target: target.triple,
            os: match target.os {
                Os::Linux => "linux",
                Os::Windows => "windows",
                Os::Macos => "macos",
            },
            runner,
            secrets: ci.secrets.clone(),
            system: target.os,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(targets: &[(&str, Option<&str>)], expected: Expect) {
        let targets = targets.iter().map(|(name, runner)| CiTarget {
            name: (*name).to_owned(),
            runner: runner.map(str::to_owned),
            secrets: Vec::new(),
        });
        let ci = Ci {
            targets: targets.collect(),
            checks: Vec::new(),
            rust: None,
            node: None,
            python: None,
            environment: "release".to_owned(),
            timeout: std::time::Duration::from_secs(60),
        };
        let shown = match Matrix::of(&ci) {
            Ok(matrix) => matrix
                .include
                .iter()
                .map(|it| format!("{} {} {}\n", it.target, it.os, it.runner))
                .collect(),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn each_target_has_a_machine() {
        check(
            &[],
            expect![[r#"
                x86_64-unknown-linux-gnu linux ubuntu-24.04
                x86_64-pc-windows-msvc windows windows-2025
                aarch64-apple-darwin macos macos-15
                x86_64-apple-darwin macos macos-15-intel
            "#]],
        );
        check(
            &[
                ("linux", Some("ubuntu-22.04")),
                ("windows", None),
                ("macos", None),
                ("aarch64-unknown-linux-gnu", None),
            ],
            expect![[r#"
                x86_64-unknown-linux-gnu linux ubuntu-22.04
                x86_64-pc-windows-msvc windows windows-2025
                aarch64-apple-darwin macos macos-15
                aarch64-unknown-linux-gnu linux ubuntu-24.04-arm
            "#]],
        );
    }

    #[test]
    fn what_no_machine_makes_is_named() {
        check(
            &[("riscv64gc-unknown-linux-gnu", None)],
            expect![[r#"
            no machine of GitHub makes riscv64gc-unknown-linux-gnu
            hint: name one of your own in `runner` of its `[[ci.target]]`"#]],
        );
        check(
            &[("linux", None), ("x86_64-unknown-linux-gnu", None)],
            expect![[r#"
                `[[ci.target]]` names x86_64-unknown-linux-gnu twice
                hint: take one away in packaging/dist.toml"#]],
        );
        check(
            &[("plan9", None)],
            expect![[r#"
                `name` of `[[ci.target]]`: `plan9` is no target
                hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such as x86_64-unknown-linux-gnu"#]],
        );
    }
}
