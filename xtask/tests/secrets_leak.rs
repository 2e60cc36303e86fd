//! Every way of signing, with secrets that occur nowhere else. While it runs, no process has one among
//! its arguments, and none but the one that needs it in its environment; afterwards none is in anything
//! that was printed or written.
#![cfg(target_os = "linux")]

#[path = "secrets_leak/case.rs"]
mod case;
#[path = "support/gpg.rs"]
mod gpg;
#[path = "secrets_leak/pipeline.rs"]
mod pipeline;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;
#[path = "secrets_leak/watch.rs"]
mod watch;
#[path = "secrets_leak/ways.rs"]
mod ways;

use xtask_practice::{specimens, tools};

use self::{case::Case, project::Project};

/// signtool takes the password of a file only as an argument.
#[test]
fn slow_signtool_gets_no_password() {
    if !tools::have(&["osslsigncode", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new(Project::new());
    let p12 = case.p12_that_all_read();
    case.project.set("WIN_CSC_LINK", p12.to_str().unwrap());
    case.secret("WIN_CSC_KEY_PASSWORD", &case.canary.clone());
    let server = case.server.url();
    case.project.configure(&format!(
        "[sign.windows]\ntool = \"signtool\"\npatience = \"2s\"\n\
         timestamp-servers = [\"{server}\"]\n"
    ));
    case.write("a.exe", &specimens::pe());
    let said = case.fails("sign a.exe");
    assert!(
        said.contains("thumbprint") && said.contains("--allow-secret-in-args"),
        "{said}"
    );
    assert!(case.stand_ins.calls().unwrap().is_empty());
    // Whoever insists has it there, and nowhere else. (The certificate alone, without what vouches for it,
    // is not accepted in the end.)
    let ran = case.run("sign a.exe --allow-secret-in-args --verbose");
    let elsewhere = |it: &&String| !it.contains("/p");
    let elsewhere: Vec<_> = ran.seen.iter().filter(elsewhere).collect();
    assert!(
        !ran.seen.is_empty() && elsewhere.is_empty(),
        "{:#?}",
        ran.seen
    );
}

/// The search itself finds what is there: or else silence would mean nothing.
#[test]
fn slow_a_leak_is_found() {
    if !tools::have(&["openssl", "python3", "node"]) {
        return;
    }
    let mut case = Case::new(Project::new());
    // A command of one's own would be given it.
    let variables = &mut case.project.variables;
    variables.retain(|it| it.0 != "AZURE_CLIENT_SECRET");
    let script = case.own.join("signer.mjs");
    let words = format!("command = [\"node\", \"{}\", \"%1\"]", script.display());
    case.project.configure(&format!("[sign.windows]\n{words}"));
    let secret = serde_json::to_string(&case.canary).unwrap();
    let mut check = |code: &str, expected: &str| {
        let code = code.replace("SECRET", &secret);
        let imports = "import { execFileSync } from 'node:child_process';\n\
            import { writeFileSync } from 'node:fs';\n";
        std::fs::write(&script, format!("{imports}{code}\n")).unwrap();
        case.write("a.exe", &specimens::pe());
        let ran = case.run("sign a.exe");
        assert_eq!(ran.code, 1, "it signs nothing: {}", ran.said);
        let found = ran.seen.iter().any(|it| it.contains(expected));
        assert_eq!(found, !expected.is_empty(), "{code}: {:#?}", ran.seen);
        std::fs::remove_file(case.project.root.join("leak")).ok();
    };
    check("execFileSync('sleep', ['0.1']);", "");
    let arguments = "execFileSync('sh', ['-c', 'sleep 0.1; true', SECRET]);";
    check(arguments, "sleep 0.1; true");
    let environment = "{ env: { ...process.env, X: SECRET } }";
    check(
        &format!("execFileSync('sleep', ['0.1'], {environment});"),
        "environment of sleep",
    );
    for what in [
        "SECRET",
        "encodeURIComponent(SECRET)",
        "JSON.stringify({ x: SECRET })",
        "Buffer.from(SECRET).toString('base64')",
        "Buffer.from('me:' + SECRET).toString('base64')",
        "Buffer.from('you:' + SECRET + '!').toString('base64url')",
        "Buffer.from(SECRET).toString('hex')",
        "Buffer.from(SECRET, 'utf16le')",
    ] {
        check(&format!("writeFileSync('leak', {what});"), "repo/leak");
    }
    check("writeFileSync('../tmp/leak', SECRET);", "tmp/leak");
}
