//! `test`: every test that the repository has, part by part.
//!
//! Which parts there are follows from the configuration and from what lies in the repository;
//! nothing about a particular app is compiled in.
//!
//! | module | its one noun |
//! |---|---|
//! | `repository` | what there is to test |
//! | `parts` | the work of each part |
//! | `platforms` | whether it compiles for other platforms |
//! | `tally` | how many tests passed, in the words of each test runner |
//! | `end_to_end` | a release made, checked, made again, installed and started |
//! | `interruption` | a release whose orchestrator is killed, and that is made after all |
//! | `scratch` | the copy of the checkout that it is made in |
//! | `app` | the installed app, started on a display of its own |
//! | `variants` | the other freezers and layouts of the sidecars |
//! | `processes` | what runs, as /proc has it |

mod app;
mod end_to_end;
mod interruption;
mod parts;
mod platforms;
mod processes;
mod repository;
mod scratch;
mod tally;
mod variants;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use self::{
    repository::{Part, Repository},
    tally::Tally,
};
use super::{
    INTERRUPTED, World,
    doctor::{self, Scope},
    print,
};
use crate::{
    cli::{Global, Test},
    engine::{
        event::{Event, Events},
        exec::Interrupted,
        secret::Redactor,
        select::Selection,
        session::{Hashes, Options, Session, Task},
        staging,
    },
    release::Release,
    report,
    target::Target,
};

/// What the parts work with.
struct Tests {
    repository: Repository,
    /// `--full`.
    full: bool,
    /// `--setup`.
    setup: bool,
    /// This program, as it was found at the start: a test may build it anew.
    program: PathBuf,
    /// `--config`, for the releases that the tests make.
    config: Option<PathBuf>,
    target: Target,
    /// `target/dist/<target>`, absolute.
    state: PathBuf,
}

/// How it went.
#[derive(Default)]
struct Outcome {
    tally: Tally,
    /// What to type after a failure.
    resume: Option<String>,
    interrupted: bool,
}

pub(super) fn test(world: &World, options: &Test) -> Result<ExitCode> {
    let started = Instant::now();
    let (program, target) = (std::env::current_exe()?, Target::host());
    if options.only.as_deref() == Some("list") {
        return list(&Repository::discover(world.config()?)?);
    }
    let Global {
        format,
        color,
        verbose,
        config,
    } = &world.global;
    let events = Events::new(vec![report::reporter(*format, *color, *verbose)]);
    let repository = Repository::discover(world.config()?)?;
    let parts = select(&repository, options.only.as_deref())?;
    if options.setup || parts.contains(&Part::EndToEnd) {
        let scope = Scope {
            fix: options.setup,
            tests: true,
            ..Scope::default()
        };
        doctor::before(world, &target, &events, scope)?;
    }
    let session = open(world, options, &repository, &parts, &target, &events)?;
    let (config, state, full) = (config.clone(), world.state(&target), options.full);
    let tests = Tests {
        repository,
        full,
        setup: options.setup,
        program,
        config,
        target,
        state,
    };
    let outcome = run(&session, &tests, &parts, options.fail_fast);
    session.close();
    let ok = outcome.resume.is_none() && !outcome.interrupted;
    let seconds = started.elapsed().as_secs_f64();
    events.emit(Event::RunFinished {
        ok,
        seconds,
        next: outcome.resume,
    });
    // Reporters that draw must be done before anything else is written.
    drop(events);
    if *format != report::Format::Json {
        print(&format!(
            "{} passed, {} failed\n",
            outcome.tally.passed, outcome.tally.failed
        ))?;
    }
    Ok(match (ok, outcome.interrupted) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(INTERRUPTED),
        (false, false) => ExitCode::FAILURE,
    })
}

fn list(repository: &Repository) -> Result<ExitCode> {
    let rows: Vec<Vec<String>> = repository
        .parts()
        .iter()
        .map(|it| vec![repository.name(*it), repository.what(*it)])
        .collect();
    print(&report::table(&["part", "what it does"], &rows))
}

/// The parts whose name contains the text; all of them without one.
fn select(repository: &Repository, only: Option<&str>) -> Result<Vec<Part>> {
    let mut parts = repository.parts();
    parts.retain(|it| only.is_none_or(|only| repository.name(*it).contains(only)));
    if let (true, Some(only)) = (parts.is_empty(), only) {
        let names: Vec<_> = repository
            .parts()
            .iter()
            .map(|it| repository.name(*it))
            .collect();
        bail!(
            "no part of the tests is called `{only}`\nhint: there are {}",
            names.join(", ")
        );
    }
    Ok(parts)
}

/// Runs the parts one after the other: most of them keep all processors busy on their own.
fn run(session: &Session, tests: &Tests, parts: &[Part], fail_fast: bool) -> Outcome {
    let mut outcome = Outcome::default();
    for &part in parts {
        let name = tests.repository.name(part);
        let resume = format!("cargo xtask test {name}");
        let log = format!("test-{}", staging::file_name(&name));
        let task = Task {
            why: tests.repository.what(part),
            log,
            resume,
            name,
        };
        let mut tally = Tally::default();
        let done = session.task(&task, |cx| {
            parts::run(part, tests, cx, &mut tally).map(|()| tally.to_string())
        });
        outcome.interrupted = done.as_ref().is_err_and(|it| it.is::<Interrupted>());
        if done.is_err() {
            outcome.resume = Some(task.resume);
        }
        if done.is_err() && !outcome.interrupted {
            // A part that breaks off failed, whatever it had counted until then.
            tally.failed = tally.failed.max(1);
        }
        outcome.tally.add(&tally);
        if outcome.interrupted || (fail_fast && done.is_err()) {
            break;
        }
    }
    outcome
}

/// A session without steps of its own. It holds the target's lock: the parts use the caches that
/// `dist` uses.
fn open(
    world: &World,
    options: &Test,
    repository: &Repository,
    parts: &[Part],
    target: &Target,
    events: &Events,
) -> Result<Session> {
    let mut command = "cargo xtask test".to_owned();
    for (given, flag) in [
        (options.full, " --full"),
        (options.fail_fast, " --fail-fast"),
    ] {
        command += if given { flag } else { "" };
    }
    command.extend(options.only.iter().map(|it| format!(" {it}")));
    let (config, state) = (&repository.config, world.state(target));
    let withheld = Release::withheld(config);
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let session = Session::open(Options {
        root: world.root.clone(),
        state: state.clone(),
        target: target.triple.clone(),
        steps: Vec::new(),
        command: command.clone(),
        events: events.clone(),
        selection: Selection::default(),
        plan: false,
        jobs,
        hashes: Hashes::read(&state, false),
        timeout: config.limits.step_timeout,
        probes: world.probes().withhold(withheld.clone()),
        withheld,
        redactor: Redactor::default(),
        interrupted: world.interrupted.clone(),
        program: crate::VERSION.to_owned(),
        at_commit: None,
    })?;
    let steps = parts.iter().map(|it| repository.name(*it)).collect();
    let (target, logs) = (target.name.clone(), state.join("logs"));
    events.emit(Event::RunStarted {
        command,
        target,
        steps,
        jobs: 1,
        logs,
    });
    Ok(session)
}
