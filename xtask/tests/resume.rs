//! What a second run reuses, what it runs again, and the one line that it says about why.
#![cfg(unix)]

#[path = "resume/disk.rs"]
mod disk;
#[path = "resume/journals.rs"]
mod journals;
#[path = "resume/processes.rs"]
mod processes;
#[path = "resume/selections.rs"]
mod selections;
mod support;
#[path = "resume/world.rs"]
mod world;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use expect_test::{Expect, expect};
use world::World;

/// Not a test: the process that others interrupt.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    support::child();
}

/// A world after one whole run, then the change, then what the next run says.
#[track_caller]
fn check(change: impl FnOnce(&World), expected: Expect) {
    let world = World::new();
    world.run();
    change(&world);
    expected.assert_eq(&world.run());
}

#[test]
fn nothing_changed() {
    check(
        |_| (),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| it.repo.write("web/main.js", "1\n"),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| it.repo.write("elsewhere/a", "1\n"),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn sources_changed() {
    check(
        |it| it.repo.write("web/main.js", "x\n"),
        expect![[r#"
        web: ran because main.js changed
        bundle: ran because output of web: main.js changed
        seal: ran because output of bundle: bundle changed
        seal: unchanged output
    "#]],
    );
    check(
        |it| it.repo.write("web/sub/new.js", "x\n"),
        expect![[r#"
        web: ran because sub/new.js added
        bundle: ran because output of web: sub/new.js added
        seal: ran because output of bundle: bundle changed (and 1 more)
    "#]],
    );
    check(
        |it| it.remove("web/main.js"),
        expect![[r#"
        web: ran because main.js removed
        bundle: ran because output of web: main.js removed
        seal: ran because output of bundle: bundle changed (and 1 more)
    "#]],
    );
    check(
        |it| it.repo.write("py/a.py", "a = 7\n"),
        expect![[r#"
        web: reused
        bundle: ran because a.py changed
        seal: ran because output of bundle: bundle changed
        seal: unchanged output
    "#]],
    );
    let rename = |it: &World| {
        it.remove("web/main.js");
        it.repo.write("web/renamed.js", "1\n");
    };
    check(
        rename,
        expect![[r#"
        web: ran because main.js removed (and 1 more)
        bundle: ran because output of web: main.js removed (and 1 more)
        bundle: unchanged output
        seal: reused
    "#]],
    );
    let executable = |it: &World| make_executable(it.repo.root().join("web/main.js"));
    check(
        executable,
        expect![[r#"
        web: ran because main.js changed
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn an_identical_output_stops_the_ripple() {
    check(
        |it| it.repo.write("web/index.html", "<H1>\n"),
        expect![[r#"
            web: ran because index.html changed
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
}

#[test]
fn other_inputs_changed() {
    check(
        |it| drop(it.tool.replace("v22".into())),
        expect![[r#"
        web: ran because node v20 -> v22
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| drop(it.program.replace("0.1.0+new".into())),
        expect![[r#"
            web: ran because xtask 0.1.0+old -> 0.1.0+new
            web: unchanged output
            bundle: ran because xtask 0.1.0+old -> 0.1.0+new
            bundle: unchanged output
            seal: ran because xtask 0.1.0+old -> 0.1.0+new
            seal: unchanged output
        "#]],
    );
    check(
        |it| drop(it.parameter.replace("release".into())),
        expect![[r#"
            web: ran because parameter build -> release
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    // PATH is surely set; its value must not show.
    check(
        |it| drop(it.variables.replace(vec!["PATH".into()])),
        expect![[r#"
            web: ran because variable PATH added
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    let world = World::new();
    world.run();
    expect![[r#"
        web: ran because step version 1 -> 2
        web: unchanged output
        bundle: reused
        seal: reused
    "#]]
    .assert_eq(&world.session::<2>(|_| ()));
}

#[test]
fn artifacts_damaged() {
    check(
        |it| fs::write(it.stage("web/main.js"), "2\n").expect("writable"),
        expect![[r#"
            web: ran because its main.js was altered
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        |it| fs::remove_file(it.stage("bundle/bundle")).expect("there"),
        expect![[r#"
            web: reused
            bundle: ran because its bundle was deleted
            bundle: unchanged output
            seal: reused
        "#]],
    );
    check(
        |it| fs::remove_dir_all(it.stage("web")).expect("there"),
        expect![[r#"
            web: ran because its index.html was deleted
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        |it| fs::write(it.stage("seal/more"), "").expect("writable"),
        expect![[r#"
            web: reused
            bundle: reused
            seal: ran because more appeared among its files
            seal: unchanged output
        "#]],
    );
    check(
        |it| make_executable(it.stage("web/main.js")),
        expect![[r#"
        web: ran because its main.js was altered
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn inputs_that_change_during_the_run_are_refused() {
    let world = World::new();
    world.amid.replace(Some(|cx| {
        fs::write(cx.root().join("py/b.py"), "b = 2\n").expect("writable");
    }));
    expect![[r#"
        web: ran because it never ran here
        bundle: ran because it never ran here
        bundle: failed: its inputs changed while it ran: b.py changed
          run again; if the step itself writes that file, let git ignore it or name it under `exclude` in the step's section of packaging/dist.toml
        error: step bundle failed
    "#]].assert_eq(&world.run());
    expect![[r#"
        web: reused
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]]
    .assert_eq(&world.run());
}

fn make_executable(path: PathBuf) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}
