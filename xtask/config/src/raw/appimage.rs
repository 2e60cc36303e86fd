//! The section `[bundle.appimage]`.

use serde::Deserialize;

/// See `Bundle::appimage`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Appimage {
    /// The type-2 runtime that the AppImage begins with, a file that AppImage's project publishes;
    /// `{arch}` stands for `x86_64`, `aarch64`, `i686` or `armhf`. With it the AppImage is made here;
    /// without it Tauri's bundler does, with what it downloads.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none")))]
    pub runtime: Option<String>,
    /// The SHA-256 that the runtime must have; of several any, one for each architecture. Empty takes
    /// any file.
    #[cfg_attr(test, schemars(extend("x-form" = "sha256", "uniqueItems" = true)))]
    pub runtime_sha256: Vec<String>,
}
