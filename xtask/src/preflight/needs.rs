//! What the configuration asks of the machine.

use std::path::PathBuf;

use semver::Version;

use super::{
    appimage,
    signing::{self, CodeTool},
    toolchain,
    windows_installer::InstallerMaker,
};
use crate::{
    config::{BundleKind, Config, Freezer, LinuxSigning, PackageManager, PythonVersion, TauriCli},
    target::Target,
};

/// What a release needs of the machine. Made by [`Needs::of`]; plain data.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The repository: version managers answer by folder.
    pub root: PathBuf,
    /// What is shipped for.
    pub target: Target,
    /// Whether Node.js is needed, by the frontend or by Tauri's command line.
    pub node: bool,
    /// The frontend's package manager and folder.
    pub packages: Option<(PackageManager, PathBuf)>,
    /// The folder of the Tauri host.
    pub app: PathBuf,
    /// The oldest Rust that the host compiles with.
    pub rust: Version,
    /// The program that Tauri's command line is, if it is no Node.js package.
    pub tauri: Option<String>,
    /// One for each Python version that a sidecar asks for.
    pub pythons: Vec<PythonNeed>,
    /// The installers that are made.
    pub bundle: Vec<BundleKind>,
    /// What makes those that Tauri's bundler does not make.
    pub installers: Vec<InstallerMaker>,
    /// What the AppImage begins with, if it is made here.
    pub appimage: Option<PathBuf>,
    /// What the SHA-256 of that may be; empty takes any.
    pub appimage_sha256: Vec<String>,
    /// Whether something is signed with OpenPGP.
    pub gpg: bool,
    /// What signs the target's code; none if nothing does.
    pub code: Option<CodeTool>,
    /// Whether a key that the configuration names signs in this run; else what signs is only
    /// recommended.
    pub publisher: bool,
    /// Whether packages of Linux are signed inside.
    pub signed_packages: LinuxSigning,
    /// Whether the tests of the release are to run too, such as the start of the app.
    pub for_tests: bool,
    /// Where room is needed. Only for `doctor`, because asking runs a process.
    pub disk: Option<PathBuf>,
}

/// What sidecars need of one Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonNeed {
    /// The version asked for; without one, any that is not too old.
    pub wanted: Option<PythonVersion>,
    /// What freezes with it.
    pub freezers: Vec<Freezer>,
}

impl Needs {
    /// What this configuration needs for this target.
    pub fn of(config: &Config, target: &Target) -> Self {
        let frontend = config.frontend.as_ref();
        let tauri = match &config.bundle.cli {
            TauriCli::NodeModule(_) => None,
            TauriCli::Command(words) => {
                match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    // cargo runs `cargo-tauri` for `cargo tauri`.
                    ["cargo", subcommand, ..] => Some(format!("cargo-{subcommand}")),
                    [program, ..] => Some(program.to_owned()),
                    [] => None,
                }
            }
        };
        let mut pythons: Vec<PythonNeed> = Vec::new();
        for sidecar in &config.sidecars {
            let (wanted, freezers) = (sidecar.python, sidecar.freezers.iter().copied());
            match pythons.iter_mut().find(|it| it.wanted == wanted) {
                Some(known) => known.freezers.extend(freezers),
                None => pythons.push(PythonNeed {
                    wanted,
                    freezers: freezers.collect(),
                }),
            }
        }
        Self {
            root: config.root.clone(),
            target: target.clone(),
            node: frontend.is_some() || tauri.is_none(),
            packages: frontend.map(|it| (it.package_manager, it.dir.clone())),
            app: config.app.dir.clone(),
            rust: toolchain::rust_version(&config.app.dir, &config.root),
            tauri,
            pythons,
            bundle: target.bundles(&config.bundle),
            installers: InstallerMaker::of(config, target),
            appimage: appimage::runtime(config, target),
            appimage_sha256: config.bundle.appimage.runtime_sha256.clone(),
            gpg: config.sign.gpg.is_some(),
            code: CodeTool::of(config, target),
            publisher: signing::is_publisher(config),
            signed_packages: config.sign.linux,
            for_tests: false,
            disk: None,
        }
    }
}
