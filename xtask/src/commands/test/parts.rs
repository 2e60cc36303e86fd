//! The work of each part.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{
    Tests, end_to_end, platforms,
    repository::{Part, SLOW, Workspace},
    tally::{Runner, Tally},
};
use crate::{
    config,
    engine::{event::Level, exec::CommandFailed, files, step::Context},
    tools::{
        node,
        python::{Environment, Interpreter},
    },
};

/// Which tests by the name that says that they are slow.
#[derive(Clone, Copy)]
enum Which {
    All,
    Quick,
    Slow,
}

/// Does the work of a part. The count is as far as it came, also after an error.
pub(super) fn run(part: Part, tests: &Tests, cx: &Context, tally: &mut Tally) -> Result<()> {
    let repository = &tests.repository;
    let mut cargo_test = |workspace: &Workspace, which| {
        counted(cx, tally, self::cargo_test(tests, workspace, which))
    };
    let root = repository
        .root
        .as_ref()
        .context("there is no Cargo.toml at the top");
    match part {
        Part::Format => format(tests, cx, tally),
        Part::Clippy => clippy(tests, cx, tally),
        Part::Platforms => platforms::run(tests, root?, cx, tally),
        Part::Unit => cargo_test(root?, Which::Quick),
        Part::Integration => cargo_test(root?, Which::Slow),
        Part::App => cargo_test(&repository.app, Which::All),
        Part::Frontend => {
            let frontend = install(tests, cx)?;
            let script = node::run(frontend.package_manager, &frontend.dir, "test");
            counted(cx, tally, (Runner::Script, tests.child(script)))
        }
        Part::Sidecar(index) => pytest(tests, cx, tally, &repository.config.sidecars[index]),
        Part::EndToEnd => end_to_end::run(tests, cx, tally),
    }
}

impl Tests {
    /// With what the tests themselves want to know.
    fn child(&self, mut command: Command) -> Command {
        if self.full {
            command.env("XTASK_FULL", "1");
        }
        command
    }
}

/// Runs a test runner and counts what it says, also if it fails. Its summary may be far from the
/// end of its output: the log has all of it.
fn counted(cx: &Context, tally: &mut Tally, (runner, command): (Runner, Command)) -> Result<()> {
    let done = cx.exec(command).run();
    let log = fs_err::read(&cx.log().path)?;
    let log = String::from_utf8_lossy(&log);
    tally.read(runner, &log);
    for name in runner.flaky(&log) {
        cx.note(
            Level::Warning,
            format!("passed only when it was tried again: {name}"),
        );
    }
    let failures = runner.failures(&log);
    match done {
        Err(error) if error.is::<CommandFailed>() && !failures.is_empty() => {
            Err(error.context(named(&failures)))
        }
        done => done,
    }
}

/// The failed tests, as many as can be taken in.
fn named(failures: &[&str]) -> String {
    const SHOWN: usize = 8;
    let mut text = format!(
        "{} failed",
        if failures.len() == 1 {
            "a test"
        } else {
            "tests"
        }
    );
    failures
        .iter()
        .take(SHOWN)
        .for_each(|it| text += &format!("\n{it}"));
    if failures.len() > SHOWN {
        text += &format!("\nand {} more", failures.len() - SHOWN);
    }
    text
}

/// Runs commands that are content or not: all of them, so that what there is to mend is seen at
/// once. The error is that of the first.
pub(super) fn checked(
    cx: &Context,
    tally: &mut Tally,
    commands: Vec<(Command, &'static str)>,
) -> Result<()> {
    let mut first = Ok(());
    for (command, failure) in commands {
        match cx.exec(command).run() {
            Ok(()) => tally.check(),
            Err(error) if error.is::<CommandFailed>() => {
                tally.failed += 1;
                first = first.and(Err(error.context(failure)));
            }
            Err(error) => return Err(error),
        }
    }
    first
}

pub(super) fn cargo(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(words).current_dir(dir);
    command
}

/// Both in one part: each takes a second.
fn format(tests: &Tests, cx: &Context, tally: &mut Tally) -> Result<()> {
    let mut commands = Vec::new();
    for workspace in tests.repository.workspaces() {
        let fmt = cargo(&workspace.dir, &["fmt", "--all", "--check"]);
        commands.push((
            fmt,
            "Rust files are not formatted\nhint: cargo fmt --all, in that folder",
        ));
    }
    if tests.repository.has_script("format:check") {
        let frontend = install(tests, cx)?;
        let script = node::run(frontend.package_manager, &frontend.dir, "format:check");
        commands.push((script, "files of the front end are not formatted"));
    }
    checked(cx, tally, commands)
}

fn clippy(tests: &Tests, cx: &Context, tally: &mut Tally) -> Result<()> {
    const FAILURE: &str = "clippy has something to say";
    let mut commands = Vec::new();
    let workspaces = tests.repository.workspaces();
    for workspace in workspaces.into_iter().filter(|it| !it.packages.is_empty()) {
        let mut clippy = cargo(&workspace.dir, &["clippy", "--locked", "--all-targets"]);
        clippy
            .args(packages(workspace))
            .args(["--", "-D", "warnings"]);
        commands.push((clippy, FAILURE));
    }
    // It compiles all of Tauri once more, for minutes.
    if tests.full {
        commands.push((host_clippy(tests)?, FAILURE));
    }
    checked(cx, tally, commands)
}

/// Lints the host as a release builds it, so that build scripts and macros are shared with it.
fn host_clippy(tests: &Tests) -> Result<Command> {
    let app = &tests.repository.config.app;
    // Tauri embeds the front end when it compiles; any folder with a page will do.
    let web = tests.state.join("test/web");
    fs_err::create_dir_all(&web)?;
    fs_err::write(web.join("index.html"), "<!doctype html>")?;
    let tauri = serde_json::json!({
        "bundle": { "externalBin": null },
        "build": { "frontendDist": web },
    });
    let features = ["tauri/custom-protocol"].into_iter();
    let features: Vec<&str> = features
        .chain(app.features.iter().map(String::as_str))
        .collect();
    let mut clippy = cargo(&app.dir, &["clippy", "--locked", "--profile", &app.profile]);
    clippy.args(["--package", &app.package, "--features", &features.join(",")]);
    clippy.args(&app.cargo_args).args(["--", "-D", "warnings"]);
    clippy.env("TAURI_CONFIG", tauri.to_string());
    Ok(clippy)
}

pub(super) fn packages(workspace: &Workspace) -> impl Iterator<Item = &str> {
    workspace.packages.iter().flat_map(|it| ["--package", it])
}

/// cargo-nextest where there is one, since it runs tests of all binaries at once. Both go on after
/// a failure: all that fails is to be seen at once.
fn cargo_test(tests: &Tests, workspace: &Workspace, which: Which) -> (Runner, Command) {
    let nextest = which::which("cargo-nextest").is_ok();
    let words: &[&str] = if nextest {
        &["nextest", "run"]
    } else {
        &["test"]
    };
    let mut command = cargo(&workspace.dir, words);
    command
        .args(["--locked", "--no-fail-fast"])
        .args(packages(workspace));
    match (nextest, which) {
        (_, Which::All) => {}
        (true, Which::Quick) => {
            // Most wait for something half of the time.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            command.args(["--test-threads", &(2 * cores).to_string()]);
            command.args(["-E", &format!("not test({SLOW})")]);
        }
        (true, Which::Slow) => {
            // The repository's own configuration may leave them out.
            command.args(["--ignore-default-filter", "-E", &format!("test({SLOW})")]);
        }
        (false, Which::Quick) => drop(command.args(["--", "--skip", SLOW])),
        (false, Which::Slow) => drop(command.args(["--", SLOW])),
    }
    if nextest {
        // At the end, where a failure's last lines are taken from.
        command.args(["--failure-output", "final"]);
    }
    (
        if nextest {
            Runner::Nextest
        } else {
            Runner::Cargo
        },
        tests.child(command),
    )
}

/// Installs the locked packages, unless they are installed already.
fn install<'a>(tests: &'a Tests, cx: &Context) -> Result<&'a config::Frontend> {
    let frontend = tests
        .repository
        .config
        .frontend
        .as_ref()
        .context("there is no front end")?;
    let workspace = frontend.lock.parent().context("a lock file has a folder")?;
    // Inside, so that whoever installs anew or clears the folder takes it along.
    let marker = workspace.join("node_modules/.xtask-lock.v1");
    let wanted = files::sha256_file(&frontend.lock)?;
    if std::fs::read_to_string(&marker).is_ok_and(|it| it == wanted) {
        return Ok(frontend);
    }
    cx.exec(node::install(frontend.package_manager, workspace))
        .run()?;
    // Without the folder (Yarn's Plug'n'Play) there is nothing to remember.
    std::fs::write(marker, wanted).ok();
    Ok(frontend)
}

/// pytest comes from the sidecar's own lock: it is tested with the packages that are shipped.
fn pytest(tests: &Tests, cx: &Context, tally: &mut Tally, sidecar: &config::Sidecar) -> Result<()> {
    let interpreter = Interpreter::find(cx, sidecar.python)?;
    let environment = Environment::ensure(cx, sidecar, &interpreter)?;
    let mut pytest = environment.command()?;
    pytest
        .args(["-m", "pytest", "-q", "--color=no"])
        .current_dir(&sidecar.dir);
    counted(cx, tally, (Runner::Pytest, tests.child(pytest)))
}
