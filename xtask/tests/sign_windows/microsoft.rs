//! signtool's part, played by a stand-in that keeps to the documented arguments and exit codes. Where
//! it is, a variable says: so each test starts itself again with that variable.

use std::{path::Path, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{self, Azure, WindowsIdentity, WindowsTool},
    sign::windows::Wish,
};
use xtask_practice::{
    pki::PASSWORD,
    stand_ins::{BadDay, Servers, StandIns},
    timestamps::{Behaviour, Trouble},
    tools,
};
use xtask_signed::Certificate;

use super::case::Case;

const PUBLISHER: Wish = Wish {
    publisher: true,
    allow_secret_in_args: false,
};

/// Runs the ignored test of this name with a signtool that has these bad days. Gives how the stand-in
/// was called, without the file.
fn with_signtool(name: &str, days: &[BadDay]) -> Option<String> {
    let (calls, violations) = called(name, days)?;
    assert_eq!(violations, [""; 0]);
    Some(calls)
}

/// The same, with what the stand-in objects to.
fn called(name: &str, days: &[BadDay]) -> Option<(String, Vec<String>)> {
    let case = Case::new()?;
    let stand_ins = StandIns::new(&case.pki, Servers::default()).unwrap();
    stand_ins.bad_days("signtool", days).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--ignored", "--exact", "--nocapture", "--test-threads=1"]);
    again.arg(format!("microsoft::{name}"));
    again.env("SIGNTOOL_PATH", stand_ins.bin().join("signtool"));
    let said = tools::run(&mut again).unwrap();
    assert!(said.contains("1 passed"), "{said}");
    let calls = stand_ins.calls().unwrap();
    let shown = calls.iter().map(|it| {
        let words: Vec<_> = it.arguments.iter().map(|it| shown(&case, it)).collect();
        words.join(" ") + "\n"
    });
    Some((shown.collect(), stand_ins.violations()))
}

/// Without what differs each time.
fn shown(case: &Case, word: &str) -> String {
    if word.starts_with("http://") {
        return "[SERVER]".to_owned();
    }
    let thumbprint = leaf(case).thumbprint();
    let word = word.to_lowercase().replace(&thumbprint, "[THUMBPRINT]");
    match Path::new(&word).file_name() {
        Some(name) if word.contains("/target/") || word.contains("small-") => {
            format!("…/{}", name.to_string_lossy())
        }
        _ => word,
    }
}

fn leaf(case: &Case) -> Certificate {
    let all = Certificate::read_all(&case.pki.identity("leaf").certificate).unwrap();
    all.into_iter().next().unwrap()
}

fn check(case: &Case, expected: Expect) {
    let signer = case.signer_with(&[], PUBLISHER).unwrap().unwrap();
    let said = case.sign(&signer, &case.pe("app.exe"));
    let said = said.replace(&leaf(case).thumbprint(), "[THUMBPRINT]");
    let signtool = std::env::var("SIGNTOOL_PATH").unwrap();
    expected.assert_eq(&said.replace(&signtool, "signtool"));
    case.is_clean(signer);
}

#[test]
fn slow_a_certificate_of_the_store_signs_by_its_thumbprint() {
    let Some(calls) = with_signtool("store", &[]) else {
        return;
    };
    expect![[r#"
        sign /fd sha256 /sha1 [THUMBPRINT] /d small …/app.exe
        verify /pa /all …/app.exe
        timestamp /tr [SERVER] /td sha256 …/app.exe
        timestamp /tr [SERVER] /td sha256 …/app.exe
        verify /pa /all …/app.exe
        verify /pa /all …/library.dll
        verify /pa /all …/library.dll
        verify /pa /all …/doubted.dll
        sign /fd sha256 /sha1 [THUMBPRINT] /d small …/doubted.dll
        verify /pa /all …/doubted.dll
        timestamp /tr [SERVER] /td sha256 …/doubted.dll
        verify /pa /all …/doubted.dll
        sign /fd sha256 /sha1 0000000000000000000000000000000000000000 /d small …/app.exe
    "#]]
    .assert_eq(&calls);
}

#[test]
#[ignore = "started by the test above"]
fn store() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint().to_uppercase();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    case.server
        .set(&Behaviour::failing(Trouble::Unavailable, 1))
        .unwrap();
    check(
        &case,
        expect![[r#"
            timestamp on app.exe: [SERVER]: it cannot be reached, or answers wrongly
            signed by Practice Publisher, time by Practice Timestamps
        "#]],
    );
    let signer = case.signer_with(&[], PUBLISHER).unwrap().unwrap();
    let again = case.sign(&signer, &case.root().join("app.exe"));
    assert_eq!(again, "is signed by Practice Publisher already\n");
    // What Microsoft's tool does not believe is not left alone, whatever its bytes say.
    let theirs = super::files::signed_by(&case, "other", &[]);
    let kept = "keeps the signature of Practice Other Publisher\n";
    assert_eq!(case.sign(&signer, &theirs), kept);
    // What Windows still takes is left alone, too, whatever this program thinks of it.
    let why = |file: &Path| signer.intent(file).unwrap().why;
    expect!["it carries a valid signature of Practice Other Publisher, unless signtool objects"]
        .assert_eq(&why(&theirs));
    let weak = super::files::signed_by(&case, "other", &["-h", "sha1"]);
    expect!["its signature is replaced: that of Practice Other Publisher is not valid: it is made with SHA-1, which counts no more, unless signtool accepts it"]
        .assert_eq(&why(&weak));
    assert_eq!(case.sign(&signer, &weak), kept);
    expect![[r#"
        doubted.dll: the signature in it was replaced: that of Practice Other Publisher is not valid: SignTool Error: WinVerifyTrust returned error: 0x80096010 The digital signature of the object did not verify.
        signed by Practice Publisher, time by Practice Timestamps
    "#]].assert_eq(&case.sign(&signer, &super::files::of_another_root(&case)));
    drop(signer);
    case.config.sign.windows.identity = WindowsIdentity::Store("0".repeat(40));
    check(
        &case,
        expect![[r#"
            error: signature on app.exe could not be made: there is no such certificate with a private key in the store: `signtool` failed: exit status: 1
            hint: the certificate 0000000000000000000000000000000000000000 must be in the user's store, with its private key: `certutil -user -store My`
        "#]],
    );
}

#[test]
fn slow_azure_signs_by_its_library() {
    let days = [BadDay::fails(
        1,
        "Unhandled exception: 503 (Service Unavailable)",
    )];
    let Some(calls) = with_signtool("azure", &days) else {
        return;
    };
    expect![[r#"
        sign /fd sha256 /dlib …/azure.codesigning.dlib.dll /dmdf …/metadata.json /d small …/app.exe
        sign /fd sha256 /dlib …/azure.codesigning.dlib.dll /dmdf …/metadata.json /d small …/app.exe
        verify /pa /all …/app.exe
        timestamp /tr [SERVER] /td sha256 …/app.exe
        verify /pa /all …/app.exe
        sign /fd sha256 /dlib …/azure.codesigning.dlib.dll /dmdf …/metadata.json /d small …/other.exe
        verify /pa /all …/other.exe
        timestamp /tr [SERVER] /td sha256 …/other.exe
        verify /pa /all …/other.exe
    "#]]
    .assert_eq(&calls);
}

#[test]
#[ignore = "started by the test above"]
fn azure() {
    let mut case = Case::new().unwrap();
    let (dlib, metadata) = (
        case.root().join("Azure.CodeSigning.Dlib.dll"),
        case.root().join("metadata.json"),
    );
    fs::write(&dlib, "library").unwrap();
    let account =
        r#"{"Endpoint": "e", "CodeSigningAccountName": "a", "CertificateProfileName": "p"}"#;
    fs::write(&metadata, account).unwrap();
    case.config.sign.windows.identity = WindowsIdentity::Azure(Azure { dlib, metadata });
    // Its library reads the secret from the environment, which no other process gets.
    let variables = [("AZURE_CLIENT_SECRET", "azure-canary")];
    let signer = case.signer_with(&variables, PUBLISHER).unwrap().unwrap();
    expect![[r#"
        signature on app.exe: signtool: it is not available
        signed by Practice Publisher, time by Practice Timestamps
    "#]]
    .assert_eq(&case.sign(&signer, &case.pe("app.exe")));
    drop(signer);
    // The next run has another certificate, as every few days.
    let signer = case.signer_with(&variables, PUBLISHER).unwrap().unwrap();
    let again = case.sign(&signer, &case.root().join("app.exe"));
    assert_eq!(again, "is signed by Practice Publisher already\n");
    let day = |name: &str| case.read(&case.root().join(name))[0].fingerprint.clone();
    let other = case.sign(&signer, &case.pe("other.exe"));
    let expected = "signed by Practice Publisher, time by Practice Timestamps\n";
    assert_eq!(other, expected);
    assert_ne!(day("app.exe"), day("other.exe"));
}

#[test]
fn a_tool_that_only_claims_to_have_signed() {
    let days = [BadDay::lies("Successfully signed: app.exe")];
    if let Some(calls) = with_signtool("liar", &days) {
        assert_eq!(calls.lines().count(), 1, "{calls}");
    }
}

#[test]
#[ignore = "started by the test above"]
fn liar() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    check(
        &case,
        expect![[r#"
            error: signature on app.exe could not be made: it carries no signature
            hint: the certificate [THUMBPRINT] must be in the user's store, with its private key: `certutil -user -store My`
        "#]],
    );
}

/// What is wrong is told, not the count that signtool ends with; and the timestamp's server is blamed
/// only for what it made.
#[test]
fn slow_what_signtool_objects_to() {
    let fine = BadDay::grumbles("");
    let objects = BadDay::fails(
        1,
        "SignTool Error: WinVerifyTrust returned error: 0x800B0101\n\nNumber of errors: 1",
    );
    let untrusted = BadDay::fails(
        1,
        "SignTool Error: A certificate chain processed, but terminated in a root\n\
         \tcertificate which is not trusted by the trust provider.\n\nNumber of errors: 1",
    );
    with_signtool(
        "a_root_that_windows_does_not_trust",
        &[fine.clone(), untrusted],
    );
    with_signtool(
        "objection_to_the_signature",
        &[fine.clone(), objects.clone()],
    );
    let (sign, verify, timestamp) = (fine.clone(), fine.clone(), fine);
    with_signtool(
        "objection_to_the_timestamp",
        &[sign, verify, timestamp, objects],
    );
}

/// A virus scanner or an index looks into each new file, for a moment.
#[test]
fn slow_a_file_that_another_program_has_open() {
    let held = BadDay::fails(
        1,
        "SignTool Error: The process cannot access the file because it is being used by another \
         process. (0x80070020)",
    );
    let fine = BadDay::grumbles("");
    with_signtool(
        "held",
        &[held.clone(), fine.clone(), held.clone(), fine, held],
    );
}

#[test]
#[ignore = "started by the test above"]
fn held() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    check(
        &case,
        expect![[r#"
        signature on app.exe: signtool: another program has the file open
        timestamp on app.exe: [SERVER]: another program has the file open
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
}

/// A server's own certificate, its refusal to answer us: of that another server knows nothing.
#[test]
fn slow_what_fails_at_one_server_is_tried_at_the_next() {
    let fine = BadDay::grumbles("");
    let expired = BadDay::fails(1, "SignTool Error: The server's certificate has expired.");
    let denied = BadDay::fails(1, "SignTool Error: Access is denied.");
    with_signtool(
        "a_server_that_denies",
        &[fine.clone(), fine, expired, denied],
    );
}

#[test]
#[ignore = "started by the test above"]
fn a_server_that_denies() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    let servers = &mut case.config.sign.windows.timestamp_servers;
    *servers = vec![servers[0].clone(); 3];
    check(
        &case,
        expect![[r#"
        timestamp on app.exe: [SERVER]: the certificate has expired
        timestamp on app.exe: [SERVER]: access is denied
        signed by Practice Publisher, time by Practice Timestamps
    "#]],
    );
}

#[test]
#[ignore = "started by the test above"]
fn objection_to_the_signature() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    check(
        &case,
        expect![[r#"
        error: signature on app.exe could not be made: signtool does not accept the certificate: SignTool Error: WinVerifyTrust returned error: 0x800B0101
        hint: Windows must trust the authority that issued it: `certutil -user -addstore Root ROOT.cer` for one of your own
        hint: the certificate [THUMBPRINT] must be in the user's store, with its private key: `certutil -user -store My`
    "#]],
    );
}

#[test]
#[ignore = "started by the test above"]
fn a_root_that_windows_does_not_trust() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    check(
        &case,
        expect![[r#"
        error: signature on app.exe could not be made: signtool does not accept the certificate: SignTool Error: A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider.
        hint: Windows must trust the authority that issued it: `certutil -user -addstore Root ROOT.cer` for one of your own
        hint: the certificate [THUMBPRINT] must be in the user's store, with its private key: `certutil -user -store My`
    "#]],
    );
}

#[test]
#[ignore = "started by the test above"]
fn objection_to_the_timestamp() {
    let mut case = Case::new().unwrap();
    let thumbprint = leaf(&case).thumbprint();
    case.config.sign.windows.identity = WindowsIdentity::Store(thumbprint);
    check(
        &case,
        expect![[r#"
            timestamp on app.exe: [SERVER]: signtool does not accept it: SignTool Error: WinVerifyTrust returned error: 0x800B0101
            error: no timestamp, and a signature without one ends with its certificate
            hint: run the same command again later, name other servers in `sign.windows.timestamp-servers`, raise `sign.windows.patience`, or accept it with `timestamp = "none"`: timestamp on app.exe failed:
              [SERVER]: signtool does not accept it: SignTool Error: WinVerifyTrust returned error: 0x800B0101
        "#]],
    );
}

#[test]
fn a_password_is_no_argument() {
    if let Some(calls) = with_signtool("password", &[]) {
        assert_eq!(calls, "");
    }
}

#[test]
#[ignore = "started by the test above"]
fn password() {
    let mut case = Case::new().unwrap();
    case.config.sign.windows.tool = WindowsTool::Signtool;
    let p12 = case.pki.identity("leaf").p12;
    let variables = [
        ("WIN_CSC_LINK", p12.to_str().unwrap()),
        ("WIN_CSC_KEY_PASSWORD", PASSWORD),
    ];
    let error = case.signer_with(&variables, PUBLISHER).err().unwrap();
    expect![[r#"
        signtool takes the password of a .pfx file only as an argument, which everybody on this machine can read
        hint: import the file into the store once (certutil -user -importpfx FILE) and name it by `sign.windows.thumbprint`, say `sign.windows.tool = "osslsigncode"`, or accept it with --allow-secret-in-args"#]]
    .assert_eq(&error.to_string());
    // Whoever accepts it, gets it.
    let accepted = Wish {
        allow_secret_in_args: true,
        ..PUBLISHER
    };
    assert!(case.signer_with(&variables, accepted).unwrap().is_some());
}

/// The uninstaller of an NSIS installer can be signed by nobody else.
#[test]
fn a_password_that_may_be_an_argument_may_be_one_for_the_bundler_too() {
    if let Some((calls, violations)) = called("password_for_the_bundler", &[]) {
        assert!(calls.contains(" /p "), "{calls}");
        assert!(!violations.is_empty(), "the stand-in sees it");
    }
}

#[test]
#[ignore = "started by the test above"]
fn password_for_the_bundler() {
    let mut case = Case::new().unwrap();
    case.configure("[sign.windows]\ntool = \"signtool\"\ntimestamp = \"none\"\n");
    case.config = config::load(case.root(), None).unwrap();
    let p12 = case.pki.identity("leaf").p12_with_chain;
    let variables = [
        ("WIN_CSC_LINK", p12.to_str().unwrap()),
        ("WIN_CSC_KEY_PASSWORD", PASSWORD),
    ];
    let accepted = Wish {
        allow_secret_in_args: true,
        ..PUBLISHER
    };
    let signer = case.signer_with(&variables, accepted).unwrap().unwrap();
    let signer = signer.with_program(env!("CARGO_BIN_EXE_xtask").into());
    let target = "x86_64-pc-windows-msvc".parse().unwrap();
    let call = signer.call_for_bundler(&case.config, &target, case.root());
    let (call, file) = (call.unwrap(), case.pe("uninstall.exe"));
    let mut command = Command::new(&call.program);
    let words = call
        .args
        .iter()
        .map(|it| it.replace("%1", file.to_str().unwrap()));
    command.args(words).envs(call.env).current_dir(case.root());
    tools::run(&mut command).unwrap();
    let signed = &case.read(&file)[0];
    assert_eq!(signed.signer.as_deref(), Some("Practice Publisher"));
}
