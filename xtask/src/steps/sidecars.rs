//! All sidecars of a release: frozen here, or brought along from where they can be. Python is frozen
//! where it runs: a freezer packs the interpreter that it is run by, and what it makes must be tried.

use anyhow::{Result, bail};

use super::sidecar::{Frozen, Sidecar};
use crate::{
    ci::Maker,
    engine::{
        session::{Brought, Session},
        step::{Done, Step as _},
    },
    release::Release,
    target::Target,
};

/// What there is of the configured sidecars.
#[derive(Default)]
pub struct Sidecars {
    /// In the order of the configuration.
    pub frozen: Vec<Done<Frozen>>,
    /// For each that is not there a line for the manifest.
    pub missing: Vec<String>,
}

/// Why sidecars for this target are not frozen here, in a line; none if they are.
pub fn elsewhere(target: &Target) -> Option<String> {
    let machines = target.machines();
    (!target.runs_here()).then(|| format!("{machines} programs are frozen on {machines}"))
}

/// Freezes all of them, one after the other.
///
/// # Errors
/// Those of the steps.
pub fn freeze(run: &Session, release: &Release) -> Result<Sidecars> {
    let sidecars = release.config.sidecars.iter();
    let frozen = sidecars.map(|it| run.step(Sidecar::new(release, it)));
    Ok(Sidecars {
        frozen: frozen.collect::<Result<_>>()?,
        missing: Vec::new(),
    })
}

/// Takes what was brought along for a target that does not run here; none if it does.
///
/// # Errors
/// A release to be published wants all of them. Those of [`Session::brought`].
pub fn brought(run: &Session, release: &Release) -> Result<Option<Sidecars>> {
    let Some(why) = elsewhere(&release.target) else {
        return Ok(None);
    };
    let why = format!("{why}; {}", Maker::of(&release.config, &release.target));
    let mut all = Sidecars::default();
    for sidecar in &release.config.sidecars {
        let step = Sidecar::new(release, sidecar);
        match run.brought(&step, counts)? {
            Brought::Here(frozen) => all.frozen.push(frozen),
            Brought::Missing(state) => {
                let name = &sidecar.name;
                if release.strict {
                    bail!(
                        "--release wants every sidecar, but {name} is missing: {why} ({state})\n\
                         hint: run `cargo xtask dist --target {}` on {}, or bring the finished step \
                         along with `cargo xtask state export` there and `cargo xtask state import` \
                         here",
                        release.target.triple,
                        release.target.machines()
                    );
                }
                run.leave_out(&step.name(), &format!("{why} ({state})"));
                all.missing
                    .push(format!("sidecar {name} is missing: {why}"));
            }
        }
    }
    Ok(Some(all))
}

/// Whether an input decides what a sidecar is wherever it is frozen: sources, settings and the pinned
/// versions do; the other machine's compiler and variables are its own affair.
fn counts(input: &str) -> bool {
    match input.strip_prefix("tool ") {
        Some(tool) => ["nuitka", "pyinstaller", "xtask"].contains(&tool),
        None => !input.starts_with("variable "),
    }
}
