//! `status`: how the last run went.

use std::process::ExitCode;

use anyhow::Result;

use super::{World, print};
use crate::{engine::event::Stamped, report, target::Target};

pub(super) fn status(world: &World, target: &Target) -> Result<ExitCode> {
    let file = report::Recorder::file(&world.state(target));
    let Ok(text) = std::fs::read_to_string(&file) else {
        return print(&format!(
            "no run for {target} is recorded here\nnext: cargo xtask dist --target {target}\n"
        ));
    };
    // A line that a crash cut short tells nothing; the rest does.
    let events: Vec<Stamped> = text
        .lines()
        .filter_map(|it| serde_json::from_str(it).ok())
        .collect();
    if world.global.format == report::Format::Json {
        return print(&text);
    }
    print(&report::replay(&events))
}
