//! What programs read of the commands that are no runs: an event a line.

use expect_test::{Expect, expect};
use serde_json::Value;

use super::project::{Project, Ran};

fn events(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines.map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Holds the events of a run, without their times, against what they should be.
fn check(ran: Ran, expected: Expect) {
    let mut text = String::new();
    for mut event in events(&ran) {
        let fields = event.as_object_mut().unwrap();
        assert!(fields.remove("at").is_some());
        fields.remove("seconds");
        text += &format!("{event}\n");
    }
    let root = &*ran.root().to_string_lossy();
    let text = format!("{text}{}exit code {}\n", ran.stderr, ran.code);
    expected.assert_eq(&text.replace(root, "[ROOT]"));
}

#[test]
fn clean_tells_each_step() {
    let project = Project::built();
    check(
        project.run("clean archive --format json"),
        expect![[r#"
        {"event":"step-forgotten","step":"archive"}
        {"event":"run-finished","next":null,"ok":true}
        exit code 0
    "#]],
    );
    check(
        project.run("clean nothing --format json"),
        expect![[r#"
        {"event":"run-failed","failure":{"chain":["there is no step `nothing`"],"command":null,"hints":["the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal"],"log":null,"resume":"","status":null,"tail":[]}}
        {"event":"run-finished","next":null,"ok":false}
        exit code 1
    "#]],
    );
    check(
        project.run("clean --format json"),
        expect![[r#"
        {"event":"step-forgotten","step":"app"}
        {"event":"step-forgotten","step":"bundle"}
        {"event":"step-forgotten","step":"frontend"}
        {"event":"step-forgotten","step":"seal"}
        {"event":"step-forgotten","step":"sign-code"}
        {"event":"step-forgotten","step":"sign-installers"}
        {"event":"run-finished","next":null,"ok":true}
        exit code 0
    "#]],
    );
    check(
        project.run("clean --target macos --format json"),
        expect![[r#"
            {"event":"run-finished","next":null,"ok":true}
            exit code 0
        "#]],
    );
    check(
        project.run("clean --target plan9 --format json"),
        expect![[r#"
            {"event":"run-failed","failure":{"chain":["`plan9` is no target"],"command":null,"hints":["linux, windows, macos, universal-apple-darwin, or a Rust target triple such as x86_64-unknown-linux-gnu"],"log":null,"resume":"","status":null,"tail":[]}}
            {"event":"run-finished","next":null,"ok":false}
            exit code 1
        "#]],
    );
}

/// The same things in the same order as in the table that people read.
#[test]
fn doctor_tells_each_line_of_its_table() {
    let project = Project::built();
    let table = project.run("doctor").stdout;
    let ran = project.run("doctor --format json");
    assert_eq!(ran.stderr, "");
    let mut events = events(&ran);
    let finished = events.pop().unwrap();
    assert_eq!(finished["event"], "run-finished");
    assert_eq!(finished["ok"], ran.code == 0);
    let lines: Vec<&str> = table
        .lines()
        .skip(1)
        .take_while(|it| !it.is_empty() && !it.starts_with("everything "))
        .collect();
    // Those of the second table follow.
    events.retain(|it| it["event"] != "step-checked");
    assert_eq!(events.len(), lines.len(), "{table}");
    for (event, line) in events.iter().zip(&lines) {
        assert_eq!(event["event"], "tool-checked");
        for field in ["tool", "wanted_for", "found", "problem", "fix"] {
            let text = event[field].as_str().unwrap_or_default();
            assert!(line.contains(text), "{field} of {event} is not in {line}");
        }
    }
    project.write("packaging/dist.toml", "nonsense = 1");
    check(
        project.run("doctor --format json"),
        expect![[r#"
            {"event":"run-failed","failure":{"chain":["the configuration has a problem\n\npackaging/dist.toml:1:1: unknown key `nonsense`\n  |\n1 | nonsense = 1\n  | ^^^^^^^^ known here: `app`, `archive`, `bundle`, `ci`, `frontend`, `limits`, `product`, `release`, `sidecar`, `sign`, `test`, `updater`"],"command":null,"hints":[],"log":null,"resume":"","status":null,"tail":[]}}
            {"event":"run-finished","next":null,"ok":false}
            exit code 1
        "#]],
    );
}
