//! Microsoft's linker, which targets that end with `-msvc` are linked by.

use std::path::PathBuf;

/// The program for a target triple, found as rustc finds it: by what Visual Studio's installer and the
/// registry say. None where there is none, as on every other system.
#[cfg(windows)]
pub fn linker(triple: &str) -> Option<PathBuf> {
    let tool = find_msvc_tools::find_tool(triple, "link.exe")?;
    Some(tool.path().to_owned())
}

/// None: it runs on Windows alone.
#[cfg(not(windows))]
pub fn linker(_: &str) -> Option<PathBuf> {
    None
}
