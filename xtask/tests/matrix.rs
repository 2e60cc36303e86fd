//! What a CI run does, on one machine: three checkouts, each for a target of its own, and one that merges
//! what they leave. The pipeline is the real one; cargo and Tauri's bundler are scripts, since two of
//! the targets want another system. A checkout is killed, a file damaged, a release missing.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::print_stdout, reason = "the process tells the test")]

#[path = "support/pipeline.rs"]
mod pipeline;
#[path = "support/project.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod project;

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use expect_test::expect;
use fs_err as fs;
use project::{KEY, PASSWORD, Project, wait_for};
use xtask::{
    engine::event::{Event, Reporter, Stamped},
    release::SigningWish,
    target::Target,
};
use xtask_practice::{
    specimens::{self, Kind},
    tools,
};

const WINDOWS: &str = "x86_64-pc-windows-msvc";
const MACOS: &str = "aarch64-apple-darwin";

/// As cargo: has built before, for whichever target.
const CARGO: &str = r#"#!/bin/bash
case "$*" in
"build "*windows*) host=small.exe;;
"build "*apple*) host=small-mac;;
"build "*) host=small;;
*) exec "$REAL_CARGO" "$@";;
esac
echo '{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"small"},"executable":"'$OWN/$host'"}'
"#;

/// As Tauri's bundler: packs what lies in cargo's target folder. The installer for Windows is none, but
/// what 7-Zip takes apart as one. It waits where the test is to kill it.
const BUNDLER: &str = r#"#!/usr/bin/env python3
import glob, os, plistlib, shutil, subprocess, sys, time, zipfile
if sys.argv[1:] == ["--version"]:
    sys.exit(print("tauri-cli 2.12.5"))
kind = sys.argv[sys.argv.index("--bundles") + 1]
triple = sys.argv[sys.argv.index("--target") + 1] if "--target" in sys.argv else ""
release = os.path.join(os.environ["CARGO_TARGET_DIR"], triple, "release")
if kind == "deb":
    tree = release + "/tree"
    os.makedirs(tree + "/usr/bin"), os.makedirs(tree + "/DEBIAN"), os.makedirs(release + "/bundle/deb")
    shutil.copy(release + "/small", tree + "/usr/bin")
    with open(tree + "/DEBIAN/control", "w") as control:
        control.write("Package: small\nVersion: 0.1.0\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: small\n")
    made = release + "/bundle/deb/small_0.1.0_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, made], check=True)
elif kind == "nsis":
    if os.path.exists(os.environ["OWN"] + "/hang"):
        open(os.environ["OWN"] + "/hangs", "w").close()
        time.sleep(60)
    os.makedirs(release + "/bundle/nsis")
    with zipfile.ZipFile(release + "/bundle/nsis/small_0.1.0_x64-setup.exe", "w") as setup:
        setup.write(release + "/small.exe", "small.exe")
else:
    contents = release + "/bundle/macos/small.app/Contents"
    os.makedirs(contents + "/MacOS")
    shutil.copy(release + "/small", contents + "/MacOS/small")
    info = {"CFBundleExecutable": "small", "CFBundleIdentifier": "com.example.small", "CFBundlePackageType": "APPL"}
    with open(contents + "/Info.plist", "wb") as file:
        plistlib.dump(info, file)
"#;

const CONFIG: &str = r#"[frontend]
enabled = false
[bundle]
cli = ["bundler"]
linux = ["deb"]
macos = ["app"]
[bundle.nsis]
bundler = "tauri"
[release]
targets = ["linux", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"]
[updater]
url = "https://example.org/{version}/{file}"
"#;

/// Says what each step does.
struct Said;

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        match &stamped.event {
            Event::StepStarted { step, why, .. } => println!("said: {step}: {why}"),
            Event::StepReused { step, .. } => println!("said: {step}: reused"),
            Event::StepFailed { failure, .. } => {
                let all = failure.chain.iter().chain(&failure.tail);
                all.for_each(|it| println!("said: failed: {it}"));
            }
            Event::Note { step, text, .. } if step.is_empty() => println!("said: {text}"),
            _ => {}
        }
    }
}

/// Not a test: a machine that builds for one target.
#[test]
#[ignore = "the other test starts it"]
fn machine() {
    let Some(target) = std::env::var_os("MATRIX_TARGET") else {
        return;
    };
    let target: Target = target.to_str().unwrap().parse().unwrap();
    let root = std::env::current_dir().unwrap();
    if let Err(error) = pipeline::dist(&root, &target, SigningWish::Any, Said) {
        println!("said: error: {error:#}");
        std::process::exit(1);
    }
}

/// A commit, with the tools that build it.
fn commit() -> Project {
    let mut project = Project::new();
    project.write("packaging/dist.toml", CONFIG);
    project.replace("src-tauri/tauri.conf.json", "../dist", "../src");
    project.commit("For three systems");
    let own = project.beside();
    let write = |name: &str, bytes: &[u8]| {
        let path = own.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("bin/cargo", CARGO.as_bytes());
    write("bin/bundler", BUNDLER.as_bytes());
    write("small", &fs::read("/bin/true").unwrap());
    write("small.exe", &specimens::pe());
    write("small-mac", &specimens::macho(Kind::Program, 1));
    let path = format!(
        "{}:{}",
        own.join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    project.set("PATH", path);
    project.set("OWN", own.to_str().unwrap());
    project.set("REAL_CARGO", env!("CARGO"));
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    project
}

/// Starts a machine in a checkout.
fn start(checkout: &Project, target: &str) -> Child {
    let like = checkout.command("");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "machine", "--nocapture"]);
    command.env_clear().current_dir(&checkout.root);
    let set = like
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).env("MATRIX_TARGET", target);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// What it said in the end.
fn ended(machine: Child) -> String {
    let output = machine.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().filter_map(|it| it.split_once("said: "));
    said.map(|it| format!("{}\n", it.1)).collect()
}

/// Puts the release where the job that merges finds it, as `upload-artifact` and `download-artifact` with
/// `merge-multiple` do: the folders below `dist/` stay, those of all jobs become one, and who may execute a
/// file is forgotten. Gives the folder of the target.
fn upload(checkout: &Project, target: &str, downloads: &Path) -> PathBuf {
    let release = Path::new("0.1.0").join(target);
    let (from, into) = (
        checkout.root.join("dist").join(&release),
        downloads.join(&release),
    );
    fs::create_dir_all(&into).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::write(
            into.join(entry.file_name()),
            fs::read(entry.path()).unwrap(),
        )
        .unwrap();
    }
    into
}

/// The archive of finished steps, of which a byte was lost on the way.
fn damaged_state_is_refused(machine: &Project, state: &Path) {
    let good = fs::read(state).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(state, bad).unwrap();
    let ran = machine.run(&format!(
        "state import --target {WINDOWS} {}",
        state.display()
    ));
    assert_eq!(ran.code, 1);
    let shown = ran.shown();
    assert!(shown.contains("is not imported"), "{shown}");
    assert!(
        shown.contains("hint: make another with `cargo xtask state export`"),
        "{shown}"
    );
    fs::write(state, good).unwrap();
}

fn merge(checkout: &Project, downloads: &Path) -> String {
    let ran = checkout.run(&format!("merge {}", downloads.display()));
    ran.shown()
        .replace(downloads.to_str().unwrap(), "[DOWNLOADS]")
}

#[test]
fn slow_three_machines_make_one_release() {
    if !tools::have(&["dpkg-deb", "python3", "7zz"]) {
        return;
    }
    let merging = commit();
    let own = merging.beside();
    let (linux, windows, macos) = (
        merging.clone_at("linux"),
        merging.clone_at("windows"),
        merging.clone_at("macos"),
    );
    fs::write(own.join("hang"), "").unwrap();
    let others = [start(&linux, "linux"), start(&macos, MACOS)];
    let mut killed = start(&windows, WINDOWS);
    wait_for("the bundler for Windows", || own.join("hangs").exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    for machine in others {
        assert!(ended(machine).contains("seal: it never ran here\n"));
    }
    let downloads = own.join("downloads");
    upload(&linux, "linux", &downloads);
    let for_macos = upload(&macos, MACOS, &downloads);
    expect![[r#"
        release  file  problem
        x86_64-pc-windows-msvc  -  is missing: `release.targets` has it; give its folder, or take it out of there
        NOT merged: 1 problem
        exit code 1
    "#]].assert_eq(&merge(&merging, &downloads));

    // The job is run again, on another machine.
    fs::remove_file(own.join("hang")).unwrap();
    let state = own.join("state.tar.gz");
    let carried = |what: &str| format!("state {what} --target {WINDOWS} {}", state.display());
    windows.succeed(&carried("export"));
    let again = merging.clone_at("again");
    damaged_state_is_refused(&again, &state);
    again.succeed(&carried("import"));
    expect![[r#"
        app: reused
        sign-code: reused
        bundle: it never ran here
        sign-installers: it never ran here
        archive: it never ran here
        seal: it never ran here
    "#]]
    .assert_eq(&ended(start(&again, WINDOWS)));
    // On the same one it goes on, too.
    expect![[r#"
        ended 1 process group(s) that a killed run left behind
        app: reused
        sign-code: reused
        bundle: it never ran here
        sign-installers: it never ran here
        archive: it never ran here
        seal: it never ran here
    "#]]
    .assert_eq(&ended(start(&windows, WINDOWS)));
    upload(&again, WINDOWS, &downloads);

    let app = for_macos.join("small_0.1.0_aarch64.app.tar.gz");
    let good = fs::read(&app).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&app, bad).unwrap();
    expect![[r#"
        release  file  problem
        aarch64-apple-darwin  small_0.1.0_aarch64.app.tar.gz  archive: its end is damaged: corrupt gzip stream does not have a matching checksum, expected can be unpacked
        aarch64-apple-darwin  small_0.1.0_aarch64.app.tar.gz  contents: small.app/Contents/MacOS/small: [HASH]…, expected [HASH]…
        aarch64-apple-darwin  small_0.1.0_aarch64.app.tar.gz  sha256: [HASH]…, expected [HASH]…
        aarch64-apple-darwin  small_0.1.0_aarch64.app.tar.gz.minisig  minisign: not this key's signature of this file, or one of them changed, expected good signature
        aarch64-apple-darwin  small_0.1.0_aarch64.app.tar.gz.sig  tauri-updater: not this key's signature of this file, or one of them changed, expected good signature
        NOT merged: 5 problems
        exit code 1
    "#]].assert_eq(&merge(&merging, &downloads));
    assert!(!merging.root.join("dist").exists(), "something was written");

    fs::write(&app, good).unwrap();
    expect![[r#"
        merged: [ROOT]/dist/0.1.0/merged
        target  triple  files
        aarch64-apple-darwin  aarch64-apple-darwin  small-0.1.0-aarch64-apple-darwin.tar.gz, small_0.1.0_aarch64.app.tar.gz
        x86_64-pc-windows-msvc  x86_64-pc-windows-msvc  small-0.1.0-x86_64-pc-windows-msvc.zip, small_0.1.0_x64-setup.exe
        linux  [TRIPLE]  small-0.1.0-[TRIPLE].tar.gz, small_0.1.0_[ARCH].deb

        platform  is updated with
        darwin-aarch64  small_0.1.0_aarch64.app.tar.gz
        darwin-aarch64-app  small_0.1.0_aarch64.app.tar.gz
        linux-x86_64  small_0.1.0_[ARCH].deb
        linux-x86_64-deb  small_0.1.0_[ARCH].deb
        windows-x86_64  small_0.1.0_x64-setup.exe
        windows-x86_64-nsis  small_0.1.0_x64-setup.exe
        note: self-attested: no trusted key given, checked with the manifest's own
        note: gap: aarch64-apple-darwin: not signed for macOS: no certificate is set
        note: gap: aarch64-apple-darwin: small.app: not notarized, it is not signed
        note: gap: x86_64-pc-windows-msvc: not signed for Windows (Authenticode): no certificate is set
        verified: 7 files, 88 checks passed, self-attested release key [KEY]
        next: cargo xtask verify dist/0.1.0/merged
        exit code 0
    "#]].assert_eq(&merge(&merging, &downloads));
    let verified = merging.succeed("verify dist/0.1.0/merged --format json");
    let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap().iter();
    let updates =
        rows.filter(|it| it["file"] == "latest.json" && it["expected"] == "good signature");
    let updates: Vec<&str> = updates.map(|it| it["check"].as_str().unwrap()).collect();
    expect![[r#"
        darwin-aarch64
        darwin-aarch64-app
        linux-x86_64
        linux-x86_64-deb
        windows-x86_64
        windows-x86_64-nsis"#]]
    .assert_eq(&updates.join("\n"));
}
