//! `state`: carries finished steps from one machine to another.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use serde::Serialize;

use super::{World, print, print_json, target};
use crate::{
    carry::{self, Imported, LeftOut, Owner, Taken, Verdict},
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

/// What `state export --format json` prints.
#[derive(Serialize)]
struct ExportTold<'a> {
    /// The archive; null if no step has finished, and there is none.
    file: Option<&'a Path>,
    target: &'a str,
    commit: Option<&'a str>,
    /// By full name, sorted.
    steps: &'a [String],
    left_out: &'a [LeftOut],
    /// Of all files before they were packed.
    bytes: u64,
}

fn export(world: &World, options: &Export) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let (owner, state) = (owner(world, &target)?, world.state(&target));
    let file = std::path::absolute(&options.file)?;
    let _lock = Lock::take(&state, "cargo xtask state export")?;
    let exported = carry::export(&state, &owner, &file)?;
    if world.is_json() {
        return print_json(&ExportTold {
            file: (!exported.steps.is_empty()).then_some(&file),
            target: &owner.target,
            commit: owner.commit.as_deref(),
            steps: &exported.steps,
            left_out: &exported.left_out,
            bytes: exported.bytes,
        });
    }
    let mut text = String::new();
    for LeftOut { step, why } in &exported.left_out {
        text += &format!("note: {step} is left out: {why}\n");
    }
    text += &match exported.steps.len() {
        0 => format!("no step of {target} has finished: there is no archive\n"),
        n => format!(
            "{n} finished steps of {target} are in {}: {}\n",
            file.display(),
            exported.steps.join(", ")
        ),
    };
    print(&text)
}

/// What `state import --format json` prints.
#[derive(Serialize)]
struct ImportTold<'a> {
    /// The archive; null if there was none, and all else is missing then but an empty `steps`.
    file: Option<&'a Path>,
    steps: &'a [Taken],
    #[serde(flatten)]
    from: Option<From<'a>>,
}

/// Where the steps are from.
#[derive(Serialize)]
struct From<'a> {
    target: &'a str,
    commit: Option<&'a str>,
    /// RFC 3339.
    exported: &'a str,
    /// The system and the processor that it was exported on: `linux x86_64`.
    on: &'a str,
    /// What was wrong with the journal here.
    warning: Option<&'a str>,
}

fn import(world: &World, options: &Import) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let file = std::path::absolute(&options.file)?;
    if options.if_exists && !file.exists() {
        if world.is_json() {
            let (file, steps, from) = (None, &[][..], None);
            return print_json(&ImportTold { file, steps, from });
        }
        let file = file.display();
        return print(&format!("{file} is not there: nothing to import\n"));
    }
    let (owner, state) = (owner(world, &target)?, world.state(&target));
    let _lock = Lock::take(&state, "cargo xtask state import")?;
    // What a killed run left must not write into what is put there.
    Orphans::new(state.join("running")).end_all();
    let (replace, any_commit) = (options.replace, options.any_commit);
    let imported = carry::import(&state, &owner, &file, replace, any_commit)?;
    if world.is_json() {
        return print_json(&ImportTold {
            file: Some(&file),
            steps: &imported.steps,
            from: Some(From {
                target: &owner.target,
                commit: imported.commit.as_deref(),
                exported: &imported.exported.0,
                on: &imported.exported.1,
                warning: imported.trouble.as_deref(),
            }),
        });
    }
    print(&as_text(&imported, options))
}

fn as_text(imported: &Imported, options: &Import) -> String {
    let row = |it: &Taken| {
        let cells = [&*it.step, it.outcome.as_str(), why(it.outcome)];
        cells.map(str::to_owned).to_vec()
    };
    let rows: Vec<_> = imported.steps.iter().map(row).collect();
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
    text + &format!("next: cargo xtask plan{option}\n")
}

/// For a person.
fn why(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Imported => "reused if all that decides it is the same here",
        Verdict::Same => "it is recorded here as it is",
        Verdict::Kept => "what is recorded here is newer; --replace takes it",
    }
}
