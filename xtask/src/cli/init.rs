//! The command line of `init`.

use std::path::PathBuf;

use clap::Args;

/// Options of `init`.
#[derive(Args, Debug)]
pub struct Init {
    /// The repository; default: the one around this folder
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,

    /// The folder of the Tauri app, where there are several
    #[arg(long, value_name = "FOLDER")]
    pub app: Option<String>,

    /// Where the library xtask comes from: its folder, relative to the repository, or the address of its git
    /// repository, with `#` and a revision. Default: the commit that this program was built from, else its folder
    #[arg(long, value_name = "FOLDER|URL")]
    pub source: Option<String>,

    /// Write without asking
    #[arg(long, short)]
    pub yes: bool,
}
