//! What goes wrong: each failure says what, why and what to type next, and nothing is lost.

use expect_test::expect;
use fs_err as fs;

use super::{
    check, check_steps,
    project::{Project, files_below},
};

/// The script's own words reach the reader, and the same command goes on once it is mended.
#[test]
fn a_failing_build_script_is_shown_and_resumed() {
    let project = Project::new();
    let build = project.read("build.mjs");
    project.write(
        "build.mjs",
        "console.log('no such colour'); process.exit(3);",
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
            app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
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
    let shown = project.run("dist --until frontend").shown();
    let failure = shown.split("\n\n").last().unwrap_or_default();
    let without_output = failure.lines().filter(|it| !it.starts_with("  | "));
    expect![[r#"
        frontend failed: the packages of [ROOT]/package-lock.json cannot be installed
          cause: `npm` failed: exit status: 1
          $ npm ci --no-audit --no-fund
          exit status: 1
          log: [ROOT]/target/dist/linux/logs/frontend.log
          hint: if it does not fit package.json, run `npm install` there and commit it
          resume: cargo xtask dist --until frontend
        exit code 1"#]]
    .assert_eq(&without_output.collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_unknown_target_and_a_foreign_one() {
    let project = Project::built();
    check(
        project.run("dist --target plan9"),
        expect![[r#"
        error: `plan9` is no target
          hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such as [TRIPLE]
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
        project.run("dist --target macos"),
        expect![[r#"
        no step was reached in [TIME]

        error: something that this needs is missing
          tool  found  needed for  fix
          target macos  cannot be built on Linux  app  run `cargo xtask dist --target macos` on macOS

          By hand:
            run `cargo xtask dist --target macos` on macOS
        exit code 1
    "#]],
    );
}

#[test]
fn damage_is_repaired() {
    let project = Project::built();
    let state = project.root.join("target/dist/linux");
    fs::remove_file(state.join("stages/app/small")).unwrap();
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
    fs::write(&sums, "nothing").unwrap();
    fs::write(project.release().join("stray"), "").unwrap();
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
    fs::remove_file(project.product(".deb")).unwrap();
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
    fs::write(project.release().join("stray"), "").unwrap();
    project.succeed("dist");
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
    for file in files_below(&state) {
        if file
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("journal")
        {
            fs::write(file, "damage").unwrap();
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
}
