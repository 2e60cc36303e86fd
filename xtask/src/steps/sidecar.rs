//! `sidecar:<name>`: freezes a Python program with the first freezer whose product passes the trial.

mod universal;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{copy, copy_tree, tree_without, with_sources};
use crate::{
    config::{self, Freezer, Layout},
    engine::{
        exec,
        files::{StatCache, Tree},
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Last, Step},
    },
    freeze::{
        candidate::{Freezing, missing_tools},
        choice::{Choice, Chosen, Passed},
        failure::Failure,
        trial::Trial,
    },
    release::Release,
    target::{Os, Target},
    tools::{
        nuitka,
        python::{self, Entry, Environment, Interpreter},
        versions,
    },
};

/// Variables that reach the C compiler, or the freezer itself. Those of Python do not.
const VARIABLES: [&str; 11] = [
    "CC",
    "CFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "C_INCLUDE_PATH",
    "LIBRARY_PATH",
    "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET",
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
    /// All of its configuration that decides something, with paths as [`Release::relative`] gives
    /// them.
    #[serde(flatten)]
    decides: config::Sidecar,
    version: String,
    /// Where the system shows it.
    product: Option<&'r config::Product>,
    /// System and architecture: which linker the host is for decides nothing.
    platform: String,
    #[serde(skip)]
    target: Target,
}

/// A frozen sidecar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// Its name in the configuration.
    pub name: String,
    /// The executable in the stage folder.
    pub executable: String,
    /// The folder in the stage folder that it cannot do without; none if it is one file.
    #[serde(default)]
    pub folder: Option<String>,
    /// What made it.
    pub freezer: Freezer,
    /// Why an earlier freezer in the list did not; none if the first one managed.
    pub because: Option<String>,
    /// How it lies on the disk.
    pub layout: Layout,
    /// What earlier freezers in the list failed at.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// The version that it reported when it was started; none if it reports none.
    pub version: Option<String>,
}

impl<'r> Sidecar<'r> {
    /// The step for a configured sidecar.
    pub fn new(release: &'r Release, config: &'r config::Sidecar) -> Self {
        let product = &release.config.product;
        Self {
            release,
            config,
            decides: deciding(release, config),
            version: product.version.to_string(),
            product: (release.target.os != Os::Linux).then_some(product),
            platform: format!("{} {}", release.target.platform(), release.target.arch()),
            target: release.target.clone(),
        }
    }

    fn sources(&self) -> Tree {
        let config = self.config;
        tree_without(self.release, &config.dir, &config.sources, &[])
    }

    /// What no freezer would help against: sources that are no Python, or a program that does not
    /// even start under plain Python.
    pub fn refuse_broken_sources(&self, trial: &Trial) -> Result<()> {
        let (cx, environment) = (trial.cx, trial.environment);
        let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
        let found = self.sources().walk(cx.root(), &cache)?;
        let python = found
            .iter()
            .filter(|it| it.path.ends_with(".py") && it.link.is_none());
        let sources: Vec<PathBuf> = python.map(|it| self.config.dir.join(&it.path)).collect();
        python::check_syntax(cx, environment, &sources)?;
        let mut command = environment.command()?;
        Entry::of(&self.config.entry).start(&mut command);
        trial.plain(command).with_context(|| {
            format!(
                "{} does not work before it is frozen; no freezer would help",
                self.decides.entry.display()
            )
        })
    }

    /// The versions of the freezers. All count, the one that is only held ready too: it decides what a
    /// fallback gives.
    fn freezers(&self, mut inputs: Inputs) -> Result<Inputs> {
        let lock = fs_err::read_to_string(&self.config.lock)?;
        let allowed = self.release.freezing.allowed(&self.config.freezers);
        for freezer in self.config.freezers.iter().chain(&allowed) {
            let version = python::locked_version(&lock, freezer.name());
            inputs = inputs.tool(freezer.name(), version.unwrap_or("not locked"));
        }
        Ok(inputs)
    }

    fn tools(&self, cx: &Context, mut inputs: Inputs) -> Result<Inputs> {
        if !self.target.runs_here() {
            return self.freezers(inputs);
        }
        inputs = inputs.tool("python", Interpreter::find(cx, self.config.python)?.version);
        inputs = self.freezers(inputs)?;
        // What is required need not be configured.
        let mut freezers = self.config.freezers.clone();
        freezers.extend(self.release.freezing.allowed(&freezers));
        if freezers.contains(&Freezer::Nuitka) {
            // Absent is an answer too: then the next freezer has to do, until there is one.
            let compiler = cx.probe(&versions::c_compiler()).map(|it| it.version);
            inputs = inputs.tool("c compiler", compiler.unwrap_or_else(|_| "none".to_owned()));
        }
        let lock = fs_err::read_to_string(&self.config.lock)?;
        for freezer in &freezers {
            // Which of them is there decides whether a freezer can work at all.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let locked = |it: &String| python::locked_version(&lock, it).is_some();
            let missing = missing_tools(*freezer, &self.target, &path).into_iter();
            for tool in missing.filter(|it| !locked(it) && !is_compiler(it)) {
                inputs = inputs.tool(&tool, "none");
            }
        }
        Ok(inputs)
    }
}

impl Step for Sidecar<'_> {
    const ID: &'static str = "sidecar";
    const VERSION: u32 = 4;
    type Output = Frozen;

    fn instance(&self) -> Option<&str> {
        Some(&self.config.name)
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

    fn again(&self, last: &Frozen) -> Option<String> {
        let policy = self.release.freezing;
        let allowed = policy.allowed(&self.config.freezers);
        let (name, first) = (last.freezer.name(), *allowed.first()?);
        if !allowed.contains(&last.freezer) {
            let why = match policy.require {
                Some(_) => "--require-freezer does not allow",
                None if policy.no_fallback => "--no-fallback does not allow",
                None => "`freezers` does not name",
            };
            return Some(format!("{name} froze it, which {why}"));
        }
        if first == last.freezer {
            return None;
        }
        let preferred = last
            .failures
            .iter()
            .filter(|it| allowed.contains(&it.freezer));
        let Some(failed) = preferred.clone().next() else {
            let first = first.name();
            return Some(format!("{name} froze it without a try of {first}"));
        };
        let transient = preferred.into_iter().find(|it| it.class.is_transient());
        let again = transient.or(policy.retry_fallback.then_some(failed))?;
        let (failed, words) = (again.freezer.name(), again.class.words());
        Some(format!("{failed} may do better than last time ({words})"))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Frozen> {
        let interpreter = Interpreter::find(cx, self.config.python)?;
        ensure!(
            self.config.entry.is_file(),
            "the entry point {} does not exist; no freezer would help",
            self.decides.entry.display()
        );
        if self.target.is_universal() {
            return self.run_universal(cx, out, &interpreter);
        }
        let environment = Environment::ensure(cx, self.config, &interpreter)?;
        let trial = Trial {
            cx,
            sidecar: self.config,
            version: &self.version,
            environment: &environment,
        };
        self.refuse_broken_sources(&trial)?;
        let freezing = Freezing {
            cx,
            sidecar: self.config,
            product: &self.release.config.product,
            environment: &environment,
            target: &self.target,
            is_cold: false,
        };
        let choice = Choice {
            freezing: &freezing,
            trial: &trial,
            freezers: &self.release.freezing.allowed(&self.config.freezers),
        };
        let last = cx.last::<Frozen>()?;
        let held = last.as_ref().map(|it| it.done.output.freezer);
        let Chosen { made, failures } = choice.make(held)?;
        match (made, last) {
            (Some(made), _) => self.publish(cx, out, made, failures),
            (None, Some(last)) => keep(cx, out, last, failures),
            (None, None) => unreachable!("only what is held is not made"),
        }
    }
}

/// A sidecar's configuration without what decides no output, and wherever the repository lies.
fn deciding(release: &Release, config: &config::Sidecar) -> config::Sidecar {
    let relative = |path: &mut PathBuf| *path = release.relative(path).into();
    let mut it = config.clone();
    let data = it.data.iter_mut().map(|it| &mut it.from);
    let paths = [&mut it.dir, &mut it.entry, &mut it.lock];
    paths.into_iter().chain(data).for_each(relative);
    // What exceeds it is tried again in any case.
    it.time_budget = Duration::ZERO;
    // The files and variables count, not how they are named.
    it.sources = config::Sources {
        inputs: Vec::new(),
        exclude: Vec::new(),
        env: Vec::new(),
    };
    it
}

/// The compiler counts by its version, with an answer of its own where there is none.
fn is_compiler(tool: &str) -> bool {
    nuitka::needed(Os::Linux)[0].iter().any(|it| it == tool)
}

/// Takes what the step left last time: the freezers before its own failed again, and it is made of
/// the same inputs. Where they failed in the same way the first words about it stay, so that nothing
/// after this step runs: a compiler without memory finds others each time.
fn keep(cx: &Context, out: &Staging, last: Last<Frozen>, failures: Vec<Failure>) -> Result<Frozen> {
    copy_tree(&last.done.folder, out.path())?;
    let before = last.done.output.failures.clone();
    let failures = match failures.len() == before.len()
        && failures
            .iter()
            .zip(&before)
            .all(|(now, then)| now.is_like(then))
    {
        true => before,
        false => failures,
    };
    let because = because(&failures);
    let mut facts = last.facts;
    facts.extend(because.clone().map(|it| ("because".to_owned(), it)));
    for (key, value) in facts {
        cx.fact(&key, value);
    }
    Ok(Frozen {
        because,
        failures,
        ..last.done.output
    })
}

/// All failures in a line; none if there are none.
fn because(failures: &[Failure]) -> Option<String> {
    let all: Vec<String> = failures.iter().map(ToString::to_string).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

impl Sidecar<'_> {
    fn publish(
        &self,
        cx: &Context,
        out: &Staging,
        Passed { candidate, report }: Passed,
        failures: Vec<Failure>,
    ) -> Result<Frozen> {
        let name = self.target.exe(&self.config.name);
        let (folder, executable) = match &candidate.folder {
            Some(made) => {
                copy_tree(made, &out.path().join(&self.config.name))?;
                (
                    Some(self.config.name.clone()),
                    format!("{}/{name}", self.config.name),
                )
            }
            None => {
                copy(&candidate.executable, &out.file(&name)?)?;
                (None, name)
            }
        };
        cx.fact("freezer", candidate.freezer.name());
        let because = because(&failures);
        if let Some(because) = &because {
            cx.fact("because", because);
        }
        for (key, value) in report.facts() {
            cx.fact(key, value);
        }
        Ok(Frozen {
            name: self.config.name.clone(),
            executable,
            folder,
            freezer: candidate.freezer,
            layout: candidate.layout,
            version: report.version(),
            failures,
            because,
        })
    }
}
