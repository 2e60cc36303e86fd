//! What the command line selects, and what a plan says.

use std::{fs, path::PathBuf};

use expect_test::{Expect, expect};
use xtask::engine::select::Selection;

use crate::{support, world::World};

#[test]
fn selections() {
    let some = |it: &str| Some(it.to_owned());
    let none = Selection::default;
    let world = World::new();
    let check = |selection: Selection, expected: Expect| {
        expected.assert_eq(&world.select(selection).run());
    };
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: failed: --from bundle takes step web as recorded, but it never ran here
              run without --from bundle
            error: step web failed
        "#]],
    );
    check(
        Selection {
            until: some("web"),
            ..none()
        },
        expect![[r#"
            web: ran because it never ran here
            bundle: left out by --until web
            seal: left out by --until web
        "#]],
    );
    check(
        none(),
        expect![[r#"
        web: reused
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    world.repo.write("web/main.js", "2\n");
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: kept by --from bundle
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        Selection {
            skip: vec!["web".into()],
            ..none()
        },
        expect![[r#"
            web: kept by --skip web
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        Selection {
            until: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: ran because main.js changed
            bundle: ran because output of web: main.js changed
            seal: left out by --until bundle
        "#]],
    );
    check(
        Selection {
            force: vec!["bundle".into()],
            ..none()
        },
        expect![[r#"
            web: reused
            bundle: ran because --force
            bundle: unchanged output
            seal: ran because output of bundle: bundle changed
            seal: unchanged output
        "#]],
    );
    check(
        Selection {
            force_all: true,
            ..none()
        },
        expect![[r#"
            web: ran because --force
            web: unchanged output
            bundle: ran because --force
            bundle: unchanged output
            seal: ran because --force
            seal: unchanged output
        "#]],
    );
    check(
        Selection {
            from: some("sgin"),
            ..none()
        },
        expect![[r#"
            error: there is no step `sgin` here
            hint: the steps are web, bundle, seal
        "#]],
    );
    fs::write(world.stage("web/main.js"), "broken").expect("it is writable");
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: failed: --from bundle takes step web as recorded, but its main.js was altered
              run without --from bundle
            error: step web failed
        "#]],
    );
}

#[test]
fn a_plan_runs_and_writes_nothing() {
    let world = World::new();
    world.plan.replace(true);
    expect![[r#"
        web: would run because it never ran here
        bundle: depends on web
        seal: depends on web
    "#]]
    .assert_eq(&world.run());
    assert!(!world.repo.state().exists());
    world.plan.replace(false);
    world.run();
    world.plan.replace(true);
    expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]]
    .assert_eq(&world.run());
    world.repo.write("web/main.js", "2\n");
    world.repo.write("web/new.js", "2\n");
    let before = listing(&world.repo.state());
    let mut changes = Vec::new();
    let text = world.session::<1>(|it| {
        changes = it
            .explained("web")
            .iter()
            .map(ToString::to_string)
            .collect();
    });
    expect![[r#"
        web: would run because main.js changed (and 1 more)
        bundle: depends on web
        seal: depends on bundle
    "#]]
    .assert_eq(&text);
    expect![[r#"
        main.js changed
        new.js added"#]]
    .assert_eq(&changes.join("\n"));
    assert_eq!(listing(&world.repo.state()), before);
}

/// Every path with its content and the time of its last change.
fn listing(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let time = |path: &PathBuf| fs::metadata(folder.join(path)).and_then(|it| it.modified());
    support::contents(folder)
        .into_iter()
        .map(|(path, content)| (path.clone(), content, time(&path).expect("there")))
        .collect()
}
