//! Programs that only Windows and macOS have, replaced by ones that keep to the documented
//! arguments and exit statuses, and do the real work with osslsigncode and rcodesign.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    notary::Notary,
    pki::{PASSWORD, Pki},
    timestamps::Timestamps,
    tools,
};

/// The programs, and what they share.
const FILES: [(&str, &str); 6] = [
    ("bin/signtool", include_str!("../bin/signtool")),
    ("bin/codesign", include_str!("../bin/codesign")),
    ("bin/xcrun", include_str!("../bin/xcrun")),
    ("bin/security", include_str!("../bin/security")),
    ("lib/practice.py", include_str!("../lib/practice.py")),
    ("lib/keychain.py", include_str!("../lib/keychain.py")),
];

/// How each program begins.
const INTERPRETER: &str = "#!/usr/bin/env python3";

/// The password of the Apple ID that the notarytool stand-in lets in.
pub const APPLE_PASSWORD: &str = "prac-tice-pass-word";

/// A folder of stand-ins with a state of their own: keychains, calls, bad days.
#[derive(Debug)]
pub struct StandIns {
    folder: TempDir,
}

/// How one call of a stand-in goes wrong, instead of doing its work.
#[derive(Clone, Debug, Serialize)]
pub struct BadDay {
    how: &'static str,
    /// None: it goes on after what it says.
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// How a stand-in was called.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    /// `signtool`, `codesign`, `xcrun`, `security`.
    pub tool: String,
    /// Without the program's name. Empty for a command that `security -i` read.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What `security -i` read, without its options.
    #[serde(default)]
    pub command: Option<String>,
}

impl BadDay {
    /// Ends with this status after this message on standard error.
    pub fn fails(status: i32, stderr: &str) -> Self {
        Self {
            how: "fails",
            status: Some(status),
            stdout: String::new(),
            stderr: format!("{stderr}\n"),
        }
    }

    /// Does nothing, for an hour.
    pub fn hangs() -> Self {
        Self {
            how: "hang",
            ..Self::fails(1, "")
        }
    }

    /// Complains on standard error, and does its work all the same.
    pub fn grumbles(stderr: &str) -> Self {
        Self {
            status: None,
            ..Self::fails(0, stderr)
        }
    }

    /// Claims success and does nothing.
    pub fn lies(stdout: &str) -> Self {
        Self {
            stdout: format!("{stdout}\n"),
            stderr: String::new(),
            ..Self::fails(0, "")
        }
    }
}

/// What the stand-ins work with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Servers<'a> {
    /// Whom notarytool and stapler talk to.
    pub notary: Option<&'a Notary>,
    /// Apple's timestamp server: that of `codesign --timestamp`.
    pub timestamps: Option<&'a Timestamps>,
}

impl StandIns {
    /// Puts them into a new folder, which goes with this.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(pki: &Pki, servers: Servers<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("stand-ins-").tempdir()?;
        let python = pki.python();
        // Systems cut long lines, and read a space as the end.
        let interpreter =
            match python.len() < 100 && python.starts_with('/') && !python.contains(' ') {
                // Without what the user has set and installed.
                true => format!("#!{python} -IS"),
                false => INTERPRETER.to_owned(),
            };
        for (name, text) in FILES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(&path, text.replacen(INTERPRETER, &interpreter, 1))?;
            executable(&path)?;
        }
        let settings = json!({
            "pki": pki.folder(),
            "rcodesign": tools::rcodesign(),
            "notary": servers.notary.map(Notary::url),
            "timestamps": servers.timestamps.map(Timestamps::url),
            "apple_password": APPLE_PASSWORD,
            "secrets": [PASSWORD, APPLE_PASSWORD],
            // In seconds, between two questions of `notarytool … wait`; and how long it waits for
            // an answer.
            "poll": 0.05,
            "network_timeout": 30,
        });
        fs::write(folder.path().join("settings.json"), settings.to_string())?;
        Ok(Self { folder })
    }

    /// Counts one more text as secret: none of the stand-ins may find it among its arguments.
    ///
    /// # Errors
    /// The disk's.
    pub fn guard(&self, secret: &str) -> Result<()> {
        self.change(|settings| {
            if let Some(all) = settings["secrets"].as_array_mut() {
                all.push(secret.into());
            }
        })
    }

    /// How long notarytool waits for an answer before it gives up, in seconds.
    ///
    /// # Errors
    /// The disk's.
    pub fn network_timeout(&self, seconds: f64) -> Result<()> {
        self.change(|settings| settings["network_timeout"] = seconds.into())
    }

    fn change(&self, how: impl FnOnce(&mut serde_json::Value)) -> Result<()> {
        let path = self.folder.path().join("settings.json");
        let mut settings = serde_json::from_str(&fs::read_to_string(&path)?)?;
        how(&mut settings);
        Ok(fs::write(path, settings.to_string())?)
    }

    /// The folder to put on PATH.
    pub fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// PATH with the stand-ins first.
    ///
    /// # Errors
    /// PATH cannot be joined.
    pub fn path(&self) -> Result<std::ffi::OsString> {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let all = [self.bin()].into_iter().chain(std::env::split_paths(&old));
        Ok(std::env::join_paths(all)?)
    }

    /// Where everything of theirs lies: `Keychains`, `calls.jsonl`, …
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How the next calls of a stand-in go, the first one first. Those after that go well.
    ///
    /// # Errors
    /// The disk's.
    pub fn bad_days(&self, tool: &str, days: &[BadDay]) -> Result<()> {
        let path = self.folder.path().join(format!("bad-{tool}.json"));
        Ok(fs::write(path, serde_json::to_string(days)?)?)
    }

    /// All calls until now, in order.
    ///
    /// # Errors
    /// The disk's.
    pub fn calls(&self) -> Result<Vec<Call>> {
        let text = fs::read_to_string(self.folder.path().join("calls.jsonl")).unwrap_or_default();
        text.lines()
            .map(|it| Ok(serde_json::from_str(it)?))
            .collect()
    }

    /// What a caller must never do, and did: secrets among the arguments, arguments that the real
    /// program does not document.
    pub fn violations(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("violations.txt"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Fails if there are [`Self::violations`].
    ///
    /// # Errors
    /// All of them.
    pub fn check(&self) -> Result<()> {
        let found = self.violations();
        ensure!(
            found.is_empty(),
            "what callers must not do:\n{}",
            found.join("\n")
        );
        Ok(())
    }
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

/// Windows runs what its name says, and no Python scripts: there the real programs serve.
#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Ok(())
}
