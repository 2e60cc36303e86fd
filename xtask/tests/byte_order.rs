//! The hash of a sidecar must be that of the signed one, wherever it is used.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use std::process::Command;

use expect_test::expect;
use fs_err as fs;
use xtask::{
    config,
    engine::{
        files::{hash_file, hex},
        orphans::Orphans,
        secret::Redactor,
    },
    sign::{
        hands::Loose,
        order::{self, Unsigned},
        secrets::Secrets,
        windows::{Signer, Wish},
    },
};
use xtask_practice::{Pki, pki::PASSWORD, specimens, tools};

use self::project::{Project, read};

/// A project with an executable beside the host, whose hash is compiled into the host.
fn project() -> Project {
    let project = Project::new();
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let helper = project
        .root
        .join("src-tauri/binaries")
        .join(format!("helper-{triple}"));
    fs::create_dir_all(helper.parent().unwrap()).unwrap();
    fs::copy("/usr/bin/true", &helper).unwrap();
    let hash = hex(&hash_file(&helper).unwrap());
    let line = format!("println!(\"{{}}\", \"{hash}\");");
    project.replace(
        "src-tauri/src/main.rs",
        "fn main() {",
        &format!("fn main() {{ {line}"),
    );
    let external = "\"externalBin\": [\"binaries/helper\"], \"icon\"";
    project.replace("src-tauri/tauri.conf.json", "\"icon\"", external);
    project.commit("Helper");
    project
}

#[test]
fn a_hash_in_the_host_is_told_and_the_right_one_is_shipped() {
    let project = project();
    let shown = project.succeed("dist").shown();
    let warning = shown.lines().find(|it| it.contains("SHA-256 of"));
    expect![[r#"sign-code  warning: small holds the SHA-256 of helper in hex: where executables are signed, the one that is shipped will have another; compile no hash in; set `sign.sidecar-hashes = true`, and let the app read sidecars.sha256 among its resources (docs/signing.md, "Byte order")"#]].assert_eq(warning.unwrap_or_default());
    project.configure("[sign]\nsidecar-hashes = true\n");
    project.succeed("dist");
    let unpacked = project.beside().join("unpacked");
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--extract")
        .arg(project.product(".deb"))
        .arg(&unpacked);
    read(dpkg);
    let hash = hex(&hash_file(&unpacked.join("usr/bin/helper")).unwrap());
    let hashes = fs::read_to_string(unpacked.join("usr/lib/small").join(order::HASHES)).unwrap();
    assert_eq!(hashes, format!("{hash}  helper\n"));
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--to-stdout",
        "--wildcards",
        "*/sidecars.sha256",
        "--file",
    ]);
    tar.arg(project.product(".tar.gz"));
    assert_eq!(read(tar), hashes);
    assert_eq!(project.run("verify").code, 0);
}

#[test]
fn a_hash_from_before_the_signature_is_refused() {
    if !tools::have(&["osslsigncode", "openssl"]) {
        return;
    }
    let project = Project::new();
    let pki = Pki::shared().unwrap();
    let mut config = config::load(&project.root, None).unwrap();
    config.sign.windows.timestamp = config::Timestamping::None;
    let folder = project.root.join("stage");
    fs::create_dir(&folder).unwrap();
    let sidecar = folder.join("sidecar.exe");
    fs::write(&sidecar, specimens::pe()).unwrap();
    let before = hex(&hash_file(&sidecar).unwrap());
    let unsigned = [Unsigned::new("sidecar.exe", &before).unwrap()];
    let p12 = pki.identity("leaf").p12.display().to_string();
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    let secrets = Secrets::of(Redactor::default(), &variables);
    let state = project.root.join("state");
    let signer = Signer::new(&config, secrets, &state, Wish::default())
        .unwrap()
        .unwrap();
    let hands = Loose {
        exec: xtask::engine::exec::Exec {
            root: project.root.clone(),
            events: xtask::engine::event::Events::default(),
            redactor: Redactor::default(),
            interrupted: Default::default(),
            withheld: Vec::new(),
            orphans: Orphans::new(project.root.join("running")),
            timeout: std::time::Duration::from_secs(60),
        },
        log: xtask::engine::exec::Log::at(project.root.join("log")),
    };
    let hosts = ["host.exe".to_owned()];
    let host = |hash: &str| {
        let mut bytes = specimens::pe();
        // Among the data of the last section.
        let at = bytes.len() - 200;
        bytes[at..at + hash.len()].copy_from_slice(hash.as_bytes());
        fs::write(folder.join("host.exe"), bytes).unwrap();
        signer.sign(&hands, &folder.join("host.exe")).unwrap();
        order::check(&folder, &hosts, &unsigned)
    };
    assert_eq!(host(&before).unwrap().len(), 1, "not signed yet: a warning");
    signer.sign(&hands, &sidecar).unwrap();
    let error = host(&before).unwrap_err().to_string();
    expect![[r#"
        host.exe holds the SHA-256 of sidecar.exe in hex, but from before it was signed: the one that is shipped has another
        hint: compile no hash in; set `sign.sidecar-hashes = true`, and let the app read sidecars.sha256 among its resources (docs/signing.md, "Byte order")"#]].assert_eq(&error);
    assert!(host(&before.to_uppercase()).is_err());
    let after = hex(&hash_file(&sidecar).unwrap());
    assert!(host(&after).unwrap().is_empty());
    order::write(&folder, std::iter::once("sidecar.exe".to_owned())).unwrap();
    let hashes = fs::read_to_string(folder.join(order::HASHES)).unwrap();
    assert_eq!(hashes, format!("{after}  sidecar.exe\n"));
}
