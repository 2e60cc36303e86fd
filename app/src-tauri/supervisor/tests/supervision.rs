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
        let mut launch = Launch::new(python());
        launch.args = vec![folder.path().join("fake.py").into()];
        adjust(&mut launch);
        let (sender, states) = mpsc::channel();
        let supervisor = Supervisor::new(launch, move |state| drop(sender.send(state.clone())));
        let stage = Self { supervisor, states, folder };
        stage.play(script);
        stage
    }

    /// What is started from now on.
    fn play(&self, script: &str) {
        let pids = self.folder.path().join("pids");
        let prelude = format!(
            "import json, os, subprocess, sys, time\nopen({pids:?}, 'a').write(f'{{os.getpid()}}\\n')\n"
        );
        fs::write(self.folder.path().join("fake.py"), prelude + script).unwrap();
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

/// A program that is broken in one way: the user reads why and what it wrote to its standard
/// error, nothing of it is left, and once it is mended a restart is all it takes.
#[track_caller]
fn check_failure(script: &str, ready_within: Duration, reason: &str, stderr: &[&str]) {
    let stage = Stage::with(script, |launch| launch.ready_within = ready_within).started();
    let mut shown = stage.next();
    if matches!(shown, State::Ready { .. }) {
        shown = stage.next();
    }
    assert_eq!(seen(&shown), (reason.to_owned(), stderr.iter().map(|it| it.to_string()).collect()));
    assert_eq!(stage.supervisor.state(), shown);
    stage.nothing_left();
    stage.quiet();
    stage.play(ECHO);
    recovers(&stage);
}

/// The reason and the standard error of a failure, as the window gets them.
fn seen(state: &State) -> (String, Vec<String>) {
    let shown = serde_json::to_value(state).unwrap();
    let lines = shown["stderr"].as_array().unwrap_or_else(|| panic!("no failure: {state:?}"));
    let line = |it: &Value| it.as_str().unwrap().to_owned();
    // Windows calls it a code.
    (line(&shown["reason"]).replace("exit code", "exit status"), lines.iter().map(line).collect())
}

#[track_caller]
fn recovers(stage: &Stage) {
    stage.supervisor.restart();
    assert_eq!(stage.next(), State::Starting);
    assert_eq!(stage.next(), State::Ready { version: Some("1.2.3".into()) });
    assert_eq!(stage.supervisor.request("echo", &json!(2)), Ok(json!(2)));
    stage.supervisor.stop();
    assert_eq!(stage.next(), State::Stopped);
    stage.nothing_left();
}

/// Long enough for an interpreter to start on a busy machine.
const PATIENT: Duration = Duration::from_secs(10);

#[test]
fn a_missing_program() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("tonelens-analyzer");
    let stage = Stage::with(ECHO, |launch| launch.program = program.clone()).started();
    let (reason, stderr) = stage.failed();
    assert!(matches!(reason, Failure::NotStarted(std::io::ErrorKind::NotFound, _)));
    assert!(reason.to_string().contains("tonelens-analyzer"), "{reason}");
    assert_eq!(stderr, Vec::<String>::new());
    // Installed after all.
    #[cfg(unix)]
    {
        install_python(&program);
        recovers(&stage);
    }
}

/// An installation that lost its executable bit, or a text where a program belongs.
#[cfg(unix)]
#[test]
fn a_program_that_cannot_be_executed() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("tonelens-analyzer");
    fs::write(&program, "no program").unwrap();
    let stage = Stage::with(ECHO, |launch| launch.program = program.clone()).started();
    let (reason, _) = stage.failed();
    assert!(matches!(reason, Failure::NotStarted(std::io::ErrorKind::PermissionDenied, _)));
    install_python(&program);
    recovers(&stage);
}

/// No link: what finds a Python by the name that it was called with would find none.
#[cfg(unix)]
fn install_python(program: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(program, "#!/bin/sh\nexec python3 \"$@\"\n").unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_end_before_ready() {
    check_failure(
        "print('no device', file=sys.stderr)\nsys.exit(3)",
        PATIENT,
        "The analyzer ended before it was ready (exit status: 3)",
        &["no device"],
    );
}

#[test]
fn an_end_keeps_its_last_words() {
    let stage = Stage::new("for n in range(100): print(n, file=sys.stderr)\nsys.exit(3)").started();
    let (_, stderr) = stage.failed();
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
    check_failure(
        "print('thinking', file=sys.stderr, flush=True)\ntime.sleep(60)",
        Duration::from_secs(3),
        "The analyzer was not ready within 3 s",
        &["thinking"],
    );
}

#[test]
fn talk_without_end_is_not_ready_in_time() {
    let script = "while True: print('{}', flush=True)";
    let stage = Stage::with(script, |launch| launch.ready_within = Duration::from_millis(300));
    let (reason, _) = stage.started().failed();
    assert_eq!(reason, Failure::NotReady(Duration::from_millis(300)));
}

#[test]
fn garbage_before_ready() {
    let garbage = "sys.stdout.buffer.write(b'\\xff\\xfe garbage\\nREADY\\n')";
    check_failure(
        &format!("print('debugging', file=sys.stderr, flush=True)\n{garbage}\n{ECHO}"),
        PATIENT,
        "The analyzer wrote something that is not an answer: \u{fffd}\u{fffd} garbage",
        &["debugging"],
    );
}

#[test]
fn garbage_after_ready() {
    let script = "print('READY')\nprint('[debug] ' + 'x' * 1_000_000, flush=True)\ntime.sleep(60)";
    let stage = Stage::with(script, |launch| launch.grace = Duration::from_millis(200)).ready();
    let (reason, _) = stage.failed();
    assert_eq!(reason, Failure::Garbage(format!("[debug] {}", "x".repeat(192))));
    stage.nothing_left();
}

#[test]
fn garbage_in_place_of_an_answer_keeps_nobody_waiting() {
    let script = "print('READY', flush=True)\nsys.stdin.readline()\nprint('Segmentation')";
    let stage = Stage::new(&format!("{script}\ntime.sleep(0.1)")).ready();
    assert_eq!(stage.supervisor.request("echo", &json!(1)), Err(RequestError::Lost));
    assert_eq!(stage.failed().0, Failure::Garbage("Segmentation".into()));
}

#[test]
fn ready_twice() {
    check_failure(
        &format!("print('started twice?', file=sys.stderr, flush=True)\nprint('READY')\n{ECHO}"),
        PATIENT,
        "The analyzer said twice that it is ready",
        &["started twice?"],
    );
}

/// Empty lines and JSON that is no answer: a newer sidecar may say more than this host knows.
#[test]
fn what_is_only_unknown_does_no_harm() {
    let script = r#"print('\n{"id":1}\n{"progress":0.5}')"#;
    let stage = Stage::new(&format!("{script}\n{ECHO}")).started();
    assert_eq!(stage.next(), State::Ready { version: Some("1.2.3".into()) });
    let answer = stage.supervisor.request("echo", &json!({"path": "ö"}));
    assert_eq!(answer, Ok(json!({"path": "ö"})));
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
