//! Runs to test with, and places to write to.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use anstream::StripStream;

use super::Out;
use xtask_engine::event::{Event, Failure, Level, ReleasedFile, Stamped};

/// Keeps what is written.
#[derive(Clone, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(super) fn without_colour(&self) -> Out {
        Box::new(StripStream::new(Box::new(self.clone()) as Out))
    }

    pub(super) fn with_colour(&self) -> Out {
        Box::new(self.clone())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One event a second.
fn stamped(events: Vec<Event>) -> Vec<Stamped> {
    let at = |second| format!("2026-03-01T11:09:{second:02}.000Z");
    events
        .into_iter()
        .enumerate()
        .map(|(n, event)| Stamped { at: at(n), event })
        .collect()
}

fn run_started(steps: &[&str]) -> Event {
    Event::RunStarted {
        command: "cargo xtask dist".into(),
        target: "linux".into(),
        steps: steps.iter().map(|&step| step.into()).collect(),
        jobs: 2,
        logs: "/repo/target/dist/linux/logs".into(),
    }
}

fn run_finished(ok: bool, seconds: f64, next: &str) -> Event {
    Event::RunFinished {
        ok,
        seconds,
        next: Some(next.into()),
    }
}

fn started(step: &str, why: &str) -> Event {
    let log = PathBuf::from(format!("/repo/target/dist/linux/logs/{step}.log"));
    Event::StepStarted {
        step: step.into(),
        why: why.into(),
        log,
    }
}

fn finished(step: &str, seconds: f64, bytes: u64, changed: bool) -> Event {
    Event::StepFinished {
        step: step.into(),
        seconds,
        artifacts: 1,
        bytes,
        changed,
    }
}

fn reused(step: &str, bytes: u64) -> Event {
    Event::StepReused {
        step: step.into(),
        artifacts: 2,
        bytes,
    }
}

fn command(step: &str, command: &str) -> Event {
    Event::CommandStarted {
        step: step.into(),
        command: command.into(),
    }
}

fn output(step: &str, line: &str) -> Event {
    Event::CommandOutput {
        step: step.into(),
        line: line.into(),
    }
}

fn ended(step: &str, command: &str, status: &str) -> Event {
    let ok = status.ends_with(" 0");
    let (step, command, status) = (step.into(), command.into(), status.into());
    Event::CommandFinished {
        step,
        command,
        status,
        ok,
        seconds: 2.5,
    }
}

fn released(identity: &str) -> Event {
    let file = |kind: &str, path: &str, size| {
        let (kind, path) = (kind.into(), path.into());
        ReleasedFile { kind, path, size }
    };
    let files = vec![
        file("installer", "Notes_0.1.0_amd64.deb", 8_400_000),
        file("installer", "Notes_0.1.0_amd64.AppImage", 84_300_000),
        file("signature", "Notes_0.1.0_amd64.deb.minisig", 300),
        file("signature", "Notes_0.1.0_amd64.AppImage.minisig", 300),
        file("checksums", "SHA256SUMS", 512),
        file("manifest", "manifest.json", 4096),
    ];
    Event::Released {
        folder: "/repo/target/dist/linux/release".into(),
        files,
        identity: identity.into(),
    }
}

/// Some steps reused, one run, one with unchanged output, one kept, one left out.
pub(super) fn happy() -> Vec<Stamped> {
    let npm = "npm run build";
    let because = "nuitka because of a C compiler in the PATH";
    let left_out = Event::StepLeftOut {
        step: "archive".into(),
        why: "--skip archive".into(),
    };
    let kept = Event::StepKept {
        step: "app".into(),
        why: "--keep app".into(),
        bytes: 9_100_000,
    };
    let note = "the lock of pip is older than its list".into();
    stamped(vec![
        run_started(&[
            "frontend", "app", "sidecar", "sign", "bundle", "archive", "seal",
        ]),
        started("frontend", "src/main.ts changed"),
        command("frontend", npm),
        output("frontend", "\x1b[32m✓\x1b[0m 14 modules transformed."),
        ended("frontend", npm, "exit status: 0"),
        finished("frontend", 3.2, 412_000, true),
        kept,
        Event::Note {
            step: "sidecar".into(),
            level: Level::Warning,
            text: note,
        },
        Event::Fact {
            step: "sidecar".into(),
            key: "freezer".into(),
            value: because.into(),
        },
        reused("sidecar", 84_000_000),
        started("sign", "app changed"),
        finished("sign", 0.03, 93_000_000, false),
        reused("bundle", 92_700_000),
        left_out,
        started("seal", "new"),
        finished("seal", 0.4, 4_608, true),
        released("Acme Inc., key RWQf6LRC"),
        run_finished(true, 72.4, "cargo xtask verify linux"),
    ])
}

/// A compiler says no.
pub(super) fn failing() -> Vec<Stamped> {
    let cargo = "cargo build --release --manifest-path app/src-tauri/Cargo.toml";
    let tail = [
        "error[E0425]: cannot find value `x`",
        " --> src/main.rs:2:5",
        "  |     ^ 50%",
    ];
    let failure = Failure {
        chain: vec!["the app could not be built".into(), "cargo failed".into()],
        command: Some(cargo.into()),
        status: Some("exit status: 101".into()),
        tail: tail.map(str::to_owned).to_vec(),
        log: Some("/repo/target/dist/linux/logs/app.log".into()),
        hints: vec!["`cargo xtask doctor` checks the toolchain".into()],
        resume: "cargo xtask dist --target linux".into(),
    };
    let mut events = vec![
        run_started(&["frontend", "app", "sidecar", "seal"]),
        reused("frontend", 412_000),
        started("app", "app/src-tauri/src/main.rs changed"),
        command("app", cargo),
    ];
    events.extend(tail.map(|line| output("app", line)));
    events.push(ended("app", cargo, "exit status: 101"));
    events.push(Event::StepFailed {
        step: "app".into(),
        seconds: 2.6,
        failure,
    });
    events.push(run_finished(false, 3.1, "cargo xtask dist --target linux"));
    stamped(events)
}

/// Two steps whose lines come in turn; one process tries to give orders.
pub(super) fn side_by_side() -> Vec<Stamped> {
    stamped(vec![
        run_started(&["app", "sidecar"]),
        started("app", "new"),
        started("sidecar", "nuitka 2.8.1 -> 2.8.4"),
        command("app", "cargo build"),
        command("sidecar", "python -m nuitka"),
        output("sidecar", "::error::not an order"),
        output("app", "Compiling notes v0.1.0"),
        finished("sidecar", 61.0, 84_000_000, true),
        finished("app", 62.0, 9_100_000, true),
        run_finished(true, 62.1, "cargo xtask verify"),
    ])
}

/// Eight steps, all reused; signed for development.
pub(super) fn nothing_to_do() -> Vec<Stamped> {
    let steps = [
        "frontend",
        "app",
        "sidecar",
        "sign",
        "bundle",
        "installers",
        "archive",
        "seal",
    ];
    let mut events = vec![run_started(&steps)];
    events.extend(steps.map(|step| reused(step, 1_000_000)));
    events.push(released("development (a key of this checkout)"));
    events.push(run_finished(true, 0.21, "cargo xtask verify linux"));
    stamped(events)
}

/// Ctrl-C during the first step.
pub(super) fn interrupted() -> Vec<Stamped> {
    stamped(vec![
        run_started(&["frontend", "app"]),
        started("frontend", "new"),
        run_finished(false, 1.0, "cargo xtask dist"),
    ])
}

/// Something is wrong before the first step.
pub(super) fn stopped_early() -> Vec<Stamped> {
    stamped(vec![
        run_started(&["frontend", "app"]),
        run_finished(false, 0.1, "cargo xtask doctor"),
    ])
}

/// What would be done.
pub(super) fn planned() -> Vec<Event> {
    let after = |steps: &[&str]| steps.iter().map(|&step| step.into()).collect();
    let why = "app/src-tauri/src/main.rs changed, app/src-tauri/Cargo.lock changed";
    vec![
        reused("frontend", 412_000),
        Event::StepPlanned {
            step: "app".into(),
            why: why.into(),
        },
        Event::StepKept {
            step: "sidecar".into(),
            why: "--keep sidecar".into(),
            bytes: 84_000_000,
        },
        Event::StepPending {
            step: "sign".into(),
            after: after(&["app"]),
        },
        Event::StepPending {
            step: "bundle".into(),
            after: after(&["sign", "app"]),
        },
        Event::StepLeftOut {
            step: "archive".into(),
            why: "--skip archive".into(),
        },
        Event::Fact {
            step: "sidecar".into(),
            key: "freezer".into(),
            value: "pyinstaller".into(),
        },
    ]
}
