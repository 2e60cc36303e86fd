//! The steps of the pipeline for macOS, over files as a build leaves them, with stand-ins for Tauri's
//! bundler and hdiutil. What they need of the environment, a process of its own has.
#![allow(clippy::print_stdout, reason = "the process tells the test")]

use std::path::{Path, PathBuf};

use anyhow::Result;
use expect_test::{Expect, expect};
use fs_err as fs;
use serde_json::json;
use xtask::{
    config,
    engine::{
        artifact::collect,
        event::{Event, Events, Reporter, Stamped},
        files::StatCache,
        probe::Probes,
        secret::Redactor,
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::{Release, SigningWish},
    steps::{
        app::Host, bundle::Bundle, notarize::Notarize, sidecar::Frozen, sign_code::SignCode,
        sign_installers::SignInstallers,
    },
};
use xtask_practice::specimens::{self, Kind, macho};

use super::{NO_PROBLEMS, frozen, mac::Mac, project};

/// As Tauri's: makes the app of what lies in cargo's target folder and of what the configuration
/// names.
pub(super) const BUNDLER: &str = r#"#!/usr/bin/env python3
import json, os, plistlib, shutil, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("tauri-cli 2.12.5"))
config = json.loads(sys.argv[sys.argv.index("--config") + 1])
triple = sys.argv[sys.argv.index("--target") + 1]
kind = sys.argv[sys.argv.index("--bundles") + 1]
assert "--no-sign" in sys.argv and kind in ("app", os.environ.get("PRACTICE_KIND"))
release = os.path.join(os.environ["CARGO_TARGET_DIR"], triple, "release")
contents = os.path.join(release, "bundle/macos/small.app/Contents")
os.makedirs(contents + "/MacOS")
shutil.copy(release + "/small", contents + "/MacOS/small")
for path in config["bundle"].get("externalBin") or []:
    shutil.copy(path + "-" + triple, contents + "/MacOS/" + os.path.basename(path))
for to, path in config["bundle"].get("macOS", {}).get("files", {}).items():
    copy = shutil.copytree if os.path.isdir(path) else shutil.copy
    os.makedirs(os.path.dirname(contents + "/" + to), exist_ok=True)
    copy(path, contents + "/" + to, **({"symlinks": True} if os.path.isdir(path) else {}))
info = {"CFBundleExecutable": "small", "CFBundleIdentifier": "org.example.small", "CFBundlePackageType": "APPL"}
with open(contents + "/Info.plist", "wb") as file:
    plistlib.dump(info, file)
if kind == "dmg":
    # No disk image, but what 7-Zip takes apart as one.
    os.makedirs(release + "/bundle/dmg")
    packed = shutil.make_archive(release + "/image", "zip", release + "/bundle/macos")
    os.rename(packed, release + "/bundle/dmg/small_0.1.0_aarch64.dmg")
"#;

/// As macOS': keeps what it was given, and is busy the first time.
pub(super) const HDIUTIL: &str = r#"#!/bin/sh
if [ ! -e "$PRACTICE_FOLDER/busy" ]; then
    touch "$PRACTICE_FOLDER/busy"
    echo "hdiutil: create failed - Resource busy" >&2
    exit 1
fi
while [ "$1" != -srcfolder ]; do shift; done
cp -R "$2" "$PRACTICE_FOLDER/packed"
cp "$PRACTICE_FOLDER/image" "$3"
"#;

pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Says what the steps say, and that commands ran.
struct Said;

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        match &stamped.event {
            Event::Fact { key, value, .. } => println!("said: {key}: {value}"),
            Event::Note { text, .. } => println!("said: note: {text}"),
            _ => {}
        }
    }
}

/// Files in a folder, as a step leaves them.
fn done<T>(folder: PathBuf, step: &str, output: T) -> Done<T> {
    let cache = StatCache::open(PathBuf::new(), true, xtask::engine::exec::quiet);
    Done {
        step: step.to_owned(),
        artifacts: collect(&folder, &cache).unwrap(),
        output,
        folder,
    }
}

fn run<S: Step>(cx: &Context, step: &S, place: &Path) -> Result<Done<S::Output>> {
    println!("said: [{}]", S::ID);
    let out = Staging::create(&place.join("staging"), S::ID)?;
    step.inputs(cx)?;
    let output = step.run(cx, &out)?;
    let stage = place.join("stages").join(S::ID);
    out.publish(&stage)?;
    Ok(done(stage, S::ID, output))
}

fn steps(root: &Path) -> Result<()> {
    let config = config::load(root, None)?;
    let (state, probes) = (root.join("target/dist/macos"), Probes::open(PathBuf::new()));
    let target = "aarch64-apple-darwin".parse()?;
    let redactor = Redactor::default();
    let release = Release::new(
        config,
        target,
        SigningWish::Release,
        &state,
        &probes,
        &redactor,
    )?;
    release.refuse_for_publishing(true, false)?;
    assert_eq!(release.gaps(), NO_PROBLEMS);
    let folder: Frozen = serde_json::from_value(json!({
        "name": "x", "executable": "x/x", "folder": "x", "freezer": "pyinstaller",
        "because": null, "layout": "folder", "version": null,
    }))?;
    let one_file: Frozen = serde_json::from_value(json!({
        "name": "y", "executable": "y", "freezer": "nuitka",
        "because": null, "layout": "onefile", "version": null,
    }))?;
    let host = Host {
        main: "small".to_owned(),
        others: Vec::new(),
        libraries: Vec::new(),
    };
    let app = done(root.join("built/app"), "app", host);
    let sidecars = [
        done(root.join("built/x"), "sidecar:x", folder),
        done(root.join("built/y"), "sidecar:y", one_file),
    ];
    let events = Events::new(vec![Box::new(Said)]);
    let work = |cx: &Context| -> Result<()> {
        let place = root.join("target/steps");
        let code = run(cx, &SignCode::new(&release, app.clone(), &sidecars), &place)?;
        let bundles = run(cx, &Bundle::new(&release, &code, None), &place)?;
        let noted = run(cx, &Notarize::new(&release, bundles), &place)?;
        let signed = run(cx, &SignInstallers::new(&release, noted), &place)?;
        for artifact in &signed.artifacts {
            println!("said: {}", artifact.path);
        }
        for it in &signed.output.installers {
            let inside: Vec<_> = it.installer.contents.iter().map(|it| &*it.path).collect();
            let kinds: Vec<_> = it.signatures.iter().map(|it| it.kind.as_str()).collect();
            println!("said: {}: {inside:?} {kinds:?}", it.installer.file);
        }
        Ok(())
    };
    frozen::in_session(root, events, &Default::default(), work)
}

/// Not a test: the process that has the environment.
#[test]
#[ignore = "only for the other test"]
fn steps_for_macos() {
    let Some(root) = std::env::var_os("PRACTICE_ROOT") else {
        return;
    };
    if let Err(error) = steps(Path::new(&root)) {
        println!("said: error: {error:#}");
        std::process::exit(1);
    }
}

/// What the steps say.
fn child(mac: &Mac, release: bool) -> String {
    let beside = mac.project.beside();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--ignored",
            "--exact",
            "pipeline::steps_for_macos",
            "--nocapture",
        ])
        .envs(
            mac.project
                .variables
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .env("PRACTICE_ROOT", &mac.project.root)
        .env("PRACTICE_FOLDER", &beside)
        .env_remove("GITHUB_TOKEN");
    let path = mac
        .project
        .variables
        .iter()
        .find(|it| it.0 == "PATH")
        .unwrap();
    command.env(
        "PATH",
        format!("{}:{}", beside.join("bin").display(), path.1),
    );
    if release {
        command.env("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
        command.env("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|it| it.split_once("said: "));
    let said: String = lines.map(|it| format!("{}\n", it.1)).collect();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

fn check(mac: &Mac, said: &str, expected: Expect) {
    let mut text = said.to_owned();
    for it in mac.notary.submissions().unwrap() {
        text = text.replace(&it.id, "[ID]");
    }
    let fingerprint = |word: &str| word.trim_end_matches([')', ',']).len() == 64;
    let words = |line: &str| {
        let words: Vec<_> = line
            .split(' ')
            .map(|it| if fingerprint(it) { "[SHA256]" } else { it })
            .collect();
        words.join(" ")
    };
    let lines: Vec<_> = text.lines().map(words).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn slow_the_steps_come_in_the_order_of_the_bytes() {
    let Some(mac) = Mac::new() else { return };
    let (root, beside) = (mac.project.root.clone(), mac.project.beside());
    write(&beside.join("bin/bundler"), BUNDLER, 0o755);
    write(&beside.join("bin/hdiutil"), HDIUTIL, 0o755);
    write(&beside.join("image"), specimens::dmg(), 0o644);
    let text = mac.project.read("packaging/dist.toml");
    let (_, rest) = text.split_once("[sign.macos]").unwrap();
    mac.project.write(
        "packaging/dist.toml",
        format!("[bundle]\ncli = [\"bundler\"]\n[sign.macos]{rest}"),
    );
    write(
        &root.join("built/app/small"),
        macho(Kind::Program, 1),
        0o755,
    );
    write(&root.join("built/x/x/x"), macho(Kind::Program, 2), 0o755);
    write(
        &root.join("built/x/x/lib.so"),
        macho(Kind::Library, 3),
        0o644,
    );
    write(&root.join("built/y/y"), macho(Kind::Program, 4), 0o755);
    let said = child(&mac, true);
    check(
        &mac,
        &said,
        expect![[r#"
        [sign-code]
        entitlement of y: com.apple.security.cs.disable-library-validation: a sidecar in one file unpacks its libraries when it starts, with other signatures than its own; under the hardened runtime macOS would refuse to load them
        signature: Apple code signature by Practice Publisher (certificate [SHA256] 4 signatures
        [bundle]
        entitlement of Contents/MacOS/y: com.apple.security.cs.disable-library-validation: a sidecar in one file unpacks its libraries when it starts, with other signatures than its own; under the hardened runtime macOS would refuse to load them
        signature: Apple code signature by Practice Publisher (certificate [SHA256] 4 signatures
        entitlement of Contents/MacOS/y: com.apple.security.cs.disable-library-validation: a sidecar in one file unpacks its libraries when it starts, with other signatures than its own; under the hardened runtime macOS would refuse to load them
        signature: Apple code signature by Practice Publisher (certificate [SHA256] 4 signatures
        note: hdiutil found the image busy; again in 1 s
        signature: Apple code signature by Practice Publisher (certificate [SHA256] 1 signatures
        [notarize]
        notarization of small.app: accepted as [ID], the ticket is attached
        notarization of small_0.1.0_aarch64.dmg: accepted as [ID], the ticket is attached
        [sign-installers]
        identity: release
        small_0.1.0_aarch64.app.tar.gz
        small_0.1.0_aarch64.app.tar.gz.minisig
        small_0.1.0_aarch64.app.tar.gz.sig
        small_0.1.0_aarch64.dmg
        small_0.1.0_aarch64.dmg.minisig
        small_0.1.0_aarch64.dmg.sig
        small_0.1.0_aarch64.app.tar.gz: ["small.app/Contents/MacOS/small", "small.app/Contents/MacOS/y", "small.app/Contents/Resources/sidecars/x/x"] ["apple", "minisign", "tauri-updater"]
        small_0.1.0_aarch64.dmg: ["small.app/Contents/MacOS/small", "small.app/Contents/MacOS/y", "small.app/Contents/Resources/sidecars/x/x"] ["apple", "minisign", "tauri-updater"]
    "#]],
    );
    // The image holds the app as it was signed, and carries the ticket.
    let packed = beside.join("packed/small.app");
    assert_eq!(mac.signature(&packed).problems, NO_PROBLEMS);
    let link = fs::read_link(beside.join("packed/Applications")).unwrap();
    assert_eq!(link, Path::new("/Applications"));
    let image = root.join("target/steps/stages/sign-installers/small_0.1.0_aarch64.dmg");
    assert_eq!(mac.signature(&image).stapled, Some(true));
    // So does the app that the updater gets.
    let mut tar = std::process::Command::new("tar");
    tar.arg("-xzf")
        .arg(root.join("target/steps/stages/sign-installers/small_0.1.0_aarch64.app.tar.gz"));
    project::read({
        tar.current_dir(&beside);
        tar
    });
    let signed = mac.signature(&beside.join("small.app"));
    assert_eq!((signed.stapled, signed.problems), (Some(true), Vec::new()));
    assert_eq!(mac.submitted(), 2);
}
