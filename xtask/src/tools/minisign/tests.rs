//! Against the real `minisign` and what the real `tauri signer` wrote.

use std::process::Command;

use ct_codecs::{Base64, Encoder as _};

use expect_test::{Expect, expect};

use super::*;

/// `tauri signer generate -p 'pw word'` of @tauri-apps/cli 2.12.5; signs nothing but tests.
const TAURI_KEY: &str = include_str!("../../../tests/fixtures/tauri-signer.key");
const TAURI_PUB: &str = include_str!("../../../tests/fixtures/tauri-signer.key.pub");
/// `tauri signer sign --app-version 1.2.3 'a file.deb'` over `hello\n`.
const TAURI_SIG: &str = include_str!("../../../tests/fixtures/a file.deb.sig");

fn file(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Runs minisign if it is installed; the test is void otherwise, and says so.
fn minisign(arguments: &[&str], folder: &Path) -> Option<bool> {
    match Command::new("minisign")
        .args(arguments)
        .current_dir(folder)
        .output()
    {
        Ok(output) => Some(output.status.success()),
        Err(e) => {
            eprintln!("minisign is not installed, not compared: {e}");
            None
        }
    }
}

#[test]
fn minisign_accepts_our_signature_and_refuses_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "app 1.deb", "installer");
    let signer = Signer::generate().unwrap();
    let signature = signer
        .sign(&path, &trusted_comment(1_700_000_000, "app 1.deb", None))
        .unwrap();
    file(folder.path(), "app 1.deb.minisig", &signature.minisig());
    file(folder.path(), "key.pub", &signer.public_key().text());
    let verify = |key: &[&str]| {
        minisign(
            &[&["-V", "-q", "-m", "app 1.deb"], key].concat(),
            folder.path(),
        )
    };
    assert_ne!(verify(&["-P", &signer.public_key().line()]), Some(false));
    assert_ne!(verify(&["-p", "key.pub"]), Some(false));
    file(folder.path(), "app 1.deb", "Installer");
    assert_ne!(verify(&["-p", "key.pub"]), Some(true));
}

#[test]
fn we_accept_what_minisign_signed_with_an_unencrypted_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "a", "data");
    let generate = minisign(&["-G", "-W", "-p", "k.pub", "-s", "k.key"], folder.path());
    if generate.is_none() {
        return;
    }
    assert_eq!(
        minisign(&["-S", "-s", "k.key", "-m", "a"], folder.path()),
        Some(true)
    );
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    let key = PublicKey::parse(&read("k.pub")).unwrap();
    key.verify(&path, &Signature::parse(&read("a.minisig")).unwrap())
        .unwrap();
    // The first line may differ: minisign drops leading zeros of the key id.
    assert_eq!(key.text().lines().last(), read("k.pub").lines().last());
    // Its checksum is all zeros, unlike that of a key which the crate makes.
    let signer = Signer::from_text(&Secret::new(read("k.key")), None).unwrap();
    assert_eq!(signer.public_key(), &key);

    assert_eq!(
        minisign(&["-S", "-l", "-s", "k.key", "-m", "a"], folder.path()),
        Some(true)
    );
    let legacy = Signature::parse(&read("a.minisig"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        legacy,
        "a signature of minisign's legacy format: sign without -l"
    );
}

#[test]
fn tauris_key_signs_as_tauri_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "a file.deb", "hello\n");
    let theirs = Signature::parse(TAURI_SIG).unwrap();
    let key = PublicKey::parse(TAURI_PUB).unwrap();
    key.verify(&path, &theirs).unwrap();
    let version = theirs.field("version");
    assert_eq!(version.as_deref(), Some("1.2.3"));

    let signer = Signer::from_text(&Secret::new(TAURI_KEY), Some(&Secret::new("pw word"))).unwrap();
    assert_eq!(signer.public_key(), &key);
    let seconds = theirs.field("timestamp").unwrap().parse().unwrap();
    let comment = trusted_comment(seconds, "a file.deb", version.as_deref());
    let ours = signer.sign(&path, &comment).unwrap();
    assert_eq!(ours.trusted_comment(), theirs.trusted_comment());
    // Equal but for the two signatures: same untrusted comment, same form, no line end.
    let lines = |s: &Signature| {
        s.minisig()
            .lines()
            .step_by(2)
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&ours), lines(&theirs));
    assert_eq!(ours.tauri().len(), TAURI_SIG.len());
    assert_eq!(theirs.tauri(), TAURI_SIG);
    key.verify(&path, &Signature::parse(&ours.tauri()).unwrap())
        .unwrap();
}

#[test]
fn each_form_of_a_public_key_is_the_same_key() {
    let key = Signer::generate().unwrap().public_key().clone();
    for form in [
        key.text(),
        key.line(),
        key.tauri(),
        format!("{}\n", key.tauri()),
    ] {
        assert_eq!(PublicKey::parse(&form).unwrap(), key, "{form}");
    }
    for wrong in ["", "untrusted comment: x", "RWQ", "keys/release.pub"] {
        assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_bad_secret_key_says_what_to_do() {
    let check = |key: &str, password: Option<&str>, expected: Expect| {
        let signer = Signer::from_text(&Secret::new(key), password.map(Secret::new).as_ref());
        expected.assert_eq(&format!("{}\n", signer.unwrap_err()));
    };
    let text = plain_text(TAURI_KEY, "untrusted").unwrap();
    check(
        TAURI_KEY,
        None,
        expect![[r#"
        the minisign secret key is encrypted: set the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
    "#]],
    );
    check(
        &text,
        Some("wrong"),
        expect![[r#"
        wrong password for the minisign secret key, or the key is damaged: correct the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
    "#]],
    );
    check(
        "/home/me/.tauri/my.key",
        None,
        expect![[r#"
        not a minisign secret key: give the path of the key file or its text, as `tauri signer generate` or `minisign -G` wrote it
    "#]],
    );
    check(
        &text[..text.len() - 9],
        None,
        expect![[r#"
        the minisign secret key is damaged (153 bytes instead of 158): copy it again from where it is kept
    "#]],
    );
    let mut bytes = Signer::generate().unwrap().secret.to_bytes();
    bytes[70] ^= 1;
    let line = Base64::encode_to_string(bytes).unwrap();
    check(
        &format!("untrusted comment: x\n{line}\n"),
        None,
        expect![[r#"
            the minisign secret key is damaged (its secret and public halves do not belong together): copy it again from where it is kept
        "#]],
    );
}

#[test]
fn no_byte_of_a_signature_file_may_change() {
    let signer = Signer::generate().unwrap();
    let signature = signer
        .sign_reader(Cursor::new("data"), "timestamp:1\tfile:a")
        .unwrap();
    let accepts = |bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return false;
        };
        Signature::parse(text).is_ok_and(|s| {
            signer
                .public_key()
                .verify_reader(Cursor::new("data"), &s)
                .is_ok()
        })
    };
    for form in [signature.minisig(), signature.tauri()] {
        assert!(accepts(form.as_bytes()));
        for at in 0..form.len() {
            let mut bytes = form.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!accepts(&bytes), "byte {at} of {form}");
            assert!(!accepts(&form.as_bytes()[..at]), "cut at {at}: {form}");
        }
    }
}

#[test]
fn the_development_key_is_made_once_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let made = Signer::development(&keys).unwrap();
    let read = Signer::development(&keys).unwrap();
    assert_eq!(made.public_key(), read.public_key());
    assert!(!format!("{made:?}").contains(&made.secret.to_box(None).unwrap().to_string()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&keys), 0o700);
        assert_eq!(mode(&keys.join(DEVELOPMENT_KEY)), 0o600);
    }
}
