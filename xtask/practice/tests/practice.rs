//! Shows that what tests of signing rely on behaves as it says. The programs are called as a person
//! would at a terminal.

#![cfg(unix)]

#[path = "practice/apple.rs"]
mod apple;
#[path = "practice/notary.rs"]
mod notary;
#[path = "practice/stand_ins_documented.rs"]
mod stand_ins_documented;
#[path = "practice/windows.rs"]
mod windows;

use std::{path::Path, process::Command};

use expect_test::Expect;
use fs_err as fs;
use xtask_practice::{
    Notary, Pki, StandIns, Timestamps,
    specimens::{self, Kind},
    stand_ins::{APPLE_PASSWORD, Servers},
    tools,
};

/// Where the programs are called: the servers run, and the stand-ins come first on PATH.
struct Desk {
    pki: Pki,
    timestamps: Timestamps,
    notary: Notary,
    stand_ins: StandIns,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(programs: &[&str]) -> Option<Self> {
        if !tools::have(&[&["openssl", "python3"], programs].concat()) {
            return None;
        }
        let pki = Pki::shared().unwrap();
        let timestamps = Timestamps::start(&pki).unwrap();
        let notary = Notary::start(&pki).unwrap();
        let servers = Servers {
            notary: Some(&notary),
            timestamps: Some(&timestamps),
        };
        let stand_ins = StandIns::new(&pki, servers).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.exe"), specimens::pe()).unwrap();
        fs::write(
            folder.path().join("app"),
            specimens::macho(Kind::Program, 1),
        )
        .unwrap();
        fs::write(folder.path().join("app.dmg"), specimens::dmg()).unwrap();
        Some(Self {
            pki,
            timestamps,
            notary,
            stand_ins,
            folder,
        })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs shell commands; compares their status and what they print.
    #[track_caller]
    fn check(&self, script: &str, expect: &Expect) {
        let rcodesign = tools::rcodesign().unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(self.path());
        shell
            .env("PATH", self.stand_ins.path().unwrap())
            .env("PKI", self.pki.folder());
        shell
            .env("TSA", self.timestamps.url())
            .env("RCODESIGN", rcodesign);
        shell
            .env("APPLE_PASSWORD", APPLE_PASSWORD)
            .envs(self.notary.environment());
        let output = tools::output(&mut shell).unwrap();
        let mut text = format!("status {}\n", output.status.code().unwrap_or(-1));
        for stream in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(stream).lines() {
                text += &format!("{}\n", line.trim_end());
            }
        }
        let here = self.path().canonicalize().unwrap();
        let text = text.replace(&here.display().to_string(), "…");
        expect.assert_eq(&text.replace(&self.path().display().to_string(), "…"));
    }
}
