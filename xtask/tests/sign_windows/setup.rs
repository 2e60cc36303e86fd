//! Setup programs from the project's own scripts: made, signed, installed by wine, and removed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{self, BundleKind},
    engine::{
        files::{hash_file, hex},
        staging::Staging,
        step::Done,
    },
    release::Release,
    steps::{
        app::Host,
        bundle::{Bundle, Installer, Installers},
        sidecar::Frozen,
        sign_code::SignCode,
    },
};
use xtask_practice::tools;

use super::{bundler, case::Case, steps::done};

/// A program like the host: it says that it is ready, and ends when its time is over.
const HOST: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
const char marker[] = "__TAURI_BUNDLE_TYPE_VAR_UNK";
int main(int count, char **words) {
    printf("READY %s\n", marker + 24);
    fflush(stdout);
    if (count > 1) Sleep(1000 * atoi(words[1]));
    return 7;
}
"#;

/// The small project with programs for Windows that run.
struct Made {
    case: Case,
    code: Done<xtask::steps::sign_code::Code>,
}

impl Made {
    fn new(kind: BundleKind) -> Option<Self> {
        let mut case = Case::new()?;
        case.configure(&format!(
            "[sign.windows]\ntrust = {:?}\ntimestamp-trust = {:?}\ntimestamp-servers = [{:?}]\n",
            case.pki.root(),
            case.pki.timestamp_root(),
            case.server.url()
        ));
        case.config = config::load(case.root(), None).unwrap();
        case.config.bundle.windows = vec![kind];
        let code = code(&case);
        Some(Self { case, code })
    }

    fn bundle(&self, release: &Release) -> (Installer, Staging, String) {
        let (mut made, out, said) = self.case.step(&Bundle::new(release, &self.code, None));
        (made.installers.remove(0), out, said)
    }
}

/// Compiled once for a test: `program` is what the marker's test makes of it.
fn program(case: &Case, name: &str) -> PathBuf {
    let source = case.root().join("host.c");
    fs::write(&source, HOST).unwrap();
    let program = case.root().join(name);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    gcc.args(["-O1", "-s", "-o"]).arg(&program).arg(source);
    tools::run(&mut gcc).unwrap();
    program
}

/// A host and a sidecar that is a folder, signed.
fn code(case: &Case) -> Done<xtask::steps::sign_code::Code> {
    let host = program(case, "app/small.exe");
    let sidecar = case.root().join("sidecar/x");
    fs::create_dir_all(sidecar.join("lib")).unwrap();
    fs::copy(host, sidecar.join("x.exe")).unwrap();
    fs::write(sidecar.join("lib/a $1 {b}.py"), "pass\n").unwrap();
    let host = serde_json::json!({ "main": "small.exe", "others": [] });
    let host: Host = serde_json::from_value(host).unwrap();
    let app = done(case.root().join("app"), "app", host);
    let frozen: Frozen = serde_json::from_value(serde_json::json!({
        "name": "x", "executable": "x/x.exe", "folder": "x",
        "freezer": "nuitka", "layout": "folder",
    }))
    .unwrap();
    let sidecar = done(case.root().join("sidecar"), "sidecar:x", frozen);
    let release = bundler::release(case);
    let (code, out, _) = case.step(&SignCode::new(&release, app, &[sidecar]));
    let kept = case.root().join("signed");
    fs::rename(out.path(), &kept).unwrap();
    done(kept, "sign-code", code)
}

/// A Windows of its own, with a home of its own, since wine links the desktop into that.
struct Wine {
    folder: tempfile::TempDir,
    /// What was there before anything was installed.
    before: BTreeMap<String, String>,
}

impl Wine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut wine = Self {
            folder,
            before: BTreeMap::new(),
        };
        fs::create_dir(wine.folder.path().join("home")).unwrap();
        assert_eq!(wine.run(&["wineboot", "-i"]).0, 0, "wine starts");
        wine.before = wine.users();
        wine
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("wine");
        command.args(words).current_dir(self.folder.path());
        command
            .env("WINEPREFIX", self.folder.path().join("prefix"))
            .env("HOME", self.folder.path().join("home"))
            .env("USER", "somebody")
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe=")
            .env_remove("DISPLAY");
        command
    }

    /// The status that it ended with, and what it wrote.
    fn run(&self, words: &[&str]) -> (i32, String) {
        let output = tools::output(&mut self.command(words)).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        (output.status.code().unwrap_or(-1), text)
    }

    /// The files of all users, by path with their hash, but for what wine and Windows keep.
    fn users(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for folder in ["prefix/drive_c/users", "home"] {
            collect(&self.folder.path().join(folder), &mut found);
        }
        // A copy of the uninstaller, which removes what cannot remove itself: NSIS has it deleted
        // with the next start.
        found.retain(|path, _| !path.contains("/Temp/~nsu"));
        found
    }

    /// What is there that was not there before.
    fn added(&self) -> BTreeMap<String, String> {
        let mut now = self.users();
        now.retain(|path, hash| self.before.get(path) != Some(hash));
        let name = |path: &str| {
            path.rsplit_once("/somebody/")
                .map_or(path.to_owned(), |it| it.1.to_owned())
        };
        now.iter()
            .map(|(path, hash)| (name(path), hash.clone()))
            .collect()
    }

    fn local(&self) -> PathBuf {
        self.folder
            .path()
            .join("prefix/drive_c/users/somebody/AppData/Local")
    }

    /// An uninstaller goes on in a copy of itself.
    fn wait_until_gone(&self, path: &Path) {
        let began = Instant::now();
        while path.exists() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{path:?} is still there"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn registered(&self) -> String {
        let key = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\small";
        let (_, text) = self.run(&["reg", "query", key]);
        let lines = text.lines().filter(|it| it.contains("REG_"));
        let words = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        lines.map(words).collect()
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // Its services would write into a folder that is gone.
        self.run(&["wineboot", "-k"]);
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(&entry.path(), found);
        } else if kind.is_file() {
            let hash = hex(&hash_file(&entry.path()).unwrap());
            found.insert(entry.path().to_string_lossy().into_owned(), hash);
        }
    }
}

#[test]
fn slow_what_nsis_made_here_installs_and_leaves_nothing() {
    if !tools::have(&["makensis", "7zz", "wine", "x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let Some(made) = Made::new(BundleKind::Nsis) else {
        return;
    };
    let release = bundler::release(&made.case);
    let (installer, out, said) = made.bundle(&release);
    expect![[r#"
        note: the host is signed again for nsis: the kind of package stands in it
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.setup.webview2` packs what installs it)
    "#]].assert_eq(&said);
    expect![[r#"
        [
            "sidecars/x/x.exe",
            "small.exe",
        ]
    "#]]
    .assert_debug_eq(
        &installer
            .contents
            .iter()
            .map(|it| &it.path)
            .collect::<Vec<_>>(),
    );
    assert_eq!(installer.gap, None);
    let setup = out.path().join(&installer.file);
    release
        .windows
        .as_ref()
        .unwrap()
        .sign_anew(&made.case, &setup)
        .unwrap();

    let wine = Wine::new();
    assert_eq!(wine.run(&[setup.to_str().unwrap(), "/S"]).0, 0);
    let added = wine.added();
    expect![[r#"
        AppData/Local/small/sidecars/x/lib/a $1 {b}.py
        AppData/Local/small/sidecars/x/x.exe
        AppData/Local/small/small.exe
        AppData/Local/small/uninstall.exe
        AppData/Roaming/Microsoft/Windows/Start Menu/Programs/small.lnk
    "#]]
    .assert_eq(&added.keys().map(|it| format!("{it}\n")).collect::<String>());
    expect![[r#"
        DisplayIcon REG_SZ "C:\users\somebody\AppData\Local\small\small.exe"
        DisplayName REG_SZ small
        DisplayVersion REG_SZ 0.1.0
        EstimatedSize REG_DWORD 0x58
        InstallLocation REG_SZ C:\users\somebody\AppData\Local\small
        NoModify REG_DWORD 0x1
        NoRepair REG_DWORD 0x1
        Publisher REG_SZ example
        QuietUninstallString REG_SZ "C:\users\somebody\AppData\Local\small\uninstall.exe" /S
        UninstallString REG_SZ "C:\users\somebody\AppData\Local\small\uninstall.exe"
    "#]]
    .assert_eq(&wine.registered());
    for content in &installer.contents {
        let at = format!("AppData/Local/small/{}", content.path);
        assert_eq!(added.get(&at), Some(&content.sha256), "{at}");
    }
    let app = wine.local().join("small");
    for file in ["small.exe", "sidecars/x/x.exe", "uninstall.exe"] {
        let read = made.case.read(&app.join(file));
        let [signed] = &*read else {
            panic!("{file}: {read:?}")
        };
        assert_eq!(
            signed.signer.as_deref(),
            Some("Practice Publisher"),
            "{file}"
        );
        assert_eq!(signed.problems, [""; 0], "{file}");
    }
    let host = app.join("small.exe");
    let host = host.to_str().unwrap();
    assert_eq!(wine.run(&[host]), (7, "READY NSS\n".to_owned()));

    // A newer one over it, while it runs, and with what the older one left behind.
    let data = wine.local().join("com.example.small");
    fs::write(data.join("settings.json"), "{}").unwrap();
    let mut running = wine.command(&[host, "60"]);
    let mut running = running
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(running.stdout.as_mut().unwrap()),
        &mut String::new(),
    )
    .unwrap();
    assert_eq!(wine.run(&[setup.to_str().unwrap(), "/S"]).0, 0);
    assert!(running.try_wait().unwrap().is_some(), "the app was closed");
    assert_eq!(wine.run(&[host]).1, "READY NSS\n");

    fs::write(app.join("mine.txt"), "of the user\n").unwrap();
    let uninstaller = app.join("uninstall.exe");
    wine.run(&[uninstaller.to_str().unwrap(), "/S"]);
    wine.wait_until_gone(&uninstaller);
    wine.wait_until_gone(&app.join("sidecars"));
    expect![[r#"
        AppData/Local/com.example.small/settings.json
        AppData/Local/small/mine.txt
    "#]]
    .assert_eq(
        &wine
            .added()
            .keys()
            .map(|it| format!("{it}\n"))
            .collect::<String>(),
    );
    expect![[r#""#]].assert_eq(&wine.registered());

    fs::remove_file(app.join("mine.txt")).unwrap();
    assert_eq!(wine.run(&[setup.to_str().unwrap(), "/S"]).0, 0);
    wine.run(&[uninstaller.to_str().unwrap(), "/S", "/REMOVEDATA"]);
    wine.wait_until_gone(&data);
    wine.wait_until_gone(&app);
    assert_eq!(
        wine.added().into_keys().collect::<Vec<_>>(),
        [""; 0],
        "nothing is left"
    );
}

#[test]
fn slow_a_script_of_the_project_that_ships_something_else_is_refused() {
    if !tools::have(&["makensis", "7zz", "x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let Some(made) = Made::new(BundleKind::Nsis) else {
        return;
    };
    let built_in = include_str!("../../src/tools/setup/installer.nsi");
    let check = |from: &str, to: &str, expected: Expect| {
        assert!(built_in.contains(from), "{from}");
        let script = made.case.root().join("installer.nsi");
        fs::write(&script, built_in.replace(from, to)).unwrap();
        let mut release = bundler::release(&made.case);
        release.config.bundle.setup.nsis_template = Some(script);
        let (result, _, _) = made.case.try_step(&Bundle::new(&release, &made.code, None));
        let error = result
            .err()
            .map_or("fine".to_owned(), |it| format!("{it:#}"));
        let error = error.split("hint: ").next().unwrap_or_default().trim_end();
        expected.assert_eq(&format!("{error}\n"));
    };
    check(
        "!define MUI_ABORTWARNING",
        "",
        expect![[r#"
        fine
    "#]],
    );
    check(
        "!uninstfinalize '${SIGN}'",
        "",
        expect![[r#"
        the uninstaller in the package is not signed
    "#]],
    );
    check(
        "!insertmacro INSTALL_FILES",
        "",
        expect![[r#"
        the package holds no sidecars/x/lib/a $1 {b}.py
    "#]],
    );
    check(
        "!insertmacro INSTALL_FILES",
        "!insertmacro INSTALL_FILES\n  File installer.nsi",
        expect![[r#"
            installer.nsi in the package is no file that was built
        "#]],
    );
    check(
        "OutFile \"${OUT_FILE}\"",
        "OutFile other.exe",
        expect![[r#"
            the script made no small_0.1.0_x64-setup.exe
        "#]],
    );
}

/// Does what Inno Setup's compiler does, as far as it is looked at, with the words that it says. `swap`
/// is run before it lists what it packed.
const ISCC: &str = r##"
import glob, hashlib, os, re, sys

assert sys.argv[1:] == ["/Q", "installer.iss"], sys.argv
script = open("installer.iss", encoding="utf-8").read()
product = open("product.iss", encoding="utf-8-sig").read()
assert '#include "product.iss"' in script
if "#define Signed" in product:
    made = glob.glob("uninstaller/*.e32")
    if not made:
        os.makedirs("uninstaller")
        host = open("files/small.exe", "rb").read()
        open("uninstaller/uninst-6.4.1-0123456789.e32", "wb").write(host.replace(b"READY", b"UNINS"))
        sys.exit("Signed uninstaller mode is enabled. [...] attach your digital signature [...]")
    assert b"Practice Publisher" in open(made[0], "rb").read(), "somebody signed it"
files = re.findall(r'^Source: "(.*?)"', product, re.M)
swap(files)
with open("packed.txt", "w", encoding="utf-8-sig", newline="\r\n") as packed:
    print("Index\tSourceFilename\tTimeStamp\tVersion\tSHA256Sum\tOriginalSize", file=packed)
    for number, name in enumerate(files):
        data = open(name.replace("\\", "/"), "rb").read()
        hash = hashlib.sha256(data).hexdigest()
        print(f"{number}\tZ:\\work\\{name}\t2026\t\t{hash}\t{len(data)}", file=packed)
[out] = re.findall(r'^#define OutFile "(.*)"', product, re.M)
with open(out + ".exe", "wb") as setup:
    setup.write(open("files/small.exe", "rb").read())
"##;

/// What the step makes of it with this compiler, or says instead.
fn by_inno(made: &Made, compiler: &[&str]) -> String {
    let mut release = bundler::release(&made.case);
    let words = compiler.iter().map(|it| (*it).to_owned()).collect();
    release.config.bundle.setup.inno_compiler = Some(words);
    let (result, _, said) = made.case.try_step(&Bundle::new(&release, &made.code, None));
    match result {
        Ok(Installers { installers }) => {
            assert_eq!(installers[0].gap, None);
            let lines = installers[0].contents.iter().map(|it| {
                let file = made
                    .case
                    .root()
                    .join("state/cache/bundle/inno/files")
                    .join(&it.path);
                assert_eq!(it.sha256, hex(&hash_file(&file).unwrap()));
                format!("{}\n", it.path)
            });
            format!(
                "{said}{}\n{}",
                installers[0].file,
                lines.collect::<String>()
            )
        }
        Err(error) => format!("{error:#}\n")
            .split("hint: ")
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[test]
fn slow_what_inno_setup_packs_is_what_was_built() {
    if !tools::have(&["x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let Some(made) = Made::new(BundleKind::Inno) else {
        return;
    };
    let check = |swap: &str, expected: Expect| {
        let text = format!("def swap(files):\n    {swap}\n{ISCC}");
        let script = made.case.root().join("iscc.py");
        fs::write(&script, text).unwrap();
        expected.assert_eq(&by_inno(&made, &["python3", script.to_str().unwrap()]));
    };
    check(
        "pass",
        expect![[r#"
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.setup.webview2` packs what installs it)
        small_0.1.0_x64-inno-setup.exe
        sidecars/x/x.exe
        small.exe
    "#]],
    );
    check(
        "files.pop()",
        expect![[r#"
        the package holds no small.exe
    "#]],
    );
    check(
        "open('files/small.exe', 'ab').write(b'more')",
        expect![[r#"
            small.exe in the package is not the file that was built and tried out
        "#]],
    );
    check(
        "open('files/more.exe', 'w'); files.append('files\\\\more.exe')",
        expect![[r#"
            more.exe in the package is no file that was built
        "#]],
    );
}

/// The variable `ISCC` names the real one, and `WINELOADER` a wine for 32 bits: see
/// docs/windows-installers.md.
#[test]
fn slow_inno_setup_compiles_the_script() {
    let Some(iscc) = std::env::var_os("ISCC") else {
        eprintln!("skipped: the variable ISCC names no compiler");
        return;
    };
    if !tools::have(&["x86_64-w64-mingw32-gcc", "wine"]) {
        return;
    }
    let Some(made) = Made::new(BundleKind::Inno) else {
        return;
    };
    let wine = std::env::var("WINELOADER").unwrap_or_else(|_| "wine".to_owned());
    expect![[r#"
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.setup.webview2` packs what installs it)
        small_0.1.0_x64-inno-setup.exe
        sidecars/x/x.exe
        small.exe
    "#]].assert_eq(&by_inno(&made, &[&wine, iscc.to_str().unwrap()]));
}
