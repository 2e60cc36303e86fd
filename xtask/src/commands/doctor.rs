//! `doctor`, and the short form of it that runs before `dist`.

use std::process::ExitCode;

use anyhow::Result;

use super::World;
use crate::{cli::Doctor, engine::event::Events, target::Target};

pub(super) fn doctor(world: &World, options: &Doctor) -> Result<ExitCode> {
    let _ = (world, options);
    anyhow::bail!("doctor")
}

pub(super) fn before_dist(_: &World, _: &Target, _: &Events, _setup: bool) -> Result<()> {
    Ok(())
}
