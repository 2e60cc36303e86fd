//! The whole pipeline in a session, as `dist` runs it. `dist` itself refuses to begin on another system.

use std::path::Path;

use anyhow::Result;
use xtask::{
    config,
    engine::{
        event::{Events, Reporter},
        probe::Probes,
        secret::Redactor,
        session::{Options, Session},
    },
    pipeline,
    release::{Release, SigningWish},
    target::Target,
};

/// Makes the release of a target, and has it said.
pub fn dist(
    root: &Path,
    target: &Target,
    wish: SigningWish,
    said: impl Reporter + 'static,
) -> Result<()> {
    let config = config::load(root, None)?;
    let state = pipeline::state(root, target);
    let (probes, redactor) = (Probes::open(state.join("probes")), Redactor::default());
    let release = Release::new(config, target.clone(), wish, &state, &probes, &redactor)?;
    let session = Session::open(Options {
        probes,
        steps: pipeline::steps(&release.config, target.os),
        events: Events::new(vec![Box::new(said)]),
        withheld: Release::withheld(&release.config),
        redactor,
        ..Options::new(root, &state, &target.triple)
    })?;
    let sealed = pipeline::dist(&session, &release);
    let sealed = sealed.and_then(|it| session.publish(&it, &release.folder()));
    session.close();
    sealed
}
