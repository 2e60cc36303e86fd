//! A Windows that a test may do with as it likes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fs_err as fs;
use xtask::engine::files::{hash_file, hex};
use xtask_practice::tools;

/// A Windows of its own, with a home of its own, since wine links the desktop into that.
pub struct Wine {
    folder: tempfile::TempDir,
    /// What was there before anything was installed.
    before: BTreeMap<String, String>,
}

impl Wine {
    pub fn new() -> Self {
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

    pub fn command(&self, words: &[&str]) -> Command {
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
    pub fn run(&self, words: &[&str]) -> (i32, String) {
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
    pub fn added(&self) -> BTreeMap<String, String> {
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

    pub fn local(&self) -> PathBuf {
        self.folder
            .path()
            .join("prefix/drive_c/users/somebody/AppData/Local")
    }

    /// An uninstaller goes on in a copy of itself.
    pub fn wait_until_gone(&self, path: &Path) {
        let began = Instant::now();
        while path.exists() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{path:?} is still there"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn registered(&self) -> String {
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
