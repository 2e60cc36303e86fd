//! A machine that is made of stand-in programs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use expect_test::Expect;
use semver::Version;
use tempfile::TempDir;
use xtask::{
    config::{Freezer, LinuxSigning, PackageManager},
    engine::{
        event::{Event, Events, Reporter, Stamped},
        exec::{Exec, quiet},
        orphans::Orphans,
        probe::Probes,
        secret::Redactor,
    },
    preflight::{Doctor, Finding, Needs, PythonNeed, Report},
    tools::packages::{Manager, System},
};

const DEBIAN: System = System {
    manager: Some(Manager::Apt),
    sudo: false,
};

/// A machine and a repository that wants everything of it.
pub struct Machine {
    pub dir: TempDir,
    pub needs: Needs,
    pub system: System,
}

impl Machine {
    pub fn new() -> Self {
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
            installers: Vec::new(),
            appimage: None,
            appimage_sha256: Vec::new(),
            gpg: true,
            code: None,
            publisher: true,
            signed_packages: LinuxSigning {
                deb: false,
                rpm: false,
            },
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
    pub fn complete() -> Self {
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

    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    pub fn lacks(&self, name: &str) {
        fs::remove_file(self.bin().join(name)).unwrap();
    }

    pub fn has(&self, name: &str, script: &str) {
        self.program(&self.bin(), name, script);
    }

    /// A child writes the file: while this process had it open, a process started by another test
    /// would hold it open too, and the system refuses to run a file that is open for writing.
    pub fn program(&self, folder: &Path, name: &str, script: &str) {
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
    pub fn has_python(&self, name: &str, version: &str) {
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

    pub fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.dir.path().join("calls"));
        calls.unwrap_or_default().lines().count()
    }

    pub fn with<T>(&self, use_it: impl FnOnce(&Doctor) -> T) -> T {
        let file = self.dir.path().join("probes.v1.json");
        let doctor = Doctor {
            needs: &self.needs,
            system: self.system,
            probes: &Probes::open(file).search_in(self.bin()),
        };
        use_it(&doctor)
    }

    pub fn report(&self) -> Report {
        self.with(|doctor| doctor.check())
    }

    pub fn fix(&self, seen: &Seen) -> anyhow::Result<Report> {
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

    pub fn log(&self) -> PathBuf {
        self.dir.path().join("logs/doctor.log")
    }

    /// The findings, and what the report says below its table.
    pub fn shows(&self, report: &Report, only_problems: bool, expected: Expect) {
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
pub fn line(finding: &Finding) -> String {
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
pub struct Seen(pub Arc<Mutex<Vec<Event>>>);

impl Reporter for Seen {
    fn report(&mut self, event: &Stamped) {
        self.0.lock().unwrap().push(event.event.clone());
    }
}
