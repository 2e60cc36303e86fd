//! Which files are signed, how, and which are left alone.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::config::Timestamping;
use xtask_practice::{specimens, tools};

use super::case::Case;

#[test]
fn every_format_is_signed_in_place() {
    let Some(mut case) = Case::new() else { return };
    case.config.sign.windows.description = Some("Small & more".to_owned());
    case.config.sign.windows.url = Some("https://example.com/".to_owned());
    let signer = case.signer("leaf");
    let mut files = vec![case.pe("app.exe")];
    let folder = case.root().to_owned();
    if tools::have(&["wixl", "gcab", "makensis"]) {
        files.push(specimens::msi(&folder).unwrap());
        files.push(specimens::cab(&folder).unwrap());
        files.push(specimens::nsis(&folder).unwrap());
    }
    for file in files {
        fs::set_permissions(&file, std::fs::Permissions::from_mode(0o751)).unwrap();
        let signed = "signed by Practice Publisher, time by Practice Timestamps\n";
        assert_eq!(case.sign(&signer, &file), signed, "{}", file.display());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o751, "as it was");
        // With the eyes of the tool, too.
        let mut verify = std::process::Command::new("osslsigncode");
        verify.args(["verify", "-ignore-cdp", "-CAfile"]);
        verify.arg(case.pki.root()).arg("-TSA-CAfile");
        verify.arg(case.pki.timestamp_root()).arg("-in").arg(&file);
        let said = tools::run(&mut verify).unwrap();
        for line in [
            "Timestamp Server Signature verification: ok",
            "Signature verification: ok",
            "Text description: Small & more",
            "URL description: https://example.com/",
        ] {
            let is_msi_or_cab = !said.contains("description");
            let has = said.contains(line) || (is_msi_or_cab && line.contains("description"));
            assert!(has, "{}: {line}\n{said}", file.display());
        }
    }
    case.is_clean(signer);
}

#[test]
fn what_is_no_format_of_windows_is_refused() {
    let Some(case) = Case::new() else { return };
    let signer = case.signer("leaf");
    let check = |name: &str, content: &[u8], expected: Expect| {
        let file = case.root().join(name);
        fs::write(&file, content).unwrap();
        expected.assert_eq(&case.sign(&signer, &file));
        assert!(fs::read(file).unwrap() == content, "as it was");
    };
    check(
        "text.exe",
        b"text\n",
        expect![[r#"
            error: text.exe: [ROOT]/text.exe is no Windows executable, installer package or cabinet
        "#]],
    );
    // Only the beginning of one.
    let mut cut = specimens::pe();
    cut.truncate(100);
    check(
        "cut.exe",
        &cut,
        expect![[r#"
            error: signature on cut.exe could not be made: this kind of file carries no such signature: `osslsigncode` failed: exit status: 1
        "#]],
    );
}

#[test]
fn a_signature_is_not_made_twice() {
    let Some(case) = Case::new() else { return };
    let signer = case.signer("leaf");
    let file = case.pe("app.exe");
    case.sign(&signer, &file);
    let before = fs::read(&file).unwrap();
    expect![[r#"
        is signed by Practice Publisher already
    "#]]
    .assert_eq(&case.sign(&signer, &file));
    assert!(fs::read(&file).unwrap() == before);
    assert_eq!(
        case.count("sign"),
        2,
        "one of them to see whose certificate it is"
    );
    assert_eq!(case.server.requests().unwrap(), 1);
}

#[test]
fn signatures_of_others_are_left_alone() {
    let Some(mut case) = Case::new() else { return };
    // Also of one whom nobody trusts here, and of one whose certificate has expired since.
    for name in ["other", "stranger"] {
        let file = case.pe("library.dll");
        case.config.sign.windows.trust = None;
        case.sign(&case.signer(name), &file);
        case.config.sign.windows.trust = Some(case.pki.root());
        let before = fs::read(&file).unwrap();
        let said = case.sign(&case.signer("leaf"), &file);
        assert!(
            said.starts_with("keeps the signature of Practice "),
            "{said}"
        );
        assert!(fs::read(&file).unwrap() == before);
    }
    let file = case.pe("old.dll");
    let p12 = case.pki.identity("expired").p12_with_chain;
    let mut sign = std::process::Command::new("osslsigncode");
    sign.args(["sign", "-h", "sha256", "-pkcs12"])
        .arg(p12)
        .arg("-readpass");
    sign.arg(case.pki.password_file()).arg("-in").arg(&file);
    let signed = case.root().join("signed.dll");
    tools::run(sign.arg("-out").arg(&signed)).unwrap();
    expect![[r#"
        keeps the signature of Practice Expired
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &signed));
}

#[test]
fn a_signature_that_is_replaced_is_named() {
    let Some(mut case) = Case::new() else { return };
    let file = case.pe("app.exe");
    case.config.sign.windows.timestamp = Timestamping::None;
    expect![[r#"
        signed by Practice Publisher, no timestamp
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &file));
    assert_eq!(
        case.server.requests().unwrap(),
        0,
        "nobody asked for the time"
    );
    case.config.sign.windows.timestamp = Timestamping::Rfc3161;
    expect![[r#"
        app.exe: the signature in it was replaced: it had no timestamp
        signed by Practice Publisher, time by Practice Timestamps
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &file));
    let mut bytes = fs::read(&file).unwrap();
    bytes[0x300] ^= 1;
    fs::write(&file, bytes).unwrap();
    expect![[r#"
        app.exe: the signature in it was replaced: the file is not the one that was signed
        signed by Practice Publisher, time by Practice Timestamps
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &file));
    assert_eq!(case.read(&file).len(), 1, "one signature, not two");
}
