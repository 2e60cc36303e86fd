//! What stands where an executable belongs, but is none: refused before it is bundled, and again
//! inside the finished installer. The same for what a freezer leaves is tested in
//! `freeze::candidate`.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use expect_test::{Expect, expect};
use fs_err as fs;

use super::{
    project::{self, Project},
    sidecars::failure,
};

/// An executable that something else provides, as Tauri's `externalBin` names it.
#[test]
fn a_placeholder_for_an_external_executable_is_refused() {
    let project = Project::built();
    let external = "\"externalBin\": [\"binaries/tool\"],\n    \"icon\"";
    project.replace("src-tauri/tauri.conf.json", "\"icon\"", external);
    let arch = std::env::consts::ARCH;
    let tool = format!("src-tauri/binaries/tool-{arch}-unknown-linux-gnu");
    let check = |content: &[u8], mode: u32, expected: Expect| {
        project.write(&tool, content);
        let mode = Permissions::from_mode(mode);
        fs::set_permissions(project.root.join(&tool), mode).unwrap();
        let shown = project.run("dist --until sign-code").shown();
        let end = shown.split("\n\n").last().unwrap_or_default();
        let said = end
            .lines()
            .filter(|it| !it.contains("log: ") && !it.contains("resume: "));
        expected.assert_eq(&said.map(|it| format!("{it}\n")).collect::<String>());
    };
    let program = fs::read("/bin/true").unwrap();
    let mut foreign = program.clone();
    // e_machine of ELF: another architecture.
    foreign[18] = if arch == "x86_64" { 0xb7 } else { 0x3e };
    check(
        b"",
        0o755,
        expect![[r#"
        sign-code failed: externalBin tool is an empty file: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
        exit code 1
    "#]],
    );
    check(
        b"#!/bin/sh\nexec python3 -m tool\n",
        0o755,
        expect![[r#"
        sign-code failed: externalBin tool is a script, not an executable: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
        exit code 1
    "#]],
    );
    check(
        b"placeholder\n",
        0o755,
        expect![[r#"
        sign-code failed: externalBin tool is no executable of any known format: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
          cause: Could not read file magic
        exit code 1
    "#]],
    );
    check(
        &foreign,
        0o755,
        expect![[r#"
        sign-code failed: externalBin tool is built for Aarch64, but linux wants X86_64: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
        exit code 1
    "#]],
    );
    check(
        &program,
        0o644,
        expect![[r#"
        sign-code failed: externalBin tool is not marked as executable: [ROOT]/src-tauri/binaries/tool-[TRIPLE]
          hint: chmod +x
        exit code 1
    "#]],
    );
    let mode = Permissions::from_mode(0o755);
    fs::set_permissions(project.root.join(&tool), mode).unwrap();
    project.succeed("dist --until sign-code");
}

/// Calls the real bundler, and then swaps the host inside the finished package for Debian.
const SWAPPING: &str = r#"import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
const [cli, swap, ...args] = process.argv.slice(2);
const run = (program, ...words) => {
    const { status } = spawnSync(program, words, { stdio: "inherit" });
    if (status !== 0) process.exit(status ?? 1);
};
if (args.includes("--version")) {
    // Another version than that of the bundler with which the project was built.
    console.log("swapping 1.0.0");
    process.exit();
}
run(process.execPath, cli, ...args);
if (args.includes("deb")) {
    const folder = `${process.env.CARGO_TARGET_DIR}/release/bundle/deb`;
    const deb = `${folder}/${readdirSync(folder).find((it) => it.endsWith(".deb"))}`;
    const tree = mkdtempSync(`${process.env.CARGO_TARGET_DIR}/tree-`);
    run("dpkg-deb", "--raw-extract", deb, tree);
    const host = `${tree}/usr/bin/small`;
    if (existsSync(`${swap}/mode`)) chmodSync(host, 0o644);
    else if (existsSync(`${swap}/host`)) copyFileSync(`${swap}/host`, host);
    else rmSync(host);
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb);
}
"#;

/// What was right before it was bundled, and is not inside the finished installer.
#[test]
fn a_placeholder_inside_the_installer_is_refused() {
    let project = Project::built();
    let beside = project.beside();
    let (script, swap) = (beside.join("swapping.mjs"), beside.join("swap"));
    fs::create_dir(&swap).unwrap();
    fs::write(&script, SWAPPING).unwrap();
    let cli = project::tauri_cli();
    let words = [&*script, &*cli, &*swap].map(|it| it.to_str().unwrap());
    project.write(
        "packaging/dist.toml",
        format!("[bundle]\ncli = [\"node\", {}]\n", quoted(&words)),
    );
    let host = swap.join("host");
    let check = |expected: Expect| {
        let shown = project.run("dist --until bundle").shown();
        let said = failure(&shown);
        let said = said.lines().filter(|it| !it.contains("log: "));
        let said = said.map(|it| format!("{it}\n")).collect::<String>();
        // Where it was unpacked to is no part of the refusal.
        let at = ": [ROOT]/target/dist/linux/cache/bundle/deb/inside/small";
        expected.assert_eq(&said.replace(at, ": [UNPACKED]"));
    };
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
        bundle failed: /usr/bin/small in the package is a script, not an executable: [UNPACKED]
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, "placeholder\n").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is no executable of any known format: [UNPACKED]
          cause: Could not read file magic
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, foreign).unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is built for Aarch64, but linux wants X86_64: [UNPACKED]
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(&host, program).unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package is not the file that was built and tried out
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
    fs::write(swap.join("mode"), "").unwrap();
    check(expect![[r#"
        bundle failed: /usr/bin/small in the package cannot be executed any more
          resume: cargo xtask dist --until bundle
        exit code 1
    "#]]);
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
    let bundle = |project: &Project| {
        let steps = project.succeed("dist").steps();
        let of_it = steps.lines().filter(|it| it.starts_with("bundle  "));
        of_it.map(|it| format!("{it}\n")).collect::<String>()
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
        bundle  runs: rpm RPM version 4.18.0 -> none
        bundle  warning: small-0.1.0-1.[ARCH].rpm: what is inside was not compared with what was built
    "#]].assert_eq(&bundle(&project));
    assert_eq!(inside(&project), "");
    project.set("PATH", inherited);
    expect![[r#"
        bundle  runs: rpm none -> RPM version 4.18.0
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
