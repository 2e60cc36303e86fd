//! How long it takes to see that nothing has to run, against ninja on the same files.
//!
//! ```text
//! cargo run --example bench_noop [<rounds>]
//! ```
//! Makes five trees of sources in a temporary folder, decides once so that all is known, then
//! runs both in turn and prints a Markdown table: medians of the wall time of a whole process, and
//! the mean of its processor time, which says more on a busy machine. Needs `ninja`; Linux only.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use xtask::engine::{
    event::{Event, Events, Reporter, Stamped},
    files::Tree,
    fingerprint::Inputs,
    probe::Probes,
    session::{Options, Session},
    staging::Staging,
    step::{Context, Step},
};

const TREES: usize = 5;
const FILES_A_FOLDER: usize = 20;
/// Clock ticks a second in `/proc`, the same on every Linux that matters.
const TICKS: f64 = 100.0;

/// Reads all trees and does nothing.
#[derive(Serialize)]
struct Everything;

impl Step for Everything {
    const ID: &'static str = "everything";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok((0..TREES).fold(Inputs::new(), |inputs, at| {
            inputs.tree(
                &format!("tree{at}"),
                Tree::new(cx.root().join(format!("tree{at}"))),
            )
        }))
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<()> {
        fs_err::write(out.file("done")?, "done")?;
        Ok(())
    }
}

/// Says `reused` or `ran`, so that the bench cannot measure the wrong thing.
struct Outcome;

impl Reporter for Outcome {
    fn report(&mut self, stamped: &Stamped) {
        let said = match stamped.event {
            Event::StepReused { .. } => "reused",
            Event::StepFinished { .. } => "ran",
            _ => return,
        };
        writeln!(std::io::stdout(), "{said}").ok();
    }
}

fn decide(root: &Path) -> Result<()> {
    let state = root.join("target/dist/bench");
    let session = Session::open(Options {
        steps: vec!["everything".into()],
        events: Events::new(vec![Box::new(Outcome)]),
        jobs: 2,
        probes: Probes::open(root.join("target/probes")),
        ..Options::new(root, &state, "bench")
    })?;
    session.step(Everything)?;
    session.close();
    Ok(())
}

/// The trees, and a `build.ninja` in which one output depends on every file.
fn generate(root: &Path, files: usize) -> Result<()> {
    let mut ninja = String::from("rule done\n  command = touch $out\nbuild done: done");
    for at in 0..files {
        let (tree, within) = (at % TREES, at / TREES);
        let folder = within / FILES_A_FOLDER;
        let path = format!(
            "tree{tree}/part{}/module{folder}/source{within}.ts",
            folder / 20
        );
        let file = root.join(&path);
        fs_err::create_dir_all(file.parent().context("it has a folder")?)?;
        fs_err::write(&file, format!("export const number = {at};\n"))?;
        write!(ninja, " $\n  {path}")?;
    }
    fs_err::write(root.join(".gitignore"), "node_modules/\n*.log\n/target\n")?;
    ninja.push('\n');
    fs_err::write(root.join("build.ninja"), ninja)?;
    Ok(())
}

/// Wall time and processor time of a command, seconds.
fn timed(command: &mut Command, expected: &str) -> Result<(f64, f64)> {
    let (started, before) = (Instant::now(), children_ticks()?);
    let output = command.stderr(Stdio::inherit()).output()?;
    let (wall, ticks) = (started.elapsed().as_secs_f64(), children_ticks()? - before);
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        said.contains(expected),
        "expected `{expected}`, not: {said}"
    );
    Ok((wall, ticks / TICKS))
}

fn children_ticks() -> Result<f64> {
    let stat = fs_err::read_to_string("/proc/self/stat")?;
    let rest = &stat[stat.rfind(')').context("the name ends")? + 1..];
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Ok(fields[13].parse::<f64>()? + fields[14].parse::<f64>()?)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn compare(files: usize, rounds: usize) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    generate(root, files)?;
    let mut ours = Command::new(std::env::current_exe()?);
    ours.arg("--decide").arg(root);
    let mut theirs = Command::new("ninja");
    theirs.arg("-C").arg(root);
    // What was modified just now is not trusted yet.
    std::thread::sleep(Duration::from_millis(100));
    timed(&mut ours, "ran")?;
    timed(&mut ours, "reused")?;
    theirs.output().context("ninja is needed")?;
    let (mut wall, mut processor) = ([Vec::new(), Vec::new()], [0.0, 0.0]);
    for _ in 0..rounds {
        for (at, (command, said)) in [(&mut ours, "reused"), (&mut theirs, "no work to do")]
            .into_iter()
            .enumerate()
        {
            let (seconds, busy) = timed(command, said)?;
            wall[at].push(seconds * 1e3);
            processor[at] += busy * 1e3 / rounds as f64;
        }
    }
    let [ours, theirs] = wall.map(median);
    Ok(format!(
        "| {files} | {ours:.0} | {theirs:.0} | {:.2} | {:.0} | {:.0} |",
        ours / theirs,
        processor[0],
        processor[1]
    ))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--decide") {
        return decide(Path::new(&arguments.next().context("which folder?")?));
    }
    let rounds = first.map_or(Ok(11), |it| it.parse())?;
    let mut table = String::from(
        "| files | ours, ms | ninja, ms | ratio | ours, processor ms | ninja, processor ms |\n\
         |---|---|---|---|---|---|\n",
    );
    for files in [1_000, 10_000, 50_000] {
        writeln!(table, "{}", compare(files, rounds)?)?;
    }
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}
