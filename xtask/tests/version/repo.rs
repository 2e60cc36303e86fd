//! A repository with a version in every place, and `cargo xtask` in it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use expect_test::Expect;
use fs_err as fs;

/// A repository with every place that a version can have. Line ends, quotes, indentation and remarks
/// are of all kinds on purpose.
const FILES: [(&str, &str); 16] = [
    (
        "packaging/dist.toml",
        "[[sidecar]]\nname = 'engine'\n[[sidecar]]\nname = 'voice'\ndir = 'voice'\n\
         [bundle]\nwindows = ['nsis', 'msi']\n",
    ),
    (
        "package.json",
        "{\r\n\t\"name\": \"desk\",\r\n\t\"version\": \"1.2.3\",\r\n\t\"scripts\": {\"build\": \"vite build\"},\r\n\
         \t\"dependencies\": {\"left\": \"1.2.3\"}\r\n}\r\n",
    ),
    (
        "package-lock.json",
        r#"{
    "name": "desk",
    "version": "1.2.3",
    "lockfileVersion": 3,
    "packages": {
        "": {
            "name": "desk",
            "version": "1.2.3"
        },
        "node_modules/left": {
            "version": "1.2.3"
        }
    }
}"#,
    ),
    (
        "src-tauri/tauri.conf.json",
        "{\n  \"identifier\": \"org.example.desk\",\n  \"version\": \"1.2.3\",\n  \"build\": {\"frontendDist\": \"../dist\"}\n}",
    ),
    (
        "src-tauri/tauri.windows.conf.json",
        "{ \"version\" : \"1.2.3\" }\n",
    ),
    (
        "Cargo.toml",
        "[workspace]\nmembers = ['src-tauri', 'crates/*']\n\n[workspace.package]\n\
         # As in package.json.\nversion = '1.2.3'   # keep\n\n[workspace.dependencies]\n\
         parts = { version = \"=1.2.3\", path = 'crates/parts' }\nserde = '1.2.3'\n",
    ),
    (
        "src-tauri/Cargo.toml",
        "[package]\nname = 'desk'\nversion.workspace = true\n[dependencies]\nparts.workspace = true\n",
    ),
    ("src-tauri/src/main.rs", "fn main() {}\n"),
    (
        "crates/parts/Cargo.toml",
        "[package]\nname = 'parts'\nversion = { workspace = true }\n",
    ),
    (
        "crates/apart/Cargo.toml",
        "[package]\nname = 'apart'\nversion = '1.2.3'\n",
    ),
    (
        "Cargo.lock",
        r#"version = 4

[[package]]
name = "apart"
version = "1.2.3"

[[package]]
name = "desk"
version = "1.2.3"
dependencies = [
 "parts 1.2.3",
]

[[package]]
name = "parts"
version = "1.2.3"

[[package]]
name = "parts"
version = "0.9.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
"#,
    ),
    (
        "sidecar/pyproject.toml",
        "[project]\nname = \"The_Engine\"\nversion = \"1.2.3\" # PEP 440\n",
    ),
    (
        "sidecar/uv.lock",
        "version = 1\r\n\r\n[[package]]\r\nname = \"the-engine\"\r\nversion = \"1.2.3\"\r\n\
         source = { editable = \".\" }\r\n\r\n[[package]]\r\nname = \"numpy\"\r\nversion = \"1.2.3\"\r\n\
         source = { registry = \"https://registry.example/simple\" }\r\n",
    ),
    ("sidecar/main.py", ""),
    (
        "voice/pyproject.toml",
        "[project]\nname = 'voice'\ndynamic = ['version']\n[tool.setuptools.dynamic]\n\
         version = { attr = 'voice.about.VERSION' }\n",
    ),
    (
        "voice/src/voice/about.py",
        "import os\r\n\r\nVERSION: str = '1.2.3'  # said at the start\r\n",
    ),
];

/// The repository in a folder of its own, in git.
pub struct Repo(tempfile::TempDir);

impl Repo {
    pub fn new() -> Self {
        let repo = Self(tempfile::tempdir().unwrap());
        for (path, text) in FILES {
            repo.write(path, text);
        }
        for folder in ["sidecar", "voice"] {
            repo.write(&format!("{folder}/requirements.txt"), "");
            repo.write(&format!("{folder}/main.py"), "");
        }
        repo
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, &text.replace(old, new));
    }

    pub fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        let identity = ["-c", "user.name=Test", "-c", "user.email=t@example.com"];
        git.current_dir(self.0.path()).args(identity);
        let output = git
            .args(["-c", "commit.gpgsign=false"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pub fn commit(&self) {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "First"]);
    }

    pub fn output(&self, line: &str, variables: &[(&str, &str)]) -> Output {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GITHUB_") {
                xtask.env_remove(name);
            }
        }
        xtask.current_dir(self.0.path()).args(line.split(' '));
        xtask.envs(variables.iter().copied()).output().unwrap()
    }

    /// What the command prints, and its exit code unless that is 0.
    #[track_caller]
    pub fn check(&self, line: &str, expected: Expect) {
        let output = self.output(line, &[]);
        let code = output.status.code().unwrap_or(-1);
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text += &String::from_utf8_lossy(&output.stderr);
        if code != 0 {
            text += &format!("exit {code}\n");
        }
        expected.assert_eq(&text);
    }

    /// Every file of the repository with its content.
    pub fn contents(&self) -> Vec<(PathBuf, String)> {
        let mut all = Vec::new();
        collect(self.0.path(), &mut all);
        all.sort();
        all
    }
}

fn collect(dir: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("target") || path.ends_with(".git") {
            continue;
        }
        if path.is_dir() {
            collect(&path, all);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            all.push((path, text));
        }
    }
}
