//! `cargo xtask` as it is used: the real program with the real npm, cargo, git and Tauri bundler
//! on a small project, judged by what it prints and leaves behind.
#![cfg(target_os = "linux")]

#[path = "dist/broken_off.rs"]
mod broken_off;
#[path = "dist/compare.rs"]
mod compare;
#[path = "dist/failures.rs"]
mod failures;
#[path = "dist/fallbacks.rs"]
mod fallbacks;
#[path = "dist/folders.rs"]
mod folders;
#[path = "dist/formats.rs"]
mod formats;
#[path = "dist/freezing.rs"]
mod freezing;
#[path = "dist/layouts.rs"]
mod layouts;
#[path = "dist/placeholders.rs"]
mod placeholders;
#[path = "support/project.rs"]
mod project;
#[path = "dist/same.rs"]
mod same;
#[path = "dist/sidecars.rs"]
mod sidecars;
#[path = "dist/signing.rs"]
mod signing;

use expect_test::{Expect, expect};
use project::{Project, Ran};

/// Holds what a run printed against what it should print.
fn check(ran: Ran, expected: Expect) {
    expected.assert_eq(&ran.shown());
}

/// Holds what a run did with each step, and why, against what it should do.
fn check_steps(ran: Ran, expected: Expect) {
    expected.assert_eq(&ran.steps());
}

/// Every step, with the reason for which it runs.
#[test]
fn first_run_makes_a_release() {
    let project = Project::new();
    check(
        project.run("dist"),
        expect![[r#"
            cargo xtask dist for linux: 7 steps, [JOBS] at a time
            frontend  runs: it never ran here
            frontend  $ npm ci --no-audit --no-fund
            frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
            frontend  done in [TIME], [SIZE]
            app  runs: it never ran here
            app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
            app  done in [TIME], [SIZE]
            sign-code  runs: it never ran here
            sign-code  signature: none inside: ELF executables carry no signature
            sign-code  done in [TIME], [SIZE]
            bundle  runs: it never ran here
            bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/deb node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles deb --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
            bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/rpm node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles rpm --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
            bundle  $ rpm --checksig --nosignature target/dist/linux/cache/bundle/rpm/release/bundle/rpm/small-0.1.0-1.[ARCH].rpm
            bundle  $ rpm --query --queryformat "%{FILEDIGESTALGO}\\n[%{FILEMODES:octal} %{FILEDIGESTS} %{FILELINKTOS}\\t%{FILENAMES}\\n]" --package target/dist/linux/cache/bundle/rpm/release/bundle/rpm/small-0.1.0-1.[ARCH].rpm
            bundle  done in [TIME], [SIZE]
            sign-installers  runs: it never ran here
            sign-installers  identity: development
            sign-installers  done in [TIME], [SIZE]
            archive  runs: it never ran here
            archive  done in [TIME], [SIZE]
            seal  runs: it never ran here
            seal  done in [TIME], [SIZE]

            step  status  why  time  size
            frontend  ran  it never ran here  [TIME]  [SIZE]
            app  ran  it never ran here  [TIME]  [SIZE]
            sign-code  ran  it never ran here  [TIME]  [SIZE]
            bundle  ran  it never ran here  [TIME]  [SIZE]
            sign-installers  ran  it never ran here  [TIME]  [SIZE]
            archive  ran  it never ran here  [TIME]  [SIZE]
            seal  ran  it never ran here  [TIME]  [SIZE]
            7 ran in [TIME]
            released [ROOT]/release/0.1.0/linux
              small-0.1.0-1.[ARCH].rpm  [SIZE]
              small-0.1.0-[TRIPLE].tar.gz  [SIZE]
              small_0.1.0_[ARCH].deb  [SIZE]
            DEVELOPMENT-SIGNED: not for distribution; development key [KEY] was made on this machine; for a real one see `sign` in docs/configuration.md
            next: cargo xtask verify
            exit code 0
        "#]],
    );
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        nothing to do: 7 steps reused in [TIME]
        released [ROOT]/release/0.1.0/linux
          small-0.1.0-1.[ARCH].rpm  [SIZE]
          small-0.1.0-[TRIPLE].tar.gz  [SIZE]
          small_0.1.0_[ARCH].deb  [SIZE]
        DEVELOPMENT-SIGNED: not for distribution; development key [KEY] was made on this machine; for a real one see `sign` in docs/configuration.md
        next: cargo xtask verify
        exit code 0
    "#]],
    );
    check(
        project.run("verify"),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        note: development signature: a key made by the building machine, it vouches for nothing
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 41 checks passed, self-attested development key [KEY]
        exit code 0
    "#]],
    );
}

#[test]
fn a_copied_checkout_is_as_good_as_built() {
    let project = Project::built();
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        exit code 0
    "#]],
    );
}

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

#[test]
fn selected_steps() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check_steps(
        project.run("dist --from app"),
        expect![[r#"
            frontend  kept: --from app
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  runs: dirty false -> true (and 2 more)
            exit code 0
        "#]],
    );
    assert_eq!(project.manifest()["steps"][0]["status"], "kept");
    check_steps(
        project.run("dist --until frontend"),
        expect![[r#"
        frontend  runs: src/index.html changed
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist --skip app"),
        expect![[r#"
            frontend  reused
            app  kept: --skip app
            sign-code  reused
            bundle  runs: output of frontend: index.html changed
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed
            archive  reused
            seal  runs: kept.0 frontend -> app (and 5 more)
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --only archive"),
        expect![[r#"
            frontend  kept: --only archive
            app  kept: --only archive
            sign-code  kept: --only archive
            bundle  kept: --only archive
            sign-installers  kept: --only archive
            archive  reused
            seal  left out: --only archive
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --force=archive"),
        expect![[r#"
            frontend  reused
            app  runs: output of frontend: index.html changed
            sign-code  runs: output of app: small changed
            bundle  runs: output of sign-code: small changed
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
            archive  runs: --force
            seal  runs: kept.0 removed (and 11 more)
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --force"),
        expect![[r#"
        frontend  runs: --force
        app  runs: --force
        sign-code  runs: --force
        bundle  runs: --force
        sign-installers  runs: --force
        archive  runs: --force
        seal  runs: --force
        exit code 0
    "#]],
    );
}

#[test]
fn refused_selections() {
    let project = Project::new();
    for (line, expected) in [
        (
            "dist --from bundel",
            expect![[r#"
            no step was reached in [TIME]

            error: there is no step `bundel` here
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
            exit code 1
        "#]],
        ),
        (
            "dist --from seal --until app",
            expect![[r#"
            no step was reached in [TIME]

            error: --from seal --until app selects nothing: app comes before seal
            exit code 1
        "#]],
        ),
        (
            "dist --skip app --force=app",
            expect![[r#"
            no step was reached in [TIME]

            error: --force app and --skip app contradict each other
            exit code 1
        "#]],
        ),
        (
            "dist --until app --force=seal",
            expect![[r#"
            no step was reached in [TIME]

            error: --force seal contradicts --until app, which leaves that step out
            exit code 1
        "#]],
        ),
        (
            "dist --only app --until app",
            expect![[r#"
            error: the argument '--only <STEP>' cannot be used with '--until <STEP>'

            Usage: cargo xtask dist --only <STEP>

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "dist --from app",
            expect![[r#"
            cargo xtask dist --from app for linux: 7 steps, [JOBS] at a time
            frontend  failed after [TIME]: --from app takes step frontend as recorded, but it never ran here

            step  status  time
            frontend  failed  [TIME]
            app  not reached
            sign-code  not reached
            bundle  not reached
            sign-installers  not reached
            archive  not reached
            seal  not reached
            1 failed, 6 not reached in [TIME]

            frontend failed: --from app takes step frontend as recorded, but it never ran here
              hint: run without --from app
              resume: cargo xtask dist --from app
            exit code 1
        "#]],
        ),
        (
            "dist --release --from app",
            expect![[r#"
            no step was reached in [TIME]

            error: --release wants a real signing key, but TAURI_SIGNING_PRIVATE_KEY is not set
              hint: make one with `npx tauri signer generate`, keep it secret, and export it as TAURI_SIGNING_PRIVATE_KEY
            exit code 1
        "#]],
        ),
        (
            "dist --allow-dirty",
            expect![[r#"
            error: the following required arguments were not provided:
              --release

            Usage: cargo xtask dist --release --allow-dirty

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "dist --release --unsigned",
            expect![[r#"
            error: the argument '--release' cannot be used with '--unsigned'

            Usage: cargo xtask dist --release

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "clean nothing",
            expect![[r#"
            error: there is no step `nothing`
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
            exit code 1
        "#]],
        ),
    ] {
        check(project.run(line), expected);
    }
}

#[test]
fn forgotten_steps_run_again() {
    let project = Project::built();
    check(
        project.run("clean archive"),
        expect![[r#"
        forgot archive of linux; the next `dist` runs it again
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  runs: it never ran here
        seal  runs: output of archive: small-0.1.0-[TRIPLE].tar.gz.minisig changed
        exit code 0
    "#]],
    );
    check(
        project.run("clean"),
        expect![[r#"
        forgot everything about linux; finished releases stay where they are
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
}
