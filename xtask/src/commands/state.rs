//! `state`: carries finished steps from one machine to another.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{World, print, target};
use crate::{
    carry::{self, Owner, Verdict},
    cli::{Export, Import, State},
    engine::{lock::Lock, orphans::Orphans},
    report,
    target::Target,
    tools::git,
};

pub(super) fn state(world: &World, command: &State) -> Result<ExitCode> {
    match command {
        State::Export(options) => export(world, options),
        State::Import(options) => import(world, options),
    }
}

fn owner(world: &World, target: &Target) -> Result<Owner> {
    let product = world.config()?.product;
    Ok(Owner {
        target: target.triple.clone(),
        identifier: product.identifier,
        version: product.version.to_string(),
        commit: git::head(&world.root, &world.probes())?.id,
    })
}

fn export(world: &World, options: &Export) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let (owner, state) = (owner(world, &target)?, world.state(&target));
    let file = std::path::absolute(&options.file)?;
    let _lock = Lock::take(&state, "cargo xtask state export")?;
    let exported = carry::export(&state, &owner, &file)?;
    if world.is_json() {
        let left_out: Vec<_> = exported
            .left_out
            .iter()
            .map(|(step, why)| json!({ "step": step, "why": why }))
            .collect();
        let told = json!({
            "file": (!exported.steps.is_empty()).then_some(&file),
            "target": owner.target,
            "commit": owner.commit,
            "steps": exported.steps,
            "left-out": left_out,
            "bytes": exported.bytes,
        });
        return print(&format!("{told}\n"));
    }
    let mut text = String::new();
    for (step, why) in &exported.left_out {
        text += &format!("note: {step} is left out: {why}\n");
    }
    text += &match exported.steps.len() {
        0 => format!("no step of {target} has finished: nothing was written\n"),
        n => format!(
            "{n} finished steps of {target} are in {}: {}\n",
            file.display(),
            exported.steps.join(", ")
        ),
    };
    print(&text)
}

fn import(world: &World, options: &Import) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let file = std::path::absolute(&options.file)?;
    if options.if_exists && !file.exists() {
        return match world.is_json() {
            true => print(&format!("{}\n", json!({ "file": null, "steps": [] }))),
            false => print(&format!(
                "{} is not there: nothing to import\n",
                file.display()
            )),
        };
    }
    let (owner, state) = (owner(world, &target)?, world.state(&target));
    let _lock = Lock::take(&state, "cargo xtask state import")?;
    // What a killed run left must not write into what is put there.
    Orphans::new(state.join("running")).end_all();
    let (replace, any_commit) = (options.replace, options.any_commit);
    let imported = carry::import(&state, &owner, &file, replace, any_commit)?;
    if world.is_json() {
        let steps: Vec<_> = imported
            .steps
            .iter()
            .map(|(step, it)| json!({ "step": step, "outcome": outcome(*it).0 }))
            .collect();
        let told = json!({
            "file": file,
            "target": owner.target,
            "commit": imported.commit,
            "exported": imported.exported.0,
            "on": imported.exported.1,
            "steps": steps,
        });
        return print(&format!("{told}\n"));
    }
    let rows: Vec<_> = imported
        .steps
        .iter()
        .map(|(step, it)| vec![step.clone(), outcome(*it).0.into(), outcome(*it).1.into()])
        .collect();
    let mut text = match &imported.trouble {
        Some(trouble) => format!("warning: {trouble}\n"),
        None => String::new(),
    };
    text += &report::table(&["step", "outcome", "why"], &rows);
    let commit = imported.commit.as_deref().unwrap_or("no commit");
    let (when, on) = &imported.exported;
    text += &format!("of {commit}, exported {when} on {on}\n");
    let option = match &options.on.target {
        Some(target) => format!(" --target {target}"),
        None => String::new(),
    };
    text += &format!("next: cargo xtask plan{option}\n");
    print(&text)
}

/// For a program, and the reason for a person.
fn outcome(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Imported => ("imported", "reused if all that decides it is the same here"),
        Verdict::Same => ("same", "it is recorded here as it is"),
        Verdict::Newer => ("kept", "what is recorded here is newer; --replace takes it"),
    }
}
