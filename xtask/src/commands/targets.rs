//! Several targets in one command: one after the other, each with a run and a state of its own.

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, ensure};

use super::{INTERRUPTED, World, print};
use crate::{
    cli::{OnTarget, OnTargets},
    engine::{
        event::{Event, TargetEnded},
        exec::Interrupted,
    },
    report,
    target::Target,
};

/// How the run for one target ended.
pub(super) struct TargetOutcome {
    /// What a process that did nothing else would end with.
    pub(super) code: u8,
    /// What to type next.
    pub(super) next: Option<String>,
}

/// The targets that were asked for, each once, and how each was; this machine where none was.
///
/// # Errors
/// One that is none, or the same under two names: both would be built into one folder of cargo's.
pub(super) fn all(on: &OnTargets) -> Result<Vec<(OnTarget, Target)>> {
    if on.target.is_empty() {
        return Ok(vec![(OnTarget { target: None }, Target::host())]);
    }
    let mut all: Vec<(OnTarget, Target)> = Vec::new();
    for name in &on.target {
        let target: Target = name.trim().parse()?;
        if let Some((_, known)) = all.iter().find(|it| it.1.triple == target.triple) {
            ensure!(
                known.name == target.name,
                "--target {} and --target {} are the same target, {}\n\
                 hint: leave one of them out",
                known.name,
                target.name,
                target.triple
            );
            continue;
        }
        let name = Some(target.name.clone());
        all.push((OnTarget { target: name }, target));
    }
    Ok(all)
}

/// Works on one target after the other. A failure does not keep the others from being tried: they share
/// nothing that it could have spoiled. Only Ctrl-C ends them all.
///
/// # Errors
/// [`all`]'s. What goes wrong with one target is shown, and counts in the exit code: 1 if there is one
/// that failed.
pub(super) fn each(
    world: &World,
    on: &OnTargets,
    mut work: impl FnMut(&OnTarget, &Target) -> Result<TargetOutcome>,
) -> Result<ExitCode> {
    let (targets, started) = (all(on)?, Instant::now());
    let mut work = |on: &OnTarget, target: &Target| match work(on, target) {
        Err(error) if error.is::<Interrupted>() => Ok(TargetOutcome {
            code: INTERRUPTED,
            next: None,
        }),
        outcome => outcome,
    };
    if let [(on, target)] = &targets[..] {
        return work(on, target).map(|it| ExitCode::from(it.code));
    }
    let mut ended = Vec::new();
    let mut interrupted = false;
    for (on, target) in &targets {
        let (code, next) = match work(on, target) {
            Ok(it) => (it.code, it.next),
            Err(error) => {
                world.show_error(&error);
                (1, None)
            }
        };
        interrupted = code == INTERRUPTED;
        ended.push(TargetEnded {
            target: target.name.clone(),
            triple: target.triple.clone(),
            status: code,
            next,
        });
        if interrupted {
            break;
        }
    }
    let ok = ended.len() == targets.len() && ended.iter().all(|it| it.status == 0);
    show(world, &targets, ended, started)?;
    Ok(match (ok, interrupted) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(INTERRUPTED),
        (false, false) => ExitCode::FAILURE,
    })
}

/// The one result of all of them.
fn show(
    world: &World,
    targets: &[(OnTarget, Target)],
    ended: Vec<TargetEnded>,
    started: Instant,
) -> Result<()> {
    if world.is_json() {
        let ok = ended.len() == targets.len() && ended.iter().all(|it| it.status == 0);
        let seconds = started.elapsed().as_secs_f64();
        let targets = ended;
        world.events().emit(Event::TargetsFinished {
            ok,
            seconds,
            targets,
        });
        return Ok(());
    }
    let rows = targets.iter().map(|(_, target)| {
        let it = ended.iter().find(|it| it.triple == target.triple);
        let (how, next) = match it {
            None => ("not tried", None),
            Some(it) if it.status == 0 => ("done", it.next.clone()),
            Some(it) if it.status == INTERRUPTED => ("interrupted", it.next.clone()),
            Some(it) => ("failed", it.next.clone()),
        };
        vec![
            target.name.clone(),
            how.to_owned(),
            next.unwrap_or_default(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    print(&report::table(&["target", "outcome", "next"], &rows)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_once() {
        let check = |names: &[&str], expected: &str| {
            let target = names.iter().map(|&it| it.to_owned()).collect();
            let text = match all(&OnTargets { target }) {
                Ok(all) => {
                    let names: Vec<String> = all.into_iter().map(|it| it.1.name).collect();
                    names.join(" ")
                }
                Err(error) => error.to_string(),
            };
            assert!(text.starts_with(expected), "{text}");
        };
        check(&["linux", "windows", "linux"], "linux windows");
        check(&[], Target::host().name.as_str());
        check(&["linux", "plan9"], "`plan9` is no target");
        let windows: Target = "windows".parse().unwrap();
        let both = "--target windows and --target x86_64-pc-windows-";
        check(&["windows", &windows.triple], both);
    }
}
