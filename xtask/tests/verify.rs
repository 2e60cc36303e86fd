//! `verify` against a small release with real signatures, damaged in every way that came to mind.
//! Rows are shown as `file | check | expected | actual`; hashes and key ids are masked.

#[path = "verify/archived.rs"]
mod archived;
#[path = "verify/code.rs"]
mod code;
#[cfg(target_os = "linux")]
#[path = "../signed/tests/tampering/compound.rs"]
mod compound;
#[path = "verify/fake.rs"]
mod fake;
#[path = "verify/loose.rs"]
mod loose;
#[path = "verify/revoked.rs"]
mod revoked;
#[cfg(target_os = "linux")]
#[path = "verify/tampering.rs"]
mod tampering;
#[path = "verify/trust.rs"]
mod trust;

use std::{io::Write as _, path::Path};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    manifest::*,
    tools::minisign::{Signer, trusted_comment},
    verify::{Trust, verify},
};

use self::fake::*;

/// A signed release, damaged, and checked with the right key.
fn check(damage: impl FnOnce(&mut Fake), expected: Expect) {
    let mut fake = Fake::new(Identity::Release);
    damage(&mut fake);
    expected.assert_eq(&fake.shown(&fake.trust()));
}

#[test]
fn untouched() {
    check(
        |_| {},
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
            verified: 4 files, 50 checks passed, trusted release key KEY
        "#]],
    );
}

#[test]
fn any_changed_byte_of_any_file_is_found() {
    for identity in [Identity::Release, Identity::Unsigned] {
        let fake = Fake::new(identity);
        let trust = if fake.signed() {
            fake.trust()
        } else {
            Trust::default()
        };
        assert!(fake.verify(&trust).ok());
        for path in fake.files() {
            let good = fs::read(&path).unwrap();
            // Each byte of a signature: see the tests of tools::minisign.
            for at in (0..good.len())
                .step_by(1 + good.len() / 12)
                .chain([good.len() - 1])
            {
                let mut bad = good.clone();
                bad[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
                fs::write(&path, bad).unwrap();
                assert!(!fake.verify(&trust).ok(), "{} byte {at}", path.display());
            }
            fs::write(&path, &good[..good.len() - 1]).unwrap();
            assert!(!fake.verify(&trust).ok(), "{} cut", path.display());
            fs::remove_file(&path).unwrap();
            assert!(!fake.verify(&trust).ok(), "{} missing", path.display());
            fs::write(&path, good).unwrap();
        }
        assert!(fake.verify(&trust).ok());
    }
}

#[test]
fn a_changed_installer() {
    check(
        |fake| fake.write(FLATPAK, "not looked intO"),
        expect![[r#"
            file | check | expected | actual
            App-1.2.3-x86_64.flatpak | sha256 | HASH | HASH
            App-1.2.3-x86_64.flatpak.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            App-1.2.3-x86_64.flatpak.sig | tauri-updater | good signature | not this key's signature of this file, or one of them changed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 3 of 50 checks failed in FOLDER
        "#]],
    );
    check(
        |fake| fake.write(DEB, "short"),
        expect![[r#"
            file | check | expected | actual
            App_1.2.3_amd64.deb | size | 460 bytes | 5 bytes
            App_1.2.3_amd64.deb | sha256 | HASH | HASH
            App_1.2.3_amd64.deb.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            App_1.2.3_amd64.deb.sig | tauri-updater | good signature | not this key's signature of this file, or one of them changed
            App_1.2.3_amd64.deb | contents | readable | failed to read global header
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 5 of 49 checks failed in FOLDER
        "#]],
    );
}

#[test]
fn a_missing_and_an_extra_file() {
    let change = |fake: &mut Fake| {
        fs::remove_file(fake.path(DEB)).unwrap();
        fake.write("setup.exe", "surprise");
    };
    check(
        change,
        expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb | present | file | missing
        setup.exe | named | in the manifest | extra file
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 2 of 45 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn an_edited_manifest() {
    let edit = |fake: &Fake| {
        let text = fake
            .read(MANIFEST_NAME)
            .replace("\"dirty\": false", "\"dirty\": true");
        fake.write(MANIFEST_NAME, text);
    };
    check(
        |fake| edit(fake),
        expect![[r#"
            file | check | expected | actual
            manifest.json | SHA256SUMS | HASH | HASH
            manifest.json.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 2 of 50 checks failed in FOLDER
        "#]],
    );
    // The checksums mended too, which needs no key but for their signature.
    let mend = |fake: &mut Fake| {
        edit(fake);
        fake.seal_sums(false);
    };
    check(
        mend,
        expect![[r#"
            file | check | expected | actual
            manifest.json.minisig | minisign | good signature | not this key's signature of this file, or one of them changed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 1 of 50 checks failed in FOLDER
        "#]],
    );
}

#[test]
fn edited_checksums() {
    let edit = |change: fn(&str) -> String| {
        move |fake: &mut Fake| {
            let text = change(&fake.read(SUMS_NAME));
            fake.write(SUMS_NAME, text);
            fake.sign_as(SUMS_NAME, &fake.signer);
        }
    };
    check(
        edit(|text| text.split_once('\n').unwrap().1.into()),
        expect![[r#"
            file | check | expected | actual
            App-1.2.3-x86_64.flatpak | SHA256SUMS | HASH | not listed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 1 of 50 checks failed in FOLDER
        "#]],
    );
    check(
        edit(|text| format!("{text}{}  z\n", "0".repeat(64))),
        expect![[r#"
            file | check | expected | actual
            z | SHA256SUMS | not listed | listed
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 1 of 51 checks failed in FOLDER
        "#]],
    );
    check(
        edit(|text| text[..64].to_uppercase() + &text[64..]),
        expect![[r#"
            file | check | expected | actual
            SHA256SUMS | form | sorted, sha256sum's | written otherwise
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 1 of 50 checks failed in FOLDER
        "#]],
    );
    check(
        edit(|text| text.replace("  ", " *")),
        expect![[r#"
        file | check | expected | actual
        SHA256SUMS | form | sorted, sha256sum's | written otherwise
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 50 checks failed in FOLDER
    "#]],
    );
    check(
        edit(|text| format!("{}  App\n{}", "0".repeat(64), &text[1..])),
        expect![[r#"
            file | check | expected | actual
            SHA256SUMS | form | sha256sum's | line 2: expected 64 hex digits, two spaces and a path
            note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
            NOT verified: 1 of 38 checks failed in FOLDER
        "#]],
    );
}

#[test]
fn a_path_that_leaves_the_folder() {
    for path in ["../App.deb", "/etc/passwd", "a/../../b", "a\\\\b"] {
        let mut fake = Fake::new(Identity::Release);
        fake.manifest.artifacts[3].path = path.into();
        fake.write(MANIFEST_NAME, fake.manifest.to_json());
        let shown = fake.shown(&fake.trust());
        assert!(
            shown.contains("is not a path inside the release folder"),
            "{shown}"
        );
    }
}

#[test]
fn a_newer_schema() {
    let change = |fake: &mut Fake| {
        fake.manifest.schema = "2".into();
        fake.seal();
    };
    check(
        change,
        expect![[r#"
        file | check | expected | actual
        manifest.json | manifest | readable | manifest schema "2", but xtask 0.1.0 reads "1": use the xtask that made the release
        NOT verified: 1 of 1 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn an_empty_folder() {
    let mut fake = Fake::new(Identity::Release);
    fake.folder = tempfile::tempdir().unwrap();
    expect![[r#"
        file | check | expected | actual
        manifest.json | manifest | readable | missing
        NOT verified: 1 of 1 checks failed in FOLDER
    "#]]
    .assert_eq(&fake.shown(&Trust::default()));
}

#[test]
#[cfg(unix)]
fn links_are_not_followed() {
    let link = |fake: &mut Fake| {
        let elsewhere = fake.path("sub folder/elsewhere");
        fs::rename(fake.path(DEB), &elsewhere).unwrap();
        std::os::unix::fs::symlink(elsewhere, fake.path(DEB)).unwrap();
        std::os::unix::fs::symlink("/", fake.path("root")).unwrap();
    };
    check(
        link,
        expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb | present | file | symbolic link
        root | named | in the manifest | symbolic link
        sub folder/elsewhere | named | in the manifest | extra file
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 3 of 46 checks failed in FOLDER
    "#]],
    );
    let manifest = |fake: &mut Fake| {
        fs::rename(fake.path(MANIFEST_NAME), fake.path("m")).unwrap();
        std::os::unix::fs::symlink("m", fake.path(MANIFEST_NAME)).unwrap();
    };
    check(
        manifest,
        expect![[r#"
        file | check | expected | actual
        manifest.json | manifest | readable | a symbolic link
        NOT verified: 1 of 1 checks failed in FOLDER
    "#]],
    );
}

#[test]
fn an_installer_that_holds_another_executable() {
    let show = |deb: &[u8]| {
        let fake = Fake::with(Identity::Release, Signer::generate().unwrap(), deb);
        fake.shown(&fake.trust())
    };
    let other: (&str, &[u8]) = (APP.0, b"other");
    expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb | contents: usr/bin/app | HASH | HASH
        App_1.2.3_amd64.deb | contents: usr/bin/app-sidecar | HASH | missing
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 2 of 50 checks failed in FOLDER
    "#]]
    .assert_eq(&show(&deb("data.tar.gz", &[other])));
    expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb | contents: usr/bin/app | HASH | not one plain file
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 50 checks failed in FOLDER
    "#]]
    .assert_eq(&show(&deb("data.tar.gz", &[APP, SIDECAR, other])));
    expect![[r#"
        file | kind | size | sha256 | signatures
        App-1.2.3-x86_64.flatpak | installer | 15 B | HASH | minisign, tauri-updater
        App_1.2.3_amd64.deb | installer | 344 B | HASH | minisign, tauri-updater
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
        note: App_1.2.3_amd64.deb: not looked into (deb)
        verified: 4 files, 48 checks passed, trusted release key KEY
    "#]]
    .assert_eq(&show(&deb("data.tar.xz", &[])));
    expect![[r#"
        file | check | expected | actual
        App_1.2.3_amd64.deb | contents | readable | Not an archive file (invalid global header)
        note: App-1.2.3-x86_64.flatpak: not looked into (flatpak)
        NOT verified: 1 of 49 checks failed in FOLDER
    "#]]
    .assert_eq(&show(b"no archive"));
}

/// A sidecar in the folder layout is many files; each counts, however long its path.
#[test]
fn an_installer_that_holds_another_library() {
    let library = format!(
        "usr/lib/App \u{e4}/sidecars/analyzer/{}/lib.so",
        "deep/".repeat(30)
    );
    let show = |held: &[u8]| {
        let deb = deb("data.tar.gz", &[APP, SIDECAR, (&library, held)]);
        let signer = Signer::generate().unwrap();
        let mut fake = Fake::with(Identity::Release, signer, &deb);
        let mut all = fake.manifest.artifacts.iter_mut();
        let installer = all.find(|it| it.path == DEB).unwrap();
        installer.contents.push(Content {
            path: library.clone(),
            sha256: sha256(b"tried"),
        });
        fake.seal();
        let report = fake.verify(&fake.trust());
        let wrong = report.wrong().map(|it| format!("{}\n", it.check));
        wrong.collect::<String>().replace(&library, "LIBRARY")
    };
    assert_eq!(show(b"tried"), "");
    assert_eq!(show(b"other"), "contents: LIBRARY\n");
}

#[test]
fn an_installer_that_dpkg_made() {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let control = "Package: app\nVersion: 1.2.3\nArchitecture: all\nMaintainer: x <x@y.z>\n\
        Description: x\n";
    write("d/DEBIAN/control", control.as_bytes());
    write(&format!("d/{}", APP.0), APP.1);
    write(&format!("d/{}", SIDECAR.0), SIDECAR.1);
    let build = ["--root-owner-group", "-Zgzip", "-b", "d", "app.deb"];
    let mut dpkg = std::process::Command::new("dpkg-deb");
    let Ok(output) = dpkg.args(build).current_dir(tree.path()).output() else {
        return eprintln!("dpkg-deb is not installed");
    };
    assert!(output.status.success(), "{output:?}");
    let deb = fs::read(tree.path().join("app.deb")).unwrap();
    let fake = Fake::with(Identity::Release, Signer::generate().unwrap(), &deb);
    let report = fake.verify(&fake.trust());
    assert!(report.ok(), "{:?}", report.wrong().collect::<Vec<_>>());
    assert!(
        report
            .rows
            .iter()
            .any(|row| row.file == DEB && row.check.contains(APP.0))
    );
}

#[test]
fn no_release_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.deb");
    fs::File::create(&file).unwrap().write_all(b"x").unwrap();
    let error = |path: &Path| {
        let error = verify(path, &Trust::default()).unwrap_err();
        error
            .to_string()
            .replace(folder.path().to_str().unwrap(), "FOLDER")
    };
    expect!["FOLDER/app.deb is no release: give its folder or its manifest.json"]
        .assert_eq(&error(&file));
    expect!["FOLDER/absent does not exist: give the release folder"]
        .assert_eq(&error(&folder.path().join("absent")));
}
