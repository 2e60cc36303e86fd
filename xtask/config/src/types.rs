//! What the rest of the program sees: plain data, every default filled in, every path absolute.

mod appimage;
mod ci;
mod sign;
mod windows_installer;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

pub use appimage::*;
pub use ci::*;
pub use sign::*;
pub use windows_installer::*;

/// A repository's release configuration, complete: nothing in it is left to be looked up.
///
/// All paths are absolute unless a field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// The repository.
    pub root: PathBuf,
    /// The `dist.toml` that was read; `None` if there is none and conventions decided all.
    pub file: Option<PathBuf>,
    /// What is released.
    pub product: Product,
    /// The web frontend; `None` if it is static or absent.
    pub frontend: Option<Frontend>,
    /// The Tauri host.
    pub app: App,
    /// The Python programs shipped beside the app, in the order of the file.
    pub sidecars: Vec<Sidecar>,
    /// Which installers are made.
    pub bundle: Bundle,
    /// The portable archive; `None` if none is wanted.
    pub archive: Option<Archive>,
    /// Which keys sign what is released.
    pub sign: Sign,
    /// Where releases go.
    pub release: ReleaseDir,
    /// Where installed apps find a new version.
    pub updater: Updater,
    /// How long things may take.
    pub limits: Limits,
    /// How the tests know that the installed app works.
    pub test: Test,
    /// What the generated workflows do.
    pub ci: Ci,
    /// What the app's own Tauri configuration says.
    pub tauri: TauriConf,
    /// What looks wrong but stops nothing, one sentence each.
    pub warnings: Vec<String>,
}

/// What is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Product {
    /// The name people see.
    pub name: String,
    /// The version of the release.
    #[serde(serialize_with = "as_version")]
    pub version: semver::Version,
    /// The reverse-domain identifier, as in the Tauri configuration.
    pub identifier: String,
}

/// What decides a step's output besides the files it obviously reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sources {
    /// Globs of further files, relative to the repository.
    pub inputs: Vec<String>,
    /// Globs of files that do not count, relative to the repository.
    pub exclude: Vec<String>,
    /// Names of environment variables; `*` stands for any characters.
    pub env: Vec<String>,
}

/// The web frontend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Frontend {
    /// The folder with its `package.json`.
    pub dir: PathBuf,
    /// What installs its packages and runs its scripts.
    pub package_manager: PackageManager,
    /// The lock file. Its folder is the one to install in: `dir`, or the workspace above it.
    pub lock: PathBuf,
    /// The script of `package.json` that builds it.
    pub script: String,
    /// The folder the script leaves behind.
    pub out: PathBuf,
    /// What decides the output.
    pub sources: Sources,
}

/// What installs JavaScript packages and runs scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PackageManager {
    /// npm
    Npm,
    /// pnpm
    Pnpm,
    /// Yarn, classic or modern
    Yarn,
    /// Bun
    Bun,
}

impl PackageManager {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Npm, Self::Pnpm, Self::Yarn, Self::Bun];

    /// The command's name.
    pub fn command(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The names its lock file may have, the one that wins first.
    pub fn locks(self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["npm-shrinkwrap.json", "package-lock.json"],
            Self::Pnpm => &["pnpm-lock.yaml"],
            Self::Yarn => &["yarn.lock"],
            Self::Bun => &["bun.lock", "bun.lockb"],
        }
    }
}

/// The Tauri host: the Cargo package of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct App {
    /// The folder with its `Cargo.toml` and Tauri configuration.
    pub dir: PathBuf,
    /// The Cargo package's name.
    pub package: String,
    /// The Cargo profile, such as `release`.
    pub profile: String,
    /// Cargo features.
    pub features: Vec<String>,
    /// Further arguments of `cargo build`.
    pub cargo_args: Vec<String>,
    /// What decides the output.
    pub sources: Sources,
}

/// A Python program shipped beside the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sidecar {
    /// The executable's name, without target triple and `.exe`.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The Python file that is started.
    pub entry: PathBuf,
    /// The pinned and hashed requirements.
    pub lock: PathBuf,
    /// The Python wanted; `None` takes the `python3` that is found.
    pub python: Option<PythonVersion>,
    /// What freezes it, in the order of trial. Never empty.
    pub freezers: Vec<Freezer>,
    /// What a freezer leaves behind.
    pub layout: Layout,
    /// What takes longer to start should be a folder.
    #[serde(serialize_with = "as_text_or_none")]
    pub max_startup: Option<Duration>,
    /// How long a frozen sidecar may take until it says that it is ready.
    #[serde(serialize_with = "as_text")]
    pub ready_timeout: Duration,
    /// How long one freeze may take.
    #[serde(serialize_with = "as_text")]
    pub time_budget: Duration,
    /// Python packages to include as a whole.
    pub packages: Vec<String>,
    /// Python modules that no import statement shows.
    pub modules: Vec<String>,
    /// Python modules to leave out.
    pub exclude_modules: Vec<String>,
    /// Files to carry along.
    pub data: Vec<DataFile>,
    /// The arguments it is started with when it is tried out.
    pub probe: Vec<String>,
    /// How it proves itself once it is frozen.
    pub trial: Trial,
    /// What the system shows of the executable.
    pub metadata: Metadata,
    /// Further arguments of Nuitka.
    pub nuitka_args: Vec<String>,
    /// Further arguments of PyInstaller.
    pub pyinstaller_args: Vec<String>,
    /// What decides the output.
    pub sources: Sources,
}

/// How a frozen sidecar proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trial {
    /// How many times it is started.
    pub launches: usize,
    /// How many of a hundred launches may fail.
    pub max_failures: u8,
}

/// What the system shows of an executable, on Windows and macOS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// Who makes it.
    pub company: Option<String>,
    /// What it is, in a line.
    pub description: Option<String>,
    /// Whose rights.
    pub copyright: Option<String>,
}

/// A file, or a folder, that a frozen sidecar carries along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataFile {
    /// Where it is.
    pub from: PathBuf,
    /// Where the sidecar finds it: relative to the folder it is extracted to.
    pub to: PathBuf,
}

/// A Python version as far as it decides compatibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// The 3 of 3.11.
    pub major: u32,
    /// The 11 of 3.11.
    pub minor: u32,
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for PythonVersion {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What turns Python into an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Freezer {
    /// Compiles to C; needs a C compiler
    Nuitka,
    /// Packs the interpreter and the bytecode
    Pyinstaller,
}

impl Freezer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nuitka, Self::Pyinstaller];

    /// As it is written in the configuration and in locks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nuitka => "nuitka",
            Self::Pyinstaller => "pyinstaller",
        }
    }
}

/// What a freezer leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One executable that extracts itself when it starts
    Onefile,
    /// An executable beside its libraries
    Folder,
    /// One file, unless it starts too slowly
    Auto,
}

impl Layout {
    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onefile => "onefile",
            Self::Folder => "folder",
            Self::Auto => "auto",
        }
    }
}

/// Which installers are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bundle {
    /// For Linux: of deb, rpm, appimage.
    pub linux: Vec<BundleKind>,
    /// For Windows: of nsis, msi, inno.
    pub windows: Vec<BundleKind>,
    /// For macOS: of app, dmg.
    pub macos: Vec<BundleKind>,
    /// What runs Tauri's bundler.
    pub cli: TauriCli,
    /// The setup programs for Windows that Tauri's bundler does not make.
    pub windows_installer: WindowsInstaller,
    /// How an AppImage is made, if not by Tauri's bundler.
    pub appimage: Appimage,
}

/// A kind of installer, named as Tauri's bundler names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BundleKind {
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
    /// An AppImage.
    Appimage,
    /// A setup program made by NSIS.
    Nsis,
    /// A Windows Installer package.
    Msi,
    /// A setup program made by Inno Setup. Tauri's bundler has no such kind.
    Inno,
    /// A macOS application folder.
    App,
    /// A macOS disk image.
    Dmg,
}

/// What runs Tauri's bundler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TauriCli {
    /// `@tauri-apps/cli`, a dependency of the `package.json` in this folder.
    NodeModule(PathBuf),
    /// A program with its first arguments. Never empty.
    Command(Vec<String>),
}

/// The portable archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Archive {
    /// Files that it holds besides the executables, sorted.
    pub files: Vec<PathBuf>,
}

/// Where releases go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseDir {
    /// A release is the folder `<version>/<target>` in here.
    pub dir: PathBuf,
    /// The form of its tag, with `{version}`; `None` takes the usual ones.
    pub tag: Option<String>,
    /// The targets of a complete release, by friendly name or triple, those of `[[ci.target]]` if it names
    /// none; empty if nobody said.
    pub targets: Vec<String>,
}

/// Where installed apps find a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Updater {
    /// Of a published file, with `{version}` and `{file}` in it.
    pub url: Option<String>,
    /// The file with what is new, absolute; `{version}` stands in it for the version.
    pub notes: Option<PathBuf>,
}

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// One command.
    #[serde(serialize_with = "as_text")]
    pub step_timeout: Duration,
}

/// How the tests know that the installed app works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Test {
    /// Text in the title of the app's window once it is ready; `None` takes any window.
    pub window_title: Option<String>,
    /// Text in a line that the app prints once it is ready.
    pub ready_line: Option<String>,
    /// How long the app may take until then.
    #[serde(serialize_with = "as_text")]
    pub ready_timeout: Duration,
    /// The layouts of its sidecars that the app can find.
    pub layouts: Vec<Layout>,
    /// Rust target triples that the workspace at the top must compile for.
    pub platforms: Vec<String>,
}

/// What the app's own Tauri configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TauriConf {
    /// The file it was read from: `tauri.conf.json`, `tauri.conf.json5` or `Tauri.toml`.
    pub file: PathBuf,
    /// `productName`.
    pub product_name: Option<String>,
    /// `version`, read from the `package.json` that it may name instead.
    #[serde(serialize_with = "as_optional_version")]
    pub version: Option<semver::Version>,
    /// `identifier`.
    pub identifier: String,
    /// The executable's name, without `.exe`: `mainBinaryName`, else what Cargo calls it.
    pub main_binary: String,
    /// The executable's name as Cargo builds it, without `.exe`.
    pub cargo_binary: String,
    /// `build.frontendDist`, if it is a path.
    pub frontend_dist: Option<PathBuf>,
    /// `bundle.externalBin`: paths without target triple and `.exe`.
    pub external_bin: Vec<PathBuf>,
    /// `bundle.macOS.minimumSystemVersion`, else Tauri's default: the oldest macOS that the app runs on.
    pub minimum_macos: String,
    /// `plugins.updater.pubkey`: base64 of a minisign public key file.
    pub updater_pubkey: Option<String>,
}

/// Like [`as_text`], if there is one.
fn as_text_or_none<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => as_text(value, to),
        None => to.serialize_none(),
    }
}

/// Writes a duration as `dist.toml` does: `30s`, `1h`.
fn as_text<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&super::value::duration_text(*value))
}

fn as_version<S: Serializer>(value: &semver::Version, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn as_optional_version<S: Serializer>(
    value: &Option<semver::Version>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(to)
}
