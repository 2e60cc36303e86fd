//! What stands where an executable belongs, but is none: refused before it is bundled. The same for
//! what a freezer leaves is tested in `freeze::candidate`.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use expect_test::{Expect, expect};
use fs_err as fs;

use super::project::Project;

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
