//! Setup programs from the project's own scripts: made, signed, installed by wine, and removed.

use std::{path::PathBuf, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{self, BundleKind, NsisBundler},
    engine::{staging::Staging, step::Done},
    release::Release,
    sign::{
        format::Format,
        plan::{self, File, Role},
        windows,
    },
    steps::{
        app::Host,
        bundle::{Bundle, Installer},
        sidecar::Frozen,
        sign_code::SignCode,
    },
};
use xtask_practice::{pki::PASSWORD, tools};

use super::{
    bundler,
    case::{Case, done},
    wine::Wine,
};

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
pub struct Made {
    pub case: Case,
    pub code: Done<xtask::steps::sign_code::Code>,
}

impl Made {
    pub fn new(kind: BundleKind) -> Option<Self> {
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
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.windows-installer.webview2` packs what installs it)
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
    let built_in = include_str!("../../src/tools/windows_installer/installer.nsi");
    let check = |from: &str, to: &str, expected: Expect| {
        assert!(built_in.contains(from), "{from}");
        let script = made.case.root().join("installer.nsi");
        fs::write(&script, built_in.replace(from, to)).unwrap();
        let mut release = bundler::release(&made.case);
        release.config.bundle.windows_installer.nsis_template = Some(script);
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

/// What makes it has the uninstaller signed and nothing else.
#[test]
fn the_plan_says_what_is_signed_of_it() {
    let Some(case) = Case::new() else { return };
    let p12 = case.pki.identity("leaf").p12_with_chain;
    let variables = [
        ("WIN_CSC_LINK", p12.to_str().unwrap()),
        ("WIN_CSC_KEY_PASSWORD", PASSWORD),
    ];
    let mut own = case.signed_release(&variables);
    own.config.bundle.windows_installer.nsis_bundler = Some(NsisBundler::Makensis);
    let installers = ["setup.exe", "a-inno-setup.exe"].map(|name| File {
        name: name.to_owned(),
        path: None,
        role: Role::Installer,
        format: Format::Pe,
    });
    let mut rows = windows::plan_bundle(&own, None, &installers).unwrap();
    rows.extend(windows::plan(&own, &installers).unwrap());
    let rows = plan::cells(&rows).into_iter();
    let rows = rows.map(|it| it.join(" | ") + "\n").collect::<String>();
    expect![[r#"
        1 | bundle | setup.exe: the host | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the kind of installer is written into it
        2 | bundle | setup.exe: the uninstaller | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | it is signed while the installer is made, which packs it
        3 | bundle | a-inno-setup.exe: the uninstaller | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | it is signed while the installer is made, which packs it
        4 | sign-installers | setup.exe | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | it is not built yet
        5 | sign-installers | a-inno-setup.exe | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | it is not built yet
    "#]].assert_eq(&rows);
}
