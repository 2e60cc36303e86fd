//! The thin binary: parse, dispatch, print the error chain.

use std::{io::Write, process::ExitCode};

use clap::Parser as _;
use xtask::{cli::Cli, commands, report};

fn main() -> ExitCode {
    commands::run(Cli::parse()).unwrap_or_else(|error| {
        let text = report::error(&error);
        anstream::stderr().write_all(text.as_bytes()).ok();
        ExitCode::FAILURE
    })
}
