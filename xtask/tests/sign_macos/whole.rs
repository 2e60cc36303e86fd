//! The whole pipeline for macOS in a session, as `dist` runs it there: with stand-ins for cargo, Tauri's
//! bundler and hdiutil. `dist` itself refuses to begin on another system.
#![allow(clippy::print_stdout, reason = "the process tells the test")]

use std::{path::Path, process::Command};

use anyhow::Result;
use expect_test::expect;
use fs_err as fs;
use xtask::{
    config::BundleKind,
    engine::{
        event::{Event, Reporter, Stamped},
        session::{EndsWith, Reported},
    },
    release::SigningWish,
    tools::unpack,
};
use xtask_practice::{
    notary::Behaviour,
    specimens::{self, Kind, macho},
};

use super::{
    mac::Mac,
    pipeline::{BUNDLER, HDIUTIL, write},
    project, session,
};

/// As cargo: has built for macOS before.
const CARGO: &str = r#"#!/bin/bash
case "$*" in
*"build "*aarch64-apple-darwin*)
    echo '{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"small"},"executable":"'$PRACTICE_FOLDER'/host"}'
    exit;;
esac
exec "$PRACTICE_CARGO" "$@"
"#;

/// Says what the steps do and say, and where they fail.
struct Said;

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        match &stamped.event {
            Event::StepStarted { step, .. } => println!("said: [{step}]"),
            Event::StepReused { step, .. } => println!("said: [{step}] as recorded"),
            Event::Fact { key, value, .. } => println!("said: {key}: {value}"),
            Event::Note { text, .. } => println!("said: note: {text}"),
            Event::StepFailed { failure, .. } => {
                let all = failure.chain.iter().chain(&failure.hints);
                for it in all.chain(&failure.tail).flat_map(|it| it.lines()) {
                    println!("said: failed: {it}");
                }
            }
            _ => {}
        }
    }
}

fn dist(root: &Path) -> Result<()> {
    let wish = match std::env::var_os("TAURI_SIGNING_PRIVATE_KEY") {
        Some(_) => SigningWish::Release,
        None => SigningWish::Any,
    };
    session::dist(root, &"aarch64-apple-darwin".parse()?, wish, Said)
}

/// Not a test: the process that has the environment.
#[test]
#[ignore = "only for the other tests"]
fn dist_for_macos() {
    let Some(root) = std::env::var_os("PRACTICE_ROOT") else {
        return;
    };
    if let Err(error) = dist(Path::new(&root)) {
        println!("said: error: {error:#}");
        let reported = error.downcast_ref::<Reported>().and_then(|it| it.status);
        let own = error.downcast_ref::<EndsWith>().map(|it| it.status);
        std::process::exit(reported.or(own).unwrap_or(1).into());
    }
}

/// What a run says, and its exit status.
fn said(mac: &Mac) -> String {
    let beside = mac.project.beside();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = [
        "--ignored",
        "--exact",
        "whole::dist_for_macos",
        "--nocapture",
    ];
    command.args(test).envs(mac.project.variables.clone());
    command.env_remove("GITHUB_TOKEN");
    command
        .env("PRACTICE_ROOT", &mac.project.root)
        .env("PRACTICE_FOLDER", &beside)
        .env("PRACTICE_CARGO", env!("CARGO"))
        .env("PRACTICE_KIND", "dmg");
    let path = mac.project.variables.iter().find(|it| it.0 == "PATH");
    let path = format!("{}:{}", beside.join("bin").display(), path.unwrap().1);
    let output = command.env("PATH", path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut said: String = text
        .lines()
        .filter_map(|it| it.split_once("said: "))
        .map(|it| format!("{}\n", it.1))
        .collect();
    for it in mac.notary.submissions().unwrap() {
        said = said
            .replace(&it.id, "[ID]")
            .replace(&it.sha256, "[SHA256]")
            .replace(&it.sha256[..12], "[SHA]");
    }
    format!(
        "{}exit {:?}\n",
        mac.project.filtered(&said),
        output.status.code()
    )
}

fn with_tools(mac: &Mac) {
    let beside = mac.project.beside();
    for (name, text) in [("bundler", BUNDLER), ("hdiutil", HDIUTIL), ("cargo", CARGO)] {
        write(&beside.join("bin").join(name), text, 0o755);
    }
    write(&beside.join("image"), specimens::dmg(), 0o644);
    write(&beside.join("busy"), "", 0o644);
    write(&beside.join("host"), macho(Kind::Program, 1), 0o755);
    let text = mac.project.read("packaging/dist.toml");
    let (_, rest) = text.split_once("[sign.macos]").unwrap();
    let text =
        format!("[bundle]\ncli = [\"bundler\"]\n[sign.macos]\nnotarize-timeout = \"1s\"{rest}");
    mac.project.write("packaging/dist.toml", text);
    mac.project.commit("For macOS");
}

/// What another checkout takes of the state to wait for the same submission.
const CARRIED: [&str; 3] = ["journal.v1.jsonl", "notary", "stages"];

/// Another checkout, elsewhere, makes nothing anew: what it signed itself would have other bytes.
fn goes_on_elsewhere(mac: &mut Mac) {
    let (here, there) = (mac.project.root.clone(), mac.project.beside().join("there"));
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet"])
        .arg(&here)
        .arg(&there)
        .current_dir(&here);
    project::read(clone);
    let state = Path::new("target/dist/aarch64-apple-darwin");
    fs::create_dir_all(there.join(state)).unwrap();
    for name in CARRIED {
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(here.join(state).join(name))
            .arg(there.join(state));
        project::read(copy);
    }
    mac.project.root = there;
    let said = said(mac);
    mac.project.root = here;
    let ends = "[frontend] as recorded\n[app] as recorded\n[sign-code] as recorded\n\
                [bundle] as recorded\n[notarize]\n\
                note: these bytes were submitted at [NOW] as [ID]: going on with that\n";
    assert!(said.starts_with(ends), "{said}");
    assert!(said.ends_with("exit Some(75)\n"), "{said}");
    assert_eq!(mac.submitted(), 1);
}

#[test]
fn slow_a_release_waits_for_apple_over_several_runs() {
    let Some(mut mac) = Mac::new() else { return };
    with_tools(&mac);
    mac.project.set("TAURI_SIGNING_PRIVATE_KEY", project::KEY);
    mac.project
        .set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD);
    mac.notary
        .set(&Behaviour::accepting().after(u32::MAX))
        .unwrap();
    expect![[r#"
        [frontend]
        [app]
        [sign-code]
        signature: Apple code signature by Practice Publisher (certificate [HASH]), 1 signatures
        [bundle]
        signature: Apple code signature by Practice Publisher (certificate [HASH]), 1 signatures
        signature: Apple code signature by Practice Publisher (certificate [HASH]), 1 signatures
        signature: Apple code signature by Practice Publisher (certificate [HASH]), 1 signatures
        [notarize]
        failed: Apple has not answered within [TIME]: Apple has not decided
        failed: submission [ID] of small-[SHA].zip, submitted at [NOW], is remembered: nothing is submitted again
        failed: go on waiting with `cargo xtask dist, with the same options`
        failed: it has been hours, and Apple's system status shows no trouble? Then submit again: rename [ROOT]/target/dist/aarch64-apple-darwin/notary/[SHA256].json to [ROOT]/target/dist/aarch64-apple-darwin/notary/[SHA256].resubmit, then `cargo xtask dist, with the same options`
        error: step notarize failed
        exit Some(75)
    "#]].assert_eq(&said(&mac));
    assert_eq!(mac.submitted(), 1);
    goes_on_elsewhere(&mut mac);
    mac.notary.set(&Behaviour::accepting()).unwrap();
    expect![[r#"
        [frontend] as recorded
        [app] as recorded
        [sign-code] as recorded
        [bundle] as recorded
        [notarize]
        note: these bytes were submitted at [NOW] as [ID]: going on with that
        notarization of small.app: accepted as [ID], the ticket is attached
        notarization of small_0.1.0_aarch64.dmg: accepted as [ID], the ticket is attached
        [sign-installers]
        identity: release
        [archive]
        [seal]
        exit Some(0)
    "#]]
    .assert_eq(&said(&mac));
    assert_eq!(mac.submitted(), 2, "the app once, the disk image once");
    let manifest = mac
        .project
        .read("release/0.1.0/aarch64-apple-darwin/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let signed_inside: Vec<_> = manifest["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["signatures"].to_string().contains(r#""kind":"apple""#))
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        signed_inside,
        ["small_0.1.0_aarch64.app.tar.gz", "small_0.1.0_aarch64.dmg"]
    );
    // The stand-in for hdiutil makes an image that holds nothing. All else is good.
    let found = mac.said("verify release/0.1.0/aarch64-apple-darwin");
    let lines = found.lines().skip(1);
    let wrong: Vec<_> = lines
        .take_while(|it| !it.starts_with("note: ") && !it.starts_with("NOT "))
        .map(|it| it.split("  ").take(2).collect::<Vec<_>>().join(": "))
        .collect();
    assert_eq!(wrong, ["small_0.1.0_aarch64.dmg: contents"], "{found}");
}

#[test]
fn slow_what_nobody_signs_says_so() {
    // It looks into the disk image.
    if unpack::missing(BundleKind::Dmg).is_some() {
        return project::skip("no 7-Zip");
    }
    let Some(mut mac) = Mac::new() else { return };
    with_tools(&mac);
    mac.project
        .variables
        .retain(|it| !it.0.starts_with("APPLE_"));
    let said = said(&mac);
    expect![[r#"
        [frontend]
        [app]
        [sign-code]
        [bundle]
        [notarize]
        note: Apple is not asked to check this release: it is not signed
        [sign-installers]
        identity: development
        [archive]
        [seal]
        exit Some(0)
    "#]]
    .assert_eq(&said);
    let manifest = mac
        .project
        .read("release/0.1.0/aarch64-apple-darwin/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    expect![[r#"
        [
          "not signed for macOS: no certificate is set",
          "small.app: not notarized, it is not signed",
          "small_0.1.0_aarch64.dmg: not notarized, it is not signed"
        ]
    "#]]
    .assert_eq(&format!("{:#}\n", manifest["gaps"]));
    assert_eq!(mac.submitted(), 0);
}
