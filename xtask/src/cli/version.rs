//! The command line of `version`.

use clap::{Args, Subcommand};

use crate::version::bump::Part;

/// Options of `version`.
#[derive(Args, Debug)]
pub struct Version {
    /// What to do instead of showing it.
    #[command(subcommand)]
    pub command: Option<VersionCommand>,
}

/// What `version` does besides showing it.
#[derive(Debug, Subcommand)]
pub enum VersionCommand {
    /// Write a version into all places, or into none if one cannot have it
    Set(SetVersion),
    /// Write the next version into all places
    Bump(BumpVersion),
}

/// Options of `version set`.
#[derive(Args, Debug)]
pub struct SetVersion {
    /// A semantic version: 1.2.3, 1.2.0-beta.1
    #[arg(value_name = "VERSION", value_parser = version)]
    pub to: semver::Version,

    /// How it is written.
    #[command(flatten)]
    pub writing: Writing,
}

/// Options of `version bump`.
#[derive(Args, Debug)]
pub struct BumpVersion {
    /// What is raised
    #[arg(value_enum)]
    pub part: Part,

    /// The name of the pre-release: beta gives 1.2.4-beta.1
    #[arg(long, value_name = "NAME")]
    pub pre_id: Option<String>,

    /// How it is written.
    #[command(flatten)]
    pub writing: Writing,
}

/// How a version is written.
#[derive(Args, Clone, Copy, Debug)]
pub struct Writing {
    /// Show the difference, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn version(text: &str) -> Result<semver::Version, String> {
    let problem = |_| match text.strip_prefix('v') {
        Some(rest) => format!("a version has no `v`, a tag may: {rest}"),
        None => "three numbers and perhaps a pre-release: 1.2.3, 1.2.0-beta.1".to_owned(),
    };
    semver::Version::parse(text).map_err(problem)
}
