//! `sign FILE…` and `verify FILE…` over every format, with the real osslsigncode and rcodesign.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::{
    Pki, Timestamps,
    pki::PASSWORD,
    specimens::{self, Kind},
    tools,
};

use self::project::{Project, Ran};

/// A project that signs with the practice PKI, and its timestamp server.
struct Case {
    project: Project,
    pki: Pki,
    server: Timestamps,
}

impl Case {
    /// None, and a line that says so, without the programs that it takes.
    fn new(programs: &[&str]) -> Option<Self> {
        if !tools::have(&[&["openssl", "python3"], programs].concat()) {
            return None;
        }
        let pki = Pki::shared().unwrap();
        let server = Timestamps::start(&pki).unwrap();
        let mut project = Project::new();
        let leaf = pki.identity("leaf").p12;
        let leaf = leaf.to_str().unwrap();
        for platform in ["WIN_CSC", "APPLE"] {
            let (link, password) = match platform {
                "APPLE" => ("APPLE_CERTIFICATE", "APPLE_CERTIFICATE_PASSWORD"),
                _ => ("WIN_CSC_LINK", "WIN_CSC_KEY_PASSWORD"),
            };
            project.set(link, leaf);
            project.set(password, PASSWORD);
        }
        if let Some(rcodesign) = tools::rcodesign() {
            let folder = rcodesign.parent().unwrap().display().to_string();
            let path = std::env::var("PATH").unwrap();
            project.set("PATH", format!("{folder}:{path}"));
        }
        let case = Self {
            project,
            pki,
            server,
        };
        let url = case.server.url();
        case.project.configure(&format!(
            "[sign.windows]\ntimestamp-servers = [\"{url}\"]\n\
             [sign.macos]\ntimestamp-server = \"{url}\"\n"
        ));
        Some(case)
    }

    /// `line`, trusting the practice authorities.
    fn run(&self, line: &str) -> Ran {
        let (root, stamps) = (self.pki.root(), self.pki.timestamp_root());
        // The file with the key holds no more than the publisher's own certificate.
        let above = self.pki.file("intermediate.pem");
        let trust = [root, above, stamps].map(|it| format!("--trust {}", it.display()));
        let trust = trust.join(" ");
        self.project.run(&line.replace("TRUST", &trust))
    }

    /// What is printed, without times and the fingerprint of the day.
    fn shown(&self, ran: &Ran) -> String {
        let text = ran.shown();
        let text = text.replace(&self.server.url(), "[SERVER]");
        let text = text.replace(&*self.pki.folder().to_string_lossy(), "[PKI]");
        let words = text.split(' ').map(|word| match word {
            it if it.len() > 16 && it.ends_with('…') && is_hex(&it[..16]) => "[HASH]…",
            it => it,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn check(&self, line: &str, expected: Expect) {
        expected.assert_eq(&self.shown(&self.run(line)));
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        self.project.write(name, bytes);
        self.project.root.join(name)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// Alters one byte in the middle.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn windows() {
    let Some(case) = Case::new(&["osslsigncode", "wixl", "gcab", "makensis"]) else {
        return;
    };
    let root = &case.project.root;
    case.write("a.exe", &specimens::pe());
    let made = root.join("made");
    fs::create_dir(&made).unwrap();
    for (from, to) in [
        (specimens::msi(&made).unwrap(), "b.msi"),
        (specimens::cab(&made).unwrap(), "c.cab"),
        (specimens::nsis(&made).unwrap(), "setup.exe"),
    ] {
        fs::copy(from, root.join(to)).unwrap();
    }
    let files = "a.exe b.msi c.cab setup.exe";
    case.check(
        &format!("verify {files} TRUST"),
        expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        a.exe  PE  nobody  -  -  -  -  -
        b.msi  MSI  nobody  -  -  -  -  -
        c.cab  CAB  nobody  -  -  -  -  -
        setup.exe  PE  nobody  -  -  -  -  -

        file  check  expected  actual
        a.exe  signature  signed  nobody signed it
        b.msi  signature  signed  nobody signed it
        c.cab  signature  signed  nobody signed it
        setup.exe  signature  signed  nobody signed it
        NOT verified: 4 of 4 checks failed
        exit code 1
    "#]],
    );
    let ran = case.run(&format!("sign {files}"));
    let last = ran.shown();
    assert_eq!(ran.code, 0, "{last}");
    case.check(
        &format!("verify {files} TRUST"),
        expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        a.exe  PE  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -
        b.msi  MSI  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -
        c.cab  CAB  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -
        setup.exe  PE  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -
        verified: 4 files, 4 checks passed, signed by whom you trust
        exit code 0
    "#]],
    );
    // A second time nothing is signed, and that is said.
    let again = case.run(&format!("sign {files}")).shown();
    let said: Vec<_> = again
        .lines()
        .filter(|it| it.contains("left alone"))
        .collect();
    assert_eq!(said.len(), 4, "{again}");
    for file in files.split(' ') {
        damage(&root.join(file));
        assert_eq!(case.run(&format!("verify {file} TRUST")).code, 1, "{file}");
    }
    case.check("verify a.exe TRUST", expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        a.exe  PE  nobody  -  -  -  -  -

        file  check  expected  actual
        a.exe  signature inside  readable  the signed message is damaged: no X.509 certificate: ASN.1 DER message is incomplete: expected 74478, actual 598 at DER byte 558
        NOT verified: 1 of 2 checks failed
        exit code 1
    "#]]);
    // Somebody else's authority, and nobody's.
    case.write("d.exe", &specimens::pe());
    case.run("sign d.exe");
    let other = case.pki.timestamp_root();
    case.check(
        &format!("verify d.exe --trust {}", other.display()),
        expect![[r#"
            file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
            d.exe  PE  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -

            file  check  expected  actual
            d.exe  signature inside  good signature  Practice Publisher leads to no certificate that is trusted
            NOT verified: 1 of 1 checks failed
            exit code 1
        "#]],
    );
    case.check(
        "verify d.exe",
        expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        d.exe  PE  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  -  -

        file  check  expected  actual
        d.exe  signature  by whom you trust  nobody is trusted for it: --trust KEY
        NOT verified: 1 of 2 checks failed
        exit code 1
    "#]],
    );
    let crl = case.pki.crl();
    let line = format!("verify d.exe TRUST --trust {}", crl.display());
    assert_eq!(case.run(&line).code, 0);
    // The same for a certificate that its issuer took back.
    let revoked = case.pki.identity("revoked");
    case.write("e.exe", &specimens::pe());
    let mut sign = std::process::Command::new("osslsigncode");
    sign.args(["sign", "-h", "sha256", "-certs"])
        .arg(revoked.chain);
    sign.arg("-key")
        .arg(revoked.key)
        .args(["-in", "e.exe", "-out", "f.exe"]);
    tools::run(sign.current_dir(root)).unwrap();
    assert_eq!(case.run("verify f.exe TRUST").code, 0);
    case.check(&line.replace("d.exe", "f.exe"), expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        f.exe  PE  Practice Revoked  [KEY]…  -  -  -  -

        file  check  expected  actual
        f.exe  signature inside  good signature  the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        NOT verified: 1 of 1 checks failed
        exit code 1
    "#]]);
}

#[test]
fn macos() {
    let Some(case) = Case::new(&["rcodesign"]) else {
        return;
    };
    let root = case.project.root.clone();
    case.write("tool", &specimens::macho(Kind::Program, 1));
    case.write("image.dmg", &specimens::dmg());
    let app = specimens::app(&root).unwrap();
    let app = app.file_name().unwrap().to_str().unwrap().to_owned();
    let files = format!("tool {app} image.dmg");
    case.check(
        &format!("verify {files} TRUST"),
        expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        tool  Mach-O  nobody  -  -  -  -  -
        Practice.app  app  nobody  -  -  -  -  -
        image.dmg  dmg  nobody  -  -  -  -  -

        file  check  expected  actual
        tool  signature inside  readable  not signed
        Practice.app  signature  signed  nobody signed it
        image.dmg  signature  signed  nobody signed it
        NOT verified: 3 of 4 checks failed
        exit code 1
    "#]],
    );
    let ran = case.run(&format!("sign {files}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    case.check(&format!("verify {files} TRUST"), expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        tool  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app  app  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Frameworks/Kit.framework  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/MacOS/helper  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Resources/sidecars/tool/module.so  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Resources/sidecars/tool/tool  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        image.dmg  dmg  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  -  not known  no
        verified: 3 files, 7 checks passed, signed by whom you trust
        exit code 0
    "#]]);
    let plist = root.join(&app).join("Contents/Info.plist");
    let text = fs::read_to_string(&plist).unwrap();
    fs::write(
        &plist,
        text.replacen("</dict>", "<key>x</key><true/></dict>", 1),
    )
    .unwrap();
    for file in ["tool", "image.dmg"] {
        damage(&root.join(file));
    }
    for file in files.split(' ') {
        assert_eq!(case.run(&format!("verify {file} TRUST")).code, 1, "{file}");
    }
    case.check(&format!("verify {app} TRUST"), expect![[r#"
        file  format  signer  fingerprint  timestamp  hardened runtime  notarized  stapled
        Practice.app  app  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Frameworks/Kit.framework  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/MacOS/helper  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Resources/sidecars/tool/module.so  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no
        Practice.app/Contents/Resources/sidecars/tool/tool  Mach-O  Practice Publisher  [KEY]…  [NOW] by Practice Timestamps  yes  not known  no

        file  check  expected  actual
        Practice.app  signature inside  good signature  Info.plist is not the one that was signed
        NOT verified: 1 of 5 checks failed
        exit code 1
    "#]]);
}

#[test]
fn what_cannot_be_trusted() {
    let Some(case) = Case::new(&["osslsigncode"]) else {
        return;
    };
    case.write("a.exe", &specimens::pe());
    let bad = case.project.root.join("bad.pem");
    fs::write(&bad, "no certificate").unwrap();
    case.check(
        &format!("verify a.exe --trust {}", bad.display()),
        expect![[r#"
            error: [ROOT]/bad.pem is not what --trust takes
              hint: it takes certificates (PEM or DER), a list of revoked ones after their issuer's, a minisign key or an exported OpenPGP key
            exit code 1
        "#]],
    );
    case.check(
        "verify missing.exe",
        expect![[r#"
        error: missing.exe does not exist: give a release folder, or files
        exit code 1
    "#]],
    );
    case.check(
        "verify a.exe --require-release",
        expect![[r#"
            error: --require-release is for a release: a file by itself has no manifest that would say
              hint: leave it out, or give the release folder
            exit code 1
        "#]],
    );
}
