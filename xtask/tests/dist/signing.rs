//! Who vouches for a release, checked with the tools that users have.

use std::process::Command;

use expect_test::expect;
use fs_err as fs;

use super::{
    check, check_steps,
    gpg::Gpg,
    project::{KEY, PASSWORD, Project, files_below, holds, read},
};

#[test]
fn unsigned_is_recorded() {
    let project = Project::built();
    let key = project.manifest()["signing"]["minisign"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let steps = project
        .run("dist --unsigned")
        .steps()
        .replace(&key, "[KEY]");
    expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> unsigned (and 1 more)
        archive  runs: public_key [KEY]… -> null
        seal  runs: identity development -> unsigned (and 24 more)
        exit code 0
    "#]]
    .assert_eq(&steps);
    expect![[r#"
        Object {
            "identity": String("unsigned"),
        }
    "#]]
    .assert_debug_eq(&project.manifest()["signing"]);
    check(
        project.run("verify"),
        expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…
        note: unsigned: the checksums find accidents, not someone who replaces all files
        verified: 3 files, 20 checks passed, unsigned
        exit code 0
    "#]],
    );
    check(
        project.run("verify --require-release"),
        expect![[r#"
        file  check  expected  actual
        manifest.json  identity  release  unsigned
        note: unsigned: the checksums find accidents, not someone who replaces all files
        NOT verified: 1 of 20 checks failed in [ROOT]/release/0.1.0/linux
        exit code 1
    "#]],
    );
}

#[test]
fn a_dirty_checkout_is_not_for_publishing() {
    let mut project = Project::built();
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    project.write("README.md", "# Changed\n");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release refuses a checkout that differs from its commit
          hint: see `git status`; commit, or say --allow-dirty
        exit code 1
    "#]],
    );
    check_steps(
        project.run("dist --release --allow-dirty"),
        expect![[r#"
        frontend  runs: README.md changed
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: identity development -> release (and 1 more)
        archive  runs: README.md changed (and 1 more)
        seal  runs: dirty false -> true (and 13 more)
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["dirty"], true);
    project.git(&["checkout", "--", "README.md"]);
    check(
        project.run("dist --release"),
        expect![[r#"
        cargo xtask dist --release for linux: 7 steps, [JOBS] at a time
        frontend  runs: README.md changed
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE], unchanged output
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  runs: README.md changed
        archive  done in [TIME], [SIZE]
        seal  runs: dirty true -> false (and 2 more)
        seal  done in [TIME], [SIZE]

        step  status  why  time  size
        frontend  ran, unchanged  README.md changed  [TIME]  [SIZE]
        app  reused  [SIZE]
        sign-code  reused  [SIZE]
        bundle  reused  [SIZE]
        sign-installers  reused  [SIZE]
        archive  ran  README.md changed  [TIME]  [SIZE]
        seal  ran  dirty true -> false (and 2 more)  [TIME]  [SIZE]
        3 ran, 4 reused in [TIME]
        released [ROOT]/release/0.1.0/linux
          small-0.1.0-1.[ARCH].rpm  [SIZE]
          small-0.1.0-[TRIPLE].tar.gz  [SIZE]
          small_0.1.0_[ARCH].deb  [SIZE]
          signed: minisign key [KEY]
        next: cargo xtask verify
        exit code 0
    "#]],
    );
    assert_eq!(project.manifest()["source"]["dirty"], false);
    check(
        project.run("dist --release --from bundle"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release does not go with --from, --only or --skip: what they take as recorded may be stale
        exit code 1
    "#]],
    );
}

/// A secret must be in no file below the project, and in no argument list while the run goes on.
fn seen_anywhere(project: &Project, line: &str, secrets: &[&str]) -> Vec<String> {
    let mut child = project.command(line).spawn().unwrap();
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if secrets.iter().any(|it| holds(&arguments, it)) {
                seen.push(String::from_utf8_lossy(&arguments).into_owned());
            }
        }
        // A program with a key lives longer than that, and the run needs the processor, too.
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let ran = project.wait(child);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for printed in [&ran.stdout, &ran.stderr] {
        if secrets.iter().any(|it| printed.contains(it)) {
            seen.push(printed.clone());
        }
    }
    for file in files_below(&project.root) {
        let bytes = fs::read(&file).unwrap();
        if secrets.iter().any(|it| holds(&bytes, it)) {
            seen.push(file.display().to_string());
        }
    }
    seen
}

/// Each line of the decoded key as well, without the words that every key begins with.
fn parts_of(key: &str) -> Vec<String> {
    use ct_codecs::{Base64, Decoder as _};
    let text =
        Base64::decode_to_vec(key, None).map_or(key.into(), |it| String::from_utf8(it).unwrap());
    let lines = text
        .lines()
        .filter(|it| !it.starts_with("untrusted"))
        .map(str::to_owned);
    lines.chain([key.to_owned()]).collect()
}

#[test]
fn a_release_is_signed_and_the_key_stays_secret() {
    let mut project = Project::new();
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: --release wants a real signing key, but TAURI_SIGNING_PRIVATE_KEY is not set
          hint: make one with `npx tauri signer generate`, keep it secret, and export it as TAURI_SIGNING_PRIVATE_KEY
        exit code 1
    "#]],
    );
    let chatty = "console.log(process.env, 'correct' + ' horse', 'staple');\n";
    project.write(
        "build.mjs",
        format!("{}{chatty}", project.read("build.mjs")),
    );
    project.commit("Chatty");
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    let parts = parts_of(KEY);
    let mut secrets: Vec<&str> = parts.iter().map(String::as_str).collect();
    secrets.push(PASSWORD);
    let seen = seen_anywhere(&project, "dist --release --verbose", &secrets);
    assert!(seen.is_empty(), "{seen:#?}");
    let log = project.read("target/dist/linux/logs/frontend.log");
    assert!(
        log.contains("*** staple") && !log.contains("TAURI_SIGNING"),
        "{log}"
    );
    let public = project.manifest()["signing"]["minisign"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in [".deb", ".rpm", ".tar.gz", "manifest.json", "SHA256SUMS"] {
        let file = project.product(name);
        let mut minisign = Command::new("minisign");
        minisign.args(["-V", "-P", &public, "-m"]).arg(&file);
        let said = read(minisign);
        assert!(said.contains("verified"), "{said}");
    }
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(project.release());
    let said = read(sums);
    expect![[r#"
        manifest.json: OK
        manifest.json.minisig: OK
        small-0.1.0-1.[ARCH].rpm: OK
        small-0.1.0-1.[ARCH].rpm.minisig: OK
        small-0.1.0-1.[ARCH].rpm.sig: OK
        small-0.1.0-[TRIPLE].tar.gz: OK
        small-0.1.0-[TRIPLE].tar.gz.minisig: OK
        small_0.1.0_[ARCH].deb: OK
        small_0.1.0_[ARCH].deb.minisig: OK
        small_0.1.0_[ARCH].deb.sig: OK
    "#]]
    .assert_eq(&project.filtered(&said));
    check(
        project.run("verify --require-release"),
        expect![[r#"
        file  check  expected  actual
        manifest.json  trusted key  one that was known before: --key, `public-key` in [sign.minisign], or `plugins.updater.pubkey`  the manifest's own
        note: self-attested: no trusted key given, checked with the manifest's own
        NOT verified: 1 of 42 checks failed in [ROOT]/release/0.1.0/linux
        exit code 1
    "#]],
    );
    // Whoever checks knows the key from elsewhere than the release.
    let key = project.beside().join("known.pub");
    fs::write(&key, format!("untrusted comment: known\n{public}\n")).unwrap();
    check(
        project.run(&format!("verify --require-release --key {}", key.display())),
        expect![[r#"
            file  kind  size  sha256  signatures
            small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
            small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
            small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater

            file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
            small-0.1.0-1.[ARCH].rpm  minisign  release key  [KEY]  -  -  -  -
            small-0.1.0-1.[ARCH].rpm  tauri-updater  release key  [KEY]  -  -  -  -
            small-0.1.0-[TRIPLE].tar.gz  minisign  release key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  minisign  release key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  tauri-updater  release key  [KEY]  -  -  -  -
            manifest.json  minisign  release key  [KEY]  -  -  -  -
            SHA256SUMS  minisign  release key  [KEY]  -  -  -  -
            verified: 3 files, 42 checks passed, trusted release key [KEY]
            exit code 0
        "#]],
    );
}

#[test]
fn a_key_of_minisign_itself_signs() {
    let mut project = Project::built();
    let (key, public) = (
        project.beside().join("key"),
        project.beside().join("key.pub"),
    );
    let mut minisign = Command::new("minisign");
    minisign
        .args(["-G", "-W", "-s"])
        .arg(&key)
        .arg("-p")
        .arg(&public);
    read(minisign);
    project.set(
        "TAURI_SIGNING_PRIVATE_KEY",
        fs::read_to_string(&key).unwrap(),
    );
    project.succeed("dist --release");
    let mut minisign = Command::new("minisign");
    minisign
        .arg("-V")
        .arg("-p")
        .arg(&public)
        .arg("-m")
        .arg(project.product(".deb"));
    read(minisign);
    let line = format!("verify --require-release --key {}", public.display());
    check(
        project.run(&line),
        expect![[r#"
            file  kind  size  sha256  signatures
            small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater
            small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
            small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater

            file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
            small-0.1.0-1.[ARCH].rpm  minisign  release key  [KEY]  -  -  -  -
            small-0.1.0-1.[ARCH].rpm  tauri-updater  release key  [KEY]  -  -  -  -
            small-0.1.0-[TRIPLE].tar.gz  minisign  release key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  minisign  release key  [KEY]  -  -  -  -
            small_0.1.0_[ARCH].deb  tauri-updater  release key  [KEY]  -  -  -  -
            manifest.json  minisign  release key  [KEY]  -  -  -  -
            SHA256SUMS  minisign  release key  [KEY]  -  -  -  -
            verified: 3 files, 42 checks passed, trusted release key [KEY]
            exit code 0
        "#]],
    );
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let mut project = Project::new();
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: the minisign secret key is encrypted: set the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", "wrong horse");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: wrong password for the minisign secret key, or the key is damaged: correct the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY", "/home/me/key");
    check(
        project.run("dist --release"),
        expect![[r#"
        no step was reached in [TIME]

        error: the key in TAURI_SIGNING_PRIVATE_KEY
          cause: not a minisign secret key: give the path of the key file or its text, as `tauri signer generate` or `minisign -G` wrote it
        exit code 1
    "#]],
    );
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    let other = xtask::tools::minisign::Signer::generate().unwrap();
    publish_updater_key(&project, &other.public_key().text());
    check(
        project.run("dist"),
        expect![[r#"
        no step was reached in [TIME]

        error: the signing key [KEY] is not the one that plugins.updater.pubkey of the Tauri configuration names, [KEY]: installed apps would refuse the update
        exit code 1
    "#]],
    );
}

/// Names the public key in the app's configuration, as the updater wants it.
fn publish_updater_key(project: &Project, text: &str) {
    use ct_codecs::{Base64, Encoder as _};
    let key = Base64::encode_to_string(text).unwrap();
    let plugins =
        format!("\"plugins\": {{ \"updater\": {{ \"pubkey\": \"{key}\" }} }},\n  \"bundle\"");
    project.replace("src-tauri/tauri.conf.json", "\"bundle\"", &plugins);
}

#[test]
fn slow_gpg_signs_the_checksums() {
    let mut project = Project::built();
    let gpg = Gpg::new(project.beside().join("gpg"), "open sesame");
    let fingerprint = gpg.fingerprint();
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    project.configure(&format!("[sign.gpg]\nkey = \"{fingerprint}\"\n"));
    project.set("GNUPGHOME", gpg.0.to_str().unwrap());
    project.set("GPG_PASSPHRASE", "open sesame");
    let seen = seen_anywhere(&project, "dist", &["open sesame"]);
    assert!(seen.is_empty(), "{seen:#?}");
    assert_eq!(
        project.manifest()["signing"]["gpg"]["fingerprint"],
        *fingerprint
    );
    let tools = &project.manifest()["builder"]["tools"];
    let version = tools["gpg"].as_str().unwrap();
    assert!(version.starts_with("gpg (GnuPG) 2."), "{version}");
    let mut verify = gpg.command();
    verify
        .arg("--verify")
        .arg(project.product(".asc"))
        .arg(project.product("SHA256SUMS"));
    read(verify);
    gpg.forget();
    project.set("GPG_PASSPHRASE", "open barley");
    let ran = project.run("dist --force=seal");
    let shown = ran.shown().replace(&fingerprint, "[FINGERPRINT]");
    expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  runs: --force
        seal  $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --armor --output target/dist/linux/staging/seal.[PID]/SHA256SUMS.asc --detach-sign -- target/dist/linux/staging/seal.[PID]/SHA256SUMS
        seal  failed after [TIME]: the checksums cannot be signed with GPG

        step  status  why  time  size
        frontend  reused  [SIZE]
        app  reused  [SIZE]
        sign-code  reused  [SIZE]
        bundle  reused  [SIZE]
        sign-installers  reused  [SIZE]
        archive  reused  [SIZE]
        seal  failed  --force  [TIME]
        1 failed, 6 reused in [TIME]

        seal failed: the checksums cannot be signed with GPG
          cause: `gpg` failed: exit status: 2
          $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --armor --output target/dist/linux/staging/seal.[PID]/SHA256SUMS.asc --detach-sign -- target/dist/linux/staging/seal.[PID]/SHA256SUMS
          exit status: 2
          | gpg: signing failed: Bad passphrase
          | gpg: signing failed: Bad passphrase
          log: [ROOT]/target/dist/linux/logs/seal.log
          hint: the secret key must be in the key ring; export its passphrase under the name that `sign.gpg.passphrase-env` gives, or let gpg-agent know it
          resume: cargo xtask dist
        exit code 1
    "#]].assert_eq(&shown);
}
