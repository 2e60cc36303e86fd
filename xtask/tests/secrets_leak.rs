//! Every way of signing, with secrets that occur nowhere else. While it runs, no process has one among
//! its arguments; afterwards none is in anything that was printed or written.
#![cfg(target_os = "linux")]

#[path = "support/gpg.rs"]
mod gpg;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ct_codecs::{Base64, Encoder as _};
use fs_err as fs;
use xtask::engine::{files::contains, secret::Secret};
use xtask_practice::{
    Notary, Pki, StandIns, Timestamps,
    specimens::{self, Kind},
    tools,
};

use self::{
    gpg::Gpg,
    project::{Project, files_below, read},
};

/// Has all that tools and shells trip over, and is long enough to be found nowhere by chance.
const CANARY: &str = "c4nary % \"of\" $1gning?&'/+ü";

/// A project with a folder beside it for what the user has: keys, tokens. It is not searched.
struct Case {
    project: Project,
    own: PathBuf,
    secrets: Vec<String>,
}

impl Case {
    fn new() -> Self {
        let mut project = Project::built();
        let own = project.beside().join("own");
        fs::create_dir(&own).unwrap();
        // What tools leave where they always do.
        let temporary = project.beside().join("tmp");
        fs::create_dir(&temporary).unwrap();
        project.set("TMPDIR", temporary.to_str().unwrap());
        Self {
            project,
            own,
            secrets: Vec::new(),
        }
    }

    /// Looks for this in all its forms.
    fn guard(&mut self, secret: &str) {
        self.secrets.extend(Secret::new(secret).forms());
        let base64 = Base64::encode_to_string(secret).unwrap();
        assert!(self.secrets.contains(&base64) && self.secrets.iter().any(|it| it == secret));
    }

    /// A certificate with its key in a file that the canary opens.
    fn p12(&mut self, pki: &Pki) -> PathBuf {
        let (leaf, p12) = (pki.identity("leaf"), self.own.join("leaf.p12"));
        let password = self.own.join("password");
        fs::write(&password, CANARY).unwrap();
        let mut openssl = Command::new("openssl");
        // The old encryption, which rcodesign reads.
        openssl
            .args(["pkcs12", "-export", "-legacy", "-out"])
            .arg(&p12);
        openssl
            .arg("-inkey")
            .arg(leaf.key)
            .arg("-in")
            .arg(leaf.certificate);
        openssl
            .arg("-passout")
            .arg(format!("file:{}", password.display()));
        tools::run(&mut openssl).unwrap();
        self.guard(CANARY);
        self.guard(&Base64::encode_to_string(fs::read(&p12).unwrap()).unwrap());
        p12
    }

    /// Runs to a good end, and looks everywhere.
    fn silent(&self, line: &str) {
        let (code, seen) = self.seen(line);
        assert_eq!((code, &*seen), (0, &[][..]), "{line}");
    }

    /// The exit code, and where a secret was seen.
    fn seen(&self, line: &str) -> (i32, Vec<String>) {
        let mut child = self.project.command(line).spawn().unwrap();
        let mut seen = Vec::new();
        while child.try_wait().unwrap().is_none() {
            for process in fs::read_dir("/proc").unwrap().flatten() {
                let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
                if self.is_in(&arguments) {
                    seen.push(String::from_utf8_lossy(&arguments).into_owned());
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let ran = self.project.wait(child);
        for printed in [&ran.stdout, &ran.stderr] {
            if self.is_in(printed.as_bytes()) {
                seen.push(printed.clone());
            }
        }
        for folder in [&self.project.root, &self.project.beside().join("tmp")] {
            for file in files_below(folder) {
                if self.is_in(&fs::read(&file).unwrap_or_default()) {
                    seen.push(file.display().to_string());
                }
            }
        }
        if ran.code != 0 {
            seen.push(ran.stderr.clone());
        }
        (ran.code, seen)
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.secrets.iter().any(|it| contains(bytes, it.as_bytes()))
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        self.project.write(name, bytes);
    }
}

/// A minisign key that the canary opens, as the text of its file.
fn minisign_key(own: &Path) -> String {
    let (key, public) = (own.join("minisign.key"), own.join("minisign.pub"));
    let mut make = Command::new("sh");
    // minisign asks twice.
    make.args([
        "-c",
        "printf '%s\\n%s\\n' \"$CANARY\" \"$CANARY\" | minisign -G -s \"$0\" -p \"$1\"",
    ]);
    make.arg(&key).arg(public).env("CANARY", CANARY);
    read(make);
    fs::read_to_string(key).unwrap()
}

#[test]
fn slow_minisign_gpg_deb_rpm() {
    if !tools::have(&["gpg", "gpgv", "rpmsign", "rpm", "minisign"]) {
        return;
    }
    let mut case = Case::new();
    let key = minisign_key(&case.own);
    case.guard(CANARY);
    case.guard(key.lines().nth(1).unwrap());
    case.project.set("TAURI_SIGNING_PRIVATE_KEY", key);
    case.project
        .set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", CANARY);
    let gpg = Gpg::new(case.own.join("gpg"), CANARY);
    gpg.forget();
    case.project.set("GNUPGHOME", gpg.0.to_str().unwrap());
    case.project.set("GPG_PASSPHRASE", CANARY);
    case.project.configure(&format!(
        "[sign.gpg]\nkey = \"{}\"\n[sign.linux]\ndeb = true\nrpm = true\n",
        gpg.fingerprint()
    ));
    case.silent("dist --verbose");
    case.silent("dist --format json --force=sign-installers --force=seal");
    let signed = &case.project.manifest()["artifacts"].to_string();
    assert!(
        signed.contains("\"rpm\"") && signed.contains("\"deb\""),
        "{signed}"
    );
    // What fails says more.
    case.project.set(
        "GNUPGHOME",
        case.own.join("gpg").join("nobody").to_str().unwrap(),
    );
    let (code, seen) = case.seen("dist --force=sign-installers");
    assert_eq!((code, seen.len()), (1, 1), "{seen:#?}");
}

#[test]
fn slow_pfx() {
    if !tools::have(&["osslsigncode", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new();
    let pki = Pki::shared().unwrap();
    let server = Timestamps::start(&pki).unwrap();
    let p12 = case.p12(&pki);
    case.project.configure(&format!(
        "[sign.windows]\ntimestamp-servers = [\"{}\"]\n",
        server.url()
    ));
    case.write("a.exe", &specimens::pe());
    case.write("b.exe", &specimens::pe());
    case.project.set("WIN_CSC_KEY_PASSWORD", CANARY);
    case.project.set("WIN_CSC_LINK", p12.to_str().unwrap());
    case.silent("sign a.exe --verbose");
    // The file itself in the variable.
    case.project.set(
        "WIN_CSC_LINK",
        Base64::encode_to_string(fs::read(p12).unwrap()).unwrap(),
    );
    case.silent("sign b.exe --format json");
    case.project
        .set("WIN_CSC_KEY_PASSWORD", "wr0ng canary of signing");
    case.guard("wr0ng canary of signing");
    case.write("c.exe", &specimens::pe());
    let (code, seen) = case.seen("sign c.exe --verbose");
    assert_eq!((code, seen.len()), (1, 1), "{seen:#?}");
}

#[test]
fn slow_token() {
    const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
    let tools = ["osslsigncode", "openssl", "python3", "softhsm2-util"];
    if !tools::have(&tools) || !Path::new(MODULE).is_file() {
        return;
    }
    let mut case = Case::new();
    let pki = Pki::shared().unwrap();
    let server = Timestamps::start(&pki).unwrap();
    let pin = "4711-canary-pin";
    let tokens = case.own.join("tokens");
    fs::create_dir(&tokens).unwrap();
    let settings = case.own.join("softhsm.conf");
    fs::write(
        &settings,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    let softhsm = |words: &str| {
        let mut command = Command::new("softhsm2-util");
        command
            .args(words.split(' '))
            .env("SOFTHSM2_CONF", &settings);
        tools::run(&mut command).unwrap();
    };
    let leaf = pki.identity("leaf");
    softhsm(&format!(
        "--init-token --free --label T --pin {pin} --so-pin 12345678"
    ));
    softhsm(&format!(
        "--import {} --token T --label O --id 01 --pin {pin}",
        leaf.key.display()
    ));
    case.guard(pin);
    case.project.configure(&format!(
        "[sign.windows]\ntimestamp-servers = [\"{}\"]\n[sign.windows.pkcs11]\n\
         module = \"{MODULE}\"\nkey = \"pkcs11:token=T;object=O;type=private\"\n\
         certificate = \"{}\"\n",
        server.url(),
        leaf.chain.display()
    ));
    case.project
        .set("SOFTHSM2_CONF", settings.to_str().unwrap());
    case.project.set("PKCS11_PIN", pin);
    case.write("a.exe", &specimens::pe());
    case.silent("sign a.exe --verbose");
}

#[test]
fn slow_rcodesign() {
    if !tools::have(&["rcodesign", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new();
    with_rcodesign(&mut case.project);
    let pki = Pki::shared().unwrap();
    let server = Timestamps::start(&pki).unwrap();
    let p12 = case.p12(&pki);
    case.project.configure(&format!(
        "[sign.macos]\ntimestamp-server = \"{}\"\n",
        server.url()
    ));
    case.project.set("APPLE_CERTIFICATE_PASSWORD", CANARY);
    case.project.set(
        "APPLE_CERTIFICATE",
        Base64::encode_to_string(fs::read(p12).unwrap()).unwrap(),
    );
    case.write("tool", &specimens::macho(Kind::Program, 1));
    case.silent("sign tool --verbose");
}

#[test]
fn slow_notary() {
    if !tools::have(&["rcodesign", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new();
    with_rcodesign(&mut case.project);
    let pki = Pki::shared().unwrap();
    let (notary, server) = (
        Notary::start(&pki).unwrap(),
        Timestamps::start(&pki).unwrap(),
    );
    let p12 = case.p12(&pki);
    case.project.configure(&format!(
        "[sign.macos]\ntimestamp-server = \"{}\"\n",
        server.url()
    ));
    case.project.set("APPLE_CERTIFICATE_PASSWORD", CANARY);
    case.project.set("APPLE_CERTIFICATE", p12.to_str().unwrap());
    case.write("image.dmg", &specimens::dmg());
    case.silent("sign image.dmg");
    let key = pki.api_key();
    let text = fs::read_to_string(&key.file).unwrap();
    // Its lines, which are the same in rcodesign's own form of the key.
    text.lines()
        .filter(|it| !it.starts_with("-----"))
        .for_each(|it| case.guard(it));
    for (name, value) in notary.environment() {
        case.project.set(name, value);
    }
    case.project.set("APPLE_API_KEY", key.id);
    case.project.set("APPLE_API_ISSUER", key.issuer);
    case.project
        .set("APPLE_API_KEY_PATH", key.file.to_str().unwrap());
    case.silent("notarize submit image.dmg --verbose");
    assert_eq!(notary.submissions().unwrap().len(), 1);
}

/// signtool takes the password of a file only as an argument.
#[test]
fn slow_signtool_gets_no_password() {
    if !tools::have(&["osslsigncode", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new();
    let pki = Pki::shared().unwrap();
    let server = Timestamps::start(&pki).unwrap();
    let servers = xtask_practice::stand_ins::Servers {
        timestamps: Some(&server),
        ..Default::default()
    };
    let stand_ins = StandIns::new(&pki, servers).unwrap();
    let p12 = case.p12(&pki);
    let path = stand_ins.path().unwrap().to_str().unwrap().to_owned();
    case.project.set("PATH", path);
    case.project.set("WIN_CSC_LINK", p12.to_str().unwrap());
    case.project.set("WIN_CSC_KEY_PASSWORD", CANARY);
    case.project
        .configure("[sign.windows]\ntool = \"signtool\"\n");
    case.write("a.exe", &specimens::pe());
    let (code, seen) = case.seen("sign a.exe");
    let [said] = &*seen else { panic!("{seen:#?}") };
    assert_eq!(code, 1);
    assert!(
        said.contains("thumbprint") && said.contains("--allow-secret-in-args"),
        "{said}"
    );
    assert!(stand_ins.calls().unwrap().is_empty());
}

fn with_rcodesign(project: &mut Project) {
    let rcodesign = tools::rcodesign().unwrap();
    let folder = rcodesign.parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    project.set("PATH", format!("{folder}:{path}"));
}

/// The search itself finds what is there: or else silence would mean nothing.
#[test]
fn slow_a_leak_is_found() {
    // Another one: tests beside this one look at all processes, too.
    const SHOWN: &str = "sh0wn % \"to\" 3verybody?&'/+ü";
    let mut case = Case::new();
    case.guard(SHOWN);
    let clean = case.project.read("build.mjs");
    let run = |code: &str| {
        let imports = "import { execFileSync } from 'node:child_process';";
        case.project
            .write("build.mjs", format!("{clean}\n{imports}\n{code}\n"));
        let (code, seen) = case.seen("dist --until frontend");
        assert_eq!(code, 0, "{seen:?}");
        seen
    };
    let quoted = serde_json::to_string(SHOWN).unwrap();
    assert!(run("execFileSync('sleep', ['0.1']);").is_empty());
    let args = run(&format!("execFileSync('sh', ['-c', 'sleep 1', {quoted}]);"));
    assert!(args.iter().any(|it| it.contains("sleep 1")), "{args:?}");
    let written = run(&format!(
        "writeFileSync('target/leak.txt', encodeURIComponent({quoted}));"
    ));
    assert!(
        written.iter().all(|it| it.ends_with("leak.txt")) && !written.is_empty(),
        "{written:?}"
    );
    let base64 = format!(
        "writeFileSync('target/leak.txt', Buffer.from('me:' + {quoted}).toString('base64'));"
    );
    assert!(!run(&base64).is_empty());
}
