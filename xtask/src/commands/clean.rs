//! `clean`: forgets.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{World, print, target};
use crate::{
    cli::Clean,
    engine::{journal::Journal, lock::Lock, orphans::Orphans, select::step_matches, staging},
    pipeline,
};

pub(super) fn clean(world: &World, options: &Clean) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let state = world.state(&target);
    if !state.is_dir() {
        return print(&format!("there is nothing to forget for {target}\n"));
    }
    let _lock = Lock::take(&state, "cargo xtask clean")?;
    // What a killed run left must not go on writing, and without its record nobody could end it.
    Orphans::new(state.join("running")).end_all();
    let Some(step) = &options.step else {
        // The lock's own file stays: it is held, and the next run needs it.
        for entry in fs_err::read_dir(&state)? {
            let entry = entry?;
            if entry.file_name() != "lock" && entry.file_name() != "identity" {
                staging::remove(&entry.path())?;
            }
        }
        return print(&format!(
            "forgot everything about {target}; finished releases stay where they are\n"
        ));
    };
    let steps = pipeline::steps(&world.config()?);
    let named: Vec<_> = steps.iter().filter(|it| step_matches(step, it)).collect();
    if named.is_empty() {
        bail!(
            "there is no step `{step}`\nhint: the steps are {}",
            steps.join(", ")
        );
    }
    let (mut journal, _) = Journal::open(&state, &target.triple);
    for step in &named {
        journal.forget(Some(step))?;
        staging::remove(&state.join("stages").join(staging::file_name(step)))?;
    }
    let names: Vec<_> = named.iter().map(|it| it.as_str()).collect();
    print(&format!(
        "forgot {} of {target}; the next `dist` runs it again\n",
        names.join(", ")
    ))
}
