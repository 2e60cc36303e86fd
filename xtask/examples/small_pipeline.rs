//! A pipeline of five steps over the engine, small enough to read at once and shaped like the
//! product: two independent parts side by side, then what depends on both.
//!
//! ```text
//! cargo run --example small_pipeline -- <folder> [--plan] [--jobs N] [--from S] [--until S]
//!     [--skip S] [--force S]
//! ```
//! The folder holds `web/`, `src/` and `py/` with files of any kind. Events go to stdout, one JSON
//! object a line. The tests of the engine run this very file, and two variables serve them:
//! `SMALL_PIPELINE_CRASH=recorded:3` ends the process at the third time it passes that point of a
//! commit, as SIGKILL would; `SMALL_PIPELINE_SLEEP` is how long the slow commands take, in seconds.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xtask::engine::{
    event::{Event, Events, Reporter, Stamped},
    files::Tree,
    fingerprint::Inputs,
    probe::Probes,
    secret::Redactor,
    select::Selection,
    session::{Hashes, Options, Session, Stopped},
    staging::Staging,
    step::{Context, Done, Step},
};

/// The steps in their order.
const STEPS: [&str; 5] = ["web", "app", "sidecar", "bundle", "seal"];

/// The pipeline: order is data flow.
fn pipeline(run: &Session) -> Result<Done<()>> {
    let (app, sidecar) = run.join(
        || {
            run.step(App {
                web: run.step(Web)?,
            })
        },
        || run.step(Sidecar),
    )?;
    let bundle = run.step(Bundle { app, sidecar })?;
    run.step(Seal { bundle })
}

/// Copies `web/` and lists its hashes.
#[derive(Serialize)]
struct Web;

/// Packs `src/` and the hashes of `web/`.
#[derive(Serialize)]
struct App {
    web: Done<()>,
}

/// Packs `py/`, slowly.
#[derive(Serialize)]
struct Sidecar;

/// One file out of both, slowly.
#[derive(Serialize)]
struct Bundle {
    app: Done<Packed>,
    sidecar: Done<Packed>,
}

/// The checksum of the bundle.
#[derive(Serialize)]
struct Seal {
    bundle: Done<()>,
}

/// What a packing step says of its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Packed {
    file: String,
}

impl Step for Web {
    const ID: &'static str = "web";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok(Inputs::new().tree("web", Tree::new(cx.root().join("web"))))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
        let copy = out.file("web")?;
        cx.exec(command("cp", ["-R", "web", text(&copy)?])).run()?;
        let sums = command("sha256sum", files(&copy)?).current_dir_in(&copy);
        let sums = cx.exec(sums).read()?;
        fs_err::write(out.file("sums")?, sums)?;
        Ok(())
    }
}

impl Step for App {
    const ID: &'static str = "app";
    const VERSION: u32 = 1;
    type Output = Packed;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok(Inputs::new().tree("src", Tree::new(cx.root().join("src"))))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Packed> {
        let sums = self.web.path("sums");
        let mut parts: Vec<String> = vec![text(&sums)?.into()];
        parts.extend(
            files(&cx.root().join("src"))?
                .iter()
                .map(|it| format!("src/{it}")),
        );
        let all = cx.exec(command("cat", parts)).read()?;
        let file = out.file("app")?;
        fs_err::write(&file, all)?;
        cx.exec(command("gzip", ["-n", text(&file)?])).run()?;
        Ok(Packed {
            file: "app.gz".into(),
        })
    }
}

impl Step for Sidecar {
    const ID: &'static str = "sidecar";
    const VERSION: u32 = 1;
    type Output = Packed;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok(Inputs::new().tree("py", Tree::new(cx.root().join("py"))))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Packed> {
        let py = cx.root().join("py");
        let all = cx
            .exec(command("cat", files(&py)?).current_dir_in(&py))
            .read()?;
        let file = out.file("sidecar")?;
        fs_err::write(&file, all)?;
        slowly(cx)?;
        cx.exec(command("gzip", ["-n", text(&file)?])).run()?;
        cx.fact("packer", "gzip");
        Ok(Packed {
            file: "sidecar.gz".into(),
        })
    }
}

impl Step for Bundle {
    const ID: &'static str = "bundle";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
        let bundle = out.file("parts/bundle")?;
        for (at, part) in [
            self.app.path(&self.app.output.file),
            self.sidecar.path(&self.sidecar.output.file),
        ]
        .iter()
        .enumerate()
        {
            let copy = format!("{}.{at}", text(&bundle)?);
            cx.exec(command("cp", [text(part)?, &copy])).run()?;
        }
        slowly(cx)
    }
}

impl Step for Seal {
    const ID: &'static str = "seal";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
        let names = self.bundle.artifacts.iter().map(|it| it.path.clone());
        let sums = command("sha256sum", names).current_dir_in(&self.bundle.folder);
        let sums = cx.exec(sums).read()?;
        fs_err::write(out.file("SHA256SUMS")?, sums)?;
        Ok(())
    }
}

/// What a freezer's or a compiler's long work stands for.
fn slowly(cx: &Context) -> Result<()> {
    let seconds = std::env::var("SMALL_PIPELINE_SLEEP").unwrap_or_else(|_| "0.01".into());
    cx.exec(command("sleep", [seconds])).run()
}

fn command<S: AsRef<str>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.into_iter().map(|it| it.as_ref().to_owned()));
    command
}

/// `Command::current_dir` by value, so that a command stays one expression.
trait CurrentDirIn {
    fn current_dir_in(self, folder: &Path) -> Self;
}

impl CurrentDirIn for Command {
    fn current_dir_in(mut self, folder: &Path) -> Self {
        self.current_dir(folder);
        self
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// The names in a folder, sorted.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// One JSON object a line.
struct JsonLines;

impl Reporter for JsonLines {
    fn report(&mut self, event: &Stamped) {
        let line = serde_json::to_string(event).expect("an event is JSON");
        // The reader may be gone; the run goes on.
        writeln!(std::io::stdout(), "{line}").ok();
    }
}

/// Ends this process as a power cut would, at the point that the variable names.
fn crash(point: &str) {
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let wanted = std::env::var("SMALL_PIPELINE_CRASH").unwrap_or_default();
    let Some((name, times)) = wanted.split_once(':') else {
        return;
    };
    if name == point && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == times.parse().unwrap_or(0) {
        #[cfg(unix)]
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::SIGKILL).ok();
        std::process::abort();
    }
}

struct Arguments {
    root: PathBuf,
    plan: bool,
    jobs: usize,
    selection: Selection,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments> {
    let root = PathBuf::from(arguments.next().context("which folder?")?);
    let mut parsed = Arguments {
        root,
        plan: false,
        jobs: 2,
        selection: Selection::default(),
    };
    while let Some(option) = arguments.next() {
        let selection = &mut parsed.selection;
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{option} needs a value"))
        };
        match &*option {
            "--plan" => parsed.plan = true,
            "--jobs" => parsed.jobs = value()?.parse()?,
            "--from" => selection.from = Some(value()?),
            "--until" => selection.until = Some(value()?),
            "--skip" => selection.skip.push(value()?),
            "--force" => selection.force.push(value()?),
            _ => anyhow::bail!("what is {option}?"),
        }
    }
    Ok(parsed)
}

/// Runs the pipeline as the arguments say; the tests call it, too.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let Arguments {
        root,
        plan,
        jobs,
        selection,
    } = parse(arguments)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))?;
    let events = Events::new(vec![Box::new(JsonLines)]);
    let (state, probes) = (
        root.join("target/dist/small"),
        root.join("target/dist/small-probes"),
    );
    let session = Session::open(Options {
        hashes: Hashes::read(&state, false),
        state,
        root,
        target: "small".into(),
        steps: STEPS.map(str::to_owned).into(),
        command: "small_pipeline".into(),
        events: events.clone(),
        selection,
        plan,
        jobs,
        timeout: Duration::from_secs(600),
        withheld: Vec::new(),
        probes: Probes::open(probes),
        redactor: Redactor::default(),
        interrupted,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        at_commit: Some(crash),
    })?;
    let outcome = pipeline(&session).map(drop);
    session.close();
    let outcome = outcome.or_else(|error| {
        if error.is::<Stopped>() {
            Ok(())
        } else {
            Err(error)
        }
    });
    events.emit(Event::RunFinished {
        ok: outcome.is_ok(),
        seconds: 0.0,
        next: None,
    });
    outcome
}

#[allow(dead_code, reason = "the tests include this file and call `run`")]
fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}
