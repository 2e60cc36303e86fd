//! Whether the workspace compiles for the other platforms that it is meant for. Without a machine of
//! theirs code for them rots unseen; what can be seen here is all that the compiler and its lints say.
//!
//! Nothing is linked, so neither a linker nor the platform's libraries are needed: only Rust's standard
//! library for it, which rustup has. Build scripts that compile C are handed a compiler that does
//! nothing: no object file of theirs is ever read.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{
    Tests,
    parts::{cargo, checked, packages},
    repository::Workspace,
    tally::Tally,
};
use crate::{
    engine::{event::Level, step::Context},
    tools::cross::Std,
};

/// Set where all tests are to run: then nothing may be skipped. Other machines may not reach rustup's
/// server.
const ALL: [&str; 2] = ["GITHUB_ACTIONS", "XTASK_FULL"];

/// Why no build script can compile C.
const NO_TRUE: &str = "there is no program `true`, which stands in for C compilers; on Windows Git \
                       brings it: put its folder usr\\bin on PATH";

/// Checks the workspace for each platform of the configuration, its tests included.
pub(super) fn run(
    tests: &Tests,
    workspace: &Workspace,
    cx: &Context,
    tally: &mut Tally,
) -> Result<()> {
    let mut commands = Vec::new();
    let nothing = cx.probes().find("true").map_err(|_| NO_TRUE.to_owned());
    for triple in &tests.repository.config.test.platforms {
        let ready = standard_library(tests, workspace, cx, triple);
        match ready.and(nothing.clone()) {
            Ok(nothing) => commands.push((
                clippy(workspace, triple, &nothing),
                "it does not compile for another platform, or clippy has something to say",
            )),
            Err(why) => skip(cx, triple, &why)?,
        }
    }
    checked(cx, tally, commands)
}

/// Makes sure that there is a standard library. With `--setup` it is installed.
///
/// # Errors
/// Why there is none, in a line.
fn standard_library(
    tests: &Tests,
    workspace: &Workspace,
    cx: &Context,
    triple: &str,
) -> Result<(), String> {
    let found = || Std::of(cx.probes(), &workspace.dir, triple);
    let is_there = |it: Result<Std>| matches!(it, Ok(Std::Installed(_)));
    if is_there(found()) {
        return Ok(());
    }
    let add = format!("rustup target add {triple}");
    if cx.probes().find("rustup").is_err() {
        return Err(format!("there is no rustup for `{add}`"));
    }
    if !tests.setup {
        return Err(format!("`{add}` was not typed yet, or add --setup"));
    }
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", triple])
        .current_dir(&workspace.dir);
    match cx.exec(rustup).run() {
        Ok(()) if is_there(found()) => Ok(()),
        Ok(()) => Err(format!("`{add}` ended well, but installed nothing")),
        Err(error) => Err(format!("`{add}` failed: {error}")),
    }
}

/// A machine without it is no worse for the work at hand; where all tests are to run, it fails.
fn skip(cx: &Context, triple: &str, why: &str) -> Result<()> {
    let set = |it: &&&str| std::env::var_os(it).is_some_and(|it| !it.is_empty());
    let all = ALL.iter().find(set);
    ensure!(
        all.is_none(),
        "{triple} cannot be checked, because {why}; but {} is set, so nothing may be skipped",
        all.unwrap_or(&"")
    );
    cx.note(Level::Warning, format!("{triple} is not checked: {why}"));
    Ok(())
}

/// `nothing` is a program that does nothing and ends well.
fn clippy(workspace: &Workspace, triple: &str, nothing: &Path) -> Command {
    let mut clippy = cargo(&workspace.dir, &["clippy", "--locked", "--all-targets"]);
    clippy
        .args(["--target", triple])
        .args(packages(workspace))
        .args(["--", "-D", "warnings"]);
    // See the crate cc for these names.
    for tool in ["CC", "CXX", "AR"] {
        clippy.env(format!("{tool}_{}", triple.replace('-', "_")), nothing);
    }
    clippy
}
