//! The trial of frozen programs. Scripts stand in for them: one for each way to misbehave, and what
//! the trial says of it.
#![cfg(target_os = "linux")]

#[path = "support/frozen.rs"]
mod frozen;
mod support;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use expect_test::{Expect, expect};
use frozen::{choose, in_session, sidecar, tiny, write};
use xtask::{
    config::{self, Freezer, Layout},
    engine::{
        event::{Event, Events, Reporter, Stamped},
        exec::Interrupted,
        step::Context,
    },
    freeze::{
        candidate::{Candidate, Freezing},
        ending::How,
        report::Report,
        trial::Trial,
        verdict::classify,
    },
    target::Target,
    tools::python::Environment,
};

/// A sidecar that follows the protocol; what differs from it is put in.
const GOOD: &str = r#"import os, signal, subprocess, sys, time
print("BOOT sidecar=analyzer version=1.2.3", flush=True)
print("READY", flush=True)
sys.stdin.read()
print("BYE", flush=True)
"#;

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Reporter for Notes {
    fn report(&mut self, stamped: &Stamped) {
        if let Event::Note { text, .. } = &stamped.event {
            self.0.lock().expect("no panic").push(text.clone());
        }
    }
}

/// Also what is recorded.
#[derive(Clone, Default)]
struct Told(Notes);

impl Reporter for Told {
    fn report(&mut self, stamped: &Stamped) {
        if let Event::Fact { key, value, .. } = &stamped.event {
            let fact = format!("recorded: {key}: {value}");
            self.0.0.lock().expect("no panic").push(fact);
        }
        self.0.report(stamped);
    }
}

/// A folder of its own, what is tried in it, and how.
struct World {
    folder: tempfile::TempDir,
    sidecar: config::Sidecar,
    interrupted: Arc<AtomicBool>,
    notes: Notes,
}

impl World {
    fn new() -> Self {
        // Not below /tmp, which may be memory: then nothing would be cold.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let bin = folder.path().join("env/bin");
        fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(python(), bin.join("python")).expect("a link");
        let sidecar = sidecar(folder.path());
        Self {
            folder,
            sidecar,
            interrupted: Arc::default(),
            notes: Notes::default(),
        }
    }

    /// The whole trial of a script.
    fn script(&self, script: &str) -> Result<Report> {
        let path = self.folder.path().join("made/analyzer");
        write(&path, &format!("#!{} -IS\n{script}", python().display()));
        self.candidate(path, None)
    }

    fn candidate(&self, executable: PathBuf, folder: Option<PathBuf>) -> Result<Report> {
        let layout = match folder {
            Some(_) => Layout::Folder,
            None => Layout::Onefile,
        };
        let candidate = Candidate {
            freezer: Freezer::Nuitka,
            layout,
            folder,
            executable,
        };
        self.trial(|trial| trial.run(&candidate))
    }

    fn trial<T>(&self, work: impl FnOnce(&Trial) -> Result<T>) -> Result<T> {
        let environment = Environment {
            dir: self.folder.path().join("env"),
        };
        self.task(|cx| {
            work(&Trial {
                cx,
                sidecar: &self.sidecar,
                version: "1.2.3",
                environment: &environment,
            })
        })
    }

    fn task<T>(&self, work: impl FnOnce(&Context) -> Result<T>) -> Result<T> {
        let events = Events::new(vec![Box::new(self.notes.clone())]);
        in_session(self.folder.path(), events, &self.interrupted, work)
    }

    /// What became of a trial. Nothing of it may be left.
    fn verdict(&self, outcome: Result<Report>) -> String {
        let left = support::processes_in(self.folder.path());
        assert!(left.is_empty(), "still there: {left:?}");
        match outcome {
            Err(error) => format!("error: {error:#}"),
            Ok(report) => {
                let verdict = if report.rejected {
                    "rejected"
                } else {
                    "passed"
                };
                format!("{verdict}: {}", report.reliability())
            }
        }
    }
}

/// The interpreter itself: what is on PATH may be a script that needs more of the environment.
fn python() -> PathBuf {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; print(sys.executable)"]);
    let output = command.output().expect("there is a Python");
    let path = String::from_utf8(output.stdout).expect("UTF-8");
    fs::canonicalize(path.trim()).expect("it exists")
}

/// The good program with something done instead of a line of it.
fn instead_of(line: &str, other: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    GOOD.replace(line, other)
}

/// The good program with something done before it is ready.
fn first(other: &str) -> String {
    instead_of("print(\"BOOT", &format!("{other}\nprint(\"BOOT"))
}

const READY: &str = "print(\"READY\", flush=True)";
const READ: &str = "sys.stdin.read()";

/// A word for each way to behave, and the program.
fn behaviours() -> Vec<(&'static str, String)> {
    let quiet = "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL";
    let again = |after: &str| format!("{READ}\n{after}");
    vec![
        ("good", GOOD.into()),
        ("exits before READY", first("sys.exit('no device')")),
        ("is killed", first("os.kill(os.getpid(), signal.SIGKILL)")),
        ("hangs", instead_of(READY, "")),
        (
            "asks",
            instead_of(READY, "print('Password: ', end='', flush=True)"),
        ),
        (
            "READY on stderr",
            instead_of(READY, "print('READY', file=sys.stderr, flush=True)"),
        ),
        (
            "READY without a line end",
            instead_of(READY, "print('READY', end='', flush=True)"),
        ),
        (
            "READY without a line end, then its end",
            instead_of(READY, "print('READY', end='', flush=True); sys.exit()"),
        ),
        (
            "READY in a line",
            instead_of(READY, "print('is READY', flush=True)"),
        ),
        (
            "READY twice",
            instead_of(READY, &format!("{READY}; {READY}")),
        ),
        (
            "READY again, unless it is told to end",
            instead_of(
                READY,
                &format!(
                    "{READY}; import select\nif not select.select([0], [], [], 0.06)[0]: {READY}"
                ),
            ),
        ),
        ("READY again, at the end", instead_of(READ, &again(READY))),
        (
            "READY again, from a child",
            instead_of(
                READY,
                &format!("{READY}; subprocess.run(['/bin/sh', '-c', 'sleep 0.1; echo READY'])"),
            ),
        ),
        ("another version", GOOD.replace("1.2.3", "1.2.2")),
        ("no version", GOOD.replace("version=1.2.3", "")),
        ("misses a module", first("import wave_of")),
        (
            "misses a module after READY",
            instead_of(READ, &again("import wave_of")),
        ),
        (
            "does without a module",
            first("print('ModuleNotFoundError: No module named \\'torch\\'', file=sys.stderr)"),
        ),
        (
            "prints garbage",
            first("sys.stdout.buffer.write(b'\\xff\\xfe\\n\\x00' + b'x' * 100_000 + b'\\n')"),
        ),
        (
            "floods",
            instead_of(READ, &format!("print('flood\\n' * 4_000_000); {READ}")),
        ),
        (
            "ignores the end of stdin",
            instead_of(READ, "time.sleep(90)"),
        ),
        (
            "ignores SIGTERM",
            first("signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
        ),
        (
            "survives its parent",
            instead_of(
                READ,
                &format!(
                    "parent = os.getppid(); {READ}\ntime.sleep(0.3)\nif os.getppid() != parent: time.sleep(90)"
                ),
            ),
        ),
        (
            "leaves a child",
            first(&format!("subprocess.Popen(['sleep', '90'], {quiet})")),
        ),
        (
            "leaves a grandchild in a session of its own",
            first(&format!(
                "subprocess.Popen(['/bin/sh', '-c', 'sleep 90; true'], start_new_session=True, {quiet})"
            )),
        ),
        (
            "leaves a child whose parent is gone",
            first(&format!(
                "subprocess.run(['/bin/sh', '-c', 'sleep 90 & true'], {quiet})"
            )),
        ),
        (
            "exits with a status",
            instead_of(READ, &again("sys.exit(3)")),
        ),
        (
            "fails on SIGTERM",
            first("signal.signal(signal.SIGTERM, lambda *_: os._exit(4))"),
        ),
        (
            "ends well on SIGTERM",
            first("signal.signal(signal.SIGTERM, lambda *_: sys.exit())"),
        ),
    ]
}

#[test]
fn every_misbehaviour_has_its_words() {
    let behaviours = behaviours();
    let verdicts: Vec<String> = std::thread::scope(|scope| {
        let tried: Vec<_> = behaviours
            .iter()
            .map(|(name, script)| {
                scope.spawn(move || {
                    let mut world = World::new();
                    if ["hangs", "asks"].contains(name) || name.starts_with("READY ") {
                        world.sidecar.ready_timeout = Duration::from_secs(2);
                    }
                    let outcome = world.script(script);
                    format!("{name}\n  {}\n", world.verdict(outcome))
                })
            })
            .collect();
        let verdict = |it: std::thread::ScopedJoinHandle<'_, String>| it.join();
        tried
            .into_iter()
            .map(|it| verdict(it).expect("the panic says why"))
            .collect()
    });
    expect![[r#"
        good
          passed: 4 of 4 launches passed
        exits before READY
          rejected: 1 of 1 launches failed: it ended before it was ready (exit status: 1): no device
        is killed
          rejected: 1 of 1 launches failed: it ended before it was ready (signal: 9 (SIGKILL)): it printed nothing
        hangs
          rejected: 1 of 1 launches failed: it did not print READY within 2s: BOOT sidecar=analyzer version=1.2.3
        asks
          rejected: 1 of 1 launches failed: it did not print READY within 2s: Password:
        READY on stderr
          rejected: 1 of 1 launches failed: it did not print READY within 2s: READY came on stderr, not on stdout
        READY without a line end
          rejected: 1 of 1 launches failed: it did not print READY within 2s: READY came without the end of its line
        READY without a line end, then its end
          rejected: 1 of 1 launches failed: it ended before it was ready (exit status: 0): READY came without the end of its line
        READY in a line
          rejected: 1 of 1 launches failed: it did not print READY within 2s: is READY
        READY twice
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, unless it is told to end
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, at the end
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, from a child
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        another version
          rejected: 1 of 1 launches failed: it reports version 1.2.2, but the release is 1.2.3
        no version
          passed: 4 of 4 launches passed
        misses a module
          rejected: 1 of 1 launches failed: it misses the module wave_of
        misses a module after READY
          rejected: 1 of 1 launches failed: it misses the module wave_of
        does without a module
          passed: 4 of 4 launches passed
        prints garbage
          passed: 4 of 4 launches passed
        floods
          passed: 4 of 4 launches passed
        ignores the end of stdin
          rejected: 1 of 1 launches failed: it still runs after its stdin was closed: … (analyzer)
        ignores SIGTERM
          rejected: 1 of 2 launches failed: it still runs after SIGTERM: … (analyzer)
        survives its parent
          rejected: 1 of 4 launches failed: it still runs after its parent was killed: … (analyzer)
        leaves a child
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sleep)
        leaves a grandchild in a session of its own
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sh), … (sleep)
        leaves a child whose parent is gone
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sleep)
        exits with a status
          rejected: 1 of 1 launches failed: it did not end well after its stdin was closed (exit status: 3): READY
        fails on SIGTERM
          rejected: 1 of 2 launches failed: it did not end well after SIGTERM (exit status: 4): READY
        ends well on SIGTERM
          passed: 4 of 4 launches passed
    "#]].assert_eq(&verdicts.concat());
}

#[test]
fn what_the_system_does_not_start_is_rejected() {
    let world = World::new();
    let path = world.folder.path().join("made/analyzer");
    write(&path, "\0placeholder");
    let outcome = world.candidate(path.clone(), None);
    assert_eq!(
        world.verdict(outcome),
        "rejected: 1 of 1 launches failed: it cannot be started: Exec format error (os error 8)"
    );
    write(&path, "#!/nowhere/python3\n");
    let outcome = world.candidate(path.clone(), None);
    assert_eq!(
        world.verdict(outcome),
        "rejected: 1 of 1 launches failed: it cannot be started: \
         No such file or directory (os error 2)"
    );
}

/// A program that fails at its launches with these numbers.
fn flaky(world: &World, at: &[usize]) -> String {
    let count = world.folder.path().join("count");
    first(&format!(
        "with open({count:?}, 'a+') as f: f.write('.'); number = f.tell()\nif number in {at:?}: sys.exit('flaky')"
    ))
}

#[test]
fn few_failures_are_tolerated_and_reported() {
    let check = |at: &[usize], launches: usize, expected: &str| {
        let mut world = World::new();
        world.sidecar.trial = config::Trial {
            launches: 20,
            max_failures: 10,
        };
        let script = flaky(&world, at);
        let outcome = world.script(&script);
        let report = outcome.as_ref().expect("it is tried");
        assert_eq!(report.launches.len(), launches, "{at:?}");
        let notes = world.notes.0.lock().expect("no panic").join("\n");
        let told = notes.contains("that is tolerated; what they printed: /");
        assert_eq!(told, !report.rejected && !at.is_empty(), "{notes}");
        assert_eq!(world.verdict(outcome), expected);
    };
    let why = "it ended before it was ready (exit status: 1): flaky";
    check(&[], 20, "passed: 20 of 20 launches passed");
    check(&[7], 20, &format!("passed: 1 of 20 launches failed: {why}"));
    check(
        &[1, 20],
        20,
        &format!("passed: 2 of 20 launches failed: {why}"),
    );
    // No more than is needed to be certain.
    check(
        &[1, 5, 9],
        9,
        &format!("rejected: 3 of 9 launches failed: {why}"),
    );
}

/// Half of the failures would be tolerated, but these are not by chance.
#[test]
fn a_way_to_end_that_never_goes_well_is_not_tolerated() {
    let mut world = World::new();
    world.sidecar.trial = config::Trial {
        launches: 8,
        max_failures: 50,
    };
    let outcome = world.script(&first(
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(4))",
    ));
    assert_eq!(
        world.verdict(outcome),
        "rejected: 2 of 8 launches failed, among them all that were to end after SIGTERM: \
         it did not end well after SIGTERM (exit status: 4): READY"
    );
    // One time may be chance.
    let check = |at: &[usize], launches: usize, expected: &str| {
        let mut world = World::new();
        world.sidecar.trial = config::Trial {
            launches,
            max_failures: 50,
        };
        let script = flaky(&world, at);
        let outcome = world.script(&script);
        assert_eq!(world.verdict(outcome), expected);
    };
    let why = "it ended before it was ready (exit status: 1): flaky";
    check(&[2], 4, &format!("passed: 1 of 4 launches failed: {why}"));
    check(
        &[1, 2, 6],
        6,
        &format!(
            "rejected: 3 of 6 launches failed, among them all that were to end after SIGTERM: {why}"
        ),
    );
}

#[test]
fn the_launches_take_turns() {
    use How::{ParentKilled, StdinClosed, Terminated};
    let report = World::new().script(GOOD).expect("it is tried");
    let how: Vec<How> = report.launches.iter().map(|it| it.how).collect();
    assert_eq!(how, [StdinClosed, Terminated, StdinClosed, ParentKilled]);
    let cold: Vec<bool> = report.launches.iter().map(|it| it.cold).collect();
    assert_eq!(cold, [true, false, false, false]);
    assert_eq!(report.version().as_deref(), Some("1.2.3"));
}

/// It starts where it is alone: in an empty folder, whose path is not the simplest, with nothing of
/// the build's environment.
#[test]
fn the_surroundings_are_those_of_nobody() {
    let world = World::new();
    let script = first(
        "print(sorted(os.environ.keys() - {'LC_CTYPE'}), os.listdir(), ' ' in os.getcwd(), \
         '\\u00fc' in os.getcwd(), ' ' in sys.argv[0], '\\u00fc' in sys.argv[0]); sys.exit(1)",
    );
    let outcome = world.script(&script);
    assert_eq!(
        world.verdict(outcome),
        "rejected: 1 of 1 launches failed: it ended before it was ready (exit status: 1): \
         [] [] True True True True"
    );
}

/// A Python that cannot start without something of its environment. What it starts does without.
#[test]
fn the_parent_keeps_its_environment() {
    let world = World::new();
    let link = world.folder.path().join("env/bin/python");
    fs::remove_file(&link).expect("it is there");
    // What cargo sets for every test.
    let needy = format!(
        "#!/bin/sh\ntest -n \"$CARGO_MANIFEST_DIR\" || exit 127\nexec {} \"$@\"\n",
        python().display()
    );
    write(&link, &needy);
    let outcome = world.script(&first(
        "if os.environ.keys() - {'LC_CTYPE'}: sys.exit(str(os.environ))",
    ));
    assert_eq!(world.verdict(outcome), "passed: 4 of 4 launches passed");
}

#[test]
fn what_a_failed_launch_printed_is_kept() {
    let world = World::new();
    let report = world
        .script(&first("print('one'); sys.exit('no device')"))
        .expect("it is tried");
    let mut kept = String::new();
    let mut files: Vec<_> = fs::read_dir(&report.kept)
        .expect("it is there")
        .flatten()
        .collect();
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let text = fs::read_to_string(file.path()).expect("text");
        kept += &format!("{}:\n{text}", file.file_name().to_string_lossy());
    }
    expect![[r#"
        launch-01.status:
        it ended before it was ready (exit status: 1): no device
        exit status: 1
        launch-01.stderr:
        no device
        launch-01.stdout:
        one
    "#]]
    .assert_eq(&kept);
    assert!(
        report
            .kept
            .ends_with("state/logs/trial/analyzer-nuitka-onefile"),
        "{:?}",
        report.kept
    );
    // What another trial left is not this one's.
    let report = world.script(GOOD).expect("it is tried");
    assert!(!report.kept.exists());
}

#[test]
fn the_figures_are_measured() {
    let mut world = World::new();
    world.sidecar.trial.launches = 8;
    let child = "hold = b'x' * 40_000_000; import sys; sys.stdin.read()";
    let made = world.folder.path().join("made");
    let script = first(&format!(
        "hold = b'x' * 60_000_000; child = subprocess.Popen([{:?}, '-ISc', {child:?}]); time.sleep(0.3)\n\
         signal.signal(signal.SIGTERM, lambda *_: sys.exit(child.kill()))",
        python()
    ));
    write(
        &made.join("analyzer"),
        &format!("#!{} -IS\n{script}", python().display()),
    );
    write(&made.join("lib/data"), "12345");
    std::os::unix::fs::symlink("data", made.join("lib/link")).expect("a link");
    let outcome = world.candidate(made.join("analyzer"), Some(made.clone()));
    let report = outcome.as_ref().expect("it is tried");
    let (it, size) = (
        &report.startup,
        fs::metadata(made.join("analyzer")).unwrap().len(),
    );
    assert_eq!((report.bytes, report.files), (size + 5 + 4, 3));
    let [cold, min, median, p95] =
        [it.cold_ms, it.min_ms, it.median_ms, it.p95_ms].map(Option::unwrap);
    assert!(cold > 300.0 && min > 300.0, "{it:?}");
    assert!(min <= median && median <= p95 && p95 < 20_000.0, "{it:?}");
    // Both processes together, and no more than that.
    assert!(
        (100_000_000..200_000_000).contains(&it.peak_memory),
        "{it:?}"
    );
    assert_eq!(world.verdict(outcome), "passed: 8 of 8 launches passed");
}

/// Ctrl-C while a launch hangs, with a child that no signal to its group reaches.
#[test]
fn an_interrupted_trial_leaves_nothing() {
    let world = World::new();
    let interrupted = world.interrupted.clone();
    let began = Instant::now();
    let script = first("subprocess.Popen(['sleep', '90'], start_new_session=True); time.sleep(90)");
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let there = || support::processes_in(world.folder.path()).len() >= 2;
            while !there() && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Long enough to be seen.
            std::thread::sleep(Duration::from_secs(1));
            interrupted.store(true, Ordering::SeqCst);
        });
        world.script(&script)
    });
    let error = outcome.expect_err("it was interrupted");
    assert!(error.is::<Interrupted>(), "{error:#}");
    assert_eq!(support::processes_in(world.folder.path()), [""; 0]);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

/// A freezer that ends well without a program gives way to the next. What went wrong before it even
/// began is no fault of it: another one would only hide that, and be recorded.
#[test]
fn only_a_freezer_s_own_failure_is_its_own() {
    let check = |data: &[config::DataFile], expected: &str| {
        let mut world = World::new();
        world.sidecar.data = data.to_vec();
        let python = world.folder.path().join("env/bin/python");
        fs::remove_file(&python).expect("it is there");
        write(&python, "#!/bin/sh\nexit 0\n");
        let environment = Environment {
            dir: world.folder.path().join("env"),
        };
        let product = config::Product {
            name: "Test".into(),
            version: "1.2.3".parse().expect("a version"),
            identifier: "com.example.test".into(),
        };
        let (freezer, layout) = (Freezer::Pyinstaller, Layout::Onefile);
        let outcome = world.task(|cx| {
            let freezing = Freezing {
                cx,
                sidecar: &world.sidecar,
                product: &product,
                environment: &environment,
                target: &Target::host(),
            };
            let error = freezing
                .freeze(freezer, layout)
                .expect_err("nothing is made");
            classify(&freezing, freezer, layout, error)
        });
        let text = match outcome {
            Ok(failure) => format!("its own: {failure}"),
            Err(error) => format!("not its own: {error:#}"),
        };
        assert!(text.starts_with(expected), "{text}");
    };
    check(
        &[],
        "its own: pyinstaller (onefile) failed: the freezer broke (the freezer ended well but left no \
         state/cache/analyzer-pyinstaller-onefile/dist/analyzer",
    );
    let data = config::DataFile {
        from: "/nowhere/data".into(),
        to: "data".into(),
    };
    check(&[data], "not its own: ");
}

/// Before anything is frozen.
#[test]
fn plain_python_is_tried_once() {
    let world = World::new();
    let check = |script: &str, expected: &str| {
        write(&world.folder.path().join("main.py"), script);
        let mut command = Command::new(python());
        command.arg("main.py");
        let outcome = world.trial(|trial| trial.plain(command));
        let text = outcome.map_or_else(|it| format!("{it:#}"), |()| "works".to_owned());
        assert_eq!(text, expected);
    };
    check(GOOD, "works");
    check(
        &first("import wave_of"),
        "under plain Python it misses the module wave_of",
    );
    let log = fs::read_to_string(world.folder.path().join("state/logs/test.log")).unwrap();
    assert!(log.contains("Traceback (most recent call last):"), "{log}");
}

/// What the first launch reads comes from the disk.
#[test]
fn files_are_forgotten_before_the_first_launch() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("deep/file");
    write(&file, &"x".repeat(1 << 20));
    let cached = || {
        let mut fincore = Command::new("fincore");
        fincore
            .args(["--bytes", "--noheadings", "--output", "RES"])
            .arg(&file);
        let output = fincore.output().expect("it belongs to util-linux");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    fs::read(&file).expect("it is there");
    assert_eq!(cached(), "1048576");
    xtask::engine::processes::forget_cached(folder.path());
    assert_eq!(cached(), "0");
}

/// The real freezers, in both layouts: what works passes, and so the trial asks for no more than they
/// give. `XTASK_FULL=1` adds the layout of Nuitka that is least like to surprise.
#[test]
fn slow_what_real_freezers_make_passes() {
    let full = std::env::var_os("XTASK_FULL").is_some();
    for (freezer, layout) in [
        (Freezer::Pyinstaller, Layout::Onefile),
        (Freezer::Pyinstaller, Layout::Folder),
        (Freezer::Nuitka, Layout::Onefile),
        (Freezer::Nuitka, Layout::Folder),
    ] {
        if (freezer, layout) == (Freezer::Nuitka, Layout::Folder) && !full {
            continue;
        }
        let made = tiny(freezer, layout);
        let mut world = World::new();
        world.sidecar.trial.launches = 8;
        let outcome = world.candidate(made.executable.clone(), made.folder.clone());
        let report = outcome.as_ref().expect("it is tried");
        assert_eq!(report.version().as_deref(), Some("1.2.3"));
        assert_eq!(report.files == 1, layout == Layout::Onefile);
        let verdict = world.verdict(outcome);
        assert_eq!(
            verdict, "passed: 8 of 8 launches passed",
            "{freezer:?} {layout:?}"
        );

        world.sidecar.probe = vec!["--no-handler".into()];
        let outcome = world.candidate(made.executable, made.folder);
        let verdict = world.verdict(outcome);
        let expected = match (freezer, layout) {
            // A crash: what Nuitka compiled does not survive the SIGINT that the wrapper hands on.
            (Freezer::Nuitka, Layout::Onefile) => {
                "rejected: 1 of 2 launches failed: \
                 it did not end well after SIGTERM (exit status: 139): READY"
            }
            _ => "passed: 8 of 8 launches passed",
        };
        assert_eq!(verdict, expected, "{freezer:?} {layout:?}");
    }
}

/// Where one file starts too slowly, which a millisecond always is.
#[test]
fn slow_a_slow_start_decides_the_layout() {
    let check =
        |layout: fn(&mut config::Sidecar), before: &str, taken: Layout, expected: Expect| {
            let told = Told::default();
            let events = Events::new(vec![Box::new(told.clone())]);
            let chosen = choose(before, events, layout).expect("something passes");
            let (candidate, report) = chosen.made.expect("nothing is held ready");
            assert_eq!(candidate.layout, taken);
            assert_eq!(report.files == 1, taken == Layout::Onefile);
            let told = told.0.0.lock().expect("no panic").join("\n");
            expected.assert_eq(&without_times(&told));
        };
    let auto = |sidecar: &mut config::Sidecar| {
        sidecar.freezers = vec![Freezer::Pyinstaller];
        sidecar.layout = Layout::Auto;
        sidecar.max_startup = Some(Duration::from_millis(1));
        sidecar.trial.launches = 2;
    };
    check(
        auto,
        "",
        Layout::Folder,
        expect![[r#"
        it takes [TIME] ms to be ready, more than max-startup (1ms), in the better of two trials (other steps may have run beside it): making a folder
        recorded: layout: folder, since as one file it takes [TIME] ms to be ready, more than max-startup (1ms)"#]],
    );
    // A folder that fails is no reason to go without.
    let not_as_folder = "import sys\nif sys._MEIPASS.endswith('_internal'): sys.exit('a folder')\n";
    check(
        auto,
        not_as_folder,
        Layout::Onefile,
        expect![[r#"
        it takes [TIME] ms to be ready, more than max-startup (1ms), in the better of two trials (other steps may have run beside it): making a folder
        pyinstaller 6.22.3 (folder) failed: the trial was not passed (1 of 1 launches failed: it ended before it was ready (exit status: 1): a folder | what they printed: state/logs/trial/chosen-pyinstaller-folder); keeping the one file, though it takes [TIME] ms to be ready, more than max-startup (1ms)
        recorded: layout: onefile, since pyinstaller 6.22.3 (folder) failed: the trial was not passed (1 of 1 launches failed: it ended before it was ready (exit status: 1): a folder | what they printed: state/logs/trial/chosen-pyinstaller-folder)"#]],
    );
    let proposed = |sidecar: &mut config::Sidecar| {
        sidecar.freezers = vec![Freezer::Pyinstaller];
        sidecar.max_startup = Some(Duration::from_millis(1));
        sidecar.trial.launches = 2;
    };
    check(
        proposed,
        "",
        Layout::Onefile,
        expect![[
            r#"it takes [TIME] ms to be ready, more than max-startup (1ms) (other steps may have run beside it): layout = "folder" or "auto" in packaging/dist.toml would save the extraction"#
        ]],
    );
}

/// `takes 206 ms` as `takes [TIME]`.
fn without_times(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_time = |at: usize| words[at].parse::<u64>().is_ok() && words.get(at + 1) == Some(&"ms");
    let shown = words
        .iter()
        .enumerate()
        .map(|(at, word)| match is_time(at) {
            true => "[TIME]",
            false => word,
        });
    shown.collect::<Vec<_>>().join(" ")
}
