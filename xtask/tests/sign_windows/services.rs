//! Services that keep the certificate, and have another one every few days, as Azure has.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{self, Timestamping},
    manifest::SignatureKind,
    release::SigningWish,
    sign::windows::{Signer, Wish},
    steps::{
        bundle::{Installer, Installers},
        sign_installers::SignInstallers,
    },
};
use xtask_practice::tools;

use super::case::{Case, done};

const PUBLISHER: Wish = Wish {
    publisher: true,
    allow_secret_in_args: false,
};

/// A command that signs with the certificate of the day.
struct Service {
    case: Case,
    certificates: usize,
}

impl Service {
    fn new() -> Option<Self> {
        let mut case = Case::new()?;
        let script = format!(
            "cd {} && echo signed >> uses && osslsigncode sign -h sha256 -certs chain.pem -key \
             key.pem -in \"$1\" -out \"$1.s\" && mv \"$1.s\" \"$1\"",
            case.root().display()
        );
        let words = ["sh", "-c", &script, "signer", "%1"];
        case.configure(&format!(
            "[sign.windows]\ncommand = {words:?}\ntimestamp = \"none\"\ntrust = {:?}\n",
            case.pki.root()
        ));
        case.config = config::load(case.root(), None).unwrap();
        assert_eq!(case.config.sign.windows.timestamp, Timestamping::None);
        let certificates = 0;
        Some(Self { case, certificates })
    }

    /// From now on it signs with a new certificate: for this name, with these further purposes.
    fn renew(&mut self, name: &str, purposes: &str) {
        self.certificates += 1;
        let (root, pki) = (self.case.root(), &self.case.pki);
        let extensions =
            format!("keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning{purposes}\n");
        fs::write(root.join("extensions"), extensions).unwrap();
        let openssl = |words: &str| {
            let mut command = Command::new("openssl");
            command.args(words.split(' ')).current_dir(root);
            tools::run(&mut command).unwrap();
        };
        let subject = format!("/O=Practice/CN={name}");
        openssl(&format!(
            "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout key.pem -subj \
             {subject} -out request.pem"
        ));
        let authority = pki.file("intermediate.pem");
        openssl(&format!(
            "x509 -req -in request.pem -CA {} -CAkey {} -set_serial {} -days 3 -extfile extensions \
             -out leaf.pem",
            authority.display(),
            pki.file("intermediate.key").display(),
            7_000 + self.certificates
        ));
        let chain = [root.join("leaf.pem"), authority].map(|it| fs::read(it).unwrap());
        fs::write(root.join("chain.pem"), chain.concat()).unwrap();
    }

    /// As in another process.
    fn signer(&self) -> Signer {
        self.case.signer_with(&[], PUBLISHER).unwrap().unwrap()
    }

    fn check(&self, file: &Path, expected: Expect) {
        let said = self.case.sign(&self.signer(), file);
        // Certificates are others each time.
        let is_hash = |it: &str| it.len() == 64 && it.chars().all(|it| it.is_ascii_hexdigit());
        let words = said.split_inclusive(['(', ')', ' ']);
        let words = words.map(|it| {
            let end = it.len() - 1;
            match is_hash(&it[..end]) {
                true => format!("[HASH]{}", &it[end..]),
                false => it.to_owned(),
            }
        });
        expected.assert_eq(&words.collect::<String>());
    }

    /// How often the key was used since the last question.
    fn uses(&self) -> usize {
        let path = self.case.root().join("uses");
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, "").unwrap();
        text.lines().count()
    }
}

const AZURE: &str = ",1.3.6.1.4.1.311.97.1.0,1.3.6.1.4.1.311.97.990309390.766961637";

#[test]
fn a_renewed_certificate_is_known_by_its_publisher() {
    let Some(mut service) = Service::new() else {
        return;
    };
    service.renew("Service", AZURE);
    let [first, second, third] =
        ["first.exe", "second.exe", "third.exe"].map(|it| service.case.pe(it));
    service.check(
        &first,
        expect![[r#"
        signed by Service, no timestamp
    "#]],
    );
    assert_eq!(service.uses(), 1, "its first signature tells whose it is");
    service.renew("Service", AZURE);
    service.check(
        &first,
        expect![[r#"
        is signed by Service already
    "#]],
    );
    assert_eq!(service.uses(), 0);
    service.check(
        &second,
        expect![[r#"
        signed by Service, no timestamp
    "#]],
    );
    // Where nothing is remembered, something small is signed once.
    fs::remove_dir_all(service.case.state()).unwrap();
    service.uses();
    for _ in 0..2 {
        service.check(
            &second,
            expect![[r#"
            is signed by Service already
        "#]],
        );
    }
    assert_eq!(service.uses(), 1);
    // Somebody else, whom Azure knows by another number, may have the same name.
    let theirs = service.case.pe("theirs.dll");
    service.renew("Service", ",1.3.6.1.4.1.311.97.1.0,1.3.6.1.4.1.311.97.7");
    fs::remove_dir_all(service.case.state()).unwrap();
    service.check(
        &theirs,
        expect![[r#"
        signed by Service, no timestamp
    "#]],
    );
    service.check(
        &first,
        expect![[r#"
        keeps the signature of Service
    "#]],
    );
    // Nothing is signed in two names without a word.
    service.renew("Other", AZURE);
    service.check(&third, expect![[r#"
        error: signature on third.exe could not be made: it is signed by another certificate, Other ([HASH]), than the one expected (CN=Service,O=Practice; if that has changed, state it as `sign.windows.publisher`)
        hint: `sign.windows.command` signs the file in place, and makes the timestamp: sh -c cd [ROOT] && echo signed >> uses && osslsigncode sign -h sha256 -certs chain.pem -key key.pem -in "$1" -out "$1.s" && mv "$1.s" "$1" signer %1
    "#]]);
}

#[test]
fn a_publisher_that_is_stated_counts() {
    let Some(mut service) = Service::new() else {
        return;
    };
    service.renew("Service", AZURE);
    let file = service.case.pe("first.exe");
    for stated in ["Service", "CN=Service,O=Practice"] {
        service.case.config.sign.windows.publisher = Some(stated.to_owned());
        service.case.sign(&service.signer(), &file);
        fs::remove_dir_all(service.case.state()).ok();
        service.uses();
        service.check(
            &file,
            expect![[r#"
            is signed by Service already
        "#]],
        );
        assert_eq!(service.uses(), 0, "nobody has to be asked");
    }
    service.case.config.sign.windows.publisher = Some("Other".to_owned());
    service.check(&service.case.pe("second.exe"), expect![[r#"
        error: signature on second.exe could not be made: it is signed by another certificate, Service ([HASH]), than the one expected (Other; if that has changed, state it as `sign.windows.publisher`)
        hint: `sign.windows.command` signs the file in place, and makes the timestamp: sh -c cd [ROOT] && echo signed >> uses && osslsigncode sign -h sha256 -certs chain.pem -key key.pem -in "$1" -out "$1.s" && mv "$1.s" "$1" signer %1
    "#]]);
}

/// A release that is made again still says whose its installers are.
#[test]
fn an_installer_that_was_signed_before_is_ours_in_the_manifest() {
    let Some(mut service) = Service::new() else {
        return;
    };
    service.renew("Service", "");
    let file = service.case.pe("bundle/setup.exe");
    service.case.sign(&service.signer(), &file);
    let before = fs::read(&file).unwrap();
    // On another machine, say, where nothing is remembered.
    service.renew("Service", "");
    fs::remove_dir_all(service.case.state()).unwrap();
    let case = &service.case;
    let mut release = case.release(SigningWish::Any);
    release.windows = Some(service.signer());
    let installers = Installers {
        installers: vec![Installer {
            certificate: None,
            file: "setup.exe".to_owned(),
            kind: "nsis".to_owned(),
            contents: Vec::new(),
            gap: None,
        }],
    };
    let installers = done(case.root().join("bundle"), "bundle", installers);
    let (signed, out, said) = case.step(&SignInstallers::new(&release, installers));
    let inside = &signed.installers[0].signatures[0];
    assert_eq!(inside.kind, SignatureKind::Authenticode);
    let read = case.read(&file);
    assert_eq!(Some(&inside.key_id), read[0].fingerprint.as_ref());
    assert!(fs::read(out.path().join("setup.exe")).unwrap() == before);
    assert!(said.contains("signed before: setup.exe\n"), "{said}");
}

/// The process that a bundler starts knows it, too, and so does `sign FILE`.
#[test]
fn other_processes_know_a_renewed_certificate() {
    let Some(mut service) = Service::new() else {
        return;
    };
    service.renew("Service", "");
    let case = &service.case;
    let file = case.pe("setup.exe");
    case.sign(&service.signer(), &file);
    let before = fs::read(&file).unwrap();
    service.renew("Service", "");
    let case = &service.case;
    let target = "x86_64-pc-windows-msvc".parse().unwrap();
    let signer = service.signer();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_xtask"));
    let signer = signer.with_program(program.clone());
    let call = signer.call_for_bundler(&case.config, &target, case.root());
    let call = call.unwrap();
    let run = |words: Vec<String>| {
        let mut command = Command::new(&program);
        command.args(words).envs(call.env.clone());
        tools::run(command.current_dir(case.root())).unwrap()
    };
    let name = file.to_str().unwrap();
    run(call.args.iter().map(|it| it.replace("%1", name)).collect());
    assert!(fs::read(&file).unwrap() == before, "it was signed before");
    let said = run(vec!["sign".to_owned(), name.to_owned()]);
    assert!(
        said.contains("carries the signature of Service already"),
        "{said}"
    );
    assert!(fs::read(&file).unwrap() == before);
}
