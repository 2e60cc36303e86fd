//! Typed wrappers of the programs that the pipeline calls, one a file. They build commands and
//! read what came back; only the engine runs them.

pub mod appimage;
pub mod cargo;
pub mod codesign;
pub mod cross;
pub mod deb;
pub mod debsigs;
pub mod git;
pub mod gpg;
pub mod hdiutil;
pub mod inside;
pub mod lipo;
pub mod minisign;
pub mod msvc;
pub mod network;
pub mod node;
pub mod notarytool;
pub mod nuitka;
pub mod osslsigncode;
pub mod packages;
pub mod pyinstaller;
pub mod python;
pub mod rcodesign;
pub mod rpm;
pub mod rpmsign;
pub mod security;
pub mod signtool;
pub mod tauri;
pub mod unpack;
pub mod updater;
pub mod versions;
pub mod windows_installer;
