//! What signs.

use std::fs;

use expect_test::{Expect, expect};
use tempfile::TempDir;
use xtask::{
    config::LinuxSigning,
    preflight::{CodeTool, Needs},
};

use super::machine::{Machine, line};

/// For each system and each way to sign for it, and only where something is configured.
#[test]
fn what_signs_is_needed() {
    let mut machine = Machine::complete();
    let check = |machine: &Machine, expected: Expect| {
        let report = machine.report();
        let signing = report.findings.iter().filter(|it| it.wanted_for == "sign");
        let lines = signing.map(line).collect::<String>();
        expected.assert_eq(&lines.replace(machine.dir.path().to_str().unwrap(), "DIR"));
    };
    machine.needs.signed_packages = LinuxSigning {
        deb: true,
        rpm: true,
    };
    machine.has("gpg", "echo 'gpg (GnuPG) 2.2.40'");
    machine.has("gpgv", "echo 'gpgv (GnuPG) 2.2.40'");
    check(
        &machine,
        expect![[r#"
        gpg | sign | 2.2.40 | - | -
        gpgv | sign | 2.2.40 | - | -
        rpmsign | sign | - | missing | install rpm
        debsig-verify | sign | - | - | install debsig-verify
    "#]],
    );
    machine.has("rpmsign", "echo 'RPM version 4.18.0'");
    machine.has("debsig-verify", "");
    check(
        &machine,
        expect![[r#"
        gpg | sign | 2.2.40 | - | -
        gpgv | sign | 2.2.40 | - | -
        rpmsign | sign | 4.18.0 | - | -
        debsig-verify | sign | DIR/bin/debsig-verify | - | -
    "#]],
    );
    // None of that is of use to other systems.
    machine.needs.gpg = false;
    machine.needs.target = "windows".parse().unwrap();
    check(&machine, expect![[""]]);
    let token = machine.dir.path().join("token.so");
    machine.needs.code = Some(CodeTool::Osslsigncode(Some(token.clone())));
    check(
        &machine,
        expect![[r#"
        osslsigncode | sign | - | missing | install osslsigncode libengine-pkcs11-openssl
        token.so | sign | - | missing | install the token's software, or set `module` in [sign.windows.pkcs11]
    "#]],
    );
    machine.needs.code = Some(CodeTool::Osslsigncode(None));
    check(
        &machine,
        expect![[r#"
        osslsigncode | sign | - | missing | install osslsigncode
    "#]],
    );
    // With `--fix` and `--setup`.
    let install = machine.report().command();
    expect!["apt-get update && apt-get install -y --no-install-recommends rust-web-src gcc-mingw-w64-x86-64 osslsigncode"]
        .assert_eq(&install.unwrap());
    fs::write(&token, "").unwrap();
    machine.has("osslsigncode", "echo 'osslsigncode 2.9, using:'");
    machine.needs.code = Some(CodeTool::Osslsigncode(Some(token.clone())));
    check(
        &machine,
        expect![[r#"
        osslsigncode | sign | 2.9 | - | -
        token.so | sign | DIR/token.so | - | -
    "#]],
    );
    let metadata = machine.dir.path().join("metadata.json");
    machine.needs.code = Some(CodeTool::Signtool(vec![token, metadata]));
    check(
        &machine,
        expect![[r#"
        signtool | sign | - | missing | sign on Windows, or with a certificate that osslsigncode can use: see docs/signing.md
        token.so | sign | DIR/token.so | - | -
        metadata.json | sign | - | missing | set its path in [sign.windows.azure]
    "#]],
    );
    machine.needs.code = Some(CodeTool::Command("cloud-sign".to_owned()));
    // Whoever has not the publisher's keys builds without.
    machine.needs.publisher = false;
    check(
        &machine,
        expect![[r#"
        cloud-sign | sign | - | - | install cloud-sign: `sign.windows.command` names it
    "#]],
    );
    machine.needs.publisher = true;
    check(
        &machine,
        expect![[r#"
        cloud-sign | sign | - | missing | install cloud-sign: `sign.windows.command` names it
    "#]],
    );
    machine.needs.target = "macos".parse().unwrap();
    machine.needs.code = Some(CodeTool::Rcodesign);
    check(
        &machine,
        expect![[r#"
        rcodesign | sign | - | missing | cargo install apple-codesign --locked
        openssl | sign | - | - | install openssl
    "#]],
    );
    machine.has("rcodesign", "echo 'rcodesign 0.29.0'");
    machine.has("openssl", "");
    check(
        &machine,
        expect![[r#"
        rcodesign | sign | 0.29.0 | - | -
        openssl | sign | DIR/bin/openssl | - | -
    "#]],
    );
    machine.needs.code = Some(CodeTool::Codesign {
        file: true,
        notarize: true,
    });
    check(
        &machine,
        expect![[r#"
        codesign | sign | - | missing | sign on macOS, or set `sign.macos.tool = "rcodesign"`
        security | sign | - | missing | sign on macOS, or set `sign.macos.tool = "rcodesign"`
        xcrun | sign | - | missing | sign on macOS, or set `sign.macos.tool = "rcodesign"`
    "#]],
    );
}

/// Nothing is needed to sign with until it is said whose key signs.
#[test]
fn what_signs_follows_from_the_configuration() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "src-tauri/tauri.conf.json",
        r#"{"productName": "Plain", "version": "1.2.3", "identifier": "org.example.plain"}"#,
    );
    write(
        "src-tauri/Cargo.toml",
        "[package]\nname = 'plain'\nversion = '0.0.0'",
    );
    write("certificate.pem", "");
    let check = |target: &str, sign: &str, expected: Expect| {
        write("packaging/dist.toml", sign);
        let config = xtask::config::load(root, None).unwrap();
        let needs = Needs::of(&config, &target.parse().unwrap());
        let shown = format!("{:?} {}", needs.code, needs.publisher);
        expected.assert_eq(&shown.replace(root.to_str().unwrap(), "ROOT"));
    };
    let thumbprint = "0".repeat(40);
    let store = format!("[sign.windows]\nthumbprint = '{thumbprint}'");
    let token = "[sign.windows.pkcs11]\nmodule = 'token.so'\nkey = 'pkcs11:object=key'\n\
                 certificate = 'certificate.pem'";
    let azure = "[sign.windows.azure]\ndlib = 'azure.dll'\nmetadata = 'azure.json'";
    write("azure.dll", "");
    write("azure.json", "{}");
    write("token.so", "");
    let own = "[sign.windows]\ncommand = ['cloud-sign', '%1']";
    check("windows", "", expect!["None true"]);
    check("windows", &store, expect!["Some(Signtool([])) false"]);
    check(
        "windows",
        token,
        expect![[r#"Some(Osslsigncode(Some("ROOT/token.so"))) false"#]],
    );
    check(
        "windows",
        azure,
        expect![[r#"Some(Signtool(["ROOT/azure.dll", "ROOT/azure.json"])) false"#]],
    );
    check(
        "windows",
        own,
        expect![[r#"Some(Command("cloud-sign")) false"#]],
    );
    check("linux", own, expect!["None false"]);
    check("macos", "", expect!["None true"]);
    let named = "[sign.macos]\nidentity = 'Developer ID Application: Plain'\n";
    check("macos", named, expect!["Some(Rcodesign) true"]);
    let tool = format!("{named}tool = 'codesign'");
    check(
        "macos",
        &tool,
        expect!["Some(Codesign { file: false, notarize: false }) true"],
    );
}
