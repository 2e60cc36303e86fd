use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use expect_test::{Expect, expect};

use super::*;
use crate::tools::unpack::tests::skip;

/// A program that mounts nothing, with the mark of a runtime.
fn fake_runtime() -> Vec<u8> {
    let mut program = fs::read("/bin/true").unwrap();
    program[8..11].copy_from_slice(b"AI\x02");
    program
}

#[test]
fn a_file_that_is_no_runtime_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runtime");
    let good = fake_runtime();
    let check = |content: Option<&[u8]>, pinned: &str, expected: Expect| {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let pinned: Vec<String> = pinned.split_whitespace().map(str::to_owned).collect();
        let shown = match runtime(&file, &Target::host(), &pinned) {
            Ok(data) => format!("taken: {}\n", data == good),
            Err(error) => format!("{error:#}\n"),
        };
        let shown = shown.replace(folder.path().to_str().unwrap(), "[FOLDER]");
        expected.assert_eq(&shown);
    };
    let hash = sha256_bytes(&good);
    check(
        None,
        "",
        expect![[r#"
        there is no [FOLDER]/runtime
        hint: download runtime from https://github.com/AppImage/type2-runtime/releases to there
    "#]],
    );
    check(
        Some(&good),
        "",
        expect![[r#"
        taken: true
    "#]],
    );
    check(
        Some(&good),
        &format!("{} {hash}", "0".repeat(64)),
        expect![[r#"
            taken: true
        "#]],
    );
    check(
        Some(b"other"),
        &hash,
        expect![[r#"
        [FOLDER]/runtime has the SHA-256 d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, which `bundle.appimage.runtime-sha256` does not name
        hint: if that is the file you want, name it there; else download runtime from https://github.com/AppImage/type2-runtime/releases to there
    "#]],
    );
    check(
        Some(b"#!/bin/sh\n"),
        "",
        expect![[r#"
        the runtime of AppImages is a script, not an executable: [FOLDER]/runtime
        hint: download runtime from https://github.com/AppImage/type2-runtime/releases to there
    "#]],
    );
    check(
        Some(b"version https://git-lfs.github.com/spec/v1\n"),
        "",
        expect![[r#"
            the runtime of AppImages is only Git LFS's pointer to the file: [FOLDER]/runtime
            hint: git lfs pull
        "#]],
    );
    check(
        Some(&fs::read("/bin/true").unwrap()),
        "",
        expect![[r#"
        [FOLDER]/runtime is a program, but no type-2 runtime of AppImages
        hint: download runtime from https://github.com/AppImage/type2-runtime/releases to there
    "#]],
    );
    let whole = [&good[..], b"hsqs"].concat();
    let cut = &good[..good.len() - 1];
    let ends = |data: &[u8], word: &str| {
        fs::write(&file, data).unwrap();
        let error = runtime(&file, &Target::host(), &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{error}");
    };
    ends(
        &whole,
        "it is damaged, or an AppImage\nhint: download runtime from ",
    );
    ends(cut, "hint: download runtime from ");
    let mut foreign = good.clone();
    // e_machine of ELF: another architecture.
    foreign[18] = 0x16;
    ends(
        &foreign,
        "the runtime of AppImages is built for S390x, but ",
    );
}

/// A folder as the bundler leaves it, with icons of these sizes.
fn app(folder: &Path, icons: &[&str], mode: u32) {
    let write = |path: String, content: &str, mode: u32| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    write(
        "usr/share/applications/My App.desktop".into(),
        "[Desktop Entry]\n",
        mode,
    );
    write("usr/bin/app".into(), "host", mode | 0o100);
    for size in icons {
        write(format!("{ICONS}/{size}/apps/app.png"), size, mode);
    }
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes an AppImage beside the folder.
fn made(folder: &Path) -> Vec<u8> {
    finish(folder, "app", "My App").unwrap();
    let (image, to) = (
        folder.with_extension("sqfs"),
        folder.with_extension("AppImage"),
    );
    let mut squash = squash(folder, &image, 1_577_934_245);
    squash.env("TZ", "Asia/Tokyo");
    run(squash);
    join(&fake_runtime(), &image, &to).unwrap();
    fs::read(to).unwrap()
}

/// Whoever makes it, and whenever: the same bytes.
#[test]
fn an_appimage_is_its_folder_and_nothing_else() {
    if which::which("mksquashfs").is_err() || which::which("unsquashfs").is_err() {
        return skip("skipped: no mksquashfs");
    }
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    app(&one, &["32x32", "256x256@2", "128x128", "512x256"], 0o600);
    app(&other, &["512x256", "128x128", "256x256@2", "32x32"], 0o664);
    let bytes = made(&one);
    assert!(bytes == made(&other), "other bytes");
    assert!(bytes.starts_with(&fake_runtime()));
    let mut list = Command::new("unsquashfs");
    let offset = super::super::offset(&one.with_extension("AppImage")).unwrap();
    list.args(["-lln", "-offset", &offset.to_string()]);
    list.env("TZ", "UTC").arg(one.with_extension("AppImage"));
    let listed = run(list);
    let lines = listed.lines().filter_map(|line| {
        let (before, path) = line.split_once("squashfs-root")?;
        let words: Vec<&str> = before.split_whitespace().collect();
        let path = if path.is_empty() { "/" } else { path };
        // What follows is the size.
        Some(format!(
            "{} {} {} {path}\n",
            words[..2].join(" "),
            words[3],
            words[4]
        ))
    });
    expect![[r#"
        drwxr-xr-x 0/0 2020-01-02 03:04 /
        lrwxrwxrwx 0/0 2020-01-02 03:04 /.DirIcon -> app.png
        lrwxrwxrwx 0/0 2020-01-02 03:04 /AppRun -> usr/bin/app
        lrwxrwxrwx 0/0 2020-01-02 03:04 /My App.desktop -> usr/share/applications/My App.desktop
        lrwxrwxrwx 0/0 2020-01-02 03:04 /app.png -> usr/share/icons/hicolor/256x256@2/apps/app.png
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/bin
        -rwxr-xr-x 0/0 2020-01-02 03:04 /usr/bin/app
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/applications
        -rw-r--r-- 0/0 2020-01-02 03:04 /usr/share/applications/My App.desktop
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/128x128
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/128x128/apps
        -rw-r--r-- 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/128x128/apps/app.png
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/256x256@2
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/256x256@2/apps
        -rw-r--r-- 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/256x256@2/apps/app.png
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/32x32
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/32x32/apps
        -rw-r--r-- 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/32x32/apps/app.png
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/512x256
        drwxr-xr-x 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/512x256/apps
        -rw-r--r-- 0/0 2020-01-02 03:04 /usr/share/icons/hicolor/512x256/apps/app.png
    "#]]
    .assert_eq(&lines.collect::<String>());
    let mode = fs::metadata(one.with_extension("AppImage"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn an_appimage_without_an_icon_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    app(folder.path(), &["512x256"], 0o644);
    let refused = ["My App", "Other"].map(|product| {
        let error = finish(folder.path(), "app", product).unwrap_err();
        format!("{error}\n")
    });
    expect![[r#"
        an AppImage needs an icon, but there is no square one
        hint: name a PNG file as wide as high in `bundle.icon` of the Tauri configuration
        there is no usr/share/applications/Other.desktop, which an AppImage must have
    "#]]
    .assert_eq(&refused.concat());
}

#[test]
fn it_is_called_what_tauri_would_call_it() {
    let check = |triple: &str, expected: &str| {
        let name = file_name("My App", "1.2.3", &triple.parse().unwrap());
        assert_eq!(name, Path::new(expected));
    };
    check("x86_64-unknown-linux-gnu", "My App_1.2.3_amd64.AppImage");
    check("aarch64-unknown-linux-gnu", "My App_1.2.3_aarch64.AppImage");
    check("i686-unknown-linux-gnu", "My App_1.2.3_i386.AppImage");
}
