//! The whole way from Linux to an app that is installed on Windows: `dist --target windows` cross-builds the
//! host, makensis makes the setup program, osslsigncode signs, wine installs.

use std::{path::Path, process::Command};

use expect_test::expect;
use fs_err as fs;
use serde_json::Value;
use xtask::engine::files::{hash_file, hex};
use xtask_practice::{pki::PASSWORD, tools};

use super::{
    case::Case,
    project::{read, skip},
    wine::Wine,
};

fn has_std() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--print",
        "target-libdir",
        "--target",
        "x86_64-pc-windows-gnu",
    ]);
    Path::new(read(rustc).trim()).is_dir()
}

fn can_cross_build() -> bool {
    let has = tools::have(&["makensis", "7zz", "x86_64-w64-mingw32-gcc", "osslsigncode"]);
    if has && !has_std() {
        skip("no Rust for Windows; `rustup target add x86_64-pc-windows-gnu` installs it");
        return false;
    }
    has
}

/// The setup program that a release's manifest names, once it has the hash that stands there.
fn setup(release: &Path) -> (std::path::PathBuf, Value) {
    let manifest = fs::read(release.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let mut artifacts = manifest["artifacts"].as_array().unwrap().iter();
    let artifact = artifacts.find(|it| it["format"] == "nsis").unwrap().clone();
    let file = release.join(artifact["path"].as_str().unwrap());
    assert_eq!(
        hex(&hash_file(&file).unwrap()),
        artifact["sha256"].as_str().unwrap()
    );
    (file, artifact)
}

/// Installs it and holds what lies there against the manifest; where it lies.
fn installed(wine: &Wine, setup: &Path, artifact: &Value, name: &str) -> std::path::PathBuf {
    assert_eq!(
        wine.run(&[setup.to_str().unwrap(), "/S"]).0,
        0,
        "it installs"
    );
    let app = wine.local().join(name);
    let contents = artifact["contents"].as_array().unwrap();
    assert!(!contents.is_empty(), "{artifact}");
    for content in contents {
        let file = app.join(content["path"].as_str().unwrap());
        let sha256 = hex(&hash_file(&file).unwrap());
        assert_eq!(sha256, content["sha256"].as_str().unwrap(), "{file:?}");
    }
    app
}

fn removed(wine: &Wine, app: &Path) {
    wine.run(&[app.join("uninstall.exe").to_str().unwrap(), "/S"]);
    wine.wait_until_gone(app);
    let left: Vec<String> = wine.added().into_keys().collect();
    assert_eq!(left, [""; 0], "nothing is left");
}

#[test]
fn slow_dist_for_windows_makes_what_wine_installs() {
    if !can_cross_build() || !tools::have(&["wine"]) {
        return;
    }
    let Some(case) = Case::new() else { return };
    case.configure(&format!(
        "[sign.windows]\ntrust = {:?}\ntimestamp-trust = {:?}\ntimestamp-servers = [{:?}]\n",
        case.pki.root(),
        case.pki.timestamp_root(),
        case.server.url()
    ));
    let project = &case.project;
    project.commit("Sign for Windows");
    let mut dist = project.command("dist --target windows");
    dist.env("WIN_CSC_LINK", case.pki.identity("leaf").p12_with_chain);
    dist.env("WIN_CSC_KEY_PASSWORD", PASSWORD);
    let ran = project.ended(dist.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let (setup, artifact) = setup(&project.root.join("release/0.1.0/windows"));
    let wine = Wine::new();
    let app = installed(&wine, &setup, &artifact, "small");
    for file in [&setup, &app.join("small.exe"), &app.join("uninstall.exe")] {
        let read = case.read(file);
        let signers: Vec<_> = read
            .iter()
            .map(|it| (it.signer.as_deref(), &*it.problems))
            .collect();
        assert_eq!(signers, [(Some("Practice Publisher"), &[][..])], "{file:?}");
    }
    let host = app.join("small.exe");
    if wine.has_bcryptprimitives() {
        let said = wine.run(&[host.to_str().unwrap()]);
        expect![[r#"
            (
                0,
                "<h1>Small</h1>\n__TAURI_BUNDLE_TYPE_VAR_NSS\n",
            )
        "#]]
        .assert_debug_eq(&said);
    } else {
        skip("the host is not started: this wine has no bcryptprimitives.dll, as wine 8");
    }
    removed(&wine, &app);
}

/// The reference app's own host. Its build takes minutes and is kept in `target/full`, where the next run
/// goes on with it.
#[test]
fn slow_the_reference_app_for_windows_installs() {
    if std::env::var_os("XTASK_FULL").is_none() || !can_cross_build() {
        return;
    }
    let Some(wine) = Wine::for_32_bits() else {
        return;
    };
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let clone = repository.join("target/full/windows");
    let git = |folder: &Path, args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(folder).args(args);
        tools::run(&mut git).unwrap().trim().to_owned()
    };
    let commit = git(repository, &["rev-parse", "HEAD"]);
    if !clone.is_dir() {
        let to = clone.to_str().unwrap();
        git(repository, &["clone", "--quiet", "--no-checkout", ".", to]);
    }
    git(&clone, &["fetch", "--quiet", "origin", &commit]);
    git(
        &clone,
        &["checkout", "--quiet", "--force", "--detach", &commit],
    );
    let mut dist = Command::new(env!("CARGO_BIN_EXE_xtask"));
    dist.args(["dist", "--target", "windows"])
        .current_dir(&clone);
    dist.env_remove("CARGO_TARGET_DIR");
    tools::run(&mut dist).unwrap();
    let version = fs::read_dir(clone.join("dist"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let (setup, artifact) = setup(&version.path().join("windows"));
    let app = installed(&wine, &setup, &artifact, "tonelens");
    assert!(app.join("WebView2Loader.dll").is_file());
    let host = app.join(artifact["contents"][0]["path"].as_str().unwrap());
    let mut host = wine.command(&[host.to_str().unwrap()]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(10));
    // No window: there is no WebView2. What lacks a library ends at once.
    let ended = host.try_wait().unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(ended.is_none(), "the host ended: {ended:?}");
    removed(&wine, &app);
}
