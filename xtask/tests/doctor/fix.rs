//! `doctor --fix`: what it installs, and what it leaves alone.

use std::fs;

use expect_test::expect;
use xtask::engine::{
    event::{Event, Level},
    exec::CommandFailed,
};

use crate::machine::{Machine, Seen, line};

/// A machine without objcopy and gpg, and an apt-get that installs what stands in `archive`.
fn repairable() -> Machine {
    let machine = Machine::complete();
    let archive = machine.dir.path().join("archive");
    for (package, program) in [("binutils", "objcopy"), ("gnupg", "gpg")] {
        fs::remove_file(machine.bin().join(program)).unwrap();
        let folder = archive.join(package);
        fs::create_dir_all(&folder).unwrap();
        machine.program(&folder, program, "");
    }
    let (archive, bin) = (
        archive.display().to_string(),
        machine.bin().display().to_string(),
    );
    machine.has(
        "apt-get",
        &format!(
            r#"echo "apt-get $*"
for package in "$@"; do
  if [ -d '{archive}'/$package ]; then /bin/cp -p '{archive}'/$package/* '{bin}'; fi
done"#
        ),
    );
    machine
}

#[test]
fn fix_installs_and_looks_again() {
    let machine = repairable();
    let seen = Seen::default();
    let report = machine.fix(&seen).unwrap();
    assert!(report.ok(), "{}", report.text());
    let log = fs::read_to_string(machine.log()).unwrap();
    assert!(log.contains("\napt-get update\n"), "{log}");
    let install = "\napt-get install -y --no-install-recommends binutils gnupg\n";
    assert!(log.contains(install), "{log}");
    let events = seen.0.lock().unwrap();
    assert!(matches!(&events[0], Event::StepStarted { why, .. } if why == "binutils gnupg"));
    assert!(matches!(events.last(), Some(Event::StepFinished { .. })));
    let said =
        |it: &Event| matches!(it, Event::CommandOutput { line, .. } if line.contains("update"));
    assert!(events.iter().any(said));
}

#[test]
fn fix_that_fails_names_the_command() {
    let machine = repairable();
    machine.has("apt-get", "echo \"E: no network for $1\" >&2; exit 100");
    let seen = Seen::default();
    let error = machine.fix(&seen).unwrap_err();
    let text = format!("{error:#}").replace(&*machine.dir.path().to_string_lossy(), "DIR");
    expect![[r#"
        the packages were not installed
        hint: type it yourself: apt-get update && apt-get install -y --no-install-recommends binutils gnupg: `DIR/bin/apt-get` failed: exit status: 100"#]].assert_eq(&text);
    let failed = error.downcast_ref::<CommandFailed>().unwrap();
    assert_eq!(
        failed.tail,
        ["E: no network for update"],
        "the install is not tried"
    );
    assert_eq!(failed.log, machine.log());
    let events = seen.0.lock().unwrap();
    assert!(matches!(events.last(), Some(Event::StepFailed { .. })));
}

/// What only saves time is installed too, but stops nobody.
#[test]
fn what_is_recommended_never_blocks() {
    let machine = Machine::complete();
    machine.lacks("ccache");
    let report = machine.report();
    assert!(report.ok(), "{}", report.text());
    let recommended = report.findings.iter().filter(|it| it.tool == "ccache");
    let recommended: String = recommended.map(line).collect();
    expect![[r#"
        ccache | sidecar | - | - | install ccache
    "#]]
    .assert_eq(&recommended);
    assert!(report.text().ends_with(
        "\nRecommended:\n  \
         apt-get update && apt-get install -y --no-install-recommends ccache\n"
    ));

    machine.has("apt-get", "echo 'E: no network' >&2; exit 100");
    let seen = Seen::default();
    assert!(machine.fix(&seen).unwrap().ok());
    let warned = |it: &Event| match it {
        Event::Note { level, text, .. } => *level == Level::Warning && text.contains("recommended"),
        _ => false,
    };
    assert!(seen.0.lock().unwrap().iter().any(warned));

    let ccache = "printf '#!/bin/sh\\necho ccache version 4.7.5\\n' > ";
    let bin = machine.bin();
    machine.has(
        "apt-get",
        &format!(
            "{ccache}'{0}/ccache'; /bin/chmod 755 '{0}/ccache'",
            bin.display()
        ),
    );
    let report = machine.fix(&Seen::default()).unwrap();
    let found = report.findings.iter().find(|it| it.tool == "ccache");
    assert_eq!(found.unwrap().found.as_deref(), Some("4.7.5"));
}

#[test]
fn fix_never_waits_for_a_password() {
    let mut machine = repairable();
    machine.system.sudo = true;
    machine.has("sudo", r#"[ "$1" = -n ] && shift && exec "$@""#);
    assert!(
        machine
            .report()
            .text()
            .contains("\n  sudo apt-get update && sudo apt-get install")
    );
    assert!(machine.fix(&Seen::default()).unwrap().ok());
}

#[test]
fn fix_leaves_alone_what_is_to_be_done_by_hand() {
    let machine = Machine::complete();
    machine.has("node", "echo v16.20.2");
    let report = machine.fix(&Seen::default()).unwrap();
    assert!(!report.ok());
    assert!(!machine.log().exists());
}
