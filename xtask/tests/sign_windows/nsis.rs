//! Setup programs by NSIS, from the script that is built in and from others.

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

    pub fn bundle(&self, release: &Release) -> (Installer, Staging, String) {
        let (mut made, out, said) = self.case.step(&Bundle::new(release, &self.code, None));
        (made.installers.remove(0), out, said)
    }
}

/// Compiles a program, or a library.
fn program(case: &Case, name: &str) -> PathBuf {
    let source = case.root().join("host.c");
    fs::write(&source, HOST).unwrap();
    let program = case.root().join(name);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    gcc.args(["-O1", "-s", "-o"]).arg(&program).arg(source);
    gcc.args(name.ends_with(".dll").then_some("-shared"));
    tools::run(&mut gcc).unwrap();
    program
}

/// A host with a library beside it and a sidecar that is a folder, signed.
fn code(case: &Case) -> Done<xtask::steps::sign_code::Code> {
    let host = program(case, "app/small.exe");
    let sidecar = case.root().join("sidecar/x");
    fs::create_dir_all(sidecar.join("lib")).unwrap();
    fs::copy(host, sidecar.join("x.exe")).unwrap();
    fs::write(sidecar.join("lib/a $1 {b}.py"), "pass\n").unwrap();
    program(case, "app/WebView2Loader.dll");
    let libraries = ["WebView2Loader.dll"];
    let host = serde_json::json!({ "main": "small.exe", "others": [], "libraries": libraries });
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
        the package holds no WebView2Loader.dll
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
