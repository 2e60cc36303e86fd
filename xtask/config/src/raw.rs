//! `dist.toml` as it is written. The comments here are the reference: `schema.json` is generated
//! from the types, and `docs/configuration.md` rendered from that. After a change here
//! `UPDATE_EXPECT=1 cargo test -p xtask` writes both.
//!
//! `x-form` names the form of a string, or of each in a list (see `value`); `x-default` says how a
//! default is found.

mod appimage;
mod ci;
mod sidecar;
mod sign;
mod windows_installer;

use serde::Deserialize;

use super::types::{BundleKind, Layout, PackageManager};
pub(super) use appimage::Appimage;
pub(super) use ci::Ci;
pub(super) use sidecar::{DataFile, Sidecar};
pub(super) use sign::Sign;
pub(crate) use sign::{Macos, Windows};
pub(super) use windows_installer::{Inno, Nsis, WindowsInstaller};

/// The file. Every section may be left out.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Dist {
    /// What is released.
    pub product: Product,
    /// The web frontend, which is embedded into the app.
    pub frontend: Frontend,
    /// The Tauri host: the Cargo package of the app.
    pub app: App,
    /// A Python program shipped beside the app, frozen into an executable. Repeat the section for
    /// several.
    pub sidecar: Vec<Sidecar>,
    /// Which installers are made.
    pub bundle: Bundle,
    /// The portable archive: the executables without an installer.
    pub archive: Archive,
    /// Which keys sign what is released. Secrets never stand here: a key names the environment
    /// variable that holds one.
    pub sign: Sign,
    /// Where releases go.
    pub release: Release,
    /// Where installed apps find a new version: what `merge` writes into `latest.json`.
    pub updater: Updater,
    /// How long things may take.
    pub limits: Limits,
    /// How `cargo xtask test` knows that the installed app works.
    pub test: Test,
    /// The workflows that `cargo xtask ci generate` writes.
    pub ci: Ci,
}

/// See [`Dist::product`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Product {
    /// The name people see.
    #[cfg_attr(test, schemars(extend("x-default" = "`productName` of the Tauri configuration, else the Cargo package's name")))]
    pub name: Option<String>,
    /// The version of the release.
    #[cfg_attr(test, schemars(extend("x-form" = "version", "x-default" = "`version` of the Tauri configuration (or of the `package.json` it names), else the Cargo package's")))]
    pub version: Option<String>,
}

/// See [`Dist::frontend`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Frontend {
    /// `false`: there is nothing to build, because the frontend is static or absent.
    #[cfg_attr(test, schemars(extend("x-default" = "`true` if there is a `package.json`")))]
    pub enabled: Option<bool>,
    /// The folder with its `package.json`, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "the nearest one with a `package.json` at or above the Tauri host")))]
    pub dir: Option<String>,
    /// What installs its packages and runs its scripts.
    #[cfg_attr(test, schemars(extend("x-default" = "the one whose lock file is nearest, at or above the folder")))]
    pub package_manager: Option<PackageManager>,
    /// The script of `package.json` that builds it.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub script: String,
    /// The folder that the script leaves behind, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "`build.frontendDist` of the Tauri configuration")))]
    pub out: Option<String>,
    /// Files outside the folder that decide the output as well, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub inputs: Vec<String>,
    /// Files that do not decide it, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub exclude: Vec<String>,
    /// Environment variables that decide it; `*` stands for any characters. One that holds a
    /// secret is refused.
    #[cfg_attr(test, schemars(extend("x-form" = "variable-glob")))]
    pub env: Vec<String>,
}

impl Default for Frontend {
    fn default() -> Self {
        Self {
            enabled: None,
            dir: None,
            package_manager: None,
            script: "build".into(),
            out: None,
            inputs: Vec::new(),
            exclude: Vec::new(),
            env: texts(&["NODE_ENV", "VITE_*"]),
        }
    }
}

/// See [`Dist::app`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct App {
    /// The folder with its `Cargo.toml` and Tauri configuration (`tauri.conf.json`,
    /// `tauri.conf.json5` or `Tauri.toml`), relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "found: `src-tauri`, `*/src-tauri`, `apps/*/src-tauri`, `packages/*/src-tauri`")))]
    pub dir: Option<String>,
    /// The Cargo profile.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub profile: String,
    /// Cargo features.
    #[cfg_attr(test, schemars(extend("x-form" = "text")))]
    pub features: Vec<String>,
    /// Further arguments of `cargo build`.
    pub cargo_args: Vec<String>,
    /// Files outside the folder that decide the output as well, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub inputs: Vec<String>,
    /// Files that do not decide it, relative to the repository.
    #[cfg_attr(test, schemars(extend("x-form" = "glob")))]
    pub exclude: Vec<String>,
    /// Environment variables that decide it; `*` stands for any characters. One that holds a
    /// secret is refused.
    #[cfg_attr(test, schemars(extend("x-form" = "variable-glob")))]
    pub env: Vec<String>,
}

impl Default for App {
    fn default() -> Self {
        Self {
            dir: None,
            profile: "release".into(),
            features: Vec::new(),
            cargo_args: Vec::new(),
            inputs: Vec::new(),
            exclude: Vec::new(),
            env: texts(&[
                "RUSTFLAGS",
                "CARGO_ENCODED_RUSTFLAGS",
                "CARGO_BUILD_*",
                "CARGO_PROFILE_*",
            ]),
        }
    }
}

/// See [`Dist::bundle`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Bundle {
    /// For Linux.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true)))]
    pub linux: Vec<LinuxBundle>,
    /// For Windows.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true)))]
    pub windows: Vec<WindowsBundle>,
    /// For macOS.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true)))]
    pub macos: Vec<MacosBundle>,
    /// The command that runs Tauri's CLI: a program and its first arguments.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "minItems" = 1, "x-default" = "the app's own dependency `@tauri-apps/cli`, else `[\"cargo\", \"tauri\"]`")))]
    pub cli: Option<Vec<String>>,
    /// What NSIS and Inno Setup have in common where this program writes their scripts.
    pub windows_installer: WindowsInstaller,
    /// The setup program by NSIS.
    pub nsis: Nsis,
    /// The setup program by Inno Setup.
    pub inno: Inno,
    /// The AppImage.
    pub appimage: Appimage,
}

impl Default for Bundle {
    fn default() -> Self {
        Self {
            linux: vec![LinuxBundle::Deb, LinuxBundle::Rpm],
            windows: vec![WindowsBundle::Nsis],
            macos: vec![MacosBundle::App, MacosBundle::Dmg],
            cli: None,
            windows_installer: WindowsInstaller::default(),
            nsis: Nsis::default(),
            inno: Inno::default(),
            appimage: Appimage::default(),
        }
    }
}

/// What Linux installs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum LinuxBundle {
    Deb,
    Rpm,
    Appimage,
}

impl From<LinuxBundle> for BundleKind {
    fn from(kind: LinuxBundle) -> Self {
        match kind {
            LinuxBundle::Deb => Self::Deb,
            LinuxBundle::Rpm => Self::Rpm,
            LinuxBundle::Appimage => Self::Appimage,
        }
    }
}

/// What Windows installs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum WindowsBundle {
    Nsis,
    Msi,
    Inno,
}

impl From<WindowsBundle> for BundleKind {
    fn from(kind: WindowsBundle) -> Self {
        match kind {
            WindowsBundle::Nsis => Self::Nsis,
            WindowsBundle::Msi => Self::Msi,
            WindowsBundle::Inno => Self::Inno,
        }
    }
}

/// What macOS installs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum MacosBundle {
    App,
    Dmg,
}

impl From<MacosBundle> for BundleKind {
    fn from(kind: MacosBundle) -> Self {
        match kind {
            MacosBundle::App => Self::App,
            MacosBundle::Dmg => Self::Dmg,
        }
    }
}

/// See [`Dist::archive`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Archive {
    /// `false`: none is made.
    pub enabled: bool,
    /// Files that it holds besides the executables, relative to the repository; `*` in a file's
    /// name stands for any characters.
    #[cfg_attr(test, schemars(extend("x-form" = "file-glob", "x-default" = "what there is of `README*`, `LICENSE*`, `NOTICE*`")))]
    pub files: Option<Vec<String>>,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            enabled: true,
            files: None,
        }
    }
}

/// See [`Dist::release`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Release {
    /// The folder of all releases, relative to the repository. One release is the folder
    /// `<version>/<target>` in it.
    #[cfg_attr(test, schemars(extend("x-form" = "inner-path", "x-default" = "`dist`, or `release` if the frontend is built into `dist`")))]
    pub dir: Option<String>,
    /// What a tag of a release looks like, with `{version}` where the version stands. `dist` refuses
    /// a tag of this form that says another version; other tags say nothing about it.
    #[cfg_attr(test, schemars(extend("x-form" = "tag", "x-default" = "`v{version}` and `{version}`")))]
    pub tag: Option<String>,
    /// The targets of a complete release: a job each in the workflows, and what `merge` wants. `linux`,
    /// `windows`, `macos`, or Rust target triples. The jobs take x86-64 for the first two and Apple silicon
    /// for `macos`; `merge` takes the architecture that was built.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true, "x-form" = "target", "x-default" = "those of `[[ci.target]]`; else the jobs are for Linux and Windows on x86-64 and macOS on both, and `merge` must be told, with `--expect`")))]
    pub targets: Vec<String>,
}

/// See [`Dist::updater`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Updater {
    /// Where a file of the release can be downloaded once it is published; `{version}` and `{file}`
    /// stand for themselves.
    #[cfg_attr(test, schemars(extend("x-form" = "download-url", "x-default" = "in a GitHub workflow the release on GitHub; else none, and there is no `latest.json`")))]
    pub url: Option<String>,
    /// A file with what is new in a release, for people: `notes` of `latest.json`. `{version}` stands for
    /// the version: a file for each.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none, unless `merge` is given `--notes`")))]
    pub notes: Option<String>,
}

/// See [`Dist::limits`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Limits {
    /// How long one command may take.
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub step_timeout: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            step_timeout: "2h".into(),
        }
    }
}

/// See [`Dist::test`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Test {
    /// Text in the title of the app's window once the app and its sidecars are ready.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "x-default" = "none: any window will do")))]
    pub window_title: Option<String>,
    /// Text in a line that the app prints once it is ready.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "x-default" = "none")))]
    pub ready_line: Option<String>,
    /// How long the app may take until then.
    #[cfg_attr(test, schemars(extend("x-form" = "duration")))]
    pub ready_timeout: String,
    /// Layouts of its sidecars that the app can find. It is also installed and started with those
    /// that `layout` does not name: with sidecars that PyInstaller froze, and with `--full` with
    /// those of every freezer.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true, "x-default" = "none but what `layout` names")))]
    pub layouts: Vec<Layout>,
    /// Rust target triples that the Cargo workspace at the top is checked for, too, with its tests
    /// and clippy: code for another platform rots unseen. Only checked, neither linked nor run.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true, "x-default" = "none")))]
    pub platforms: Vec<String>,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            window_title: None,
            ready_line: None,
            ready_timeout: "60s".into(),
            layouts: Vec::new(),
            platforms: Vec::new(),
        }
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}
