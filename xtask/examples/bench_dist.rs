//! An up-to-date `dist` of this repository, grown by thousands of sources, against ninja on the
//! same files; and what the orchestrator adds to commands that a shell script runs alike.
//!
//! ```text
//! cargo xtask dist && cargo run --example bench_dist [<rounds>]
//! ```
//! Works in a clone below `target/bench`, with a copy of the state of the last `dist`; the first
//! run there builds the front end anew, since that is where the files are added. Prints Markdown:
//! medians of the wall time of whole processes, run in turn. Needs `ninja`, `git` and `sh`.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

/// The commands of the overhead's measurement: long enough that a percent is more than noise.
const COMMANDS: usize = 6;
const MEGABYTES: u64 = 150;

fn main() -> Result<()> {
    let first = std::env::args().nth(1);
    if first.as_deref() == Some("--steps") {
        return overhead::run(Path::new(
            &std::env::args().nth(2).context("which folder?")?,
        ));
    }
    let rounds: usize = first.map_or(Ok(11), |it| it.parse())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the repository")?;
    let mut text =
        String::from("| input files | dist, ms | ninja, ms | ratio |\n|---|---|---|---|\n");
    for files in [10_000, 50_000] {
        writeln!(text, "{}", noop(root, files, rounds)?)?;
    }
    text += "\n| the same commands | orchestrator, ms | shell script, ms | ratio |\n|---|---|---|---|\n";
    writeln!(
        text,
        "{}",
        overhead::measure(&root.join("target/bench"), rounds)?
    )?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// One row: `dist` and ninja over the same files, when nothing has to be done.
fn noop(root: &Path, files: usize, rounds: usize) -> Result<String> {
    let scratch = root.join("target/bench/clone");
    prepare(root, &scratch, files)?;
    let xtask = root.join("target/debug/xtask");
    let dist = || {
        timed(
            Command::new(&xtask).arg("dist").current_dir(&scratch),
            "nothing to do",
        )
    };
    ensure!(
        Command::new(&xtask)
            .arg("dist")
            .current_dir(&scratch)
            .output()?
            .status
            .success(),
        "the first dist in {} failed; see `cargo xtask status` there",
        scratch.display()
    );
    // What was written just now is not trusted yet.
    std::thread::sleep(std::time::Duration::from_millis(100));
    dist()?;
    let ninja = || {
        timed(
            Command::new("ninja").arg("-C").arg(&scratch),
            "no work to do",
        )
    };
    Command::new("ninja")
        .arg("-C")
        .arg(&scratch)
        .output()
        .context("ninja is needed")?;
    let (ours, theirs) = in_turn(rounds, dist, ninja)?;
    Ok(format!(
        "| {files} | {ours:.0} | {theirs:.0} | {:.2} |",
        ours / theirs
    ))
}

/// A clean clone with the state of the last `dist`, and as many inputs as asked for.
fn prepare(root: &Path, scratch: &Path, files: usize) -> Result<()> {
    if scratch.exists() {
        fs_err::remove_dir_all(scratch)?;
    }
    let git = |dir: &Path, arguments: &[&str]| {
        let name = [
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@example.invalid",
        ];
        good(
            Command::new("git")
                .args(name)
                .args(arguments)
                .current_dir(dir),
        )
    };
    fs_err::create_dir_all(scratch.parent().context("it has a folder")?)?;
    git(root, &["clone", "--quiet", ".", &scratch.to_string_lossy()])?;
    fs_err::create_dir_all(scratch.join("target/dist"))?;
    let state = root.join("target/dist/linux");
    good(
        Command::new("cp")
            .arg("-a")
            .arg(state)
            .arg(scratch.join("target/dist")),
    )?;
    let mut ninja = String::from("rule done\n  command = touch $out\nbuild target/done: done");
    for file in tracked(scratch)? {
        write!(ninja, " $\n  {file}")?;
    }
    for at in 0..files.saturating_sub(100) {
        let path = format!("app/bench/part{}/module{}/source{at}.ts", at / 400, at / 20);
        let file = scratch.join(&path);
        fs_err::create_dir_all(file.parent().context("it has a folder")?)?;
        fs_err::write(&file, format!("export const number = {at};\n"))?;
        write!(ninja, " $\n  {path}")?;
    }
    ninja.push('\n');
    fs_err::write(scratch.join("build.ninja"), ninja)?;
    fs_err::write(
        scratch.join(".git/info/exclude"),
        "/.ninja_log\n/build.ninja\n",
    )?;
    git(scratch, &["add", "--all"])?;
    git(scratch, &["commit", "--quiet", "--message", "Grow"])
}

fn tracked(scratch: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .arg("ls-files")
        .current_dir(scratch)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text
        .lines()
        .filter(|it| !it.contains([' ', '"']))
        .map(str::to_owned)
        .collect())
}

fn good(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

/// Wall time of a whole process, milliseconds. It must say what is expected of it.
fn timed(command: &mut Command, expected: &str) -> Result<f64> {
    let started = Instant::now();
    let output = command.output()?;
    let wall = started.elapsed().as_secs_f64() * 1e3;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(
        said.contains(expected),
        "expected `{expected}`, not: {said}"
    );
    Ok(wall)
}

/// Medians of both, run in turn so that a slower minute slows both.
fn in_turn(
    rounds: usize,
    a: impl Fn() -> Result<f64>,
    b: impl Fn() -> Result<f64>,
) -> Result<(f64, f64)> {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        times.0.push(a()?);
        times.1.push(b()?);
    }
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    Ok((median(times.0), median(times.1)))
}

/// What a session costs beyond the commands that its steps run.
mod overhead {

    use serde::Serialize;
    use xtask::engine::{
        files::Tree,
        fingerprint::Inputs,
        probe::Probes,
        select::Selection,
        session::{Options, Session},
        staging::Staging,
        step::{Context, Step},
    };

    use super::{COMMANDS, Command, MEGABYTES, Path, PathBuf, Result, in_turn, timed};

    #[derive(Serialize)]
    struct Sums {
        part: usize,
    }

    impl Step for Sums {
        const ID: &'static str = "sums";
        const VERSION: u32 = 1;
        type Output = ();

        fn instance(&self) -> Option<&str> {
            Some(["a", "b", "c", "d", "e", "f"][self.part])
        }

        fn inputs(&self, cx: &Context) -> Result<Inputs> {
            Ok(Inputs::new().tree("data", Tree::new(cx.root().join("data"))))
        }

        fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
            let mut sum = Command::new("sha256sum");
            sum.arg("data/large");
            fs_err::write(out.file("sum")?, cx.exec(sum).read()?)?;
            Ok(())
        }
    }

    pub(super) fn run(root: &Path) -> Result<()> {
        let session = Session::open(Options {
            steps: (0..COMMANDS).map(|part| Sums { part }.name()).collect(),
            selection: Selection {
                force_all: true,
                ..Selection::default()
            },
            probes: Probes::open(root.join("probes")),
            ..Options::new(root, &root.join("state"), "bench")
        })?;
        for part in 0..COMMANDS {
            session.step(Sums { part })?;
        }
        session.close();
        Ok(())
    }

    pub(super) fn measure(folder: &Path, rounds: usize) -> Result<String> {
        let root: PathBuf = folder.join("overhead");
        fs_err::create_dir_all(root.join("data"))?;
        fs_err::File::create(root.join("data/large"))?.set_len(MEGABYTES << 20)?;
        let lines = (0..COMMANDS).map(|part| format!("sha256sum data/large > sum{part}\n"));
        fs_err::write(
            root.join("build.sh"),
            format!("set -eu\n{}", lines.collect::<String>()),
        )?;
        let program = std::env::current_exe()?;
        let ours = || timed(Command::new(&program).arg("--steps").arg(&root), "");
        let script = || timed(Command::new("sh").arg("build.sh").current_dir(&root), "");
        // The data is hashed once by the fingerprint; afterwards the stat cache knows it.
        ours()?;
        let (ours, theirs) = in_turn(rounds, ours, script)?;
        Ok(format!(
            "| {COMMANDS} times `sha256sum` of {MEGABYTES} MiB | {ours:.0} | {theirs:.0} | {:.3} |",
            ours / theirs
        ))
    }
}
