//! What only a bundler sees: it calls `cargo xtask sign --for-bundler` back, as Tauri's does.

use std::path::PathBuf;

use expect_test::expect;
use fs_err as fs;
use xtask::{
    config::{self, BundleKind, NsisBundler, TauriCli},
    engine::secret::Redactor,
    release::{Release, SigningWish},
    sign::secrets::Secrets,
    steps::{app::Host, bundle::Bundle, sign_code::SignCode},
};
use xtask_practice::{pki::PASSWORD, specimens, tools};

use super::case::{Case, done};

/// Does what Tauri's bundler does for Windows, in its order: the executable, a library among the
/// resources, the uninstaller, the installer.
const BUNDLER: &str = r#"
import glob, json, os, shutil, subprocess, sys

args = sys.argv[1:]
if args == ["--version"]:
    sys.exit(print("tauri-cli 2.0.0"))
assert "--no-binary-patching" in args and "--no-sign" not in args, args
config = json.loads(args[args.index("--config") + 1])
command = config["bundle"]["windows"]["signCommand"]
secrets = [it for it in os.environ if it.endswith("PASSWORD")]
assert not secrets, secrets
work = os.environ["CARGO_TARGET_DIR"]
[release] = glob.glob(work + "/*/release")
made = release + "/bundle/nsis"
os.makedirs(made)


def sign(file):
    words = [command["cmd"], *(it.replace("%1", file) for it in command["args"])]
    subprocess.run(words, check=True, cwd=made)


host = release + "/small.exe"
before = open(host, "rb").read()
sign(host)
assert open(host, "rb").read() == before, "it was signed already"
sign(os.environ["PWD_OF_TEST"] + "/resource.dll")
words = " ".join(f'"{it}"' for it in [command["cmd"], *command["args"]])
with open(made + "/small.nsi", "w") as script:
    print(f'''Name small
OutFile small-setup.exe
!uninstfinalize '{words}'
!uninstfinalize 'cp "%1" "{work}/uninstaller.exe"'
Section
SetOutPath $INSTDIR
File "{host}"
WriteUninstaller $INSTDIR\\uninstall.exe
SectionEnd
Section Uninstall
SectionEnd''', file=script)
subprocess.run(["makensis", "-V2", "small.nsi"], check=True, cwd=made)
sign(made + "/small-setup.exe")
"#;

#[test]
fn the_uninstaller_is_signed_inside_of_the_installer() {
    let Some(mut case) = Case::new() else { return };
    if !tools::have(&["makensis", "7zz"]) {
        return;
    }
    // The process that the bundler starts reads the file.
    case.configure(&format!(
        "[sign.windows]\ntrust = {:?}\ntimestamp-trust = {:?}\ntimestamp-servers = [{:?}]\n",
        case.pki.root(),
        case.pki.timestamp_root(),
        case.server.url()
    ));
    case.config = config::load(case.root(), None).unwrap();
    let script = case.root().join("bundler.py");
    let text = BUNDLER.replace("os.environ[\"PWD_OF_TEST\"]", &format!("{:?}", case.root()));
    fs::write(&script, text).unwrap();
    let words = ["python3", script.to_str().unwrap()];
    case.config.bundle.cli = TauriCli::Command(words.map(str::to_owned).into());
    case.config.bundle.windows = vec![BundleKind::Nsis];
    case.config.bundle.windows_installer.nsis_bundler = Some(NsisBundler::Tauri);
    let release = release(&case);
    let resource = case.pe("resource.dll");
    let unsigned = fs::read(&resource).unwrap();

    let mut host = specimens::pe();
    host.extend(b"__TAURI_BUNDLE_TYPE_VAR_UNK\0");
    case.pe("app/small.exe");
    fs::write(case.root().join("app/small.exe"), host).unwrap();
    let (main, others) = ("small.exe".to_owned(), Vec::new());
    let app = done(
        case.root().join("app"),
        "app",
        Host {
            main,
            others,
            libraries: Vec::new(),
        },
    );
    let (code, out, _) = case.step(&SignCode::new(&release, app, &[]));
    let code = done(out.path().to_owned(), "sign-code", code);
    let (made, out, said) = case.step(&Bundle::new(&release, &code, None));
    expect![[r#"
        note: the host is signed again for nsis: the kind of package stands in it
    "#]]
    .assert_eq(&said);
    assert_eq!(made.installers[0].gap, None);
    assert_eq!(made.installers[0].contents[0].path, "small.exe");
    let work = case.root().join("state/cache/bundle/nsis");
    let host = work.join("x86_64-pc-windows-msvc/release/small.exe");
    let bytes = fs::read(&host).unwrap();
    assert!(
        bytes
            .windows(28)
            .any(|it| it == b"__TAURI_BUNDLE_TYPE_VAR_NSS\0")
    );
    for file in [
        host,
        work.join("uninstaller.exe"),
        out.path().join("small-setup.exe"),
    ] {
        let read = case.read(&file);
        let [signed] = &*read else {
            panic!("{}: {read:?}", file.display())
        };
        assert_eq!(
            signed.signer.as_deref(),
            Some("Practice Publisher"),
            "{}",
            file.display()
        );
        assert_eq!(signed.problems, [""; 0], "{}", file.display());
        assert!(signed.timestamp.is_some(), "{}", file.display());
    }
    assert_eq!(
        fs::read(resource).unwrap(),
        unsigned,
        "what belongs to the checkout stays as it is"
    );
    drop(release);
    let left: Vec<PathBuf> = [
        "target/state/private",
        "target/dist/x86_64-pc-windows-msvc/private",
    ]
    .iter()
    .flat_map(|it| fs::read_dir(case.root().join(it)).into_iter().flatten())
    .map(|it| it.unwrap().path())
    .collect();
    assert_eq!(left, [""; 0].map(PathBuf::from));
}

/// Signed by what the environment gives, with this program's real one for the bundler.
pub fn release(case: &Case) -> Release {
    let p12 = case.pki.identity("leaf").p12_with_chain;
    let variables = [
        ("WIN_CSC_LINK", p12.to_str().unwrap()),
        ("WIN_CSC_KEY_PASSWORD", PASSWORD),
    ];
    let mut release = case.release(SigningWish::Any);
    let secrets = Secrets::of(Redactor::default(), &variables);
    release
        .find_windows_signer(&case.state(), secrets, false)
        .unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_xtask"));
    release.windows = release.windows.map(|it| it.with_program(program));
    release
}
