//! `doctor`, and the short form of it that runs before `dist` and `test`.

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use super::{Ended, World, print, target};
use crate::{
    ci::Maker,
    cli,
    engine::event::{Event, Events},
    preflight::{self, Doctor, Finding, Needs, Report},
    release::Release,
    target::Target,
    tools::packages::System,
};

/// What to look for, beyond what the target needs.
#[derive(Clone, Copy, Default)]
pub(super) struct Scope {
    /// Install what is missing.
    pub(super) fix: bool,
    /// What the tests need, too.
    pub(super) tests: bool,
    /// Also what takes a moment to ask.
    pub(super) thorough: bool,
}

pub(super) fn doctor(world: &World, options: &cli::Doctor) -> Result<ExitCode> {
    let (started, events) = (Instant::now(), world.events());
    let scope = Scope {
        fix: options.fix,
        tests: options.tests,
        thorough: true,
    };
    let outcome = target(&options.on).and_then(|target| {
        let found = look(world, &target, &events, scope)?;
        show(world, &target, &events, &found)?;
        show_steps(world, &target, &events, &found)?;
        Ok(Ended {
            ok: found.ok(),
            next: found.command(),
        })
    });
    world.finish(&events, started, outcome)
}

/// The whole table for a person, an event for each of its lines for a program.
fn show(world: &World, target: &Target, events: &Events, found: &Report) -> Result<()> {
    if world.is_json() {
        found
            .findings
            .iter()
            .for_each(|it| events.emit(checked(it)));
        return Ok(());
    }
    print(&found.text())?;
    if found.ok() {
        print(&match target.runs_here() {
            true => format!("everything that {target} needs is here\n"),
            false => format!("everything that can be used here for {target} is here\n"),
        })?;
    }
    Ok(())
}

/// What of the pipeline can be done here.
fn show_steps(world: &World, target: &Target, events: &Events, found: &Report) -> Result<()> {
    let config = world.config()?;
    let abilities = preflight::abilities(&config, target, &found.findings, &found.system);
    if world.is_json() {
        for it in abilities {
            let (elsewhere, more) = match it.elsewhere {
                Some(Maker::Job(runner)) => (Some(runner), None),
                maker => (None, maker.map(|it| it.to_string())),
            };
            let why = it.why.into_iter().chain(more).collect::<Vec<_>>();
            events.emit(Event::StepChecked {
                step: it.step,
                here: it.here,
                why: Some(why.join("; ")).filter(|it| !it.is_empty()),
                fix: it.fix,
                elsewhere,
            });
        }
        return Ok(());
    }
    let note = target.note().map(|it| format!("{it}\n"));
    let table = preflight::abilities_table(&abilities);
    print(&format!("\n{}{table}", note.unwrap_or_default())).map(drop)
}

fn checked(finding: &Finding) -> Event {
    Event::ToolChecked {
        tool: finding.tool.clone(),
        wanted_for: finding.wanted_for.to_owned(),
        found: finding.found.clone(),
        problem: finding.problem.clone(),
        fix: finding.fix.as_ref().map(ToString::to_string),
    }
}

/// Refuses to start what cannot end well: all problems at once, with the command that mends them.
pub(super) fn before(world: &World, target: &Target, events: &Events, scope: Scope) -> Result<()> {
    let found = look(world, target, events, scope)?;
    if !found.ok() {
        if found.command().is_none() {
            bail!(
                "something that this needs is missing\n{}",
                found.text().trim_end()
            );
        }
        let tests = if scope.tests { " --tests" } else { "" };
        bail!(
            "something that this needs is missing\n{}\n\
             hint: install it with `cargo xtask doctor --fix{tests}`, or add --setup to the command",
            found.text().trim_end()
        );
    }
    Ok(())
}

fn look(world: &World, target: &Target, events: &Events, scope: Scope) -> Result<Report> {
    let config = world.config()?;
    let withheld = Release::withheld(&config);
    let probes = world.probes().withhold(withheld.clone());
    let mut needs = Needs::of(&config, target);
    needs.for_tests = scope.tests;
    needs.disk = scope.thorough.then(|| world.root.join("target"));
    let doctor = Doctor {
        needs: &needs,
        system: System::detect(&probes),
        probes: &probes,
    };
    if !scope.fix {
        return Ok(doctor.check());
    }
    let state = world.state(target);
    doctor.fix(
        &world.exec(&state, events.clone(), withheld),
        state.join("logs/doctor.log"),
    )
}
