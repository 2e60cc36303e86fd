//! Tauri's bundler, from the app's own dependency: turns finished executables into installers.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::versions;
use crate::{
    config::{BundleKind, TauriCli},
    engine::step::Context,
};

/// The marker in the host that the bundler overwrites with the kind of package, and what it is
/// overwritten with. See `tauri-utils`, `platform::bundle_type`.
pub const MARKER: &[u8] = b"__TAURI_BUNDLE_TYPE_VAR_UNK";

/// Warnings that mean a broken package although the bundler ends well.
const FATAL_WARNINGS: [&str; 2] = [
    "Failed to add bundler type",
    "Couldn't find the bundle type",
];

/// What is bundled, and from where.
pub struct Bundling<'a> {
    /// How Tauri's command line is called.
    pub cli: &'a TauriCli,
    /// The app's folder with its Tauri configuration.
    pub app: &'a Path,
    /// A folder that stands for cargo's target folder: the executables lie in `release/`.
    pub work: &'a Path,
    /// The kind of installer.
    pub kind: BundleKind,
    /// Merged over the app's configuration.
    pub config: &'a serde_json::Value,
    /// The target triple, unless it is the host's.
    pub triple: Option<&'a str>,
    /// Whether it has files signed by the command that the configuration names. The host is then
    /// signed already, and must not be changed any more.
    pub signs: bool,
}

/// Which command line it is: `tauri-cli 2.12.5`; none if it cannot say.
pub fn version(cx: &Context, cli: &TauriCli) -> Option<String> {
    match cli {
        TauriCli::Command(words) => Some(cx.probe(&versions::tauri(words)).ok()?.version),
        // Starting it takes a second.
        TauriCli::NodeModule(dir) => {
            let package = super::node::tauri_cli(dir).ok()?;
            let package = fs_err::read(package.with_file_name("package.json")).ok()?;
            let package: serde_json::Value = serde_json::from_slice(&package).ok()?;
            Some(format!("tauri-cli {}", package["version"].as_str()?))
        }
    }
}

/// The bundler's name of a kind.
pub fn kind_name(kind: BundleKind) -> String {
    format!("{kind:?}").to_lowercase()
}

impl Bundling<'_> {
    /// The command. It signs nothing, unless it is asked to: that is a step of its own, after the bytes
    /// are final.
    pub fn command(&self) -> Result<Command> {
        let mut command = match self.cli {
            TauriCli::NodeModule(dir) => {
                let mut command = Command::new("node");
                command.arg(super::node::tauri_cli(dir)?);
                command
            }
            TauriCli::Command(words) => {
                let (program, first) = words.split_first().context("`bundle.cli` is empty")?;
                let program = which::which(program).unwrap_or_else(|_| program.into());
                let mut command = Command::new(program);
                command.args(first);
                command
            }
        };
        let signing = match self.signs {
            true => "--no-binary-patching",
            false => "--no-sign",
        };
        let kind = kind_name(self.kind);
        command.args(["bundle", "--ci", signing, "--bundles", &kind]);
        command
            .arg("--config")
            .arg(serde_json::to_string(self.config)?);
        if let Some(triple) = self.triple {
            command.args(["--target", triple]);
        }
        command
            .current_dir(self.app)
            .env("CARGO_TARGET_DIR", self.work);
        Ok(command)
    }

    /// The one package that the bundler left. `output` is what it printed.
    pub fn package(&self, output: &str) -> Result<PathBuf> {
        let fatal = output
            .lines()
            .find(|line| FATAL_WARNINGS.iter().any(|it| line.contains(it)));
        if let Some(line) = fatal {
            bail!(
                "the bundler ended well, but the package is broken: {}",
                line.trim()
            );
        }
        let kind = kind_name(self.kind);
        let folder = match self.kind {
            BundleKind::App => "macos",
            _ => &kind,
        };
        let folder = self.release().join("bundle").join(folder);
        let suffix = match self.kind {
            BundleKind::Nsis => "exe",
            BundleKind::Appimage => "AppImage",
            _ => &kind,
        };
        let mut packages = Vec::new();
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|it| it.eq_ignore_ascii_case(suffix))
            {
                packages.push(path);
            }
        }
        match packages.len() {
            1 => Ok(packages.remove(0)),
            n => bail!(
                "the bundler left {n} .{suffix} files in {}, not one",
                folder.display()
            ),
        }
    }

    /// Where the bundler looks for the executables.
    pub fn release(&self) -> PathBuf {
        let triple = self.triple.unwrap_or_default();
        self.work.join(triple).join("release")
    }
}

/// The host as it lies in a package of this kind: the marker is the only thing that may differ.
/// None if it has no marker: then the bundler leaves it alone.
pub fn stamped(host: &[u8], kind: BundleKind) -> Option<Vec<u8>> {
    let at = host.windows(MARKER.len()).position(|it| it == MARKER)?;
    let name: &[u8; 3] = match kind {
        BundleKind::Deb => b"DEB",
        BundleKind::Rpm => b"RPM",
        BundleKind::Appimage => b"APP",
        BundleKind::Nsis => b"NSS",
        BundleKind::Msi => b"MSI",
        // Tauri's updater knows no such kind.
        BundleKind::Inno | BundleKind::App | BundleKind::Dmg => return None,
    };
    let mut stamped = host.to_owned();
    let end = at + MARKER.len();
    stamped[end - name.len()..end].copy_from_slice(name);
    Some(stamped)
}
