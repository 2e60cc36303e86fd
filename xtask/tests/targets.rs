//! Several targets, and Windows from Linux: with the real cargo, rustc and MinGW-w64 on a small project,
//! judged by what `cargo xtask` prints and leaves behind.
#![cfg(target_os = "linux")]

#[path = "targets/brought.rs"]
mod brought;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;
#[path = "targets/universal.rs"]
mod universal;

use std::{fs, path::Path, process::Command};

use expect_test::{Expect, expect};
use project::{KEY, PASSWORD, Project, Ran, skip};
use xtask::tools::cross;

/// A sidecar, and installers that are made on Windows only.
const FOR_WINDOWS: &str = "[[sidecar]]\nname = 'side'\ndir = 'side'\nentry = 'main.py'\n\
                           [bundle]\nwindows = ['msi']\n";

fn check(ran: &Ran, code: i32, expected: Expect) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    expected.assert_eq(&ran.shown());
}

/// The small project with a sidecar; none where programs for Windows cannot be linked.
fn with_sidecar() -> Option<Project> {
    if which("x86_64-w64-mingw32-gcc").is_none() || !has_std("x86_64-pc-windows-gnu") {
        skip("no program for Windows can be linked: no MinGW-w64, or no Rust for it");
        return None;
    }
    let project = Project::new();
    let text = project.read("packaging/dist.toml");
    let cli = text.replace("[bundle]\n", "");
    project.write("packaging/dist.toml", format!("{FOR_WINDOWS}{cli}"));
    project.write("side/main.py", "print('READY')\n");
    project.write(
        "side/requirements.lock",
        "pyinstaller==6.0 --hash=sha256:00\n",
    );
    project.commit("A sidecar");
    Some(project)
}

fn which(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|it| it.join(name));
    all.find(|it| it.is_file())
}

fn has_std(triple: &str) -> bool {
    let mut rustc = Command::new("rustc");
    let folder = project::read({
        rustc.args(["--print", "target-libdir", "--target", triple]);
        rustc
    });
    Path::new(folder.trim()).is_dir()
}

/// What cannot be made here is said in a line each, and stands in the manifest; what can, is real.
#[test]
fn slow_a_release_for_windows_from_linux() {
    let Some(project) = with_sidecar() else {
        return;
    };
    let mut refused = project.command("dist --target windows --release");
    refused.env("TAURI_SIGNING_PRIVATE_KEY", KEY);
    refused.env("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    let refused = project.ended(refused.output().unwrap());
    check(
        &refused,
        1,
        expect![[r#"
            no step was reached in [TIME]

            error: --release wants every installer that is configured, but msi is missing: Tauri's bundler makes it on Windows only, with WiX; the job on windows-2025 makes x86_64-pc-windows-msvc instead
              hint: build windows on a machine that can make it, or take it out of `windows` in [bundle]
            exit code 1
        "#]],
    );
    let ran = project.succeed("dist --target windows");
    expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        sidecar:side  left out: Windows programs are frozen on Windows; the job on windows-2025 makes x86_64-pc-windows-msvc instead (nothing was brought here)
        exit code 0
    "#]].assert_eq(&project.filtered(&ran.steps()));
    let folder = project.root.join("release/0.1.0/windows");
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    expect![[r#"
        {"name":"windows","triple":"x86_64-pc-windows-gnu"}
        [
          "sidecar side is missing: Windows programs are frozen on Windows; the job on windows-2025 makes x86_64-pc-windows-msvc instead",
          "msi is missing: Tauri's bundler makes it on Windows only, with WiX; the job on windows-2025 makes x86_64-pc-windows-msvc instead",
          "not signed for Windows (Authenticode): no certificate is set"
        ]
    "#]].assert_eq(&format!("{}\n{:#}\n", manifest["target"], manifest["gaps"]));
    let zip = folder.join("small-0.1.0-x86_64-pc-windows-gnu.zip");
    let mut list = Command::new("python3");
    list.args(["-m", "zipfile", "-l"]).arg(zip);
    let list = project::read(list);
    assert!(
        list.contains("small-0.1.0-x86_64-pc-windows-gnu/small.exe"),
        "{list}"
    );
    let again = project.succeed("dist --target windows");
    assert!(
        again.stderr.contains("7 reused, 1 left out in "),
        "{}",
        again.stderr
    );
    project.succeed(&format!("verify {}", folder.display()));
}

/// What is published is whole. It is known before anything takes time.
#[test]
fn a_release_to_be_published_wants_every_sidecar() {
    let Some(project) = with_sidecar() else {
        return;
    };
    project.replace("packaging/dist.toml", "'msi'", "");
    project.configure(
        "[release]\ntargets = ['x86_64-pc-windows-gnu']\n[sign.windows]\ncommand = ['true', '%1']",
    );
    project.commit("No gap but the sidecar");
    let release = || {
        let mut command = project.command("dist --target windows --release");
        command.env("TAURI_SIGNING_PRIVATE_KEY", KEY);
        command.env("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
        project.ended(command.output().unwrap())
    };
    check(
        &release(),
        1,
        expect![[r#"
        no step was reached in [TIME]

        error: --release makes a part of what is joined and published, which is checked against a key that is known besides: neither `public-key` in [sign.minisign] nor `plugins.updater.pubkey` of the Tauri configuration names one
          hint: keep the public half in a file of the repository, and name it: `public-key = "packaging/minisign.pub"` in `[sign.minisign]` of packaging/dist.toml; that of TAURI_SIGNING_PRIVATE_KEY is `RWTYwm/31bxzCOSWv7XGBJJS5cqpIHBWE1qTQMQ924VKpXWYT7tb/I/0`
        exit code 1
    "#]],
    );
    // As it says.
    let key = "RWTYwm/31bxzCOSWv7XGBJJS5cqpIHBWE1qTQMQ924VKpXWYT7tb/I/0";
    project.write("packaging/minisign.pub", key);
    project.configure("[sign.minisign]\npublic-key = 'packaging/minisign.pub'");
    project.commit("A key that is known besides the release");
    check(
        &release(),
        1,
        expect![[r#"
            cargo xtask dist --target windows --release for windows: 8 steps, [JOBS] at a time
            note: windows means x86_64-pc-windows-gnu here: x86_64-pc-windows-msvc can be linked on Windows only
            no step was reached in [TIME]

            error: --release wants every sidecar, but side is missing: Windows programs are frozen on Windows; the job on windows-2025 does it (nothing was brought here)
              hint: run `cargo xtask dist --target x86_64-pc-windows-gnu` on Windows, or bring the finished step along with `cargo xtask state export` there and `cargo xtask state import` here
            exit code 1
        "#]],
    );
}

/// One that fails does not keep the others from being made.
#[test]
fn several_targets_have_one_result() {
    let project = Project::built();
    let ran = project.run("dist --target macos --target linux");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    expect![[r#"
        target  outcome  next
        macos  failed
        linux  done  cargo xtask verify release/0.1.0/linux
    "#]]
    .assert_eq(&project.filtered(&ran.stdout));
    assert!(
        ran.stderr.contains("cannot be built on Linux"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("released "), "{}", ran.stderr);
    let ran = project.run("plan --target macos --target linux --from nonsense");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("no step `nonsense`").count(), 2);
    let ran = project.run("dist --target linux,plan9");
    check(
        &ran,
        1,
        expect![[r#"
        error: `plan9` is no target
          hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such as [TRIPLE]
        exit code 1
    "#]],
    );
}

/// The last line tells a program about all of them.
#[test]
fn a_program_reads_one_result_of_several_targets() {
    let project = Project::built();
    let ran = project.run("dist --target=macos,linux --format json");
    assert_eq!(ran.code, 1);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let targets = last["targets"].as_array().unwrap();
    let status = |at: usize| (&targets[at]["target"], &targets[at]["status"]);
    assert_eq!(last["event"], "targets-finished");
    assert_eq!(last["ok"], false);
    assert_eq!(status(0), (&"macos".into(), &1.into()));
    assert_eq!(status(1), (&"linux".into(), &0.into()));
}

#[test]
fn doctor_tells_what_another_machine_does() {
    let project = Project::new();
    project.configure("[sign.minisign]\nkey-env = 'NO_KEY'");
    let table = |target: &str| {
        let ran = project.run(&format!("doctor --target {target}"));
        let lines = ran.stdout.lines().skip_while(|it| !it.starts_with("step "));
        lines
            .map(|it| format!("{}\n", it.trim_end()))
            .collect::<String>()
    };
    expect![[r#"
        step             here                     why                                     fix
        frontend         no: the job on macos-15  not without app
        app              no: the job on macos-15  programs for macOS are linked on macOS
        sign-code        no: the job on macos-15  not without app
        bundle:app       no: the job on macos-15  app is made on macOS
        bundle:dmg       no: the job on macos-15  dmg is made on macOS
        notarize         no: the job on macos-15  not without app
        sign-installers  no: the job on macos-15  not without app
        archive          no: the job on macos-15  not without app
        seal             no: the job on macos-15  not without app
    "#]]
    .assert_eq(&table("aarch64-apple-darwin"));
    expect![[r#"
        step             here  why  fix
        frontend         yes
        app              yes
        sign-code        yes
        bundle:deb       yes
        bundle:rpm       yes
        sign-installers  yes
        archive          yes
        seal             yes
    "#]]
    .assert_eq(&table("linux"));
    let ran = project.run("doctor --target aarch64-apple-darwin --format json");
    let app = ran
        .stdout
        .lines()
        .find(|it| it.contains(r#""step":"app""#))
        .unwrap();
    let app: serde_json::Value = serde_json::from_str(app).unwrap();
    assert_eq!(app["event"], "step-checked");
    assert_eq!(app["elsewhere"], "macos-15");
}

/// Libraries that no Windows has come along; one that is not there is found before a user finds it.
#[test]
fn slow_libraries_beside_a_host_for_windows() {
    let Some(gcc) = which("x86_64-w64-mingw32-gcc") else {
        return skip("there is no MinGW-w64");
    };
    let folder = tempfile::tempdir().unwrap();
    let compile = |source: &str, output: &str, more: &[&str]| {
        fs::write(folder.path().join("a.c"), source).unwrap();
        let mut command = Command::new(&gcc);
        command
            .current_dir(&folder)
            .args(["a.c", "-o", output])
            .args(more);
        project::read(command);
        folder.path().join(output)
    };
    let loader = "WebView2Loader.dll";
    let library = compile(
        "__declspec(dllexport) int f(void) { return 1; }",
        loader,
        &["-shared"],
    );
    let host = compile(
        "int f(void); int main(void) { return f(); }",
        "host.exe",
        &[loader],
    );
    assert_eq!(
        cross::libraries(&host).unwrap(),
        std::slice::from_ref(&library)
    );
    let plain = compile("int main(void) { return 0; }", "plain.exe", &[]);
    assert!(cross::libraries(&plain).unwrap().is_empty());
    fs::remove_file(library).unwrap();
    let error = cross::libraries(&host).unwrap_err().to_string();
    expect![[r#"
        [DIR]/host.exe cannot start without WebView2Loader.dll, which no Windows has and which is not beside it
        hint: Tauri's build script lays it there: remove that folder, so that it runs again"#]].assert_eq(&error.replace(&*folder.path().to_string_lossy(), "[DIR]"));
}
