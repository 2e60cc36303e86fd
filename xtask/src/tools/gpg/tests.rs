//! Against the real gpg; void, with a word about it, where it is not installed.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use fs_err as fs;

use super::*;

/// Runs a command as `engine::exec` would.
fn run(mut command: Command, stdin: &[u8], home: &Path) -> Option<Output> {
    use std::io::Write as _;
    command.env("GNUPGHOME", home).stdin(Stdio::piped());
    let spawned = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned
        .inspect_err(|e| eprintln!("gpg is not installed: {e}"))
        .ok()?;
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn gpg(arguments: &[&str]) -> Command {
    let mut command = Command::new("gpg");
    command.args(arguments);
    command
}

/// A home with one key that has a passphrase, ended with its agent.
struct Home(tempfile::TempDir);

impl Home {
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn with_key() -> Option<Self> {
        let home = Self(tempfile::tempdir().unwrap());
        let generate = gpg(&[
            "--batch",
            "--pinentry-mode=loopback",
            "--passphrase-fd=0",
            "--quick-gen-key",
            "Test <t@example.org>",
            "ed25519",
            "sign",
        ]);
        let output = run(generate, b"se cret\n", &home.path())?;
        assert!(output.status.success(), "{output:?}");
        Some(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        end.args(["--kill", "gpg-agent"]);
        run(end, b"", &self.path());
    }
}

#[test]
fn a_signature_is_checked_by_the_exported_key_alone() {
    let Some(home) = Home::with_key() else { return };
    let (file, asc) = (home.path().join("a file"), home.path().join("a file.asc"));
    fs::write(&file, "data").unwrap();
    let wrong = sign_cmd("t@example.org", Some(&Secret::new("wrong")), &file, &asc);
    assert!(
        !run(wrong.0, &wrong.1, &home.path())
            .unwrap()
            .status
            .success()
    );
    let (cmd, stdin) = sign_cmd("t@example.org", Some(&Secret::new("se cret")), &file, &asc);
    assert!(!format!("{cmd:?}").contains("se cret"));
    let output = run(cmd, &stdin, &home.path()).unwrap();
    assert!(output.status.success(), "{output:?}");

    let export = |armor: &[&str]| {
        run(gpg(&[armor, &["--export"]].concat()), b"", &home.path())
            .unwrap()
            .stdout
    };
    assert_eq!(keyring(&export(&["--armor"])).unwrap(), export(&[]));
    let ring = home.path().join("ring.gpg");
    fs::write(&ring, export(&[])).unwrap();

    let empty = tempfile::tempdir().unwrap();
    let verify = || run(verify_cmd(&ring, &asc, &file), b"", empty.path()).unwrap();
    let good = verify();
    assert!(good.status.success(), "{good:?}");
    let by = signed_by(&String::from_utf8(good.stdout).unwrap()).unwrap();
    assert!(
        by.len() == 40 && by.bytes().all(|b| b.is_ascii_hexdigit()),
        "{by}"
    );
    fs::write(&file, "Data").unwrap();
    let bad = verify();
    assert!(!bad.status.success());
    assert_eq!(signed_by(&String::from_utf8(bad.stdout).unwrap()), None);
}

#[test]
fn nothing_surrounds_an_armored_signature() {
    let good = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYIAB0W\niHUE\n=g3+z\n\
        -----END PGP SIGNATURE-----\n";
    check_armor(good).unwrap();
    // Between the first and the last line it only has to stay base64: what that says is gpg's to
    // check, and the checksum finds the rest.
    let (body, checksum) = (31, good.find("\n=").unwrap() + 2);
    let frame =
        |at: usize| at < body || at + 2 >= checksum && !(checksum..checksum + 4).contains(&at);
    for at in (0..good.len()).filter(|at| frame(*at)) {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(
            check_armor(std::str::from_utf8(&bytes).unwrap()).is_err(),
            "byte {at}"
        );
    }
    for wrong in [
        "",
        &format!("x\n{good}"),
        &format!("{good}x"),
        &good.replace("\n\n", "\nA: b\n\n"),
    ] {
        assert!(check_armor(wrong).is_err(), "{wrong}");
    }
}
