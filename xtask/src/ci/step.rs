//! Steps that several jobs have, and how text becomes a job.

use super::{
    actions::{CHECKOUT, SETUP_NODE, SETUP_PYTHON},
    toolchains::{Toolchains, Wanted, relative},
};
use crate::config::{Config, PackageManager};

/// The steps of a job, as a workflow has them.
#[derive(Default)]
pub(super) struct Steps(String);

impl Steps {
    /// Fetches the repository and installs what the first `cargo xtask` needs.
    pub(super) fn start(toolchains: &Toolchains, components: &str) -> Self {
        let install = match &toolchains.rust {
            None => "rustup toolchain install --no-self-update".to_owned(),
            Some(version) => format!(
                "rustup toolchain install {version} --profile minimal{components} --no-self-update"
            ),
        };
        Self::default()
            .step(&format!(
                "uses: {CHECKOUT}\nwith:\n  persist-credentials: false"
            ))
            .step(&format!("name: Install Rust\nrun: {install}"))
    }

    /// Installs what a release is built with besides Rust. Without `cached` nothing is taken from an
    /// earlier run.
    pub(super) fn languages(
        mut self,
        config: &Config,
        toolchains: &Toolchains,
        cached: bool,
    ) -> Self {
        if let (Some(node), Some(web)) = (&toolchains.node, &config.frontend) {
            let lock = relative(&config.root, &web.lock).ok();
            let cache = match (cached, web.package_manager, lock) {
                (true, PackageManager::Npm, Some(lock)) => {
                    format!("cache: npm\n  cache-dependency-path: {lock}")
                }
                _ => "package-manager-cache: false".to_owned(),
            };
            self = self.step(&format!(
                "uses: {SETUP_NODE}\nwith:\n  {}\n  {cache}",
                node.input("node-version")
            ));
            if matches!(
                web.package_manager,
                PackageManager::Pnpm | PackageManager::Yarn
            ) {
                self = self.step(
                    "name: Have the package manager that package.json names\nrun: corepack enable",
                );
            }
        }
        if let Some(python) = &toolchains.python {
            let locks = config.sidecars.iter();
            let locks: Vec<_> = locks
                .filter_map(|it| relative(&config.root, &it.lock).ok())
                .collect();
            let cache = match cached && !locks.is_empty() {
                true => format!(
                    "\n  cache: pip\n  cache-dependency-path: |\n    {}",
                    locks.join("\n    ")
                ),
                false => String::new(),
            };
            self = self.step(&format!(
                "uses: {SETUP_PYTHON}\nwith:\n  {}{cache}",
                python.input("python-version")
            ));
        }
        self
    }

    /// One more, without its dash.
    pub(super) fn step(self, text: &str) -> Self {
        self.explained("", text)
    }

    /// One more with comments above it.
    pub(super) fn explained(mut self, why: &str, text: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        why.lines()
            .for_each(|it| self.0 += &format!("      # {it}\n"));
        for (at, line) in text.lines().enumerate() {
            let dash = if at == 0 { "-" } else { " " };
            self.0 += &format!("      {dash} {line}\n");
        }
        self
    }

    /// The text below `steps:`.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl Wanted {
    /// The input of an action, which has another name for a file.
    fn input(&self, name: &str) -> String {
        match self {
            Self::Version(version) => format!("{name}: \"{version}\""),
            Self::File(file) => format!("{name}-file: {file}"),
        }
    }
}

/// `env:` of a step with these secrets.
pub(super) fn secrets(names: &[String]) -> String {
    let lines = names
        .iter()
        .map(|it| format!("\n  {it}: ${{{{ secrets.{it} }}}}"));
    format!("env:{}", lines.collect::<String>())
}

/// `env:` of a workflow, which says which toolchain every `cargo` is.
pub(super) fn toolchain(toolchains: &Toolchains) -> String {
    let Some(rust) = &toolchains.rust else {
        return String::new();
    };
    format!("env:\n  RUSTUP_TOOLCHAIN: \"{rust}\"\n\n")
}

/// Whole minutes, as `timeout-minutes` wants them.
pub(super) fn minutes(config: &Config) -> u64 {
    config.ci.timeout.as_secs().div_ceil(60)
}
