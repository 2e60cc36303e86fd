//! macOS' `hdiutil` (its manual page): makes disk images.

use std::{path::Path, process::Command};

/// What it says when something, such as an indexer, still has the image it works on.
const BUSY: &str = "Resource busy";

/// Makes a compressed disk image of a folder.
pub fn create_cmd(name: &str, folder: &Path, image: &Path) -> Command {
    let mut command = Command::new("hdiutil");
    command.args(["create", "-volname", name, "-fs", "HFS+", "-format", "UDZO", "-ov"]);
    command.arg("-srcfolder").arg(folder).arg(image);
    command
}

/// Whether what it printed says that it may work the next time.
pub fn is_transient(printed: &[String]) -> bool {
    printed.iter().any(|it| it.contains(BUSY))
}
