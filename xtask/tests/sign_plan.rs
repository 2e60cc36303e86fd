//! What would be signed: shown for every system, on any system, without changing anything.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::{Pki, pki::PASSWORD, specimens, tools};

use self::project::{KEY, PASSWORD as KEY_PASSWORD, Project, files_below};

/// What the plan prints, with one space between columns for two and more.
fn check(project: &Project, line: &str, expected: Expect) {
    let before = everything(&project.root);
    let shown = project.run(line).shown();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        arch => arch,
    };
    let shown = shown.replace(&format!("_{arch}.app"), "_[ARCH].app");
    expected.assert_eq(&shown);
    assert_eq!(
        everything(&project.root),
        before,
        "{line} changed something"
    );
}

/// Each file with its content and the time of its last change; but not what is known of programs,
/// which any command may ask.
fn everything(root: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let of = |path: std::path::PathBuf| {
        let metadata = fs::metadata(&path).unwrap();
        let name = path.display().to_string();
        (
            name,
            (fs::read(&path).unwrap(), metadata.modified().unwrap()),
        )
    };
    let mut all: BTreeMap<_, _> = files_below(root).into_iter().map(of).collect();
    all.retain(|name, _| !name.ends_with("/probes.v1.json") && !name.contains("/.git/"));
    all
}

#[test]
fn of_a_release_for_linux() {
    // Nothing is built, nothing is set: not even a development key is made.
    check(
        &Project::new(),
        "sign plan",
        expect![[r#"
            #  step  file  format  action  identity  tool  entitlements  why
            1  sign-code  small  ELF  leave alone  ELF files carry no signature: what packs them is signed
            2  sign-installers  the deb  deb  leave alone  `sign.linux.deb` is not set: the signature lies beside it
            3  sign-installers  the deb  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
            4  sign-installers  the deb  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            5  sign-installers  the rpm  rpm  leave alone  `sign.linux.rpm` is not set: the signature lies beside it
            6  sign-installers  the rpm  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
            7  sign-installers  the rpm  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            8  archive  the archive  minisign  sign  development key, made on this machine  minisign, in process  for people
            9  seal  manifest.json  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
            10  seal  SHA256SUMS  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
            exit code 0
        "#]],
    );
    check(
        &Project::built(),
        "sign plan",
        expect![[r#"
            #  step  file  format  action  identity  tool  entitlements  why
            1  sign-code  small  ELF  leave alone  ELF files carry no signature: what packs them is signed
            2  sign-installers  small_0.1.0_[ARCH].deb  deb  leave alone  `sign.linux.deb` is not set: the signature lies beside it
            3  sign-installers  small_0.1.0_[ARCH].deb  minisign  sign  development key, made on this machine ([KEY])  minisign, in process  for people; it covers the signatures inside
            4  sign-installers  small_0.1.0_[ARCH].deb  tauri-updater  sign  development key, made on this machine ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            5  sign-installers  small-0.1.0-1.[ARCH].rpm  rpm  leave alone  `sign.linux.rpm` is not set: the signature lies beside it
            6  sign-installers  small-0.1.0-1.[ARCH].rpm  minisign  sign  development key, made on this machine ([KEY])  minisign, in process  for people; it covers the signatures inside
            7  sign-installers  small-0.1.0-1.[ARCH].rpm  tauri-updater  sign  development key, made on this machine ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            8  archive  small-0.1.0-[TRIPLE].tar.gz  minisign  sign  development key, made on this machine ([KEY])  minisign, in process  for people
            9  seal  manifest.json  minisign  sign  development key, made on this machine ([KEY])  minisign, in process  it names the hashes of all else
            10  seal  SHA256SUMS  minisign  sign  development key, made on this machine ([KEY])  minisign, in process  it names the hashes of all else
            exit code 0
        "#]],
    );
    let mut project = Project::built();
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.configure(
        "[sign.gpg]\nkey = \"3467213FD25B40F29EDFFF151508F1EF36640D26\"\n\
         [sign.linux]\ndeb = true\nrpm = true\n",
    );
    // It would make a key ring, and start its agent.
    let (tools, started) = (
        project.beside().join("tools"),
        project.beside().join("started"),
    );
    fs::create_dir(&tools).unwrap();
    for tool in ["gpg", "gpg2", "gpgv", "rpmsign"] {
        let script = format!("#!/bin/sh\necho {tool} >> {}\n", started.display());
        fs::write(tools.join(tool), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(tools.join(tool), mode).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    project.set("PATH", format!("{}:{path}", tools.display()));
    // The password is missing: nobody is asked for it.
    let encrypted = project.run("sign plan").shown();
    let note = encrypted.lines().find(|it| it.starts_with("note:"));
    expect!["note: the minisign key was not opened: the key in TAURI_SIGNING_PRIVATE_KEY: the minisign secret key is encrypted: set the variable that `sign.minisign.password-env` names (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)"].assert_eq(note.unwrap_or_default());
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", KEY_PASSWORD);
    expect![[r#"
        #  step  file  format  action  identity  tool  entitlements  why
        1  sign-code  small  ELF  leave alone  ELF files carry no signature: what packs them is signed
        2  sign-installers  small_0.1.0_[ARCH].deb  deb  sign  OpenPGP key ([KEY]…)  gpg  `sign.linux.deb`: package managers check it
        3  sign-installers  small_0.1.0_[ARCH].deb  minisign  sign  release key ([KEY])  minisign, in process  for people; it covers the signatures inside
        4  sign-installers  small_0.1.0_[ARCH].deb  tauri-updater  sign  release key ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
        5  sign-installers  small-0.1.0-1.[ARCH].rpm  rpm  sign  OpenPGP key ([KEY]…)  rpmsign, gpg  `sign.linux.rpm`: package managers check it
        6  sign-installers  small-0.1.0-1.[ARCH].rpm  minisign  sign  release key ([KEY])  minisign, in process  for people; it covers the signatures inside
        7  sign-installers  small-0.1.0-1.[ARCH].rpm  tauri-updater  sign  release key ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
        8  archive  small-0.1.0-[TRIPLE].tar.gz  minisign  sign  release key ([KEY])  minisign, in process  for people
        9  seal  manifest.json  minisign  sign  release key ([KEY])  minisign, in process  it names the hashes of all else
        10  seal  SHA256SUMS  minisign  sign  release key ([KEY])  minisign, in process  it names the hashes of all else
        11  seal  SHA256SUMS  gpg  sign  OpenPGP key ([KEY]…)  gpg  for people without minisign
        exit code 0
    "#]].assert_eq(&project.run("sign plan").shown());
    assert!(
        !started.exists(),
        "{}",
        fs::read_to_string(started).unwrap()
    );
}

#[test]
fn of_a_release_for_windows() {
    if !tools::have(&["osslsigncode", "openssl"]) {
        return;
    }
    let mut project = Project::built();
    project.configure("[bundle.nsis]\nbundler = 'tauri'\n");
    check(
        &project,
        "sign plan --target windows",
        expect![[r#"
        #  step  file  format  action  identity  tool  entitlements  why
        1  sign-code  small.exe  PE  NOT signed  not signed for Windows (Authenticode): no certificate is set
        2  sign-installers  the nsis  PE  NOT signed  not signed for Windows (Authenticode): no certificate is set
        3  sign-installers  the nsis  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
        4  sign-installers  the nsis  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
        5  archive  the archive  minisign  sign  development key, made on this machine  minisign, in process  for people
        6  seal  manifest.json  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
        7  seal  SHA256SUMS  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
        exit code 0
    "#]],
    );
    let pki = Pki::shared().unwrap();
    project.set("WIN_CSC_LINK", pki.identity("leaf").p12.to_str().unwrap());
    project.set("WIN_CSC_KEY_PASSWORD", PASSWORD);
    let stages = project.root.join("target/dist/windows/stages");
    let write = |path: &str, bytes: &[u8]| {
        let path = stages.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let host = [&*specimens::pe(), b"__TAURI_BUNDLE_TYPE_VAR_UNK\0"].concat();
    write("app/small.exe", &host);
    write("bundle/small_0.1.0_x64-setup.exe", &specimens::pe());
    check(
        &project,
        "sign plan --target windows",
        expect![[r#"
            #  step  file  format  action  identity  tool  entitlements  why
            1  sign-code  small.exe  PE  sign  certificate in WIN_CSC_LINK  osslsigncode  it has no signature
            2  bundle  small_0.1.0_x64-setup.exe: the host  PE  sign  certificate in WIN_CSC_LINK  osslsigncode  the kind of installer is written into it
            3  bundle  small_0.1.0_x64-setup.exe: NSIS' plug-ins  PE  sign  certificate in WIN_CSC_LINK  osslsigncode  the bundler packs it, and has it signed before
            4  bundle  small_0.1.0_x64-setup.exe: the uninstaller  PE  sign  certificate in WIN_CSC_LINK  osslsigncode  the bundler packs it, and has it signed before
            5  bundle  small_0.1.0_x64-setup.exe  PE  sign  certificate in WIN_CSC_LINK  osslsigncode  the bundler has it signed when it is made
            6  sign-installers  small_0.1.0_x64-setup.exe  PE  leave alone  the bundler had it signed; what it left unsigned is signed here
            7  sign-installers  small_0.1.0_x64-setup.exe  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
            8  sign-installers  small_0.1.0_x64-setup.exe  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            9  archive  the archive  minisign  sign  development key, made on this machine  minisign, in process  for people
            10  seal  manifest.json  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
            11  seal  SHA256SUMS  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
            exit code 0
        "#]],
    );
}

#[test]
fn of_a_release_for_macos() {
    let mut project = Project::built();
    check(
        &project,
        "sign plan --target macos",
        expect![[r#"
        #  step  file  format  action  identity  tool  entitlements  why
        1  sign-code  small  Mach-O  NOT signed  no certificate is set: APPLE_CERTIFICATE, CSC_LINK or `sign.macos.identity`
        2  bundle  the app  app  NOT signed  no certificate is set: APPLE_CERTIFICATE, CSC_LINK or `sign.macos.identity`
        3  bundle  the dmg  dmg  NOT signed  no certificate is set: APPLE_CERTIFICATE, CSC_LINK or `sign.macos.identity`
        4  sign-installers  the app.tar.gz  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
        5  sign-installers  the app.tar.gz  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
        6  sign-installers  the dmg  minisign  sign  development key, made on this machine  minisign, in process  for people; it covers the signatures inside
        7  sign-installers  the dmg  tauri-updater  sign  development key, made on this machine  minisign, in process  Tauri's updater checks it; it covers the signatures inside
        8  archive  the archive  minisign  sign  development key, made on this machine  minisign, in process  for people
        9  seal  manifest.json  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
        10  seal  SHA256SUMS  minisign  sign  development key, made on this machine  minisign, in process  it names the hashes of all else
        exit code 0
    "#]],
    );
    project.replace(
        "src-tauri/tauri.conf.json",
        "\"icon\"",
        "\"externalBin\": [\"binaries/other\"],\n    \"icon\"",
    );
    project.set("APPLE_CERTIFICATE", "AAAA");
    let development = project.run("sign plan --target macos").shown();
    assert!(!development.contains("notariz"), "{development}");
    let stage = project.root.join("target/dist/macos/stages/bundle");
    fs::create_dir_all(&stage).unwrap();
    let app = specimens::app(&stage).unwrap();
    // Links that were lost are made anew before anything is signed.
    let kit = app.join("Contents/Frameworks/Kit.framework");
    fs::remove_file(kit.join("Kit")).unwrap();
    fs::copy(kit.join("Versions/A/Kit"), kit.join("Kit")).unwrap();
    fs::write(stage.join("small.dmg"), specimens::dmg()).unwrap();
    project.set("TAURI_SIGNING_PRIVATE_KEY", KEY);
    project.set("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", KEY_PASSWORD);
    check(
        &project,
        "sign plan --target macos",
        expect![[r#"
            #  step  file  format  action  identity  tool  entitlements  why
            1  sign-code  other  Mach-O  sign  certificate in APPLE_CERTIFICATE  rcodesign  not built yet; all code in it by its first bytes
            2  sign-code  small  Mach-O  sign  certificate in APPLE_CERTIFICATE  rcodesign  not built yet; all code in it by its first bytes
            3  bundle  Practice.app/Contents/Frameworks/Kit.framework/Versions/A  framework  sign  certificate in APPLE_CERTIFICATE  rcodesign  a framework; it seals the code in it
            4  bundle  Practice.app/Contents/Resources/sidecars/tool/module.so  Mach-O  sign  certificate in APPLE_CERTIFICATE  rcodesign  code, found by its first bytes
            5  bundle  Practice.app/Contents/Resources/sidecars/tool/tool  Mach-O  sign  certificate in APPLE_CERTIFICATE  rcodesign  code, found by its first bytes
            6  bundle  Practice.app/Contents/MacOS/helper  Mach-O  sign  certificate in APPLE_CERTIFICATE  rcodesign  code, found by its first bytes
            7  bundle  Practice.app  app  sign  certificate in APPLE_CERTIFICATE  rcodesign  it seals all code and resources in it
            8  bundle  small.dmg  dmg  sign  certificate in APPLE_CERTIFICATE  rcodesign  a disk image; what is in it was signed before
            9  notarize  Practice.app  app  notarize  rcodesign  macOS starts what was downloaded only if Apple has seen it
            10  notarize  Practice.app  app  staple  rcodesign  so that it starts without a connection, too; it changes the bytes
            11  notarize  small.dmg  dmg  notarize  rcodesign  macOS starts what was downloaded only if Apple has seen it
            12  notarize  small.dmg  dmg  staple  rcodesign  so that it starts without a connection, too; it changes the bytes
            13  sign-installers  Practice_0.1.0_aarch64.app.tar.gz  minisign  sign  release key ([KEY])  minisign, in process  for people; it covers the signatures inside
            14  sign-installers  Practice_0.1.0_aarch64.app.tar.gz  tauri-updater  sign  release key ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            15  sign-installers  small.dmg  minisign  sign  release key ([KEY])  minisign, in process  for people; it covers the signatures inside
            16  sign-installers  small.dmg  tauri-updater  sign  release key ([KEY])  minisign, in process  Tauri's updater checks it; it covers the signatures inside
            17  archive  the archive  minisign  sign  release key ([KEY])  minisign, in process  for people
            18  seal  manifest.json  minisign  sign  release key ([KEY])  minisign, in process  it names the hashes of all else
            19  seal  SHA256SUMS  minisign  sign  release key ([KEY])  minisign, in process  it names the hashes of all else
            exit code 0
        "#]],
    );
}

#[test]
fn for_programs() {
    let ran = Project::built().succeed("sign plan --format json");
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let rows = plan["rows"].as_array().unwrap();
    let of = |it: &serde_json::Value| format!("{} {} {}", it["step"], it["format"], it["action"]);
    let all: Vec<String> = rows.iter().map(of).collect();
    expect![[r#"
        "sign-code" "ELF" "leave-alone"
        "sign-installers" "deb" "leave-alone"
        "sign-installers" "minisign" "sign"
        "sign-installers" "tauri-updater" "sign"
        "sign-installers" "rpm" "leave-alone"
        "sign-installers" "minisign" "sign"
        "sign-installers" "tauri-updater" "sign"
        "archive" "minisign" "sign"
        "seal" "minisign" "sign"
        "seal" "minisign" "sign""#]]
    .assert_eq(&all.join("\n"));
}
