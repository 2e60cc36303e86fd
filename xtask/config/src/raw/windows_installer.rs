//! The sections `[bundle.windows-installer]`, `[bundle.nsis]` and `[bundle.inno]`.

use serde::Deserialize;

use crate::types::{NsisBundler, Scope, Shortcut, UserData};

/// See `Bundle::windows_installer`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct WindowsInstaller {
    /// For whom the app is installed: for the user who installs it, without administrator rights, or
    /// for all users of the machine.
    pub scope: Scope,
    /// Where shortcuts are made. For the rest Inno Setup asks.
    #[cfg_attr(test, schemars(extend("uniqueItems" = true)))]
    pub shortcuts: Vec<Shortcut>,
    /// What the uninstaller does with the user's data. `ask` keeps them where it cannot ask, because
    /// it is silent.
    pub user_data: UserData,
    /// Microsoft's `MicrosoftEdgeWebview2Setup.exe`, which is packed and run where WebView2 is missing.
    /// Without it the installer only says so and opens the download page.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "none")))]
    pub webview2: Option<String>,
}

impl Default for WindowsInstaller {
    fn default() -> Self {
        Self {
            scope: Scope::User,
            shortcuts: vec![Shortcut::StartMenu],
            user_data: UserData::Ask,
            webview2: None,
        }
    }
}

/// See `Bundle::nsis`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Nsis {
    /// What makes it: Tauri's bundler, which downloads NSIS, or `makensis` from this machine with
    /// the project's own script.
    #[cfg_attr(test, schemars(extend("x-default" = "`tauri` on Windows, `makensis` elsewhere")))]
    pub bundler: Option<NsisBundler>,
    /// The script for `makensis`.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "`packaging/windows/installer.nsi` if it is there, else the one built in")))]
    pub template: Option<String>,
}

/// See `Bundle::inno`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Inno {
    /// The command that runs Inno Setup's compiler: a program and its first arguments.
    #[cfg_attr(test, schemars(extend("x-form" = "text", "minItems" = 1, "x-default" = "`ISCC.exe`: the one that the variable `ISCC` names, on PATH, or where its installer put it; under wine where this is not Windows")))]
    pub compiler: Option<Vec<String>>,
    /// The script for Inno Setup's compiler.
    #[cfg_attr(test, schemars(extend("x-form" = "path", "x-default" = "`packaging/windows/installer.iss` if it is there, else the one built in")))]
    pub template: Option<String>,
}
