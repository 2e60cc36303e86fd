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
        frontend  $ TAURI_ENV_ARCH=x86_64 TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE]
        app  runs: it never ran here
        app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --jobs 2 --message-format json-render-diagnostics)
        app  done in [TIME], [SIZE]
        sign-code  runs: it never ran here
        sign-code  signature: none inside: ELF executables carry no signature
        sign-code  done in [TIME], [SIZE]
        bundle  runs: it never ran here
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/deb /usr/bin/node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles deb --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
        bundle  $ (cd src-tauri && CARGO_TARGET_DIR=[ROOT]/target/dist/linux/cache/bundle/rpm /usr/bin/node [APP]/node_modules/@tauri-apps/cli/tauri.js bundle --ci --no-sign --bundles rpm --config '{"build":{"beforeBundleCommand":null,"frontendDist":"[ROOT]/target/dist/linux/stages/frontend"},"bundle":{"active":true,"createUpdaterArtifacts":false,"externalBin":[]},"version":"0.1.0"}')
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
          small_0.1.0_[ARCH].deb  [SIZE]
        DEVELOPMENT-SIGNED: not for distribution; development
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
          small_0.1.0_[ARCH].deb  [SIZE]
        DEVELOPMENT-SIGNED: not for distribution; development
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
    check_steps(project.run("dist"), expect![[""]]);
}

/// The front end runs, and after it only what its output reaches.
#[test]
fn a_changed_source_runs_what_depends_on_it() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check(project.run("plan"), expect![[""]]);
    check(project.run("dist --dry-run"), expect![[""]]);
    check(project.run("plan --explain frontend"), expect![[""]]);
    check(project.run("plan --explain app"), expect![[""]]);
    check(project.run("plan --explain nothing"), expect![[""]]);
    check_steps(project.run("dist"), expect![[""]]);
}

/// The comment does not reach the page: nothing after the front end has to run but the seal,
/// which says that the checkout is dirty now.
#[test]
fn an_unchanged_output_stops_the_ripple() {
    let project = Project::built();
    project.replace("src/index.html", "a comment", "another comment");
    check(project.run("dist"), expect![[""]]);
}

#[test]
fn a_changed_tauri_configuration_says_what_changed() {
    let project = Project::built();
    project.replace("src-tauri/tauri.conf.json", "com.example.small", "com.example.other");
    check_steps(project.run("dist"), expect![[""]]);
}

#[test]
fn a_changed_crate_says_what_changed() {
    let project = Project::built();
    project.replace("src-tauri/stub/src/lib.rs", "not a", "no");
    check_steps(project.run("dist"), expect![[""]]);
}

/// Commit and time stand in installers, archive and manifest, but in no executable.
#[test]
fn a_new_commit_runs_only_what_names_it() {
    let project = Project::built();
    project.commit("Nothing");
    check_steps(project.run("dist"), expect![[""]]);
    project.git(&["tag", "v0.1.0"]);
    check_steps(project.run("dist"), expect![[""]]);
    assert_eq!(project.manifest()["source"]["tag"], "v0.1.0");
}

#[test]
fn another_time_reaches_what_carries_times() {
    let mut project = Project::built();
    project.set("SOURCE_DATE_EPOCH", "1000000000");
    check_steps(project.run("dist"), expect![[""]]);
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
    check(project.run("dist"), expect![[""]]);
}

#[test]
fn selected_steps() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check_steps(project.run("dist --from app"), expect![[""]]);
    assert_eq!(project.manifest()["steps"][0]["status"], "kept");
    check_steps(project.run("dist --until frontend"), expect![[""]]);
    check_steps(project.run("dist --skip app"), expect![[""]]);
    check_steps(project.run("dist --only archive"), expect![[""]]);
    check_steps(project.run("dist --force=archive"), expect![[""]]);
    check_steps(project.run("dist --force"), expect![[""]]);
}

#[test]
fn refused_selections() {
    let project = Project::new();
    for (line, expected) in [
        ("dist --from bundel", expect![[""]]),
        ("dist --from seal --until app", expect![[""]]),
        ("dist --skip app --force=app", expect![[""]]),
        ("dist --until app --force=seal", expect![[""]]),
        ("dist --only app --until app", expect![[""]]),
        ("dist --from app", expect![[""]]),
        ("dist --release --from app", expect![[""]]),
        ("dist --allow-dirty", expect![[""]]),
        ("dist --release --unsigned", expect![[""]]),
        ("clean nothing", expect![[""]]),
    ] {
        check(project.run(line), expected);
    }
}

#[test]
fn forgotten_steps_run_again() {
    let project = Project::built();
    check(project.run("clean archive"), expect![[""]]);
    check_steps(project.run("dist"), expect![[""]]);
    check(project.run("clean"), expect![[""]]);
    check_steps(project.run("dist"), expect![[""]]);
}

#[test]
fn status_tells_the_last_run() {
    let project = Project::new();
    check(project.run("status"), expect![[""]]);
    project.succeed("dist --until frontend");
    check(project.run("status"), expect![[""]]);
    project.write("src-tauri/src/main.rs", "fn main() { missing(); }");
    assert_eq!(project.run("dist").code, 1);
    check(project.run("status"), expect![[""]]);
}
