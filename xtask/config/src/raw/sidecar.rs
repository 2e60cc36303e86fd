//! The section of a Python sidecar.

use serde::Deserialize;

use super::texts;
use crate::types::{Freezer, Layout};

/// See [`Dist::sidecar`](super::Dist::sidecar).
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Sidecar {
    /// The executable's name, as in `bundle.externalBin` of the Tauri configuration, without target
    /// triple and `.exe`.
    #[cfg_attr(test, schemars(extend("x-form" = "program")))]
    pub name: String,
    /// Its folder, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "the first that exists of `sidecars/<name>`, `<name>`, `sidecar`")))]
    pub dir: Option<String>,
    /// The Python file that is started, relative to `dir`.
    #[cfg_attr(test, schemars(extend("x-form" = "inner-path", "x-default" = "found: `src/*/__main__.py`, `*/__main__.py`, `__main__.py`, `main.py`")))]
    pub entry: Option<String>,
    /// The pinned and hashed requirements, relative to `dir`.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "`requirements.lock`, else `requirements.txt`")))]
    pub lock: Option<String>,
    /// The Python wanted, such as `3.11`.
    #[cfg_attr(test, schemars(extend("x-form" = "python-version", "x-default" = "the `python3` that is found")))]
    pub python: Option<String>,
    /// What freezes it, in the order of trial: if one fails, the next is tried. `nuitka` compiles
    /// to C and needs a C compiler; `pyinstaller` packs the interpreter and the bytecode.
    #[serde(default = "freezers")]
    #[cfg_attr(test, schemars(extend("minItems" = 1, "uniqueItems" = true)))]
    pub freezers: Vec<Freezer>,
    /// What a freezer leaves behind. `onefile`, one executable that extracts itself at each start,
    /// is shipped as Tauri's `externalBin`. `folder`, which starts quicker and alarms fewer
    /// antivirus programs, is shipped as the resource `sidecars/<name>`, where the host has to look.
    /// `auto` makes a folder only if one file takes longer than `max-startup`.
    #[serde(default = "layout")]
    pub layout: Layout,
    /// A start that takes longer than this, warm and in the middle of all launches of the trial, is
    /// too slow: `layout = "auto"` then takes the folder, the others propose it.
    #[cfg_attr(test, schemars(extend("x-form" = "duration", "x-default" = "none; `5s` with `layout = \"auto\"`")))]
    pub max_startup: Option<String>,
    /// How long the frozen sidecar may take until it says that it is ready.
    #[serde(default = "ready_timeout")]
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub ready_timeout: String,
    /// How long one freeze may take.
    #[serde(default = "time_budget")]
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub time_budget: String,
    /// Python packages to include as a whole, with their data, for those that import by name at run time.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub packages: Vec<String>,
    /// Python modules that no import statement shows.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub modules: Vec<String>,
    /// Python modules to leave out, with all below them, such as `torch`: the frozen program finds none.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub exclude_modules: Vec<String>,
    /// Files, or folders, to carry along.
    #[serde(default)]
    pub data: Vec<DataFile>,
    /// The arguments it is started with when it is tried out.
    #[serde(default)]
    pub probe: Vec<String>,
    /// Files outside the folder that decide the output as well, relative to the repository.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub inputs: Vec<String>,
    /// Files that do not decide it, relative to the repository.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub exclude: Vec<String>,
    /// Environment variables that decide it; `*` stands for any characters. One that holds a
    /// secret is refused.
    #[serde(default = "sidecar_env")]
    #[cfg_attr(test, schemars(extend("x-form" = "variable-glob")))]
    pub env: Vec<String>,
    /// How a frozen sidecar proves itself before it is shipped.
    #[serde(default)]
    pub trial: Trial,
    /// What the system shows of the executable, on Windows and macOS. Product and version are those
    /// of the release.
    #[serde(default)]
    pub metadata: Metadata,
    /// What only Nuitka is told.
    #[serde(default)]
    pub nuitka: FreezerArgs,
    /// What only PyInstaller is told.
    #[serde(default)]
    pub pyinstaller: FreezerArgs,
}

/// See [`Sidecar::data`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DataFile {
    /// Where it is, relative to `dir`.
    #[cfg_attr(test, schemars(extend("x-form" = "path")))]
    pub from: String,
    /// Where the sidecar finds it, relative to the folder it is extracted to.
    #[cfg_attr(test, schemars(extend("x-form" = "inner-path")))]
    pub to: String,
}

/// See [`Sidecar::trial`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Trial {
    /// How many times it is started.
    #[cfg_attr(test, schemars(range(min = 1, max = 1000)))]
    pub launches: u16,
    /// How many of the launches may fail. If more do, the next freezer is tried.
    #[cfg_attr(test, schemars(extend("x-form" = "percent")))]
    pub max_failures: String,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            launches: 20,
            max_failures: "10%".into(),
        }
    }
}

/// See [`Sidecar::metadata`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Metadata {
    /// Who makes it.
    #[cfg_attr(test, schemars(extend("x-default" = "none")))]
    pub company: Option<String>,
    /// What it is, in a line.
    #[cfg_attr(test, schemars(extend("x-default" = "none")))]
    pub description: Option<String>,
    /// Whose rights, such as `© 2026 Example`.
    #[cfg_attr(test, schemars(extend("x-default" = "none")))]
    pub copyright: Option<String>,
}

/// See [`Sidecar::nuitka`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct FreezerArgs {
    /// Further arguments.
    pub args: Vec<String>,
}

fn freezers() -> Vec<Freezer> {
    vec![Freezer::Nuitka, Freezer::Pyinstaller]
}

fn layout() -> Layout {
    Layout::Onefile
}

fn ready_timeout() -> String {
    "30s".into()
}

fn time_budget() -> String {
    "30m".into()
}

fn sidecar_env() -> Vec<String> {
    texts(&["CC", "CFLAGS", "LDFLAGS"])
}
