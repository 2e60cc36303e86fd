//! What several machines make of one commit, and what one hands to another.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{OnTarget, TrustArgs};

/// Options of `merge`.
#[derive(Args, Debug)]
pub struct Merge {
    /// Release folders as `dist` leaves them, or folders that hold several
    #[arg(value_name = "RELEASE", required = true)]
    pub releases: Vec<PathBuf>,

    /// Where the merged release goes; default: `<release dir>/<version>/merged`
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// The targets that it must have, instead of `release.targets`; may be repeated
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    pub expect: Vec<String>,

    /// A file with what is new, for latest.json
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,

    /// Accept releases of a checkout that differed from its commit
    #[arg(long)]
    pub allow_dirty: bool,

    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Options of `schema`.
#[derive(Args, Debug)]
pub struct Schema {
    /// That of a merged release's manifest
    #[arg(long)]
    pub merged: bool,
}

/// What to do with the recorded steps of a target.
#[derive(Debug, Subcommand)]
pub enum State {
    /// Write the finished steps with their files into one archive, for another machine; no secrets
    Export(Export),
    /// Take finished steps from such an archive. Each is reused only as far as a local one would be
    Import(Import),
}

/// Options of `state export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The archive to write, a .tar.gz
    pub file: PathBuf,

    /// Whose steps.
    #[command(flatten)]
    pub on: OnTarget,
}

/// Options of `state import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The archive that `state export` wrote, or a folder of such: then that of the last attempt, by the
    /// number that its folder's name ends with
    pub file: PathBuf,

    /// Whose steps.
    #[command(flatten)]
    pub on: OnTarget,

    /// Do nothing if there is no such file
    #[arg(long)]
    pub if_exists: bool,

    /// Take also what is older than the steps that are recorded here
    #[arg(long)]
    pub replace: bool,

    /// Take also what was made of another commit: what a step depends on decides then, step by step
    #[arg(long)]
    pub any_commit: bool,
}
