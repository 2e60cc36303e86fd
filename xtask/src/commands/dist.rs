//! `dist` and `plan`: one run of the pipeline, for real or only decided.

use std::{path::Path, process::ExitCode, time::Instant};

use anyhow::{Result, ensure};

use super::{
    INTERRUPTED, World,
    doctor::{self, Scope},
    print,
    targets::{self, TargetOutcome},
    version,
};
use crate::{
    cli::{Dist, OnTarget, Plan, Select, Signing},
    config::Config,
    engine::{
        event::{Event, Events, Level, ReleasedFile, Reporter, Stamped},
        exec::Interrupted,
        lock::Lock,
        probe::Probes,
        secret::Redactor,
        select::Selection,
        session::{self, Hashes, Options, Reported, Session, Stopped},
        step::Done,
    },
    freeze::choice::Policy,
    pipeline,
    release::{Release, SigningWish},
    report,
    sign::{leftovers, secrets::Secrets},
    steps::seal::Sealed,
    target::Target,
};

/// What `dist` and `plan` have in common.
struct Wish<'a> {
    on: &'a OnTarget,
    select: &'a Select,
    signing: &'a Signing,
    freezing: Policy,
    jobs: Option<u16>,
    plan: bool,
}

pub(super) fn dist(world: &World, options: &Dist) -> Result<ExitCode> {
    targets::each(world, &options.on, |on, target| {
        dist_for(world, options, on, target)
    })
}

fn dist_for(
    world: &World,
    options: &Dist,
    on: &OnTarget,
    target: &Target,
) -> Result<TargetOutcome> {
    let wish = Wish {
        on,
        select: &options.select,
        signing: &options.signing,
        freezing: options.freezing.into(),
        jobs: options.jobs,
        plan: options.dry_run,
    };
    if options.dry_run {
        return show_plan(world, &wish, target, None);
    }
    let started = Instant::now();
    let hashes = Hashes::read(&world.state(target), wish.select.rehash);
    let events = world.events();
    events.add(Box::new(report::Recorder::new(&world.state(target))));
    let scope = Scope {
        fix: options.setup,
        ..Scope::default()
    };
    let outcome = version::refuse_other_tag(world)
        .and_then(|()| doctor::before(world, target, &events, scope))
        .and_then(|()| open(world, &wish, target, events.clone(), hashes))
        .and_then(|(session, release, _turn)| {
            let outcome = release_from(&session, &release);
            session.close();
            outcome
        });
    let failure = outcome.err().filter(|it| !it.is::<Stopped>());
    Ok(ended(world, &wish, target, &events, started, failure))
}

/// Says how a run ended, and what to type next. [`Stopped`] is no failure.
fn ended(
    world: &World,
    wish: &Wish,
    target: &Target,
    events: &Events,
    started: Instant,
    failure: Option<anyhow::Error>,
) -> TargetOutcome {
    let (code, next) = match &failure {
        None => (0, next_after(world, wish, target)),
        Some(error) => {
            let interrupted = error.is::<Interrupted>();
            let code = match interrupted {
                true => INTERRUPTED,
                false => status_of(error),
            };
            // Outside of a step there is nothing to resume; the hints say what to do.
            let in_a_step = interrupted || error.is::<Reported>();
            if !in_a_step {
                let failure = session::failure(error, "");
                events.emit(Event::RunFailed { failure });
            }
            let config = world.global.config.as_deref();
            let resume = || resume_command(wish, target, config);
            (code, in_a_step.then(resume))
        }
    };
    events.emit(Event::RunFinished {
        ok: failure.is_none(),
        seconds: started.elapsed().as_secs_f64(),
        next: next.clone(),
    });
    TargetOutcome { code, next }
}

/// What the process ends with after this error.
pub(super) fn status_of(error: &anyhow::Error) -> u8 {
    let reported = error.downcast_ref::<Reported>().and_then(|it| it.status);
    reported.unwrap_or(1)
}

pub(super) fn plan(world: &World, options: &Plan) -> Result<ExitCode> {
    targets::each(world, &options.on, |on, target| {
        let wish = Wish {
            on,
            select: &options.select,
            signing: &options.signing,
            freezing: options.freezing.into(),
            jobs: None,
            plan: true,
        };
        show_plan(world, &wish, target, options.explain.as_deref())
    })
}

/// Collects events instead of showing them.
struct Collected(std::sync::Arc<std::sync::Mutex<Vec<Event>>>);

impl Reporter for Collected {
    fn report(&mut self, stamped: &Stamped) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(stamped.event.clone());
    }
}

fn show_plan(
    world: &World,
    wish: &Wish,
    target: &Target,
    explain: Option<&str>,
) -> Result<TargetOutcome> {
    version::refuse_other_tag(world)?;
    let collected = std::sync::Arc::default();
    let mut reporters: Vec<Box<dyn Reporter>> =
        vec![Box::new(Collected(std::sync::Arc::clone(&collected)))];
    if world.global.format == report::Format::Json {
        reporters.push(report::reporter(
            world.global.format,
            world.global.color,
            false,
        ));
    }
    let hashes = Hashes::read(&world.state(target), wish.select.rehash);
    let (session, release, _) = open(world, wish, target, Events::new(reporters), hashes)?;
    let outcome = pipeline::dist(&session, &release);
    session.close();
    match outcome {
        Err(error) if !error.is::<Stopped>() && !error.is::<Reported>() => return Err(error),
        _ => {}
    }
    let events = collected
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    let failed = events
        .iter()
        .any(|it| matches!(it, Event::StepFailed { .. }));
    if world.global.format != report::Format::Json {
        print(&report::plan(&events))?;
        if let Some(step) = explain {
            print(&explained(
                &session,
                &pipeline::steps(&release.config, target.os),
                step,
            )?)?;
        }
    }
    Ok(TargetOutcome {
        code: failed.into(),
        next: None,
    })
}

fn explained(session: &Session, steps: &[String], step: &str) -> Result<String> {
    let named = steps
        .iter()
        .filter(|it| crate::engine::select::step_matches(step, it));
    let named: Vec<_> = named.collect();
    ensure!(
        !named.is_empty(),
        "there is no step `{step}`\nhint: the steps are {}",
        steps.join(", ")
    );
    let short = |text: Option<String>| {
        let text = text.unwrap_or_else(|| "-".to_owned());
        let hash = text
            .get(..64)
            .filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
        hash.map_or_else(|| text.clone(), |it| it[..12].to_owned())
    };
    let mut text = String::new();
    for step in named {
        let changes = session.explained(step);
        let rows: Vec<Vec<String>> = changes
            .into_iter()
            .map(|it| vec![it.what, short(it.from), short(it.to)])
            .collect();
        text += &match rows.is_empty() {
            true => format!(
                "\n{step}: nothing in its own inputs differs from its record, or there is none\n"
            ),
            false => format!(
                "\n{step}\n{}",
                report::table(&["what", "recorded", "now"], &rows)
            ),
        };
    }
    Ok(text)
}

/// Runs the pipeline and puts the release where people look for it.
fn release_from(session: &Session, release: &Release) -> Result<()> {
    let sealed = pipeline::dist(session, release)?;
    let folder = release.folder();
    session.publish(&sealed, &folder)?;
    session.emit(Event::Released {
        files: released_files(&sealed),
        identity: release.identity_text(),
        folder,
    });
    Ok(())
}

fn released_files(sealed: &Done<Sealed>) -> Vec<ReleasedFile> {
    let kind = |path: &str| {
        let product = sealed.output.products.iter().find(|it| it.path == path);
        match path {
            _ if product.is_some() => product.map_or("", |it| it.kind.as_str()),
            "manifest.json" => "manifest",
            "SHA256SUMS" => "checksums",
            _ => "signature",
        }
    };
    let files = sealed.artifacts.iter();
    files
        .map(|it| ReleasedFile {
            kind: kind(&it.path).into(),
            path: it.path.clone(),
            size: it.size,
        })
        .collect()
}

/// What a run starts from. The lock, of a real run, is for what all targets of a checkout share:
/// the front end's output and `node_modules`. The session's own keeps the target's state.
fn open(
    world: &World,
    wish: &Wish,
    target: &Target,
    events: Events,
    hashes: Hashes,
) -> Result<(Session, Release, Option<Lock>)> {
    let command = resume_command(wish, target, world.global.config.as_deref());
    let config = world.config()?;
    let probes = world.probes().withhold(Release::withheld(&config));
    let state = world.state(target);
    let redactor = Redactor::default();
    let mut warnings = config.warnings.clone();
    warnings.extend(version::disagreement(world, wish.signing.release)?);
    let release = release(config, wish, target, &state, &probes, &redactor)?;
    let session = Session::open(Options {
        root: world.root.clone(),
        state: state.clone(),
        program: crate::VERSION.to_owned(),
        target: target.triple.clone(),
        steps: pipeline::steps(&release.config, target.os),
        command: command.clone(),
        events: events.clone(),
        selection: selection(wish.select),
        plan: wish.plan,
        jobs: wish.jobs.map_or_else(processors, usize::from),
        hashes,
        timeout: release.config.limits.step_timeout,
        withheld: Release::withheld(&release.config),
        probes,
        redactor,
        interrupted: world.interrupted.clone(),
        at_commit: None,
    })?;
    let turn = match wish.plan {
        true => None,
        false => Some(begin(world, wish, &release, &events, command)?),
    };
    let note = |level, text| {
        events.emit(Event::Note {
            step: String::new(),
            level,
            text,
        });
    };
    target
        .note()
        .into_iter()
        .for_each(|it| note(Level::Info, it));
    warnings.into_iter().for_each(|it| note(Level::Warning, it));
    Ok((session, release, turn))
}

/// The release that is wished for, with everybody who signs it.
///
/// # Errors
/// It must not be published as it would be, or a key cannot be used.
fn release(
    config: Config,
    wish: &Wish,
    target: &Target,
    state: &Path,
    probes: &Probes,
    redactor: &Redactor,
) -> Result<Release> {
    let signing = match wish.signing {
        Signing { release: true, .. } => SigningWish::Release,
        Signing { unsigned: true, .. } => SigningWish::Unsigned,
        _ => SigningWish::Any,
    };
    let mut release = Release::new(config, target.clone(), signing, state, probes, redactor)?;
    release.freezing = wish.freezing;
    let secrets = Secrets::new(redactor.clone());
    release.find_windows_signer(state, secrets, wish.signing.allow_secret_in_args)?;
    release.refuse_for_publishing(wish.signing.allow_dirty, selects_recorded(wish.select))?;
    Ok(release)
}

/// Takes the checkout's lock, says what runs, and clears away what killed runs left. The session of the
/// target is open: who runs the same target twice is told of that target.
fn begin(
    world: &World,
    wish: &Wish,
    release: &Release,
    events: &Events,
    command: String,
) -> Result<Lock> {
    let target = &release.target;
    let state = world.state(target);
    let turn = Lock::take(&world.root.join("target/dist"), &command)?;
    events.emit(Event::RunStarted {
        command,
        target: target.name.clone(),
        steps: pipeline::steps(&release.config, target.os),
        jobs: wish.jobs.map_or_else(processors, usize::from),
        logs: state.join("logs"),
    });
    let withheld = Release::withheld(&release.config);
    leftovers::sweep(&world.loose(&state, events, withheld), &state);
    Ok(turn)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn selects_recorded(select: &Select) -> bool {
    select.from.is_some() || select.only.is_some() || !select.skip.is_empty()
}

fn selection(select: &Select) -> Selection {
    Selection {
        from: select.from.clone().or_else(|| select.only.clone()),
        until: select.until.clone().or_else(|| select.only.clone()),
        skip: select.skip.clone(),
        force: select
            .force
            .iter()
            .filter(|it| !it.is_empty())
            .cloned()
            .collect(),
        force_all: select.force.iter().any(String::is_empty),
    }
}

/// What to type to go on where this run stops. `--force` and `--setup` have done their work then.
fn resume_command(wish: &Wish, target: &Target, config: Option<&Path>) -> String {
    let mut words = vec!["cargo xtask dist".to_owned()];
    if wish.on.target.is_some() {
        words.push(format!("--target {}", target.name));
    }
    let flags = [
        (wish.signing.release, "--release"),
        (wish.signing.unsigned, "--unsigned"),
        (wish.signing.allow_dirty, "--allow-dirty"),
        (wish.signing.allow_secret_in_args, "--allow-secret-in-args"),
        (wish.freezing.no_fallback, "--no-fallback"),
        // The recorded fallback still stands if the run stops before the sidecar is done.
        (wish.freezing.retry_fallback, "--retry-fallback"),
    ];
    words.extend(flags.iter().filter(|it| it.0).map(|it| it.1.to_owned()));
    let select = wish.select;
    let named = [
        ("--from", &select.from),
        ("--until", &select.until),
        ("--only", &select.only),
    ];
    for (flag, step) in named {
        words.extend(step.iter().map(|it| format!("{flag} {it}")));
    }
    words.extend(select.skip.iter().map(|it| format!("--skip {it}")));
    let required = wish.freezing.require;
    words.extend(required.map(|it| format!("--require-freezer {}", it.name())));
    words.extend(wish.jobs.map(|it| format!("--jobs {it}")));
    words.extend(config.map(|it| format!("--config {}", it.display())));
    words.join(" ")
}

fn next_after(world: &World, wish: &Wish, target: &Target) -> Option<String> {
    if selection(wish.select).until.is_some() {
        return Some("cargo xtask dist".to_owned());
    }
    if wish.on.target.is_none() && world.global.config.is_none() {
        return Some("cargo xtask verify".to_owned());
    }
    let config = world.config().ok()?;
    let version = config.product.version.to_string();
    let folder = config.release.dir.join(version).join(&target.name);
    let folder = folder.strip_prefix(&world.root).unwrap_or(&folder);
    Some(format!("cargo xtask verify {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn what_to_type_to_go_on() {
        let check = |line: &str, expected: &str| {
            let words = format!("xtask dist {line}");
            let cli = Cli::try_parse_from(words.split_whitespace()).expect("a good line");
            let Command::Dist(options) = cli.command else {
                panic!("{line} is not for dist");
            };
            let wish = Wish {
                on: &OnTarget { target: None },
                select: &options.select,
                signing: &options.signing,
                freezing: options.freezing.into(),
                jobs: options.jobs,
                plan: false,
            };
            let command = resume_command(&wish, &Target::host(), cli.global.config.as_deref());
            assert_eq!(command, format!("cargo xtask dist{expected}"), "{line}");
        };
        check("", "");
        check("--force --setup --rehash --verbose", "");
        check("--no-fallback", " --no-fallback");
        let retry = "--retry-fallback --require-freezer nuitka";
        check(retry, &format!(" {retry}"));
        check(
            "--jobs=1 --until app --unsigned",
            " --unsigned --until app --jobs 1",
        );
        check("--config a/b.toml", " --config a/b.toml");
    }

    #[test]
    fn one_freezer_and_no_fallback_are_one_wish_too_many() {
        let words = "xtask plan --no-fallback --require-freezer nuitka";
        let error = Cli::try_parse_from(words.split(' ')).expect_err("they contradict");
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
