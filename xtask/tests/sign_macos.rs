//! Signing for macOS: with the real rcodesign, and with stand-ins for codesign and security that sign
//! with it.
#![cfg(target_os = "linux")]

#[path = "support/frozen.rs"]
mod frozen;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/mac.rs"]
mod mac;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

#[path = "support/pipeline.rs"]
mod session;

#[path = "sign_macos/entitled.rs"]
mod entitled;
#[path = "sign_macos/leftovers.rs"]
mod leftovers;
#[path = "sign_macos/pipeline.rs"]
mod pipeline;
#[path = "sign_macos/whole.rs"]
mod whole;

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use fs_err as fs;
use mac::Mac;
use xtask_practice::{
    pki::PASSWORD,
    stand_ins::BadDay,
    timestamps::{Behaviour, Trouble},
};
use xtask_signed::apple::{Seals, macho};

/// What is wrong with a good signature.
const NO_PROBLEMS: [String; 0] = [];
const LIBRARY_VALIDATION: &[u8] = b"com.apple.security.cs.disable-library-validation";

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|it| it == part)
}

/// All code below a folder, in the order of its paths.
fn code(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                found.extend(bytes.starts_with(b"\xcf\xfa\xed\xfe").then(|| entry.path()));
            }
        }
    }
    found.sort();
    found
}

/// What is said of each file of code in the app: who signed it, whether hardened, with a timestamp,
/// whether it may load what others signed.
fn check_code(mac: &Mac, app: &Path) {
    let mut text = String::new();
    let mains = ["MacOS/Practice", "Versions/A/Kit"];
    for file in code(app) {
        let bytes = fs::read(&file).unwrap();
        let info = |it: &str| fs::read(app.join("Contents").join(it)).ok();
        let is = |it: &str| file.to_str().unwrap().ends_with(it);
        let kit = "Frameworks/Kit.framework/Versions/A";
        let (plist, resources) = match () {
            () if is(mains[0]) => (info("Info.plist"), info("_CodeSignature/CodeResources")),
            () if is(mains[1]) => (
                info(&format!("{kit}/Resources/Info.plist")),
                info(&format!("{kit}/_CodeSignature/CodeResources")),
            ),
            () => (None, None),
        };
        let seals = Seals {
            info: plist.as_deref(),
            resources: resources.as_deref(),
            ..Seals::default()
        };
        for it in macho::inspect(&bytes, seals, &mac.trust()).unwrap() {
            let signed = it.signed;
            text += &format!(
                "{}: {} by {}{}{}{}\n",
                file.strip_prefix(app).unwrap().display(),
                it.identifier,
                signed.signer.unwrap_or_default(),
                if signed.hardened_runtime == Some(true) {
                    ", hardened"
                } else {
                    ""
                },
                if signed.timestamp.is_some() {
                    ", timestamp"
                } else {
                    ""
                },
                if holds(&bytes, LIBRARY_VALIDATION) {
                    ", loads others'"
                } else {
                    ""
                },
            );
            assert_eq!(signed.problems, NO_PROBLEMS, "{}", file.display());
        }
    }
    assert_eq!(text, ALL);
    assert_eq!(mac.signature(app).problems, NO_PROBLEMS);
}

#[test]
fn nobody_signs_what_a_run_works_on() {
    let Some(mac) = Mac::new() else { return };
    fs::write(mac.project.root.join("tool"), macho_file()).unwrap();
    let state = mac.project.root.join("target/dist/linux");
    let held = xtask::engine::lock::Lock::take(&state, "the other").unwrap();
    let said = mac.said("sign tool");
    let words = "error: another run works on ";
    assert!(
        said.contains(words) && said.contains("`the other`"),
        "{said}"
    );
    drop(held);
    mac.project.succeed("sign tool");
}

/// As PyInstaller leaves it once its links are lost.
fn lose_links(app: &Path) {
    let framework = app.join("Contents/Frameworks/Kit.framework");
    for name in ["Kit", "Resources", "Versions/Current"] {
        fs::remove_file(framework.join(name)).unwrap();
    }
    fs::copy(framework.join("Versions/A/Kit"), framework.join("Kit")).unwrap();
}

/// All code in the app once it is signed.
const ALL: &str = "\
Contents/Frameworks/Kit.framework/Versions/A/Kit: org.example.Kit by Practice Publisher, hardened, timestamp
Contents/MacOS/Practice: org.example.Practice by Practice Publisher, hardened, timestamp
Contents/MacOS/helper: helper by Practice Publisher, hardened, timestamp
Contents/Resources/sidecars/tool/module.so: module by Practice Publisher, hardened, timestamp
Contents/Resources/sidecars/tool/tool: tool by Practice Publisher, hardened, timestamp
";

#[test]
fn an_app_is_signed_inside_out() {
    let Some(mac) = Mac::new() else { return };
    let app = mac.app();
    lose_links(&app);
    let said = mac.said("sign Practice.app");
    assert!(said.ends_with("exit 0\n"), "{said}");
    let notes = said.lines().filter(|it| it.starts_with("note"));
    let signed = said.lines().filter(|it| it.contains("rcodesign sign"));
    let signed = signed.filter_map(|it| it.rsplit(' ').next());
    let order: Vec<_> = signed.chain(notes).collect();
    expect![[r#"
        Practice.app/Contents/Frameworks/Kit.framework/Versions/A
        Practice.app/Contents/Resources/sidecars/tool/module.so
        Practice.app/Contents/Resources/sidecars/tool/tool
        Practice.app/Contents/MacOS/helper
        Practice.app
        note: link Contents/Frameworks/Kit.framework/Kit: made anew, to Versions/Current/Kit
        note: link Contents/Frameworks/Kit.framework/Resources: made anew, to Versions/Current/Resources
        note: link Contents/Frameworks/Kit.framework/Versions/Current: made anew, to A
        note: Practice.app: signed by Practice Publisher, 5 signatures
    "#]].assert_eq(&(order.join("\n") + "\n"));
    check_code(&mac, &app);
    assert_eq!(mac.server.requests().unwrap(), 5, "each is signed once");
    let link = fs::read_link(app.join("Contents/Frameworks/Kit.framework/Kit")).unwrap();
    assert_eq!(link, Path::new("Versions/Current/Kit"));
    // A second time it is the same, with a new time.
    mac.project.succeed("sign Practice.app");
    check_code(&mac, &app);
}

#[test]
fn a_sidecar_in_one_file_may_load_what_others_signed() {
    let Some(mac) = Mac::new() else { return };
    mac.project.write("sidecars/helper/__main__.py", "");
    mac.project.write("sidecars/helper/requirements.txt", "");
    let external = "\"externalBin\": [\"binaries/helper\"],\n    \"icon\"";
    mac.project
        .replace("src-tauri/tauri.conf.json", "\"icon\"", external);
    mac.project.configure("[[sidecar]]\nname = \"helper\"");
    let app = mac.app();
    let said = mac.said("sign Practice.app");
    assert!(
        said.contains("a sidecar in one file unpacks its libraries when it starts"),
        "{said}"
    );
    let helper = fs::read(app.join("Contents/MacOS/helper")).unwrap();
    assert!(holds(&helper, LIBRARY_VALIDATION));
    // What the configuration says of a file counts, and that of before is not kept.
    mac.project.write(
        "helper.plist",
        "<plist version=\"1.0\"><dict><key>com.apple.security.cs.allow-jit</key><true/></dict></plist>",
    );
    mac.project.configure(
        "[[sign.macos.file]]\npath = \"Contents/MacOS/helper\"\nentitlements = \"helper.plist\"",
    );
    let said = mac.said("sign Practice.app");
    assert!(!said.contains("unpacks"), "{said}");
    let helper = fs::read(app.join("Contents/MacOS/helper")).unwrap();
    assert!(holds(&helper, b"allow-jit") && !holds(&helper, LIBRARY_VALIDATION));
}

#[test]
fn entitlements_of_an_older_signature_are_gone() {
    let Some(mac) = Mac::new() else { return };
    let app = mac.app();
    mac.project.write(
        "app.plist",
        "<plist version=\"1.0\"><dict><key>com.apple.security.cs.allow-jit</key><true/></dict></plist>",
    );
    let with = "[sign.macos]\nentitlements = \"app.plist\"";
    mac.project
        .replace("packaging/dist.toml", "[sign.macos]", with);
    mac.project.succeed("sign Practice.app");
    let main = app.join("Contents/MacOS/Practice");
    assert!(holds(&fs::read(&main).unwrap(), b"allow-jit"));
    mac.project
        .replace("packaging/dist.toml", with, "[sign.macos]");
    mac.project.succeed("sign Practice.app");
    assert!(!holds(&fs::read(&main).unwrap(), b"allow-jit"));
}

#[test]
fn a_disk_image_is_signed() {
    let Some(mac) = Mac::new() else { return };
    let image = mac.signed_image();
    let signed = mac.signature(&image);
    assert_eq!(signed.problems, NO_PROBLEMS);
    assert_eq!(signed.signer.as_deref(), Some("Practice Publisher"));
    assert!(signed.timestamp.is_some());
}

#[test]
fn certificates_that_rcodesign_trips_over() {
    let Some(mut mac) = Mac::new() else { return };
    fs::write(mac.project.root.join("lib.dylib"), macho_file()).unwrap();
    let leaf = mac.pki.identity("leaf");
    for p12 in [
        leaf.p12,
        leaf.p12_with_chain,
        leaf.p12_modern,
        mac.pki.identity("ec").p12,
    ] {
        mac.use_certificate(&p12, PASSWORD);
        let said = mac.said("sign lib.dylib");
        assert!(
            said.contains("signed by Practice Publisher"),
            "{}: {said}",
            p12.display()
        );
        assert!(said.ends_with("exit 0\n"), "{said}");
    }
    let check = |mac: &mut Mac, name: &str, password: &str, expected: Expect| {
        let p12 = mac.pki.identity(name).p12;
        mac.use_certificate(&p12, password);
        let before = fs::read(mac.project.root.join("lib.dylib")).unwrap();
        let said = mac.said("sign lib.dylib");
        let errors: Vec<_> = said
            .lines()
            .skip_while(|it| !it.starts_with("error"))
            .collect();
        expected.assert_eq(&(errors.join("\n") + "\n"));
        (
            before,
            fs::read(mac.project.root.join("lib.dylib")).unwrap(),
        )
    };
    let (before, after) = check(
        &mut mac,
        "leaf",
        "wrong",
        expect![[r#"
        error: the password does not fit the certificate in APPLE_CERTIFICATE
          hint: the certificate comes from APPLE_CERTIFICATE, its password from APPLE_CERTIFICATE_PASSWORD
        exit 1
    "#]],
    );
    assert!(before == after);
    check(
        &mut mac,
        "server",
        PASSWORD,
        expect![[r#"
        error: APPLE_CERTIFICATE
          cause: it holds no certificate for code signing
          hint: it takes one of the kind `Developer ID Application`
        exit 1
    "#]],
    );
    check(
        &mut mac,
        "expired",
        PASSWORD,
        expect![[r#"
        error: the certificate of Practice Expired in APPLE_CERTIFICATE expired at [NOW]
          hint: make a new one in your Apple Developer account; what was signed with a timestamp stays valid
        exit 1
    "#]],
    );
    check(
        &mut mac,
        "stranger",
        PASSWORD,
        expect![[r#"
        error: lib.dylib was signed, but not as it should be: Practice Stranger leads to no certificate that is trusted
        exit 1
    "#]],
    );
}

fn macho_file() -> Vec<u8> {
    xtask_practice::specimens::macho(xtask_practice::specimens::Kind::Library, 1)
}

#[test]
fn a_timestamp_server_with_a_bad_day() {
    let Some(mac) = Mac::new() else { return };
    fs::write(mac.project.root.join("lib.dylib"), macho_file()).unwrap();
    mac.server
        .set(&Behaviour::failing(Trouble::Unavailable, 1))
        .unwrap();
    let said = mac.said("sign lib.dylib");
    assert!(
        said.contains("the timestamp server failed; it is asked again in"),
        "{said}"
    );
    assert!(said.ends_with("exit 0\n"), "{said}");
    mac.server.set(&Behaviour::wrong_usage()).unwrap();
    let said = mac.said("sign lib.dylib");
    assert!(said.ends_with("exit 1\n"), "{said}");
    // Without one only if that is what the configuration says.
    let none = "[sign.macos]\ntimestamp = \"none\"";
    mac.project
        .replace("packaging/dist.toml", "[sign.macos]", none);
    mac.project.succeed("sign lib.dylib");
}

#[test]
fn slow_codesign_signs_from_a_keychain_of_its_own() {
    let Some(mac) = Mac::new() else { return };
    let mut mac = mac.with_apples_tools();
    let app = mac.app();
    lose_links(&app);
    let search_list = mac.stand_ins.folder().join("search-list.json");
    fs::write(
        &search_list,
        "[\"/Users/a/Library/Keychains/login.keychain-db\"]",
    )
    .unwrap();
    let said = mac.said("sign Practice.app");
    assert!(said.ends_with("exit 0\n"), "{said}");
    check_code(&mac, &app);
    mac.stand_ins.check().unwrap();
    nothing_is_left(&mac, &search_list);
    // The key's password fits no line of `security`.
    let calls = mac.stand_ins.calls().unwrap();
    let asked: Vec<_> = calls
        .iter()
        .filter_map(|it| it.command.as_deref())
        .collect();
    assert_eq!(
        asked,
        [
            "create-keychain",
            "set-keychain-settings",
            "unlock-keychain",
            "import",
            "set-key-partition-list"
        ]
    );
    let p12 = mac.pki.identity("leaf").p12;
    mac.use_certificate(&p12, "wrong");
    let said = mac.said("sign Practice.app");
    let hint = "hint: the certificate comes from APPLE_CERTIFICATE, its password from \
                APPLE_CERTIFICATE_PASSWORD; is that right?";
    assert!(said.contains(hint), "{said}");
    nothing_is_left(&mac, &search_list);
}

fn nothing_is_left(mac: &Mac, search_list: &Path) {
    let list = fs::read_to_string(search_list).unwrap();
    assert_eq!(list, "[\"/Users/a/Library/Keychains/login.keychain-db\"]");
    let all = walk(&mac.project.root.join("target/dist"));
    let left: Vec<_> = all
        .iter()
        .filter(|it| it.contains("keychain") || it.contains("private/"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path().display().to_string()),
            }
        }
    }
    found
}

#[test]
fn slow_a_killed_run_leaves_no_keychain_for_long() {
    let Some(mac) = Mac::new() else { return };
    let mac = mac.with_apples_tools();
    let app = mac.app();
    let search_list = mac.stand_ins.folder().join("search-list.json");
    fs::write(
        &search_list,
        "[\"/Users/a/Library/Keychains/login.keychain-db\"]",
    )
    .unwrap();
    mac.stand_ins
        .bad_days("codesign", &[BadDay::hangs()])
        .unwrap();
    let mut child = mac.start(mac.project.command("sign Practice.app"));
    let hangs = || {
        let calls = mac.stand_ins.calls().unwrap();
        calls.iter().any(|it| it.tool == "codesign")
    };
    project::wait_for("codesign", hangs);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        fs::read_to_string(&search_list)
            .unwrap()
            .contains("/target/dist/")
    );
    mac.project.succeed("sign Practice.app");
    check_code(&mac, &app);
    nothing_is_left(&mac, &search_list);
    mac.stand_ins.check().unwrap();
}

#[test]
fn slow_codesign_that_claims_success_is_not_believed() {
    let Some(mac) = Mac::new() else { return };
    let mac = mac.with_apples_tools();
    fs::write(mac.project.root.join("lib.dylib"), macho_file()).unwrap();
    let lies = [BadDay::lies(""), BadDay::lies("lib.dylib: valid on disk")];
    mac.stand_ins.bad_days("codesign", &lies).unwrap();
    let said = mac.said("sign lib.dylib");
    assert!(
        said.contains("lib.dylib was signed in vain") && said.ends_with("exit 1\n"),
        "{said}"
    );
}
