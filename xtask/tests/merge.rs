//! `cargo xtask merge`: the releases of several machines, with everything that can keep them apart.

#[path = "merge/expected.rs"]
mod expected;
#[path = "verify/fake.rs"]
#[allow(dead_code, reason = "only what it makes packages with")]
mod fake;
#[path = "merge/made.rs"]
mod made;
#[path = "merge/updates.rs"]
mod updates;

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::manifest::{ArtifactKind, Identity, Manifest};

use made::{APP, Case, DEB, EXE, key};

/// Releases, some of which are changed, and what a merge says of them. A refusal leaves nothing behind.
fn refuse(change: impl FnOnce(&mut Case), options: &str, expected: Expect) {
    let mut case = Case::complete();
    change(&mut case);
    expected.assert_eq(&case.shown(&format!("merge ../in {options}")));
    assert!(!case.path("repo/dist").exists(), "something was written");
}

#[test]
fn all_targets_become_one_release() {
    let case = Case::complete();
    case.write("notes.md", "All is new.\r\n");
    // As a run leaves it that was killed.
    case.write("repo/dist/0.1.0/.merged.1/manifest.json", "{");
    let merge = "merge ../in --notes ../notes.md";
    expect![[r#"
        merged: [FOLDER]/repo/dist/0.1.0/merged
        target  triple  files
        macos  aarch64-apple-darwin  small.tar.gz, small_0.1.0_aarch64.app.tar.gz
        windows  x86_64-pc-windows-msvc  small_0.1.0_x64-setup.exe
        linux  x86_64-unknown-linux-gnu  small_0.1.0_amd64.deb

        platform  is updated with
        darwin-aarch64  small_0.1.0_aarch64.app.tar.gz
        darwin-aarch64-app  small_0.1.0_aarch64.app.tar.gz
        linux-x86_64  small_0.1.0_amd64.deb
        linux-x86_64-deb  small_0.1.0_amd64.deb
        windows-x86_64  small_0.1.0_x64-setup.exe
        windows-x86_64-nsis  small_0.1.0_x64-setup.exe
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 5 files, 71 checks passed, self-attested release key [KEY]
        next: cargo xtask verify dist/0.1.0/merged
        exit code 0
    "#]]
    .assert_eq(&case.shown(merge));
    expect![[r#"
        file  kind  size  sha256  signatures
        latest.json  updater-metadata  3.5 kB  [HASH]  minisign
        small.tar.gz  archive  38 B  [HASH]  minisign
        small_0.1.0_aarch64.app.tar.gz  installer  124 B  [HASH]  minisign, tauri-updater
        small_0.1.0_amd64.deb  installer  412 B  [HASH]  minisign, tauri-updater
        small_0.1.0_x64-setup.exe  installer  5 B  [HASH]  minisign, tauri-updater

        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        latest.json  minisign  release key  [KEY]  -  -  -  -
        small.tar.gz  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_aarch64.app.tar.gz  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_aarch64.app.tar.gz  tauri-updater  release key  [KEY]  -  -  -  -
        small_0.1.0_amd64.deb  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_amd64.deb  tauri-updater  release key  [KEY]  -  -  -  -
        small_0.1.0_x64-setup.exe  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_x64-setup.exe  tauri-updater  release key  [KEY]  -  -  -  -
        manifest.json  minisign  release key  [KEY]  -  -  -  -
        SHA256SUMS  minisign  release key  [KEY]  -  -  -  -
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 5 files, 71 checks passed, self-attested release key [KEY]
        exit code 0
    "#]]
    .assert_eq(&case.shown("verify dist/0.1.0/merged"));
    let signature = case.read(&format!("in/linux/{DEB}.sig"));
    let latest = case.read("repo/dist/0.1.0/merged/latest.json");
    let latest = latest.replace(&signature, "[SIGNATURE]");
    let beginning: Vec<&str> = latest.lines().filter(|it| !it.contains(r#""d"#)).collect();
    expect![[r#"
        {
          "version": "0.1.0",
          "notes": "All is new.",
          "pub_date": "2026-11-21T11:00:00Z",
          "platforms": {
              "url": "https://example.org/v0.1.0/small_0.1.0_aarch64.app.tar.gz"
            },
              "url": "https://example.org/v0.1.0/small_0.1.0_aarch64.app.tar.gz""#]]
    .assert_eq(&beginning[..8].join("\n"));
    let before = case.read("repo/dist/0.1.0/merged/SHA256SUMS.minisig");
    assert!(case.run(merge).1.starts_with("up to date: "));
    // Nothing was written: each signature would be another.
    assert_eq!(
        case.read("repo/dist/0.1.0/merged/SHA256SUMS.minisig"),
        before
    );
    // Other notes are another release.
    assert!(case.run("merge ../in").1.starts_with("merged: "));
    let left = fs::read_dir(case.path("repo/dist/0.1.0")).unwrap().count();
    assert_eq!(left, 1, "something was left beside it");
}

/// Whenever it is killed, there is the whole of the old one, the whole of the new one, or nothing.
#[test]
fn a_killed_merge_leaves_all_or_nothing() {
    let case = Case::new();
    case.linux(|_| {});
    let merge = "merge ../in --expect linux --notes notes.md";
    let news = |text: String| case.write("repo/notes.md", text);
    news("first".to_owned());
    let begun = std::time::Instant::now();
    assert_eq!(case.run(merge).0, 0);
    let whole = begun.elapsed();
    const KILLS: u32 = 6;
    for time in 1..=KILLS {
        news(format!("try {time}"));
        let mut command = case.command(merge);
        command.stdout(std::process::Stdio::null());
        let mut merging = command.spawn().unwrap();
        std::thread::sleep(whole * time / (KILLS + 1));
        merging.kill().unwrap();
        merging.wait().unwrap();
        if case.path("repo/dist/0.1.0/merged").exists() {
            let (code, said) = case.run("verify dist/0.1.0/merged");
            assert_eq!(code, 0, "killed at {time}: {said}");
        }
    }
    news("last".to_owned());
    assert_eq!(case.run(merge).0, 0);
    let left = fs::read_dir(case.path("repo/dist/0.1.0")).unwrap().count();
    assert_eq!(left, 1, "what killed runs left is there still");
}

#[test]
fn the_expected_targets_and_no_others() {
    refuse(
        |case| fs::remove_dir_all(case.path("in/macos")).unwrap(),
        "",
        expect![[r#"
            release  file  problem
            macos  -  is missing: `release.targets` has it; give its folder, or take it out of there
            NOT merged: 1 problem
            exit code 1
        "#]],
    );
    refuse(
        |case| {
            let package = fake::deb("data.tar.gz", &[]);
            let files = [(
                "small_0.1.0_arm64.deb",
                ArtifactKind::Installer,
                "deb",
                package,
            )];
            let name = "aarch64-unknown-linux-gnu";
            case.release(name, name, &files, |_| {});
        },
        "",
        expect![[r#"
            release  file  problem
            aarch64-unknown-linux-gnu  -  is not expected: `release.targets` does not have it; leave out ../in/aarch64-unknown-linux-gnu, or add it there
            NOT merged: 1 problem
            exit code 1
        "#]],
    );
    refuse(
        |case| {
            let files = [(EXE, ArtifactKind::Installer, "nsis", b"setup".to_vec())];
            let target = ("windows", "x86_64-pc-windows-msvc");
            case.release_in("in/again", &case.signer, target, &files, |_| {});
        },
        "",
        expect![[r#"
            release  file  problem
            windows  -  is there twice: ../in/again and ../in/windows
            NOT merged: 1 problem
            exit code 1
        "#]],
    );
    refuse(
        |case| case.write("repo/packaging/dist.toml", ""),
        "",
        expect![[r#"
            release  file  problem
            -  -  which targets a release has is not declared: set `targets` in `[release]` of packaging/dist.toml, or say --expect macos,windows,linux
            NOT merged: 1 problem
            exit code 1
        "#]],
    );
    refuse(
        |_| {},
        "--expect linux,plan9",
        expect![[r#"
            error: --expect
            cause: `plan9` is no target
            hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such as x86_64-unknown-linux-gnu
            exit code 1
        "#]],
    );
    let case = Case::complete();
    let (code, said) = case
        .run("merge ../in --expect x86_64-unknown-linux-gnu,windows --expect aarch64-apple-darwin");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_is_damaged_is_named() {
    refuse(
        |case| case.write(&format!("in/windows/{EXE}"), "Setup"),
        "",
        expect![[r#"
            release  file  problem
            windows  small_0.1.0_x64-setup.exe  sha256: [HASH], expected [HASH]
            windows  small_0.1.0_x64-setup.exe.minisig  minisign: not this key's signature of this file, or one of them changed, expected good signature
            windows  small_0.1.0_x64-setup.exe.sig  tauri-updater: not this key's signature of this file, or one of them changed, expected good signature
            NOT merged: 3 problems
            exit code 1
        "#]],
    );
    refuse(
        |case| {
            fs::remove_file(case.path(&format!("in/linux/{DEB}.sig"))).unwrap();
            case.write("in/macos/manifest.json", "{}");
        },
        "",
        expect![[r#"
            release  file  problem
            ../in/macos  manifest.json  not a manifest: it has no field `schema`
            linux  small_0.1.0_amd64.deb.sig  present: missing, expected file
            macos  -  is missing: `release.targets` has it; give its folder, or take it out of there
            NOT merged: 3 problems
            exit code 1
        "#]],
    );
}

#[test]
fn what_was_made_of_something_else_is_told_all_at_once() {
    refuse(
        |case| {
            case.windows(|it| {
                it.source.commit = "b".repeat(40);
                it.product.version = "0.2.0".into();
                it.source.dirty = true;
            });
            let (_, other) = key();
            let files = [(APP, ArtifactKind::Installer, "app", fake::tar_gz(&[]))];
            let target = ("macos", "aarch64-apple-darwin");
            let change = |it: &mut Manifest| it.product.identifier = "org.example".into();
            fs::remove_dir_all(case.path("in/macos")).unwrap();
            case.release_in("in/macos", &other, target, &files, change);
            // It differs each time.
            let id = other.public_key().key_id();
            case.masked.push((id, "[OTHER KEY]".to_owned()));
        },
        "",
        expect![[r#"
            release  file  problem
            -  -  commit differs: 629da0b7c1f04e2b8a5d9c3e6f7081a2b3c4d5e6 (macos, linux), bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (windows)
            -  -  dirty differs: false (macos, linux), true (windows)
            -  -  identifier differs: org.example (macos), com.example.small (windows, linux)
            -  -  minisign key differs: [OTHER KEY] (macos), [KEY] (windows, linux); export one key on all machines (a development key is made on each)
            -  -  version differs: 0.1.0 (macos, linux), 0.2.0 (windows)
            macos  -  identifier org.example, but this checkout says com.example.small
            windows  -  version 0.2.0, but this checkout says 0.1.0
            windows  -  was made of a checkout that differs from its commit, so that nobody knows whether the others are of the same; commit and build again, or say --allow-dirty
            NOT merged: 8 problems
            exit code 1
        "#]],
    );
    let dirty = Case::new();
    dirty.linux(|it| it.source.dirty = true);
    let merge = "merge ../in --expect linux";
    assert_eq!(dirty.run(merge).0, 1);
    assert_eq!(dirty.run(&format!("{merge} --allow-dirty")).0, 0);
}

/// The tag that is published, and the notes, are those of the checkout that merges.
#[test]
fn the_checkout_that_merges_is_of_the_same_commit() {
    let case = Case::complete();
    let git = |words: &str| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=T", "-c", "user.email=t@example.org"]);
        git.args(words.split(' ')).current_dir(case.path("repo"));
        String::from_utf8(git.output().unwrap().stdout).unwrap()
    };
    git("init --quiet");
    git("add .");
    git("commit --quiet --message=Another");
    let head = git("rev-parse HEAD").trim().to_owned();
    let shown = case.shown("merge ../in").replace(&head, "[HEAD]");
    expect![[r#"
        release  file  problem
        linux  -  is of commit 629da0b7c1f04e2b8a5d9c3e6f7081a2b3c4d5e6, but here is [HEAD]: check out the one that was built
        macos  -  is of commit 629da0b7c1f04e2b8a5d9c3e6f7081a2b3c4d5e6, but here is [HEAD]: check out the one that was built
        windows  -  is of commit 629da0b7c1f04e2b8a5d9c3e6f7081a2b3c4d5e6, but here is [HEAD]: check out the one that was built
        NOT merged: 3 problems
        exit code 1
    "#]].assert_eq(&shown);
    let built = |it: &mut Manifest| it.source.commit = head.clone();
    case.linux(built);
    assert_eq!(case.run("merge ../in --expect linux").0, 1);
    fs::remove_dir_all(case.path("in/windows")).unwrap();
    fs::remove_dir_all(case.path("in/macos")).unwrap();
    assert_eq!(case.run("merge ../in --expect linux").0, 0);
}

#[test]
fn one_name_is_one_file() {
    let other = |case: &mut Case| {
        let bytes = fake::tar_gz(&[("small.app/other", b"")]);
        let name = "Small_0.1.0_aarch64.app.tar.gz";
        let files = [(name, ArtifactKind::Installer, "app", bytes)];
        let triple = "x86_64-apple-darwin";
        case.release(triple, triple, &files, |_| {});
    };
    let expect = "--expect linux,windows,macos,x86_64-apple-darwin";
    refuse(
        other,
        expect,
        expect![[r#"
        release  file  problem
        x86_64-apple-darwin  Small_0.1.0_aarch64.app.tar.gz  is another file than small_0.1.0_aarch64.app.tar.gz of macos: two files cannot have one name; give each its target's name
        NOT merged: 1 problem
        exit code 1
    "#]],
    );
}

#[test]
fn the_key_must_be_the_one_of_the_releases() {
    let other_key = |case: &mut Case| {
        let (text, signer) = key();
        case.key = text;
        let id = signer.public_key().key_id();
        case.masked.push((id, "[OTHER KEY]".to_owned()));
    };
    refuse(
        other_key,
        "",
        expect![[r#"
        error: the releases are signed by key [KEY], but what signs here is [OTHER KEY]: one release has one key
        hint: export the same key as on the machines that built them
        exit code 1
    "#]],
    );
    refuse(
        |case| case.key.clear(),
        "",
        expect![[r#"
        error: the key [KEY] signed the releases, and must sign what they are together, but TAURI_SIGNING_PRIVATE_KEY is not set
        hint: export it, as on the machines that built them
        exit code 1
    "#]],
    );
    refuse(
        |_| {},
        "--require-release",
        expect![[r#"
        error: --require-release wants a key that is known besides the releases: --key, `public-key` in [sign.minisign], or `plugins.updater.pubkey`
        hint: keep the public half in a file of the repository, and name it: `public-key = "packaging/minisign.pub"` in `[sign.minisign]` of packaging/dist.toml
        exit code 1
    "#]],
    );
    let known_to_apps = |case: &mut Case| {
        let (_, signer) = key();
        let public = signer.public_key();
        case.known_to_apps(public);
        case.masked
            .push((public.key_id(), "[OTHER KEY]".to_owned()));
    };
    refuse(
        known_to_apps,
        "",
        expect![[r#"
            release  file  problem
            linux  -  signed by key [KEY], but installed apps know [OTHER KEY] (plugins.updater.pubkey): they would refuse the update
            linux  SHA256SUMS.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            linux  manifest.json  trusted key: [KEY], expected [OTHER KEY]
            linux  manifest.json.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            linux  small_0.1.0_amd64.deb.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            linux  small_0.1.0_amd64.deb.sig  tauri-updater: signed by key [KEY], which is not trusted, expected good signature
            macos  -  signed by key [KEY], but installed apps know [OTHER KEY] (plugins.updater.pubkey): they would refuse the update
            macos  SHA256SUMS.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            macos  manifest.json  trusted key: [KEY], expected [OTHER KEY]
            macos  manifest.json.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            macos  small.tar.gz.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            macos  small_0.1.0_aarch64.app.tar.gz.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            macos  small_0.1.0_aarch64.app.tar.gz.sig  tauri-updater: signed by key [KEY], which is not trusted, expected good signature
            windows  -  signed by key [KEY], but installed apps know [OTHER KEY] (plugins.updater.pubkey): they would refuse the update
            windows  SHA256SUMS.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            windows  manifest.json  trusted key: [KEY], expected [OTHER KEY]
            windows  manifest.json.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            windows  small_0.1.0_x64-setup.exe.minisig  minisign: signed by key [KEY], which is not trusted, expected good signature
            windows  small_0.1.0_x64-setup.exe.sig  tauri-updater: signed by key [KEY], which is not trusted, expected good signature
            NOT merged: 19 problems
            exit code 1
        "#]],
    );
}

/// GnuPG's key of the publisher signs the whole as it signed the parts.
#[test]
#[cfg(target_os = "linux")]
fn checksums_are_signed_with_gpg_too() {
    let home = tempfile::tempdir().unwrap();
    let gpg = |words: &[&str]| {
        let mut command = std::process::Command::new("gpg");
        command.args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", ""]).args(words);
        let output = command.env("GNUPGHOME", home.path()).output();
        let output = output.ok().filter(|it| it.status.success());
        output.map(|it| String::from_utf8(it.stdout).unwrap())
    };
    if gpg(&["--quick-gen-key", "publisher", "ed25519", "sign"]).is_none() {
        return eprintln!("gpg does not work here; `cargo xtask test --setup` installs it");
    }
    let listed = gpg(&["--with-colons", "--list-keys"]).unwrap();
    let line = listed.lines().find_map(|it| it.strip_prefix("fpr:"));
    let fingerprint = line.unwrap().trim_matches(':').to_owned();
    let mut case = Case::new();
    case.write("repo/key.asc", gpg(&["--armor", "--export"]).unwrap());
    let config = case.read("repo/packaging/dist.toml");
    let key = format!("key = \"{fingerprint}\"\npublic-key = \"key.asc\"\n");
    case.write(
        "repo/packaging/dist.toml",
        format!("{config}[sign.gpg]\n{key}"),
    );
    let home = home.path().to_str().unwrap().to_owned();
    case.variables.push(("GNUPGHOME".to_owned(), home));
    let with_gpg = |it: &mut Manifest| {
        let fingerprint = fingerprint.clone();
        it.signing.gpg = Some(xtask::manifest::GpgKey { fingerprint });
    };
    case.linux(with_gpg);
    case.macos(with_gpg);
    for target in ["linux", "macos"] {
        let sums = case.path(&format!("in/{target}/SHA256SUMS"));
        gpg(&["--armor", "--detach-sign", sums.to_str().unwrap()]).unwrap();
    }
    let (code, said) = case.run("merge ../in --expect linux,macos");
    assert_eq!(code, 0, "{said}");
    let asc = case.path("repo/dist/0.1.0/merged/SHA256SUMS.asc");
    assert_eq!(case.run("verify dist/0.1.0/merged").0, 0);
    fs::copy(case.path("in/linux/SHA256SUMS.asc"), asc).unwrap();
    let (code, said) = case.run("verify dist/0.1.0/merged");
    assert!(code == 1 && said.contains("SHA256SUMS.asc"), "{said}");
    // The key of one of them only.
    case.macos(|_| {});
    fs::remove_file(case.path("in/macos/SHA256SUMS.asc")).unwrap();
    let (code, said) = case.run("merge ../in --expect linux,macos");
    assert!(
        code == 1 && said.contains("GPG key differs: none (macos)"),
        "{said}"
    );
    let mut end = std::process::Command::new("gpgconf");
    end.args(["--kill", "all"])
        .env("GNUPGHOME", &case.variables[0].1);
    end.status().ok();
}

#[test]
fn what_is_unsigned_stays_so() {
    let case = Case::new();
    let unsigned = |it: &mut Manifest| {
        it.signing.identity = Identity::Unsigned;
        it.signing.minisign = None;
    };
    case.linux(unsigned);
    case.macos(unsigned);
    expect![[r#"
        merged: [FOLDER]/repo/dist/0.1.0/merged
        target  triple  files
        macos  aarch64-apple-darwin  small.tar.gz, small_0.1.0_aarch64.app.tar.gz
        linux  x86_64-unknown-linux-gnu  small_0.1.0_amd64.deb
        note: unsigned: the checksums find accidents, not someone who replaces all files
        note: gap: latest.json: the updater takes nothing that is unsigned
        verified: 3 files, 18 checks passed, unsigned
        next: cargo xtask verify dist/0.1.0/merged
        exit code 0
    "#]]
    .assert_eq(&case.shown("merge ../in --expect linux,macos"));
}

#[test]
fn a_wrong_folder_costs_nothing() {
    let case = Case::complete();
    case.write("mine/thesis.txt", "all my work");
    expect![[r#"
        error: [FOLDER]/repo/../mine is there, and is no merged release: it will not be replaced
        hint: give another --output, or remove it
        exit code 1
    "#]]
    .assert_eq(&case.shown("merge ../in --output ../mine"));
    assert_eq!(case.read("mine/thesis.txt"), "all my work");
    expect![[r#"
        error: [FOLDER]/repo/../in/linux/deep and the release ../in/linux would be one in the other
        hint: give another --output
        exit code 1
    "#]]
    .assert_eq(&case.shown("merge ../in --output ../in/linux/deep"));
    expect![[r#"
        release  file  problem
        ../mine  -  holds no release: there is no manifest.json in it or below
        ../nothing  -  is no folder: give a release as `dist` leaves it, or a folder of several
        NOT merged: 2 problems
        exit code 1
    "#]]
    .assert_eq(&case.shown("merge ../mine ../nothing ../in"));
    assert_eq!(case.run("merge ../in --output ../in/merged").0, 0);
    // What it made before is not one of those that it is made of.
    assert!(
        case.run("merge ../in --output ../in/merged")
            .1
            .starts_with("up to date")
    );
    expect![[r#"
        release  file  problem
        ../in/merged  -  is merged already: give the releases that it was made of
        linux  -  is missing: `release.targets` has it; give its folder, or take it out of there
        macos  -  is missing: `release.targets` has it; give its folder, or take it out of there
        windows  -  is missing: `release.targets` has it; give its folder, or take it out of there
        NOT merged: 4 problems
        exit code 1
    "#]]
    .assert_eq(&case.shown("merge ../in/merged"));
}
