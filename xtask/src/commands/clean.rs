//! `clean`: forgets.

use std::{path::Path, process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use super::{Ended, World, print, target};
use crate::{
    cli::Clean,
    engine::{
        event::Event, journal::Journal, lock::Lock, orphans::Orphans, select::step_matches, staging,
    },
    pipeline,
    target::Target,
};

/// What was forgotten.
struct Forgotten {
    /// The steps, by full name.
    steps: Vec<String>,
    /// The same in a sentence.
    text: String,
}

pub(super) fn clean(world: &World, options: &Clean) -> Result<ExitCode> {
    let (started, events) = (Instant::now(), world.events());
    let outcome = target(&options.on).and_then(|target| {
        let forgotten = forget(world, &target, options.step.as_deref())?;
        if world.is_json() {
            let steps = forgotten.steps.into_iter();
            steps.for_each(|step| events.emit(Event::StepForgotten { step }));
        } else {
            print(&forgotten.text)?;
        }
        let (ok, next) = (true, None);
        Ok(Ended { ok, next })
    });
    world.finish(&events, started, outcome)
}

fn forget(world: &World, target: &Target, step: Option<&str>) -> Result<Forgotten> {
    let state = world.state(target);
    if !state.is_dir() {
        return Ok(Forgotten {
            steps: Vec::new(),
            text: format!("there is nothing to forget for {target}\n"),
        });
    }
    let _lock = Lock::take(&state, "cargo xtask clean")?;
    // What a killed run left must not go on writing, and without its record nobody could end it.
    Orphans::new(state.join("running")).end_all();
    let (journal, _) = Journal::open(&state, &target.triple);
    match step {
        Some(step) => forget_step(world, target, journal, step),
        None => forget_all(target, &journal, &state),
    }
}

fn forget_all(target: &Target, journal: &Journal, state: &Path) -> Result<Forgotten> {
    // The lock's own file stays: it is held, and the next run needs it.
    for entry in fs_err::read_dir(state)? {
        let entry = entry?;
        if entry.file_name() != "lock" && entry.file_name() != "identity" {
            staging::remove(&entry.path())?;
        }
    }
    Ok(Forgotten {
        steps: journal.records().map(|it| it.step.clone()).collect(),
        text: format!("forgot everything about {target}; finished releases stay where they are\n"),
    })
}

fn forget_step(
    world: &World,
    target: &Target,
    mut journal: Journal,
    step: &str,
) -> Result<Forgotten> {
    let all = pipeline::steps(&world.config()?, target.os);
    let steps: Vec<String> = all
        .iter()
        .filter(|it| step_matches(step, it))
        .cloned()
        .collect();
    if steps.is_empty() {
        bail!(
            "there is no step `{step}`\nhint: the steps are {}",
            all.join(", ")
        );
    }
    let stages = world.state(target).join("stages");
    for step in &steps {
        journal.forget(Some(step))?;
        staging::remove(&stages.join(staging::file_name(step)))?;
    }
    let names = steps.join(", ");
    Ok(Forgotten {
        steps,
        text: format!("forgot {names} of {target}; the next `dist` runs it again\n"),
    })
}
