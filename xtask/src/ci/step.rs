//! Steps that several jobs have, and what a job is made of.

use anyhow::Result;

use super::{
    actions::{
        Action, CACHE, CHECKOUT, DOWNLOAD, SETUP_BUN, SETUP_NODE, SETUP_PNPM, SETUP_PYTHON, UPLOAD,
    },
    toolchains::{Manager, Toolchains, Wanted, relative},
    yaml::{Map, Yaml},
};
use crate::config::{Config, PackageManager};

/// How long what is kept of a run lies on GitHub, in days.
const DAYS: u64 = 5;
/// Where the finished steps of earlier attempts come to lie, each in a folder of its own.
const STATES: &str = "target/states";
/// Finished steps on their way to the next attempt.
const STATE: &str = "target/state.tar.gz";
/// The variable with the armored OpenPGP secret key, which is a secret of the same name.
pub(super) const GPG_KEY: &str = "GPG_PRIVATE_KEY";

/// A step of a job.
#[derive(Clone, Debug)]
pub(super) struct Step {
    why: &'static str,
    map: Map,
}

impl Step {
    /// A command.
    pub(super) fn run(name: &str, line: impl Into<Yaml>) -> Self {
        let map = Map::default().put("name", name);
        Self { why: "", map }.put("run", line)
    }

    /// An action of others.
    pub(super) fn uses(action: &Action) -> Self {
        let map = Map::default();
        Self { why: "", map }.put("uses", action.pinned(""))
    }

    /// An action of others, or a part of it, that says what it is for.
    pub(super) fn named(name: &str, action: &Action, part: &str) -> Self {
        let map = Map::default().put("name", name);
        Self { why: "", map }.put("uses", action.pinned(part))
    }

    /// With comments above it.
    pub(super) fn because(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    /// With a further key.
    pub(super) fn put(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.map = self.map.put(key, value);
        self
    }

    /// With an input.
    pub(super) fn with(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.map = self.map.put_in("with", key, value);
        self
    }

    /// With a variable.
    pub(super) fn env(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.map = self.map.put_in("env", key, value);
        self
    }

    /// With these secrets as variables of the same names.
    pub(super) fn secrets(self, names: &[String]) -> Self {
        let names = names.iter();
        names.fold(self, |step, it| {
            step.env(it, format!("${{{{ secrets.{it} }}}}"))
        })
    }

    /// Only then.
    pub(super) fn when(self, condition: &str) -> Self {
        self.put("if", condition)
    }
}

/// The steps of a job.
pub(super) fn steps(all: Vec<Step>) -> Yaml {
    // Conditions before what they are about.
    const ORDER: [&str; 9] = [
        "name",
        "id",
        "if",
        "continue-on-error",
        "uses",
        "shell",
        "run",
        "with",
        "env",
    ];
    let all = all.into_iter();
    Yaml::List(
        all.map(|it| (it.why.to_owned(), it.map.sorted(&ORDER)))
            .collect(),
    )
}

/// Fetches the repository and installs what the first `cargo xtask` needs.
pub(super) fn start(config: &Config, toolchains: &Toolchains, components: &[&str]) -> Vec<Step> {
    let mut checkout = Step::uses(&CHECKOUT).with("persist-credentials", false);
    if config.root.join(".gitmodules").is_file() {
        checkout = checkout.with("submodules", "recursive");
    }
    let install = match &toolchains.rust {
        None => "rustup toolchain install --no-self-update".to_owned(),
        Some(rust) => rust.install(components),
    };
    vec![checkout, Step::run("Install Rust", install)]
}

/// Makes what `dist` expects to find, where the configuration says how.
pub(super) fn before(config: &Config, target: &str) -> Option<Step> {
    let lines = Yaml::Lines(config.ci.before.clone());
    let step = Step::run("Make what dist expects", lines).put("shell", "bash");
    (!config.ci.before.is_empty()).then(|| step.env("TARGET", target))
}

/// Installs what a release is built with besides Rust. Without `cached` nothing is taken from an earlier
/// run.
///
/// # Errors
/// A lock file outside of the repository.
pub(super) fn languages(
    config: &Config,
    toolchains: &Toolchains,
    cached: bool,
) -> Result<Vec<Step>> {
    let mut all = Vec::new();
    if let (Some(node), Some(web)) = (&toolchains.node, &config.frontend) {
        let lock = relative(&config.root, &web.lock)?;
        let setup = node.input(Step::uses(&SETUP_NODE), "node-version");
        // It asks pnpm where its store is, and knows neither Yarn's by Corepack nor Bun's.
        let store = match web.package_manager {
            PackageManager::Npm => Some("npm"),
            PackageManager::Pnpm => Some("pnpm"),
            PackageManager::Yarn | PackageManager::Bun => None,
        };
        let setup = match store.filter(|_| cached) {
            Some(store) => setup
                .with("cache", store)
                .with("cache-dependency-path", lock),
            None => setup.with("package-manager-cache", false),
        };
        let manager = toolchains.manager.as_ref();
        let (before, after) = manager.map_or((None, None), manager_steps);
        all.extend(before.into_iter().chain([setup]).chain(after));
    }
    if let Some(python) = &toolchains.python {
        let mut setup = python.input(Step::uses(&SETUP_PYTHON), "python-version");
        let locks = config.sidecars.iter();
        let locks = locks.map(|it| relative(&config.root, &it.lock));
        let locks = locks.collect::<Result<Vec<_>>>()?;
        if cached && !locks.is_empty() {
            setup = setup
                .with("cache", "pip")
                .with("cache-dependency-path", Yaml::Lines(locks));
        }
        all.push(setup);
    }
    Ok(all)
}

/// What installs a package manager that Node.js does not come with, before it and after it.
fn manager_steps(manager: &Manager) -> (Option<Step>, Option<Step>) {
    let said = manager.said_in.as_deref();
    let setup = |action, file, version| {
        let step = Step::uses(action);
        match said {
            Some(said) => step.with(file, said),
            None => step.with(version, "latest"),
        }
    };
    match manager.kind {
        PackageManager::Npm => (None, None),
        PackageManager::Pnpm => (
            Some(setup(&SETUP_PNPM, "package_json_file", "version")),
            None,
        ),
        PackageManager::Bun => {
            let bun = setup(&SETUP_BUN, "bun-version-file", "bun-version");
            (Some(bun.with("no-cache", true)), None)
        }
        PackageManager::Yarn => {
            let name = "Have the Yarn that package.json names";
            (None, Some(Step::run(name, "corepack enable")))
        }
    }
}

impl Wanted {
    /// The input of an action, which has another name for a file.
    fn input(&self, step: Step, name: &str) -> Step {
        match self {
            Self::Version(version) => step.with(name, version.as_str()),
            Self::File(file) => step.with(&format!("{name}-file"), file.as_str()),
        }
    }
}

/// Imports the OpenPGP key that signs, where the configuration has one.
pub(super) fn openpgp(config: &Config) -> Option<Step> {
    let step = Step::run(
        "Have the OpenPGP key",
        "echo \"$GPG_PRIVATE_KEY\" | gpg --batch --import",
    );
    let step = step.put("shell", "bash").secrets(&[GPG_KEY.to_owned()]);
    config.sign.gpg.is_some().then_some(step)
}

/// Takes over what an earlier attempt of the same run finished. It is no more than a saving, so nothing
/// that goes wrong with it stops the job.
pub(super) fn take_over(target: &str) -> Vec<Step> {
    let again = "github.run_attempt > 1";
    vec![
        Step::named("Fetch finished steps", &DOWNLOAD, "")
            .because(
                "What an earlier attempt of this run finished. No cache, which others can write into: an\n\
                 artifact belongs to the run.",
            )
            .when(again)
            .put("continue-on-error", true)
            .with("pattern", format!("state-{target}-*"))
            .with("path", STATES),
        on_target(
            Step::run(
                "Take over finished steps",
                format!("cargo xtask state import --target {} --if-exists {STATES}", word(target)),
            )
            .when(again)
            .put("continue-on-error", true),
            target,
        ),
    ]
}

/// Keeps for the next attempt what this one finished.
pub(super) fn hand_on(target: &str) -> Vec<Step> {
    let broken = "failure() || cancelled()";
    let export = format!("cargo xtask state export --target {} {STATE}", word(target));
    let attempt = "${{ github.run_attempt }}";
    let keep = Step::named("Keep finished steps", &UPLOAD, "").when(broken);
    vec![
        on_target(
            Step::run("Pack finished steps", export).when(broken),
            target,
        ),
        kept(keep, &format!("state-{target}-{attempt}"), STATE, "ignore"),
    ]
}

/// An upload of what is compressed already.
pub(super) fn kept(step: Step, name: &str, path: &str, if_none: &str) -> Step {
    step.with("name", name)
        .with("path", path)
        .with("if-no-files-found", if_none)
        .with("overwrite", true)
        .with("compression-level", 0)
        .with("retention-days", DAYS)
}

/// A target as a word of a command: a shell must not see an expression.
pub(super) fn word(target: &str) -> &str {
    match is_expression(target) {
        true => "\"$TARGET\"",
        false => target,
    }
}

/// Has [`word`] mean the target.
pub(super) fn on_target(step: Step, target: &str) -> Step {
    match is_expression(target) {
        true => step.put("shell", "bash").env("TARGET", target),
        false => step,
    }
}

fn is_expression(text: &str) -> bool {
    text.starts_with("${{")
}

/// Files that are kept from one run to the next. They are saved by pushes alone: what a pull request
/// saved nobody else could read, and it would push out what all can.
pub(super) struct Cache {
    /// What it holds, for people.
    pub(super) name: &'static str,
    /// By what steps refer to each other.
    pub(super) id: &'static str,
    /// What is kept.
    pub(super) paths: Vec<String>,
    /// The beginning of the key. Any cache with it will do.
    pub(super) prefix: String,
    /// Files of the repository whose content decides whether it is kept anew, as `hashFiles` takes them.
    pub(super) of: Vec<String>,
}

impl Cache {
    /// Fetches it.
    pub(super) fn restore(&self) -> Step {
        let Self { id, prefix, of, .. } = self;
        let of: Vec<String> = of
            .iter()
            .map(|it| format!("'{}'", it.replace('\'', "''")))
            .collect();
        let key = format!("{prefix}-${{{{ hashFiles({}) }}}}", of.join(", "));
        Step::named(&format!("Fetch {}", self.name), &CACHE, "restore")
            .put("id", *id)
            .with("path", Yaml::Lines(self.paths.clone()))
            .with("key", key)
            .with("restore-keys", format!("{prefix}-"))
    }

    /// Keeps it, if all went well and there is none of this key: what was broken off would be found
    /// instead of the whole from then on.
    pub(super) fn save(&self) -> Step {
        let id = self.id;
        let condition =
            format!("github.event_name == 'push' && steps.{id}.outputs.cache-hit != 'true'");
        Step::named(&format!("Keep {}", self.name), &CACHE, "save")
            .when(&condition)
            .with("path", Yaml::Lines(self.paths.clone()))
            // Not computed again: the build may have added files.
            .with(
                "key",
                format!("${{{{ steps.{id}.outputs.cache-primary-key }}}}"),
            )
    }
}

/// `env:` of a workflow, which says which toolchain every `cargo` is.
pub(super) fn toolchain(toolchains: &Toolchains) -> Option<Map> {
    let rust = toolchains.rust.as_ref()?;
    Some(Map::default().put("RUSTUP_TOOLCHAIN", rust.channel.as_str()))
}

/// What a job may do: read the repository.
pub(super) fn read_only() -> Map {
    Map::default().put("contents", "read")
}

/// Whole minutes, as `timeout-minutes` wants them.
pub(super) fn minutes(config: &Config) -> u64 {
    config.ci.timeout.as_secs().div_ceil(60)
}
