//! The trial of frozen programs. Scripts stand in for them: one for each way to misbehave, and what
//! the trial says of it.
#![cfg(target_os = "linux")]

#[path = "trial/behaviours.rs"]
mod behaviours;
#[path = "trial/endings.rs"]
mod endings;
#[path = "support/frozen.rs"]
mod frozen;
#[path = "trial/real.rs"]
mod real;
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
use expect_test::expect;
use frozen::{in_session, sidecar, write};
use xtask::{
    config::{self, Freezer, Layout},
    engine::{
        event::{Event, Events, Reporter, Stamped},
        exec::Interrupted,
        step::Context,
    },
    freeze::{
        candidate::{Candidate, Freezing},
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
            arch: None,
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

    /// Freezing where this shell script is the interpreter.
    fn freezing<T>(
        &self,
        script: &str,
        is_cold: bool,
        work: impl FnOnce(&Freezing) -> Result<T>,
    ) -> Result<T> {
        let dir = self.folder.path().join("env");
        let python = dir.join("bin/python");
        fs::remove_file(&python).expect("it is there");
        write(&python, &format!("#!/bin/sh\n{script}\n"));
        let product = config::Product {
            name: "Test".into(),
            version: "1.2.3".parse().expect("a version"),
            identifier: "com.example.test".into(),
        };
        self.task(|cx| {
            work(&Freezing {
                cx,
                sidecar: &self.sidecar,
                product: &product,
                environment: &Environment { dir, arch: None },
                target: &Target::host(),
                is_cold,
            })
        })
    }

    fn task<T>(&self, work: impl FnOnce(&Context) -> Result<T>) -> Result<T> {
        let events = Events::new(vec![Box::new(self.notes.clone())]);
        in_session(self.folder.path(), events, &self.interrupted, work)
    }

    /// What became of a trial. Nothing of it may be left.
    fn verdict(&self, outcome: Result<Report>) -> String {
        // What was killed a moment ago may take another on a busy machine.
        let began = Instant::now();
        let left = || support::processes_in(self.folder.path());
        while !left().is_empty() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(left().is_empty(), "still there: {:?}", left());
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
        let (freezer, layout) = (Freezer::Pyinstaller, Layout::Onefile);
        let outcome = world.freezing("exit 0", false, |freezing| {
            let error = freezing
                .freeze(freezer, layout)
                .expect_err("nothing is made");
            classify(freezing, freezer, layout, error)
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

/// So that the times of several freezes compare, whichever comes first. A warm one goes on with what all
/// freezes left, and with nothing of a cold one.
#[test]
fn a_cold_freeze_begins_with_empty_caches() {
    let world = World::new();
    let found = world.folder.path().join("found");
    // Where it leaves objects, and how many there are of earlier freezes.
    let script = format!(
        "echo $(find \"$NUITKA_CACHE_DIR\" -type f | wc -l) ${{CCACHE_DIR#$NUITKA_CACHE_DIR}} > {found:?}\n\
         touch \"$NUITKA_CACHE_DIR/$$\""
    );
    let check = |is_cold, layout, expected: &str| {
        let made = world.freezing(&script, is_cold, |it| it.freeze(Freezer::Nuitka, layout));
        assert!(made.is_err(), "it makes nothing");
        let found = fs::read_to_string(&found).expect("it ran");
        let found = found.split_whitespace().take(if is_cold { 2 } else { 1 });
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected);
    };
    check(false, Layout::Onefile, "0");
    check(false, Layout::Folder, "1");
    check(true, Layout::Onefile, "0 /ccache");
    check(true, Layout::Folder, "0 /ccache");
    check(true, Layout::Onefile, "0 /ccache");
    check(false, Layout::Onefile, "2");
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
        &GOOD.replace("1.2.3", "1.2.2"),
        "under plain Python it reports version 1.2.2, but the release is 1.2.3\n\
         hint: the release's version is that of tauri.conf.json, or else of Cargo.toml, unless \
         packaging/dist.toml gives one; the sidecar's is what its own sources print after BOOT: \
         bring them in line",
    );
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
