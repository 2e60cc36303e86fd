//! The command: shows what is needed, installs what a package manager has, looks again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result};

use super::{Finding, Fix, Needs, TOOLS, check};
use crate::{
    engine::{
        event::{Event, Failure, Level},
        exec::{self, CommandFailed, Exec, Log, Run},
        probe::Probes,
    },
    tools::packages::System,
};

/// What events and logs call it.
const NAME: &str = "doctor";

/// All that `doctor` works with.
pub struct Doctor<'a> {
    /// What to look for.
    pub needs: &'a Needs,
    /// How packages are installed here.
    pub system: System,
    /// Finds programs.
    pub probes: &'a Probes,
}

/// What `doctor` found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Everything that is needed.
    pub findings: Vec<Finding>,
    /// How packages are installed here.
    pub system: System,
}

impl Doctor<'_> {
    /// Looks.
    pub fn check(&self) -> Report {
        Report {
            findings: check(self.needs, &self.system, self.probes),
            system: self.system,
        }
    }

    /// Installs what system packages provide, then looks again. `log` keeps the whole output. The
    /// error names the command that failed.
    pub fn fix(&self, exec: &Exec, log: PathBuf) -> Result<Report> {
        let before = self.check();
        let (commands, recommended) = (before.install(), before.install_recommended());
        if commands.is_empty() && recommended.is_empty() {
            return Ok(before);
        }
        let log = Log::create(log)?;
        if !commands.is_empty() {
            self.install(exec, &log, &before)?;
        }
        // Each by itself: one that cannot be had is no reason to do without the others.
        for command in &recommended {
            if let Err(error) = self.run(exec, &log, command) {
                exec.events.emit(Event::Note {
                    step: NAME.to_owned(),
                    level: Level::Warning,
                    text: format!("what is only recommended was not installed: {error:#}"),
                });
            }
        }
        Ok(self.check())
    }

    fn install(&self, exec: &Exec, log: &Log, before: &Report) -> Result<()> {
        let started = Instant::now();
        exec.events.emit(Event::StepStarted {
            step: NAME.to_owned(),
            why: before.packages().join(" "),
            log: log.path.clone(),
        });
        let commands = before.install();
        let done = commands.iter().try_for_each(|it| self.run(exec, log, it));
        let seconds = started.elapsed().as_secs_f64();
        let step = NAME.to_owned();
        exec.events.emit(match &done {
            Ok(()) => Event::StepFinished {
                step,
                seconds,
                artifacts: 0,
                bytes: 0,
                changed: true,
            },
            Err(error) => Event::StepFailed {
                step,
                seconds,
                failure: failure(error, log),
            },
        });
        let line = before.command().unwrap_or_default();
        done.with_context(|| {
            format!("the packages were not installed\nhint: type it yourself: {line}")
        })
    }

    fn run(&self, exec: &Exec, log: &Log, words: &[String]) -> Result<()> {
        let (program, args) = words.split_first().context("a command has a program")?;
        let mut command = Command::new(self.probes.find(program)?);
        if program == "sudo" {
            // In its own process group it could never read a password from the terminal.
            command.arg("-n");
        }
        command.args(args).current_dir(&self.needs.root);
        if self.probes.path() != std::env::var_os("PATH").as_deref() {
            command.env("PATH", self.probes.path().unwrap_or_default());
        }
        Run::new(exec, NAME, log, command).run()
    }
}

fn failure(error: &anyhow::Error, log: &Log) -> Failure {
    let failed = error.downcast_ref::<CommandFailed>();
    Failure {
        chain: error.chain().map(ToString::to_string).collect(),
        command: failed.map(|it| it.command.clone()),
        status: failed.map(|it| it.status.clone()),
        tail: failed.map(|it| it.tail.clone()).unwrap_or_default(),
        log: Some(log.path.clone()),
        hints: Vec::new(),
        resume: "cargo xtask doctor --fix".to_owned(),
    }
}

impl Report {
    /// Whether nothing is missing.
    pub fn ok(&self) -> bool {
        self.findings.iter().all(|it| it.problem.is_none())
    }

    /// The table, then the one command that installs all packages, then what is left to be done by
    /// hand.
    pub fn text(&self) -> String {
        let mut text = table(&self.findings);
        if let Some(command) = self.command() {
            text += &format!(
                "\nInstall what is missing (or: cargo xtask doctor --fix):\n  {command}\n"
            );
        }
        if let Some(command) = line(&self.install_recommended()) {
            text += &format!("\nRecommended:\n  {command}\n");
        }
        let by_hand: BTreeSet<&str> = self.fixes().filter_map(Fix::by_hand).collect();
        if !by_hand.is_empty() {
            text += "\nBy hand:\n";
            by_hand.iter().for_each(|it| text += &format!("  {it}\n"));
        }
        text
    }

    /// One line that can be pasted; none if no package helps.
    pub fn command(&self) -> Option<String> {
        line(&self.install())
    }

    /// What helps against the problems.
    fn fixes(&self) -> impl Iterator<Item = &Fix> + Clone {
        let problems = self.findings.iter().filter(|it| it.problem.is_some());
        problems.filter_map(|it| it.fix.as_ref())
    }

    fn packages(&self) -> Vec<String> {
        let mut names = packages(self.fixes());
        names.extend(self.fixes().filter_map(|it| match it {
            Fix::RustTarget(triple) => Some(triple.clone()),
            _ => None,
        }));
        names
    }

    /// The commands that install what is only recommended: apart, because they may fail.
    fn install_recommended(&self) -> Vec<Vec<String>> {
        let fine = self.findings.iter().filter(|it| it.problem.is_none());
        let fixes: Vec<&Fix> = fine.filter_map(|it| it.fix.as_ref()).collect();
        let mut commands = self.system.install(&packages(fixes.iter().copied()));
        commands.extend(fixes.iter().flat_map(|it| it.commands().to_vec()));
        commands.extend(fixes.iter().filter_map(|it| it.cargo_install()));
        commands
    }

    fn install(&self) -> Vec<Vec<String>> {
        install(&self.system, self.fixes())
    }
}

/// The commands of these fixes that this program runs by itself.
pub(super) fn install<'a>(
    system: &System,
    fixes: impl Iterator<Item = &'a Fix> + Clone,
) -> Vec<Vec<String>> {
    let mut commands = system.install(&packages(fixes.clone()));
    let targets = fixes.filter_map(|it| match it {
        Fix::RustTarget(triple) => Some(triple.clone()),
        _ => None,
    });
    for triple in targets.collect::<BTreeSet<String>>() {
        let words = ["rustup", "target", "add", &triple];
        commands.push(words.map(str::to_owned).into());
    }
    commands
}

fn packages<'a>(fixes: impl Iterator<Item = &'a Fix>) -> Vec<String> {
    let mut packages: Vec<String> = Vec::new();
    for name in fixes.filter_map(Fix::packages).flatten() {
        if !packages.contains(name) {
            packages.push(name.clone());
        }
    }
    packages
}

/// Commands as one line that can be pasted; none if there are none.
pub(super) fn line(commands: &[Vec<String>]) -> Option<String> {
    let commands: Vec<String> = commands.iter().map(|it| it.join(" ")).collect();
    Some(commands.join(" && ")).filter(|it| !it.is_empty())
}

impl Fix {
    fn packages(&self) -> Option<&[String]> {
        match self {
            Self::Packages(names) => Some(names),
            Self::ByHand(_) | Self::Crate(..) | Self::RustTarget(_) | Self::Commands(..) => None,
        }
    }

    fn by_hand(&self) -> Option<&str> {
        match self {
            Self::Packages(_) | Self::Crate(..) | Self::RustTarget(_) | Self::Commands(..) => None,
            Self::ByHand(text) => Some(text),
        }
    }

    fn commands(&self) -> &[Vec<String>] {
        match self {
            Self::Commands(_, commands) => commands,
            Self::Packages(_) | Self::Crate(..) | Self::RustTarget(_) | Self::ByHand(_) => &[],
        }
    }

    /// Without optimisation and debug information: it is compiled once, and run for moments.
    fn cargo_install(&self) -> Option<Vec<String>> {
        let Self::Crate(name, version) = self else {
            return None;
        };
        let words = [
            "cargo",
            "install",
            name,
            "--version",
            version,
            "--locked",
            "--debug",
        ];
        let more = ["--config", "profile.dev.debug=0", "--root", TOOLS];
        Some(words.into_iter().chain(more).map(str::to_owned).collect())
    }
}

/// What is needed, one line each.
pub fn table(findings: &[Finding]) -> String {
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    crate::report::table(&["tool", "found", "needed for", "fix"], &rows)
}

fn row(finding: &Finding) -> Vec<String> {
    let found = match (&finding.found, &finding.problem) {
        (Some(found), Some(problem)) => format!("{found}, {problem}"),
        (None, Some(problem)) => problem.clone(),
        (None, None) if finding.fix.is_some() => "missing, recommended".to_owned(),
        (found, None) => found.clone().unwrap_or_default(),
    };
    let fix = finding.fix.as_ref().map(ToString::to_string);
    vec![
        finding.tool.clone(),
        found,
        finding.wanted_for.to_owned(),
        fix.unwrap_or_default(),
    ]
}

/// The free room below the folder, or where it will be made; none where `df` cannot say.
pub(super) fn free_kib(probes: &Probes, folder: &Path) -> Option<u64> {
    let folder = folder.ancestors().find(|it| it.is_dir())?;
    let mut command = Command::new(probes.find("df").ok()?);
    command.arg("-Pk").arg(folder);
    let (ok, output) = exec::quiet(command).ok()?;
    // POSIX: one line of heads, then: file system, all, used, free, …
    let free = output.lines().nth(1)?.split_whitespace().nth(3)?;
    free.parse().ok().filter(|_| ok)
}
