//! The setup programs for Windows whose scripts belong to the project.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The setup programs for Windows that Tauri's bundler does not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WindowsInstaller {
    /// For whom the app is installed.
    pub scope: Scope,
    /// Where shortcuts are made.
    pub shortcuts: Vec<Shortcut>,
    /// What the uninstaller does with the user's data.
    pub user_data: UserData,
    /// Microsoft's program that installs WebView2, to be packed; none only tells of it.
    pub webview2: Option<PathBuf>,
    /// What makes the setup program by NSIS, if the file says so: see [`WindowsInstaller::nsis_by`].
    pub nsis_bundler: Option<NsisBundler>,
    /// The project's script for NSIS; none stands for the one built in.
    pub nsis_template: Option<PathBuf>,
    /// The command that runs Inno Setup's compiler; none looks for it. Never empty.
    pub inno_compiler: Option<Vec<String>>,
    /// The project's script for Inno Setup; none stands for the one built in.
    pub inno_template: Option<PathBuf>,
}

impl WindowsInstaller {
    /// What makes the setup program by NSIS here. Tauri's bundler downloads an NSIS for Windows, with a
    /// plug-in of its own that no system package has.
    pub fn nsis_by(&self) -> NsisBundler {
        self.nsis_bundler.unwrap_or(match cfg!(windows) {
            true => NsisBundler::Tauri,
            false => NsisBundler::Makensis,
        })
    }
}

/// For whom an app is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// For who installs it
    User,
    /// For all users of the machine
    Machine,
}

/// Where a shortcut to the app is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Shortcut {
    /// In the start menu
    StartMenu,
    /// On the desktop
    Desktop,
}

/// What the uninstaller does with the user's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UserData {
    /// The user decides
    Ask,
    /// They stay
    Keep,
    /// They go
    Remove,
}

/// What makes the setup program by NSIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NsisBundler {
    /// Tauri's bundler
    Tauri,
    /// `makensis` with the project's own script
    Makensis,
}
