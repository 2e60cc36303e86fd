//! What makes the setup programs for Windows that Tauri's bundler does not make.

use super::{Finding, Fix, Look};
use crate::{
    config::{BundleKind, Config, NsisBundler},
    target::{Os, Target},
    tools::{packages::Need, setup::inno},
};

/// A program that makes setup programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupMaker {
    /// NSIS.
    Makensis,
    /// Inno Setup's compiler, by this command if the configuration has one.
    Iscc(Option<Vec<String>>),
}

impl SetupMaker {
    /// Those that this configuration needs for this target.
    pub fn of(config: &Config, target: &Target) -> Vec<Self> {
        let setup = &config.bundle.setup;
        let maker = |kind: &BundleKind| match kind {
            BundleKind::Nsis if setup.nsis_by() == NsisBundler::Makensis => Some(Self::Makensis),
            BundleKind::Inno => Some(Self::Iscc(setup.inno_compiler.clone())),
            _ => None,
        };
        let kinds = config.bundle.windows.iter();
        let kinds = kinds.filter(|_| target.os == Os::Windows);
        kinds.filter_map(maker).collect()
    }
}

impl Look<'_> {
    /// Without them a configured installer is not made.
    pub(super) fn setup_makers(&self) -> Vec<Finding> {
        let finding = |it: &SetupMaker| match it {
            SetupMaker::Makensis => self.program("makensis", "bundle", Need::Nsis),
            SetupMaker::Iscc(configured) => {
                let found = inno::Compiler::find(configured.as_deref());
                let version = found.and_then(|it| it.version().ok());
                let fix = || Fix::ByHand(inno::how_to_get());
                Finding::new("ISCC", "bundle").or_missing(version, fix)
            }
        };
        self.needs.setup.iter().map(finding).collect()
    }
}
