//! `cargo xtask` as it is used: the real program with the real npm, cargo, git and Tauri bundler
//! on a small project, judged by what it prints and leaves behind.
#![cfg(target_os = "linux")]

#[path = "support/project.rs"]
mod project;
#[path = "dist/sidecars.rs"]
mod sidecars;

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
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  done in [TIME], [SIZE]
        sign-code  runs: it never ran here
        sign-code  signature: none inside: ELF executables carry no signature
        sign-code  done in [TIME], [SIZE]
        bundle  runs: it never ran here
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/deb node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles deb --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/rpm node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles rpm --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
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
        verified: 3 files, 40 checks passed, self-attested development key [KEY]
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
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 2 more)
        archive  runs: output of sign-code: small changed
        seal  runs: dirty false -> true (and 9 more)
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
        seal  runs: commit [HASH] -> [HASH]
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
        seal  runs: kept removed (and 1 more)
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
        seal  runs: dirty false -> true (and 6 more)
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist --only archive"),
        expect![[r#"
        frontend  kept: --from archive
        app  kept: --from archive
        sign-code  kept: --from archive
        bundle  kept: --from archive
        sign-installers  kept: --from archive
        archive  reused
        seal  left out: --until archive
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
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 2 more)
        archive  runs: --force
        seal  runs: kept.0 removed (and 10 more)
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
          $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
          exit status: 101
          |  Compiling small v0.1.0 ([ROOT]/src-tauri)
          |  Compiling tauri v2.0.0 ([ROOT]/src-tauri/stub)
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

/// The script's own words reach the reader, and the same command goes on once it is mended.
#[test]
fn a_failing_build_script_is_shown_and_resumed() {
    let project = Project::new();
    let build = project.read("build.mjs");
    project.write(
        "build.mjs",
        "console.error('no such colour'); process.exit(3);",
    );
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  failed after [TIME]: `npm` failed: exit status: 3

        step  status  why  time
        frontend  failed  it never ran here  [TIME]
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 6 not reached in [TIME]

        frontend failed: `npm` failed: exit status: 3
          $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
          exit status: 3
          | > small@0.1.0 build
          | > node build.mjs
          | no such colour
          log: [ROOT]/target/dist/linux/logs/frontend.log
          resume: cargo xtask dist
        exit code 1
    "#]],
    );
    project.write("build.mjs", build);
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

#[test]
fn a_compile_error_is_shown_and_resumed() {
    let project = Project::built();
    let main = project.read("src-tauri/src/main.rs");
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  reused
        app  runs: src/main.rs changed
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  failed after [TIME]: `cargo` failed: exit status: 101

        step  status  why  time  size
        frontend  reused  [SIZE]
        app  failed  src/main.rs changed  [TIME]
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 1 reused, 5 not reached in [TIME]

        app failed: `cargo` failed: exit status: 101
          $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
          exit status: 101
          |  Compiling small v0.1.0 ([ROOT]/src-tauri)
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
    project.write("src-tauri/src/main.rs", main);
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

#[test]
fn a_script_that_builds_nothing_fails() {
    let project = Project::new();
    project.write("build.mjs", "");
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  failed after [TIME]: script `build` ended well but left no folder [ROOT]/dist

        step  status  why  time
        frontend  failed  it never ran here  [TIME]
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 6 not reached in [TIME]

        frontend failed: script `build` ended well but left no folder [ROOT]/dist
          log: [ROOT]/target/dist/linux/logs/frontend.log
          hint: `frontend.out` in packaging/dist.toml must name the folder that the script fills; by default it is `build.frontendDist` of the Tauri configuration
          resume: cargo xtask dist
        exit code 1
    "#]],
    );
    project.replace("src/index.html", "<h1>Small</h1>\n", "");
    project.git(&["checkout", "--", "build.mjs"]);
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  failed after [TIME]: script `build` ended well but [ROOT]/dist/index.html is missing or empty

        step  status  why  time
        frontend  failed  it never ran here  [TIME]
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 6 not reached in [TIME]

        frontend failed: script `build` ended well but [ROOT]/dist/index.html is missing or empty
          log: [ROOT]/target/dist/linux/logs/frontend.log
          hint: `frontend.out` in packaging/dist.toml must name the folder that the script fills; by default it is `build.frontendDist` of the Tauri configuration
          resume: cargo xtask dist
        exit code 1
    "#]],
    );
}

/// A lock file that does not fit: npm says so, and nothing is built.
#[test]
fn a_lock_that_does_not_fit_fails() {
    let project = Project::new();
    project.replace(
        "package.json",
        "\"private\"",
        "\"dependencies\": { \"left-pad\": \"1.0.0\" },\n  \"private\"",
    );
    check(
        project.run("dist --until frontend"),
        expect![[r#"
        cargo xtask dist --until frontend for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  failed after [TIME]: `npm` failed: exit status: 1
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend

        step  status  why  time
        frontend  failed  it never ran here  [TIME]
        app  left out  --until frontend
        sign-code  left out  --until frontend
        bundle  left out  --until frontend
        sign-installers  left out  --until frontend
        archive  left out  --until frontend
        seal  left out  --until frontend
        1 failed, 6 left out in [TIME]

        frontend failed: `npm` failed: exit status: 1
          $ npm ci --no-audit --no-fund
          exit status: 1
          | npm error  --dry-run
          | npm error  Indicates that you don't want npm to make any changes and that it should
          | npm error
          | npm error  -w|--workspace
          | npm error  Enable running a command in the context of the configured workspaces of the
          | npm error
          | npm error  --workspaces
          | npm error  Set to true to run the command in the context of **all** configured
          | npm error
          | npm error  --include-workspace-root
          | npm error  Include the workspace root when workspaces are enabled for a command.
          | npm error
          | npm error  --install-links
          | npm error  When set file: protocol dependencies will be packed and installed as
          | npm error
          | npm error
          | npm error aliases: clean-install, ic, install-clean, isntall-clean
          | npm error
          | npm error Run "npm help ci" for more info
          | npm error A complete log of this run can be found in: /root/.npm/_logs/2026-11-21T12_15_54_516Z-debug-0.log
          log: [ROOT]/target/dist/linux/logs/frontend.log
          resume: cargo xtask dist --until frontend
        exit code 1
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
                5,
            ),
            (
                "command-finished",
                5,
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
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  |  Compiling small v0.1.0 ([ROOT]/src-tauri)
        app  |  Compiling tauri v2.0.0 ([ROOT]/src-tauri/stub)
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
        ::error title=app failed::`cargo` failed: exit status: 101%0A$ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)%0A|  Compiling small v0.1.0 ([ROOT]/src-tauri)%0A|  Compiling tauri v2.0.0 ([ROOT]/src-tauri/stub)%0A| error[E0425]: cannot find function `missing` in this scope%0A|  --> src/main.rs:1:13%0A|  |%0A| 1 | fn main() { missing(); }%0A|  |  ^^^^^^^ not found in this scope%0A| For more information about this error, try `rustc --explain E0425`.%0A| error: could not compile `small` (bin "small") due to 1 previous error

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
          $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
          exit status: 101
          |  Compiling small v0.1.0 ([ROOT]/src-tauri)
          |  Compiling tauri v2.0.0 ([ROOT]/src-tauri/stub)
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
    let page = std::fs::read_to_string(&summary).unwrap();
    expect![[r####"
        ### cargo xtask dist for linux failed

        1 failed, 1 ran, 5 not reached in [TIME]

        **app failed:** \`cargo\` failed: exit status: 101

        ```text
        $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
           Compiling small v0.1.0 ([ROOT]/src-tauri)
           Compiling tauri v2.0.0 ([ROOT]/src-tauri/stub)
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

#[test]
fn unsigned_is_recorded() {
    let project = Project::built();
    let key = project.manifest()["signing"]["minisign"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let steps = project
        .run("dist --unsigned")
        .steps()
        .replace(&key, "[KEY]");
    expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> unsigned (and 1 more)
        archive  runs: public_key [KEY] -> null
        seal  runs: identity development -> unsigned (and 24 more)
        exit code 0
    "#]]
    .assert_eq(&steps);
    expect![[r#"
        Object {
            "identity": String("unsigned"),
        }
    "#]]
    .assert_debug_eq(&project.manifest()["signing"]);
    check(
        project.run("verify"),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…
        note: unsigned: the checksums find accidents, not someone who replaces all files
        verified: 3 files, 19 checks passed, unsigned
        exit code 0
    "#]],
    );
    check(
        project.run("verify --require-release"),
        expect![[r#"
        file  check  expected  actual
        manifest.json  identity  release  unsigned
        note: unsigned: the checksums find accidents, not someone who replaces all files
        NOT verified: 1 of 19 checks failed in [ROOT]/release/0.1.0/linux
        exit code 1
    "#]],
    );
}

#[test]
fn a_dirty_checkout_is_not_for_publishing() {
    let mut project = Project::built();
    project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    project.write("README.md", "# Changed\n");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release refuses a checkout that differs from its commit
          hint: see `git status`; commit, or say --allow-dirty
        exit code 1
    "#]],
    );
    check_steps(
        project.run("dist --release --allow-dirty"),
        expect![[r#"
        frontend  runs: README.md changed
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> release (and 1 more)
        archive  runs: README.md changed (and 1 more)
        seal  runs: dirty false -> true (and 13 more)
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["dirty"], true);
    project.git(&["checkout", "--", "README.md"]);
    check(
        project.run("dist --release"),
        expect![[r#"
        cargo xtask dist --release for linux: 7 steps, [JOBS] at a time
        frontend  runs: README.md changed
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE], unchanged output
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  runs: README.md changed
        archive  done in [TIME], [SIZE]
        seal  runs: dirty true -> false (and 2 more)
        seal  done in [TIME], [SIZE]

        step  status  why  time  size
        frontend  ran, unchanged  README.md changed  [TIME]  [SIZE]
        app  reused  [SIZE]
        sign-code  reused  [SIZE]
        bundle  reused  [SIZE]
        sign-installers  reused  [SIZE]
        archive  ran  README.md changed  [TIME]  [SIZE]
        seal  ran  dirty true -> false (and 2 more)  [TIME]  [SIZE]
        3 ran, 4 reused in [TIME]
        released [ROOT]/release/0.1.0/linux
          small-0.1.0-1.[ARCH].rpm  [SIZE]
          small-0.1.0-[TRIPLE].tar.gz  [SIZE]
          small_0.1.0_[ARCH].deb  [SIZE]
          signed: minisign key [KEY]
        next: cargo xtask verify
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["dirty"], false);
    check(
        project.run("dist --release --from bundle"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release does not go with --from, --only or --skip: what they take as recorded may be stale
        exit code 1
    "#]],
    );
}

#[test]
fn an_unknown_target_and_a_foreign_one() {
    let project = Project::built();
    check(
        project.run("dist --target plan9"),
        expect![[r#"
        error: `plan9` is no target
          hint: linux, windows, macos, or a Rust target triple such as [TRIPLE]
        exit code 1
    "#]],
    );
    check(
        project.run("dist --target x86_64-apple-darwin"),
        expect![[r#"
        no step was reached in [TIME]

        error: something that this needs is missing
          tool  found  needed for  fix
          target x86_64-apple-darwin  cannot be built on Linux  app  run `cargo xtask dist --target x86_64-apple-darwin` on macOS

          By hand:
            run `cargo xtask dist --target x86_64-apple-darwin` on macOS
        exit code 1
    "#]],
    );
    check(
        project.run("dist --target windows"),
        expect![[r#"
        no step was reached in [TIME]

        error: something that this needs is missing
          tool  found  needed for  fix
          target windows  cannot be built on Linux  app  run `cargo xtask dist --target windows` on Windows

          By hand:
            run `cargo xtask dist --target windows` on Windows
        exit code 1
    "#]],
    );
}

/// A secret must be in no file below the project, and in no argument list while the run goes on.
fn seen_anywhere(project: &Project, line: &str, secrets: &[&str]) -> Vec<String> {
    let mut child = project.command(line).spawn().unwrap();
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if secrets.iter().any(|it| project::holds(&arguments, it)) {
                seen.push(String::from_utf8_lossy(&arguments).into_owned());
            }
        }
    }
    let ran = project.wait(child);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for printed in [&ran.stdout, &ran.stderr] {
        if secrets.iter().any(|it| printed.contains(it)) {
            seen.push(printed.clone());
        }
    }
    for file in project::files_below(&project.root) {
        let bytes = std::fs::read(&file).unwrap();
        if secrets.iter().any(|it| project::holds(&bytes, it)) {
            seen.push(file.display().to_string());
        }
    }
    seen
}

/// Each line of the decoded key as well, without the words that every key begins with.
fn parts_of(key: &str) -> Vec<String> {
    use ct_codecs::{Base64, Decoder as _};
    let text =
        Base64::decode_to_vec(key, None).map_or(key.into(), |it| String::from_utf8(it).unwrap());
    let lines = text
        .lines()
        .filter(|it| !it.starts_with("untrusted"))
        .map(str::to_owned);
    lines.chain([key.to_owned()]).collect()
}

#[test]
fn a_release_is_signed_and_the_key_stays_secret() {
    let mut project = Project::new();
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release wants a real signing key, but TAURI_SIGNING_PRIVATE_KEY is not set
          hint: make one with `npx tauri signer generate`, keep it secret, and export it as TAURI_SIGNING_PRIVATE_KEY
        exit code 1
    "#]],
    );
    let chatty = "console.log(process.env, 'correct' + ' horse', 'staple');\n";
    project.write(
        "build.mjs",
        format!("{}{chatty}", project.read("build.mjs")),
    );
    project.commit("Chatty");
    project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    let parts = parts_of(project::KEY);
    let mut secrets: Vec<&str> = parts.iter().map(String::as_str).collect();
    secrets.push(project::PASSWORD);
    let seen = seen_anywhere(&project, "dist --release --verbose", &secrets);
    assert!(seen.is_empty(), "{seen:#?}");
    let log = project.read("target/dist/linux/logs/frontend.log");
    assert!(
        log.contains("*** staple") && !log.contains("TAURI_SIGNING"),
        "{log}"
    );
    let public = project.manifest()["signing"]["minisign"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in [".deb", ".rpm", ".tar.gz", "manifest.json", "SHA256SUMS"] {
        let file = project.product(name);
        let mut minisign = std::process::Command::new("minisign");
        minisign.args(["-V", "-P", &public, "-m"]).arg(&file);
        let said = project::read(minisign);
        assert!(said.contains("verified"), "{said}");
    }
    let mut sums = std::process::Command::new("sha256sum");
    sums.args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(project.release());
    let said = project::read(sums);
    expect![[r#"
        manifest.json: OK
        manifest.json.minisig: OK
        small-0.1.0-1.[ARCH].rpm: OK
        small-0.1.0-1.[ARCH].rpm.minisig: OK
        small-0.1.0-1.[ARCH].rpm.sig: OK
        small-0.1.0-[TRIPLE].tar.gz: OK
        small-0.1.0-[TRIPLE].tar.gz.minisig: OK
        small_0.1.0_[ARCH].deb: OK
        small_0.1.0_[ARCH].deb.minisig: OK
        small_0.1.0_[ARCH].deb.sig: OK
    "#]]
    .assert_eq(&project.filtered(&said));
    check(
        project.run("verify --require-release"),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 40 checks passed, self-attested release key [KEY]
        exit code 0
    "#]],
    );
}

#[test]
fn a_key_of_minisign_itself_signs() {
    let mut project = Project::built();
    let (key, public) = (
        project.beside().join("key"),
        project.beside().join("key.pub"),
    );
    let mut minisign = std::process::Command::new("minisign");
    minisign
        .args(["-G", "-W", "-s"])
        .arg(&key)
        .arg("-p")
        .arg(&public);
    project::read(minisign);
    project.set(
        "TAURI_SIGNING_PRIVATE_KEY",
        std::fs::read_to_string(&key).unwrap(),
    );
    project.succeed("dist --release");
    let mut minisign = std::process::Command::new("minisign");
    minisign
        .arg("-V")
        .arg("-p")
        .arg(&public)
        .arg("-m")
        .arg(project.product(".deb"));
    project::read(minisign);
    let line = format!("verify --require-release --key {}", public.display());
    check(
        project.run(&line),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        verified: 3 files, 41 checks passed, trusted release key [KEY]
        exit code 0
    "#]],
    );
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let mut project = Project::new();
    project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: the minisign secret key is encrypted: set the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", "wrong horse");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: wrong password for the minisign secret key, or the key is damaged: correct the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY", "/home/me/key");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: not a minisign secret key: give the text of the key file itself (not its path), as `tauri signer generate` or `minisign -G` wrote it
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    let other = xtask::tools::minisign::Signer::generate().unwrap();
    publish_updater_key(&project, &other.public_key().text());
    check(
        project.run("dist"),
        expect![[r#"
        no step was reached in [TIME]

        error: the signing key [KEY] is not the one that plugins.updater.pubkey of the Tauri configuration names, [KEY]: installed apps would refuse the update
        exit code 1
    "#]],
    );
}

/// Names the public key in the app's configuration, as the updater wants it.
fn publish_updater_key(project: &Project, text: &str) {
    use ct_codecs::{Base64, Encoder as _};
    let key = Base64::encode_to_string(text).unwrap();
    let plugins =
        format!("\"plugins\": {{ \"updater\": {{ \"pubkey\": \"{key}\" }} }},\n  \"bundle\"");
    project.replace("src-tauri/tauri.conf.json", "\"bundle\"", &plugins);
}

/// `gpg` with a key of its own, whose agent ends with it.
struct Gpg(std::path::PathBuf);

impl Gpg {
    fn new(home: std::path::PathBuf, passphrase: &str) -> Self {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .unwrap();
        let gpg = Self(home);
        let mut command = gpg.command();
        command.args(["--pinentry-mode", "loopback", "--passphrase", passphrase]);
        command.args([
            "--quick-generate-key",
            "Test <t@example.com>",
            "ed25519",
            "sign",
            "never",
        ]);
        project::read(command);
        gpg
    }

    fn command(&self) -> std::process::Command {
        let mut gpg = std::process::Command::new("gpg");
        gpg.args(["--batch", "--quiet"]).env("GNUPGHOME", &self.0);
        gpg
    }

    fn fingerprint(&self) -> String {
        let mut command = self.command();
        command.args(["--with-colons", "--list-secret-keys"]);
        let listed = project::read(command);
        let line = listed.lines().find(|it| it.starts_with("fpr:")).unwrap();
        line.trim_matches(|it| it != ':')
            .trim_matches(':')
            .to_owned()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut kill = std::process::Command::new("gpgconf");
        kill.args(["--kill", "all"])
            .env("GNUPGHOME", &self.0)
            .status()
            .ok();
    }
}

#[test]
fn gpg_signs_the_checksums() {
    let mut project = Project::built();
    let gpg = Gpg::new(project.beside().join("gpg"), "open sesame");
    let fingerprint = gpg.fingerprint();
    project.configure(&format!("[sign.gpg]\nkey = \"{fingerprint}\"\n"));
    project.set("GNUPGHOME", gpg.0.to_str().unwrap());
    project.set("GPG_PASSPHRASE", "open sesame");
    let seen = seen_anywhere(&project, "dist", &["open sesame"]);
    assert!(seen.is_empty(), "{seen:#?}");
    assert_eq!(
        project.manifest()["signing"]["gpg"]["fingerprint"],
        *fingerprint
    );
    let mut verify = gpg.command();
    verify
        .arg("--verify")
        .arg(project.product(".asc"))
        .arg(project.product("SHA256SUMS"));
    project::read(verify);
    let mut forget = std::process::Command::new("gpgconf");
    project::read({
        forget.args(["--kill", "all"]).env("GNUPGHOME", &gpg.0);
        forget
    });
    project.set("GPG_PASSPHRASE", "open barley");
    let ran = project.run("dist --force=seal");
    let shown = ran.shown().replace(&fingerprint, "[FINGERPRINT]");
    expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: --force
        seal  $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --armor --output target/dist/linux/staging/seal.[PID]/SHA256SUMS.asc --detach-sign -- target/dist/linux/staging/seal.[PID]/SHA256SUMS
        seal  failed after [TIME]: the checksums cannot be signed with GPG

        step  status  why  time  size
        frontend  reused  [SIZE]
        app  reused  [SIZE]
        sign-code  reused  [SIZE]
        bundle  reused  [SIZE]
        sign-installers  reused  [SIZE]
        archive  reused  [SIZE]
        seal  failed  --force  [TIME]
        1 failed, 6 reused in [TIME]

        seal failed: the checksums cannot be signed with GPG
          cause: `gpg` failed: exit status: 2
          $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --armor --output target/dist/linux/staging/seal.[PID]/SHA256SUMS.asc --detach-sign -- target/dist/linux/staging/seal.[PID]/SHA256SUMS
          exit status: 2
          | gpg: signing failed: Bad passphrase
          | gpg: signing failed: Bad passphrase
          log: [ROOT]/target/dist/linux/logs/seal.log
          hint: the secret key must be in the key ring; export its passphrase under the name that `sign.gpg.passphrase-env` gives, or let gpg-agent know it
          resume: cargo xtask dist
        exit code 1
    "#]].assert_eq(&shown);
}

/// Two people release the same commit: everything that people install is the same bytes.
#[test]
fn two_checkouts_make_the_same_release() {
    let project = Project::built();
    let here = project.clone_at("here");
    let there = project.clone_at("a-longer/way/there");
    for checkout in [&here, &there] {
        checkout.succeed("dist --unsigned");
    }
    let mut different = Vec::new();
    for file in project::files_below(&here.release()) {
        let other = there.release().join(file.file_name().unwrap());
        if std::fs::read(&file).unwrap() != std::fs::read(other).unwrap() {
            different.push(here.filtered(file.file_name().unwrap().to_str().unwrap()));
        }
    }
    expect![[r#"
        [
            "SHA256SUMS\n",
            "manifest.json\n",
            "small-0.1.0-1.[ARCH].rpm\n",
        ]
    "#]]
    .assert_debug_eq(&different);
}

/// The bundler stamps the kind of package into the host; nothing else may differ.
#[test]
fn the_package_holds_the_built_executable() {
    let project = Project::built();
    let mut dpkg = std::process::Command::new("dpkg-deb");
    dpkg.arg("--extract")
        .arg(project.product(".deb"))
        .arg(project.beside().join("deb"));
    project::read(dpkg);
    let packed = std::fs::read(project.beside().join("deb/usr/bin/small")).unwrap();
    let built = std::fs::read(project.root.join("target/dist/linux/stages/app/small")).unwrap();
    let different = built.iter().zip(&packed).filter(|(a, b)| a != b).count();
    assert_eq!((built.len(), different), (packed.len(), 3));
    let run = project::read(std::process::Command::new(
        project.beside().join("deb/usr/bin/small"),
    ));
    assert_eq!(run, "<h1>Small</h1>\n__TAURI_BUNDLE_TYPE_VAR_DEB\n");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-xzf")
        .arg(project.product(".tar.gz"))
        .args(["--strip-components=1", "-C"]);
    project::read({
        tar.arg(project.beside());
        tar
    });
    assert_eq!(
        std::fs::read(project.beside().join("small")).unwrap(),
        built
    );
    let mut rpm = std::process::Command::new("rpm");
    rpm.args(["--query", "--list", "--package"])
        .arg(project.product(".rpm"));
    expect![[r#"
        /usr/bin/small
        /usr/share/applications/small.desktop
        /usr/share/icons/hicolor/32x32/apps/small.png
    "#]]
    .assert_eq(&project::read(rpm));
}

#[test]
fn damage_is_repaired() {
    let project = Project::built();
    let state = project.root.join("target/dist/linux");
    std::fs::remove_file(state.join("stages/app/small")).unwrap();
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  runs: its small was deleted
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        exit code 0
    "#]],
    );
    let sums = project.product("SHA256SUMS");
    std::fs::write(&sums, "nothing").unwrap();
    std::fs::write(project.release().join("stray"), "").unwrap();
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
    assert_eq!(project.run("verify").code, 0);
    std::fs::remove_file(project.product(".deb")).unwrap();
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
    assert_eq!(project.run("verify").code, 0);
    std::fs::write(project.release().join("stray"), "").unwrap();
    project.succeed("dist");
    check(
        project.run("verify"),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        note: development signature: a key made by the building machine, it vouches for nothing
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 40 checks passed, self-attested development key [KEY]
        exit code 0
    "#]],
    );
    for file in project::files_below(&state) {
        if file
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("journal")
        {
            std::fs::write(file, "damage").unwrap();
        }
    }
    check(
        project.run("dist"),
        expect![[r#"
        warning: [ROOT]/target/dist/linux/journal.v1.jsonl has a damaged first line: a line has no checksum; starting over
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE]
        app  runs: it never ran here
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  done in [TIME], [SIZE]
        sign-code  runs: it never ran here
        sign-code  signature: none inside: ELF executables carry no signature
        sign-code  done in [TIME], [SIZE]
        bundle  runs: it never ran here
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/deb node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles deb --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/rpm node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles rpm --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
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
}

/// Waits in the build script, so that a test can meet the run at work.
fn waiting(project: &Project) {
    let wait = "writeFileSync('at-work', ''); await new Promise(it => setTimeout(it, 60000));";
    project.write("build.mjs", format!("{}{wait}", project.read("build.mjs")));
    project.configure("[frontend]\nexclude = [\"at-work\"]\n");
}

/// How many processes still work in the project's folder.
fn at_work(project: &Project) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let folders = processes.filter_map(|it| std::fs::read_link(it.path().join("cwd")).ok());
    folders.filter(|it| it.starts_with(&project.root)).count()
}

fn signal(child: &std::process::Child, signal: nix::sys::signal::Signal) {
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(id, signal).unwrap();
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let project = Project::new();
    waiting(&project);
    let first = project.start_until("dist", "at-work");
    check(
        project.run("dist --until frontend"),
        expect![[r#"
        no step was reached in [TIME]

        error: another run works on [ROOT]/target/dist/linux: process [PID], `cargo xtask dist`, since [NOW]
          hint: wait for it, or end that process
        exit code 1
    "#]],
    );
    check(
        project.run("clean"),
        expect![[r#"
        error: another run works on [ROOT]/target/dist/linux: process [PID], `cargo xtask dist`, since [NOW]
          hint: wait for it, or end that process
        exit code 1
    "#]],
    );
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux has no end: it still runs, or it was killed
        began [NOW]

        step  status  why
        frontend  running  it never ran here
        app  waiting
        sign-code  waiting
        bundle  waiting
        sign-installers  waiting
        archive  waiting
        seal  waiting
        1 running, 6 waiting
        logs in [ROOT]/target/dist/linux/logs
        exit code 0
    "#]],
    );
    signal(&first, nix::sys::signal::Signal::SIGINT);
    check(
        project.wait(first),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build

        step  status  why
        frontend  interrupted  it never ran here
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 interrupted, 6 not reached in [TIME]
        next: cargo xtask dist
        exit code 130
    "#]],
    );
    assert_eq!(at_work(&project), 0);
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux failed
        began [NOW]

        step  status  why
        frontend  interrupted  it never ran here
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 interrupted, 6 not reached in [TIME]
        next: cargo xtask dist
        exit code 0
    "#]],
    );
}

/// Nothing can be cleaned up at a kill: the next run does it.
#[test]
fn after_a_kill_the_next_run_cleans_up() {
    let project = Project::new();
    let build = project.read("build.mjs");
    waiting(&project);
    let first = project.start_until("dist", "at-work");
    signal(&first, nix::sys::signal::Signal::SIGKILL);
    assert_eq!(project.wait(first).code, 128 + 9);
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux has no end: it still runs, or it was killed
        began [NOW]

        step  status  why
        frontend  running  it never ran here
        app  waiting
        sign-code  waiting
        bundle  waiting
        sign-installers  waiting
        archive  waiting
        seal  waiting
        1 running, 6 waiting
        logs in [ROOT]/target/dist/linux/logs
        exit code 0
    "#]],
    );
    assert!(at_work(&project) > 0);
    project.write("build.mjs", build);
    check(
        project.run("dist --until frontend"),
        expect![[r#"
        note: ended 1 process group(s) that a killed run left behind
        cargo xtask dist --until frontend for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE]
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend

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
    assert_eq!(at_work(&project), 0);
}

/// Not as root: then there is no full disk to be had.
#[test]
fn a_full_disk_loses_nothing() {
    let project = Project::new();
    let target = project.root.join("target");
    std::fs::create_dir(&target).unwrap();
    let mount = |options: &str| {
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(&target);
        mount
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|it| it.success())
    };
    if !mount("size=900k") {
        return;
    }
    let _mounted = Mounted(target.clone());
    check(
        project.run("dist"),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE]
        app  runs: it never ran here
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  done in [TIME], [SIZE]
        sign-code  runs: it never ran here
        sign-code  signature: none inside: ELF executables carry no signature
        sign-code  done in [TIME], [SIZE]
        bundle  runs: it never ran here
        bundle  failed after [TIME]: failed to copy file from `[ROOT]/target/dist/linux/stages/sign-code/small` to `[ROOT]/target/dist/linux/cache/bundle/deb/release/small`: No space left on device (os error 28)

        step  status  why  time  size
        frontend  ran  it never ran here  [TIME]  [SIZE]
        app  ran  it never ran here  [TIME]  [SIZE]
        sign-code  ran  it never ran here  [TIME]  [SIZE]
        bundle  failed  it never ran here  [TIME]
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 3 ran, 3 not reached in [TIME]

        bundle failed: failed to copy file from `[ROOT]/target/dist/linux/stages/sign-code/small` to `[ROOT]/target/dist/linux/cache/bundle/deb/release/small`: No space left on device (os error 28)
          log: [ROOT]/target/dist/linux/logs/bundle.log
          hint: the disk is full: free some space; what is recorded is safe
          resume: cargo xtask dist
        exit code 1
    "#]],
    );
    assert!(mount("remount,size=64m"));
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
}

/// Unmounts when dropped, also after a failure.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        std::process::Command::new("umount")
            .arg(&self.0)
            .status()
            .ok();
    }
}

#[test]
fn a_static_front_end_is_embedded_as_it_is() {
    let project = Project::new();
    for file in ["package.json", "package-lock.json", "build.mjs"] {
        std::fs::remove_file(project.root.join(file)).unwrap();
    }
    project.write("static/index.html", "<h1>Static</h1>\n");
    project.replace("src-tauri/tauri.conf.json", "../dist", "../static");
    project.configure("[frontend]\nenabled = false\n");
    check_steps(
        project.run("dist"),
        expect![[r#"
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
    let run = std::process::Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert_eq!(
        project::read(run),
        "<h1>Static</h1>\n__TAURI_BUNDLE_TYPE_VAR_UNK\n"
    );
    project.write("static/index.html", "<h1>Other</h1>\n");
    check_steps(
        project.run("dist"),
        expect![[r#"
        app  runs: index.html changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of sign-code: small changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 2 more)
        archive  runs: output of sign-code: small changed
        seal  runs: output of archive: small-0.1.0-[TRIPLE].tar.gz changed (and 8 more)
        exit code 0
    "#]],
    );
    let run = std::process::Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert_eq!(
        project::read(run),
        "<h1>Other</h1>\n__TAURI_BUNDLE_TYPE_VAR_UNK\n"
    );
}

/// The host is one member of a workspace and depends on another.
#[test]
fn a_workspace_above_the_host() {
    let project = Project::new();
    project.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"src-tauri\", \"words\"]\nresolver = \"3\"\n\
         [workspace.dependencies]\nwords = { path = \"words\" }\n",
    );
    project.write(
        "words/Cargo.toml",
        "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write("words/src/lib.rs", "pub const HELLO: &str = \"hello\";\n");
    project.replace("src-tauri/Cargo.toml", "[workspace]\n\n", "");
    project.replace(
        "src-tauri/Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\nwords.workspace = true\n",
    );
    project.write(
        "src-tauri/src/main.rs",
        "fn main() { println!(\"{} {}\", words::HELLO, tauri::bundle_type()); }\n",
    );
    std::fs::remove_file(project.root.join("src-tauri/Cargo.lock")).unwrap();
    let mut lock = std::process::Command::new("cargo");
    lock.args(["generate-lockfile", "--offline"])
        .current_dir(&project.root);
    project::read(lock);
    project.commit("Workspace");
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
    project.replace("words/src/lib.rs", "hello", "goodbye");
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  runs: words/src/lib.rs changed
        app  runs: src/lib.rs changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of sign-code: small changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 2 more)
        archive  runs: output of sign-code: small changed
        seal  runs: dirty false -> true (and 9 more)
        exit code 0
    "#]],
    );
    let run = std::process::Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert!(project::read(run).starts_with("goodbye "));
    assert_eq!(
        project.git(&["status", "--porcelain"]),
        " M words/src/lib.rs\n"
    );
}
