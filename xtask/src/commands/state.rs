//! `state`: carries finished steps from one machine to another.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use fs_err as fs;
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

/// The archive that is meant: of a folder the newest below it. GitHub gives no file of an earlier attempt a
/// new content, so each attempt has a folder of its own, such as `state-x86_64-unknown-linux-gnu-2`.
fn archive(given: &Path) -> Result<PathBuf> {
    if !given.is_dir() {
        return Ok(given.to_owned());
    }
    let files = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().map(|it| it.path()).collect())
    };
    let mut all = files(given)?;
    for folder in all.clone().iter().filter(|it| it.is_dir()) {
        all.extend(files(folder)?);
    }
    all.retain(|it| it.is_file() && it.to_string_lossy().ends_with(".tar.gz"));
    let attempt = |file: &PathBuf| -> Option<u64> {
        let folder = file.parent()?.file_name()?.to_str()?;
        folder.rsplit('-').next()?.parse().ok()
    };
    let newest = all.into_iter().max_by_key(|it| (attempt(it), it.clone()));
    Ok(newest.unwrap_or_else(|| given.join("state.tar.gz")))
}

fn import(world: &World, options: &Import) -> Result<ExitCode> {
    let target = target(&options.on)?;
    let file = archive(&std::path::absolute(&options.file)?)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_attempts_the_last() {
        let check = |files: &[&str], expected: &str| {
            let dir = tempfile::tempdir().unwrap();
            for file in files {
                let file = dir.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            assert_eq!(archive(dir.path()).unwrap(), dir.path().join(expected));
        };
        check(&["state.tar.gz"], "state.tar.gz");
        check(
            &["s-9/state.tar.gz", "s-10/state.tar.gz", "s-2/state.tar.gz"],
            "s-10/state.tar.gz",
        );
        check(&["s-1/other.txt"], "state.tar.gz");
    }
}
