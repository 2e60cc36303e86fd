//! Lists of revoked certificates: whose they are, and whether they are the newest.

use std::{path::PathBuf, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::verify::{Trust, verify_files};
use xtask_practice::{Pki, tools};

/// Authorities that make lists.
struct Case {
    pki: Pki,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Option<Self> {
        if !tools::have(&["openssl"]) {
            return None;
        }
        let case = Self {
            pki: Pki::shared().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        // Each list counts: the practice PKI belongs to other tests, too.
        for name in ["intermediate", "tsa-root"] {
            for file in ["NAME.pem", "NAME.key", "index-NAME"] {
                let file = file.replace("NAME", name);
                fs::copy(case.pki.file(&file), case.path(&file)).unwrap();
            }
        }
        for file in ["ca.cnf", "crlnumber"] {
            fs::copy(case.pki.file(file), case.path(file)).unwrap();
        }
        Some(case)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A list in DER.
    fn list(&self, by: &str, options: &[&str]) -> Vec<u8> {
        let mut make = Command::new("openssl");
        make.args([
            "ca", "-config", "ca.cnf", "-name", by, "-gencrl", "-out", "list.pem",
        ]);
        make.args(options).current_dir(self.folder.path());
        tools::run(make.env_remove("OPENSSL_CONF")).unwrap();
        let mut convert = Command::new("openssl");
        convert.args([
            "crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der",
        ]);
        tools::run(convert.current_dir(self.folder.path())).unwrap();
        fs::read(self.path("list.der")).unwrap()
    }

    /// What is said of a list, by somebody who trusts these.
    fn check(&self, list: &[u8], trusted: &[&str], expected: Expect) {
        let mut trust = Trust::default();
        for name in trusted {
            trust.add_file(&self.pki.file(name)).unwrap();
        }
        fs::write(self.path("list.der"), list).unwrap();
        let said = match trust.add_file(&self.path("list.der")) {
            Err(error) => format!("{error:#}\n"),
            Ok(()) => {
                let text = self.path("text");
                fs::write(&text, "text").unwrap();
                let report = verify_files(&[text], &trust).unwrap();
                let lists = report.notes.iter().filter(|it| it.contains("list of"));
                let notes: String = lists.map(|it| format!("{it}\n")).collect();
                format!("{} revoked\n{notes}", trust.code.revoked.len())
            }
        };
        expected.assert_eq(&said.replace(self.folder.path().to_str().unwrap(), "…"));
    }
}

#[test]
fn a_list_counts_only_by_its_issuer() {
    let Some(case) = Case::new() else { return };
    let days = ["-crldays", "30"];
    let good = case.list("intermediate", &days);
    check_all(&case, &good);
    // Signed by somebody who is trusted, in the name of another.
    let (issuer, other) = (b"Practice Code Signing CA", b"Practice Code Signing CB");
    let mut renamed = good.clone();
    let at = renamed
        .windows(issuer.len())
        .position(|it| it == issuer)
        .unwrap();
    renamed[at..at + other.len()].copy_from_slice(other);
    case.check(&renamed, &["intermediate.pem"], expect![[r#"
        …/list.der is not what --trust takes: the list of revoked certificates is by CN=Practice Code Signing CB,O=Practice, whose certificate is not among those that are trusted
        hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
    "#]]);
    case.check(
        &good[..good.len() - 1],
        &["intermediate.pem"],
        expect![[r#"
            …/list.der is not what --trust takes: no list of revoked certificates: ASN.1 DER message is incomplete: expected 474, actual 473 at DER byte 4
            hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
        "#]],
    );
}

fn check_all(case: &Case, good: &[u8]) {
    case.check(
        good,
        &["intermediate.pem"],
        expect![[r#"
        1 revoked
    "#]],
    );
    case.check(good, &[], expect![[r#"
        …/list.der is not what --trust takes: the list of revoked certificates is by CN=Practice Code Signing CA,O=Practice, whose certificate is not among those that are trusted
        hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
    "#]]);
    case.check(good, &["root.pem", "tsa-root.pem"], expect![[r#"
        …/list.der is not what --trust takes: the list of revoked certificates is by CN=Practice Code Signing CA,O=Practice, whose certificate is not among those that are trusted
        hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
    "#]]);
    let mut altered = good.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    case.check(&altered, &["intermediate.pem"], expect![[r#"
        …/list.der is not what --trust takes: the list of revoked certificates was altered, or CN=Practice Code Signing CA,O=Practice did not sign it
        hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
    "#]]);
    let mut altered = good.to_vec();
    // The serial number of what is revoked.
    let serial = b"\x10\x00\x00\x00\x00";
    let at = altered.windows(5).position(|it| it == serial).unwrap();
    altered[at] = 0x11;
    case.check(&altered, &["intermediate.pem"], expect![[r#"
        …/list.der is not what --trust takes: the list of revoked certificates was altered, or CN=Practice Code Signing CA,O=Practice did not sign it
        hint: fetch it from where the authority publishes it, and name the certificate of its issuer with --trust before it
    "#]]);
}

#[test]
fn a_list_that_is_out_of_date_is_named() {
    let Some(case) = Case::new() else { return };
    let check = |options: &[&str], expected: Expect| {
        let list = case.list("intermediate", options);
        case.check(&list, &["intermediate.pem"], expected);
    };
    let of = |made, next| ["-crl_lastupdate", made, "-crl_nextupdate", next];
    check(
        &of("20240101000000Z", "20240201000000Z"),
        expect![[r#"
        1 revoked
        the list of revoked certificates by CN=Practice Code Signing CA,O=Practice is out of date (2024-02-01T00:00:00Z): what was revoked since is not known; fetch a newer one
    "#]],
    );
    check(
        &of("20400101000000Z", "20400201000000Z"),
        expect![[r#"
        1 revoked
        the list of revoked certificates by CN=Practice Code Signing CA,O=Practice is from the future (2040-01-01T00:00:00Z): what was revoked since is not known; fetch a newer one
    "#]],
    );
}
