//! The ways in which launches are ended, and how many may go wrong.

use xtask::{
    config,
    freeze::{ending::How, report::Report},
};

use super::{GOOD, READ, World, first, instead_of};

/// A program that fails at its launches with these numbers.
fn flaky(world: &World, at: &[usize]) -> String {
    let count = world.folder.path().join("count");
    first(&format!(
        "with open({count:?}, 'a+') as f: f.write('.'); number = f.tell()\nif number in {at:?}: sys.exit('flaky')"
    ))
}

#[test]
fn few_failures_are_tolerated_and_reported() {
    let check = |at: &[usize], launches: usize, expected: String| {
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
    // Side by side: a trial mostly waits.
    std::thread::scope(|scope| {
        let passed = "passed: 20 of 20 launches passed".to_owned();
        scope.spawn(|| check(&[], 20, passed));
        let one = format!("passed: 1 of 20 launches failed: {why}");
        scope.spawn(|| check(&[7], 20, one));
        let two = format!("passed: 2 of 20 launches failed: {why}");
        scope.spawn(|| check(&[1, 20], 20, two));
        // No more than is needed to be certain.
        let three = format!("rejected: 3 of 9 launches failed: {why}");
        scope.spawn(|| check(&[1, 5, 9], 9, three));
    });
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
    use How::{ParentKilled, StdinClosed, Terminated, WrapperKilled};
    let mut world = World::new();
    world.sidecar.trial.launches = 8;
    let report = world.script(GOOD).expect("it is tried");
    let how = |report: &Report| -> Vec<How> { report.launches.iter().map(|it| it.how).collect() };
    let first = [StdinClosed, Terminated, StdinClosed, ParentKilled];
    let second = [StdinClosed, Terminated, StdinClosed, WrapperKilled];
    assert_eq!(how(&report), [first, second].concat());
    let cold: Vec<bool> = report.launches.iter().map(|it| it.cold).collect();
    assert_eq!(cold, [[true, false, false, false], [false; 4]].concat());
    assert_eq!(report.version().as_deref(), Some("1.2.3"));
    // A folder has no wrapper.
    let made = world.folder.path().join("made");
    let report = world.candidate(made.join("analyzer"), Some(made));
    assert_eq!(how(&report.expect("it is tried")), [first, first].concat());
}

/// A wrapper as those of the freezers: it unpacks something, and what it starts has its stdin.
const WRAPPER: &str = r#"import os, signal, subprocess, sys
if "TMPDIR" in os.environ:
    os.mkdir(os.environ["TMPDIR"] + "/unpacked")
    with open(TOLD, "w") as file: file.write(os.environ["TMPDIR"])
inner = subprocess.Popen([sys.executable, "-ISc", INNER])
signal.signal(signal.SIGTERM, lambda *_: inner.terminate())
sys.exit(max(inner.wait(), 0))
"#;

/// What a killed wrapper leaves: the program, which must end, and what was unpacked, which nobody
/// else removes.
#[test]
fn slow_what_a_killed_wrapper_leaves_must_end() {
    let check = |instead_of_read: &str, expected: &str| {
        let mut world = World::new();
        world.sidecar.trial.launches = 8;
        let told = world.folder.path().join("told");
        let inner = instead_of(READ, instead_of_read);
        let outcome = world.script(&format!("TOLD = {told:?}\nINNER = {inner:?}\n{WRAPPER}"));
        let temporary = std::fs::read_to_string(told).expect("one launch has a TMPDIR");
        assert!(temporary.starts_with(std::env::temp_dir().to_str().expect("UTF-8")));
        assert!(!std::path::Path::new(&temporary).exists(), "{temporary}");
        let verdict = world.verdict(outcome);
        let python = super::python();
        let name = python.file_name().expect("it has one").to_string_lossy();
        assert_eq!(verdict.replace(&*name, "python"), expected);
    };
    check(READ, "passed: 8 of 8 launches passed");
    // It looks for its wrapper before it ends.
    let waits =
        format!("wrapper = os.getppid(); {READ}\nif os.getppid() != wrapper: time.sleep(90)");
    check(
        &waits,
        "rejected: 1 of 8 launches failed: it still runs after its wrapper was killed and its stdin \
         closed: … (python)",
    );
}

/// A run that is killed cannot remove what one of its programs unpacked.
#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let mut world = World::new();
    world.sidecar.trial.launches = 8;
    let told = world.folder.path().join("told");
    let script = format!("TOLD = {told:?}\nINNER = {GOOD:?}\n{WRAPPER}");
    world.script(&script).expect("it is tried");
    let left = std::fs::read_to_string(told).expect("one launch has a TMPDIR");
    std::fs::create_dir_all(format!("{left}/_MEI4711")).expect("a folder");
    // Not one of them unpacks anything there.
    world.sidecar.trial.launches = 1;
    world.script(&script).expect("it is tried");
    assert!(!std::path::Path::new(&left).exists(), "{left}");
}
