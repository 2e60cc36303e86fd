//! What makes the setup programs for Windows that Tauri's bundler does not make.

use super::{Finding, Fix, Look, TOOLS, linters::words};
use crate::{
    config::{BundleKind, Config, NsisBundler},
    target::{Os, Target},
    tools::{
        packages::Need,
        windows_installer::{inno, nsis},
    },
};

/// A program that makes setup programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallerMaker {
    /// NSIS.
    Makensis,
    /// Inno Setup's compiler, by this command if the configuration has one.
    Iscc(Option<Vec<String>>),
}

impl InstallerMaker {
    /// Those that this configuration needs for this target.
    pub fn of(config: &Config, target: &Target) -> Vec<Self> {
        let options = &config.bundle.windows_installer;
        let maker = |kind: &BundleKind| match kind {
            BundleKind::Nsis if options.nsis_by() == NsisBundler::Makensis => Some(Self::Makensis),
            BundleKind::Inno => Some(Self::Iscc(options.inno_compiler.clone())),
            _ => None,
        };
        let kinds = config.bundle.windows.iter();
        let kinds = kinds.filter(|_| target.os == Os::Windows);
        kinds.filter_map(maker).collect()
    }
}

/// What lays out a wine for 32 bits; where it is, the tests are that want it.
const WINE: &str = "xtask/tests/sign_windows/tools/wine.py";
/// The package with Inno Setup's compiler. Its test knows the hashes of what it runs.
const INNO_SETUP: &str = "innosetup@6.4.1";

impl Look<'_> {
    /// Without them a configured installer is not made.
    pub(super) fn installer_makers(&self) -> Vec<Finding> {
        let finding = |it: &InstallerMaker| match it {
            InstallerMaker::Makensis => {
                let found = nsis::find_with(|name| self.probes.find(name).ok());
                let found = found.map(|it| it.display().to_string());
                let fix = || self.package(Need::Nsis);
                Finding::new("makensis", "bundle").or_missing(found, fix)
            }
            InstallerMaker::Iscc(configured) => {
                let found = inno::Compiler::find(configured.as_deref(), &self.needs.root);
                let version = found.and_then(|it| it.version().ok());
                let fix = || Fix::ByHand(inno::how_to_get());
                Finding::new("ISCC", "bundle").or_missing(version, fix)
            }
        };
        self.needs.installers.iter().map(finding).collect()
    }

    /// What compiles and installs setup programs in the tests of this program: none of them where the
    /// tests are not.
    pub(super) fn installer_trial(&self) -> Vec<Finding> {
        if !self.needs.root.join(WINE).is_file() || cfg!(not(target_os = "linux")) {
            return Vec::new();
        }
        let place = |name: &str| self.needs.root.join(TOOLS).join(name);
        let inno = place("innosetup").display().to_string();
        let npm = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ];
        let npm = [&npm[..], &["--prefix", &inno, INNO_SETUP]].concat();
        let wine = place("wine").display().to_string();
        vec![
            self.installed(
                "ISCC, for tests",
                "innosetup/node_modules/innosetup/bin/ISCC.exe",
                "install Inno Setup's compiler from npm",
                vec![words(&npm)],
            ),
            self.installed(
                "wine for 32 bits",
                "wine/complete",
                "unpack wine 10 of Debian 13",
                vec![words(&["python3", WINE, &wine])],
            ),
        ]
    }
}
