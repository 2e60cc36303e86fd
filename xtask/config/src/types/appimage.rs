//! AppImages that Tauri's bundler does not make.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// How an AppImage is made here. Tauri's bundler downloads what makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Appimage {
    /// The program that an AppImage begins with, relative to the repository; `{arch}` in it stands for
    /// the architecture. None leaves AppImages to Tauri's bundler.
    pub runtime: Option<String>,
    /// What its SHA-256 may be, in lower-case hex; empty takes any.
    pub runtime_sha256: Vec<String>,
}

impl Appimage {
    /// The runtime for an architecture, as Rust names it; none leaves it to Tauri's bundler.
    pub fn runtime(&self, root: &Path, arch: &str) -> Option<PathBuf> {
        let runtime = self.runtime.as_ref()?;
        Some(root.join(runtime.replace("{arch}", name_of(arch))))
    }
}

/// An architecture as AppImage's project names its runtimes.
fn name_of(arch: &str) -> &str {
    match arch {
        "i586" => "i686",
        "arm" | "armv7" => "armhf",
        arch => arch,
    }
}
