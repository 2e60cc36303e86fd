//! Whose key signs, and what is wrong with it.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{Azure, Pkcs11, Timestamping, WindowsIdentity},
    engine::secret::Redactor,
    sign::{
        macos,
        secrets::Secrets,
        windows::{Signer, Wish},
    },
};
use xtask_practice::{pki::PASSWORD, specimens, tools};

use super::case::Case;

/// A wish to use what is configured.
const PUBLISHER: Wish = Wish {
    publisher: true,
    allow_secret_in_args: false,
};

#[test]
fn nothing_is_signed_where_nobody_is_configured() {
    let Some(case) = Case::new() else { return };
    assert!(case.signer_with(&[], PUBLISHER).unwrap().is_none());
}

#[test]
fn the_file_may_be_base64_under_a_peers_name() {
    use ct_codecs::Encoder as _;
    let Some(case) = Case::new() else { return };
    let p12 = fs::read(case.pki.identity("ec").p12_with_chain).unwrap();
    let text = ct_codecs::Base64::encode_to_string(p12).unwrap();
    let variables = [("CSC_LINK", &*text), ("CSC_KEY_PASSWORD", PASSWORD)];
    let signer = case
        .signer_with(&variables, Wish::default())
        .unwrap()
        .unwrap();
    expect![[r#"
        signed by Practice Publisher EC, time by Practice Timestamps
    "#]]
    .assert_eq(&case.sign(&signer, &case.pe("app.exe")));
    case.is_clean(signer);
}

/// Nothing of this is tried a second time, and no server is asked for the time.
#[test]
fn a_wrong_certificate_is_not_tried_again() {
    let Some(case) = Case::new() else { return };
    let check = |name: &str, expected: Expect| {
        let file = case.pe("app.exe");
        expected.assert_eq(&case.sign(&case.signer(name), &file));
        assert!(
            case.count("sign") <= 2,
            "once, and once to know the certificate"
        );
    };
    check(
        "expired",
        expect![[r#"
            error: signature on app.exe could not be made: the certificate of Practice Expired had expired
            hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD
        "#]],
    );
    check(
        "early",
        expect![[r#"
            error: signature on app.exe could not be made: the certificate of Practice Early was not valid yet
            hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD
        "#]],
    );
    check(
        "server",
        expect![[r#"
            error: signature on app.exe could not be made: the certificate of Practice TLS Server is not made for code signing
            hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD
        "#]],
    );
    check(
        "stranger",
        expect![[r#"
            error: signature on app.exe could not be made: Practice Stranger leads to no certificate that is trusted
            hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD; it must come with the certificates between it and one that `sign.windows.trust` names
        "#]],
    );
    assert_eq!(case.server.requests().unwrap(), 0);
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let Some(case) = Case::new() else { return };
    let p12 = case.pki.identity("leaf").p12_with_chain;
    let check = |passwords: &[(&str, &str)], expected: Expect| {
        let file = [("WIN_CSC_LINK", p12.to_str().unwrap())];
        let variables = [&file[..], passwords].concat();
        let signer = case
            .signer_with(&variables, Wish::default())
            .unwrap()
            .unwrap();
        expected.assert_eq(&case.sign(&signer, &case.pe("app.exe")));
        assert_eq!(case.count("sign"), 1, "{passwords:?}");
        case.is_clean(signer);
    };
    check(
        &[("WIN_CSC_KEY_PASSWORD", "wrong-canary")],
        expect![[r#"
        error: a signature for practice could not be made: the password does not open the certificate's file: `osslsigncode` failed: exit status: 255
        hint: the certificate comes from WIN_CSC_LINK, its password from WIN_CSC_KEY_PASSWORD
    "#]],
    );
    check(
        &[("CSC_KEY_PASSWORD", "wrong-canary")],
        expect![[r#"
        error: a signature for practice could not be made: the password does not open the certificate's file: `osslsigncode` failed: exit status: 255
        hint: the certificate comes from WIN_CSC_LINK, its password from CSC_KEY_PASSWORD
    "#]],
    );
    check(
        &[],
        expect![[r#"
        error: a signature for practice could not be made: the password does not open the certificate's file: `osslsigncode` failed: exit status: 255
        hint: the certificate comes from WIN_CSC_LINK, and no password is set for it: export it as WIN_CSC_KEY_PASSWORD, or name a file that holds it in WIN_CSC_KEY_PASSWORD_FILE
    "#]],
    );
    assert_eq!(case.server.requests().unwrap(), 0);
    // Also where it is known whose certificate the file holds: before anything is built.
    case.sign(&case.signer("leaf"), &case.pe("app.exe"));
    let variables = [
        ("WIN_CSC_LINK", p12.to_str().unwrap()),
        ("WIN_CSC_KEY_PASSWORD", "wrong-canary"),
    ];
    let signer = case.signer_with(&variables, Wish::default()).unwrap();
    let error = signer.unwrap().identity_input(&case).unwrap_err();
    assert!(error.to_string().contains("for practice"), "{error:#}");
}

#[test]
fn a_password_may_be_typed_once_for_all_files() {
    let Some(case) = Case::new() else { return };
    let p12 = case.pki.identity("leaf").p12_with_chain;
    let variables = [("WIN_CSC_LINK", p12.to_str().unwrap())];
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let secrets = Secrets::of(Redactor::default(), &variables).with_person(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(PASSWORD.to_owned())
    });
    let signer = Signer::new(&case.config, secrets, &case.state(), Wish::default());
    let signer = signer.unwrap().unwrap();
    for name in ["one.exe", "two.exe"] {
        expect![[r#"
            signed by Practice Publisher, time by Practice Timestamps
        "#]]
        .assert_eq(&case.sign(&signer, &case.pe(name)));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // The process that a bundler starts has no terminal.
    let target = "x86_64-pc-windows-msvc".parse().unwrap();
    let call = signer.call_for_bundler(&case.config, &target, case.root());
    let (_, file) = &call.unwrap().env[2];
    assert_eq!(fs::read_to_string(file).unwrap(), PASSWORD);
    case.is_clean(signer);
}

/// The same for macOS: rcodesign gets what is typed as a file.
#[test]
fn a_password_for_macos_may_be_typed_once() {
    let (Some(mut case), Some(rcodesign)) = (Case::new(), tools::rcodesign()) else {
        return;
    };
    case.variables.push(("PATH", on_path(&rcodesign)));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let p12 = case.pki.identity("leaf").p12;
    let variables = [("APPLE_CERTIFICATE", p12.to_str().unwrap())];
    let secrets = Secrets::of(Redactor::default(), &variables).with_person(move |text| {
        assert!(text.ends_with("in APPLE_CERTIFICATE (APPLE_CERTIFICATE_PASSWORD): "));
        count.fetch_add(1, Ordering::Relaxed);
        Ok(PASSWORD.to_owned())
    });
    case.config.sign.macos.timestamp = Timestamping::None;
    let signing = macos::Signing {
        hands: &case,
        config: &case.config.sign.macos,
        sidecars: &[],
        secrets: &secrets,
        state: &case.state(),
    };
    for name in ["one.dylib", "two.dylib"] {
        let library = specimens::macho(specimens::Kind::Library, 1);
        let file = case.root().join(name);
        fs::write(&file, library).unwrap();
        let outcome = signing.sign(&[file]).unwrap().unwrap();
        assert_eq!(outcome.signer, "Practice Publisher");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// PATH with the folder of a program first.
fn on_path(program: &std::path::Path) -> String {
    let old = std::env::var("PATH").unwrap();
    format!("{}:{old}", program.parent().unwrap().display())
}

#[test]
fn a_key_in_a_token() {
    const PIN: &str = "1234-pin-canary";
    const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
    let Some(mut case) = Case::new() else { return };
    if !tools::have(&["softhsm2-util"]) || !std::path::Path::new(MODULE).is_file() {
        return;
    }
    let folder = case.root().join("tokens");
    fs::create_dir(&folder).unwrap();
    let settings = case.root().join("softhsm.conf");
    fs::write(
        &settings,
        format!("directories.tokendir = {}\n", folder.display()),
    )
    .unwrap();
    let settings = settings.to_str().unwrap().to_owned();
    let softhsm = |words: &str| {
        let mut command = Command::new("softhsm2-util");
        command
            .args(words.split(' '))
            .env("SOFTHSM2_CONF", &settings);
        tools::run(&mut command).unwrap();
    };
    let leaf = case.pki.identity("leaf");
    softhsm(&format!(
        "--init-token --free --label T --pin {PIN} --so-pin 12345678"
    ));
    let key = leaf.key.display();
    softhsm(&format!(
        "--import {key} --token T --label O --id 01 --pin {PIN}"
    ));
    case.variables.push(("SOFTHSM2_CONF", settings.clone()));
    let mut token = Pkcs11 {
        module: MODULE.into(),
        key: "pkcs11:token=T;object=O;type=private".to_owned(),
        certificate: leaf.chain,
        pin_env: "PKCS11_PIN".to_owned(),
    };
    case.config.sign.windows.identity = WindowsIdentity::Pkcs11(token.clone());
    assert!(
        case.signer_with(&[], Wish::default()).unwrap().is_none(),
        "no PIN, no publisher"
    );
    let check = |case: &Case, pin: &str, expected: Expect| {
        let variables = [("PKCS11_PIN", pin)];
        let signer = case.signer_with(&variables, PUBLISHER).unwrap().unwrap();
        let before = case.server.requests().unwrap();
        let said = case.sign(&signer, &case.pe("app.exe"));
        expected.assert_eq(&said);
        if !said.starts_with("signed") {
            assert_eq!(case.server.requests().unwrap(), before);
        }
        assert_eq!(case.count("sign"), 1);
    };
    check(
        &case,
        PIN,
        expect![[r#"
            signed by Practice Publisher, time by Practice Timestamps
        "#]],
    );
    check(
        &case,
        "0000-wrong",
        expect![[r#"
            error: signature on app.exe could not be made: the PIN is wrong; a token locks itself after a few wrong ones: `osslsigncode` failed: exit status: 255
            hint: the PIN comes from PKCS11_PIN; `pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --login --list-objects` lists the keys
        "#]],
    );
    token.key = "pkcs11:token=Other;object=O;type=private".to_owned();
    case.config.sign.windows.identity = WindowsIdentity::Pkcs11(token.clone());
    check(
        &case,
        PIN,
        expect![[r#"
            error: signature on app.exe could not be made: there is no token of that name: `osslsigncode` failed: exit status: 255
            hint: the PIN comes from PKCS11_PIN; `pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --login --list-objects` lists the keys
        "#]],
    );
}

#[test]
fn a_command_of_ones_own() {
    let Some(mut case) = Case::new() else { return };
    let leaf = case.pki.identity("leaf");
    let tsa = case.pki.identity("tsa");
    let check = |case: &mut Case, script: &str, expected: Expect| {
        let script = script
            .replace(
                "SIGN",
                "osslsigncode sign -h sha256 -certs CHAIN -key KEY -in \"$1\" -out \"$1.s\"",
            )
            .replace("CHAIN", &leaf.chain.display().to_string())
            .replace("KEY", &leaf.key.display().to_string())
            .replace(
                "TSA",
                &format!(
                    "-TSA-certs {} -TSA-key {}",
                    tsa.chain.display(),
                    tsa.key.display()
                ),
            );
        let words = ["sh", "-c", &script, "signer", "%1"].map(str::to_owned);
        case.config.sign.windows.identity = WindowsIdentity::Command(words.into());
        assert!(
            case.signer_with(&[], Wish::default()).unwrap().is_none(),
            "no publisher"
        );
        let signer = case.signer_with(&[], PUBLISHER).unwrap().unwrap();
        let file = case.pe("app.exe");
        let before = fs::read(&file).unwrap();
        let said = case.sign(&signer, &file);
        let hint = said
            .find("\nhint: `sign.windows.command`")
            .map_or(said.len(), |it| it + 1);
        expected.assert_eq(&said[..hint]);
        let is_signed = said.contains("signed by");
        assert_eq!(
            fs::read(&file).unwrap() != before,
            is_signed,
            "as it was, or signed"
        );
    };
    check(
        &mut case,
        "SIGN TSA && mv \"$1.s\" \"$1\"",
        expect![[r#"
            signed by Practice Publisher, time by Practice Timestamps
        "#]],
    );
    check(
        &mut case,
        "SIGN && mv \"$1.s\" \"$1\"",
        expect![[r#"
            error: signature on app.exe could not be made: it carries no timestamp
        "#]],
    );
    check(
        &mut case,
        "true",
        expect![[r#"
            error: signature on app.exe could not be made: it carries no signature
        "#]],
    );
    check(
        &mut case,
        "echo the service is closed; exit 7",
        expect![[r#"
            error: signature on app.exe could not be made: sh: the service is closed
        "#]],
    );
    // A service may have a bad day, too.
    let flag = case.root().join("flag");
    let script = format!(
        "test -e {0} || {{ touch {0}; echo 503 Service Unavailable >&2; exit 1; }}; \
         SIGN TSA && mv \"$1.s\" \"$1\"",
        flag.display()
    );
    check(
        &mut case,
        &script,
        expect![[r#"
            signature on app.exe: sh: it is not available
            signed by Practice Publisher, time by Practice Timestamps
        "#]],
    );
    case.config.sign.windows.timestamp = Timestamping::None;
    check(
        &mut case,
        "SIGN && mv \"$1.s\" \"$1\"",
        expect![[r#"
            signed by Practice Publisher, no timestamp
        "#]],
    );
}

/// Which certificate a service uses shows with the first file; all others must have the same.
#[test]
fn a_command_that_signs_in_two_names() {
    let Some(mut case) = Case::new() else { return };
    let (leaf, ec) = (case.pki.identity("leaf"), case.pki.identity("ec"));
    let script = format!(
        "case $1 in *first.exe) set -- \"$1\" {} {};; *) set -- \"$1\" {} {};; esac; \
         osslsigncode sign -h sha256 -certs $2 -key $3 -in \"$1\" -out \"$1.s\" \
         && mv \"$1.s\" \"$1\"",
        leaf.chain.display(),
        leaf.key.display(),
        ec.chain.display(),
        ec.key.display()
    );
    let words = ["sh", "-c", &script, "signer", "%1"].map(str::to_owned);
    case.config.sign.windows.identity = WindowsIdentity::Command(words.into());
    case.config.sign.windows.timestamp = Timestamping::None;
    let signer = case.signer_with(&[], PUBLISHER).unwrap().unwrap();
    let first = case.sign(&signer, &case.pe("first.exe"));
    assert_eq!(first, "signed by Practice Publisher, no timestamp\n");
    let second = case.sign(&signer, &case.pe("second.exe"));
    let expected = "error: signature on second.exe could not be made: it is signed by another \
        certificate, Practice Publisher EC (";
    assert!(second.starts_with(expected), "{second}");
}

#[test]
fn signtool_is_not_here() {
    let Some(mut case) = Case::new() else { return };
    if tools::find("signtool").is_some() || std::env::var_os("SIGNTOOL_PATH").is_some() {
        return;
    }
    let azure = Azure {
        dlib: "Azure.CodeSigning.Dlib.dll".into(),
        metadata: "metadata.json".into(),
    };
    let store = WindowsIdentity::Store("0".repeat(40));
    for identity in [store, WindowsIdentity::Azure(azure)] {
        case.config.sign.windows.identity = identity;
        let error = case
            .signer_with(&[], PUBLISHER)
            .err()
            .map(|it| format!("{it:#}"));
        let expected = "signtool is neither on PATH nor in a Windows SDK that is installed\nhint: ";
        assert!(
            error.as_ref().is_some_and(|it| it.starts_with(expected)),
            "{error:?}"
        );
    }
}
