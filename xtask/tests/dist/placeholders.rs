//! What stands where an executable belongs, but is none: refused before it is bundled, and again
//! inside the finished installer. The same for what a freezer leaves is tested in
//! `freeze::candidate`.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;

use super::{
    project::{self, KEY, PASSWORD, Project},
    sidecars::{PYINSTALLER, failure, with_sidecars},
};

/// An executable that something else provides, as Tauri's `externalBin` names it.
#[test]
fn a_placeholder_for_an_external_executable_is_refused() {
    let project = Project::built();
    let external = "\"externalBin\": [\"binaries/tool\"],\n    \"icon\"";
    project.replace("src-tauri/tauri.conf.json", "\"icon\"", external);
    let arch = std::env::consts::ARCH;
    let tool = format!("src-tauri/binaries/tool-{arch}-unknown-linux-gnu");
    let refused = |expected: Expect| {
        let shown = project.run("dist --until sign-code").shown();
        let end = shown.split("\n\n").last().unwrap_or_default();
        let said = end
            .lines()
            .filter(|it| !it.contains("log: ") && !it.contains("resume: "));
        expected.assert_eq(&said.map(|it| format!("{it}\n")).collect::<String>());
    };
    let check = |content: &[u8], mode: u32, expected: Expect| {
        project.write(&tool, content);
        let mode = Permissions::from_mode(mode);
        fs::set_permissions(project.root.join(&tool), mode).unwrap();
        refused(expected);
    };
    // Not there at all, and there for another system only.
    refused(expect![[r#"
        sign-code failed: externalBin tool is not there: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
          hint: build it for [TRIPLE], or take it out of `bundle.externalBin`
        exit code 1
    "#]]);
    project.write("src-tauri/binaries/tool-riscv64gc-unknown-linux-gnu", "");
    refused(expect![[r#"
        sign-code failed: externalBin tool is not there: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
          hint: build it for [TRIPLE], or take it out of `bundle.externalBin`
        exit code 1
    "#]]);
    let program = fs::read("/bin/true").unwrap();
    let mut foreign = program.clone();
    // e_machine of ELF: another architecture.
    foreign[18] = if arch == "x86_64" { 0xb7 } else { 0x3e };
    check(
        b"",
        0o755,
        expect![[r#"
            sign-code failed: externalBin tool is an empty file: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
              hint: nothing here builds it: build it anew, or take it out of `bundle.externalBin`
            exit code 1
        "#]],
    );
    check(
        b"#!/bin/sh\nexec python3 -m tool\n",
        0o755,
        expect![[r#"
            sign-code failed: externalBin tool is a script, not an executable: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
              hint: nothing here builds it: build it anew, or take it out of `bundle.externalBin`
            exit code 1
        "#]],
    );
    check(
        b"placeholder\n",
        0o755,
        expect![[r#"
            sign-code failed: externalBin tool is no executable of any known format: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
              hint: nothing here builds it: build it anew, or take it out of `bundle.externalBin`
            exit code 1
        "#]],
    );
    check(
        &foreign,
        0o755,
        expect![[r#"
            sign-code failed: externalBin tool is built for Aarch64, but linux wants X86_64: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
              hint: nothing here builds it: build it anew, or take it out of `bundle.externalBin`
            exit code 1
        "#]],
    );
    check(
        &program,
        0o644,
        expect![[r#"
            sign-code failed: externalBin tool is not marked as executable: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
              hint: chmod +x
              hint: nothing here builds it: build it anew, or take it out of `bundle.externalBin`
            exit code 1
        "#]],
    );
    let mode = Permissions::from_mode(0o755);
    fs::set_permissions(project.root.join(&tool), mode).unwrap();
    project.succeed("dist --until sign-code");
}

/// Calls the real bundler, and then swaps a program inside the finished package.
const SWAPPING: &str = r#"import { spawnSync } from "node:child_process";
import {
    chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync,
    rmSync, utimesSync, writeFileSync,
} from "node:fs";
const [cli, swap, name, ...args] = process.argv.slice(2);
const run = (program, ...words) => {
    const { status } = spawnSync(program, words, { stdio: "inherit" });
    if (status !== 0) process.exit(status ?? 1);
};
if (args.includes("--version")) {
    // Another version than that of the bundler with which the project was built.
    console.log("swapping 1.0.0");
    process.exit();
}
const kind = args[args.indexOf("--bundles") + 1];
const release = `${process.env.CARGO_TARGET_DIR}/release`;
const folder = `${release}/bundle/${kind}`;
const work = mkdtempSync(`${process.env.CARGO_TARGET_DIR}/swap-`);
const tree = `${work}/tree`;
if (kind === "appimage") {
    // The real bundler would download what makes one.
    mkdirSync(`${tree}/usr/bin`, { recursive: true });
    mkdirSync(folder, { recursive: true });
    const built = readFileSync(`${release}/${name}`);
    built.write("APP", built.indexOf("_BUNDLE_TYPE_VAR_UNK") + 17);
    writeFileSync(`${tree}/usr/bin/${name}`, built, { mode: 0o755 });
    writeFileSync(`${tree}/small.desktop`, "[Desktop Entry]\n");
    writeFileSync(`${folder}/small.AppImage`, "");
} else run(process.execPath, cli, ...args);
const ends = (it) => it.toLowerCase().endsWith(`.${kind}`);
const made = `${folder}/${readdirSync(folder).find(ends)}`;
if (kind === "deb") run("dpkg-deb", "--raw-extract", made, tree);
if (kind === "rpm") {
    copyFileSync(made, `${work}/made.rpm`);
    run("rpm2archive", "-n", `${work}/made.rpm`);
    run("mkdir", tree);
    run("tar", "-xf", `${work}/made.rpm.tar`, "-C", tree);
}
const host = `${tree}/usr/bin/${name}`;
if (existsSync(`${swap}/relinked`)) run("patchelf", "--set-rpath", "$ORIGIN/../lib/small", host);
else if (existsSync(`${swap}/mode`)) chmodSync(host, 0o644);
else if (existsSync(`${swap}/host`)) copyFileSync(`${swap}/host`, host);
else rmSync(host);
if (existsSync(`${swap}/old`)) utimesSync(host, Date.now() / 1000 - 3600, Date.now() / 1000 - 3600);
if (kind === "deb") run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, made);
if (kind === "appimage") {
    run("mksquashfs", tree, `${work}/image`, "-root-owned", "-noappend", "-no-progress", "-quiet");
    // Any program may stand for the one that mounts it.
    writeFileSync(made, Buffer.concat(["/bin/true", `${work}/image`].map((it) => readFileSync(it))));
}
if (kind === "rpm") {
    const spec = `Name: small
Version: 1
Release: 1
Summary: s
License: MIT
AutoReqProv: no
%define _build_id_links none
%define __os_install_post %{nil}
%description
s
%install
cp -a ${tree}/. %{buildroot}/
%files
/usr
`;
    writeFileSync(`${work}/spec`, spec);
    const defined = { _topdir: `${work}/top`, _rpmdir: work, _rpmfilename: "again.rpm" };
    const words = Object.entries(defined).flatMap(([key, value]) => ["--define", `${key} ${value}`]);
    run("rpmbuild", "--quiet", "-bb", ...words, `${work}/spec`);
    renameSync(`${work}/again.rpm`, made);
}
"#;

/// A project whose bundler swaps the program of this name for what stands in the folder that is
/// returned.
fn swapping(project: &Project, name: &str) -> PathBuf {
    let beside = project.beside();
    let (script, swap) = (beside.join("swapping.mjs"), beside.join("swap"));
    fs::create_dir(&swap).unwrap();
    fs::write(&script, SWAPPING).unwrap();
    let cli = project::tauri_cli();
    let words = [&*script, &*cli, &*swap].map(|it| it.to_str().unwrap());
    let words = quoted(&[words[0], words[1], words[2], name]);
    let old = project.read("packaging/dist.toml");
    let others = old.split_once("[[").map_or("", |(_, it)| it);
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("[[{others}")
    };
    project.write(
        "packaging/dist.toml",
        format!("[bundle]\nlinux = [\"KIND\"]\ncli = [\"node\", {words}]\n\n{others}"),
    );
    swap
}

/// Whether these programs are there; if not, the test says that it does less.
pub(super) fn made_here(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    let is_there = |it: &&&str| std::env::split_paths(&path).any(|at| at.join(it).is_file());
    let missing = programs.iter().find(|it| !is_there(it));
    if let Some(missing) = missing {
        project::skip(&format!("skipped in part: no {missing}"));
    }
    missing.is_none()
}

/// What is said besides of each.
const WHERE_TO_LOOK: &str = "  hint: look for what puts it there, or leaves it out, under `bundle` of the Tauri \
    configuration (externalBin, resources, an installer's files and hooks), and for what the bundler \
    printed in target/dist/linux/logs/bundle.log\n";

/// What is said of a package of this kind.
fn refusal(project: &Project, kind: &str) -> String {
    let config = project.read("packaging/dist.toml");
    project.write("packaging/dist.toml", config.replace("KIND", kind));
    let shown = project.run("dist --until bundle").shown();
    project.write("packaging/dist.toml", config);
    let said = failure(&shown);
    assert!(said.contains(WHERE_TO_LOOK), "{said}");
    let said = said.replace(WHERE_TO_LOOK, "");
    let said = said.lines().filter(|it| !it.contains("log: "));
    let said = said.map(|it| format!("{it}\n")).collect::<String>();
    // Where it was unpacked to is no part of the refusal.
    let unpacked = format!("[ROOT]/target/dist/linux/cache/bundle/{kind}/inside/files");
    said.replace(&unpacked, "[UNPACKED]")
}

/// What was right before it was bundled, and is not inside the finished installer.
#[test]
fn slow_a_placeholder_inside_the_installer_is_refused() {
    check_placeholders("deb");
}

/// The same in the words of all kinds.
#[test]
fn slow_a_placeholder_inside_any_installer_is_refused() {
    if made_here(&["rpmbuild", "rpm2archive"]) {
        check_placeholders("rpm");
    }
    if made_here(&["mksquashfs", "unsquashfs"]) {
        check_placeholders("appimage");
    }
}

fn check_placeholders(kind: &str) {
    let project = Project::built();
    let swap = swapping(&project, "small");
    let host = swap.join("host");
    let check = |expected: Expect| expected.assert_eq(&refusal(&project, kind));
    let program = fs::read("/bin/true").unwrap();
    let mut foreign = program.clone();
    // e_machine of ELF: another architecture.
    foreign[18] = if std::env::consts::ARCH == "x86_64" {
        0xb7
    } else {
        0x3e
    };
    check(expect![[r#"
        bundle failed: the package holds no /usr/bin/small
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, "").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is an empty file
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, "#!/bin/sh\nexec python3 -m small\n").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is a script, not an executable: [UNPACKED]/usr/bin/small
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, "placeholder\n").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is no executable of any known format: [UNPACKED]/usr/bin/small
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, foreign).unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is built for Aarch64, but linux wants X86_64: [UNPACKED]/usr/bin/small
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, program).unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is not the file that was built and tried out
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(swap.join("old"), "").unwrap();
    // How long ago differs each time.
    let said = refusal(&project, kind);
    let (before, after) = said.split_once("written ").unwrap();
    let after = after.trim_start_matches(|it: char| it.is_ascii_digit());
    expect![[r#"
        bundle failed: /usr/bin/small in the package is older than its inputs: it was written [N] s before bundling began
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]].assert_eq(&format!("{before}written [N]{after}"));
    fs::remove_file(swap.join("old")).unwrap();
    fs::write(swap.join("mode"), "").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package cannot be executed any more
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
}

/// What makes an AppImage tells each program in it where its libraries are. Nothing else may differ,
/// and what was found is what `verify` has to find.
#[test]
fn an_appimage_holds_what_was_built() {
    if !made_here(&["mksquashfs", "unsquashfs", "patchelf"]) {
        return;
    }
    let project = Project::built();
    let swap = swapping(&project, "small");
    // Of the program's own bytes one is another: a letter of the page that it shows.
    let host = "target/dist/linux/stages/sign-code/small";
    let mut other = fs::read(project.root.join(host)).unwrap();
    let page = other.windows(5).position(|it| it == b"Small").unwrap();
    other[page] = b's';
    fs::write(swap.join("host"), other).unwrap();
    expect![[r#"
        bundle failed: /usr/bin/small in the package is not the file that was built and tried out
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]
    .assert_eq(&refusal(&project, "appimage"));
    fs::write(swap.join("relinked"), "").unwrap();
    let config = project.read("packaging/dist.toml");
    project.write("packaging/dist.toml", config.replace("KIND", "appimage"));
    let shown = project.succeed("dist").shown();
    assert!(!shown.contains("warning"), "{shown}");
    let manifest = project.manifest();
    let mut artifacts = manifest["artifacts"].as_array().unwrap().iter();
    let made = artifacts.find(|it| it["format"] == "appimage").unwrap();
    assert_eq!(made["contents"][0]["path"], "usr/bin/small");
    let verified = project.succeed("verify --verbose").shown();
    assert!(!verified.contains("not looked into"), "{verified}");
}

/// It is a good program, and new: which one it is only it can say.
#[test]
fn slow_a_sidecar_of_another_version_inside_the_installer_is_refused() {
    let project = with_sidecars(&["alpha"], "[\"pyinstaller\"]", &PYINSTALLER);
    let swap = swapping(&project, "alpha");
    let check = |kind: &str, version: &str, expected: Expect| {
        let source = swap.join("alpha.rs");
        let program = format!(
            "fn main() {{\n    println!(\"BOOT sidecar=alpha version={version}\\nREADY\");\n    \
             std::io::stdin().lines().count();\n}}\n"
        );
        fs::write(&source, program).unwrap();
        let mut rustc = Command::new("rustc");
        rustc.arg(&source).arg("-o").arg(swap.join("host"));
        assert!(rustc.status().unwrap().success());
        expected.assert_eq(&refusal(&project, kind));
    };
    check(
        "deb",
        "0.0.9",
        expect![[r#"
        bundle failed: /usr/bin/alpha in the package reports version 0.0.9, but the release is 0.1.0
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]],
    );
    // Of what says that it is the right one, nobody knows what it is.
    check(
        "rpm",
        "0.1.0",
        expect![[r#"
        bundle failed: /usr/bin/alpha in the package is not the file that was built and tried out
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]],
    );
}

/// Where there is no program to read it, nobody looks into an rpm; once there is one, somebody does,
/// and the manifest says what `verify` has to find inside.
#[test]
fn an_rpm_is_looked_into_as_soon_as_it_can_be() {
    let mut project = Project::built();
    let inherited = std::env::var("PATH").unwrap();
    let programs = project.beside().join("programs");
    fs::create_dir(&programs).unwrap();
    for entry in std::env::split_paths(&inherited).filter_map(|it| fs::read_dir(it).ok()) {
        for path in entry.map(|it| it.unwrap().path()) {
            let name = path.file_name().unwrap();
            if name != "rpm" {
                // The first of a name counts.
                std::os::unix::fs::symlink(&path, programs.join(name)).ok();
            }
        }
    }
    project.set("PATH", programs.to_str().unwrap());
    let version = Command::new("rpm").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap().trim().to_owned();
    let bundle = |project: &Project| {
        let steps = project.succeed("dist").steps();
        let of_it = steps.lines().filter(|it| it.starts_with("bundle  "));
        // How depends on the system and its user.
        let lines = of_it.map(|it| match it.split_once("change that: ") {
            Some((said, install)) => {
                assert!(install.ends_with(" rpm"), "{install}");
                format!("{said}change that: [INSTALL]\n")
            }
            None => format!("{it}\n"),
        });
        let lines = lines.collect::<String>();
        lines.replace(&version, "[RPM]")
    };
    let inside = |project: &Project| {
        let manifest = project.manifest();
        let mut artifacts = manifest["artifacts"].as_array().unwrap().iter();
        let rpm = artifacts.find(|it| it["format"] == "rpm").unwrap();
        let contents = rpm["contents"].as_array().cloned().unwrap_or_default();
        contents
            .iter()
            .map(|it| it["path"].to_string())
            .collect::<String>()
    };
    expect![[r#"
        bundle  runs: rpm [RPM] -> none
        bundle  warning: small-0.1.0-1.[ARCH].rpm: what is inside was not compared with what was built; to change that: [INSTALL]
    "#]].assert_eq(&bundle(&project));
    assert_eq!(inside(&project), "");
    // What is published is looked into, also if it is there already.
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    let said = failure(&project.run("dist --release --until bundle").shown());
    let install = said.lines().find(|it| it.contains("hint: "));
    assert!(install.is_some_and(|it| it.ends_with(" rpm")), "{said}");
    let refused = said.lines().next().unwrap();
    expect!["bundle failed: nothing here can look into the rpm, which --release wants"]
        .assert_eq(refused);
    project.set("PATH", inherited);
    expect![[r#"
        bundle  runs: rpm none -> [RPM]
    "#]]
    .assert_eq(&bundle(&project));
    assert_eq!(inside(&project), "\"usr/bin/small\"");
    project.succeed("verify");
}

/// As the elements of a list in TOML.
fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|it| format!("{it:?}")).collect();
    quoted.join(", ")
}
