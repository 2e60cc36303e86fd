//! What changed, and what runs for it.

use expect_test::expect;

use super::{
    check, check_steps,
    project::{self, Project},
};

/// The front end runs, and after it only what its output reaches.
#[test]
fn a_changed_source_runs_what_depends_on_it() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check(
        project.run("plan"),
        expect![[r#"
        step  status  why
        frontend  would run  src/index.html changed
        app  may run  if the output of frontend changes
        sign-code  may run  if the output of app changes
        bundle  may run  if the output of sign-code or frontend changes
        sign-installers  may run  if the output of bundle changes
        archive  may run  if the output of sign-code changes
        seal  may run  if the output of archive or sign-installers changes
        1 would run, 6 may run
        exit code 0
    "#]],
    );
    check(
        project.run("dist --dry-run"),
        expect![[r#"
        step  status  why
        frontend  would run  src/index.html changed
        app  may run  if the output of frontend changes
        sign-code  may run  if the output of app changes
        bundle  may run  if the output of sign-code or frontend changes
        sign-installers  may run  if the output of bundle changes
        archive  may run  if the output of sign-code changes
        seal  may run  if the output of archive or sign-installers changes
        1 would run, 6 may run
        exit code 0
    "#]],
    );
    check(
        project.run("plan --explain frontend"),
        expect![[r#"
        step  status  why
        frontend  would run  src/index.html changed
        app  may run  if the output of frontend changes
        sign-code  may run  if the output of app changes
        bundle  may run  if the output of sign-code or frontend changes
        sign-installers  may run  if the output of bundle changes
        archive  may run  if the output of sign-code changes
        seal  may run  if the output of archive or sign-installers changes
        1 would run, 6 may run

        frontend
        what  recorded  now
        files frontend: src/index.html  [HASH]  [HASH]
        exit code 0
    "#]],
    );
    check(
        project.run("plan --explain app"),
        expect![[r#"
        step  status  why
        frontend  would run  src/index.html changed
        app  may run  if the output of frontend changes
        sign-code  may run  if the output of app changes
        bundle  may run  if the output of sign-code or frontend changes
        sign-installers  may run  if the output of bundle changes
        archive  may run  if the output of sign-code changes
        seal  may run  if the output of archive or sign-installers changes
        1 would run, 6 may run

        app: nothing in its own inputs differs from its record, or there is none
        exit code 0
    "#]],
    );
    check(
        project.run("plan --explain nothing"),
        expect![[r#"
        step  status  why
        frontend  would run  src/index.html changed
        app  may run  if the output of frontend changes
        sign-code  may run  if the output of app changes
        bundle  may run  if the output of sign-code or frontend changes
        sign-installers  may run  if the output of bundle changes
        archive  may run  if the output of sign-code changes
        seal  may run  if the output of archive or sign-installers changes
        1 would run, 6 may run
        error: there is no step `nothing`
          hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
        exit code 1
    "#]],
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
            frontend  runs: src/index.html changed
            app  runs: output of frontend: index.html changed
            sign-code  runs: output of app: small changed
            bundle  runs: output of frontend: index.html changed (and 1 more)
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
            archive  runs: output of sign-code: small changed
            seal  runs: dirty false -> true (and 10 more)
            exit code 0
        "#]],
    );
}

/// The comment does not reach the page: nothing after the front end has to run but the seal,
/// which says that the checkout is dirty now.
#[test]
fn an_unchanged_output_stops_the_ripple() {
    let project = Project::built();
    project.replace("src/index.html", "a comment", "another comment");
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: src/index.html changed
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE], unchanged output
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: dirty false -> true
        seal  done in [TIME], [SIZE]

        step  status  why  time  size
        frontend  ran, unchanged  src/index.html changed  [TIME]  [SIZE]
        app  reused  [SIZE]
        sign-code  reused  [SIZE]
        bundle  reused  [SIZE]
        sign-installers  reused  [SIZE]
        archive  reused  [SIZE]
        seal  ran  dirty false -> true  [TIME]  [SIZE]
        2 ran, 5 reused in [TIME]
        released [ROOT]/release/0.1.0/linux
          small-0.1.0-1.[ARCH].rpm  [SIZE]
          small-0.1.0-[TRIPLE].tar.gz  [SIZE]
          small_0.1.0_[ARCH].deb  [SIZE]
        DEVELOPMENT-SIGNED: not for distribution; development key [KEY] was made on this machine; for a real one see `sign` in docs/configuration.md
        next: cargo xtask verify
        exit code 0
    "#]],
    );
}

#[test]
fn a_changed_tauri_configuration_says_what_changed() {
    let project = Project::built();
    project.replace(
        "src-tauri/tauri.conf.json",
        "com.example.small",
        "com.example.other",
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  runs: tauri.conf.json changed
        sign-code  reused
        bundle  runs: src-tauri/tauri.conf.json changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed
        archive  reused
        seal  runs: dirty false -> true (and 6 more)
        exit code 0
    "#]],
    );
}

#[test]
fn a_changed_crate_says_what_changed() {
    let project = Project::built();
    project.replace("src-tauri/stub/src/lib.rs", "not a", "no");
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  runs: src/lib.rs changed
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: dirty false -> true
        exit code 0
    "#]],
    );
}

/// Commit and time stand in installers, archive and manifest, but in no executable.
#[test]
fn a_new_commit_runs_only_what_names_it() {
    let project = Project::built();
    project.commit("Nothing");
    check_steps(
        project.run("dist"),
        expect![[r#"
            frontend  reused
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  runs: commit [HASH]… -> [HASH]…
            exit code 0
        "#]],
    );
    project.git(&["tag", "v0.1.0"]);
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: tag null -> v0.1.0
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["tag"], "v0.1.0");
}

#[test]
fn another_time_reaches_what_carries_times() {
    let mut project = Project::built();
    project.set("SOURCE_DATE_EPOCH", "1000000000");
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  runs: epoch 1767323045 -> 1000000000
        sign-installers  runs: epoch 1767323045 -> 1000000000 (and 2 more)
        archive  runs: epoch 1767323045 -> 1000000000
        seal  runs: epoch 1767323045 -> 1000000000 (and 8 more)
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["epoch"], 1_000_000_000);
    let mut tar = std::process::Command::new("tar");
    tar.args(["--utc", "-tvzf"]).arg(project.product(".tar.gz"));
    let listed = project::read(tar);
    assert!(
        listed.lines().all(|it| it.contains("2001-09-09 01:46")),
        "{listed}"
    );
    let mut dpkg = std::process::Command::new("dpkg-deb");
    dpkg.env("TZ", "UTC")
        .arg("--contents")
        .arg(project.product(".deb"));
    let listed = project::read(dpkg);
    assert!(
        listed.lines().all(|it| it.contains("2001-09-09 01:46")),
        "{listed}"
    );
    project.set("SOURCE_DATE_EPOCH", "yesterday");
    check(
        project.run("dist"),
        expect![[r#"
        no step was reached in [TIME]

        error: SOURCE_DATE_EPOCH is `yesterday`, not seconds since 1970
        exit code 1
    "#]],
    );
}
