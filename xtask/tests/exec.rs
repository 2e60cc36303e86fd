//! The one place that spawns a process: what it shows, hides, ends and waits for.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use expect_test::{Expect, expect};
use xtask::engine::{
    event::{Event, Events, Reporter, Stamped},
    exec::{CommandFailed, Exec, Finished, Interrupted, Log, Run},
    orphans::Orphans,
    paste::pasteable,
    secret::{Redactor, Secret},
};

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl Reporter for Seen {
    fn report(&mut self, stamped: &Stamped) {
        self.0.lock().expect("no panic").push(stamped.event.clone());
    }
}

/// A folder, what was reported, and the log.
struct World {
    folder: tempfile::TempDir,
    seen: Seen,
    exec: Exec,
    log: Log,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = Seen::default();
        let redactor = Redactor::default();
        redactor.add(&Secret::new("hunter22"));
        let exec = Exec {
            root: folder.path().to_owned(),
            events: Events::new(vec![Box::new(seen.clone())]),
            redactor,
            interrupted: Arc::new(AtomicBool::new(false)),
            // Surely set, and no shell makes it up where it is absent.
            withheld: vec!["HOME".into()],
            orphans: Orphans::new(folder.path().join("running")),
            timeout: Duration::from_secs(20),
        };
        let log = Log::create(folder.path().join("logs/step.log")).expect("a log");
        Self {
            folder,
            seen,
            exec,
            log,
        }
    }

    fn run(&self, command: Command) -> Run<'_> {
        Run::new(&self.exec, "step", &self.log, command)
    }

    fn sh(&self, script: &str) -> Run<'_> {
        self.run(sh(script))
    }

    /// Without the times, which differ.
    fn log(&self) -> String {
        let text = fs::read_to_string(&self.log.path).expect("a log");
        let line = |it: &str| match it.strip_prefix('[').and_then(|it| it.split_once(", ")) {
            Some((status, _)) => format!("[{status}]\n"),
            None => format!("{it}\n"),
        };
        text.lines().map(line).collect()
    }

    fn output(&self) -> Vec<String> {
        let events = self.seen.0.lock().expect("no panic");
        let line = |it: &Event| match it {
            Event::CommandOutput { line, .. } => Some(line.clone()),
            _ => None,
        };
        events.iter().filter_map(line).collect()
    }
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn failed(outcome: Result<Finished>) -> CommandFailed {
    let error = outcome.expect_err("it fails");
    error
        .downcast_ref::<CommandFailed>()
        .expect("a command's failure")
        .clone()
}

/// Whether the process ends within a moment: a signal takes effect a little later.
fn gone(process: &str) -> bool {
    let path = format!("/proc/{}/stat", process.trim());
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        fs::read_to_string(&path).map_or(true, |stat| stat.contains(") Z "))
    })
}

#[test]
fn output_goes_to_the_log_the_events_and_the_caller() {
    let world = World::new();
    let text = world
        .sh("echo one; echo two >&2; printf '\\033[31mred\\033[0m'")
        .read();
    // The escapes and the missing last line end are as the process printed them.
    assert_eq!(text.expect("it ends well"), "one\n\u{1b}[31mred\u{1b}[0m");
    let mut lines = world.output();
    lines.sort();
    assert_eq!(lines, ["one", "red", "two"]);
    let log = world.log();
    assert!(log.starts_with("$ sh -c "), "{log}");
    assert!(
        log.contains("\none\n") && log.contains("\ntwo\n") && log.contains("\nred\n"),
        "{log}"
    );
    assert!(log.ends_with("[exit status: 0]\n"), "{log}");
}

#[test]
fn a_failure_has_status_command_and_the_last_lines() {
    let world = World::new();
    let failure = failed(world.sh("seq 100; exit 3").checked());
    assert_eq!(failure.to_string(), "`sh` failed: exit status: 3");
    assert_eq!(failure.command, "sh -c 'seq 100; exit 3'");
    assert_eq!(failure.tail.len(), 20);
    assert_eq!(failure.tail.last().map(String::as_str), Some("100"));
    assert_eq!(failure.log, world.log.path);
    let failure = failed(world.sh("kill -9 $$").checked());
    assert_eq!(failure.status, "signal: 9 (SIGKILL)");
    // A bad status may be the caller's to judge.
    let finished = world.sh("exit 4").output().expect("it ran");
    assert_eq!(finished.status.code(), Some(4));
}

#[test]
fn the_program_is_named_whatever_stands_before_it() {
    let world = World::new();
    fs::create_dir(world.folder.path().join("a b")).expect("a folder");
    let mut command = sh("exit 1");
    command
        .current_dir(world.folder.path().join("a b"))
        .env("A", "b c")
        .env_remove("LANG");
    let failure = failed(world.run(command).checked());
    assert_eq!(failure.to_string(), "`sh` failed: exit status: 1");
}

#[test]
fn a_missing_program() {
    let world = World::new();
    let error = world
        .run(Command::new("no-such-program"))
        .checked()
        .expect_err("it is missing");
    expect!["cannot start `no-such-program`; `cargo xtask doctor` says how to install what is missing: No such file or directory (os error 2)"]
        .assert_eq(&format!("{error:#}"));
}

#[test]
fn a_time_out_ends_the_whole_group() {
    let world = World::new();
    let started = Instant::now();
    // The grandchild ignores what ends its parent.
    let script = "echo started; trap '' TERM; sleep 300 & echo $! > grandchild; trap - TERM; wait";
    let short = Duration::from_millis(300);
    let failure = failed(world.sh(script).timeout(short).checked());
    assert_eq!(failure.status, "timed out after 0.3 s");
    assert_eq!(failure.tail, ["started"]);
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    let grandchild = fs::read_to_string(world.folder.path().join("grandchild")).expect("it ran");
    assert!(gone(&grandchild), "the grandchild lives on");
    assert!(world.log().ends_with("[timed out after 0.3 s]\n"));
}

#[test]
fn ctrl_c_ends_the_group() {
    let world = World::new();
    let flag = world.exec.interrupted.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        flag.store(true, Ordering::SeqCst);
    });
    let started = Instant::now();
    let error = world
        .sh("sleep 300")
        .checked()
        .expect_err("it is interrupted");
    assert!(error.is::<Interrupted>());
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn secrets_are_masked_everywhere() {
    let world = World::new();
    let mut command = sh("echo value $TOKEN; echo again hunter22 >&2; exit 1");
    command.env("TOKEN", "hunter22");
    let failure = failed(world.run(command).checked());
    let events = format!("{:?}", world.seen.0.lock().expect("no panic"));
    let log = fs::read_to_string(&world.log.path).expect("a log");
    for text in [&format!("{failure:?}"), &events, &log] {
        assert!(!text.contains("hunter22") && text.contains("***"), "{text}");
    }
    // The step itself may need it.
    let printed = world.sh("echo hunter22").read().expect("it ends well");
    assert_eq!(printed, "hunter22");
}

/// Quotes would tear it apart.
#[test]
fn a_secret_that_needs_quotes_is_masked_in_the_command() {
    let world = World::new();
    let odd = r#"it's "$1"\"#;
    world.exec.redactor.add(&Secret::new(odd));
    let mut command = sh("exit 1");
    command.env("PIN", odd).env("KEY", format!("key of {odd}"));
    world.run(command).run().expect_err("it fails");
    let log = world.log();
    assert!(log.contains("KEY='key of ***' PIN=*** sh"), "{log}");
    let events = format!("{:?}", world.seen.0.lock().expect("no panic"));
    assert!(
        !events.contains("it's") && !log.contains("it's"),
        "{events}"
    );
}

#[test]
fn withheld_variables_reach_a_child_only_by_name() {
    let world = World::new();
    let print = "echo ${HOME-absent}";
    assert_eq!(world.sh(print).read().expect("it ends well"), "absent");
    let mut command = sh(print);
    command.env("HOME", "given");
    assert_eq!(world.run(command).read().expect("it ends well"), "given");
}

#[test]
fn commands_start_in_the_repository() {
    let world = World::new();
    let folder = world.folder.path().canonicalize().expect("it exists");
    assert_eq!(
        world.sh("pwd -P").read().expect("it ends well"),
        folder.to_string_lossy()
    );
}

/// What is printed does in a shell what the command does.
#[test]
fn printed_commands_can_be_pasted() {
    type Change<'c> = &'c dyn for<'a> Fn(&'a mut Command) -> &'a mut Command;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir(root.join("a b")).expect("a folder");
    let check = |change: Change, expected: Expect| {
        let mut command = Command::new("printenv");
        change(&mut command);
        let line = pasteable(&command, root);
        expected.assert_eq(&line.replace(&*root.to_string_lossy(), "ROOT"));
    };
    check(
        &|it| it.args(["it's", "a b", "$HOME", "", "x"]),
        expect![[r#"printenv "it's" 'a b' '$HOME' '' x"#]],
    );
    check(
        &|it| it.env("A", "b c").arg("A"),
        expect!["A='b c' printenv A"],
    );
    check(
        &|it| it.current_dir(root.join("a b")),
        expect!["(cd 'a b' && printenv)"],
    );
    check(&|it| it.current_dir(root), expect!["printenv"]);
    check(
        &|it| it.current_dir("/usr"),
        expect!["(cd /usr && printenv)"],
    );
    check(
        &|it| it.env_remove("LANG").env("A", "b"),
        expect!["env -u LANG A=b printenv"],
    );
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "printf '%s|' \"$@\" \"$A\"; pwd",
        "sh",
        "it's",
        "a  b",
        "$HOME",
        "",
    ]);
    command.env("A", "'\"").current_dir(root.join("a b"));
    let direct = command.output().expect("it runs").stdout;
    let mut pasted = sh(&pasteable(&command, root));
    let pasted = pasted.current_dir(root).output().expect("it runs").stdout;
    assert_eq!(
        String::from_utf8_lossy(&direct),
        String::from_utf8_lossy(&pasted)
    );
}

#[test]
fn ten_megabytes_and_a_line_without_end() {
    let world = World::new();
    let finished = world
        .sh("yes $(printf %0200d 0) | head -c 10000000")
        .checked();
    assert_eq!(finished.expect("it ends well").stdout.len(), 10_000_000);
    let finished = world
        .sh("head -c 10000000 /dev/zero | tr '\\0' x")
        .checked();
    assert_eq!(finished.expect("it ends well").stdout.len(), 10_000_000);
}

#[test]
fn stdin_is_given_or_empty() {
    let world = World::new();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|it| it as u8).collect();
    let finished = world
        .run(Command::new("cat"))
        .stdin(bytes.clone())
        .checked();
    assert!(finished.expect("it ends well").stdout == bytes);
    assert_eq!(
        world.run(Command::new("cat")).read().expect("it ends well"),
        ""
    );
    // Nobody reads it: no error, no wait.
    world
        .run(Command::new("true"))
        .stdin(bytes)
        .run()
        .expect("it ends well");
}

#[test]
fn a_process_that_closes_its_output_is_waited_for() {
    let world = World::new();
    let started = Instant::now();
    let outcome = world
        .sh("exec >&- 2>&-; sleep 0.4; exit 5")
        .output()
        .expect("it ran");
    assert_eq!(outcome.status.code(), Some(5));
    assert!(started.elapsed() > Duration::from_millis(390));
}

#[test]
fn what_keeps_the_output_open_is_not_waited_for() {
    let world = World::new();
    let started = Instant::now();
    let outcome = world
        .sh("sleep 300 & echo $!")
        .checked()
        .expect("it ends well");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let daemon = String::from_utf8(outcome.stdout).expect("a number");
    std::thread::sleep(Duration::from_millis(50));
    assert!(gone(&daemon), "what it left behind lives on");
}

#[test]
fn nothing_is_remembered_after_the_end() {
    let world = World::new();
    world.sh("true").run().expect("it ends well");
    world
        .sh("sleep 300")
        .timeout(Duration::from_millis(50))
        .run()
        .expect_err("it times out");
    let running = fs::read_dir(world.folder.path().join("running"));
    assert_eq!(running.map_or(0, Iterator::count), 0);
    assert!(Path::new(&world.log.path).exists());
}
