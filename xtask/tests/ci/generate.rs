//! `ci generate` and `ci matrix`.

use std::path::Path;

use clap::Parser as _;
use expect_test::{Expect, expect};
use xtask::{ci, cli::Cli, config};

use super::world::World;

/// Nothing but what is found.
pub const SIDECAR: &str = "[[sidecar]]\nname = 'py'\n";

pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The files of this repository, as they would be generated.
pub fn own() -> Vec<ci::Generated> {
    ci::files(&config::load(repository(), None).unwrap()).unwrap()
}

#[test]
fn the_workflows_of_this_repository_are_as_generated() {
    for file in own() {
        let state = file.state(repository()).unwrap();
        assert_eq!(
            state,
            ci::State::Same,
            "{}: run `cargo xtask ci generate`",
            file.path
        );
    }
}

/// A renamed option would be noticed when a release fails.
#[test]
fn every_command_in_the_workflows_is_one() {
    let mut seen = 0;
    for file in own() {
        let text = file.text.replace("\n          --", " --");
        for line in text.lines().filter_map(|it| it.split_once("cargo xtask ")) {
            if line.0.contains('#') {
                continue;
            }
            let command = line
                .1
                .split('#')
                .next()
                .unwrap()
                .replace("\"$TARGET\"", "linux")
                .replace("\"$RELEASES\"", "dist");
            let words: Vec<&str> = command.split_whitespace().collect();
            seen += 1;
            let parsed = Cli::try_parse_from(["xtask"].iter().chain(&words));
            parsed.unwrap_or_else(|error| panic!("{command}: {error}"));
        }
    }
    assert!(seen > 8, "{seen}");
}

/// What happens to the files, from their state before.
#[track_caller]
fn check(world: &World, words: &[&str], code: i32, expected: Expect) {
    let (ended, stdout, stderr) = world.run(&[&["ci", "generate"], words].concat());
    // Diffs hold most of the files, whose looks are another test's business, as the notes are.
    let mut shown: String = stdout
        .lines()
        .filter(|it| !it.starts_with([' ', '+', '-', '@']) || it.contains("timeout"))
        .filter(|it| !it.starts_with("note: "))
        .map(|it| format!("{it}\n"))
        .collect();
    shown += &stderr;
    expected.assert_eq(&shown);
    assert_eq!(ended, code);
}

#[test]
fn what_was_edited_is_not_overwritten() {
    let world = World::new(SIDECAR);
    check(
        &world,
        &["--check"],
        1,
        expect![[r#"
        .github/workflows/ci.yml is missing
        .github/workflows/release.yml is missing
        next: cargo xtask ci generate
    "#]],
    );
    check(
        &world,
        &[],
        0,
        expect![[r#"
        .github/workflows/ci.yml was missing: written
        .github/workflows/release.yml was missing: written
    "#]],
    );
    check(
        &world,
        &[],
        0,
        expect![[r#"
        .github/workflows/ci.yml is up to date
        .github/workflows/release.yml is up to date
    "#]],
    );
    // Git on Windows changes the ends of lines, which is no edit.
    let text = world.read(ci::CI);
    world.write(ci::CI, &text.replace('\n', "\r\n"));
    check(
        &world,
        &["--check"],
        0,
        expect![[r#"
        .github/workflows/ci.yml is up to date
        .github/workflows/release.yml is up to date
    "#]],
    );
    // Another configuration: not edited, so that it is written.
    world.write(
        "packaging/dist.toml",
        &format!("{SIDECAR}[ci]\ntimeout = '90m'\nchecks = ['dist']\n"),
    );
    check(
        &world,
        &["--check"],
        1,
        expect![[r#"
            .github/workflows/ci.yml is not what the configuration says now
            -    timeout-minutes: 180
            -    timeout-minutes: 180
            +    timeout-minutes: 90
            .github/workflows/release.yml is not what the configuration says now
            -    timeout-minutes: 180
            +    timeout-minutes: 90
            -    timeout-minutes: 180
            +    timeout-minutes: 90
            -    timeout-minutes: 180
            +    timeout-minutes: 90
            -    timeout-minutes: 180
            +    timeout-minutes: 90
            next: cargo xtask ci generate
        "#]],
    );
    check(
        &world,
        &[],
        0,
        expect![[r#"
        .github/workflows/ci.yml was outdated: written
        .github/workflows/release.yml was outdated: written
    "#]],
    );
    // One that somebody edited keeps the other one from being written, too.
    let text = world
        .read(ci::RELEASE)
        .replace("timeout-minutes: 90", "timeout-minutes: 91 # edited");
    world.write(ci::RELEASE, &text);
    world.write("packaging/dist.toml", SIDECAR);
    check(
        &world,
        &[],
        1,
        expect![[r#"
            .github/workflows/ci.yml is not what the configuration says now
            +    timeout-minutes: 180
            -    timeout-minutes: 90
            +    timeout-minutes: 180
            .github/workflows/release.yml was written or edited by hand
            -    timeout-minutes: 91 # edited
            +    timeout-minutes: 180
            -    timeout-minutes: 91 # edited
            +    timeout-minutes: 180
            -    timeout-minutes: 91 # edited
            +    timeout-minutes: 180
            -    timeout-minutes: 91 # edited
            +    timeout-minutes: 180
            next: cargo xtask ci generate --force, to lose what was edited
        "#]],
    );
    assert_eq!(world.read(ci::RELEASE), text);
    check(
        &world,
        &["--force"],
        0,
        expect![[r#"
        .github/workflows/ci.yml was outdated: written
        .github/workflows/release.yml was edited: written
    "#]],
    );
    check(
        &world,
        &["--check"],
        0,
        expect![[r#"
        .github/workflows/ci.yml is up to date
        .github/workflows/release.yml is up to date
    "#]],
    );
}

#[test]
fn a_program_reads_what_was_done() {
    let world = World::new(&format!("{SIDECAR}{PINNED}"));
    let (_, missing, _) = world.run(&["ci", "generate", "--check", "--format", "json"]);
    let (_, written, _) = world.run(&["ci", "generate", "--format", "json"]);
    let (_, matrix, _) = world.run(&["ci", "matrix"]);
    expect![[r#"
        {"files":[{"diff":"","path":".github/workflows/ci.yml","state":"missing"},{"diff":"","path":".github/workflows/release.yml","state":"missing"}],"next":"cargo xtask ci generate","notes":[".github/workflows/release.yml will sign and not publish: it checks the signatures against a public key that is known besides the release, and neither `public-key` in `[sign.minisign]` nor `plugins.updater.pubkey` of the Tauri configuration names one; keep the public half in a file of the repository, and name it: `public-key = \"packaging/minisign.pub\"` in `[sign.minisign]` of packaging/dist.toml"],"ok":false}
        {"files":[{"diff":"","path":".github/workflows/ci.yml","state":"written"},{"diff":"","path":".github/workflows/release.yml","state":"written"}],"next":null,"notes":[".github/workflows/release.yml will sign and not publish: it checks the signatures against a public key that is known besides the release, and neither `public-key` in `[sign.minisign]` nor `plugins.updater.pubkey` of the Tauri configuration names one; keep the public half in a file of the repository, and name it: `public-key = \"packaging/minisign.pub\"` in `[sign.minisign]` of packaging/dist.toml"],"ok":true}
        {"include":[{"target":"x86_64-unknown-linux-gnu","os":"linux","runner":"ubuntu-24.04"},{"target":"x86_64-pc-windows-msvc","os":"windows","runner":"windows-2025"},{"target":"aarch64-apple-darwin","os":"macos","runner":"macos-15"},{"target":"x86_64-apple-darwin","os":"macos","runner":"macos-15-intel"}]}
    "#]].assert_eq(&format!("{missing}{written}{matrix}"));
}

/// All versions are named.
const PINNED: &str = "[ci]\nrust = '1.95.0'\nnode = '22'\npython = '3.12'\n";

/// What the workflows will stumble over is told at once.
#[test]
fn what_only_a_person_can_mend() {
    let notes = |dist: &str, files: &[(&str, &str)], expected: Expect| {
        let world = World::new(&format!("{SIDECAR}{dist}"));
        let files = files.iter();
        files.for_each(|(path, text)| world.write(path, text));
        let (code, stdout, stderr) = world.run(&["ci", "generate"]);
        assert_eq!((code, &*stderr), (0, ""));
        let notes = stdout.lines().filter(|it| it.starts_with("note: "));
        expected.assert_eq(&notes.map(|it| format!("{it}\n")).collect::<String>());
    };
    let key = "[sign.minisign]\npublic-key = 'minisign.pub'\n";
    let public = (
        "minisign.pub",
        include_str!("../fixtures/tauri-signer.key.pub"),
    );
    notes(
        PINNED,
        &[],
        expect![[r#"
        note: .github/workflows/release.yml will sign and not publish: it checks the signatures against a public key that is known besides the release, and neither `public-key` in `[sign.minisign]` nor `plugins.updater.pubkey` of the Tauri configuration names one; keep the public half in a file of the repository, and name it: `public-key = "packaging/minisign.pub"` in `[sign.minisign]` of packaging/dist.toml
    "#]],
    );
    notes(&format!("{PINNED}{key}"), &[public], expect![[""]]);
    notes(
        key,
        &[public],
        expect![[r#"
        note: .github/workflows/release.yml takes what is newest on its day: Rust stable, Python 3.x; a second run of one tag may make something else; name versions: `rust`, `node`, `python` in `[ci]` of packaging/dist.toml, `packageManager` in package.json
    "#]],
    );
    let others = [
        public,
        ("package.json", r#"{"scripts": {"build": "true"}}"#),
        ("pnpm-lock.yaml", ""),
        ("rust-toolchain.toml", "[toolchain]\nchannel = '1.95.0'\n"),
    ];
    notes(
        &format!("[frontend]\npackage-manager = 'pnpm'\n{key}"),
        &others,
        expect![[r#"
            note: .github/workflows/release.yml takes what is newest on its day: Node.js lts/*, Python 3.x, pnpm latest; a second run of one tag may make something else; name versions: `rust`, `node`, `python` in `[ci]` of packaging/dist.toml, `packageManager` in package.json
        "#]],
    );
}

/// What `dist` expects to find is there before it, with everything that is checked out.
#[test]
fn what_comes_before() {
    let before = "[release]\ntargets = ['macos']\n[ci]\nbefore = ['cd helper', 'make TARGET=$TARGET']\n\
                  [[ci.target]]\nname = 'macos'\nsecrets = ['NPM_TOKEN']\n";
    let world = World::new(&format!("{before}{SIDECAR}"));
    world.write(".gitmodules", "[submodule \"helper\"]\n");
    let (code, _, stderr) = world.run(&["ci", "generate"]);
    assert_eq!((code, &*stderr), (0, ""));
    let mut shown = String::new();
    for file in [ci::CI, ci::RELEASE] {
        let text = world.read(file);
        for (at, _) in text.match_indices("      - name: Make what dist expects") {
            let step: Vec<&str> = text[at..].split("      - ").collect();
            let next = step[2].lines().find(|it| it.contains("run: "));
            shown += &format!("{}      -> {}\n", step[1], next.unwrap().trim());
        }
        let jobs = text.matches("actions/checkout").count();
        assert_eq!(
            text.matches("submodules: recursive").count(),
            jobs,
            "{text}"
        );
    }
    expect![[r#"
        name: Make what dist expects
                shell: bash
                run: |
                  cd helper
                  make TARGET=$TARGET
                env:
                  TARGET: x86_64-unknown-linux-gnu

              -> run: cargo xtask test --setup
        name: Make what dist expects
                shell: bash
                run: |
                  cd helper
                  make TARGET=$TARGET
                env:
                  TARGET: ${{ matrix.target }}

              -> run: cargo xtask dist --setup --target "$TARGET" --unsigned
        name: Make what dist expects
                shell: bash
                run: |
                  cd helper
                  make TARGET=$TARGET
                env:
                  TARGET: aarch64-apple-darwin
                  NPM_TOKEN: ${{ secrets.NPM_TOKEN }}

              # Packages and their scripts run here, and find no key.
              -> run: cargo xtask dist --setup --target aarch64-apple-darwin --unsigned --until sidecar
    "#]].assert_eq(&shown);
}

/// Which secrets the job of a target gets: lines of the form `job: secrets`.
#[track_caller]
fn secrets(dist: &str, expected: Expect) {
    let world = World::new(&format!("{SIDECAR}{dist}"));
    world.write("azure.json", "{}");
    let (code, _, stderr) = world.run(&["ci", "generate"]);
    assert_eq!(code, 0, "{stderr}");
    let mut shown = String::new();
    for line in world.read(ci::RELEASE).lines() {
        if let Some(job) = line
            .strip_prefix("  ")
            .filter(|it| it.ends_with(':') && !it.starts_with([' ', '#']))
        {
            shown += &format!("\n{job}");
        }
        if let Some((_, name)) = line.split_once("${{ secrets.") {
            shown += &format!(" {}", name.trim_end_matches(" }}"));
        }
    }
    expected.assert_eq(&shown);
}

#[test]
fn a_job_has_the_secrets_that_it_needs() {
    secrets(
        "",
        expect![[r#"

            push:
            x86_64-unknown-linux-gnu: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD
            x86_64-pc-windows-msvc: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD WIN_CSC_LINK WIN_CSC_KEY_PASSWORD
            aarch64-apple-darwin: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD APPLE_CERTIFICATE APPLE_CERTIFICATE_PASSWORD APPLE_API_KEY APPLE_API_ISSUER APPLE_API_KEY_PATH
            x86_64-apple-darwin: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD APPLE_CERTIFICATE APPLE_CERTIFICATE_PASSWORD APPLE_API_KEY APPLE_API_ISSUER APPLE_API_KEY_PATH
            merge: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD
            publish:"#]],
    );
    secrets(
        "[[ci.target]]\nname = 'windows'\n[[ci.target]]\nname = 'macos'\n\
         [sign.windows.azure]\ndlib = 'x.dll'\nmetadata = 'azure.json'\n\
         [sign.macos]\nnotarize = false\ncertificate-env = 'MAC_CERT'\n\
         [sign.gpg]\nkey = '0123456789ABCDEF0123456789ABCDEF01234567'\n",
        expect![[r#"

            push:
            x86_64-pc-windows-msvc: GPG_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD GPG_PASSPHRASE AZURE_TENANT_ID AZURE_CLIENT_ID AZURE_CLIENT_SECRET
            aarch64-apple-darwin: GPG_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD GPG_PASSPHRASE MAC_CERT APPLE_CERTIFICATE_PASSWORD
            merge: GPG_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD GPG_PASSPHRASE
            publish:"#]],
    );
    secrets(
        "[[ci.target]]\nname = 'windows'\nsecrets = ['NPM_TOKEN']\n\
         [sign.windows]\ncommand = ['hsm', '%1']\ncommand-env = ['HSM_TOKEN']\n",
        expect![[r#"

            push:
            x86_64-pc-windows-msvc: NPM_TOKEN TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD HSM_TOKEN NPM_TOKEN
            merge: TAURI_SIGNING_PRIVATE_KEY TAURI_SIGNING_PRIVATE_KEY_PASSWORD
            publish:"#]],
    );
}

/// What starts a release, by the form of its tags.
#[test]
fn tags_that_start_a_release() {
    let check = |dist: &str, expected: &str| {
        let world = World::new(dist);
        let (code, _, stderr) = world.run(&["ci", "generate"]);
        assert_eq!(code, 0, "{stderr}");
        let text = world.read(ci::RELEASE);
        let line = text.lines().find(|it| it.contains("tags:")).unwrap();
        assert_eq!(line.trim(), expected);
    };
    check("", r#"tags: ["v[0-9]*", "[0-9]*"]"#);
    let form = |form: &str| format!("[release]\ntag = '{form}'\n");
    check(&form("app-v{version}"), r#"tags: ["app-v[0-9]*"]"#);
    check(&form("c++/{version}-x"), r#"tags: ["c\\+\\+/[0-9]*-x"]"#);
}

/// The targets and their machines, from as little as can be said.
#[test]
fn one_list_of_targets() {
    let check = |dist: &str, expected: Expect| {
        let world = World::new(dist);
        let (_, stdout, stderr) = world.run(&["ci", "matrix"]);
        let rows = stdout.replace("},{", "}\n{").replace("{\"include\":[", "");
        expected.assert_eq(&format!("{}{stderr}", rows.replace("]}", "")));
    };
    check(
        "[release]\ntargets = ['linux', 'windows']\n",
        expect![[r#"
        {"target":"x86_64-unknown-linux-gnu","os":"linux","runner":"ubuntu-24.04"}
        {"target":"x86_64-pc-windows-msvc","os":"windows","runner":"windows-2025"}
    "#]],
    );
    check(
        "[[ci.target]]\nname = 'linux'\nrunner = 'own'\n",
        expect![[r#"
            {"target":"x86_64-unknown-linux-gnu","os":"linux","runner":"own"}
        "#]],
    );
    check(
        "[release]\ntargets = ['linux']\n[[ci.target]]\nname = 'windows'\n",
        expect![[r#"
            error: `[[ci.target]]` describes the job of windows, but `release.targets` is x86_64-unknown-linux-gnu
              hint: add x86_64-pc-windows-msvc to `targets` of `[release]`, or take its `[[ci.target]]` away
        "#]],
    );
    let world = World::new("[ci]\ntest-on = ['aarch64-pc-windows-msvc']\n");
    let (_, _, stderr) = world.run(&["ci", "generate"]);
    expect![[r#"
        error: `test-on` of `[ci]` names aarch64-pc-windows-msvc, but no job makes aarch64-pc-windows-msvc
          hint: name a target of `release.targets`
    "#]].assert_eq(&stderr);
}

/// Names of a repository that mean something to YAML or to an expression.
#[test]
fn odd_names_stay_names() {
    let world = World::new("[frontend]\ndir = \"it's: #1\"\n");
    world.write("it's: #1/package.json", r#"{"scripts": {"build": "true"}}"#);
    world.write("it's: #1/yarn.lock", "");
    let (code, _, stderr) = world.run(&["ci", "generate"]);
    assert_eq!(code, 0, "{stderr}");
    let text = world.read(ci::CI);
    let line = text.lines().find(|it| it.contains("packages-$")).unwrap();
    expect![[r#"key: "packages-${{ runner.os }}-${{ hashFiles('it''s: #1/yarn.lock') }}""#]]
        .assert_eq(line.trim());
    let outside = World::new("[release]\ndir = '../out'\n");
    let (code, _, stderr) = outside.run(&["ci", "generate"]);
    assert_eq!(code, 1);
    expect![[r#"
        error: the configuration has a problem

          packaging/dist.toml:2:7: `../out` is not a path further down: no leading `/`, no `..`
            |
          2 | dir = '../out'
            |       ^^^^^^^^
    "#]]
    .assert_eq(&stderr.replace(&*outside.root.to_string_lossy(), "…"));
}

#[test]
fn words_that_would_break_a_workflow_are_refused() {
    let world = World::new("[ci]\nrust = '1.95; reboot'\nnode = \"22\\\"\"\nenvironment = 'a b'\n");
    let (code, _, stderr) = world.run(&["ci", "generate"]);
    assert_eq!(code, 1);
    expect![[r#"
        error: the configuration has 3 problems

          packaging/dist.toml:2:8: `1.95; reboot` is not a name of letters, digits, `.`, `_` and `-`
            |
          2 | rust = '1.95; reboot'
            |        ^^^^^^^^^^^^^^

          packaging/dist.toml:3:8: `22"` is not a version, such as `1.95.0`, `22` or `lts/*`
            |
          3 | node = "22\""
            |        ^^^^^^

          packaging/dist.toml:4:15: `a b` is not a name of letters, digits, `.`, `_` and `-`
            |
          4 | environment = 'a b'
            |               ^^^^^
    "#]]
    .assert_eq(&stderr);
}
