//! `freeze compare`: makes every candidate of a sidecar, tries each, and says which one to take.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use super::{
    INTERRUPTED, World,
    doctor::{self, Scope},
    print, target,
};
use crate::{
    cli::{Compare, Freeze},
    config::{self, Freezer, Layout},
    engine::{
        event::{Event, Events},
        exec::Interrupted,
        paste::pasteable,
        secret::Redactor,
        select::Selection,
        session::{Hashes, Options, Reported, Session, Task},
        staging,
        step::Context,
    },
    freeze::{
        candidate::Freezing,
        choice::Choice,
        comparison::{COLUMNS, CachedC, Compared, Comparison, recommend},
        trial::Trial,
    },
    release::{Release, SigningWish},
    report,
    steps::sidecar::Sidecar,
    target::Target,
    tools::python::{Environment, Interpreter},
};

const LAYOUTS: [Layout; 2] = [Layout::Onefile, Layout::Folder];

pub(super) fn freeze(world: &World, options: &Freeze) -> Result<ExitCode> {
    let Freeze::Compare(options) = options;
    let target = target(&options.on)?;
    let events = Events::new(vec![report::reporter(
        world.global.format,
        world.global.color,
        world.global.verbose,
    )]);
    let started = Instant::now();
    let scope = Scope {
        fix: options.setup,
        ..Scope::default()
    };
    doctor::before(world, &target, &events, scope)?;
    let sidecars = chosen(&world.config()?, options)?;
    let resume = resume_command(options, &target, world.global.config.as_deref());
    let session = open(world, &target, &events, &sidecars, &resume)?;
    let run = Run {
        session: &session,
        resume: &resume,
    };
    let outcome = run.compare_all(world, options, &target, &sidecars);
    session.close();
    let ok = outcome.as_ref().is_ok_and(|it| it.all_recommend);
    let seconds = started.elapsed().as_secs_f64();
    let next = (!ok).then_some(resume);
    events.emit(Event::RunFinished { ok, seconds, next });
    match outcome {
        Ok(compared) => {
            print(&compared.pages.join("\n"))?;
            Ok(match compared.all_recommend {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Err(error) if error.is::<Interrupted>() => Ok(ExitCode::from(INTERRUPTED)),
        Err(error) if error.is::<Reported>() => Ok(ExitCode::FAILURE),
        Err(error) => Err(error),
    }
}

/// What to type to compare again. `--setup` has done its work then.
fn resume_command(options: &Compare, target: &Target, config: Option<&Path>) -> String {
    let mut command = Command::new("cargo");
    command.args(["xtask", "freeze", "compare"]);
    if options.on.target.is_some() {
        command.args(["--target", &target.name]);
    }
    if let Some(name) = &options.sidecar {
        command.args(["--sidecar", name]);
    }
    if let Some(launches) = options.launches {
        command.args(["--launches", &launches.to_string()]);
    }
    let files = [
        ("--output", options.output.as_deref()),
        ("--config", config),
    ];
    for (flag, path) in files {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    pasteable(&command, Path::new(""))
}

/// The sidecars that are asked for.
fn chosen(config: &config::Config, options: &Compare) -> Result<Vec<config::Sidecar>> {
    let mut all = config.sidecars.clone();
    if let Some(name) = &options.sidecar {
        all.retain(|it| it.name == *name);
    }
    if all.is_empty() {
        let names: Vec<&str> = config.sidecars.iter().map(|it| &*it.name).collect();
        bail!(
            "there is no such sidecar to freeze\nhint: configured are: {}",
            names.join(", ")
        );
    }
    for sidecar in &mut all {
        if let Some(launches) = options.launches {
            sidecar.trial.launches = launches.into();
        }
    }
    Ok(all)
}

fn open(
    world: &World,
    target: &Target,
    events: &Events,
    sidecars: &[config::Sidecar],
    command: &str,
) -> Result<Session> {
    let config = world.config()?;
    let state = world.state(target);
    let withheld = Release::withheld(&config);
    let command = command.to_owned();
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
    let names = |it: &config::Sidecar| {
        let freezers = it.freezers.clone();
        let name = it.name.clone();
        let each = move |freezer: Freezer| {
            let name = name.clone();
            LAYOUTS.map(move |layout| task_name(&name, freezer, layout))
        };
        let candidates = freezers.into_iter().flat_map(each);
        let first = std::iter::once(sources_name(&it.name));
        first.chain(candidates).collect::<Vec<_>>()
    };
    events.emit(Event::RunStarted {
        command,
        target: target.name.clone(),
        steps: sidecars.iter().flat_map(names).collect(),
        jobs: 1,
        logs: state.join("logs"),
    });
    Ok(session)
}

fn task_name(sidecar: &str, freezer: Freezer, layout: Layout) -> String {
    format!("{sidecar}:{}-{}", freezer.name(), layout.name())
}

/// The task that comes before the candidates.
fn sources_name(sidecar: &str) -> String {
    format!("{sidecar}:plain-python")
}

/// What came out for all sidecars.
struct AllCompared {
    /// For people, one a sidecar.
    pages: Vec<String>,
    /// Something passed for each sidecar.
    all_recommend: bool,
}

/// What every task needs.
struct Run<'a> {
    session: &'a Session,
    /// What to type after a failure.
    resume: &'a str,
}

impl Run<'_> {
    /// Compares the sidecars one after the other, and writes what comes out.
    fn compare_all(
        &self,
        world: &World,
        options: &Compare,
        target: &Target,
        sidecars: &[config::Sidecar],
    ) -> Result<AllCompared> {
        let state = world.state(target);
        let (probes, redactor) = (world.probes(), Redactor::default());
        let wish = SigningWish::Unsigned;
        let release = Release::new(
            world.config()?,
            target.clone(),
            wish,
            &state,
            &probes,
            &redactor,
        )?;
        let folder = options
            .output
            .clone()
            .unwrap_or_else(|| state.join("freeze"));
        let (mut pages, mut all_recommend) = (Vec::new(), true);
        for sidecar in sidecars {
            let comparison = self.compare(&release, sidecar)?;
            let (markdown, json) = write(&comparison, &folder)?;
            let table = report::table(&COLUMNS, &comparison.rows());
            let (failures, advice) = (comparison.failures(), comparison.advice());
            all_recommend &= comparison.recommendation.is_some();
            pages.push(format!(
                "\n{table}{failures}{advice}\nwritten to {} and {}\n",
                release.relative(&markdown),
                release.relative(&json)
            ));
        }
        Ok(AllCompared {
            pages,
            all_recommend,
        })
    }

    /// One after the other, so that none disturbs another's figures.
    fn compare(&self, release: &Release, sidecar: &config::Sidecar) -> Result<Comparison> {
        let sources = sources_name(&sidecar.name);
        let why = "no freezer helps against what fails here";
        self.task(sources, why, self.resume, |cx| {
            refuse_broken_sources(cx, release, sidecar)?;
            Ok("it starts under plain Python".to_owned())
        })?;
        let mut candidates = Vec::new();
        for &freezer in &sidecar.freezers {
            for layout in LAYOUTS {
                candidates.push(self.candidate(release, sidecar, freezer, layout)?);
            }
        }
        Ok(Comparison {
            sidecar: sidecar.name.clone(),
            version: release.config.product.version.to_string(),
            target: release.target.triple.clone(),
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            max_startup: sidecar.max_startup.map(|it| it.as_secs_f64()),
            recommendation: recommend(&candidates, sidecar.max_startup),
            candidates,
        })
    }

    /// One of them, also if it did not pass: then its task failed, and the comparison goes on.
    fn candidate(
        &self,
        release: &Release,
        sidecar: &config::Sidecar,
        freezer: Freezer,
        layout: Layout,
    ) -> Result<Compared> {
        let name = task_name(&sidecar.name, freezer, layout);
        let mut compared = None;
        let outcome = self.task(name, "to compare it", "", |cx| {
            let made = candidate(cx, release, sidecar, freezer, layout)?;
            summary(compared.insert(made))
        });
        match outcome {
            Err(error) if compared.is_none() || !error.is::<Reported>() => Err(error),
            _ => compared.context("what is done was compared"),
        }
    }

    fn task(
        &self,
        name: String,
        why: &str,
        resume: &str,
        work: impl FnOnce(&Context) -> Result<String>,
    ) -> Result<()> {
        let task = Task {
            log: format!("freeze-{}", staging::file_name(&name)),
            name,
            why: why.to_owned(),
            resume: resume.to_owned(),
        };
        self.session.task(&task, work)
    }
}

fn write(comparison: &Comparison, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    fs_err::create_dir_all(folder)?;
    let name = staging::file_name(&comparison.sidecar);
    let markdown = folder.join(format!("{name}.md"));
    let json = folder.join(format!("{name}.json"));
    fs_err::write(&markdown, comparison.markdown())?;
    let text = serde_json::to_string_pretty(comparison)?;
    fs_err::write(&json, text + "\n")?;
    Ok((markdown, json))
}

/// What the step does before it freezes.
fn refuse_broken_sources(cx: &Context, release: &Release, sidecar: &config::Sidecar) -> Result<()> {
    let interpreter = Interpreter::find(cx, sidecar.python)?;
    let environment = Environment::ensure(cx, sidecar, &interpreter)?;
    let trial = Trial {
        cx,
        sidecar,
        version: &release.config.product.version.to_string(),
        environment: &environment,
    };
    Sidecar::new(release, sidecar).refuse_broken_sources(&trial)
}

fn candidate(
    cx: &Context,
    release: &Release,
    sidecar: &config::Sidecar,
    freezer: Freezer,
    layout: Layout,
) -> Result<Compared> {
    let interpreter = Interpreter::find(cx, sidecar.python)?;
    let environment = Environment::ensure(cx, sidecar, &interpreter)?;
    let version = release.config.product.version.to_string();
    let freezing = Freezing {
        cx,
        sidecar,
        product: &release.config.product,
        environment: &environment,
        target: &release.target,
        is_cold: true,
    };
    let trial = Trial {
        cx,
        sidecar,
        version: &version,
        environment: &environment,
    };
    let choice = Choice {
        freezing: &freezing,
        trial: &trial,
        freezers: &[freezer],
    };
    let mut compared = Compared {
        freezer,
        freezer_version: freezing.version_of(freezer),
        layout,
        build_seconds: 0.0,
        cached_c: None,
        trial: None,
        failure: None,
    };
    let started = Instant::now();
    let made = choice.made(freezer, layout);
    compared.build_seconds = started.elapsed().as_secs_f64();
    compared.cached_c = CachedC::of(&fs_err::read_to_string(&cx.log().path)?);
    match made {
        Err(error) => compared.failure = Some(error.downcast()?),
        Ok(made) => {
            let report = trial
                .run(&made)
                .with_context(|| format!("the trial of {}", made.id()))?;
            compared.failure = choice.rejection(freezer, layout, &report);
            compared.trial = Some(report);
        }
    }
    Ok(compared)
}

/// For the line that ends the task; an error if the candidate did not pass.
fn summary(compared: &Compared) -> Result<String> {
    match (&compared.failure, &compared.trial) {
        (Some(failure), _) => bail!(failure.reasons()),
        (None, Some(trial)) => {
            let ready = trial.startup.median_ms.unwrap_or_default();
            Ok(format!(
                "ready after {ready:.0} ms, {}",
                trial.reliability()
            ))
        }
        (None, None) => Ok(String::new()),
    }
}
