//! The section that says what runs on other machines.

use serde::Deserialize;

use crate::types::Check;

/// See [`Dist::ci`](super::Dist::ci).
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Ci {
    /// The job of a target of `release.targets`, where it is not the usual one. Repeat the section for
    /// several.
    pub target: Vec<Target>,
    /// What is checked of every change: `cargo xtask test`, whether the workflows are as generated,
    /// whether all places say one version, an unsigned `dist` for each target.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true)))]
    pub checks: Vec<Check>,
    /// The targets on whose machines `cargo xtask test unit` runs, too. All other tests run on Linux.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true, "x-form" = "target")))]
    pub test_on: Vec<String>,
    /// The branches whose pushes are checked, and may fill caches. Pull requests always are.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true, "x-form" = "branch")))]
    pub branches: Vec<String>,
    /// Commands that make what `dist` expects to find: an `externalBin` that is no sidecar of Python's.
    /// `bash` runs them at the top of the repository, on every system, and stops at the first that fails.
    /// `$TARGET` is the Rust target triple.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub before: Vec<String>,
    /// The Rust toolchain.
    #[cfg_attr(test, schemars(extend("x-form" = "label", "x-default" = "that of `rust-toolchain.toml` at or above the Tauri host, else `stable`")))]
    pub rust: Option<String>,
    /// The Node.js.
    #[cfg_attr(test, schemars(extend("x-form" = "tool-version", "x-default" = "what `.nvmrc`, `.node-version` or `package.json` says, else `lts/*`")))]
    pub node: Option<String>,
    /// The Python.
    #[cfg_attr(test, schemars(extend("x-form" = "tool-version", "x-default" = "`python` of the sidecar, else what `.python-version` or `pyproject.toml` says, else `3.x`")))]
    pub python: Option<String>,
    /// The environment of the repository on GitHub that holds the secrets.
    #[cfg_attr(test, schemars(extend("x-form" = "label")))]
    pub environment: String,
    /// The environment of the job that publishes: one with required reviewers makes it wait for them.
    #[cfg_attr(test, schemars(extend("x-form" = "label", "x-default" = "none")))]
    pub publish_environment: Option<String>,
    /// How long a job may take.
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub timeout: String,
}

impl Default for Ci {
    fn default() -> Self {
        Self {
            target: Vec::new(),
            checks: vec![Check::Test, Check::Generate, Check::Version, Check::Dist],
            test_on: Vec::new(),
            branches: vec!["main".into(), "master".into()],
            before: Vec::new(),
            rust: None,
            node: None,
            python: None,
            environment: "release".into(),
            publish_environment: None,
            timeout: "3h".into(),
        }
    }
}

/// See [`Ci::target`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Target {
    /// The Rust target triple; `linux` and `windows` mean x86-64, `macos` Apple silicon.
    #[cfg_attr(test, schemars(extend("x-form" = "label")))]
    pub name: String,
    /// The label of the machine that makes it.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "label", "x-default" = "GitHub's own one of that system and processor")))]
    pub runner: Option<String>,
    /// Further secrets of the environment that `dist` gets in its job, as variables of the same name:
    /// the token of a private registry, for instance. Those that sign are known.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "variable")))]
    pub secrets: Vec<String>,
}
