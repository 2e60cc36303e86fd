//! How a run is shown: to people, to programs, to GitHub, and afterwards.

use expect_test::expect;
use fs_err as fs;

use super::{check, project::Project};

#[test]
fn status_tells_the_last_run() {
    let project = Project::new();
    check(
        project.run("status"),
        expect![[r#"
        no run for linux is recorded here
        next: cargo xtask dist --target linux
        exit code 0
    "#]],
    );
    project.succeed("dist --until frontend");
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist --until frontend for linux succeeded
        began [NOW]

        step  status  why  time  size
        frontend  ran  it never ran here  [TIME]  [SIZE]
        app  left out  --until frontend
        sign-code  left out  --until frontend
        bundle  left out  --until frontend
        sign-installers  left out  --until frontend
        archive  left out  --until frontend
        seal  left out  --until frontend
        1 ran, 6 left out in [TIME]
        next: cargo xtask dist
        exit code 0
    "#]],
    );
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    assert_eq!(project.run("dist").code, 1);
    check(
        project.run("status"),
        expect![[r#"
            cargo xtask dist for linux failed
            began [NOW]

            step  status  why  time  size
            frontend  reused  [SIZE]
            app  failed  it never ran here  [TIME]
            sign-code  not reached
            bundle  not reached
            sign-installers  not reached
            archive  not reached
            seal  not reached
            1 failed, 1 reused, 5 not reached in [TIME]

            app failed: `cargo` failed: exit status: 101
              $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
              exit status: 101
              | error[E0425]: cannot find function `missing` in this scope
              |  --> src/main.rs:1:13
              |  |
              | 1 | fn main() { missing(); }
              |  |  ^^^^^^^ not found in this scope
              | For more information about this error, try `rustc --explain E0425`.
              | error: could not compile `small` (bin "small") due to 1 previous error
              log: [ROOT]/target/dist/linux/logs/app.log
              resume: cargo xtask dist
            exit code 0
        "#]],
    );
}

#[test]
fn json_is_one_event_a_line() {
    let project = Project::new();
    let ran = project.succeed("dist --format json");
    assert_eq!(ran.stderr, "");
    let events: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let kinds: Vec<_> = events
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for kind in kinds {
        match counted.iter_mut().find(|it| it.0 == kind) {
            Some((_, count)) => *count += 1,
            None => counted.push((kind, 1)),
        }
    }
    counted.retain(|it| it.0 != "command-output");
    expect![[r#"
        [
            (
                "run-started",
                1,
            ),
            (
                "step-started",
                7,
            ),
            (
                "command-started",
                7,
            ),
            (
                "command-finished",
                7,
            ),
            (
                "step-finished",
                7,
            ),
            (
                "fact",
                2,
            ),
            (
                "released",
                1,
            ),
            (
                "run-finished",
                1,
            ),
        ]
    "#]]
    .assert_debug_eq(&counted);
    let ran = project.succeed("status --format json");
    assert!(
        ran.stdout
            .lines()
            .all(|it| serde_json::from_str::<serde_json::Value>(it).is_ok())
    );
    let ran = project.succeed("plan --format json");
    assert!(
        ran.stdout
            .lines()
            .all(|it| serde_json::from_str::<serde_json::Value>(it).is_ok())
    );
}

#[test]
fn json_of_a_failure() {
    let project = Project::new();
    project.write("build.mjs", "process.exit(3);");
    let ran = project.run("dist --format json");
    assert_eq!((ran.code, &*ran.stderr), (1, ""));
    let events = ran
        .stdout
        .lines()
        .map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
    let failed: Vec<_> = events.filter(|it| it["event"] == "step-failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["failure"]["status"], "exit status: 3");
    let refused = project.run("dist --format json --from nothing");
    assert_eq!((refused.code, &*refused.stderr), (1, ""));
    assert!(
        refused.stdout.contains("\"event\":\"run-failed\""),
        "{}",
        refused.stdout
    );
}

#[test]
fn github_actions_get_groups_annotations_and_a_summary() {
    let mut project = Project::new();
    let summary = project.beside().join("summary.md");
    project.set("GITHUB_ACTIONS", "true");
    project.set("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    check(
        project.run("dist"),
        expect![[r#"
            cargo xtask dist for linux: 7 steps, [JOBS] at a time
            logs in [ROOT]/target/dist/linux/logs
            frontend  runs: it never ran here
            ::group::frontend done in [TIME], [SIZE]
            frontend  $ npm ci --no-audit --no-fund
            frontend  |
            frontend  | up to date in [TIME]
            frontend  exit status: 0 after [TIME]
            frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
            frontend  |
            frontend  | > small@0.1.0 build
            frontend  | > node build.mjs
            frontend  |
            frontend  exit status: 0 after [TIME]
            ::endgroup::
            app  runs: it never ran here
            ::group::app failed after [TIME]: `cargo` failed: exit status: 101
            app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
            app  | error[E0425]: cannot find function `missing` in this scope
            app  |  --> src/main.rs:1:13
            app  |  |
            app  | 1 | fn main() { missing(); }
            app  |  |  ^^^^^^^ not found in this scope
            app  |
            app  | For more information about this error, try `rustc --explain E0425`.
            app  | error: could not compile `small` (bin "small") due to 1 previous error
            app  exit status: 101 after [TIME]
            ::endgroup::
            ::error title=app failed::`cargo` failed: exit status: 101%0A$ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)%0A| error[E0425]: cannot find function `missing` in this scope%0A|  --> src/main.rs:1:13%0A|  |%0A| 1 | fn main() { missing(); }%0A|  |  ^^^^^^^ not found in this scope%0A| For more information about this error, try `rustc --explain E0425`.%0A| error: could not compile `small` (bin "small") due to 1 previous error

            step  status  why  time  size
            frontend  ran  it never ran here  [TIME]  [SIZE]
            app  failed  it never ran here  [TIME]
            sign-code  not reached
            bundle  not reached
            sign-installers  not reached
            archive  not reached
            seal  not reached
            1 failed, 1 ran, 5 not reached in [TIME]

            app failed: `cargo` failed: exit status: 101
              $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
              exit status: 101
              | error[E0425]: cannot find function `missing` in this scope
              |  --> src/main.rs:1:13
              |  |
              | 1 | fn main() { missing(); }
              |  |  ^^^^^^^ not found in this scope
              | For more information about this error, try `rustc --explain E0425`.
              | error: could not compile `small` (bin "small") due to 1 previous error
              log: [ROOT]/target/dist/linux/logs/app.log
              resume: cargo xtask dist
            exit code 1
        "#]],
    );
    let page = fs::read_to_string(&summary).unwrap();
    expect![[r####"
        ### cargo xtask dist for linux failed

        1 failed, 1 ran, 5 not reached in [TIME]

        **app failed:** \`cargo\` failed: exit status: 101

        ```text
        $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
        error[E0425]: cannot find function `missing` in this scope
         --> src/main.rs:1:13
          |
        1 | fn main() { missing(); }
          |  ^^^^^^^ not found in this scope
        For more information about this error, try `rustc --explain E0425`.
        error: could not compile `small` (bin "small") due to 1 previous error
        exit status: 101
        ```

        resume: `cargo xtask dist`

        | step | status | why | time | size |
        |---|---|---|---|---|
        | frontend | ran | it never ran here | [TIME] | [SIZE] |
        | app | failed | it never ran here | [TIME] |  |
        | sign-code | not reached |  |  |  |
        | bundle | not reached |  |  |  |
        | sign-installers | not reached |  |  |  |
        | archive | not reached |  |  |  |
        | seal | not reached |  |  |  |

    "####]].assert_eq(&project.filtered(&page));
}

/// Colour only where it is wanted; the words are the same.
#[test]
fn colours_follow_the_conventions() {
    let mut project = Project::built();
    let mut coloured = |variables: &[(&str, &str)], line: &str| {
        project.variables.clear();
        variables
            .iter()
            .for_each(|(name, value)| project.set(name, *value));
        project.succeed(line).stderr.contains('\x1b')
    };
    assert!(!coloured(&[], "dist"));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], "dist"));
    assert!(!coloured(
        &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
        "dist"
    ));
    assert!(coloured(&[], "dist --color always"));
    assert!(coloured(&[("NO_COLOR", "1")], "dist --color always"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], "dist --color never"));
}
