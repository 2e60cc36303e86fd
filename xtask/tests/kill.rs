//! Whatever moment a run is killed at, the next one goes on from there: nothing recorded is lost,
//! nothing stale is reused, and the release comes out with the same bytes.
#![cfg(target_os = "linux")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    time::{Duration, Instant, SystemTime},
};

use support::{Random, Repo, events, processes_in, steps};

/// Not a test: the process that the others kill.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    support::child();
}

/// `XTASK_SEED=… XTASK_FULL=1 cargo nextest run --test kill` repeats a failure, or makes 1000.
#[test]
fn kills_at_random_moments_lose_and_invent_nothing() {
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("after 1970")
        .as_nanos() as u64;
    let seed = std::env::var("XTASK_SEED").map_or(now, |it| it.parse().expect("a number"));
    let kills = if std::env::var_os("XTASK_FULL").is_some() {
        1000
    } else {
        100
    };
    let landed: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| scope.spawn(move || kill_at_random(seed + worker, kills / 4)))
            .collect();
        workers
            .into_iter()
            .map(|it| it.join().expect("the panic says why"))
            .sum()
    });
    // Else the moments were no moments within the run.
    assert!(
        landed * 10 > kills,
        "only {landed} of {kills} kills came amid the steps, seed {seed}"
    );
}

/// Gives how many kills came after something was recorded.
fn kill_at_random(seed: u64, kills: usize) -> usize {
    let mut random = Random(seed | 1);
    let (repo, reference) = (Repo::new(), Repo::new());
    let started = Instant::now();
    reference.run(&[]);
    let usual = started.elapsed().as_micros() as u64;
    let mut landed = 0;
    for kill in 0..kills {
        let say = format!("XTASK_SEED={seed}, kill {kill}");
        let mut changed = kill > 0 && random.below(10) < 8;
        if changed {
            change_an_input(&repo, &reference, &mut random);
        }
        let before = records(&repo);
        let finished = kill_after(&repo, Duration::from_micros(random.below(usual)));
        let after = records(&repo);
        let is_new = |step: &String| after.get(step) != before.get(step);
        let new: Vec<&String> = after.keys().filter(|it| is_new(it)).collect();
        landed += usize::from(!new.is_empty());
        for step in finished {
            assert!(
                new.contains(&&step),
                "{say}: {step} finished, but is not in the journal"
            );
        }
        let in_between = random.below(10) < 3;
        if in_between {
            change_an_input(&repo, &reference, &mut random);
            changed = true;
        }
        let reused = steps(&repo.run(&[]), "step-reused");
        let lost = new.iter().any(|it| !reused.contains(it));
        assert!(
            in_between || !lost,
            "{say}: recorded {new:?}, but reused only {reused:?}"
        );
        if changed {
            fs::remove_dir_all(reference.state()).expect("it is there");
            reference.run(&[]);
        }
        assert_eq!(repo.outputs(), reference.outputs(), "{say}");
        assert_clean(&repo, &say);
    }
    landed
}

/// Runs, kills the orchestrator alone, and gives the steps that it had said to be finished.
fn kill_after(repo: &Repo, time: Duration) -> Vec<String> {
    let mut child = repo.start(&[]);
    std::thread::sleep(time);
    child.kill().expect("it is ours");
    let output = child.wait_with_output().expect("it ended");
    steps(
        &events(&String::from_utf8_lossy(&output.stdout)),
        "step-finished",
    )
}

#[test]
fn kills_at_each_point_of_each_commit() {
    let reference = Repo::new();
    reference.run(&["--jobs", "1"]);
    for point in ["staged", "hashed", "renamed", "checked", "recorded"] {
        for time in 1..=5 {
            let repo = Repo::new();
            let mut command = repo.command(&["--jobs", "1"]);
            command.env("SMALL_PIPELINE_CRASH", format!("{point}:{time}"));
            let output = command.output().expect("it starts");
            let say = format!("{point}:{time}");
            assert!(!output.status.success(), "{say}");
            let durable = if point == "recorded" { time } else { time - 1 };
            assert_eq!(records(&repo).len(), durable, "{say}");
            let resumed = repo.run(&["--jobs", "1"]);
            assert_eq!(steps(&resumed, "step-reused").len(), durable, "{say}");
            assert_eq!(steps(&resumed, "step-started").len(), 5 - durable, "{say}");
            assert_eq!(repo.outputs(), reference.outputs(), "{say}");
            assert_clean(&repo, &say);
        }
    }
}

/// A finished step that runs again may die between its two renames: the record names files that
/// are gone.
#[test]
fn kills_in_a_second_run_of_a_step() {
    for point in ["staged", "hashed", "renamed", "checked"] {
        let (repo, reference) = (Repo::new(), Repo::new());
        repo.run(&[]);
        for it in [&repo, &reference] {
            it.write("py/a.py", "a = 2\n");
        }
        let mut command = repo.command(&[]);
        command.env("SMALL_PIPELINE_CRASH", format!("{point}:1"));
        assert!(!command.output().expect("it starts").status.success());
        // The user takes the change back and makes it anew: both must be right.
        repo.write("py/a.py", "a = 1\n");
        let original = Repo::new();
        original.run(&[]);
        repo.run(&[]);
        assert_eq!(repo.outputs(), original.outputs(), "{point}");
        repo.write("py/a.py", "a = 2\n");
        repo.run(&[]);
        reference.run(&[]);
        assert_eq!(repo.outputs(), reference.outputs(), "{point}");
    }
}

#[test]
fn the_next_run_ends_what_a_killed_one_left_running() {
    let repo = Repo::new();
    let mut command = repo.command(&["--jobs", "1"]);
    command.env("SMALL_PIPELINE_SLEEP", "300");
    let mut child = command.spawn().expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut lines = output.lines().map_while(Result::ok);
    assert!(lines.any(|it| it.contains("command-started") && it.contains("sleep 300")));
    let until = Instant::now() + Duration::from_secs(10);
    let remembered = || {
        fs::read_dir(repo.state().join("running")).is_ok_and(|mut it| {
            it.any(|it| it.is_ok_and(|it| is_sleep(&it.file_name().to_string_lossy())))
        })
    };
    while !remembered() {
        assert!(Instant::now() < until, "the command is not remembered");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ended");
    let root = repo.root().canonicalize().expect("it exists");
    assert!(
        processes_in(&root)
            .iter()
            .any(|it| it.starts_with("sleep 300"))
    );
    let resumed = repo.run(&[]);
    assert_eq!(processes_in(&root), [""; 0]);
    let notes = resumed.iter().filter(|it| it["event"] == "note");
    let texts: Vec<&str> = notes.filter_map(|it| it["text"].as_str()).collect();
    assert_eq!(
        texts,
        ["ended 1 process group(s) that a killed run left behind"]
    );
}

fn is_sleep(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|it| it.starts_with("sleep"))
}

/// The same new content for both folders.
fn change_an_input(repo: &Repo, reference: &Repo, random: &mut Random) {
    let files = [
        "web/main.js",
        "web/new.css",
        "src/main.rs",
        "src/lib.rs",
        "py/a.py",
        "py/c.py",
    ];
    let file = files[random.below(files.len() as u64) as usize];
    let text = format!("{}\n", random.below(1_000_000));
    repo.write(file, &text);
    reference.write(file, &text);
}

/// The last whole line of each step in the journal.
fn records(repo: &Repo) -> BTreeMap<String, String> {
    let text = fs::read_to_string(repo.journal()).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let record = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        Some((json["step"].as_str()?.to_owned(), line.to_owned()))
    };
    whole.lines().filter_map(record).collect()
}

fn assert_clean(repo: &Repo, say: &str) {
    let left = support::contents(&repo.state().join("staging"));
    assert!(left.is_empty(), "{say}: {left:?} is left in staging");
    let running = support::contents(&repo.state().join("running"));
    assert!(running.is_empty(), "{say}: {running:?} is left in running");
}
