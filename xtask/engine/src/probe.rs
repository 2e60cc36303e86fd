//! Which program answers to a name, and in which version, without asking it every time.
//!
//! Asking is slow: npm takes 300 ms to say its version, and an up-to-date run must be over in a
//! few milliseconds. So an answer is kept together with all that decided it: where PATH led, what
//! the operating system says of that file and of the files that may lead elsewhere (a version
//! manager's settings), and the values of variables. As long as all of these are the same, the
//! answer is taken from the cache and no process is run.
//!
//! Architecture invariant: only answers are kept, never failures. What the user has just mended
//! must be seen at once.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fmt,
    fs::Metadata,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{exec, files::write_atomically};

/// The cache's name below the folder that all targets share. Its layout never changes: a new
/// layout gets a new name.
pub const FILE: &str = "probes.v1.json";

/// A question to a program.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// A name to look up on PATH, or a path.
    pub program: String,
    /// What makes it answer, such as `--version`.
    pub args: Vec<String>,
    /// Where it is run; empty is the current folder. Version managers answer by folder.
    pub dir: PathBuf,
    /// Files and folders whose change makes the answer doubtful. They need not exist.
    pub watch: Vec<PathBuf>,
    /// Names of variables whose change makes the answer doubtful.
    pub env: Vec<String>,
}

impl Probe {
    /// `program args…` in the current folder.
    pub fn new<A: Into<String>>(
        program: impl Into<String>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Identifies the question among all kept answers.
    fn key(&self) -> String {
        let dir = self.dir.to_string_lossy();
        let mut words = vec![&*dir, &*self.program];
        words.extend(self.args.iter().map(String::as_str));
        // Two who ask alike but watch different things must not overwrite each other's answer.
        words.extend(self.env.iter().map(String::as_str));
        words.join("\u{1f}")
    }
}

/// The answer to a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The program as PATH gave it. Links are not followed: some programs go by their own name.
    pub path: PathBuf,
    /// The first line that it printed.
    pub version: String,
}

/// No such program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name that was looked up.
    pub program: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program } = self;
        if Path::new(program).components().count() > 1 {
            return write!(f, "`{program}` does not exist or cannot be executed");
        }
        write!(
            f,
            "`{program}` is not installed, or its folder is not on PATH; \
             `cargo xtask doctor` says how to install what is missing"
        )
    }
}

impl std::error::Error for Missing {}

/// The program is there but did not answer well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The program and its arguments.
    pub question: String,
    /// What it printed.
    pub output: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.output.trim_end().lines().last().unwrap_or_default();
        write!(f, "`{}` failed: {last}", self.question)
    }
}

impl std::error::Error for Refused {}

/// The answers so far, kept in a file between runs. Cheap to clone; all clones share them.
#[derive(Clone)]
pub struct Probes {
    file: PathBuf,
    search: Option<OsString>,
    withheld: Vec<String>,
    known: Arc<Mutex<BTreeMap<String, Answer>>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    version: String,
    given: Given,
}

/// All that decides an answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    path: PathBuf,
    program: Option<Stamp>,
    watch: Vec<(PathBuf, Option<Stamp>)>,
    env: Vec<(String, Option<String>)>,
}

impl Probes {
    /// Reads the cache; a missing, damaged or foreign file is an empty one.
    pub fn open(file: PathBuf) -> Self {
        let known = std::fs::read(&file).ok();
        let known = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            file,
            search: env::var_os("PATH"),
            withheld: Vec::new(),
            known: Arc::new(Mutex::new(known.unwrap_or_default())),
        }
    }

    /// Looks programs up in these folders instead of the PATH of this process, and runs them with
    /// it.
    pub fn search_in(mut self, path: impl Into<OsString>) -> Self {
        self.search = Some(path.into());
        self
    }

    /// Keeps these variables, which hold secrets, from every program that is asked.
    pub fn withhold(mut self, names: Vec<String>) -> Self {
        self.withheld = names;
        self
    }

    /// The PATH in which programs are looked up.
    pub fn path(&self) -> Option<&OsStr> {
        self.search.as_deref()
    }

    /// Where PATH leads for this program. The error is [`Missing`].
    pub fn find(&self, program: &str) -> Result<PathBuf> {
        let here = env::current_dir().unwrap_or_default();
        match which::which_in(program, self.search.as_ref(), here) {
            Ok(path) => Ok(path),
            Err(_) => bail!(Missing {
                program: program.to_owned()
            }),
        }
    }

    /// The answer: the kept one if nothing that decided it changed, else the program is run. The
    /// error is [`Missing`], [`Refused`], or says why the program could not be run.
    pub fn version(&self, probe: &Probe) -> Result<Probed> {
        // Taken before the program runs: what changes meanwhile shows next time.
        let given = Given::of(probe, self.find(&probe.program)?);
        let key = probe.key();
        let kept = self.lock().get(&key).cloned();
        let version = match kept {
            Some(answer) if answer.given == given => answer.version,
            _ => self.ask(probe, &given.path).inspect(|version| {
                let version = version.clone();
                let given = given.clone();
                self.keep(key, Answer { version, given });
            })?,
        };
        Ok(Probed {
            path: given.path,
            version,
        })
    }

    fn ask(&self, probe: &Probe, path: &Path) -> Result<String> {
        let mut command = Command::new(path);
        command.args(&probe.args);
        if probe.dir != Path::new("") {
            command.current_dir(&probe.dir);
        }
        if let Some(path) = &self.search {
            command.env("PATH", path);
        }
        for name in &self.withheld {
            command.env_remove(name);
        }
        let (ok, output) = exec::quiet(command)?;
        if !ok {
            let question = format!("{} {}", probe.program, probe.args.join(" "));
            bail!(Refused { question, output });
        }
        Ok(output.lines().next().unwrap_or_default().trim().to_owned())
    }

    fn keep(&self, key: String, answer: Answer) {
        let mut known = self.lock();
        known.insert(key, answer);
        known.retain(|_, answer| answer.given.path.exists());
        // Failing is harmless: the next run asks again.
        self.save(&known).ok();
    }

    fn save(&self, known: &BTreeMap<String, Answer>) -> Result<()> {
        write_atomically(&self.file, &serde_json::to_vec_pretty(known)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Given {
    fn of(probe: &Probe, path: PathBuf) -> Self {
        let watch = probe.watch.iter();
        let env = probe.env.iter();
        Self {
            program: Stamp::of(&path),
            watch: watch.map(|it| (it.clone(), Stamp::of(it))).collect(),
            env: env.map(|it| (it.clone(), env::var(it).ok())).collect(),
            path,
        }
    }
}

/// What the operating system says of the file that a path leads to, without opening it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    /// Nanoseconds since 1970.
    modified: i64,
    /// Nanoseconds since 1970: package managers set the time of modification to what they like.
    changed: i64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|meta| Self::from(&meta))
    }
}

impl From<&Metadata> for Stamp {
    #[cfg(unix)]
    fn from(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
        Self {
            size: meta.len(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }

    #[cfg(not(unix))]
    fn from(meta: &Metadata) -> Self {
        let modified = meta.modified().ok();
        let modified = modified.and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default().as_nanos();
        Self {
            size: meta.len(),
            modified: i64::try_from(modified).unwrap_or_default(),
            changed: 0,
            inode: 0,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A program that says its version and leaves a line in `calls`. A child writes it: while
    /// this process had it open, a process started by another test would hold it open too, and
    /// the system refuses to run a file that is open for writing.
    fn stand_in(dir: &TempDir, version: &str) {
        let calls = dir.path().join("calls");
        let text = format!("#!/bin/sh\necho x >> '{}'\n{version}\n", calls.display());
        // A new file each time, as package managers do it.
        let script = r#"printf %s "$1" > "$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0""#;
        let mut write = Command::new("/bin/sh");
        write.args(["-c", script]);
        write.arg(dir.path().join("tool")).arg(text);
        assert!(exec::quiet(write).unwrap().0);
    }

    fn calls(dir: &TempDir) -> usize {
        let text = fs_err::read_to_string(dir.path().join("calls")).unwrap_or_default();
        text.lines().count()
    }

    fn probes(dir: &TempDir) -> Probes {
        Probes::open(dir.path().join("dist").join(FILE)).search_in(dir.path())
    }

    fn tool() -> Probe {
        Probe::new("tool", ["--version"])
    }

    #[test]
    fn asks_once_until_the_program_changes() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, "echo 'tool 1.0'; echo more");
        let first = probes(&dir).version(&tool()).unwrap();
        assert_eq!(first.version, "tool 1.0");
        assert_eq!(first.path, dir.path().join("tool"));
        assert_eq!(probes(&dir).version(&tool()).unwrap(), first);
        assert_eq!(calls(&dir), 1);
        stand_in(&dir, "echo 'tool 2.0'; echo more");
        assert_eq!(probes(&dir).version(&tool()).unwrap().version, "tool 2.0");
        assert_eq!(calls(&dir), 2);
    }

    #[test]
    fn what_one_clone_asked_another_knows() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, "echo 1");
        let probes = probes(&dir);
        let other = probes.clone().withhold(vec!["SECRET".into()]);
        probes.version(&tool()).unwrap();
        fs_err::remove_file(dir.path().join("dist").join(FILE)).unwrap();
        other.version(&tool()).unwrap();
        assert_eq!(calls(&dir), 1);
    }

    #[test]
    fn asks_again_when_a_watched_file_or_path_leads_elsewhere() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, "echo 1");
        let mut tool = tool();
        tool.watch = vec![dir.path().join("settings")];
        let probes = probes(&dir);
        probes.version(&tool).unwrap();
        fs_err::write(dir.path().join("settings"), "stable").unwrap();
        probes.version(&tool).unwrap();
        assert_eq!(calls(&dir), 2, "a watched file appeared");
        tool.dir = dir.path().into();
        probes.version(&tool).unwrap();
        assert_eq!(calls(&dir), 3, "another folder is another question");

        let other = TempDir::new().unwrap();
        stand_in(&other, "echo 2");
        let probes = probes.search_in(other.path());
        assert_eq!(probes.version(&tool).unwrap().version, "2");
    }

    #[test]
    fn asks_again_when_a_variable_changed() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, "echo 1");
        let mut tool = tool();
        tool.env = vec!["HOME".into()];
        let probes = probes(&dir);
        probes.version(&tool).unwrap();
        // The environment of a test process cannot be changed safely: change the record.
        for answer in probes.lock().values_mut() {
            assert_eq!(answer.given.env[0].1, env::var("HOME").ok());
            answer.given.env[0].1 = Some("elsewhere".into());
        }
        probes.version(&tool).unwrap();
        assert_eq!(calls(&dir), 2);
    }

    #[test]
    fn a_damaged_or_foreign_cache_is_started_over() {
        for text in ["", "{", "[1, 2]", r#"{"tool": {"version": 1}}"#] {
            let dir = TempDir::new().unwrap();
            stand_in(&dir, "echo 1");
            let file = dir.path().join("dist").join(FILE);
            fs_err::create_dir(dir.path().join("dist")).unwrap();
            fs_err::write(&file, text).unwrap();
            assert_eq!(probes(&dir).version(&tool()).unwrap().version, "1");
            probes(&dir).version(&tool()).unwrap();
            assert_eq!(calls(&dir), 1, "after {text:?}");
        }
    }

    #[test]
    fn an_unchanged_cache_is_not_written() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, "echo 1");
        probes(&dir).version(&tool()).unwrap();
        let file = dir.path().join("dist").join(FILE);
        let before = Stamp::of(&file);
        probes(&dir).version(&tool()).unwrap();
        assert!(Stamp::of(&file) == before);
    }

    #[test]
    fn failures_are_named_and_not_kept() {
        let dir = TempDir::new().unwrap();
        let missing = probes(&dir).version(&tool()).unwrap_err();
        assert_eq!(missing.downcast_ref::<Missing>().unwrap().program, "tool");
        stand_in(&dir, "echo 'no such flag' >&2; exit 3");
        let refused = probes(&dir).version(&tool()).unwrap_err();
        assert_eq!(refused.to_string(), "`tool --version` failed: no such flag");
        probes(&dir).version(&tool()).unwrap_err();
        assert_eq!(calls(&dir), 2);
    }

    #[test]
    fn secrets_stay_here() {
        let dir = TempDir::new().unwrap();
        stand_in(&dir, r#"echo "[$HOME]""#);
        let probes = probes(&dir).withhold(vec!["HOME".into()]);
        assert_eq!(probes.version(&tool()).unwrap().version, "[]");
    }
}
