//! Which files are signed, how, and which are left alone.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

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

/// The root of the timestamp's server is another one than that of the certificate, and nobody named it.
#[test]
fn whom_to_believe_about_the_time_may_stay_open() {
    let Some(mut case) = Case::new() else { return };
    case.config.sign.windows.timestamp_trust = None;
    let signer = case.signer("leaf");
    let signed = "signed by Practice Publisher, time by Practice Timestamps\n";
    assert_eq!(case.sign(&signer, &case.pe("app.exe")), signed);
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

/// Signs with one of the practice PKI's, without a word of this program; `more` is what osslsigncode
/// is told besides.
pub fn signed_by(case: &Case, name: &str, more: &[&str]) -> PathBuf {
    let (unsigned, signed) = (case.pe("unsigned.dll"), case.root().join("library.dll"));
    fs::remove_file(&signed).ok();
    let p12 = case.pki.identity(name).p12_with_chain;
    let mut sign = std::process::Command::new("osslsigncode");
    sign.args(["sign", "-h", "sha256", "-pkcs12"]).arg(p12);
    sign.arg("-readpass")
        .arg(case.pki.password_file())
        .args(more);
    sign.arg("-in").arg(unsigned).arg("-out").arg(&signed);
    tools::run(&mut sign).unwrap();
    signed
}

#[test]
fn valid_signatures_of_others_are_left_alone() {
    let Some(case) = Case::new() else { return };
    let tsa = case.pki.identity("tsa");
    let long_ago = format!("{}", now() - 400 * 24 * 60 * 60);
    let then = [
        "-TSA-certs",
        tsa.chain.to_str().unwrap(),
        "-TSA-key",
        tsa.key.to_str().unwrap(),
        "-TSA-time",
        &long_ago,
    ];
    let check = |name: &str, more: &[&str], expected: Expect| {
        let file = signed_by(&case, name, more);
        let before = fs::read(&file).unwrap();
        let said = case.sign(&case.signer("leaf"), &file);
        expected.assert_eq(&said);
        let is_same = fs::read(&file).unwrap() == before;
        assert_eq!(is_same, said.starts_with("keeps"), "{name}");
    };
    check(
        "other",
        &[],
        expect![[r#"
        keeps the signature of Practice Other Publisher
    "#]],
    );
    check(
        "expired",
        &[],
        expect![[r#"
        library.dll: the signature in it was replaced: that of Practice Expired is not valid: the certificate of Practice Expired had expired
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
    check(
        "expired",
        &then,
        expect![[r#"
        keeps the signature of Practice Expired
    "#]],
    );
    check(
        "early",
        &[],
        expect![[r#"
        library.dll: the signature in it was replaced: that of Practice Early is not valid: the certificate of Practice Early was not valid yet
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
    check(
        "server",
        &[],
        expect![[r#"
        library.dll: the signature in it was replaced: that of Practice TLS Server is not valid: the certificate of Practice TLS Server is not made for code signing
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
    check(
        "stranger",
        &[],
        expect![[r#"
        library.dll: the signature in it was replaced: that of Practice Stranger is not valid: nobody but itself vouches for the certificate
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
    // Whom the configuration trusts matters for its own signatures alone.
    let theirs = of_another_root(&case);
    expect![[r#"
        keeps the signature of Practice Other Publisher
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &theirs));
}

#[test]
fn of_two_signatures_the_better_one_counts() {
    let Some(case) = Case::new() else { return };
    let check = |file: PathBuf, expected: Expect| {
        expected.assert_eq(&case.sign(&case.signer("leaf"), &file));
    };
    check(
        signed_twice(&case),
        expect![[r#"
        keeps the signature of Practice Other Publisher
    "#]],
    );
    check(
        signed_by(&case, "other", &["-h", "sha1"]),
        expect![[r#"
        library.dll: the signature in it was replaced: that of Practice Other Publisher is not valid: it is made with SHA-1, which counts no more
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
}

/// Signed with SHA-1 for old systems and, beside it, with SHA-256, as many of Microsoft's are.
fn signed_twice(case: &Case) -> PathBuf {
    let (once, twice) = (
        signed_by(case, "other", &["-h", "sha1"]),
        case.root().join("twice.dll"),
    );
    let mut sign = Command::new("osslsigncode");
    sign.args(["sign", "-nest", "-h", "sha256", "-pkcs12"]);
    sign.arg(case.pki.identity("other").p12_with_chain);
    sign.arg("-readpass").arg(case.pki.password_file());
    sign.arg("-in").arg(once).arg("-out").arg(&twice);
    tools::run(&mut sign).unwrap();
    twice
}

/// Signed by somebody who leads to a root that Windows does not know.
pub fn of_another_root(case: &Case) -> PathBuf {
    let (root, other) = (case.pki.file("tls-root.pem"), case.pki.identity("other"));
    let at = |name: &str| case.root().join(name).display().to_string();
    fs::write(at("extensions"), "extendedKeyUsage=codeSigning\n").unwrap();
    let run = |program: &str, words: &str| {
        let mut command = Command::new(program);
        tools::run(command.args(words.split(' '))).unwrap();
    };
    let request = case.pki.file("other.csr").display().to_string();
    let (root, key) = (root.display(), case.pki.file("tls-root.key"));
    run(
        "openssl",
        &format!(
            "x509 -req -in {request} -CA {root} -CAkey {} -set_serial 9 -days 3 -extfile {} -out {}",
            key.display(),
            at("extensions"),
            at("leaf.pem")
        ),
    );
    let chain = [at("leaf.pem"), root.to_string()].map(|it| fs::read(it).unwrap());
    fs::write(at("chain.pem"), chain.concat()).unwrap();
    case.pe("unsigned.dll");
    run(
        "osslsigncode",
        &format!(
            "sign -h sha256 -certs {} -key {} -in {} -out {}",
            at("chain.pem"),
            other.key.display(),
            at("unsigned.dll"),
            at("doubted.dll")
        ),
    );
    at("doubted.dll").into()
}

#[test]
fn what_is_known_to_be_revoked_neither_stays_nor_signs() {
    let Some(mut case) = Case::new() else { return };
    let file = signed_by(&case, "revoked", &[]);
    expect![[r#"
        keeps the signature of Practice Revoked
    "#]]
    .assert_eq(&case.sign(&case.signer("leaf"), &file));
    let lists = ["intermediate.pem", "crl.pem"].map(|it| case.pki.file(it));
    case.config.sign.windows.revoked = lists.into();
    expect![[r#"
        library.dll: the signature in it was replaced: that of Practice Revoked is not valid: the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        signed by Practice Publisher, time by Practice Timestamps
    "#]].assert_eq(&case.sign(&case.signer("leaf"), &file));
    expect![[r#"
        error: signature on app.exe could not be made: the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD
    "#]].assert_eq(&case.sign(&case.signer("revoked"), &case.pe("app.exe")));
}

#[test]
fn only_the_signatures_of_those_who_are_named_are_left_alone() {
    let Some(mut case) = Case::new() else { return };
    let mut check = |names: &[&str], expected: Expect| {
        let file = signed_by(&case, "other", &[]);
        let names = names.iter().map(|it| (*it).to_owned());
        case.config.sign.windows.leave_signed_by = names.collect();
        expected.assert_eq(&case.sign(&case.signer("leaf"), &file));
    };
    check(
        &["Practice Other Publisher"],
        expect![[r#"
        keeps the signature of Practice Other Publisher
    "#]],
    );
    check(
        &["Somebody", "Practice"],
        expect![[r#"
        keeps the signature of Practice Other Publisher
    "#]],
    );
    check(
        &["Somebody"],
        expect![[r#"
        library.dll: the signature in it was replaced: `sign.windows.leave-signed-by` does not name Practice Other Publisher
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
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
