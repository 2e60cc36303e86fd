//! The preflight check on machines that are made of stand-in programs: PATH is one folder, and
//! each program in it counts its calls.
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use expect_test::{Expect, expect};
use semver::Version;
use tempfile::TempDir;
use xtask::{
    config::{BundleKind, Freezer, PackageManager, PythonVersion},
    engine::{
        event::{Event, Events, Level, Reporter, Stamped},
        exec::{CommandFailed, Exec, quiet},
        orphans::Orphans,
        probe::Probes,
        secret::Redactor,
    },
    preflight::{Doctor, Finding, Needs, PythonNeed, Report, table},
    tools::packages::{Manager, System},
};

const DEBIAN: System = System {
    manager: Some(Manager::Apt),
    sudo: false,
};

/// A machine and a repository that wants everything of it.
struct Machine {
    dir: TempDir,
    needs: Needs,
    system: System,
}

impl Machine {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::create_dir(dir.path().join("repository")).unwrap();
        let root = dir.path().join("repository");
        let needs = Needs {
            target: "linux".parse().unwrap(),
            node: true,
            packages: Some((PackageManager::Npm, root.clone())),
            app: root.clone(),
            rust: Version::new(1, 80, 0),
            tauri: None,
            pythons: vec![PythonNeed {
                wanted: None,
                freezers: vec![Freezer::Nuitka, Freezer::Pyinstaller],
            }],
            bundle: Vec::new(),
            gpg: true,
            for_tests: false,
            disk: None,
            root,
        };
        Self {
            dir,
            needs,
            system: DEBIAN,
        }
    }

    /// One that has all it needs.
    fn complete() -> Self {
        let machine = Self::new();
        let answers = [
            ("node", "v20.19.4"),
            ("npm", "10.8.2"),
            ("cargo", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"),
            ("rustc", "rustc 1.95.0 (59807616e 2026-04-14)"),
            ("cc", "cc (Debian 12.2.0-14) 12.2.0"),
            ("pkg-config", "2.48.3"),
            ("objcopy", ""),
            ("ccache", "ccache version 4.7.5"),
            ("gpg", ""),
            ("git", ""),
        ];
        for (name, answer) in answers {
            machine.has(name, &format!("echo '{answer}'"));
        }
        machine.has_python("python3", "3.11.2");
        machine
    }

    fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    fn lacks(&self, name: &str) {
        fs::remove_file(self.bin().join(name)).unwrap();
    }

    fn has(&self, name: &str, script: &str) {
        self.program(&self.bin(), name, script);
    }

    /// A child writes the file: while this process had it open, a process started by another test
    /// would hold it open too, and the system refuses to run a file that is open for writing.
    fn program(&self, folder: &Path, name: &str, script: &str) {
        let calls = self.dir.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho {name} >> '{}'\n{script}\n",
            calls.display()
        );
        let write = r#"printf '%s' "$1" > "$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0""#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", write]).arg(folder.join(name)).arg(text);
        assert!(quiet(command).unwrap().0);
    }

    /// A Python with all its parts.
    fn has_python(&self, name: &str, version: &str) {
        let lib = self.dir.path().join("lib").join(version);
        fs::create_dir_all(&lib).unwrap();
        let (venv, headers) = (lib.join("ensurepip.py"), lib.join("Python.h"));
        fs::write(&venv, "").unwrap();
        fs::write(&headers, "").unwrap();
        let (venv, headers) = (venv.display(), headers.display());
        self.has(
            name,
            &format!(r"printf '%s\t%s\t%s\n' {version} '{venv}' '{headers}'"),
        );
    }

    fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.dir.path().join("calls"));
        calls.unwrap_or_default().lines().count()
    }

    fn with<T>(&self, use_it: impl FnOnce(&Doctor) -> T) -> T {
        let file = self.dir.path().join("probes.v1.json");
        let doctor = Doctor {
            needs: &self.needs,
            system: self.system,
            probes: &Probes::open(file).search_in(self.bin()),
        };
        use_it(&doctor)
    }

    fn report(&self) -> Report {
        self.with(|doctor| doctor.check())
    }

    fn fix(&self, seen: &Seen) -> anyhow::Result<Report> {
        let exec = Exec {
            root: self.needs.root.clone(),
            events: Events::new(vec![Box::new(seen.clone())]),
            redactor: Redactor::default(),
            interrupted: Arc::default(),
            withheld: Vec::new(),
            orphans: Orphans::new(self.dir.path().join("running")),
            timeout: Duration::from_secs(30),
        };
        self.with(|doctor| doctor.fix(&exec, self.log()))
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("logs/doctor.log")
    }

    /// The findings, and what the report says below its table.
    fn shows(&self, report: &Report, only_problems: bool, expected: Expect) {
        let shown = report
            .findings
            .iter()
            .filter(|it| !only_problems || it.problem.is_some());
        let mut text: String = shown.map(line).collect();
        if let Some((_, below)) = report.text().split_once("\n\n") {
            text += &format!("\n{below}");
        }
        expected.assert_eq(&text.replace(&*self.dir.path().to_string_lossy(), "DIR"));
    }
}

/// Not the table itself: at a terminal it follows the terminal's width.
fn line(finding: &Finding) -> String {
    let text = |it: &Option<String>| it.clone().unwrap_or("-".into());
    let fix = finding.fix.as_ref().map(ToString::to_string);
    let (tool, wanted_for) = (&finding.tool, finding.wanted_for);
    let (found, problem) = (text(&finding.found), text(&finding.problem));
    format!(
        "{tool} | {wanted_for} | {found} | {problem} | {}\n",
        text(&fix)
    )
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl Reporter for Seen {
    fn report(&mut self, event: &Stamped) {
        self.0.lock().unwrap().push(event.event.clone());
    }
}

#[test]
fn an_empty_machine_needs_everything() {
    let mut machine = Machine::new();
    machine.needs.for_tests = true;
    let report = machine.report();
    assert!(!report.ok());
    machine.shows(&report, false, expect![[r#"
        node | frontend | - | missing | install nodejs
        npm | frontend | - | missing | install npm
        cargo | app | - | missing | install Rust with rustup: see rustup.rs
        rustc | app | - | missing | install Rust with rustup: see rustup.rs
        cc | app, sidecar | - | missing | install build-essential
        pkg-config | app | - | missing | install pkg-config
        webkit2gtk-4.1 | app | - | unknown without pkg-config | install libwebkit2gtk-4.1-dev
        python3 | sidecar | - | missing | install python3 python3-venv python3-dev
        objcopy | sidecar | - | missing | install binutils
        ccache | sidecar | - | - | install ccache
        gpg | sign | - | missing | install gnupg
        git | seal | - | missing | install git
        Xvfb | tests | - | missing | install xvfb
        xvfb-run | tests | - | missing | install xvfb
        xauth | tests | - | missing | install xauth
        dbus-run-session | tests | - | missing | install dbus
        dpkg | tests | - | missing | install dpkg
        rpm | tests | - | missing | install rpm
        minisign | tests | - | missing | install minisign
        import | tests | - | missing | install imagemagick
        xdotool or xprop | tests | - | missing | install xdotool
        mksquashfs | tests | - | - | install squashfs-tools
        rpmbuild | tests | - | - | install rpm
        7zz | tests | - | - | install 7zip
        makensis | tests | - | - | install nsis
        msiextract | tests | - | - | install msitools
        wixl | tests | - | - | install wixl
        xorriso | tests | - | - | install xorriso
        patchelf | tests | - | - | install patchelf

        Install what is missing (or: cargo xtask doctor --fix):
          apt-get update && apt-get install -y --no-install-recommends nodejs npm build-essential pkg-config libwebkit2gtk-4.1-dev python3 python3-venv python3-dev binutils gnupg git xvfb xauth dbus dpkg rpm minisign imagemagick xdotool

        Recommended:
          apt-get update && apt-get install -y --no-install-recommends ccache squashfs-tools rpm 7zip nsis msitools wixl xorriso patchelf

        By hand:
          install Rust with rustup: see rustup.rs
    "#]]);
    let table = table(&report.findings);
    assert!(table.starts_with("tool "), "{table}");
    assert!(
        report
            .findings
            .iter()
            .all(|it| table.contains(it.tool.split(' ').next().unwrap()))
    );
}

#[test]
fn an_unknown_system_gets_words_instead_of_packages() {
    let mut machine = Machine::new();
    machine.system.manager = None;
    machine.shows(&machine.report(), true, expect![[r#"
        node | frontend | - | missing | install Node.js
        npm | frontend | - | missing | install npm
        cargo | app | - | missing | install Rust with rustup: see rustup.rs
        rustc | app | - | missing | install Rust with rustup: see rustup.rs
        cc | app, sidecar | - | missing | install a C compiler
        pkg-config | app | - | missing | install pkg-config
        webkit2gtk-4.1 | app | - | unknown without pkg-config | install WebKitGTK 4.1 with its headers
        python3 | sidecar | - | missing | install Python 3.9 or newer: see python.org, or use pyenv
        objcopy | sidecar | - | missing | install objcopy
        gpg | sign | - | missing | install GnuPG
        git | seal | - | missing | install git

        By hand:
          install GnuPG
          install Node.js
          install Python 3.9 or newer: see python.org, or use pyenv
          install Rust with rustup: see rustup.rs
          install WebKitGTK 4.1 with its headers
          install a C compiler
          install git
          install npm
          install objcopy
          install pkg-config
    "#]]);
}

#[test]
fn a_complete_machine_is_asked_once() {
    let machine = Machine::complete();
    let report = machine.report();
    assert!(report.ok(), "{}", report.text());
    machine.shows(
        &report,
        false,
        expect![[r#"
            node | frontend | 20.19.4 | - | -
            npm | frontend | 10.8.2 | - | -
            cargo | app | 1.95.0 | - | -
            rustc | app | 1.95.0 | - | -
            cc | app, sidecar | 12.2.0 | - | -
            pkg-config | app | DIR/bin/pkg-config | - | -
            webkit2gtk-4.1 | app | 2.48.3 | - | -
            python3 | sidecar | 3.11.2 | - | -
            python3 venv | sidecar | 3.11.2 | - | -
            python3 headers | sidecar | 3.11.2 | - | -
            objcopy | sidecar | DIR/bin/objcopy | - | -
            ccache | sidecar | 4.7.5 | - | -
            gpg | sign | DIR/bin/gpg | - | -
            git | seal | DIR/bin/git | - | -
        "#]],
    );
    let calls = machine.calls();
    assert_eq!(machine.report().findings, report.findings);
    assert_eq!(machine.calls(), calls, "the second look runs nothing");

    machine.has("node", "echo v22.0.0");
    let report = machine.report();
    assert!(
        report
            .findings
            .iter()
            .any(|it| it.found.as_deref() == Some("22.0.0"))
    );
    assert_eq!(
        machine.calls(),
        calls + 1,
        "only what changed is asked again"
    );
}

#[test]
fn what_is_too_old_is_a_problem() {
    let machine = Machine::complete();
    machine.has("node", "echo v16.20.2");
    machine.has("rustc", "echo 'rustc 1.79.0 (129f3b996 2024-06-10)'");
    machine.has("rustup", "");
    machine.has_python("python3", "3.8.10");
    machine.shows(&machine.report(), true, expect![[r#"
        node | frontend | 16.20.2 | too old: 18 is needed | install a newer Node.js: see nodejs.org, or use nvm, fnm or volta
        rustc | app | 1.79.0 | too old: 1.80 is needed | rustup update
        python3 | sidecar | 3.8.10 | too old: 3.9 is needed | install Python 3.9 or newer: see python.org, or use pyenv

        By hand:
          install Python 3.9 or newer: see python.org, or use pyenv
          install a newer Node.js: see nodejs.org, or use nvm, fnm or volta
          rustup update
    "#]]);
}

#[test]
fn what_is_broken_says_how() {
    let machine = Machine::complete();
    machine.has("npm", "echo 'Cannot find module semver' >&2; exit 1");
    machine.has(
        "pkg-config",
        "echo 'No package webkit2gtk-4.1 found' >&2; exit 1",
    );
    machine.shows(
        &machine.report(),
        true,
        expect![[r#"
        npm | frontend | - | `npm --version` failed: Cannot find module semver | install npm
        webkit2gtk-4.1 | app | - | missing | install libwebkit2gtk-4.1-dev

        Install what is missing (or: cargo xtask doctor --fix):
          apt-get update && apt-get install -y --no-install-recommends npm libwebkit2gtk-4.1-dev
    "#]],
    );
}

#[test]
fn python_comes_in_parts() {
    let mut machine = Machine::complete();
    assert!(machine.report().ok());
    let lib = machine.dir.path().join("lib/3.11.2");
    fs::remove_file(lib.join("ensurepip.py")).unwrap();
    fs::remove_file(lib.join("Python.h")).unwrap();
    let calls = machine.calls();
    machine.shows(&machine.report(), true, expect![[r#"
        python3 venv | sidecar | - | missing | reinstall Python 3.11.2: this one came without Python's venv and ensurepip
        python3 headers | sidecar | - | missing | reinstall Python 3.11.2: this one came without Python's C headers

        By hand:
          reinstall Python 3.11.2: this one came without Python's C headers
          reinstall Python 3.11.2: this one came without Python's venv and ensurepip
    "#]]);
    assert_eq!(machine.calls(), calls, "seen without running Python");

    machine.has("uv", "");
    machine.needs.pythons[0].freezers = vec![Freezer::Pyinstaller];
    assert!(
        machine.report().ok(),
        "uv needs no venv, PyInstaller no headers"
    );
}

#[test]
fn a_python_that_cannot_import_venv_is_asked_again() {
    let machine = Machine::complete();
    let facts = machine.dir.path().join("lib/3.11.2");
    let facts = facts.display();
    let print = format!(r"printf '%s\t%s\t%s\n' 3.11.2 '{facts}/ensurepip.py' '{facts}/Python.h'");
    machine.has(
        "python3",
        &format!("{print}; echo 'No module named _ctypes' >&2; exit 1"),
    );
    for _ in 0..2 {
        let report = machine.report();
        let problems: Vec<_> = report
            .findings
            .iter()
            .filter(|it| it.problem.is_some())
            .collect();
        assert_eq!(problems.len(), 1, "{}", report.text());
        assert_eq!(problems[0].tool, "python3 venv");
    }
}

#[test]
fn the_wanted_python_comes_first() {
    let mut machine = Machine::complete();
    machine.needs.pythons[0].wanted = Some(PythonVersion {
        major: 3,
        minor: 12,
    });
    machine.shows(&machine.report(), true, expect![[r#"
        python3.12 | sidecar | 3.11.2 | 3.12 is wanted by dist.toml | uv python install 3.12, or pyenv install 3.12

        By hand:
          uv python install 3.12, or pyenv install 3.12
    "#]]);
    machine.has_python("python3.12", "3.12.4");
    assert!(machine.report().ok());
}

#[test]
fn without_sidecar_python_is_not_wanted() {
    let mut machine = Machine::new();
    machine.needs.pythons.clear();
    let report = machine.report();
    assert!(
        report
            .findings
            .iter()
            .all(|it| !it.wanted_for.contains("sidecar") || it.tool == "cc")
    );
    assert!(!report.command().unwrap().contains("python"));
}

#[test]
fn another_architecture_needs_its_standard_library() {
    let mut machine = Machine::complete();
    let triple = if cfg!(target_arch = "x86_64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    };
    machine.needs.target = triple.parse().unwrap();
    let std = machine.dir.path().join("std");
    let version = "rustc 1.95.0 (59807616e 2026-04-14)";
    let script = format!(
        "case $1 in --print) echo '{}';; *) echo '{version}';; esac",
        std.display()
    );
    machine.has("rustc", &script);
    let problem = |report: &Report| {
        let mut problems = report.findings.iter().filter(|it| it.problem.is_some());
        problems.next().map(|it| line(it).replace(triple, "T"))
    };
    let expected = "rust-std T | app | - | missing | rustup target add T\n";
    assert_eq!(problem(&machine.report()).as_deref(), Some(expected));
    fs::create_dir(&std).unwrap();
    assert_eq!(problem(&machine.report()), None);
}

#[test]
fn another_system_cannot_be_built_for() {
    let mut machine = Machine::new();
    machine.needs.target = "windows".parse().unwrap();
    machine.shows(&machine.report(), false, expect![[r#"
        target windows | app | - | cannot be built on Linux | run `cargo xtask dist --target windows` on Windows

        By hand:
          run `cargo xtask dist --target windows` on Windows
    "#]]);
}

#[test]
fn too_little_room_is_a_problem() {
    let mut machine = Machine::complete();
    machine.needs.disk = Some(machine.dir.path().join("not/yet/there"));
    machine.has(
        "df",
        "echo head; echo /dev/sda1 61255492 31000000 1048576 50% /",
    );
    machine.shows(
        &machine.report(),
        true,
        expect![[r#"
        disk space | all steps | 1.0 GiB | 6.0 GiB are needed | make room for DIR/not/yet/there

        By hand:
          make room for DIR/not/yet/there
    "#]],
    );
    machine.has(
        "df",
        "echo head; echo /dev/sda1 61255492 31000000 8388608 50% /",
    );
    assert!(machine.report().ok());
}

/// A machine without objcopy and gpg, and an apt-get that installs what stands in `archive`.
fn repairable() -> Machine {
    let machine = Machine::complete();
    let archive = machine.dir.path().join("archive");
    for (package, program) in [("binutils", "objcopy"), ("gnupg", "gpg")] {
        fs::remove_file(machine.bin().join(program)).unwrap();
        let folder = archive.join(package);
        fs::create_dir_all(&folder).unwrap();
        machine.program(&folder, program, "");
    }
    let (archive, bin) = (
        archive.display().to_string(),
        machine.bin().display().to_string(),
    );
    machine.has(
        "apt-get",
        &format!(
            r#"echo "apt-get $*"
for package in "$@"; do
  if [ -d '{archive}'/$package ]; then /bin/cp -p '{archive}'/$package/* '{bin}'; fi
done"#
        ),
    );
    machine
}

#[test]
fn fix_installs_and_looks_again() {
    let machine = repairable();
    let seen = Seen::default();
    let report = machine.fix(&seen).unwrap();
    assert!(report.ok(), "{}", report.text());
    let log = fs::read_to_string(machine.log()).unwrap();
    assert!(log.contains("\napt-get update\n"), "{log}");
    let install = "\napt-get install -y --no-install-recommends binutils gnupg\n";
    assert!(log.contains(install), "{log}");
    let events = seen.0.lock().unwrap();
    assert!(matches!(&events[0], Event::StepStarted { why, .. } if why == "binutils gnupg"));
    assert!(matches!(events.last(), Some(Event::StepFinished { .. })));
    let said =
        |it: &Event| matches!(it, Event::CommandOutput { line, .. } if line.contains("update"));
    assert!(events.iter().any(said));
}

#[test]
fn fix_that_fails_names_the_command() {
    let machine = repairable();
    machine.has("apt-get", "echo \"E: no network for $1\" >&2; exit 100");
    let seen = Seen::default();
    let error = machine.fix(&seen).unwrap_err();
    let text = format!("{error:#}").replace(&*machine.dir.path().to_string_lossy(), "DIR");
    expect![[r#"
        the packages were not installed
        hint: type it yourself: apt-get update && apt-get install -y --no-install-recommends binutils gnupg: `DIR/bin/apt-get` failed: exit status: 100"#]].assert_eq(&text);
    let failed = error.downcast_ref::<CommandFailed>().unwrap();
    assert_eq!(
        failed.tail,
        ["E: no network for update"],
        "the install is not tried"
    );
    assert_eq!(failed.log, machine.log());
    let events = seen.0.lock().unwrap();
    assert!(matches!(events.last(), Some(Event::StepFailed { .. })));
}

/// What looks into the installers that are made, by any of its names.
#[test]
fn what_looks_into_installers_is_recommended() {
    let mut machine = Machine::complete();
    machine.needs.bundle = vec![BundleKind::Deb, BundleKind::Rpm, BundleKind::Appimage];
    machine.has("rpm", "");
    let check = |machine: &Machine, expected: Expect| {
        let report = machine.report();
        assert!(report.ok(), "{}", report.text());
        let of_bundle = report
            .findings
            .iter()
            .filter(|it| it.wanted_for == "bundle");
        let lines = of_bundle.map(line).collect::<String>();
        expected.assert_eq(&lines.replace(machine.bin().to_str().unwrap(), "[BIN]"));
    };
    check(
        &machine,
        expect![[r#"
        rpm | bundle | [BIN]/rpm | - | -
        rpm2archive | bundle | - | - | install rpm
        unsquashfs | bundle | - | - | install squashfs-tools
    "#]],
    );
    machine.needs.bundle = vec![BundleKind::Nsis, BundleKind::Dmg];
    check(
        &machine,
        expect![[r#"
        7zz | bundle | - | - | install 7zip
    "#]],
    );
    machine.has("7z", "");
    check(
        &machine,
        expect![[r#"
        7zz | bundle | [BIN]/7z | - | -
    "#]],
    );
}

/// What only saves time is installed too, but stops nobody.
#[test]
fn what_is_recommended_never_blocks() {
    let machine = Machine::complete();
    machine.lacks("ccache");
    let report = machine.report();
    assert!(report.ok(), "{}", report.text());
    let recommended = report.findings.iter().filter(|it| it.tool == "ccache");
    let recommended: String = recommended.map(line).collect();
    expect![[r#"
        ccache | sidecar | - | - | install ccache
    "#]]
    .assert_eq(&recommended);
    assert!(report.text().ends_with(
        "\nRecommended:\n  \
         apt-get update && apt-get install -y --no-install-recommends ccache\n"
    ));

    machine.has("apt-get", "echo 'E: no network' >&2; exit 100");
    let seen = Seen::default();
    assert!(machine.fix(&seen).unwrap().ok());
    let warned = |it: &Event| match it {
        Event::Note { level, text, .. } => *level == Level::Warning && text.contains("recommended"),
        _ => false,
    };
    assert!(seen.0.lock().unwrap().iter().any(warned));

    let ccache = "printf '#!/bin/sh\\necho ccache version 4.7.5\\n' > ";
    let bin = machine.bin();
    machine.has(
        "apt-get",
        &format!(
            "{ccache}'{0}/ccache'; /bin/chmod 755 '{0}/ccache'",
            bin.display()
        ),
    );
    let report = machine.fix(&Seen::default()).unwrap();
    let found = report.findings.iter().find(|it| it.tool == "ccache");
    assert_eq!(found.unwrap().found.as_deref(), Some("4.7.5"));
}

#[test]
fn fix_never_waits_for_a_password() {
    let mut machine = repairable();
    machine.system.sudo = true;
    machine.has("sudo", r#"[ "$1" = -n ] && shift && exec "$@""#);
    assert!(
        machine
            .report()
            .text()
            .contains("\n  sudo apt-get update && sudo apt-get install")
    );
    assert!(machine.fix(&Seen::default()).unwrap().ok());
}

#[test]
fn fix_leaves_alone_what_is_to_be_done_by_hand() {
    let machine = Machine::complete();
    machine.has("node", "echo v16.20.2");
    let report = machine.fix(&Seen::default()).unwrap();
    assert!(!report.ok());
    assert!(!machine.log().exists());
}

#[test]
fn package_managers_come_from_node() {
    let mut machine = Machine::complete();
    let mut check = |manager, fix: &str| {
        machine.needs.packages = Some((manager, machine.needs.root.clone()));
        let report = machine.report();
        let mut fixes = report.findings.iter().filter_map(|it| it.fix.as_ref());
        assert_eq!(fixes.next().map(ToString::to_string).as_deref(), Some(fix));
    };
    check(PackageManager::Bun, "npm install -g bun");
    check(PackageManager::Pnpm, "npm install -g pnpm");
    let mut machine = machine;
    machine.has("corepack", "");
    machine.needs.packages = Some((PackageManager::Yarn, machine.needs.root.clone()));
    assert!(
        machine
            .report()
            .text()
            .contains("\nBy hand:\n  corepack enable yarn\n")
    );
}

/// What the configuration asks for, and nothing else.
#[test]
fn needs_follow_from_the_configuration() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("package.json", r#"{"scripts": {"build": "vite build"}}"#);
    write("pnpm-lock.yaml", "");
    write(
        "src-tauri/tauri.conf.json",
        r#"{"productName": "Plain", "version": "1.2.3", "identifier": "org.example.plain",
            "build": {"frontendDist": "../dist"}}"#,
    );
    write(
        "src-tauri/Cargo.toml",
        "[package]\nname = 'plain'\nversion = '0.0.0'\nrust-version = '1.77.2'",
    );
    let sidecars = ["3.11", "3.12", "3.11"]
        .iter()
        .enumerate()
        .map(|(at, python)| {
            write(&format!("sidecars/s{at}/main.py"), "");
            write(&format!("sidecars/s{at}/requirements.txt"), "");
            format!("[[sidecar]]\nname = 's{at}'\npython = '{python}'\n")
        });
    write("packaging/dist.toml", &sidecars.collect::<String>());
    let config = xtask::config::load(root, None).unwrap();
    let needs = Needs::of(&config, &"linux".parse().unwrap());
    assert_eq!(
        needs.packages,
        Some((PackageManager::Pnpm, root.to_owned()))
    );
    assert!(needs.node && !needs.gpg && !needs.for_tests && needs.disk.is_none());
    assert_eq!(needs.tauri.as_deref(), Some("cargo-tauri"));
    assert_eq!(needs.rust, Version::new(1, 77, 2));
    let wanted: Vec<_> = needs
        .pythons
        .iter()
        .map(|it| it.wanted.unwrap().minor)
        .collect();
    assert_eq!(wanted, [11, 12]);
}
