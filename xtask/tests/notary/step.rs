//! The step of the pipeline, over a signed disk image. What it needs of the environment, a process of
//! its own has.
#![allow(clippy::print_stdout, reason = "the process tells the test")]

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;
use serde_json::json;
use xtask::{
    config,
    engine::{
        artifact::collect,
        event::Events,
        files::StatCache,
        probe::Probes,
        secret::Redactor,
        staging::Staging,
        step::{Done, Step as _},
    },
    release::{Release, SigningWish},
    steps::{bundle::Installers, notarize::Notarize},
};
use xtask_practice::stand_ins::APPLE_PASSWORD;

use super::{frozen, mac::Mac, project, submissions_are};

fn step(root: &Path, consent: bool) -> Result<()> {
    let config = config::load(root, None)?;
    let state = root.join("target/dist/macos");
    let (probes, redactor) = (Probes::open(PathBuf::new()), Redactor::default());
    let mut release = Release::new(
        config,
        "aarch64-apple-darwin".parse()?,
        SigningWish::Release,
        &state,
        &probes,
        &redactor,
    )?;
    // As `dist` hands it on.
    let secrets = xtask::sign::secrets::Secrets::new(redactor);
    release.find_windows_signer(&state, secrets, consent)?;
    let folder = root.join("built");
    fs::create_dir_all(&folder)?;
    fs::copy(root.join("Practice.dmg"), folder.join("Practice.dmg"))?;
    let image = json!({ "file": "Practice.dmg", "kind": "dmg", "contents": [] });
    let output: Installers = serde_json::from_value(json!({ "installers": [image] }))?;
    let cache = StatCache::open(PathBuf::new(), true, xtask::engine::exec::quiet);
    let bundles = Done {
        step: "bundle".to_owned(),
        artifacts: collect(&folder, &cache)?,
        output,
        folder,
    };
    frozen::in_session(root, Events::default(), &Default::default(), |cx| {
        let out = Staging::create(&root.join("target/staging"), Notarize::ID)?;
        Notarize::new(&release, bundles.clone()).run(cx, &out)?;
        out.publish(&root.join("target/stage"))
    })
}

/// Not a test: the process that has the environment.
#[test]
#[ignore = "only for the other test"]
fn step_for_macos() {
    let Some(root) = std::env::var_os("PRACTICE_ROOT") else {
        return;
    };
    let consent = std::env::var_os("PRACTICE_CONSENT").is_some();
    if let Err(error) = step(Path::new(&root), consent) {
        println!("said: {error:#}");
        std::process::exit(1);
    }
}

/// What the step says before it fails; nothing if it does not.
fn failure(mac: &Mac, consent: bool) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "step::step_for_macos"])
        .arg("--nocapture")
        .envs(mac.project.variables.clone())
        .env("PRACTICE_ROOT", &mac.project.root)
        .env("TAURI_SIGNING_PRIVATE_KEY", project::KEY)
        .env("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", project::PASSWORD)
        .env_remove("GITHUB_TOKEN");
    if consent {
        command.env("PRACTICE_CONSENT", "1");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => String::new(),
        false => text,
    }
}

#[test]
fn slow_the_consent_to_secrets_in_arguments_reaches_the_step() {
    let Some(mac) = Mac::new() else { return };
    let mut mac = mac.with_apples_tools();
    let variables = &mut mac.project.variables;
    variables.retain(|it| !it.0.starts_with("APPLE_API_"));
    for (name, value) in [
        ("APPLE_ID", "somebody@example.org"),
        ("APPLE_PASSWORD", APPLE_PASSWORD),
        ("APPLE_TEAM_ID", "TEAM"),
    ] {
        mac.project.set(name, value);
    }
    mac.signed_image();
    let said = failure(&mac, false);
    assert!(
        said.contains("accept it with --allow-secret-in-args"),
        "{said}"
    );
    submissions_are(&mac, 0);
    assert_eq!(failure(&mac, true), "");
    submissions_are(&mac, 1);
    let image = mac.project.root.join("target/stage/Practice.dmg");
    assert_eq!(mac.signature(&image).stapled, Some(true));
}
