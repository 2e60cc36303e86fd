//! `sidecar:<name>`: freezes a Python program into one executable, with the first freezer that
//! manages, and lets nothing pass that does not start.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{copy, tree_without, with_sources};
use crate::{
    binary,
    config::{self, Freezer, Layout},
    engine::{
        event::Level,
        exec::{self, CommandFailed, Interrupted},
        files::{StatCache, Tree},
        fingerprint::Inputs,
        staging::{self, Staging},
        step::{Context, Step},
    },
    release::Release,
    target::Target,
    tools::{
        nuitka, pyinstaller,
        python::{self, Entry, Environment, Interpreter},
        versions,
    },
};

/// How long a sidecar may take to end once its stdin is closed.
const GRACE: Duration = Duration::from_secs(10);

/// Variables that reach the C compiler or the interpreter.
const VARIABLES: [&str; 6] = [
    "CC",
    "CFLAGS",
    "LDFLAGS",
    "PYTHONPATH",
    "NUITKA_*",
    "CCACHE_*",
];

/// A Python program to be frozen.
#[derive(Serialize)]
pub struct Sidecar<'r> {
    #[serde(skip)]
    release: &'r Release,
    #[serde(skip)]
    config: &'r config::Sidecar,
    name: String,
    entry: String,
    freezers: Vec<Freezer>,
    layout: Layout,
    packages: Vec<String>,
    modules: Vec<String>,
    exclude_modules: Vec<String>,
    data: Vec<(String, PathBuf)>,
    probe: Vec<String>,
    nuitka_args: Vec<String>,
    pyinstaller_args: Vec<String>,
    version: String,
    target: Target,
}

/// A frozen sidecar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// Its name in the configuration.
    pub name: String,
    /// The executable's file name in the stage folder.
    pub executable: String,
    /// What made it.
    pub freezer: Freezer,
    /// Why an earlier freezer in the list did not; none if the first one managed.
    pub because: Option<String>,
    /// How it lies on the disk.
    pub layout: Layout,
    /// The version that it reported when it was started; none if it reports none.
    pub version: Option<String>,
}

impl<'r> Sidecar<'r> {
    /// The step for a configured sidecar.
    pub fn new(release: &'r Release, config: &'r config::Sidecar) -> Self {
        let data = config.data.iter();
        Self {
            release,
            config,
            name: config.name.clone(),
            entry: release.relative(&config.entry),
            freezers: config.freezers.clone(),
            layout: config.layout,
            packages: config.packages.clone(),
            modules: config.modules.clone(),
            exclude_modules: config.exclude_modules.clone(),
            data: data
                .map(|it| (release.relative(&it.from), it.to.clone()))
                .collect(),
            probe: config.probe.clone(),
            nuitka_args: config.nuitka_args.clone(),
            pyinstaller_args: config.pyinstaller_args.clone(),
            version: release.config.product.version.to_string(),
            target: release.target.clone(),
        }
    }

    fn sources(&self) -> Tree {
        let config = self.config;
        tree_without(self.release, &config.dir, &config.sources, &[])
    }

    /// What no freezer would help against: sources that are no Python, or a program that does not
    /// even start under plain Python.
    fn refuse_broken_sources(&self, cx: &Context, environment: &Environment) -> Result<()> {
        let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
        let found = self.sources().walk(cx.root(), &cache)?;
        let python = found
            .iter()
            .filter(|it| it.path.ends_with(".py") && it.link.is_none());
        let sources: Vec<PathBuf> = python.map(|it| self.config.dir.join(&it.path)).collect();
        python::check_syntax(cx, environment, &sources)?;
        let mut command = environment.command()?;
        Entry::of(&self.config.entry).start(&mut command);
        self.start(cx, command, "under plain Python")
            .with_context(|| {
                format!(
                    "{} does not work before it is frozen; no freezer would help",
                    self.entry
                )
            })?;
        Ok(())
    }

    /// Starts the program and waits for `READY`; then closes its stdin, as a vanished parent
    /// would, and waits for its end. Gives the version that its `BOOT` line reports.
    fn start(
        &self,
        cx: &Context,
        mut command: std::process::Command,
        how: &str,
    ) -> Result<Option<String>> {
        command.args(&self.config.probe);
        let timeout = self.config.ready_timeout + GRACE;
        let run = cx
            .exec(command)
            .hold_stdin_until("READY", self.config.ready_timeout)
            .timeout(timeout);
        let finished = run.output();
        let (printed, tail, end) = match &finished {
            Ok(it) => {
                let stdout = String::from_utf8_lossy(&it.stdout);
                let end = (!it.status.success()).then(|| it.status.to_string());
                (
                    stdout.lines().map(str::to_owned).collect(),
                    it.printed.clone(),
                    end,
                )
            }
            Err(error) => match error.downcast_ref::<CommandFailed>() {
                Some(failed) => (
                    failed.printed.clone(),
                    failed.printed.clone(),
                    Some(failed.status.clone()),
                ),
                None => return finished.map(|_| None),
            },
        };
        judge(&printed, &tail, end, how, &self.config.ready_timeout)?;
        let boot = printed.iter().find(|it| it.starts_with("BOOT "));
        let version = boot.and_then(|it| {
            it.split_whitespace()
                .find_map(|it| it.strip_prefix("version="))
        });
        if let Some(version) = version {
            ensure!(
                version == self.version,
                "it reports version {version} {how}, but the release is {}\n\
                 hint: bring the sidecar's version in line with the product's",
                self.version
            );
        }
        Ok(version.map(str::to_owned))
    }

    fn freeze(
        &self,
        cx: &Context,
        environment: &Environment,
        freezer: Freezer,
    ) -> Result<(PathBuf, Option<String>)> {
        let executable = self.target.exe(&self.name);
        let name = format!("{}-{freezer:?}", staging::file_name(&self.name)).to_lowercase();
        let work = cx.cache(&name)?;
        // What an earlier try left must not be taken for this one's output.
        let made = match freezer {
            Freezer::Nuitka => work.join(&executable),
            Freezer::Pyinstaller => work.join("dist").join(&executable),
        };
        staging::remove(&made)?;
        let mut command = environment.command()?;
        match freezer {
            Freezer::Nuitka => {
                let arguments = nuitka::arguments(self.config, &executable, &work, cx.jobs());
                command.args(["-m", "nuitka"]).args(arguments);
            }
            Freezer::Pyinstaller => {
                let arguments = pyinstaller::arguments(self.config, &self.name, &work);
                command.args(["-m", "PyInstaller"]).args(arguments);
            }
        }
        cx.exec(command).timeout(self.config.time_budget).run()?;
        ensure!(
            made.is_file(),
            "it ended well but left no {}",
            made.display()
        );
        let version = self.gate(cx, &made)?;
        Ok((made, version))
    }

    /// What is frozen must be a real program for the target and must start on its own, with
    /// nothing of the build's environment to lean on.
    fn gate(&self, cx: &Context, executable: &std::path::Path) -> Result<Option<String>> {
        binary::check(executable, &self.target, "the frozen sidecar")?;
        let empty = tempfile::tempdir()?;
        let mut command = std::process::Command::new(executable);
        command.env_clear().current_dir(empty.path());
        // Windows programs cannot start without these.
        for name in ["SystemRoot", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        self.start(cx, command, "when frozen")
    }

    fn tools(&self, cx: &Context, mut inputs: Inputs) -> Result<Inputs> {
        inputs = inputs.tool("python", Interpreter::find(cx, self.config.python)?.version);
        if self.freezers.contains(&Freezer::Nuitka) {
            // Absent is an answer too: then the next freezer has to do, until there is one.
            let compiler = cx.probe(&versions::c_compiler()).map(|it| it.version);
            inputs = inputs.tool("c compiler", compiler.unwrap_or_else(|_| "none".to_owned()));
        }
        let lock = fs_err::read_to_string(&self.config.lock)?;
        for freezer in &self.freezers {
            // Both count, the one that is only held ready too: it decides what a fallback gives.
            let name = freezer_name(*freezer);
            let version = python::locked_version(&lock, &name);
            inputs = inputs.tool(&name, version.unwrap_or("not locked"));
        }
        Ok(inputs)
    }
}

/// As it is written in the configuration and in the lock.
fn freezer_name(freezer: Freezer) -> String {
    format!("{freezer:?}").to_lowercase()
}

impl Step for Sidecar<'_> {
    const ID: &'static str = "sidecar";
    const VERSION: u32 = 1;
    type Output = Frozen;

    fn instance(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let config = self.config;
        let mut inputs = Inputs::new()
            .tree("sidecar", self.sources())
            .file(&config.lock)
            .variables(&VARIABLES.map(str::to_owned));
        for data in &config.data {
            // Shipped as they are: whether git ignores them does not matter.
            let mut tree = Tree::new(&data.from);
            tree.ignored = true;
            inputs = inputs.tree(&self.release.relative(&data.from), tree);
            inputs = inputs.file(&data.from);
        }
        inputs = self.tools(cx, inputs)?;
        Ok(with_sources(inputs, self.release, &config.sources))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Frozen> {
        let interpreter = Interpreter::find(cx, self.config.python)?;
        ensure!(
            self.config.entry.is_file(),
            "the entry point {} does not exist; no freezer would help",
            self.entry
        );
        let environment = Environment::ensure(cx, self.config, &interpreter)?;
        self.refuse_broken_sources(cx, &environment)?;
        let mut because = Vec::new();
        for &freezer in &self.freezers {
            match self.freeze(cx, &environment, freezer) {
                Ok((made, version)) => {
                    let because = (!because.is_empty()).then(|| because.join("; "));
                    return self.publish(cx, out, freezer, because, made, version);
                }
                Err(error) if error.is::<Interrupted>() || is_disk_full(&error) => {
                    return Err(error);
                }
                Err(error) => because.push(self.fall_back(cx, freezer, &error)?),
            }
        }
        bail!("no freezer managed {}: {}", self.name, because.join("; "));
    }
}

impl Sidecar<'_> {
    /// Says why the next freezer has to do; an error if that would be as useless.
    fn fall_back(&self, cx: &Context, freezer: Freezer, error: &anyhow::Error) -> Result<String> {
        let failed = error.downcast_ref::<CommandFailed>();
        let output = failed
            .map(|it| it.printed.join("\n").to_lowercase())
            .unwrap_or_default();
        let unknown_flag = failed.is_some_and(|it| it.code == Some(nuitka::EXIT_BAD_FLAG));
        if freezer == Freezer::Nuitka && unknown_flag {
            bail!(
                "nuitka does not know one of its flags: {}\n\
                 hint: mend `nuitka.args` of sidecar {} in packaging/dist.toml",
                output.lines().last().unwrap_or_default(),
                self.name
            );
        }
        let misconfigured = nuitka::CONFIGURATION_ERRORS
            .iter()
            .find(|it| output.contains(*it));
        if let (Freezer::Nuitka, Some(words)) = (freezer, misconfigured) {
            let line = failed.and_then(|it| {
                it.printed
                    .iter()
                    .find(|it| it.to_lowercase().contains(words))
                    .cloned()
            });
            bail!(
                "nuitka refuses the configuration: {}\n\
                 hint: mend the section of sidecar {} in packaging/dist.toml",
                line.unwrap_or_default(),
                self.name
            );
        }
        let decisive = failed.and_then(|it| decisive(&it.printed));
        let decisive = decisive.map(|it| format!(" ({it})")).unwrap_or_default();
        let name = freezer_name(freezer);
        let because = format!("{name} failed: {error:#}{decisive}");
        let next = self.freezers.iter().skip_while(|it| **it != freezer).nth(1);
        if let Some(next) = next {
            let text = format!("{because}; trying {}", freezer_name(*next));
            cx.note(Level::Warning, text);
        }
        Ok(because)
    }

    fn publish(
        &self,
        cx: &Context,
        out: &Staging,
        freezer: Freezer,
        because: Option<String>,
        made: PathBuf,
        version: Option<String>,
    ) -> Result<Frozen> {
        let executable = self.target.exe(&self.name);
        copy(&made, &out.file(&executable)?)?;
        cx.fact("freezer", freezer_name(freezer));
        if let Some(because) = &because {
            cx.fact("because", because);
        }
        let (name, layout) = (self.name.clone(), self.layout);
        Ok(Frozen {
            name,
            executable,
            freezer,
            because,
            layout,
            version,
        })
    }
}

/// The line that says why a freezer failed. The last one rarely does: freezers end with where their
/// report lies.
fn decisive(tail: &[String]) -> Option<&String> {
    let fatal = tail.iter().find(|it| it.contains("FATAL"));
    let error = || tail.iter().rfind(|it| it.to_lowercase().contains("error"));
    fatal.or_else(error).or(tail.last())
}

/// No freezer manages without room, and none is to blame.
fn is_disk_full(error: &anyhow::Error) -> bool {
    let full = |it: &std::io::Error| it.kind() == std::io::ErrorKind::StorageFull;
    error.chain().any(|it| it.downcast_ref().is_some_and(full))
}

/// Whether what a program printed is that of a sidecar that works.
fn judge(
    printed: &[String],
    tail: &[String],
    end: Option<String>,
    how: &str,
    timeout: &Duration,
) -> Result<()> {
    let missing = tail.iter().find(|it| it.contains("ModuleNotFoundError"));
    if let Some(line) = missing {
        bail!("a module is missing {how}: {}", line.trim());
    }
    let ready = printed.iter().filter(|it| *it == "READY").count();
    let said = || {
        tail.last()
            .map_or_else(|| "it printed nothing".to_owned(), |it| it.clone())
    };
    match (ready, end) {
        (1, None) => Ok(()),
        (1, Some(end)) => bail!(
            "it was ready {how}, but did not end well when its stdin was closed ({end}): it would \
             outlive a killed host"
        ),
        (0, Some(end)) if end.starts_with("timed out") => {
            bail!(
                "it did not print READY within {timeout:?} {how}: {}",
                said()
            )
        }
        (0, Some(end)) => bail!("it ended before it was ready {how} ({end}): {}", said()),
        (0, None) => bail!("it ended before it was ready {how}: {}", said()),
        (n, _) => bail!("it printed READY {n} times {how}; once is the protocol"),
    }
}
