//! A small but real project: npm, cargo, git and Tauri's bundler work on it as on a large one. Only
//! the crate `tauri` is a stub, so that a build takes a second and no network.

#[path = "project/shown.rs"]
mod shown;
#[path = "project/sources.rs"]
mod sources;

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use fs_err as fs;
use sources::{FILES, png};

pub use shown::filtered;

/// What children get of the environment, by the beginning of the name: programs, caches, and where
/// packages come from. Everything else would be the developer's.
const INHERITED: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "PIP_",
    "UV_",
    "SSL_CERT",
    "http",
    "HTTP",
];

/// Says that a test does nothing, or less, for want of a program. Where all tests are to run, that is a
/// failure.
pub fn skip(why: &str) {
    let install = "`cargo xtask test --setup` installs what is missing";
    let all = ["CI", "XTASK_FULL"];
    let is_set = |it: &&str| std::env::var_os(it).is_some_and(|it| !it.is_empty());
    match all.into_iter().find(is_set) {
        Some(name) => panic!("{why}, but {name} is set; {install}"),
        None => eprintln!("{why}; {install}"),
    }
}

/// The time of every commit, so that clones and runs agree: 2026-01-02T03:04:05Z.
const COMMITTED: &str = "1767323045 +0000";

/// A key for tests only, as `tauri signer generate` wrote it, and its password.
pub const KEY: &str = "dW50cnVzdGVkIGNvbW1lbnQ6IHJzaWduIGVuY3J5cHRlZCBzZWNyZXQga2V5ClJXUlRZMEl5a1JLWm1iVC9KRTBlQzhrRkdrL2Z6bEZibytGRDUydlRIbUY4VzA5WGJLZ0FBQkFBQUFBQUFBQUFBQUlBQUFBQVBmVy9lNGtsMlpVTnJ0bjBOQmF2M2dtaVFKVDFmSlFzSzdGODN6c25zcDRuVU91QzU3QnEvMTB5ZDlLaElXRnB1VXNDSHJLamtTZmwrWXpDWlNFeXEvSElsNnd4Tm9xUWhhKzNjeThuTUxTcUVCdEt3TGNZL2hUZlZ2MTdVWkRhakVlbE9vMkI2ODQ9Cg==";
/// See [`KEY`].
pub const PASSWORD: &str = "correct horse";

/// How a run of `cargo xtask` ended, and what it printed.
pub struct Ran {
    /// 128 + signal for a process that a signal ended.
    pub code: i32,
    /// What a program would read.
    pub stdout: String,
    /// What a person would read.
    pub stderr: String,
    root: PathBuf,
}

/// A checkout in a folder of its own, removed in the end.
pub struct Project {
    folder: tempfile::TempDir,
    /// The repository.
    pub root: PathBuf,
    /// Variables that every run gets.
    pub variables: Vec<(String, String)>,
}

impl Project {
    /// The project with one commit, never built.
    pub fn new() -> Self {
        let project = Self::empty();
        for (path, text) in FILES {
            project.write(path, text);
        }
        let cli = tauri_cli();
        let cli = format!("[bundle]\ncli = [\"node\", \"{}\"]\n", cli.display());
        project.write("packaging/dist.toml", &cli);
        project.write("src-tauri/icons/32x32.png", png());
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.commit("First");
        project
    }

    /// The project after a successful `dist` with the development key. Built once for all tests,
    /// then copied.
    pub fn built() -> Self {
        let project = Self::empty();
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .arg(template().join("."))
            .arg(&project.root)
            .status();
        assert!(copied.unwrap().success());
        project
    }

    fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("small-").tempdir().unwrap();
        // As the program sees it, where /tmp is a link.
        let root = folder.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&root).unwrap();
        Self {
            folder,
            root,
            variables: Vec::new(),
        }
    }

    /// A second checkout of the same commit, elsewhere.
    pub fn clone_at(&self, folder: &str) -> Self {
        let other = Self::empty();
        let root = other.folder.path().canonicalize().unwrap().join(folder);
        self.git(&["clone", "--quiet", ".", root.to_str().unwrap()]);
        Self {
            root,
            variables: self.variables.clone(),
            ..other
        }
    }

    /// A copy of everything, with all that was built, elsewhere.
    pub fn copy_to(&self, folder: &str) -> Self {
        let other = Self::empty();
        let root = other.folder.path().canonicalize().unwrap().join(folder);
        let mut copy = Command::new("cp");
        read({
            copy.args(["-a", "--"]).arg(&self.root).arg(&root);
            copy
        });
        Self {
            root,
            variables: self.variables.clone(),
            ..other
        }
    }

    /// A folder beside the repository, for keys and the like.
    pub fn beside(&self) -> PathBuf {
        self.root.parent().unwrap().to_owned()
    }

    /// Writes a file, making its folder.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a text file.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    /// Replaces text that must be in the file.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, text.replace(old, new));
    }

    /// Adds lines to packaging/dist.toml.
    pub fn configure(&self, lines: &str) {
        let text = self.read("packaging/dist.toml");
        self.write("packaging/dist.toml", format!("{text}\n{lines}\n"));
    }

    /// Sets a variable for every later run.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|it| it.0 != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git in the repository, with a fixed identity and time.
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(&self.root).args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=t@example.com",
        ]);
        git.args(["-c", "commit.gpgsign=false"]).args(args);
        git.env("GIT_AUTHOR_DATE", COMMITTED)
            .env("GIT_COMMITTER_DATE", COMMITTED);
        read(git)
    }

    /// A run of `cargo xtask` with the words of this line as arguments.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(line.split_whitespace())
            .current_dir(&self.root)
            .env_clear();
        let inherited = |name: &str| INHERITED.iter().any(|it| name.starts_with(it));
        command.envs(std::env::vars().filter(|it| inherited(&it.0)));
        command.env("npm_config_userconfig", "/dev/null");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `cargo xtask` to its end.
    pub fn run(&self, line: &str) -> Ran {
        self.ended(self.command(line).output().unwrap())
    }

    /// Runs it and expects a good end.
    pub fn succeed(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Starts `dist` and waits until this file is there.
    pub fn start_until(&self, line: &str, file: &str) -> Child {
        let child = self.command(line).spawn().unwrap();
        wait_for("the file", || self.root.join(file).exists());
        child
    }

    /// What a started run printed in the end.
    pub fn wait(&self, child: Child) -> Ran {
        self.ended(child.wait_with_output().unwrap())
    }

    /// What a process of [`Self::command`] left.
    pub fn ended(&self, output: Output) -> Ran {
        let signal = output.status.signal().map(|it| 128 + it);
        Ran {
            code: output.status.code().or(signal).unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            root: self.root.clone(),
        }
    }

    /// The folder of the release.
    pub fn release(&self) -> PathBuf {
        self.root.join("release/0.1.0/linux")
    }

    /// The manifest of the release.
    pub fn manifest(&self) -> serde_json::Value {
        let text = fs::read(self.release().join("manifest.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The file of the release with this ending.
    pub fn product(&self, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.release())
            .unwrap()
            .map(|it| it.unwrap().path());
        let mut found = files.filter(|it| it.to_str().unwrap().ends_with(ending));
        found
            .next()
            .unwrap_or_else(|| panic!("no {ending} in the release"))
    }

    /// Text without what differs from run to run: see [`filtered`].
    pub fn filtered(&self, text: &str) -> String {
        filtered(text, &self.root)
    }
}

/// Runs a tool of the test itself to a good end and gives what it printed.
pub fn read(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Waits at most 30 seconds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{what} did not come"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every file below a folder, also in hidden folders; links are not followed.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// Whether the bytes contain the text.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

/// Tauri's command line as the reference app has it; installed once if it is not.
pub fn tauri_cli() -> PathBuf {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../app")
        .canonicalize()
        .unwrap();
    let cli = app.join("node_modules/@tauri-apps/cli/tauri.js");
    let _lock = locked("npm");
    if !cli.is_file() {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(app);
        read(npm);
    }
    cli
}

/// Held until dropped: tests run in processes of their own.
fn locked(name: &str) -> std::fs::File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("small-{name}.lock"));
    let file = std::fs::File::create(path).unwrap();
    file.lock().unwrap();
    file
}

/// The built project that tests start from; made anew when the program or this test changed.
fn template() -> PathBuf {
    let age = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        format!("{} {:?}", metadata.len(), metadata.modified().unwrap())
    };
    let programs = [
        PathBuf::from(env!("CARGO_BIN_EXE_xtask")),
        std::env::current_exe().unwrap(),
    ];
    let wanted = programs.map(|it| age(&it)).join("\n");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("small-template");
    let marker = Path::new(env!("CARGO_TARGET_TMPDIR")).join("small-template.made");
    let _lock = locked("template");
    if fs::read_to_string(&marker).is_ok_and(|it| it == wanted) {
        return folder;
    }
    let project = Project::new();
    project.succeed("dist");
    fs::remove_file(&marker).ok();
    fs::remove_dir_all(&folder).ok();
    let mut copy = Command::new("cp");
    copy.args(["-a", "--"]).arg(&project.root).arg(&folder);
    read(copy);
    fs::write(marker, wanted).unwrap();
    folder
}
