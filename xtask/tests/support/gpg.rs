//! GnuPG with a key of its own.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;

use super::project::read;

/// `gpg` with a key of its own, whose agent ends with it.
pub struct Gpg(pub PathBuf);

impl Gpg {
    pub fn new(home: PathBuf, passphrase: &str) -> Self {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .unwrap();
        let gpg = Self(home);
        let mut command = gpg.command();
        command.args(["--pinentry-mode", "loopback", "--passphrase", passphrase]);
        command.args([
            "--quick-generate-key",
            "Test <t@example.com>",
            "ed25519",
            "sign",
            "never",
        ]);
        read(command);
        gpg
    }

    pub fn command(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--quiet"]).env("GNUPGHOME", &self.0);
        gpg
    }

    pub fn fingerprint(&self) -> String {
        let mut command = self.command();
        command.args(["--with-colons", "--list-secret-keys"]);
        let listed = read(command);
        let line = listed.lines().find(|it| it.starts_with("fpr:")).unwrap();
        line.trim_matches(|it| it != ':')
            .trim_matches(':')
            .to_owned()
    }

    /// Writes the public key, armored.
    pub fn export(&self, to: &Path) {
        let mut command = self.command();
        command.args(["--armor", "--export"]);
        fs::write(to, read(command)).unwrap();
    }

    /// Has the agent forget the passphrase.
    pub fn forget(&self) {
        let mut command = Command::new("gpgconf");
        command.args(["--kill", "all"]).env("GNUPGHOME", &self.0);
        command.status().ok();
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        self.forget();
    }
}
