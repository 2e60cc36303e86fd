//! `cargo xtask` as it is used: the real program with the real npm, cargo, git and Tauri bundler
//! on a small project, judged by what it prints and leaves behind.
#![cfg(target_os = "linux")]

#[path = "dist/appimage.rs"]
mod appimage;
#[path = "dist/broken_off.rs"]
mod broken_off;
#[path = "dist/carried.rs"]
mod carried;
#[path = "dist/changes.rs"]
mod changes;
#[path = "dist/compare.rs"]
mod compare;
#[path = "dist/events.rs"]
mod events;
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
#[path = "support/gpg.rs"]
mod gpg;
#[path = "dist/layouts.rs"]
mod layouts;
#[path = "dist/placeholders.rs"]
mod placeholders;
#[path = "support/project.rs"]
mod project;
#[path = "dist/same.rs"]
mod same;
#[path = "dist/selections.rs"]
mod selections;
#[path = "dist/sidecars.rs"]
mod sidecars;
#[path = "dist/signing.rs"]
mod signing;
#[path = "dist/turns.rs"]
mod turns;

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
            bundle  $ rpm2archive --nocompression target/dist/linux/cache/bundle/rpm/inside/package.rpm
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
    names_its_tools(&project);
    check(
        project.run("verify"),
        expect![[r#"
            file  kind  size  sha256  signatures
            small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
            small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
            small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater

            file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
            small-0.1.0-1.[ARCH].rpm  minisign  development key  [KEY]  -  -  -  -
            small-0.1.0-1.[ARCH].rpm  tauri-updater  development key  [KEY]  -  -  -  -
            small-0.1.0-[TRIPLE].tar.gz  minisign  development key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  minisign  development key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  tauri-updater  development key  [KEY]  -  -  -  -
            manifest.json  minisign  development key  [KEY]  -  -  -  -
            SHA256SUMS  minisign  development key  [KEY]  -  -  -  -
            note: development signature: a key made by the building machine, it vouches for nothing
            note: self-attested: no trusted key given, checked with the manifest's own
            verified: 3 files, 41 checks passed, self-attested development key [KEY]
            exit code 0
        "#]],
    );
}

/// Of these tools the first word and number is the same on each machine: `tauri-cli 2`.
fn names_its_tools(project: &Project) {
    let manifest = project.manifest();
    let tools = manifest["builder"]["tools"].as_object().unwrap();
    let short = |it: &str| it.split('.').next().unwrap_or_default().to_owned();
    let named = ["cargo", "rustc", "tauri"].map(|it| short(tools[it].as_str().unwrap()));
    assert_eq!(named, ["cargo 1", "rustc 1", "tauri-cli 2"]);
    // Beside it, and not what runs Tauri's script.
    assert!(tools["node"].as_str().unwrap().starts_with('v'));
    assert!(!tools.contains_key("gpg") && !tools.contains_key("uv"));
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
