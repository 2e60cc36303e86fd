//! Packages for Linux, signed inside: by the real gpg and rpmsign, checked by the tools that users have.
#![cfg(target_os = "linux")]

#[path = "support/gpg.rs"]
mod gpg;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

#[path = "sign_linux/tampering.rs"]
mod tampering;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use expect_test::expect;
use fs_err as fs;
use xtask::{
    engine::{
        files::{hash_file, hex},
        secret::Secret,
    },
    tools::{debsigs, minisign::Signer, rpmsign},
};
use xtask_practice::tools;

use self::{
    gpg::Gpg,
    project::{KEY, PASSWORD, Project, read},
};

const PASSPHRASE: &str = "open sesame";

/// A project whose packages are signed inside, with the key that signs them.
struct Case {
    project: Project,
    gpg: Gpg,
    /// The public key, armored.
    public: PathBuf,
}

impl Case {
    /// None, and a line that says so, without the programs that it takes.
    fn new() -> Option<Self> {
        if !tools::have(&["gpg", "gpgv", "rpmsign", "rpm"]) {
            return None;
        }
        let mut project = Project::built();
        let gpg = Gpg::new(project.beside().join("gpg"), PASSPHRASE);
        let public = project.beside().join("key.asc");
        gpg.export(&public);
        let key = gpg.fingerprint();
        project.configure(&format!(
            "[sign.gpg]\nkey = \"{key}\"\n[sign.linux]\ndeb = true\nrpm = true\n"
        ));
        project.set("GNUPGHOME", gpg.0.to_str().unwrap());
        Some(Self {
            project,
            gpg,
            public,
        })
    }

    /// With the publisher's keys.
    fn publishing() -> Option<Self> {
        let mut case = Self::new()?;
        case.project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
        case.project
            .set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
        case.project.set("GPG_PASSPHRASE", PASSPHRASE);
        Some(case)
    }

    fn filtered(&self, text: &str) -> String {
        let fingerprint = self.gpg.fingerprint();
        let text = text.replace(&fingerprint, "[FINGERPRINT]");
        text.replace(&format!("{}…", &fingerprint[..16]), "[FINGERPRINT]…")
    }

    fn verified(&self, line: &str) -> String {
        self.filtered(&self.project.run(line).shown())
    }
}

/// The public half of [`KEY`].
fn public_key() -> String {
    let (key, password) = (Secret::new(KEY), Secret::new(PASSWORD));
    let signer = Signer::from_text(&key, Some(&password)).unwrap();
    signer.public_key().text()
}

/// What `rpm -Kv` says, when this key is the only one that it knows.
fn rpm_says(folder: &Path, public: &Path, package: &Path) -> String {
    let database = folder.join("rpm-database");
    fs::create_dir_all(&database).unwrap();
    read(rpmsign::import_cmd(&database, public));
    let output = rpmsign::check_cmd(&database, package).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether `debsig-verify` finds the package good, when this key is the only one that it knows.
fn debsig_verifies(folder: &Path, gpg: &Gpg, package: &Path) -> bool {
    let ring = folder.join("ring.gpg");
    let mut export = gpg.command();
    export.args(["--export", "--output"]).arg(&ring);
    if !ring.exists() {
        read(export);
    }
    let policy = debsigs::Policy::write(folder, &gpg.fingerprint(), &ring).unwrap();
    policy.check_cmd(package).status().unwrap().success()
}

#[test]
fn slow_packages_are_signed_before_anything_is_hashed() {
    let Some(case) = Case::publishing() else {
        return;
    };
    let project = &case.project;
    let steps = project.succeed("dist").steps();
    expect![[r#"
        frontend  runs: packaging/dist.toml changed
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: gpg added (and 5 more)
        archive  runs: public_key [KEY]… -> [KEY]…
        seal  runs: dirty false -> true (and 29 more)
        exit code 0
    "#]]
    .assert_eq(&case.filtered(&steps));
    let (deb, rpm) = (project.product(".deb"), project.product(".rpm"));
    let said = rpm_says(&project.beside(), &case.public, &rpm);
    rpmsign::all_good(&said).unwrap();
    if tools::have(&["debsig-verify"]) {
        assert!(debsig_verifies(&project.beside(), &case.gpg, &deb));
        let unsigned = project.root.join("target/dist/linux/stages/bundle");
        let unsigned = unsigned.join(deb.file_name().unwrap());
        assert!(!debsig_verifies(&project.beside(), &case.gpg, &unsigned));
    }
    // dpkg installs it as before.
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--info").arg(&deb);
    read(dpkg);
    let manifest = project.manifest();
    for (product, kind) in [(&deb, "deb"), (&rpm, "rpm")] {
        let artifacts = manifest["artifacts"].as_array().unwrap();
        let artifact = artifacts.iter().find(|it| it["format"] == kind).unwrap();
        assert_eq!(artifact["sha256"], hex(&hash_file(product).unwrap()));
        let signatures = artifact["signatures"].as_array().unwrap();
        let inside = signatures.iter().find(|it| it["kind"] == kind).unwrap();
        assert_eq!(inside["key_id"], case.gpg.fingerprint());
        assert!(inside["file"].is_null());
        // What minisign signed is the signed package.
        let public = manifest["signing"]["minisign"]["public_key"]
            .as_str()
            .unwrap();
        let mut minisign = Command::new("minisign");
        minisign.args(["-V", "-P", public, "-m"]).arg(product);
        read(minisign);
    }
    assert_eq!(
        manifest["builder"]["tools"]["rpmsign"]
            .as_str()
            .map(|it| &it[..4]),
        Some("RPM ")
    );
    let left = project.root.join("target/dist/linux/private");
    assert_eq!(fs::read_dir(left).unwrap().count(), 0);
    let line = format!("verify --trust {}", case.public.display());
    expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater, rpm
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater, deb

        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        small-0.1.0-1.[ARCH].rpm  minisign  release key  [KEY]  -  -  -  -
        small-0.1.0-1.[ARCH].rpm  tauri-updater  release key  [KEY]  -  -  -  -
        small-0.1.0-1.[ARCH].rpm  rpm  Test <t@example.com>  [KEY]…  -  -  -  -
        small-0.1.0-[TRIPLE].tar.gz  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  tauri-updater  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  deb  Test <t@example.com>  [KEY]…  -  -  -  -
        manifest.json  minisign  release key  [KEY]  -  -  -  -
        SHA256SUMS  minisign  release key  [KEY]  -  -  -  -
        SHA256SUMS  gpg  Test <t@example.com>  [KEY]…  -  -  -  -
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 47 checks passed, self-attested release key [KEY]
        exit code 0
    "#]]
    .assert_eq(&case.verified(&line));
    expect![[r#"
        file  kind  size  sha256  signatures
        small-0.1.0-1.[ARCH].rpm  installer  [SIZE]  [HASH]…  minisign, tauri-updater, rpm
        small-0.1.0-[TRIPLE].tar.gz  archive  [SIZE]  [HASH]…  minisign
        small_0.1.0_[ARCH].deb  installer  [SIZE]  [HASH]…  minisign, tauri-updater, deb

        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        small-0.1.0-1.[ARCH].rpm  minisign  release key  [KEY]  -  -  -  -
        small-0.1.0-1.[ARCH].rpm  tauri-updater  release key  [KEY]  -  -  -  -
        small-0.1.0-1.[ARCH].rpm  rpm  not checked  -  -  -  -  -
        small-0.1.0-[TRIPLE].tar.gz  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  minisign  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  tauri-updater  release key  [KEY]  -  -  -  -
        small_0.1.0_[ARCH].deb  deb  not checked  -  -  -  -  -
        manifest.json  minisign  release key  [KEY]  -  -  -  -
        SHA256SUMS  minisign  release key  [KEY]  -  -  -  -
        note: small-0.1.0-1.[ARCH].rpm: the signature inside was not checked, no GPG key given
        note: small_0.1.0_[ARCH].deb: the signature inside was not checked, no GPG key given
        note: SHA256SUMS.asc: not checked, no GPG key given
        note: self-attested: no trusted key given, checked with the manifest's own
        verified: 3 files, 42 checks passed, self-attested release key [KEY]
        exit code 0
    "#]]
    .assert_eq(&case.verified("verify"));
    // Up to date: the same key, the same bytes.
    expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        exit code 0
    "#]]
    .assert_eq(&case.project.succeed("dist").steps());
}

#[test]
fn slow_somebody_elses_signature_is_not_the_publishers() {
    let Some(case) = Case::publishing() else {
        return;
    };
    case.project.succeed("dist");
    let other = Gpg::new(case.project.beside().join("other"), PASSPHRASE);
    let public = case.project.beside().join("other.asc");
    other.export(&public);
    let line = format!("verify --trust {}", public.display());
    expect![[r#"
        file  check  expected  actual
        small-0.1.0-1.[ARCH].rpm  rpm  good signature  not signed by the trusted key, or changed since
        small-0.1.0-1.[ARCH].rpm  rpm signer  [HASH]  nobody
        small_0.1.0_[ARCH].deb  deb  good signature  not signed by the trusted key, or changed since
        small_0.1.0_[ARCH].deb  deb signer  [HASH]  nobody
        SHA256SUMS.asc  gpg  [HASH]  bad signature, or another key
        note: self-attested: no trusted key given, checked with the manifest's own
        NOT verified: 5 of 47 checks failed in [ROOT]/release/0.1.0/linux
        exit code 1
    "#]].assert_eq(&case.verified(&line));
    // A package that lost its signature, in a release that is well signed otherwise.
    let release = case.project.release();
    let deb = case.project.product(".deb");
    let unsigned = case.project.root.join("target/dist/linux/stages/bundle");
    fs::copy(unsigned.join(deb.file_name().unwrap()), &deb).unwrap();
    let line = format!(
        "verify {} --trust {}",
        release.display(),
        case.public.display()
    );
    let shown = case.verified(&line);
    let said = shown
        .lines()
        .find(|it| it.contains("deb signer"))
        .unwrap_or_default();
    expect!["small_0.1.0_[ARCH].deb  deb signer  [HASH]  nobody"].assert_eq(said);
}

/// What others signed is read as well.
#[test]
fn slow_a_package_that_debsigs_signed() {
    if !tools::have(&["debsigs", "gpg", "gpgv"]) {
        return;
    }
    let project = Project::built();
    let gpg = Gpg::new(project.beside().join("gpg"), "");
    let public = project.beside().join("key.asc");
    gpg.export(&public);
    let package = project.root.join("theirs.deb");
    fs::copy(project.product(".deb"), &package).unwrap();
    let mut debsigs = Command::new("debsigs");
    debsigs.arg("--sign=origin").env("GNUPGHOME", &gpg.0);
    debsigs
        .arg(format!("--default-key={}", gpg.fingerprint()))
        .arg(&package);
    read(debsigs);
    let line = format!("verify theirs.deb --trust {}", public.display());
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        theirs.deb  deb  Test <t@example.com>  [KEY]…  -  -  -  -
        verified: 1 file, 1 check passed, signed by whom you trust
        exit code 0
    "#]]
    .assert_eq(&project.run(&line).shown());
}

#[test]
fn slow_a_development_key_signs_no_package() {
    let Some(case) = Case::new() else { return };
    case.project.succeed("dist --force=seal");
    let gaps = &case.project.manifest()["gaps"];
    expect![[r#"
        [
          "SHA256SUMS.asc: the GPG key signs only what a release identity signs",
          "signature inside the deb: the GPG key signs only what a release identity signs",
          "signature inside the rpm: the GPG key signs only what a release identity signs"
        ]
    "#]]
    .assert_eq(&format!("{gaps:#}\n"));
    let unsigned = rpm_says(
        &case.project.beside(),
        &case.public,
        &case.project.product(".rpm"),
    );
    let error = rpmsign::all_good(&unsigned).unwrap_err();
    expect!["rpm finds no signature in it"].assert_eq(&error.to_string());
}

#[test]
fn slow_a_wrong_passphrase_signs_nothing() {
    let Some(mut case) = Case::publishing() else {
        return;
    };
    case.gpg.forget();
    case.project.set("GPG_PASSPHRASE", "open barley");
    let shown = case.verified("dist");
    let failure = shown.split_once("sign-installers failed:").unwrap().1;
    expect![[r#"
         small_0.1.0_[ARCH].deb cannot be signed with GPG
          cause: `gpg` failed: exit status: 2
          $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --digest-algo SHA256 --output target/dist/linux/private/[PID]/content.sig --detach-sign -- target/dist/linux/private/[PID]/content
          exit status: 2
          | gpg: signing failed: Bad passphrase
          | gpg: signing failed: Bad passphrase
          log: [ROOT]/target/dist/linux/logs/sign-installers.log
          hint: the secret key must be in the key ring; export its passphrase under the name that `sign.gpg.passphrase-env` gives, or let gpg-agent know it
          resume: cargo xtask dist
        exit code 1
    "#]].assert_eq(&without_private(failure));
    let left = case.project.root.join("target/dist/linux/private");
    assert_eq!(fs::read_dir(left).unwrap().count(), 0);
}

/// The private folder has the number of the process.
fn without_private(text: &str) -> String {
    let mut parts = text.split("/private/");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (_, rest) = part.split_once('/').unwrap_or_default();
        text + "/private/[PID]/" + rest
    })
}

#[test]
fn slow_loose_packages_and_files() {
    let Some(case) = Case::publishing() else {
        return;
    };
    let project = &case.project;
    let stage = project.root.join("target/dist/linux/stages/bundle");
    for ending in ["deb", "rpm"] {
        let name = |it: &PathBuf| it.extension().is_some_and(|it| it == ending);
        let all = fs::read_dir(&stage).unwrap().map(|it| it.unwrap().path());
        let package = all.into_iter().find(name).unwrap();
        fs::copy(package, project.root.join(format!("loose.{ending}"))).unwrap();
    }
    project.write("notes.txt", "notes\n");
    let public = case.public.display();
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        loose.deb  deb  not checked  -  -  -  -  -
        loose.rpm  rpm  not checked  -  -  -  -  -
        notes.txt  minisign  minisign key  [KEY]  -  -  -  -
        note: loose.deb: the signature inside was not checked, no GPG key given
        note: loose.rpm: the signature inside was not checked, no GPG key given
        note: loose.deb: the configuration names nobody to trust for it
        note: loose.rpm: the configuration names nobody to trust for it
        signed, not verified: 3 files, 1 check passed, by whomever the table names
        $ gpg --batch --yes --no-tty --pinentry-mode loopback --passphrase-fd 0 --local-user [HASH] --digest-algo SHA256 --output target/dist/linux/private/[PID]/content.sig --detach-sign -- target/dist/linux/private/[PID]/content
        $ debsig-verify --policies-dir target/dist/linux/private/[PID]/policies --keyrings-dir target/dist/linux/private/[PID]/keyrings .loose.deb.signing
        note: loose.deb: signed by the OpenPGP key [HASH]
        $ rpmsign --define '__gpg /usr/bin/gpg' --define '_gpg_name [HASH]' --define '_gpg_digest_algo sha256' --define '_gpg_sign_cmd_extra_args --batch --no-tty --pinentry-mode loopback --passphrase-file "[ROOT]/target/dist/linux/private/[PID]/passphrase"' --addsign .loose.rpm.signing
        $ LC_ALL=C rpm --dbpath target/dist/linux/private/[PID]/rpm --import target/dist/linux/private/[PID]/key.asc
        $ LC_ALL=C rpm --dbpath target/dist/linux/private/[PID]/rpm -Kv .loose.rpm.signing
        note: loose.rpm: signed by the OpenPGP key [HASH]
        note: notes.txt: its format holds no signature; [ROOT]/notes.txt.minisig by the release key
        exit code 0
    "#]].assert_eq(&without_private(
        &case.verified("sign loose.deb loose.rpm notes.txt"),
    ));
    let key = project.beside().join("minisign.pub");
    fs::write(&key, public_key()).unwrap();
    let line = format!(
        "verify loose.deb loose.rpm notes.txt --trust {public} --trust {}",
        key.display()
    );
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        loose.deb  deb  Test <t@example.com>  [KEY]…  -  -  -  -
        loose.rpm  rpm  Test <t@example.com>  [KEY]…  -  -  -  -
        notes.txt  minisign  minisign key  [KEY]  -  -  -  -
        verified: 3 files, 3 checks passed, signed by whom you trust
        exit code 0
    "#]]
    .assert_eq(&case.verified(&line));
    // Again: nobody is surprised.
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        loose.rpm  rpm  not checked  -  -  -  -  -
        note: loose.rpm: the signature inside was not checked, no GPG key given
        note: loose.rpm: the configuration names nobody to trust for it
        signed, not verified: 1 file, 0 checks passed, by whomever the table names
        warning: [ROOT]/loose.rpm: the signature in it is replaced
        $ rpmsign --define '__gpg /usr/bin/gpg' --define '_gpg_name [HASH]' --define '_gpg_digest_algo sha256' --define '_gpg_sign_cmd_extra_args --batch --no-tty --pinentry-mode loopback --passphrase-file "[ROOT]/target/dist/linux/private/[PID]/passphrase"' --addsign .loose.rpm.signing
        $ LC_ALL=C rpm --dbpath target/dist/linux/private/[PID]/rpm --import target/dist/linux/private/[PID]/key.asc
        $ LC_ALL=C rpm --dbpath target/dist/linux/private/[PID]/rpm -Kv .loose.rpm.signing
        note: loose.rpm: signed by the OpenPGP key [HASH]
        exit code 0
    "#]].assert_eq(&without_private(&case.verified("sign loose.rpm")));
    project.write("notes.txt", "other notes\n");
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        notes.txt  minisign  not known  [KEY]  -  -  -  -

        file  check  expected  actual
        notes.txt  signature  by whom you trust  nobody is trusted for it: --trust KEY
        note: notes.txt.minisig: not checked, no minisign key given
        NOT verified: 1 of 1 checks failed
        exit code 1
    "#]]
    .assert_eq(&case.verified("verify notes.txt"));
    project.write("plain.txt", "plain\n");
    expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        plain.txt  file  nobody  -  -  -  -  -

        file  check  expected  actual
        plain.txt  signature  signed  nobody signed it
        NOT verified: 1 of 1 checks failed
        exit code 1
    "#]]
    .assert_eq(&case.verified("verify plain.txt"));
    expect![[r#"
        error: release is a folder: check one [JOBS] at a time, without other files
        exit code 1
    "#]]
    .assert_eq(&case.verified("verify plain.txt release"));
    expect![[r#"
        error: missing.deb does not exist
        exit code 1
    "#]]
    .assert_eq(&case.verified("sign missing.deb"));
    expect![[r#"
        error: there is nothing to sign
          hint: name files, or see what a release would sign with `cargo xtask sign plan`
        exit code 1
    "#]]
    .assert_eq(&case.verified("sign"));
}
