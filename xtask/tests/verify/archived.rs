//! Archives of code for Windows and macOS, whose own signatures count.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    manifest::*,
    verify::{Trust, verify_files},
};
use xtask_practice::{
    Pki,
    specimens::{self, Kind},
    tools,
};
use xtask_signed::Certificate;

use super::fake::Fake;

const ZIP: &str = "App-1.2.3.zip";
const APP: &str = "Practice.app.tar.gz";

/// Where files are signed before they are packed, and the release that they go into.
struct Case {
    fake: Fake,
    pki: Pki,
    work: tempfile::TempDir,
}

impl Case {
    /// None, and a line that says so, without the programs that it takes.
    fn new(programs: &[&str]) -> Option<Self> {
        if !tools::have(&[&["openssl", "python3"], programs].concat()) {
            return None;
        }
        let case = Self {
            fake: Fake::new(Identity::Release),
            pki: Pki::shared().unwrap(),
            work: tempfile::tempdir().unwrap(),
        };
        Some(case)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn fingerprint(&self, who: &str) -> String {
        let file = self.pki.identity(who).certificate;
        Certificate::read_all(&file).unwrap()[0].fingerprint()
    }

    /// A program for Windows, signed by one of the practice publishers.
    fn exe(&self, name: &str, who: &str) {
        self.write("unsigned", &specimens::pe());
        self.write(name, &[]);
        fs::remove_file(self.path(name)).unwrap();
        let signer = self.pki.identity(who);
        let mut sign = Command::new("osslsigncode");
        sign.args(["sign", "-h", "sha256", "-certs"])
            .arg(signer.chain);
        sign.arg("-key").arg(signer.key).arg("-in");
        sign.arg(self.path("unsigned"))
            .arg("-out")
            .arg(self.path(name));
        tools::run(&mut sign).unwrap();
        fs::remove_file(self.path("unsigned")).unwrap();
    }

    fn rcodesign(&self, path: &Path) {
        let leaf = self.pki.identity("leaf");
        let mut sign = tools::rcodesign_command();
        sign.args(["sign", "--timestamp-url", "none", "--pem-file"])
            .arg(leaf.key);
        sign.arg("--pem-file").arg(leaf.chain).arg(path);
        tools::run(&mut sign).unwrap();
    }

    /// As Python packs a folder: with entries for folders, and without hints.
    fn zip(&self, folder: &str) -> Vec<u8> {
        let code = "import shutil, sys; shutil.make_archive('packed', 'zip', '.', sys.argv[1])";
        let mut pack = Command::new("python3");
        pack.args(["-c", code, folder])
            .current_dir(self.work.path());
        tools::run(&mut pack).unwrap();
        fs::read(self.path("packed.zip")).unwrap()
    }

    fn tar(&self, name: &str) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        tar.follow_symlinks(false);
        tar.append_dir_all(name, self.path(name)).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    }

    /// Has the manifest say that this certificate signed what is in the archive.
    fn name(&mut self, kind: SignatureKind, key: &str) {
        let artifacts = &mut self.fake.manifest.artifacts;
        let archive = artifacts
            .iter_mut()
            .find(|it| [ZIP, APP].contains(&&*it.path));
        let archive = archive.unwrap();
        archive.signatures.retain(|it| it.file.is_some());
        archive.signatures.push(SignatureRef {
            kind,
            file: None,
            key_id: key.to_owned(),
        });
        self.fake.seal();
    }

    fn release(&mut self, name: &str, bytes: &[u8], contents: &[(&str, &[u8])]) {
        self.fake.manifest.artifacts.retain(|it| it.path != name);
        let format = if name == ZIP { "zip" } else { "app" };
        let kind = ArtifactKind::Archive;
        self.fake.add(name, kind, format, bytes, contents);
        self.fake.seal();
    }

    /// What is said of the archive, and of the whole.
    fn check(&self, trust: &Trust, expected: Expect) {
        let mut shown = self.fake.shown(trust);
        for who in ["leaf", "other"] {
            shown = shown.replace(&self.fingerprint(who), who);
        }
        let said = shown.lines().filter(|it| {
            let of_it = it.contains(ZIP) || it.contains(APP);
            (of_it && !it.contains("minisign")) || it.contains("verified")
        });
        // How many checks there are besides is nobody's business.
        let said = said.map(|it| it.split(" checks ").next().unwrap_or(it));
        let said = said.map(|it| it.rsplit_once(", ").map_or(it, |(it, _)| it));
        expected.assert_eq(&said.map(|it| format!("{it}\n")).collect::<String>());
    }

    fn loose(&self, name: &str, bytes: &[u8], trust: &Trust, expected: Expect) {
        self.fake.write(name, bytes);
        let report = verify_files(&[self.fake.path(name)], trust).unwrap();
        expected.assert_eq(&self.fake.masked(&report).replace("FOLDER/", ""));
    }

    fn root(&self) -> Trust {
        let mut trust = Trust::default();
        trust.add_file(&self.pki.root()).unwrap();
        trust
    }
}

/// Alters a byte of the code.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[0x300] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn the_portable_form_for_windows() {
    let Some(mut case) = Case::new(&["osslsigncode"]) else {
        return;
    };
    case.exe("App/app.exe", "leaf");
    case.exe("App/x/x.pyd", "leaf");
    case.write("App/README.md", b"read me\n");
    let trust = case.fake.trust();
    let leaf = case.fingerprint("leaf");
    let pack = |case: &mut Case, contents: &[(&str, &[u8])]| {
        let packed = case.zip("App");
        case.release(ZIP, &packed, contents);
        case.name(SignatureKind::Authenticode, &leaf);
    };
    pack(&mut case, &[]);
    case.check(
        &trust,
        expect![[r#"
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/x/x.pyd | PE | Practice Publisher | HASH | - | - | - | -
        verified: 5 files
    "#]],
    );
    damage(&case.path("App/x/x.pyd"));
    pack(&mut case, &[]);
    case.check(&trust, expect![[r#"
        App-1.2.3.zip/App/x/x.pyd | signature inside | good signature | the file is not the one that was signed
        App-1.2.3.zip/App/x/x.pyd | signature inside | good signature | the checksum in the header is wrong
        NOT verified: 2 of 60
    "#]]);
    case.write("App/x/x.pyd", &specimens::pe());
    pack(&mut case, &[]);
    case.check(
        &trust,
        expect![[r#"
        App-1.2.3.zip/App/x/x.pyd | signature inside | signed | nobody signed it
        NOT verified: 1 of 59
    "#]],
    );
    // Where nobody signs, nothing is missing.
    let packed = case.zip("App");
    case.release(ZIP, &packed, &[]);
    case.check(
        &trust,
        expect![[r#"
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/x/x.pyd | PE | nobody | - | - | - | - | -
        verified: 5 files
    "#]],
    );
    let publishing = Trust {
        require: Identity::Release,
        ..trust.clone()
    };
    case.check(
        &publishing,
        expect![[r#"
        App-1.2.3.zip/App/x/x.pyd | signature inside | signed | nobody signed it
        NOT verified: 1 of 59
    "#]],
    );
    // By somebody else: whom the caller trusts, or whose file the manifest names.
    case.exe("App/x/x.pyd", "other");
    pack(&mut case, &[]);
    case.check(
        &trust,
        expect![[r#"
        App-1.2.3.zip/App/x/x.pyd | authenticode signer | HASH | HASH
        NOT verified: 1 of 60
    "#]],
    );
    let mut trusting = trust.clone();
    trusting.add_file(&case.pki.root()).unwrap();
    assert!(case.fake.verify(&trusting).ok());
    let library = fs::read(case.path("App/x/x.pyd")).unwrap();
    pack(&mut case, &[("App/x/x.pyd", &library)]);
    assert!(case.fake.verify(&trust).ok());
    // Named or not, it must be what he signed.
    damage(&case.path("App/x/x.pyd"));
    let library = fs::read(case.path("App/x/x.pyd")).unwrap();
    pack(&mut case, &[("App/x/x.pyd", &library)]);
    case.check(&trust, expect![[r#"
        App-1.2.3.zip/App/x/x.pyd | signature inside | good signature | the file is not the one that was signed
        App-1.2.3.zip/App/x/x.pyd | signature inside | good signature | the checksum in the header is wrong
        NOT verified: 2 of 61
    "#]]);
}

#[test]
fn what_the_updater_fetches_for_macos() {
    let Some(mut case) = Case::new(&["rcodesign"]) else {
        return;
    };
    let app = specimens::app(case.work.path()).unwrap();
    let app_name = app.file_name().unwrap().to_str().unwrap().to_owned();
    let packed = case.tar(&app_name);
    let leaf = case.fingerprint("leaf");
    let pack = |case: &mut Case| {
        let packed = case.tar(&app_name);
        case.release(APP, &packed, &[]);
        case.name(SignatureKind::Apple, &leaf);
    };
    let trust = case.fake.trust();
    case.release(APP, &packed, &[]);
    case.check(
        &trust,
        expect![[r#"
        Practice.app.tar.gz/Practice.app | app | nobody | - | - | - | - | -
        verified: 5 files
    "#]],
    );
    pack(&mut case);
    case.check(
        &trust,
        expect![[r#"
        Practice.app.tar.gz/Practice.app | signature inside | signed | nobody signed it
        NOT verified: 1 of 58
    "#]],
    );
    case.rcodesign(&app);
    pack(&mut case);
    case.check(&trust, expect![[r#"
        Practice.app.tar.gz/Practice.app | app | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Frameworks/Kit.framework | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/MacOS/helper | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/module.so | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no
        verified: 5 files
    "#]]);
    let packed = case.tar(&app_name);
    case.loose(APP, &packed, &case.root(), expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        Practice.app.tar.gz | minisign | not known | KEY | - | - | - | -
        Practice.app.tar.gz/Practice.app | app | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Frameworks/Kit.framework | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/MacOS/helper | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/module.so | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no
        note: Practice.app.tar.gz.minisig: not checked, no minisign key given
        verified: 1 file, 5 checks passed, signed by whom you trust
    "#]]);
    case.loose(APP, &packed, &Trust::default(), expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        Practice.app.tar.gz | minisign | not known | KEY | - | - | - | -
        Practice.app.tar.gz/Practice.app | app | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Frameworks/Kit.framework | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/MacOS/helper | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/module.so | Mach-O | Practice Publisher | HASH | - | no | not known | no
        Practice.app.tar.gz/Practice.app/Contents/Resources/sidecars/tool/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no

        file | check | expected | actual
        Practice.app.tar.gz | signature | by whom you trust | nobody is trusted for it: --trust KEY
        note: Practice.app.tar.gz.minisig: not checked, no minisign key given
        note: Practice.app.tar.gz: no authority is trusted for the signatures of the code in it (--trust)
        NOT verified: 1 of 6 checks failed
    "#]]);
    let text = app.join("Contents/Resources/text.txt");
    let before = fs::read(&text).unwrap();
    fs::write(&text, "other\n").unwrap();
    pack(&mut case);
    case.check(&trust, expect![[r#"
        Practice.app.tar.gz/Practice.app | signature inside | good signature | Resources/text.txt: is not the file that was signed
        NOT verified: 1 of 62
    "#]]);
    fs::write(&text, before).unwrap();
    // A framework without its links is not the one that was signed.
    let link = app.join("Contents/Frameworks/Kit.framework/Kit");
    fs::remove_file(&link).unwrap();
    fs::write(&link, "no link").unwrap();
    pack(&mut case);
    case.check(&trust, expect![[r#"
        Practice.app.tar.gz/Practice.app/Contents/Frameworks/Kit.framework | signature inside | good signature | Kit: is covered by no signature
        NOT verified: 1 of 62
    "#]]);
}

#[test]
fn an_archive_that_belongs_to_no_release() {
    let Some(case) = Case::new(&["osslsigncode", "rcodesign"]) else {
        return;
    };
    case.exe("App/app.exe", "leaf");
    let program = specimens::macho(Kind::Program, 1);
    case.write("App/tool", &program);
    case.rcodesign(&case.path("App/tool"));
    let both = case.zip("App");
    // Whatever else is in there is not covered by any of these.
    case.loose(
        ZIP,
        &both,
        &case.root(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3.zip | zip | nobody | - | - | - | - | -
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no

        file | check | expected | actual
        App-1.2.3.zip | signature | signed | nobody signed it
        NOT verified: 1 of 3 checks failed
    "#]],
    );
    case.fake.write(ZIP, &both);
    case.fake.sign(ZIP, ArtifactKind::Archive);
    let mut trust = case.root();
    trust.public_keys = case.fake.trust().public_keys;
    case.loose(
        ZIP,
        &both,
        &trust,
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3.zip | minisign | minisign key | KEY | - | - | - | -
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no
        verified: 1 file, 3 checks passed, signed by whom you trust
    "#]],
    );
    case.loose(
        ZIP,
        &both,
        &case.fake.trust(),
        expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3.zip | minisign | minisign key | KEY | - | - | - | -
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/tool | Mach-O | Practice Publisher | HASH | - | no | not known | no
        note: App-1.2.3.zip: no authority is trusted for the signatures of the code in it (--trust)
        verified: 1 file, 3 checks passed, signed by whom you trust
    "#]],
    );
    case.write("App/tool", &program);
    damage(&case.path("App/app.exe"));
    let broken = case.zip("App");
    case.fake.write(ZIP, &broken);
    case.fake.sign(ZIP, ArtifactKind::Archive);
    case.loose(ZIP, &broken, &trust, expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3.zip | minisign | minisign key | KEY | - | - | - | -
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/tool | Mach-O | nobody | - | - | - | - | -

        file | check | expected | actual
        App-1.2.3.zip/App/app.exe | signature inside | good signature | the file is not the one that was signed
        App-1.2.3.zip/App/app.exe | signature inside | good signature | the checksum in the header is wrong
        App-1.2.3.zip/App/tool | signature inside | signed | nobody signed it
        NOT verified: 3 of 4 checks failed
    "#]]);
    case.loose(ZIP, &broken, &case.fake.trust(), expect![[r#"
        file | format | signer | fingerprint | timestamp | hardened runtime | notarized | stapled
        App-1.2.3.zip | minisign | minisign key | KEY | - | - | - | -
        App-1.2.3.zip/App/app.exe | PE | Practice Publisher | HASH | - | - | - | -
        App-1.2.3.zip/App/tool | Mach-O | nobody | - | - | - | - | -

        file | check | expected | actual
        App-1.2.3.zip/App/app.exe | signature inside | good signature | the file is not the one that was signed
        App-1.2.3.zip/App/app.exe | signature inside | good signature | the checksum in the header is wrong
        note: App-1.2.3.zip: no authority is trusted for the signatures of the code in it (--trust)
        NOT verified: 2 of 3 checks failed
    "#]]);
}
