//! The steps of a release for Windows and macOS, over files as a build leaves them, with scripts in the
//! place of Tauri's bundler. The one for Windows calls this program back for the uninstaller.
#![allow(clippy::print_stdout, reason = "the process tells the test")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use fs_err as fs;
use xtask::{
    config,
    engine::{
        artifact::collect,
        event::{Events, Reporter, Stamped},
        exec,
        files::StatCache,
        probe::Probes,
        secret::Redactor,
        session::{Options, Session, Task},
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::{Release, SigningWish},
    sign::secrets::Secrets,
    steps::{
        app::Host, bundle::Bundle, notarize::Notarize, sign_code::SignCode,
        sign_installers::SignInstallers,
    },
};
use xtask_practice::{
    specimens::{self, Kind},
    tools,
};

use super::{
    case::Case,
    project::{KEY, PASSWORD, Project},
};

/// Makes an installer with an uninstaller in it.
const FOR_WINDOWS: &str = r#"#!/usr/bin/env python3
import glob, json, os, subprocess, sys
args = sys.argv[1:]
if args == ["--version"]:
    sys.exit(print("tauri-cli 2.0.0"))
command = json.loads(args[args.index("--config") + 1])["bundle"]["windows"]["signCommand"]
[release] = glob.glob(os.environ["CARGO_TARGET_DIR"] + "/*/release")
made = release + "/bundle/nsis"
os.makedirs(made)
words = " ".join(f'"{it}"' for it in [command["cmd"], *command["args"]])
with open(made + "/small.nsi", "w") as script:
    print(f'''Name small
OutFile small-setup.exe
!uninstfinalize '{words}'
Section
SetOutPath $INSTDIR
File "{release}/small.exe"
WriteUninstaller $INSTDIR\\uninstall.exe
SectionEnd
Section Uninstall
SectionEnd''', file=script)
subprocess.run(["makensis", "-V2", "small.nsi"], check=True, cwd=made)
"#;

/// Makes an app.
const FOR_MACOS: &str = r#"#!/usr/bin/env python3
import os, plistlib, shutil, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("tauri-cli 2.12.5"))
triple = sys.argv[sys.argv.index("--target") + 1]
release = os.path.join(os.environ["CARGO_TARGET_DIR"], triple, "release")
contents = os.path.join(release, "bundle/macos/small.app/Contents")
os.makedirs(contents + "/MacOS")
shutil.copy(release + "/small", contents + "/MacOS/small")
info = {"CFBundleExecutable": "small", "CFBundleIdentifier": "org.example.small", "CFBundlePackageType": "APPL"}
with open(contents + "/Info.plist", "wb") as file:
    plistlib.dump(info, file)
"#;

const HDIUTIL: &str =
    "#!/bin/sh\nwhile [ \"$1\" != -srcfolder ]; do shift; done\ncp OWN/image \"$3\"\n";

/// Prints all that happens: those who watch a run get no more.
struct Said;

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        println!("{:?}", stamped.event);
    }
}

/// Files in a folder, as a step leaves them.
fn done<T>(folder: PathBuf, step: &str, output: T) -> Done<T> {
    let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
    Done {
        step: step.to_owned(),
        artifacts: collect(&folder, &cache).unwrap(),
        output,
        folder,
    }
}

fn run<S: Step>(cx: &Context, step: &S, place: &Path) -> Result<Done<S::Output>> {
    let out = Staging::create(&place.join("staging"), S::ID)?;
    step.inputs(cx)?;
    let output = step.run(cx, &out)?;
    let stage = place.join("stages").join(S::ID);
    out.publish(&stage)?;
    Ok(done(stage, S::ID, output))
}

fn steps(root: &Path, triple: &str) -> Result<()> {
    let (config, redactor) = (config::load(root, None)?, Redactor::default());
    let target: xtask::target::Target = triple.parse()?;
    let state = root.join("target/dist").join(&target.name);
    let withheld = Release::withheld(&config);
    exec::withhold(withheld.clone());
    let probes = Probes::open(PathBuf::new()).withhold(withheld.clone());
    let wish = SigningWish::Any;
    let mut release = Release::new(config, target, wish, &state, &probes, &redactor)?;
    let secrets = Secrets::new(redactor.clone());
    release.find_windows_signer(&state, secrets, false)?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_xtask"));
    release.windows = release.windows.map(|it| it.with_program(program));
    let session = Session::open(Options {
        probes,
        events: Events::new(vec![Box::new(Said)]),
        jobs: 2,
        withheld,
        redactor,
        ..Options::new(root, &state, triple)
    })?;
    let task = Task {
        name: "test".to_owned(),
        why: "it is a test".to_owned(),
        log: "test".to_owned(),
        resume: String::new(),
    };
    let main = if triple.contains("windows") {
        "small.exe"
    } else {
        "small"
    };
    let host = Host {
        main: main.to_owned(),
        others: Vec::new(),
        libraries: Vec::new(),
    };
    session.task(&task, |cx| {
        let place = root.join("target/steps");
        let app = done(root.join("built"), "app", host);
        let code = run(cx, &SignCode::new(&release, app, &[]), &place)?;
        let bundles = run(cx, &Bundle::new(&release, &code, None), &place)?;
        let noted = run(cx, &Notarize::new(&release, bundles), &place)?;
        let signed = run(cx, &SignInstallers::new(&release, noted), &place)?;
        for it in &signed.output.installers {
            let kinds: Vec<_> = it.signatures.iter().map(|it| it.kind.as_str()).collect();
            println!("made {}: {kinds:?}", it.installer.kind);
        }
        Ok(String::new())
    })?;
    Ok(())
}

/// Not a test: the process that has the environment.
#[test]
#[ignore = "only for the other tests"]
fn steps_of_a_release() {
    let Some(triple) = std::env::var_os("PRACTICE_TARGET") else {
        return;
    };
    if let Err(error) = steps(&std::env::current_dir().unwrap(), triple.to_str().unwrap()) {
        println!("error: {error:#}");
        std::process::exit(1);
    }
}

/// Builds nothing, and signs all; then with a wrong password.
fn check(mut case: Case, triple: &str, bundler: &str, password: &str, made: &[&str]) {
    let bin = case.own.join("bin");
    case.script(&bin.join("bundler"), bundler, "");
    case.script(&bin.join("hdiutil"), HDIUTIL, "");
    let path = case.project.variables.iter().find(|it| it.0 == "PATH");
    let path = format!("{}:{}", bin.display(), path.unwrap().1);
    case.project.set("PATH", path);
    case.project.set("PRACTICE_TARGET", triple);
    case.secret("TAURI_SIGNING_PRIVATE_KEY", KEY);
    case.secret("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD);
    let ran = case.watch(this(&case));
    assert_eq!((ran.code, &*ran.seen), (0, &[][..]), "{}", ran.said);
    for it in made {
        assert!(ran.said.contains(it), "{it}: {}", ran.said);
    }
    case.secret(password, "wr0ng canary of signing");
    let ran = case.watch(this(&case));
    assert_eq!((ran.code, &*ran.seen), (1, &[][..]), "{}", ran.said);
}

/// This program, for [`steps_of_a_release`].
fn this(case: &Case) -> Command {
    let like = case.project.command("");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "pipeline::steps_of_a_release";
    command.args(["--ignored", "--exact", name, "--nocapture"]);
    command.env_clear().current_dir(&case.project.root);
    let set = like
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

#[test]
fn slow_release_for_windows() {
    if !tools::have(&["osslsigncode", "openssl", "python3", "makensis", "7zz"]) {
        return;
    }
    let mut case = Case::new(Project::new());
    let server = case.server.url();
    let config = format!(
        "[bundle]\ncli = [\"bundler\"]\nwindows = [\"nsis\"]\n[bundle.nsis]\nbundler = \"tauri\"\n\
         [sign.windows]\ntimestamp-servers = [\"{server}\"]\n"
    );
    case.write("packaging/dist.toml", config.as_bytes());
    let mut host = specimens::pe();
    host.extend(b"__TAURI_BUNDLE_TYPE_VAR_UNK\0");
    case.write("built/small.exe", &host);
    let p12 = case.p12_that_all_read();
    case.secret("WIN_CSC_LINK", &Case::base64(&p12));
    case.secret("WIN_CSC_KEY_PASSWORD", &case.canary.clone());
    let made = ["made nsis: [\"authenticode\", \"minisign\", \"tauri-updater\"]"];
    let triple = "x86_64-pc-windows-msvc";
    check(case, triple, FOR_WINDOWS, "WIN_CSC_KEY_PASSWORD", &made);
}

#[test]
fn slow_release_for_macos() {
    if !tools::have(&["rcodesign", "openssl", "python3"]) {
        return;
    }
    let mut case = Case::new(Project::new());
    let server = case.server.url();
    let config =
        format!("[bundle]\ncli = [\"bundler\"]\n[sign.macos]\ntimestamp-server = \"{server}\"\n");
    case.write("packaging/dist.toml", config.as_bytes());
    case.write("built/small", &specimens::macho(Kind::Program, 1));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(case.project.root.join("built/small"), mode).unwrap();
    fs::write(case.own.join("image"), specimens::dmg()).unwrap();
    let p12 = case.p12_that_all_read();
    case.secret("APPLE_CERTIFICATE", &Case::base64(&p12));
    case.secret("APPLE_CERTIFICATE_PASSWORD", &case.canary.clone());
    let key = case.notary_login();
    case.secret("APPLE_API_KEY_PATH", &fs::read_to_string(key).unwrap());
    let made = [
        "made app: [",
        "made dmg: [\"apple\", \"minisign\", \"tauri-updater\"]",
        "the ticket is attached",
    ];
    let triple = "aarch64-apple-darwin";
    check(case, triple, FOR_MACOS, "APPLE_CERTIFICATE_PASSWORD", &made);
}
