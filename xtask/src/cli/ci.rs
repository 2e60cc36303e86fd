//! The workflows of GitHub Actions, and what they publish.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about the machines that build.
#[derive(Debug, Subcommand)]
pub enum Ci {
    /// Write .github/workflows/ci.yml and release.yml, as the configuration says
    Generate(Generate),
    /// Print the targets with their machines as JSON, for a workflow's `fromJSON`
    Matrix,
    /// Publish a merged release on GitHub: a draft until every file is there with the right bytes
    Release(Publish),
}

/// Options of `ci generate`.
#[derive(Args, Debug)]
pub struct Generate {
    /// Write nothing; fail if a file is not as it would be generated
    #[arg(long, conflicts_with = "force")]
    pub check: bool,

    /// Overwrite files that somebody wrote or edited, too
    #[arg(long)]
    pub force: bool,
}

/// Options of `ci release`.
#[derive(Args, Debug)]
pub struct Publish {
    /// The release, as `merge` leaves it
    #[arg(value_name = "FOLDER")]
    pub release: PathBuf,

    /// The tag; default: the one that this workflow runs for, else that of the version
    #[arg(long)]
    pub tag: Option<String>,

    /// How long to wait after GitHub fails, before the next attempt; twice as long after each further
    /// failure
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub wait: std::time::Duration,
}
