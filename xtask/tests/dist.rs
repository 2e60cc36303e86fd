//! `cargo xtask` as it is used: the real program with the real npm, cargo, git and Tauri bundler
//! on a small project, judged by what it prints and leaves behind.
#![cfg(target_os = "linux")]

#[path = "support/project.rs"]
mod project;

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
    check(project.run("dist"), expect![[r#"
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
    "#]]);
    check(project.run("dist"), expect![[r#"
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
    "#]]);
    check(project.run("verify"), expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater
        note: development signature: a key made by the building machine, it vouches for nothing
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 40 checks passed, self-attested development key [KEY]
        exit code 0
    "#]]);
}

#[test]
fn a_copied_checkout_is_as_good_as_built() {
    let project = Project::built();
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        exit code 0
    "#]]);
}

/// The front end runs, and after it only what its output reaches.
#[test]
fn a_changed_source_runs_what_depends_on_it() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check(project.run("plan"), expect![[r#"
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
    "#]]);
    check(project.run("dist --dry-run"), expect![[r#"
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
    "#]]);
    check(project.run("plan --explain frontend"), expect![[r#"
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
    "#]]);
    check(project.run("plan --explain app"), expect![[r#"
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
    "#]]);
    check(project.run("plan --explain nothing"), expect![[r#"
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
    "#]]);
    check_steps(project.run("dist"), expect![[r#"
        frontend  runs: src/index.html changed
        app  runs: output of frontend: index.html changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of frontend: index.html changed (and 1 more)
        sign-installers  runs: output of bundle, installers.0.contents.usr/bin/small changed (and 2 more)
        archive  runs: output of sign-code: small changed
        seal  runs: dirty false -> true (and 9 more)
        exit code 0
    "#]]);
}

/// The comment does not reach the page: nothing after the front end has to run but the seal,
/// which says that the checkout is dirty now.
#[test]
fn an_unchanged_output_stops_the_ripple() {
    let project = Project::built();
    project.replace("src/index.html", "a comment", "another comment");
    check(project.run("dist"), expect![[r#"
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
    "#]]);
}

#[test]
fn a_changed_tauri_configuration_says_what_changed() {
    let project = Project::built();
    project.replace("src-tauri/tauri.conf.json", "com.example.small", "com.example.other");
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  runs: tauri.conf.json changed
        sign-code  reused
        bundle  runs: src-tauri/tauri.conf.json changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed
        archive  reused
        seal  runs: dirty false -> true (and 6 more)
        exit code 0
    "#]]);
}

#[test]
fn a_changed_crate_says_what_changed() {
    let project = Project::built();
    project.replace("src-tauri/stub/src/lib.rs", "not a", "no");
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  runs: src/lib.rs changed
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: dirty false -> true
        exit code 0
    "#]]);
}

/// Commit and time stand in installers, archive and manifest, but in no executable.
#[test]
fn a_new_commit_runs_only_what_names_it() {
    let project = Project::built();
    project.commit("Nothing");
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: commit [HASH] -> [HASH]
        exit code 0
    "#]]);
    project.git(&["tag", "v0.1.0"]);
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: tag null -> v0.1.0
        exit code 0
    "#]]);
    assert_eq!(project.manifest()["source"]["tag"], "v0.1.0");
}

#[test]
fn another_time_reaches_what_carries_times() {
    let mut project = Project::built();
    project.set("SOURCE_DATE_EPOCH", "1000000000");
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  runs: epoch 1767323045 -> 1000000000
        sign-installers  runs: epoch 1767323045 -> 1000000000 (and 2 more)
        archive  runs: epoch 1767323045 -> 1000000000
        seal  runs: epoch 1767323045 -> 1000000000 (and 8 more)
        exit code 0
    "#]]);
    assert_eq!(project.manifest()["source"]["epoch"], 1_000_000_000);
    let mut tar = std::process::Command::new("tar");
    tar.args(["--utc", "-tvzf"]).arg(project.product(".tar.gz"));
    let listed = project::read(tar);
    assert!(listed.lines().all(|it| it.contains("2001-09-09 01:46")), "{listed}");
    let mut dpkg = std::process::Command::new("dpkg-deb");
    dpkg.env("TZ", "UTC").arg("--contents").arg(project.product(".deb"));
    let listed = project::read(dpkg);
    assert!(listed.lines().all(|it| it.contains("2001-09-09 01:46")), "{listed}");
    project.set("SOURCE_DATE_EPOCH", "yesterday");
    check(project.run("dist"), expect![[r#"
        no step was reached in [TIME]

        error: SOURCE_DATE_EPOCH is `yesterday`, not seconds since 1970
          resume: cargo xtask dist
        exit code 1
    "#]]);
}

#[test]
fn selected_steps() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check_steps(project.run("dist --from app"), expect![[r#"
        frontend  kept: --from app
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: kept removed (and 1 more)
        exit code 0
    "#]]);
    assert_eq!(project.manifest()["steps"][0]["status"], "kept");
    check_steps(project.run("dist --until frontend"), expect![[r#"
        frontend  runs: src/index.html changed
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend
        exit code 0
    "#]]);
    check_steps(project.run("dist --skip app"), expect![[r#"
        frontend  reused
        app  kept: --skip app
        sign-code  reused
        bundle  runs: output of frontend: index.html changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed
        archive  reused
        seal  runs: dirty false -> true (and 6 more)
        exit code 0
    "#]]);
    check_steps(project.run("dist --only archive"), expect![[r#"
        frontend  kept: --from archive
        app  kept: --from archive
        sign-code  kept: --from archive
        bundle  kept: --from archive
        sign-installers  kept: --from archive
        archive  reused
        seal  left out: --until archive
        exit code 0
    "#]]);
    check_steps(project.run("dist --force=archive"), expect![[r#"
        frontend  reused
        app  runs: output of frontend: index.html changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of sign-code: small changed
        sign-installers  runs: output of bundle, installers.0.contents.usr/bin/small changed (and 2 more)
        archive  runs: --force
        seal  runs: kept.0 removed (and 10 more)
        exit code 0
    "#]]);
    check_steps(project.run("dist --force"), expect![[r#"
        frontend  runs: --force
        app  runs: --force
        sign-code  runs: --force
        bundle  runs: --force
        sign-installers  runs: --force
        archive  runs: --force
        seal  runs: --force
        exit code 0
    "#]]);
}

#[test]
fn refused_selections() {
    let project = Project::new();
    for (line, expected) in [
        ("dist --from bundel", expect![[r#"
            no step was reached in [TIME]

            error: there is no step `bundel` here
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
              resume: cargo xtask dist --from bundel
            exit code 1
        "#]]),
        ("dist --from seal --until app", expect![[r#"
            no step was reached in [TIME]

            error: --from seal --until app selects nothing: app comes before seal
              resume: cargo xtask dist --from seal --until app
            exit code 1
        "#]]),
        ("dist --skip app --force=app", expect![[r#"
            no step was reached in [TIME]

            error: --force app and --skip app contradict each other
              resume: cargo xtask dist --skip app
            exit code 1
        "#]]),
        ("dist --until app --force=seal", expect![[r#"
            no step was reached in [TIME]

            error: --force seal contradicts --until app, which leaves that step out
              resume: cargo xtask dist --until app
            exit code 1
        "#]]),
        ("dist --only app --until app", expect![[r#"
            error: the argument '--only <STEP>' cannot be used with '--until <STEP>'

            Usage: cargo xtask dist --only <STEP>

            For more information, try '--help'.
            exit code 2
        "#]]),
        ("dist --from app", expect![[r#"
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
        "#]]),
        ("dist --release --from app", expect![[r#"
            no step was reached in [TIME]

            error: --release wants a real signing key, but TAURI_SIGNING_PRIVATE_KEY is not set
              hint: make one with `npx tauri signer generate`, keep it secret, and export it as TAURI_SIGNING_PRIVATE_KEY
              resume: cargo xtask dist --release --from app
            exit code 1
        "#]]),
        ("dist --allow-dirty", expect![[r#"
            error: the following required arguments were not provided:
              --release

            Usage: cargo xtask dist --release --allow-dirty

            For more information, try '--help'.
            exit code 2
        "#]]),
        ("dist --release --unsigned", expect![[r#"
            error: the argument '--release' cannot be used with '--unsigned'

            Usage: cargo xtask dist --release

            For more information, try '--help'.
            exit code 2
        "#]]),
        ("clean nothing", expect![[r#"
            error: there is no step `nothing`
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
            exit code 1
        "#]]),
    ] {
        check(project.run(line), expected);
    }
}

#[test]
fn forgotten_steps_run_again() {
    let project = Project::built();
    check(project.run("clean archive"), expect![[r#"
        forgot archive of linux; the next `dist` runs it again
        exit code 0
    "#]]);
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  runs: it never ran here
        seal  runs: output of archive: small-0.1.0-[TRIPLE].tar.gz.minisig changed
        exit code 0
    "#]]);
    check(project.run("clean"), expect![[r#"
        forgot everything about linux; finished releases stay where they are
        exit code 0
    "#]]);
    check_steps(project.run("dist"), expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]]);
}

#[test]
fn status_tells_the_last_run() {
    let project = Project::new();
    check(project.run("status"), expect![[r#"
        no run for linux is recorded here
        next: cargo xtask dist --target linux
        exit code 0
    "#]]);
    project.succeed("dist --until frontend");
    check(project.run("status"), expect![[r#"
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
    "#]]);
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    assert_eq!(project.run("dist").code, 1);
    check(project.run("status"), expect![[r#"
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
    "#]]);
}

/// The script's own words reach the reader, and the same command goes on once it is mended.
#[test]
fn a_failing_build_script_is_shown_and_resumed() {
    let project = Project::new();
    let build = project.read("build.mjs");
    project.write("build.mjs", "console.error('no such colour'); process.exit(3);");
    check(project.run("dist"), expect![[r#"
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
          | npm warn Unknown user config "nodedir". This will stop working in the next major version of npm. See `npm help npmrc` for supported config options.
          | > small@0.1.0 build
          | > node build.mjs
          | no such colour
          log: [ROOT]/target/dist/linux/logs/frontend.log
          resume: cargo xtask dist
        exit code 1
    "#]]);
    project.write("build.mjs", build);
    check_steps(project.run("dist"), expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]]);
}

#[test]
fn a_compile_error_is_shown_and_resumed() {
    let project = Project::built();
    let main = project.read("src-tauri/src/main.rs");
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    check(project.run("dist"), expect![[r#"
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
    "#]]);
    project.write("src-tauri/src/main.rs", main);
    check_steps(project.run("dist"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        exit code 0
    "#]]);
}

#[test]
fn a_script_that_builds_nothing_fails() {
    let project = Project::new();
    project.write("build.mjs", "");
    check(project.run("dist"), expect![[r#"
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
    "#]]);
    project.write("build.mjs", "require('fs')");
    check(project.run("dist"), expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  failed after [TIME]: `npm` failed: exit status: 1

        step  status  why  time
        frontend  failed  it never ran here  [TIME]
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 failed, 6 not reached in [TIME]

        frontend failed: `npm` failed: exit status: 1
          $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
          exit status: 1
          | npm warn Unknown user config "nodedir". This will stop working in the next major version of npm. See `npm help npmrc` for supported config options.
          | > small@0.1.0 build
          | > node build.mjs
          | file://[ROOT]/build.mjs:1
          | require('fs')
          | ^
          | ReferenceError: require is not defined in ES module scope, you can use import instead
          |  at file://[ROOT]/build.mjs:1:1
          |  at ModuleJob.run (node:internal/modules/esm/module_job:325:25)
          |  at async ModuleLoader.import (node:internal/modules/esm/loader:606:24)
          |  at async asyncRunEntryPointWithESMLoader (node:internal/modules/run_main:117:5)
          | Node.js v20.20.2
          log: [ROOT]/target/dist/linux/logs/frontend.log
          resume: cargo xtask dist
        exit code 1
    "#]]);
    project.write("build.mjs", "import fs from 'fs'; fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', '');");
    check(project.run("dist"), expect![[r#"
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
    "#]]);
}

/// A lock file that does not fit: npm says so, and nothing is built.
#[test]
fn a_lock_that_does_not_fit_fails() {
    let project = Project::new();
    project.replace("package.json", "\"private\"", "\"dependencies\": { \"left-pad\": \"1.0.0\" },\n  \"private\"");
    check(project.run("dist --until frontend"), expect![[r#"
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
          | npm error A complete log of this run can be found in: /root/.npm/_logs/2026-11-21T12_10_12_836Z-debug-0.log
          log: [ROOT]/target/dist/linux/logs/frontend.log
          resume: cargo xtask dist --until frontend
        exit code 1
    "#]]);
}

#[test]
fn json_is_one_event_a_line() {
    let project = Project::new();
    let ran = project.succeed("dist --format json");
    assert_eq!(ran.stderr, "");
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|it| it["event"].as_str().unwrap()).collect();
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
    "#]].assert_debug_eq(&counted);
    let ran = project.succeed("status --format json");
    assert!(ran.stdout.lines().all(|it| serde_json::from_str::<serde_json::Value>(it).is_ok()));
    let ran = project.succeed("plan --format json");
    assert!(ran.stdout.lines().all(|it| serde_json::from_str::<serde_json::Value>(it).is_ok()));
}

#[test]
fn json_of_a_failure() {
    let project = Project::new();
    project.write("build.mjs", "process.exit(3);");
    let ran = project.run("dist --format json");
    assert_eq!((ran.code, &*ran.stderr), (1, ""));
    let events = ran.stdout.lines().map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
    let failed: Vec<_> = events.filter(|it| it["event"] == "step-failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["failure"]["status"], "exit status: 3");
    let refused = project.run("dist --format json --from nothing");
    assert_eq!((refused.code, &*refused.stderr), (1, ""));
    assert!(refused.stdout.contains("\"event\":\"run-failed\""), "{}", refused.stdout);
}

#[test]
fn github_actions_get_groups_annotations_and_a_summary() {
    let mut project = Project::new();
    let summary = project.beside().join("summary.md");
    project.set("GITHUB_ACTIONS", "true");
    project.set("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    check(project.run("dist"), expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        logs in [ROOT]/target/dist/linux/logs
        frontend  runs: it never ran here
        ::group::frontend done in [TIME], [SIZE]
        frontend  $ npm ci --no-audit --no-fund
        frontend  | npm warn Unknown user config "nodedir". This will stop working in the next major version of npm. See `npm help npmrc` for supported config options.
        frontend  |
        frontend  | up to date in 317ms
        frontend  exit status: 0 after [TIME]
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  | npm warn Unknown user config "nodedir". This will stop working in the next major version of npm. See `npm help npmrc` for supported config options.
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
    "#]]);
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
        variables.iter().for_each(|(name, value)| project.set(name, *value));
        project.succeed(line).stderr.contains('\x1b')
    };
    assert!(!coloured(&[], "dist"));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], "dist"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")], "dist"));
    assert!(!coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], "dist"));
    assert!(coloured(&[], "dist --color always"));
    assert!(coloured(&[("NO_COLOR", "1")], "dist --color always"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], "dist --color never"));
}

#[test]
fn unsigned_is_recorded() {
    let project = Project::built();
    check_steps(project.run("dist --unsigned"), expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> unsigned (and 1 more)
        archive  runs: public_key RWT5EUcDSvQmFfX74whCwkOmQ9ePBgwJoDpmBDmlgbsU/MIgdSFL7v8Z -> null
        seal  runs: identity development -> unsigned (and 24 more)
        exit code 0
    "#]]);
    expect![[r#"
        Object {
            "identity": String("unsigned"),
        }
    "#]].assert_debug_eq(&project.manifest()["signing"]);
    check(project.run("verify"), expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…
        note: unsigned: the checksums find accidents, not someone who replaces all files
        verified: 3 files, 19 checks passed, unsigned
        exit code 0
    "#]]);
    check(project.run("verify --require-release"), expect![[r#"
        file  check  expected  actual
        manifest.json  identity  release  unsigned
        note: unsigned: the checksums find accidents, not someone who replaces all files
        NOT verified: 1 of 19 checks failed in [ROOT]/release/0.1.0/linux
        exit code 1
    "#]]);
}

#[test]
fn a_dirty_checkout_is_not_for_publishing() {
    let mut project = Project::built();
    project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    project.write("README.md", "# Changed\n");
    check(project.run("dist --release"), expect![[r#"
        no step was reached in [TIME]

        error: --release refuses a checkout that differs from its commit
          hint: see `git status`; commit, or say --allow-dirty
          resume: cargo xtask dist --release
        exit code 1
    "#]]);
    check_steps(project.run("dist --release --allow-dirty"), expect![[r#"
        frontend  runs: README.md changed
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> release (and 1 more)
        archive  runs: README.md changed (and 1 more)
        seal  runs: dirty false -> true (and 13 more)
        exit code 0
    "#]]);
    assert_eq!(project.manifest()["source"]["dirty"], true);
    project.git(&["checkout", "--", "README.md"]);
    check(project.run("dist --release"), expect![[r#"
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
    "#]]);
    assert_eq!(project.manifest()["source"]["dirty"], false);
    check(project.run("dist --release --from bundle"), expect![[r#"
        no step was reached in [TIME]

        error: --release does not go with --from, --only or --skip: what they take as recorded may be stale
          resume: cargo xtask dist --release --from bundle
        exit code 1
    "#]]);
}

#[test]
fn an_unknown_target_and_a_foreign_one() {
    let project = Project::built();
    check(project.run("dist --target plan9"), expect![[r#"
        error: `plan9` is no target
          hint: linux, windows, macos, or a Rust target triple such as [TRIPLE]
        exit code 1
    "#]]);
    check(project.run("dist --target x86_64-apple-darwin"), expect![[r#"
        no step was reached in [TIME]

        error: something that this needs is missing
          tool  found  needed for  fix
          target x86_64-apple-darwin  cannot be built on Linux  app  run `cargo xtask dist --target x86_64-apple-darwin` on macOS, or in CI: `cargo xtask ci generate`

          By hand:
            run `cargo xtask dist --target x86_64-apple-darwin` on macOS, or in CI: `cargo xtask ci generate`
          hint: install it with `cargo xtask doctor --fix`, or add --setup to the command
          resume: cargo xtask dist --target x86_64-apple-darwin
        exit code 1
    "#]]);
    check(project.run("dist --target windows"), expect![[r#"
        no step was reached in [TIME]

        error: something that this needs is missing
          tool  found  needed for  fix
          target windows  cannot be built on Linux  app  run `cargo xtask dist --target windows` on Windows, or in CI: `cargo xtask ci generate`

          By hand:
            run `cargo xtask dist --target windows` on Windows, or in CI: `cargo xtask ci generate`
          hint: install it with `cargo xtask doctor --fix`, or add --setup to the command
          resume: cargo xtask dist --target windows
        exit code 1
    "#]]);
}
