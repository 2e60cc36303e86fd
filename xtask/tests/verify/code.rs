//! A release whose installer is signed inside, too.

use std::{path::Path, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{manifest::*, verify::Trust};
use xtask_practice::{Pki, specimens, tools};
use xtask_signed::Certificate;

use super::fake::Fake;

const SETUP: &str = "App_1.2.3_x64-setup.exe";

/// A release with an installer for Windows, signed by a practice publisher.
struct Case {
    fake: Fake,
    pki: Pki,
    /// SHA-256 of the publisher's certificate.
    fingerprint: String,
}

/// Signs a program as the practice publisher, without a timestamp.
pub(crate) fn sign(pki: &Pki, from: &Path, to: &Path) {
    let leaf = pki.identity("leaf");
    let mut sign = Command::new("osslsigncode");
    sign.args(["sign", "-h", "sha256", "-certs"])
        .arg(leaf.chain);
    sign.arg("-key").arg(leaf.key).arg("-in").arg(from);
    sign.arg("-out").arg(to);
    tools::run(&mut sign).unwrap();
}

impl Case {
    /// None, and a line that says so, without the programs that it takes.
    fn new() -> Option<Self> {
        if !tools::have(&["osslsigncode", "openssl"]) {
            return None;
        }
        let (mut fake, pki) = (Fake::new(Identity::Release), Pki::shared().unwrap());
        let leaf = pki.identity("leaf").certificate;
        let fingerprint = Certificate::read_all(&leaf).unwrap()[0].fingerprint();
        fake.write("unsigned", specimens::pe());
        sign(&pki, &fake.path("unsigned"), &fake.path("signed"));
        let signed = fs::read(fake.path("signed")).unwrap();
        for name in ["unsigned", "signed"] {
            fs::remove_file(fake.path(name)).unwrap();
        }
        fake.add(SETUP, ArtifactKind::Installer, "nsis", &signed, &[]);
        let mut case = Self {
            fake,
            pki,
            fingerprint,
        };
        let key = case.fingerprint.clone();
        case.name(&key);
        Some(case)
    }

    /// Has the manifest name this certificate.
    fn name(&mut self, key: &str) {
        let artifacts = &mut self.fake.manifest.artifacts;
        let setup = artifacts.iter_mut().find(|it| it.path == SETUP).unwrap();
        setup.signatures.retain(|it| it.file.is_some());
        setup.signatures.push(SignatureRef {
            kind: SignatureKind::Authenticode,
            file: None,
            key_id: key.to_owned(),
        });
        self.fake.seal();
    }

    fn check(&self, trust: &Trust, expected: Expect) {
        let shown = self.fake.shown(trust).replace(&self.fingerprint, "LEAF");
        let lines = shown
            .lines()
            .filter(|it| it.contains("setup.exe") || it.contains("verified"));
        let text: String = lines.map(|it| format!("{it}\n")).collect();
        expected.assert_eq(&text);
    }
}

#[test]
fn the_manifest_says_who_signed() {
    let Some(mut case) = Case::new() else { return };
    let mut trust = case.fake.trust();
    case.check(&trust, expect![[r#"
        App_1.2.3_x64-setup.exe | installer | 5.0 kB | HASH | minisign, tauri-updater, authenticode
        App_1.2.3_x64-setup.exe | minisign | release key | KEY | - | - | - | -
        App_1.2.3_x64-setup.exe | tauri-updater | release key | KEY | - | - | - | -
        App_1.2.3_x64-setup.exe | PE | Practice Publisher | HASH | - | - | - | -
        note: App_1.2.3_x64-setup.exe: no authority is trusted for it (--trust): only the manifest says who signed
        verified: 5 files, 62 checks passed, trusted release key KEY
    "#]]);
    trust.add_file(&case.pki.root()).unwrap();
    case.check(
        &trust,
        expect![[r#"
        App_1.2.3_x64-setup.exe | installer | 5.0 kB | HASH | minisign, tauri-updater, authenticode
        App_1.2.3_x64-setup.exe | minisign | release key | KEY | - | - | - | -
        App_1.2.3_x64-setup.exe | tauri-updater | release key | KEY | - | - | - | -
        App_1.2.3_x64-setup.exe | PE | Practice Publisher | HASH | - | - | - | -
        verified: 5 files, 62 checks passed, trusted release key KEY
    "#]],
    );
    // Another certificate, under a manifest that is well signed.
    case.name(&"0".repeat(64));
    case.check(
        &trust,
        expect![[r#"
        App_1.2.3_x64-setup.exe | authenticode signer | HASH | HASH
        NOT verified: 1 of 62 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn an_authority_that_is_not_trusted() {
    let Some(case) = Case::new() else { return };
    let mut trust = case.fake.trust();
    trust.add_file(&case.pki.timestamp_root()).unwrap();
    case.check(&trust, expect![[r#"
        App_1.2.3_x64-setup.exe | authenticode | good signature | Practice Publisher leads to no certificate that is trusted
        NOT verified: 1 of 62 checks failed in FOLDER
    "#]]);
}

#[test]
fn a_signature_that_is_gone() {
    let Some(mut case) = Case::new() else { return };
    let pe = specimens::pe();
    let artifacts = &mut case.fake.manifest.artifacts;
    artifacts.retain(|it| it.path != SETUP);
    case.fake
        .add(SETUP, ArtifactKind::Installer, "nsis", &pe, &[]);
    let key = case.fingerprint.clone();
    case.name(&key);
    case.check(&case.fake.trust(), expect![[r#"
        App_1.2.3_x64-setup.exe | authenticode signer | HASH | nobody
        note: App_1.2.3_x64-setup.exe: no authority is trusted for it (--trust): only the manifest says who signed
        NOT verified: 1 of 61 checks failed in FOLDER
    "#]]);
}

#[test]
fn a_release_for_publishing_is_signed_inside_with_a_timestamp() {
    let Some(mut case) = Case::new() else { return };
    let publishing = |case: &Case| Trust {
        require: Identity::Release,
        ..case.fake.trust()
    };
    case.check(&publishing(&case), expect![[r#"
        App_1.2.3_x64-setup.exe | timestamp | there | none
        note: App_1.2.3_x64-setup.exe: no authority is trusted for it (--trust): only the manifest says who signed
        NOT verified: 1 of 65 checks failed in FOLDER
    "#]]);
    // That none is wanted is said by who signed the manifest.
    case.fake.manifest.gaps = vec![NO_TIMESTAMP.to_owned()];
    case.fake.seal();
    assert!(case.fake.verify(&publishing(&case)).ok());
    // The manifest names no signature, and there is none.
    case.fake.manifest.artifacts.retain(|it| it.path != SETUP);
    let pe = specimens::pe();
    case.fake
        .add(SETUP, ArtifactKind::Installer, "nsis", &pe, &[]);
    let image = specimens::dmg();
    let name = "App_1.2.3.setup.exe.dmg";
    case.fake
        .add(name, ArtifactKind::Installer, "dmg", &image, &[]);
    case.fake.seal();
    case.check(
        &publishing(&case),
        expect![[r#"
        App_1.2.3.setup.exe.dmg | signature inside | signed | nobody signed it
        App_1.2.3_x64-setup.exe | signature inside | signed | nobody signed it
        NOT verified: 2 of 72 checks failed in FOLDER
    "#]],
    );
    assert!(case.fake.verify(&case.fake.trust()).ok());
}
