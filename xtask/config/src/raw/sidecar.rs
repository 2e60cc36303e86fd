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
    /// What a freezer leaves behind: `onefile` is one executable that extracts itself when it
    /// starts.
    #[serde(default = "layout")]
    pub layout: Layout,
    /// How long the frozen sidecar may take until it says that it is ready.
    #[serde(default = "ready_timeout")]
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub ready_timeout: String,
    /// How long one freeze may take.
    #[serde(default = "time_budget")]
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub time_budget: String,
    /// Python packages to include as a whole, for those that import by name at run time.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub packages: Vec<String>,
    /// Python modules that no import statement shows.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub modules: Vec<String>,
    /// Python modules to leave out.
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
