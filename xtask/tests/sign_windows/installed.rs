//! Setup programs made for real, installed by wine without a window, updated, and removed.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{config::BundleKind, steps::bundle::Installer};
use xtask_practice::tools;

use super::{
    bundler,
    nsis::Made,
    wine::{self, Wine},
};

/// A setup program and the Windows that it is tried in.
struct Trial {
    made: Made,
    installer: Installer,
    setup: PathBuf,
    /// Of a version that has a file less.
    newer: PathBuf,
    /// What makes it silent, and its uninstaller.
    silent: &'static [&'static str],
    /// Where the app lies below the local application data.
    folder: &'static str,
    uninstaller: &'static str,
    /// Its name among the installed apps.
    key: &'static str,
    wine: Wine,
}

impl Trial {
    fn run(&self, program: &Path, more: &[&str]) -> i32 {
        let program = [program.to_str().unwrap()];
        self.wine.run(&[&program, self.silent, more].concat()).0
    }

    fn install(&self) {
        assert_eq!(self.run(&self.setup, &[]), 0, "it installs");
    }

    /// The uninstaller goes on in a copy of itself.
    fn uninstall(&self, more: &[&str], gone: &str) {
        self.run(&self.app().join(self.uninstaller), more);
        self.wine
            .wait_until_gone(&self.app().join(self.uninstaller));
        self.wine.wait_until_gone(&self.app().join(gone));
    }

    fn app(&self) -> PathBuf {
        self.wine.local().join(self.folder)
    }

    fn data(&self) -> PathBuf {
        self.wine.local().join("com.example.small")
    }

    fn program(&self, name: &str) -> String {
        self.app().join(name).to_str().unwrap().to_owned()
    }

    fn added(&self, expected: Expect) {
        let added = self.wine.added();
        expected.assert_eq(&added.keys().map(|it| format!("{it}\n")).collect::<String>());
    }

    /// What lies there is what was built, and signed.
    fn is_what_was_built(&self) {
        let added = self.wine.added();
        for content in &self.installer.contents {
            let at = format!("AppData/Local/{}/{}", self.folder, content.path);
            assert_eq!(added.get(&at), Some(&content.sha256), "{at}");
        }
        let library = "WebView2Loader.dll";
        for file in ["small.exe", "sidecars/x/x.exe", library, self.uninstaller] {
            let read = self.made.case.read(&self.app().join(file));
            let [signed] = &*read else {
                panic!("{file}: {read:?}")
            };
            let signer = signed.signer.as_deref();
            assert_eq!(signer, Some("Practice Publisher"), "{file}");
            assert_eq!(signed.problems, [""; 0], "{file}");
        }
    }

    /// Starts a program of the app, and waits until it says that it is ready.
    fn start(&self, name: &str) -> Child {
        let program = self.program(name);
        let mut running = self.wine.command(&[&program, "60"]);
        let mut running = running.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(running.stdout.as_mut().unwrap());
        said.read_line(&mut String::new()).unwrap();
        running
    }

    /// A newer one over it, while programs of it run, such as a sidecar that lost its host. Of the older
    /// one's files nothing stays.
    fn is_updated_while(&self, programs: &[&str], marker: &str) {
        fs::write(self.data().join("settings.json"), "{}").unwrap();
        let running: Vec<_> = programs.iter().map(|it| (it, self.start(it))).collect();
        assert_eq!(self.run(&self.newer, &[]), 0, "it installs");
        for (name, mut child) in running {
            assert!(child.try_wait().unwrap().is_some(), "{name} was closed");
        }
        let said = self.wine.run(&[&self.program("small.exe")]).1;
        assert_eq!(said, format!("READY {marker}\n"));
        assert!(!self.app().join("sidecars/x/lib").exists());
        assert!(self.data().join("settings.json").exists());
    }

    /// What is the user's stays, and goes if that is said.
    fn is_removed(&self, kept: Expect) {
        fs::write(self.app().join("mine.txt"), "of the user\n").unwrap();
        // NSIS' uninstaller has the same code as its setup for that.
        let running = self
            .uninstaller
            .starts_with("unins0")
            .then(|| self.start("small.exe"));
        self.uninstall(&[], "sidecars");
        if let Some(mut running) = running {
            assert!(running.try_wait().unwrap().is_some(), "the app was closed");
        }
        self.added(kept);
        assert_eq!(self.wine.registered(self.key), "");
        fs::remove_file(self.app().join("mine.txt")).unwrap();
        self.install();
        self.uninstall(&["/REMOVEDATA"], "");
        self.wine.wait_until_gone(&self.data());
        let left: Vec<String> = self.wine.added().into_keys().collect();
        assert_eq!(left, [""; 0], "nothing is left");
    }
}

/// Makes the setup program and signs it; what is said of that.
fn made(kind: BundleKind, wine: Wine, compiler: Option<[String; 2]>) -> Option<(Trial, String)> {
    let mut made = Made::new(kind)?;
    let mut release = bundler::release(&made.case);
    release.config.bundle.windows_installer.inno_compiler = compiler.map(Vec::from);
    let bundle = |made: &Made, name: &str| {
        let (installer, out, said) = made.bundle(&release);
        assert_eq!(installer.gap, None);
        let setup = made.case.root().join(name);
        fs::rename(out.path().join(&installer.file), &setup).unwrap();
        (installer, setup, said)
    };
    let (installer, setup, said) = bundle(&made, "setup.exe");
    let signer = release.windows.as_ref().unwrap();
    signer.sign_anew(&made.case, &setup).unwrap();
    made.code.artifacts.retain(|it| !it.path.contains("/lib/"));
    let (_, newer, _) = bundle(&made, "newer.exe");
    let is_nsis = kind == BundleKind::Nsis;
    let trial = Trial {
        made,
        installer,
        setup,
        newer,
        silent: match is_nsis {
            true => &["/S"],
            false => &["/VERYSILENT", "/SUPPRESSMSGBOXES", "/NORESTART"],
        },
        folder: if is_nsis { "small" } else { r"Programs/small" },
        uninstaller: if is_nsis {
            "uninstall.exe"
        } else {
            "unins000.exe"
        },
        key: match is_nsis {
            true => "small",
            false => "{d361e748-f3f3-50e1-81c9-6f4a26cd1cce}_is1",
        },
        wine,
    };
    Some((trial, said))
}

#[test]
fn slow_what_nsis_made_here_installs_and_leaves_nothing() {
    if !tools::have(&["makensis", "7zz", "wine", "x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let Some((trial, said)) = made(BundleKind::Nsis, Wine::new(), None) else {
        return;
    };
    expect![[r#"
        note: the host is signed again for nsis: the kind of package stands in it
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.windows-installer.webview2` packs what installs it)
    "#]].assert_eq(&said);
    trial.install();
    trial.added(expect![[r#"
        AppData/Local/small/WebView2Loader.dll
        AppData/Local/small/sidecars/x/lib/a $1 {b}.py
        AppData/Local/small/sidecars/x/x.exe
        AppData/Local/small/small.exe
        AppData/Local/small/uninstall.exe
        AppData/Roaming/Microsoft/Windows/Start Menu/Programs/small.lnk
    "#]]);
    expect![[r#"
        DisplayIcon REG_SZ "C:\users\somebody\AppData\Local\small\small.exe"
        DisplayName REG_SZ small
        DisplayVersion REG_SZ 0.1.0
        InstallLocation REG_SZ C:\users\somebody\AppData\Local\small
        NoModify REG_DWORD 0x1
        NoRepair REG_DWORD 0x1
        Publisher REG_SZ example
        QuietUninstallString REG_SZ "C:\users\somebody\AppData\Local\small\uninstall.exe" /S
        UninstallString REG_SZ "C:\users\somebody\AppData\Local\small\uninstall.exe"
    "#]]
    .assert_eq(&trial.wine.registered(trial.key));
    trial.is_what_was_built();
    let host = trial.program("small.exe");
    assert_eq!(trial.wine.run(&[&host]), (7, "READY NSS\n".to_owned()));
    trial.is_updated_while(&["small.exe", "sidecars/x/x.exe"], "NSS");
    trial.is_removed(expect![[r#"
        AppData/Local/com.example.small/settings.json
        AppData/Local/small/mine.txt
    "#]]);
}

#[test]
fn slow_what_inno_setup_made_here_installs_and_leaves_nothing() {
    if !tools::have(&["x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let (Some(iscc), Some(wine)) = (wine::iscc(), Wine::for_32_bits()) else {
        return;
    };
    let compiler = [wine.script(), iscc].map(|it| it.to_str().unwrap().to_owned());
    let Some((trial, said)) = made(BundleKind::Inno, wine, Some(compiler)) else {
        return;
    };
    expect![[r#"
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.windows-installer.webview2` packs what installs it)
    "#]].assert_eq(&said);
    trial.install();
    trial.added(expect![[r#"
        AppData/Local/Programs/small/WebView2Loader.dll
        AppData/Local/Programs/small/sidecars/x/lib/a $1 {b}.py
        AppData/Local/Programs/small/sidecars/x/x.exe
        AppData/Local/Programs/small/small.exe
        AppData/Local/Programs/small/unins000.dat
        AppData/Local/Programs/small/unins000.exe
        AppData/Local/Programs/small/unins000.msg
        AppData/Roaming/Microsoft/Windows/Start Menu/Programs/small.lnk
    "#]]);
    expect![[r#"
        DisplayIcon REG_SZ C:\users\somebody\AppData\Local\Programs\small\small.exe
        DisplayName REG_SZ small
        DisplayVersion REG_SZ 0.1.0
        Inno Setup: App Path REG_SZ C:\users\somebody\AppData\Local\Programs\small
        Inno Setup: Deselected Tasks REG_SZ desktop
        Inno Setup: Icon Group REG_SZ (Default)
        Inno Setup: Language REG_SZ english
        Inno Setup: Selected Tasks REG_SZ
        Inno Setup: Setup Version REG_SZ 6.4.1
        Inno Setup: User REG_SZ somebody
        InstallLocation REG_SZ C:\users\somebody\AppData\Local\Programs\small\
        MajorVersion REG_DWORD 0x0
        MinorVersion REG_DWORD 0x1
        NoModify REG_DWORD 0x1
        NoRepair REG_DWORD 0x1
        Publisher REG_SZ example
        QuietUninstallString REG_SZ "C:\users\somebody\AppData\Local\Programs\small\unins000.exe" /SILENT
        UninstallString REG_SZ "C:\users\somebody\AppData\Local\Programs\small\unins000.exe"
        VersionMajor REG_DWORD 0x0
        VersionMinor REG_DWORD 0x1
    "#]].assert_eq(&trial.wine.registered(trial.key));
    trial.is_what_was_built();
    let host = trial.program("small.exe");
    assert_eq!(trial.wine.run(&[&host]), (7, "READY UNK\n".to_owned()));
    trial.is_updated_while(&["small.exe"], "UNK");
    trial.is_removed(expect![[r#"
        AppData/Local/Programs/small/mine.txt
        AppData/Local/com.example.small/settings.json
    "#]]);
}
