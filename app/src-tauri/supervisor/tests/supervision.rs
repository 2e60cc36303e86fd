//! Real child processes: short Python programs that misbehave in one way each.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tonelens_supervisor::{Failure, Launch, RequestError, State, Supervisor};

const ECHO: &str = r#"
print("BOOT sidecar=fake version=1.2.3", flush=True)
print("READY", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "die":
        sys.exit("asked to die")
    if request["method"] == "refuse":
        answer = {"id": request["id"], "error": {"message": "no such file"}}
    else:
        answer = {"id": request["id"], "result": request["params"]}
    print(json.dumps(answer), flush=True)
print("SHUTDOWN reason=stdin-eof", flush=True)
"#;

/// A sidecar under supervision, the states it went through, and its process ids.
struct Stage {
    supervisor: Supervisor,
    states: Receiver<State>,
    folder: TempDir,
}

impl Stage {
    fn new(script: &str) -> Self {
        Self::with(script, |_| {})
    }

    fn with(script: &str, adjust: impl FnOnce(&mut Launch)) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("fake.py");
        let pids = folder.path().join("pids");
        let prelude = format!(
            "import json, os, subprocess, sys, time\nopen({pids:?}, 'a').write(f'{{os.getpid()}}\\n')\n"
        );
        fs::write(&file, prelude + script).unwrap();
        let mut launch = Launch::new(python());
        launch.args = vec![file.into()];
        adjust(&mut launch);
        let (sender, states) = mpsc::channel();
        let supervisor = Supervisor::new(launch, move |state| drop(sender.send(state.clone())));
        Self { supervisor, states, folder }
    }

    fn started(self) -> Self {
        self.supervisor.restart();
        assert_eq!(self.next(), State::Starting);
        self
    }

    fn ready(self) -> Self {
        let stage = self.started();
        assert!(matches!(stage.next(), State::Ready { .. }));
        stage
    }

    fn next(&self) -> State {
        self.states.recv_timeout(Duration::from_secs(10)).expect("a change of state")
    }

    fn failed(&self) -> (Failure, Vec<String>) {
        match self.next() {
            State::Failed { reason, stderr } => (reason, stderr),
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    fn quiet(&self) {
        assert_eq!(self.states.recv_timeout(Duration::from_millis(150)).ok(), None);
    }

    fn pids(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.folder.path().join("pids")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn nothing_left(&self) {
        let alive: Vec<u32> = self.pids().into_iter().filter(|pid| alive(*pid)).collect();
        assert_eq!(alive, Vec::<u32>::new(), "processes left behind");
    }
}

/// Windows installs Python under the shorter name.
fn python() -> PathBuf {
    PathBuf::from(if cfg!(windows) { "python" } else { "python3" })
}

#[cfg(target_os = "linux")]
fn alive(pid: u32) -> bool {
    // A killed grandchild waits for init as a zombie; that is not alive.
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().unwrap_or_default().trim().starts_with('Z'),
        Err(_) => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn alive(pid: u32) -> bool {
    let (program, args) = if cfg!(windows) {
        ("tasklist", vec!["/FI".to_owned(), format!("PID eq {pid}")])
    } else {
        ("ps", vec!["-p".to_owned(), pid.to_string()])
    };
    let shown = std::process::Command::new(program).args(args).output().unwrap().stdout;
    String::from_utf8_lossy(&shown).split_whitespace().any(|word| word == pid.to_string())
}

fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !met() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_missing_program() {
    let stage = Stage::with("", |launch| launch.program = "/nowhere/tonelens-analyzer".into());
    let stage = stage.started();
    let (reason, stderr) = stage.failed();
    assert!(matches!(reason, Failure::NotStarted(std::io::ErrorKind::NotFound, _)));
    assert!(reason.to_string().contains("tonelens-analyzer"), "{reason}");
    assert_eq!(stderr, Vec::<String>::new());
}

#[test]
fn an_end_before_ready_keeps_its_last_words() {
    let stage = Stage::new("for n in range(100): print(n, file=sys.stderr)\nsys.exit(3)").started();
    let (reason, stderr) = stage.failed();
    assert!(
        matches!(&reason, Failure::EndedEarly(Some(status)) if status.contains('3')),
        "{reason:?}"
    );
    assert_eq!(stderr.len(), 60);
    assert_eq!(stderr.last().unwrap(), "99");
}

#[test]
fn a_crash_before_ready_shows_the_traceback() {
    let stage = Stage::new("import module_that_is_missing").started();
    let (_, stderr) = stage.failed();
    assert!(stderr.last().unwrap().starts_with("ModuleNotFoundError"), "{stderr:?}");
}

#[test]
fn not_ready_in_time() {
    let script = "print('thinking', file=sys.stderr, flush=True)\ntime.sleep(60)";
    let stage = Stage::with(script, |launch| launch.ready_within = Duration::from_secs(3));
    let stage = stage.started();
    let (reason, stderr) = stage.failed();
    assert_eq!(reason, Failure::NotReady(Duration::from_secs(3)));
    assert_eq!(stderr, ["thinking"]);
    stage.nothing_left();
}

#[test]
fn endless_noise_is_not_ready_in_time() {
    let script = "while True: print('...', flush=True)";
    let stage = Stage::with(script, |launch| launch.ready_within = Duration::from_millis(300));
    let (reason, _) = stage.started().failed();
    assert_eq!(reason, Failure::NotReady(Duration::from_millis(300)));
}

#[test]
fn noise_is_not_ready_and_does_no_harm() {
    let script = r#"
sys.stdout.buffer.write(b"\xff\xfe\x00 garbage\n\n{\"id\":1}\nREADY?\n")
print("x" * 1_000_000, flush=True)
"#;
    let stage = Stage::new(&format!("{script}{ECHO}")).started();
    assert_eq!(stage.next(), State::Ready { version: Some("1.2.3".into()) });
    let answer = stage.supervisor.request("echo", &json!({"path": "ö"}));
    assert_eq!(answer, Ok(json!({"path": "ö"})));
}

#[test]
fn a_second_ready_is_ignored() {
    let stage = Stage::new(&format!("print('READY')\nprint('READY')\n{ECHO}")).ready();
    assert_eq!(stage.supervisor.request("echo", &json!([1])), Ok(json!([1])));
    stage.quiet();
}

#[test]
fn answers_find_who_asked() {
    let stage = Stage::new(ECHO).ready();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let supervisor = &stage.supervisor;
            scope.spawn(move || assert_eq!(supervisor.request("echo", &json!(n)), Ok(json!(n))));
        }
    });
    let refused = stage.supervisor.request("refuse", &Value::Null);
    assert_eq!(refused, Err(RequestError::Refused("no such file".into())));
}

#[test]
fn a_request_before_ready() {
    let stage = Stage::new(ECHO);
    assert_eq!(stage.supervisor.request("echo", &Value::Null), Err(RequestError::NotReady));
}

#[test]
fn death_in_the_middle_of_a_request_then_a_restart() {
    let stage = Stage::new(ECHO).ready();
    assert_eq!(stage.supervisor.request("die", &Value::Null), Err(RequestError::Lost));
    let (reason, stderr) = stage.failed();
    assert!(matches!(reason, Failure::Lost(Some(_))), "{reason:?}");
    assert_eq!(stderr, ["asked to die"]);

    stage.supervisor.restart();
    assert_eq!(stage.next(), State::Starting);
    assert!(matches!(stage.next(), State::Ready { .. }));
    assert_eq!(stage.supervisor.request("echo", &json!(2)), Ok(json!(2)));
}

#[test]
fn a_restart_ends_the_one_before() {
    let stage = Stage::new(ECHO).ready();
    let first = stage.pids()[0];
    stage.supervisor.restart();
    assert!(!alive(first));
    assert_eq!(stage.next(), State::Starting);
    assert!(matches!(stage.next(), State::Ready { .. }));
    stage.quiet();
    assert_eq!(stage.pids().len(), 2);
}

#[test]
fn restarts_at_the_same_time_leave_one_process() {
    let stage = Stage::new(ECHO);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| stage.supervisor.restart());
        }
    });
    wait_until("ready", || matches!(stage.supervisor.state(), State::Ready { .. }));
    assert_eq!(stage.pids().into_iter().filter(|pid| alive(*pid)).count(), 1);
}

#[test]
fn five_cycles_leave_no_process() {
    let stage = Stage::new(ECHO);
    for _ in 0..5 {
        stage.supervisor.restart();
        assert_eq!(stage.next(), State::Starting);
        assert!(matches!(stage.next(), State::Ready { .. }));
        stage.supervisor.stop();
        assert_eq!(stage.next(), State::Stopped);
    }
    assert_eq!(stage.pids().len(), 5);
    stage.nothing_left();
    stage.quiet();
}

#[test]
fn an_orderly_end_is_not_a_kill() {
    let goodbye = "open(__file__ + '.bye', 'w').close()";
    let stage = Stage::new(&format!("{ECHO}\n{goodbye}")).ready();
    stage.supervisor.stop();
    assert!(stage.folder.path().join("fake.py.bye").exists());
}

#[test]
fn one_that_does_not_listen_is_killed_with_its_children() {
    let script = r#"
code = f"import os, time; open({os.path.dirname(__file__)!r} + '/pids', 'a').write(f'{{os.getpid()}}\\n'); print('READY', flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", code])
time.sleep(60)
"#;
    let stage = Stage::with(script, |launch| launch.grace = Duration::from_millis(200)).ready();
    assert_eq!(stage.pids().len(), 2);
    stage.supervisor.stop();
    if cfg!(unix) {
        wait_until("the child of the sidecar is gone", || !stage.pids().into_iter().any(alive));
    }
}

#[test]
fn one_that_does_not_read_its_input_can_be_ended() {
    let script = "print('READY', flush=True)\ntime.sleep(60)";
    let stage = Stage::with(script, |launch| launch.grace = Duration::from_millis(200)).ready();
    std::thread::scope(|scope| {
        let large = json!("x".repeat(1_000_000));
        let asked = scope.spawn(|| stage.supervisor.request("echo", &{ large }));
        std::thread::sleep(Duration::from_millis(100));
        stage.supervisor.stop();
        assert_eq!(asked.join().unwrap(), Err(RequestError::Lost));
    });
    stage.nothing_left();
}

#[test]
fn dropping_it_ends_the_process() {
    let Stage { supervisor, states, folder } =
        Stage::new("print('READY', flush=True)\ntime.sleep(60)").ready();
    drop(supervisor);
    let pid = fs::read_to_string(folder.path().join("pids")).unwrap().trim().parse().unwrap();
    assert!(!alive(pid));
    assert_eq!(states.recv_timeout(Duration::from_millis(150)).ok(), None);
}

#[test]
fn states_as_the_window_sees_them() {
    let failed = State::Failed {
        reason: Failure::NotReady(Duration::from_secs(30)),
        stderr: vec!["line".into()],
    };
    let check = |state: &State, shown: Value| {
        assert_eq!(serde_json::to_value(state).unwrap(), shown);
    };
    check(&State::Starting, json!({"state": "starting"}));
    check(&State::Ready { version: Some("1".into()) }, json!({"state": "ready", "version": "1"}));
    check(
        &failed,
        json!({
            "state": "failed",
            "reason": "The analyzer was not ready within 30 s",
            "stderr": ["line"],
        }),
    );
}
