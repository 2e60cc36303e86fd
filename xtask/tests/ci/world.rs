//! A repository that is enough to be configured.

use std::{path::PathBuf, process::Command};

use fs_err as fs;

/// What there is of the repository, by path.
const FILES: [(&str, &str); 8] = [
    (
        "src-tauri/Cargo.toml",
        "[package]\nname = 'host'\nversion = '1.2.3'\n",
    ),
    ("src-tauri/Cargo.lock", ""),
    ("src-tauri/src/main.rs", "fn main() {}\n"),
    (
        "src-tauri/tauri.conf.json",
        r#"{"version": "1.2.3", "identifier": "org.example.host", "build": {"frontendDist": "../web"}}"#,
    ),
    (
        "package.json",
        r#"{"scripts": {"build": "true"}, "engines": {"node": ">=20"}}"#,
    ),
    ("package-lock.json", "{}"),
    ("sidecar/main.py", ""),
    ("sidecar/requirements.txt", ""),
];

/// The repository, removed in the end.
pub struct World {
    folder: tempfile::TempDir,
    /// Its top.
    pub root: PathBuf,
    /// Variables that every call gets.
    pub variables: Vec<(String, String)>,
}

impl World {
    /// With this configuration.
    pub fn new(dist: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("repo");
        let world = Self {
            folder,
            root,
            variables: Vec::new(),
        };
        FILES
            .iter()
            .for_each(|(path, text)| world.write(path, text));
        world.write("packaging/dist.toml", dist);
        world
    }

    /// With the lock file of another package manager, and without `engines`.
    pub fn use_lock(&self, lock: &str) {
        fs::remove_file(self.root.join("package-lock.json")).unwrap();
        self.write(lock, "");
        self.write("package.json", r#"{"scripts": {"build": "true"}}"#);
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    /// Calls `cargo xtask`: its exit code, stdout and stderr.
    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
        let _ = &self.folder;
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).current_dir(&self.root);
        for name in [
            "GITHUB_ACTIONS",
            "GITHUB_REF_TYPE",
            "GITHUB_REF_NAME",
            "GH_TOKEN",
            "GITHUB_TOKEN",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}
