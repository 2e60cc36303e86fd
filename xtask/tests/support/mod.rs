//! What the tests of the engine share: a folder of sources, and the small pipeline as a process
//! of its own that can be killed.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The example, so that the tests run just what a reader runs.
#[path = "../../examples/small_pipeline.rs"]
pub mod small_pipeline;

/// A temporary folder with the sources of the small pipeline.
pub struct Repo(pub tempfile::TempDir);

impl Repo {
    pub fn new() -> Self {
        let repo = Self(tempfile::tempdir().expect("a temporary folder"));
        for (path, text) in [
            ("web/index.html", "<h1>\n"),
            ("web/main.js", "1\n"),
            ("src/main.rs", "fn main() {}\n"),
            ("py/a.py", "a = 1\n"),
            ("py/b.py", "b = 1\n"),
        ] {
            repo.write(path, text);
        }
        repo
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn state(&self) -> PathBuf {
        self.root().join("target/dist/small")
    }

    pub fn journal(&self) -> PathBuf {
        self.state().join("journal.v1.jsonl")
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Every file below the finished stages, with its content.
    pub fn outputs(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        contents(&self.state().join("stages"))
    }

    /// The small pipeline over this folder, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let root = self.root().to_str().expect("UTF-8");
        let all = [&[root], arguments].concat().join("\n");
        let mut command = Command::new(std::env::current_exe().expect("the test itself"));
        command
            .args([
                "--ignored",
                "--exact",
                "child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("SMALL_PIPELINE_ARGUMENTS", all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .spawn()
            .expect("the test starts itself")
    }

    /// Runs to the end and gives the events.
    pub fn run(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self
            .command(arguments)
            .output()
            .expect("the test starts itself");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        events(&text)
    }
}

/// The body of the test named `child` that each test binary needs: the small pipeline itself.
pub fn child() {
    let arguments = std::env::var("SMALL_PIPELINE_ARGUMENTS").expect("only for the other tests");
    let outcome = small_pipeline::run(arguments.split('\n').map(str::to_owned));
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    std::process::exit(i32::from(outcome.is_err()));
}

/// The JSON lines among what the test harness prints.
pub fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|it| serde_json::from_str(&it[it.find("{\"at\"")?..]).ok())
        .collect()
}

/// The steps of the events of one kind.
pub fn steps(events: &[Value], kind: &str) -> Vec<String> {
    let mut steps: Vec<String> = events
        .iter()
        .filter(|it| it["event"] == kind)
        .map(|it| it["step"].as_str().unwrap_or_default().to_owned())
        .collect();
    steps.sort();
    steps
}

/// All files below a folder, with their content.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).expect("it is inside");
                files.insert(inside.to_owned(), fs::read(&path).expect("it is readable"));
            }
        }
    }
    files
}

/// The processes whose working folder is in `root`, but not zombies.
#[cfg(target_os = "linux")]
pub fn processes_in(root: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("proc is mounted").flatten();
    processes
        .filter(|it| fs::read_link(it.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(root)))
        .filter_map(|it| fs::read(it.path().join("cmdline")).ok())
        .map(|it| String::from_utf8_lossy(&it).replace('\0', " "))
        .collect()
}

/// Random enough for tests, and the same for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
