//! What makes an AppImage where Tauri's bundler does not.

use std::path::PathBuf;

use super::{Finding, Fix, Look, TOOLS, linters::words};
use crate::{
    config::{BundleKind, Config},
    target::{Os, Target},
    tools::{appimage::make, packages::Need},
};

/// What names the crate with a runtime, for the tests of this program.
const RUNTIME: &str = "xtask/tests/appimage/Cargo.toml";

/// What the AppImage for this target begins with; none if none is made here.
pub(super) fn runtime(config: &Config, target: &Target) -> Option<PathBuf> {
    let is_wanted = config.bundle.linux.contains(&BundleKind::Appimage);
    let is_wanted = is_wanted && target.os == Os::Linux;
    let appimage = Some(&config.bundle.appimage).filter(|_| is_wanted)?;
    appimage.runtime(&config.root, target.arch())
}

impl Look<'_> {
    /// Without them it fails, after minutes of building what it would hold.
    pub(super) fn appimage_makers(&self) -> Vec<Finding> {
        let needs = self.needs;
        let Some(runtime) = &needs.appimage else {
            return Vec::new();
        };
        let finding = Finding::new("AppImage runtime", "bundle");
        let finding = match make::runtime(runtime, &needs.target, &needs.appimage_sha256) {
            Ok(_) => finding.found(runtime.display().to_string()),
            Err(error) => {
                let said = error.to_string();
                let (problem, hint) = said.split_once("\nhint: ").unwrap_or((&said, ""));
                finding.problem(problem, Fix::ByHand(hint.to_owned()))
            }
        };
        vec![
            self.program("mksquashfs", "bundle", Need::Squashfs),
            finding,
        ]
    }

    /// With it a test starts an AppImage that was made here. None where the tests are not, and none for
    /// another system or processor than the runtime's.
    pub(super) fn appimage_runtime(&self) -> Option<Finding> {
        let is_for_this = cfg!(target_os = "linux") && Target::host().arch() == "x86_64";
        let is_here = is_for_this && self.needs.root.join(RUNTIME).is_file();
        is_here.then_some(())?;
        let folder = self.needs.root.join(TOOLS).join("appimage");
        let vendor = ["cargo", "vendor", "--locked", "--manifest-path", RUNTIME];
        let folder = folder.display().to_string();
        let vendor = [&vendor[..], &[&*folder]].concat();
        Some(self.installed(
            "AppImage runtime",
            "appimage/appimage/assets/runtime-x86_64",
            "fetch an AppImage runtime from crates.io",
            vec![words(&vendor)],
        ))
    }
}
