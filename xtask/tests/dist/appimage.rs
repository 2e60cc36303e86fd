//! An AppImage that is made here, of a runtime that the project has.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use expect_test::expect;
use fs_err as fs;

use super::{
    placeholders::made_here,
    project::{self, KEY, PASSWORD, Project, read},
};

/// A program that mounts nothing, with the mark of a runtime: `AI`, and the type.
pub(super) fn fake_runtime() -> Vec<u8> {
    let mut program = fs::read("/bin/true").unwrap();
    program[8..11].copy_from_slice(b"AI\x02");
    program
}

/// Has the project make an AppImage of this runtime.
pub(super) fn with_runtime(project: &Project, runtime: &[u8], kinds: &str) {
    let file = format!("packaging/runtime-{}", std::env::consts::ARCH);
    project.write(&file, runtime);
    let old = project.read("packaging/dist.toml");
    let kinds = format!("[bundle]\nlinux = [{kinds}]");
    let appimage = "[bundle.appimage]\nruntime = \"packaging/runtime-{arch}\"\n";
    let text = old.replacen("[bundle]", &kinds, 1);
    project.write("packaging/dist.toml", format!("{text}\n{appimage}"));
}

/// What lies in it: modes, owner, time, path, and where links lead.
fn listed(package: &Path, runtime: &[u8]) -> String {
    let mut list = Command::new("unsquashfs");
    list.args(["-lln", "-offset", &runtime.len().to_string()]);
    let listed = read({
        list.env("TZ", "UTC").arg(package);
        list
    });
    let lines = listed.lines().filter_map(|line| {
        let (before, path) = line.split_once("squashfs-root")?;
        let mut words = before.split_whitespace();
        let (mode, owner) = (words.next()?, words.next()?);
        let time = words.skip(1).collect::<Vec<_>>().join(" ");
        let path = if path.is_empty() { "/" } else { path };
        Some(format!("{mode} {owner} {time} {path}\n"))
    });
    lines.collect()
}

#[test]
fn slow_an_appimage_is_made_of_a_runtime() {
    if !made_here(&["mksquashfs", "unsquashfs"]) {
        return;
    }
    let project = Project::built();
    with_runtime(&project, &fake_runtime(), "\"appimage\"");
    let said = project.succeed("dist --until bundle").shown();
    let fact = said.lines().find(|it| it.contains("AppImage: "));
    expect!["bundle  AppImage: WebKitGTK and GTK are not packed: they are the machine's that it is started on"].assert_eq(fact.unwrap_or(&said));
    let stage = "target/dist/linux/stages/bundle";
    let name = match std::env::consts::ARCH {
        "x86_64" => "small_0.1.0_amd64.AppImage",
        _ => "small_0.1.0_aarch64.AppImage",
    };
    let made = project.root.join(stage).join(name);
    expect![[r#"
        drwxr-xr-x 0/0 2026-01-02 03:04 /
        lrwxrwxrwx 0/0 2026-01-02 03:04 /.DirIcon -> small.png
        lrwxrwxrwx 0/0 2026-01-02 03:04 /AppRun -> usr/bin/small
        lrwxrwxrwx 0/0 2026-01-02 03:04 /small.desktop -> usr/share/applications/small.desktop
        lrwxrwxrwx 0/0 2026-01-02 03:04 /small.png -> usr/share/icons/hicolor/32x32/apps/small.png
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/bin
        -rwxr-xr-x 0/0 2026-01-02 03:04 /usr/bin/small
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share/applications
        -rw-r--r-- 0/0 2026-01-02 03:04 /usr/share/applications/small.desktop
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share/icons
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share/icons/hicolor
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share/icons/hicolor/32x32
        drwxr-xr-x 0/0 2026-01-02 03:04 /usr/share/icons/hicolor/32x32/apps
        -rw-r--r-- 0/0 2026-01-02 03:04 /usr/share/icons/hicolor/32x32/apps/small.png
    "#]]
    .assert_eq(&listed(&made, &fake_runtime()));
    let mode = fs::metadata(&made).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);

    // By another user, elsewhere and later, with a variable that mksquashfs refuses beside its options.
    let other = project.copy_to("elsewhere");
    fs::remove_dir_all(other.root.join(stage)).unwrap();
    let ran = other.command("dist --until bundle");
    let mut again = Command::new("sh");
    again.args(["-c", "umask 077; exec \"$0\" \"$@\""]);
    again.arg(ran.get_program()).args(ran.get_args());
    again.env_clear().current_dir(&other.root);
    again.envs(ran.get_envs().filter_map(|(name, it)| Some((name, it?))));
    again.env("SOURCE_DATE_EPOCH", "1767323045");
    read(again);
    let again = fs::read(other.root.join(stage).join(name)).unwrap();
    assert!(again == fs::read(&made).unwrap(), "other bytes");
}

/// What is wrong with a runtime is said before anything is built.
#[test]
fn a_file_that_is_no_runtime_is_refused() {
    let project = Project::built();
    with_runtime(&project, b"#!/bin/sh\n", "\"appimage\"");
    let shown = project.run("dist").shown();
    let rows = shown.lines().filter(|it| it.contains("AppImage"));
    let rows: String = rows.map(|it| format!("{}\n", it.trim())).collect();
    let rows = rows.replace(std::env::consts::ARCH, "[ARCH]");
    expect![[r#"
        AppImage runtime  the runtime of AppImages is a script, not an executable: [ROOT]/packaging/runtime-[ARCH]  bundle  download runtime-[ARCH] from https://github.com/AppImage/type2-runtime/releases to there
        download runtime-[ARCH] from https://github.com/AppImage/type2-runtime/releases to there
    "#]].assert_eq(&rows);
}

/// Where `--setup` put it.
fn real_runtime() -> Option<Vec<u8>> {
    let file = "../target/tools/appimage/appimage/assets/runtime-x86_64";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    match fs::read(file) {
        _ if std::env::consts::ARCH != "x86_64" => None,
        Ok(it) => Some(it),
        Err(error) => {
            project::skip(&format!("skipped: no runtime of AppImages: {error}"));
            None
        }
    }
}

/// Signed, verified, and started as who downloads it starts it.
#[test]
fn slow_an_appimage_starts() {
    let Some(runtime) = real_runtime().filter(|_| made_here(&["mksquashfs", "unsquashfs"])) else {
        return;
    };
    let mut project = Project::built();
    with_runtime(&project, &runtime, "\"appimage\"");
    project.commit("An AppImage");
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    project.succeed("dist");
    project.succeed("verify");
    let package = project.product(".AppImage");
    assert!(project.product(".AppImage.sig").is_file());

    let mut started = Command::new(&package);
    started.env_clear().env("APPIMAGE_EXTRACT_AND_RUN", "1");
    started.env("TMPDIR", project.beside());
    expect![[r#"
        <h1>Small</h1>
        __TAURI_BUNDLE_TYPE_VAR_APP
    "#]]
    .assert_eq(&read(started));
}
