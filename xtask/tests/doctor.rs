//! The preflight check on machines that are made of stand-in programs: PATH is one folder, and
//! each program in it counts its calls.
#![cfg(target_os = "linux")]

#[path = "doctor/fix.rs"]
mod fix;
#[path = "doctor/machine.rs"]
mod machine;
#[path = "doctor/signing.rs"]
mod signing;

use std::fs;

use expect_test::{Expect, expect};
use machine::{Machine, line};
use semver::Version;
use tempfile::TempDir;
use xtask::{
    config::{BundleKind, Freezer, PackageManager, PythonVersion},
    preflight::{Needs, Report, table},
};

#[test]
fn an_empty_machine_needs_everything() {
    let mut machine = Machine::new();
    machine.needs.for_tests = true;
    let report = machine.report();
    assert!(!report.ok());
    machine.shows(&report, false, expect![[r#"
        node | frontend | - | missing | install nodejs
        npm | frontend | - | missing | install npm
        cargo | app | - | missing | install Rust with rustup: see rustup.rs
        rustc | app | - | missing | install Rust with rustup: see rustup.rs
        cc | app, sidecar | - | missing | install build-essential
        pkg-config | app | - | missing | install pkg-config
        webkit2gtk-4.1 | app | - | unknown without pkg-config | install libwebkit2gtk-4.1-dev
        python3 | sidecar | - | missing | install python3 python3-venv python3-dev
        objcopy | sidecar | - | missing | install binutils
        ccache | sidecar | - | - | install ccache
        gpg | sign | - | missing | install gnupg
        git | seal | - | missing | install git
        Xvfb | tests | - | missing | install xvfb
        xvfb-run | tests | - | missing | install xvfb
        xauth | tests | - | missing | install xauth
        dbus-run-session | tests | - | missing | install dbus
        dpkg | tests | - | missing | install dpkg
        rpm | tests | - | missing | install rpm
        minisign | tests | - | missing | install minisign
        import | tests | - | missing | install imagemagick
        xdotool or xprop | tests | - | missing | install xdotool
        mksquashfs | tests | - | - | install squashfs-tools
        rpmbuild | tests | - | - | install rpm
        7zz | tests | - | - | install 7zip
        makensis | tests | - | - | install nsis
        wine | tests | - | - | install wine
        x86_64-w64-mingw32-gcc | tests | - | - | install gcc-mingw-w64-x86-64
        msiextract | tests | - | - | install msitools
        wixl | tests | - | - | install wixl
        xorriso | tests | - | - | install xorriso
        patchelf | tests | - | - | install patchelf
        openssl | tests | - | - | install openssl
        osslsigncode | tests | - | - | install osslsigncode
        gcab | tests | - | - | install gcab
        debsigs | tests | - | - | install debsigs
        debsig-verify | tests | - | - | install debsig-verify
        softhsm2-util | tests | - | - | install softhsm2 libengine-pkcs11-openssl
        rcodesign | tests | - | - | cargo install apple-codesign

        Install what is missing (or: cargo xtask doctor --fix):
          apt-get update && apt-get install -y --no-install-recommends nodejs npm build-essential pkg-config libwebkit2gtk-4.1-dev python3 python3-venv python3-dev binutils gnupg git xvfb xauth dbus dpkg rpm minisign imagemagick xdotool

        Recommended:
          apt-get update && apt-get install -y --no-install-recommends ccache squashfs-tools rpm 7zip nsis wine gcc-mingw-w64-x86-64 msitools wixl xorriso patchelf openssl osslsigncode gcab debsigs debsig-verify softhsm2 libengine-pkcs11-openssl && cargo install apple-codesign --version 0.29.0 --locked --debug --config profile.dev.debug=0 --root target/tools

        By hand:
          install Rust with rustup: see rustup.rs
    "#]]);
    let table = table(&report.findings);
    assert!(table.starts_with("tool "), "{table}");
    assert!(
        report
            .findings
            .iter()
            .all(|it| table.contains(it.tool.split(' ').next().unwrap()))
    );
}

#[test]
fn an_unknown_system_gets_words_instead_of_packages() {
    let mut machine = Machine::new();
    machine.system.manager = None;
    machine.shows(&machine.report(), true, expect![[r#"
        node | frontend | - | missing | install Node.js
        npm | frontend | - | missing | install npm
        cargo | app | - | missing | install Rust with rustup: see rustup.rs
        rustc | app | - | missing | install Rust with rustup: see rustup.rs
        cc | app, sidecar | - | missing | install a C compiler
        pkg-config | app | - | missing | install pkg-config
        webkit2gtk-4.1 | app | - | unknown without pkg-config | install WebKitGTK 4.1 with its headers
        python3 | sidecar | - | missing | install Python 3.9 or newer: see python.org, or use pyenv
        objcopy | sidecar | - | missing | install objcopy
        gpg | sign | - | missing | install GnuPG
        git | seal | - | missing | install git

        By hand:
          install GnuPG
          install Node.js
          install Python 3.9 or newer: see python.org, or use pyenv
          install Rust with rustup: see rustup.rs
          install WebKitGTK 4.1 with its headers
          install a C compiler
          install git
          install npm
          install objcopy
          install pkg-config
    "#]]);
}

#[test]
fn a_complete_machine_is_asked_once() {
    let machine = Machine::complete();
    let report = machine.report();
    assert!(report.ok(), "{}", report.text());
    machine.shows(
        &report,
        false,
        expect![[r#"
            node | frontend | 20.19.4 | - | -
            npm | frontend | 10.8.2 | - | -
            cargo | app | 1.95.0 | - | -
            rustc | app | 1.95.0 | - | -
            cc | app, sidecar | 12.2.0 | - | -
            pkg-config | app | DIR/bin/pkg-config | - | -
            webkit2gtk-4.1 | app | 2.48.3 | - | -
            python3 | sidecar | 3.11.2 | - | -
            python3 venv | sidecar | 3.11.2 | - | -
            python3 headers | sidecar | 3.11.2 | - | -
            objcopy | sidecar | DIR/bin/objcopy | - | -
            ccache | sidecar | 4.7.5 | - | -
            gpg | sign | DIR/bin/gpg | - | -
            git | seal | DIR/bin/git | - | -
        "#]],
    );
    let calls = machine.calls();
    assert_eq!(machine.report().findings, report.findings);
    assert_eq!(machine.calls(), calls, "the second look runs nothing");

    machine.has("node", "echo v22.0.0");
    let report = machine.report();
    assert!(
        report
            .findings
            .iter()
            .any(|it| it.found.as_deref() == Some("22.0.0"))
    );
    assert_eq!(
        machine.calls(),
        calls + 1,
        "only what changed is asked again"
    );
}

#[test]
fn what_is_too_old_is_a_problem() {
    let machine = Machine::complete();
    machine.has("node", "echo v16.20.2");
    machine.has("rustc", "echo 'rustc 1.79.0 (129f3b996 2024-06-10)'");
    machine.has("rustup", "");
    machine.has_python("python3", "3.8.10");
    machine.shows(&machine.report(), true, expect![[r#"
        node | frontend | 16.20.2 | too old: 18 is needed | install a newer Node.js: see nodejs.org, or use nvm, fnm or volta
        rustc | app | 1.79.0 | too old: 1.80 is needed | rustup update
        python3 | sidecar | 3.8.10 | too old: 3.9 is needed | install Python 3.9 or newer: see python.org, or use pyenv

        By hand:
          install Python 3.9 or newer: see python.org, or use pyenv
          install a newer Node.js: see nodejs.org, or use nvm, fnm or volta
          rustup update
    "#]]);
}

#[test]
fn what_is_broken_says_how() {
    let machine = Machine::complete();
    machine.has("npm", "echo 'Cannot find module semver' >&2; exit 1");
    machine.has(
        "pkg-config",
        "echo 'No package webkit2gtk-4.1 found' >&2; exit 1",
    );
    machine.shows(
        &machine.report(),
        true,
        expect![[r#"
        npm | frontend | - | `npm --version` failed: Cannot find module semver | install npm
        webkit2gtk-4.1 | app | - | missing | install libwebkit2gtk-4.1-dev

        Install what is missing (or: cargo xtask doctor --fix):
          apt-get update && apt-get install -y --no-install-recommends npm libwebkit2gtk-4.1-dev
    "#]],
    );
}

#[test]
fn python_comes_in_parts() {
    let mut machine = Machine::complete();
    assert!(machine.report().ok());
    let lib = machine.dir.path().join("lib/3.11.2");
    fs::remove_file(lib.join("ensurepip.py")).unwrap();
    fs::remove_file(lib.join("Python.h")).unwrap();
    let calls = machine.calls();
    machine.shows(&machine.report(), true, expect![[r#"
        python3 venv | sidecar | - | missing | reinstall Python 3.11.2: this one came without Python's venv and ensurepip
        python3 headers | sidecar | - | missing | reinstall Python 3.11.2: this one came without Python's C headers

        By hand:
          reinstall Python 3.11.2: this one came without Python's C headers
          reinstall Python 3.11.2: this one came without Python's venv and ensurepip
    "#]]);
    assert_eq!(machine.calls(), calls, "seen without running Python");

    machine.has("uv", "");
    machine.needs.pythons[0].freezers = vec![Freezer::Pyinstaller];
    assert!(
        machine.report().ok(),
        "uv needs no venv, PyInstaller no headers"
    );
}

#[test]
fn a_python_that_cannot_import_venv_is_asked_again() {
    let machine = Machine::complete();
    let facts = machine.dir.path().join("lib/3.11.2");
    let facts = facts.display();
    let print = format!(r"printf '%s\t%s\t%s\n' 3.11.2 '{facts}/ensurepip.py' '{facts}/Python.h'");
    machine.has(
        "python3",
        &format!("{print}; echo 'No module named _ctypes' >&2; exit 1"),
    );
    for _ in 0..2 {
        let report = machine.report();
        let problems: Vec<_> = report
            .findings
            .iter()
            .filter(|it| it.problem.is_some())
            .collect();
        assert_eq!(problems.len(), 1, "{}", report.text());
        assert_eq!(problems[0].tool, "python3 venv");
    }
}

#[test]
fn the_wanted_python_comes_first() {
    let mut machine = Machine::complete();
    machine.needs.pythons[0].wanted = Some(PythonVersion {
        major: 3,
        minor: 12,
    });
    machine.shows(&machine.report(), true, expect![[r#"
        python3.12 | sidecar | 3.11.2 | 3.12 is wanted by dist.toml | uv python install 3.12, or pyenv install 3.12

        By hand:
          uv python install 3.12, or pyenv install 3.12
    "#]]);
    machine.has_python("python3.12", "3.12.4");
    assert!(machine.report().ok());
}

#[test]
fn without_sidecar_python_is_not_wanted() {
    let mut machine = Machine::new();
    machine.needs.pythons.clear();
    let report = machine.report();
    assert!(
        report
            .findings
            .iter()
            .all(|it| !it.wanted_for.contains("sidecar") || it.tool == "cc")
    );
    assert!(!report.command().unwrap().contains("python"));
}

/// Nothing here links for it, and libraries of it are not asked for.
#[test]
fn another_architecture_is_another_machine() {
    let mut machine = Machine::complete();
    let (own, other) = match cfg!(target_arch = "x86_64") {
        true => ("x86_64", "aarch64"),
        false => (std::env::consts::ARCH, "x86_64"),
    };
    let target = format!("{other}-unknown-linux-gnu");
    machine.needs.target = target.parse().unwrap();
    let report = machine.report();
    let problems = report.findings.iter().filter(|it| it.problem.is_some());
    let problems: String = problems.map(line).collect();
    let variable = other.to_uppercase();
    let expected = format!(
        "target {target} | app | - | cannot be built on {own} Linux | run `cargo xtask dist --target \
         {target}` on {other} Linux, or name what links for it in \
         CARGO_TARGET_{variable}_UNKNOWN_LINUX_GNU_LINKER\n"
    );
    assert_eq!(problems, expected);
}

#[test]
fn another_target_needs_its_standard_library() {
    let mut machine = Machine::complete();
    let triple = "x86_64-pc-windows-gnu";
    machine.needs.target = triple.parse().unwrap();
    machine.has("x86_64-w64-mingw32-gcc", "echo 'gcc 12.2.0'");
    machine.has("rustup", ":");
    let std = machine.dir.path().join("std");
    let version = "rustc 1.95.0 (59807616e 2026-04-14)";
    let script = format!(
        "case $1 in --print) echo '{}';; *) echo '{version}';; esac",
        std.display()
    );
    machine.has("rustc", &script);
    let problem = |report: &Report| {
        let mut problems = report.findings.iter().filter(|it| it.problem.is_some());
        problems.next().map(|it| line(it).replace(triple, "T"))
    };
    let expected = "rust-std T | app | - | missing | rustup target add T\n";
    assert_eq!(problem(&machine.report()).as_deref(), Some(expected));
    fs::create_dir(&std).unwrap();
    // rustup leaves the folder behind when it removes what is in it.
    assert_eq!(problem(&machine.report()).as_deref(), Some(expected));
    fs::write(std.join("libstd-0a1b.rlib"), "").unwrap();
    assert_eq!(problem(&machine.report()), None);
}

#[test]
fn another_system_cannot_be_built_for() {
    let mut machine = Machine::new();
    machine.needs.target = "windows".parse().unwrap();
    machine.shows(&machine.report(), false, expect![[r#"
        node | frontend | - | missing | install nodejs
        npm | frontend | - | missing | install npm
        cargo | app | - | missing | install Rust with rustup: see rustup.rs
        rustc | app | - | missing | install Rust with rustup: see rustup.rs
        rust-std x86_64-pc-windows-gnu | app | - | missing | rustup target add x86_64-pc-windows-gnu
        x86_64-w64-mingw32-gcc | app | - | missing | install gcc-mingw-w64-x86-64
        cc | app, sidecar | - | missing | install build-essential
        gpg | sign | - | missing | install gnupg
        git | seal | - | missing | install git

        Install what is missing (or: cargo xtask doctor --fix):
          apt-get update && apt-get install -y --no-install-recommends nodejs npm gcc-mingw-w64-x86-64 build-essential gnupg git

        By hand:
          install Rust with rustup: see rustup.rs
          rustup target add x86_64-pc-windows-gnu
    "#]]);
}

#[test]
fn too_little_room_is_a_problem() {
    let mut machine = Machine::complete();
    machine.needs.disk = Some(machine.dir.path().join("not/yet/there"));
    machine.has(
        "df",
        "echo head; echo /dev/sda1 61255492 31000000 1048576 50% /",
    );
    machine.shows(
        &machine.report(),
        true,
        expect![[r#"
        disk space | all steps | 1.0 GiB | 6.0 GiB are needed | make room for DIR/not/yet/there

        By hand:
          make room for DIR/not/yet/there
    "#]],
    );
    machine.has(
        "df",
        "echo head; echo /dev/sda1 61255492 31000000 8388608 50% /",
    );
    assert!(machine.report().ok());
}

#[test]
fn package_managers_come_from_node() {
    let mut machine = Machine::complete();
    let mut check = |manager, fix: &str| {
        machine.needs.packages = Some((manager, machine.needs.root.clone()));
        let report = machine.report();
        let mut fixes = report.findings.iter().filter_map(|it| it.fix.as_ref());
        assert_eq!(fixes.next().map(ToString::to_string).as_deref(), Some(fix));
    };
    check(PackageManager::Bun, "npm install -g bun");
    check(PackageManager::Pnpm, "npm install -g pnpm");
    let mut machine = machine;
    machine.has("corepack", "");
    machine.needs.packages = Some((PackageManager::Yarn, machine.needs.root.clone()));
    assert!(
        machine
            .report()
            .text()
            .contains("\nBy hand:\n  corepack enable yarn\n")
    );
}

/// What the configuration asks for, and nothing else.
#[test]
fn needs_follow_from_the_configuration() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("package.json", r#"{"scripts": {"build": "vite build"}}"#);
    write("pnpm-lock.yaml", "");
    write(
        "src-tauri/tauri.conf.json",
        r#"{"productName": "Plain", "version": "1.2.3", "identifier": "org.example.plain",
            "build": {"frontendDist": "../dist"}}"#,
    );
    write(
        "src-tauri/Cargo.toml",
        "[package]\nname = 'plain'\nversion = '0.0.0'\nrust-version = '1.77.2'",
    );
    let sidecars = ["3.11", "3.12", "3.11"]
        .iter()
        .enumerate()
        .map(|(at, python)| {
            write(&format!("sidecars/s{at}/main.py"), "");
            write(&format!("sidecars/s{at}/requirements.txt"), "");
            format!("[[sidecar]]\nname = 's{at}'\npython = '{python}'\n")
        });
    write("packaging/dist.toml", &sidecars.collect::<String>());
    let config = xtask::config::load(root, None).unwrap();
    let needs = Needs::of(&config, &"linux".parse().unwrap());
    assert_eq!(
        needs.packages,
        Some((PackageManager::Pnpm, root.to_owned()))
    );
    assert!(needs.node && !needs.gpg && !needs.for_tests && needs.disk.is_none());
    assert_eq!(needs.tauri.as_deref(), Some("cargo-tauri"));
    assert_eq!(needs.rust, Version::new(1, 77, 2));
    let wanted: Vec<_> = needs
        .pythons
        .iter()
        .map(|it| it.wanted.unwrap().minor)
        .collect();
    assert_eq!(wanted, [11, 12]);
}

/// What looks into the installers that are made, by any of its names.
#[test]
fn what_looks_into_installers_is_recommended() {
    let mut machine = Machine::complete();
    machine.needs.bundle = vec![BundleKind::Deb, BundleKind::Rpm, BundleKind::Appimage];
    machine.has("rpm", "");
    let check = |machine: &Machine, expected: Expect| {
        let report = machine.report();
        assert!(report.ok(), "{}", report.text());
        let of_bundle = report
            .findings
            .iter()
            .filter(|it| it.wanted_for == "bundle");
        let lines = of_bundle.map(line).collect::<String>();
        expected.assert_eq(&lines.replace(machine.bin().to_str().unwrap(), "[BIN]"));
    };
    check(
        &machine,
        expect![[r#"
        rpm | bundle | [BIN]/rpm | - | -
        rpm2archive | bundle | - | - | install rpm
        unsquashfs | bundle | - | - | install squashfs-tools
    "#]],
    );
    machine.needs.bundle = vec![BundleKind::Nsis, BundleKind::Dmg];
    check(
        &machine,
        expect![[r#"
        7zz | bundle | - | - | install 7zip
    "#]],
    );
    machine.has("7z", "");
    check(
        &machine,
        expect![[r#"
        7zz | bundle | [BIN]/7z | - | -
    "#]],
    );
}

/// Where no AppImage is made here, nobody looks for a runtime.
#[test]
fn what_makes_an_appimage_is_needed() {
    let mut machine = Machine::complete();
    let runtime = machine.needs.root.join("runtime-x86_64");
    machine.needs.appimage = Some(runtime.clone());
    let report = machine.report();
    let of_bundle = report
        .findings
        .iter()
        .filter(|it| it.wanted_for == "bundle");
    let lines = of_bundle.map(line).collect::<String>();
    let root = machine.needs.root.to_str().unwrap();
    expect![[r#"
        mksquashfs | bundle | - | missing | install squashfs-tools
        AppImage runtime | bundle | - | there is no [ROOT]/runtime-x86_64 | download runtime-x86_64 from https://github.com/AppImage/type2-runtime/releases to there
    "#]].assert_eq(&lines.replace(root, "[ROOT]"));
    assert!(!report.ok());
}
