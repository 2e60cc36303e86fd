//! The ways in which launches are ended, and how many may go wrong.

use xtask::{config, freeze::ending::How};

use super::{GOOD, World, first};

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
