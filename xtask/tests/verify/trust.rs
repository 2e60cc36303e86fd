//! Who signed, and whom the reader believes.

use std::process::Command;

use super::*;

#[test]
fn without_a_trusted_key_the_release_speaks_for_itself() {
    let fake = Fake::new(Identity::Development);
    expect![[r#"
        file | kind | size | sha256 | signatures
        App-1.2.3-x86_64.flatpak | installer | 15 B | HASH | minisign, tauri-updater
        App_1.2.3_amd64.deb | installer | 460 B | HASH | minisign, tauri-updater
        latest.json | updater-metadata | 3 B | HASH | minisign
        sub folder/App 1.2.3.tar.gz | archive | 153 B | HASH | minisign

        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3-x86_64.flatpak | minisign | development key | KEY | - | - | - | -
        App-1.2.3-x86_64.flatpak | tauri-updater | development key | KEY | - | - | - | -
        App_1.2.3_amd64.deb | minisign | development key | KEY | - | - | - | -
        App_1.2.3_amd64.deb | tauri-updater | development key | KEY | - | - | - | -
        latest.json | minisign | development key | KEY | - | - | - | -
        sub folder/App 1.2.3.tar.gz | minisign | development key | KEY | - | - | - | -
        manifest.json | minisign | development key | KEY | - | - | - | -
        SHA256SUMS | minisign | development key | KEY | - | - | - | -
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        note: development signature: a key made by the building machine, it vouches for nothing
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 4 files, 49 checks passed, self-attested development key KEY
    "#]]
    .assert_eq(&fake.shown(&Trust::default()));
    let require = Trust {
        require: Identity::Release,
        ..fake.trust()
    };
    expect![[r#"
        file | check | expected | actual
        manifest.json | identity | release | development
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        note: development signature: a key made by the building machine, it vouches for nothing
        NOT verified: 1 of 50 checks failed in FOLDER
    "#]]
    .assert_eq(&fake.shown(&require));
}

#[test]
fn an_unsigned_release_says_so_and_no_trusted_key_accepts_it() {
    let fake = Fake::new(Identity::Unsigned);
    expect![[r#"
        file | kind | size | sha256 | signatures
        App-1.2.3-x86_64.flatpak | installer | 15 B | HASH | 
        App_1.2.3_amd64.deb | installer | 460 B | HASH | 
        latest.json | updater-metadata | 3 B | HASH | 
        sub folder/App 1.2.3.tar.gz | archive | 153 B | HASH | 
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        note: unsigned: the checksums find accidents, not someone who replaces all files
        verified: 4 files, 25 checks passed, unsigned
    "#]]
    .assert_eq(&fake.shown(&Trust::default()));
    expect![[r#"
        file | check | expected | actual
        manifest.json | trusted key | KEY | unsigned
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        note: unsigned: the checksums find accidents, not someone who replaces all files
        NOT verified: 1 of 26 checks failed in FOLDER
    "#]]
    .assert_eq(&fake.shown(&fake.trust()));
}

#[test]
fn swapped_signatures() {
    let swap = |fake: &mut Fake| {
        let (deb, flatpak) = (format!("{DEB}.minisig"), format!("{FLATPAK}.minisig"));
        let (of_deb, of_flatpak) = (fake.read(&deb), fake.read(&flatpak));
        fake.write(&deb, of_flatpak);
        fake.write(&flatpak, of_deb);
        fake.seal();
    };
    check(
        swap,
        expect![[r#"
            file | check | expected | actual
            App-1.2.3-x86_64.flatpak.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            App_1.2.3_amd64.deb.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 2 of 50 checks failed in FOLDER
        "#]],
    );
}

#[test]
fn a_signature_in_the_form_of_the_other_kind() {
    let change = |fake: &mut Fake| {
        let minisig = fake.read(&format!("{DEB}.minisig"));
        fake.write(&format!("{DEB}.sig"), minisig);
        fake.seal();
    };
    check(
        change,
        expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb.sig | tauri-updater | good signature | not in the form of tauri-updater
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 50 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn key_ids_that_are_not_those_of_the_keys() {
    let change = |fake: &mut Fake| {
        let other = "0123456789ABCDEF".to_owned();
        fake.manifest.artifacts[0].signatures[0]
            .key_id
            .clone_from(&other);
        fake.manifest.signing.minisign.as_mut().unwrap().key_id = other;
        fake.seal();
    };
    check(
        change,
        expect![[r#"
        file | check | expected | actual
        manifest.json | key id | KEY | 0123456789ABCDEF
        manifest.json | trusted key | KEY | 0123456789ABCDEF
        App_1.2.3_amd64.deb.minisig | minisign | good signature | by KEY, the manifest says 0123456789ABCDEF
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 3 of 50 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn an_old_file_under_a_new_name() {
    let change = |fake: &mut Fake| {
        fake.manifest.product.version = "1.2.2".into();
        fake.sign(DEB, ArtifactKind::Installer);
        fake.manifest.product.version = "1.2.3".into();
        let json = fake.path(JSON);
        let signature = fake
            .signer
            .sign(&json, &trusted_comment(EPOCH, "old.json", None))
            .unwrap();
        fake.write(&format!("{JSON}.minisig"), signature.minisig());
        fake.seal();
    };
    check(
        change,
        expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb.minisig | minisign | good signature | signed as version 1.2.2, not 1.2.3
        App_1.2.3_amd64.deb.sig | tauri-updater | good signature | signed as version 1.2.2, not 1.2.3
        latest.json.minisig | minisign | good signature | signed as file old.json, not latest.json
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 3 of 50 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn everything_signed_anew_by_another_key() {
    let fake = Fake::new(Identity::Release);
    let other = Signer::generate().unwrap();
    let trust = Trust {
        public_keys: vec![other.public_key().clone()],
        ..Trust::default()
    };
    let shown = fake
        .shown(&trust)
        .replace(&other.public_key().key_id(), "OTHER");
    expect![[r#"
        file | check | expected | actual
        manifest.json | trusted key | OTHER | KEY
        App-1.2.3-x86_64.flatpak.minisig | minisign | good signature | signed by key KEY, which is not trusted
        App-1.2.3-x86_64.flatpak.sig | tauri-updater | good signature | signed by key KEY, which is not trusted
        App_1.2.3_amd64.deb.minisig | minisign | good signature | signed by key KEY, which is not trusted
        App_1.2.3_amd64.deb.sig | tauri-updater | good signature | signed by key KEY, which is not trusted
        latest.json.minisig | minisign | good signature | signed by key KEY, which is not trusted
        sub folder/App 1.2.3.tar.gz.minisig | minisign | good signature | signed by key KEY, which is not trusted
        manifest.json.minisig | minisign | good signature | signed by key KEY, which is not trusted
        SHA256SUMS.minisig | minisign | good signature | signed by key KEY, which is not trusted
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 9 of 50 checks failed in FOLDER
    "#]].assert_eq(&shown);
}

/// Runs gpg with a home of its own; nothing where it is not installed.
fn gpg(home: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("gpg");
    command.args([
        "--homedir",
        home.to_str().unwrap(),
        "--batch",
        "--passphrase",
        "",
    ]);
    let output = command.args(arguments).output();
    let output = output
        .inspect_err(|e| eprintln!("gpg is not installed: {e}"))
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(output.stdout)
}

#[test]
fn checksums_signed_with_gpg() {
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| gpg(home.path(), arguments);
    let make = |name: &str| gpg(&["--quick-gen-key", name, "ed25519", "sign"]);
    if make("publisher").and(make("other")).is_none() {
        return;
    }
    let export = |name: &str| {
        let path = home.path().join(format!("{name}.asc"));
        fs::write(&path, gpg(&["--armor", "--export", name]).unwrap()).unwrap();
        path
    };
    let listed = gpg(&["--with-colons", "--list-keys", "publisher"]).unwrap();
    let listed = String::from_utf8(listed).unwrap();
    let line = listed
        .lines()
        .find(|line| line.starts_with("fpr:"))
        .unwrap();
    let fingerprint = line.split(':').nth(9).unwrap().to_owned();

    let mut fake = Fake::new(Identity::Release);
    let publisher = Trust {
        gpg_key: Some(export("publisher")),
        ..fake.trust()
    };
    let stripped = fake.shown(&publisher);
    expect![[r#"
        file | check | expected | actual
        SHA256SUMS.asc | gpg | signed | unsigned
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 51 checks failed in FOLDER
    "#]]
    .assert_eq(&stripped);

    fake.manifest.signing.gpg = Some(GpgKey {
        fingerprint: fingerprint.clone(),
    });
    fake.seal();
    let (sums, asc) = (fake.path(SUMS_NAME), fake.path(SUMS_ASC));
    let sign = ["--yes", "--local-user", "publisher", "--armor", "--output"];
    let files = [
        asc.to_str().unwrap(),
        "--detach-sign",
        sums.to_str().unwrap(),
    ];
    gpg(&[&sign[..], &files[..]].concat()).unwrap();
    assert!(fake.verify(&publisher).ok());
    let shown = |trust: &Trust| fake.shown(trust).replace(&fingerprint, "FINGERPRINT");
    expect![[r#"
        file | kind | size | sha256 | signatures
        App-1.2.3-x86_64.flatpak | installer | 15 B | HASH | minisign, tauri-updater
        App_1.2.3_amd64.deb | installer | 460 B | HASH | minisign, tauri-updater
        latest.json | updater-metadata | 3 B | HASH | minisign
        sub folder/App 1.2.3.tar.gz | archive | 153 B | HASH | minisign

        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3-x86_64.flatpak | minisign | release key | KEY | - | - | - | -
        App-1.2.3-x86_64.flatpak | tauri-updater | release key | KEY | - | - | - | -
        App_1.2.3_amd64.deb | minisign | release key | KEY | - | - | - | -
        App_1.2.3_amd64.deb | tauri-updater | release key | KEY | - | - | - | -
        latest.json | minisign | release key | KEY | - | - | - | -
        sub folder/App 1.2.3.tar.gz | minisign | release key | KEY | - | - | - | -
        manifest.json | minisign | release key | KEY | - | - | - | -
        SHA256SUMS | minisign | release key | KEY | - | - | - | -
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        note: SHA256SUMS.asc: not checked, no GPG key given
        verified: 4 files, 51 checks passed, trusted release key KEY
    "#]]
    .assert_eq(&shown(&fake.trust()));
    let other = Trust {
        gpg_key: Some(export("other")),
        ..fake.trust()
    };
    expect![[r#"
        file | check | expected | actual
        SHA256SUMS.asc | gpg | FINGERPRINT | bad signature, or another key
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 52 checks failed in FOLDER
    "#]]
    .assert_eq(&shown(&other));
    let good = fs::read(&asc).unwrap();
    for at in (0..good.len()).step_by(9).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&asc, bad).unwrap();
        assert!(!fake.verify(&publisher).ok(), "byte {at}");
    }
    Command::new("gpgconf")
        .arg("--homedir")
        .arg(home.path())
        .args(["--kill", "all"])
        .status()
        .ok();
}
