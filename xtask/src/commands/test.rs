//! `test`.

use std::process::ExitCode;

use anyhow::Result;

use super::World;
use crate::cli::Test;

pub(super) fn test(world: &World, options: &Test) -> Result<ExitCode> {
    let _ = (world, options);
    anyhow::bail!("test")
}
