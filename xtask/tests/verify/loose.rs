//! Files by themselves, of which whoever checks them trusts somebody, somebody else, or nobody.

use std::{path::PathBuf, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    manifest::{ArtifactKind, Identity},
    tools::debsigs,
    verify::{Trust, read_again, verify_files},
};
use xtask_practice::{Pki, specimens, tools};

use super::{code::sign, fake::*};

const LOOSE: &str = "loose.tar.gz";

/// A release of which single files are looked at.
struct Case(Fake);

impl Case {
    fn new() -> Self {
        Self(Fake::new(Identity::Release))
    }

    /// With a signature of minisign's beside it.
    fn sign(&self, name: &str, bytes: &[u8]) {
        self.0.write(name, bytes);
        self.0.sign(name, ArtifactKind::Archive);
    }

    fn check(&self, name: &str, trust: &Trust, expected: Expect) {
        let report = verify_files(&[self.0.path(name)], trust).unwrap();
        expected.assert_eq(&self.0.masked(&report));
    }
}

/// Trusts these certificates or keys.
fn trusting(files: &[PathBuf]) -> Trust {
    let mut trust = Trust::default();
    for file in files {
        trust.add_file(file).unwrap();
    }
    trust
}

#[test]
fn a_signature_beside_a_file_counts_only_with_its_key() {
    let case = Case::new();
    case.sign(LOOSE, &tar_gz(&[APP]));
    case.check(
        LOOSE,
        &Trust::default(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/loose.tar.gz | minisign | not known | KEY | - | - | - | -

        file | check | expected | actual
        FOLDER/loose.tar.gz | signature | by whom you trust | nobody is trusted for it: --trust KEY
        note: FOLDER/loose.tar.gz.minisig: not checked, no minisign key given
        NOT verified: 1 of 1 checks failed
    "#]],
    );
    case.check(
        LOOSE,
        &case.0.trust(),
        expect![[r#"
            file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
            FOLDER/loose.tar.gz | minisign | minisign key | KEY | - | - | - | -
            verified: 1 file, 1 check passed, signed by whom you trust
        "#]],
    );
    // What somebody just signed was not compared with anybody either, but is no mistake.
    let report = read_again(&[case.0.path(LOOSE)], &Trust::default()).unwrap();
    assert!(report.ok());
    expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/loose.tar.gz | minisign | not known | KEY | - | - | - | -
        note: FOLDER/loose.tar.gz.minisig: not checked, no minisign key given
        note: FOLDER/loose.tar.gz: the configuration names nobody to trust for it
        signed, not verified: 1 file, 0 checks passed, by whomever the table names
    "#]]
    .assert_eq(&case.0.masked(&report));
}

#[test]
fn a_certificate_decides_about_no_key_and_no_key_about_a_certificate() {
    if !tools::have(&["osslsigncode", "openssl"]) {
        return;
    }
    let (case, pki) = (Case::new(), Pki::shared().unwrap());
    let root = trusting(&[pki.root()]);
    case.sign(LOOSE, &tar_gz(&[APP]));
    case.check(
        LOOSE,
        &root,
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/loose.tar.gz | minisign | not known | KEY | - | - | - | -

        file | check | expected | actual
        FOLDER/loose.tar.gz | signature | by whom you trust | nobody is trusted for it: --trust KEY
        note: FOLDER/loose.tar.gz.minisig: not checked, no minisign key given
        NOT verified: 1 of 1 checks failed
    "#]],
    );
    case.0.write("unsigned.exe", specimens::pe());
    sign(&pki, &case.0.path("unsigned.exe"), &case.0.path("a.exe"));
    case.check(
        "a.exe",
        &case.0.trust(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/a.exe | PE | Practice Publisher | HASH | - | - | - | -

        file | check | expected | actual
        FOLDER/a.exe | signature | by whom you trust | nobody is trusted for it: --trust KEY
        NOT verified: 1 of 2 checks failed
    "#]],
    );
    // One signature that is good by a key of its kind is enough; the other is named.
    case.0.sign("a.exe", ArtifactKind::Archive);
    case.check(
        "a.exe",
        &case.0.trust(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/a.exe | PE | Practice Publisher | HASH | - | - | - | -
        FOLDER/a.exe | minisign | minisign key | KEY | - | - | - | -
        note: FOLDER/a.exe: no authority is trusted for the signature inside (--trust)
        verified: 1 file, 2 checks passed, signed by whom you trust
    "#]],
    );
    fs::remove_file(case.0.path("a.exe.minisig")).unwrap();
    let mut of_apple = root.clone();
    of_apple.code.windows.clear();
    case.check(
        "a.exe",
        &of_apple,
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/a.exe | PE | Practice Publisher | HASH | - | - | - | -

        file | check | expected | actual
        FOLDER/a.exe | signature | by whom you trust | nobody is trusted for it: --trust KEY
        NOT verified: 1 of 2 checks failed
    "#]],
    );
    case.check(
        "a.exe",
        &root,
        expect![[r#"
            file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
            FOLDER/a.exe | PE | Practice Publisher | HASH | - | - | - | -
            verified: 1 file, 1 check passed, signed by whom you trust
        "#]],
    );
}

#[test]
fn a_package_is_good_only_by_a_key() {
    if !tools::have(&["gpg", "gpgv"]) {
        return;
    }
    let case = Case::new();
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(home.path());
        command
            .args(["--batch", "--passphrase", ""])
            .args(arguments);
        let output = tools::output(&mut command).unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    gpg(&["--quick-gen-key", "publisher", "ed25519", "sign"]);
    case.0.write("key.asc", gpg(&["--armor", "--export"]));
    let package = deb("data.tar.gz", &[APP]);
    let signed = debsigs::Package::parse(&package).unwrap().signed;
    case.0.write("signed", signed);
    let signed = case.0.path("signed");
    let signature = gpg(&["--detach-sign", "--output", "-", signed.to_str().unwrap()]);
    let package = debsigs::with_signature(&package, &signature).unwrap();
    case.0.write("a.deb", package);
    case.check(
        "a.deb",
        &Trust::default(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/a.deb | deb | not checked | - | - | - | - | -

        file | check | expected | actual
        FOLDER/a.deb | signature | by whom you trust | nobody is trusted for it: --trust KEY
        note: FOLDER/a.deb: the signature inside was not checked, no GPG key given
        NOT verified: 1 of 1 checks failed
    "#]],
    );
    let report = verify_files(&[case.0.path("a.deb")], &Trust::default()).unwrap();
    assert!(report.rows.iter().all(|it| it.actual != "good signature"));
    let key = trusting(&[case.0.path("key.asc")]);
    let report = verify_files(&[case.0.path("a.deb")], &key).unwrap();
    assert!(report.ok());
    let mut kill = Command::new("gpgconf");
    kill.arg("--homedir").arg(home.path());
    kill.args(["--kill", "all"]).status().ok();
}

/// Nobody said who should have signed it.
#[test]
fn an_archive_that_cannot_be_read() {
    let case = Case::new();
    case.sign("notes.txt.gz", &[0x1f, 0x8b, 0]);
    case.check(
        "notes.txt.gz",
        &case.0.trust(),
        expect![[r#"
            file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
            FOLDER/notes.txt.gz | minisign | minisign key | KEY | - | - | - | -
            note: FOLDER/notes.txt.gz: not looked into (unexpected end of file)
            verified: 1 file, 1 check passed, signed by whom you trust
        "#]],
    );
    // Code whose signature is only begun, and a program of MS-DOS, which has none.
    let bytes = tar_gz(&[("a/b.dll", &specimens::pe()[..0x100]), ("MZ.txt", b"MZ")]);
    case.sign(LOOSE, &bytes);
    case.check(LOOSE, &case.0.trust(), expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        FOLDER/loose.tar.gz | minisign | minisign key | KEY | - | - | - | -
        FOLDER/loose.tar.gz/a/b.dll | PE | nobody | - | - | - | - | -

        file | check | expected | actual
        FOLDER/loose.tar.gz/a/b.dll | signature inside | readable | no Windows executable: Invalid PE optional header size
        NOT verified: 1 of 2 checks failed
    "#]]);
}
