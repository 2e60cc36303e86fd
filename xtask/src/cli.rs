//! The command line: types for clap, and nothing else.

mod ci;
mod init;
mod machines;
#[cfg(test)]
mod tests;
mod version;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use machines::*;

use crate::{
    config::Freezer,
    freeze::choice::Policy,
    report::{ColorWhen, Format},
};

pub use ci::{Ci, Generate, Publish};
pub use init::Init;
pub use version::{BumpVersion, SetVersion, Version, VersionCommand, Writing};

/// Build, freeze, bundle, sign and checksum a Tauri app with Python sidecars; resume where it
/// stopped.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version = crate::VERSION,
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// How the run is shown
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: Format,

    /// When colours are used
    #[arg(long, value_enum, default_value_t, global = true)]
    pub color: ColorWhen,

    /// Show every line that the commands print
    #[arg(long, short, global = true)]
    pub verbose: bool,

    /// The configuration, instead of packaging/dist.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the release: build, freeze, bundle, sign, checksum. Reuses what is up to date
    Dist(Dist),
    /// Show what `dist` would run, and why, without running anything
    Plan(Plan),
    /// Show how the last `dist` went
    Status(OnTarget),
    /// Forget recorded steps, so that the next `dist` runs them again
    Clean(Clean),
    /// Check every hash, size and signature of a release, or the signatures of files; offline
    Verify(Verify),
    /// Join the releases of several machines into one, with one manifest and the updater's latest.json
    Merge(Merge),
    /// Carry finished steps from one machine to another
    #[command(subcommand)]
    State(State),
    /// Have Apple check what is signed for macOS, and follow what was submitted
    #[command(subcommand)]
    Notarize(Notarize),
    /// Sign files, each in the way of its format; or show what a release would sign
    Sign(Sign),
    /// Look for everything that `dist` needs, and say how to install what is missing
    Doctor(Doctor),
    /// Compare freezers and layouts of the sidecars
    #[command(subcommand)]
    Freeze(Freeze),
    /// Run all tests of this repository
    Test(Test),
    /// Show the one version and all places that state it, or write another into all of them
    Version(Version),
    /// Write and check the workflows of GitHub Actions, and publish what they made
    #[command(subcommand)]
    Ci(Ci),
    /// Bring this into an existing repository: look for its app, front end and sidecars, and write the
    /// files that release it
    Init(Init),
    /// Show the configuration with every default filled in, as JSON
    Config,
    /// Print the JSON schema of manifest.json
    Schema(Schema),
}

/// Which target a command is about.
#[derive(Args, Clone, Debug)]
pub struct OnTarget {
    /// linux, windows, macos, or a Rust target triple; default: this machine
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Which targets a command is about.
#[derive(Args, Clone, Debug)]
pub struct OnTargets {
    /// linux, windows, macos, universal-apple-darwin, or a Rust target triple; may be repeated, or
    /// hold several with commas. Default: this machine
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    pub target: Vec<String>,
}

/// Which steps.
#[derive(Args, Clone, Debug)]
pub struct Select {
    /// Take the steps before this one as recorded, even if their inputs changed
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,

    /// Leave out the steps after this one
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,

    /// Only this step: --from and --until in one
    #[arg(long, value_name = "STEP", conflicts_with_all = ["from", "until"])]
    pub only: Option<String>,

    /// Take this step as recorded; may be repeated
    #[arg(long, value_name = "STEP")]
    pub skip: Vec<String>,

    /// Run this step, or without a name every step, even if it is up to date; may be repeated
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub force: Vec<String>,

    /// Read every file anew instead of trusting unchanged sizes and times
    #[arg(long)]
    pub rehash: bool,
}

/// How the release is signed.
#[derive(Args, Clone, Debug)]
pub struct Signing {
    /// For publishing: refuse a development identity, a dirty checkout, and steps that were taken
    /// as recorded
    #[arg(long, conflicts_with = "unsigned")]
    pub release: bool,

    /// Sign nothing, and record that
    #[arg(long)]
    pub unsigned: bool,

    /// With --release: accept a checkout that differs from its commit
    #[arg(long, requires = "release")]
    pub allow_dirty: bool,

    /// Hand a secret to a tool as an argument, where everybody on this machine can read it, if there
    /// is no other way
    #[arg(long)]
    pub allow_secret_in_args: bool,
}

/// Which freezers will do.
#[derive(Args, Clone, Copy, Debug)]
pub struct Freezing {
    /// Fail where the first freezer fails, instead of trying the next
    #[arg(long, conflicts_with = "require_freezer")]
    pub no_fallback: bool,

    /// Use this freezer and no other: nuitka, pyinstaller
    #[arg(long, value_name = "NAME", value_parser = freezer)]
    pub require_freezer: Option<Freezer>,

    /// Try the first freezer again where another one had to do
    #[arg(long)]
    pub retry_fallback: bool,
}

fn freezer(name: &str) -> Result<Freezer, String> {
    let found = Freezer::ALL.into_iter().find(|it| it.name() == name);
    found.ok_or_else(|| format!("known are {}", Freezer::ALL.map(Freezer::name).join(", ")))
}

impl From<Freezing> for Policy {
    fn from(args: Freezing) -> Self {
        Self {
            no_fallback: args.no_fallback,
            require: args.require_freezer,
            retry_fallback: args.retry_fallback,
        }
    }
}

/// Options of `dist`.
#[derive(Args, Debug)]
pub struct Dist {
    /// For which targets.
    #[command(flatten)]
    pub on: OnTargets,

    /// Which steps.
    #[command(flatten)]
    pub select: Select,

    /// How the release is signed.
    #[command(flatten)]
    pub signing: Signing,

    /// Which freezers will do.
    #[command(flatten)]
    pub freezing: Freezing,

    /// Install what is missing first
    #[arg(long)]
    pub setup: bool,

    /// Show what would run, like `plan`
    #[arg(long, conflicts_with = "setup")]
    pub dry_run: bool,

    /// How many processes may work at once; 1 runs strictly in order. Default: the processors
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// Options of `plan`.
#[derive(Args, Debug)]
pub struct Plan {
    /// For which targets.
    #[command(flatten)]
    pub on: OnTargets,

    /// Which steps.
    #[command(flatten)]
    pub select: Select,

    /// How the release is signed.
    #[command(flatten)]
    pub signing: Signing,

    /// Which freezers will do.
    #[command(flatten)]
    pub freezing: Freezing,

    /// Show everything that differs from the record of this step
    #[arg(long, value_name = "STEP")]
    pub explain: Option<String>,
}

/// Options of `clean`.
#[derive(Args, Debug)]
pub struct Clean {
    /// The step to forget; without it all steps, their files and caches
    pub step: Option<String>,

    /// For which target.
    #[command(flatten)]
    pub on: OnTarget,
}

/// Options of `verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// A release folder, or its manifest.json; or any files, to check what signs each of them.
    /// Default: the release of this version and machine
    #[arg(value_name = "RELEASE|FILE")]
    pub what: Vec<PathBuf>,

    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Whom to believe, and how much a release must be worth.
#[derive(Args, Clone, Debug, Default)]
pub struct TrustArgs {
    /// A file with somebody to trust, besides those of the configuration: certificates, a list of
    /// revoked ones, a minisign or an OpenPGP key; may be repeated
    #[arg(long, value_name = "FILE")]
    pub trust: Vec<PathBuf>,

    /// A file with a minisign public key to trust; may be repeated. Default: the configured one
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,

    /// Refuse a release that is development-signed or unsigned, or has an installer for Windows or
    /// macOS without a signature inside and its timestamp
    #[arg(long)]
    pub require_release: bool,
}

/// What to do with Apple's notary.
#[derive(Debug, Subcommand)]
pub enum Notarize {
    /// Submit apps and disk images, wait for the answer, and attach the ticket. What was submitted
    /// already is only waited for. Exits with 75 if Apple has not answered in time
    Submit(Submit),
    /// Show what was submitted, and how it stands: as remembered, and as Apple says now
    Status(NotaryStatus),
    /// Show what Apple found
    Log(NotaryLog),
    /// Go on waiting for all that has no answer, or for these files. Exits with 75 if Apple has not
    /// answered in time
    Resume(Resume),
}

/// Whose submissions, and who asks.
#[derive(Args, Clone, Debug)]
pub struct Notarized {
    /// macos, or a Rust target triple
    #[arg(long, value_name = "TARGET", default_value = "macos")]
    pub target: String,

    /// Let notarytool have the password of an Apple ID as an argument: every user of the machine can
    /// read it then
    #[arg(long)]
    pub allow_secret_in_args: bool,
}

/// Options of `notarize status`.
#[derive(Args, Clone, Debug)]
pub struct NotaryStatus {
    /// Whose submissions.
    #[command(flatten)]
    pub of: Notarized,

    /// Do not ask Apple: show what is remembered
    #[arg(long)]
    pub offline: bool,
}

/// Options of `notarize submit`.
#[derive(Args, Debug)]
pub struct Submit {
    /// Apps (.app) and disk images (.dmg), signed; also .pkg and .zip
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// Whose submissions.
    #[command(flatten)]
    pub of: Notarized,

    /// Submit also what was submitted before, in the same bytes
    #[arg(long)]
    pub resubmit: bool,

    /// How long to wait for each answer, instead of sign.macos.notarize-timeout: 90s, 2h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Option<std::time::Duration>,
}

/// Options of `notarize log`.
#[derive(Args, Debug)]
pub struct NotaryLog {
    /// The id of the submission, or the name of the file; default: the last one that was decided
    pub submission: Option<String>,

    /// Whose submissions.
    #[command(flatten)]
    pub of: Notarized,
}

/// Options of `notarize resume`.
#[derive(Args, Debug)]
pub struct Resume {
    /// What was submitted, where it lies elsewhere by now; default: all that has no answer
    pub files: Vec<PathBuf>,

    /// Whose submissions.
    #[command(flatten)]
    pub of: Notarized,

    /// How long to wait for each answer, instead of sign.macos.notarize-timeout: 90s, 2h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Option<std::time::Duration>,
}

/// Options of `sign`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sign {
    /// What to do instead of signing files.
    #[command(subcommand)]
    pub command: Option<SignCommand>,

    /// What to sign: programs, installers and libraries for Windows or macOS, apps, .deb, .rpm; what
    /// holds no signature gets one beside it
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Let a tool have a secret as an argument, where it takes it in no other way: every user of the
    /// machine can read it then
    #[arg(long)]
    pub allow_secret_in_args: bool,

    /// Whose state to use; for Tauri's bundler
    #[arg(long, hide = true, value_name = "TARGET")]
    pub target: Option<String>,

    /// For Tauri's bundler, which calls this for what it packs: says nothing but errors
    #[arg(long, hide = true)]
    pub for_bundler: bool,
}

impl Sign {
    /// For which target.
    pub fn on(&self) -> OnTarget {
        OnTarget {
            target: self.target.clone(),
        }
    }
}

/// What `sign` does besides signing files.
#[derive(Debug, Subcommand)]
pub enum SignCommand {
    /// Show what a release would sign, in which order, with whose key, and why; touches nothing and
    /// asks for no password
    Plan(OnTarget),
}

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// For which target.
    #[command(flatten)]
    pub on: OnTarget,

    /// Install what system packages provide
    #[arg(long)]
    pub fix: bool,

    /// Look for what the tests need, too
    #[arg(long)]
    pub tests: bool,
}

/// What to do with the freezers.
#[derive(Debug, Subcommand)]
pub enum Freeze {
    /// Freeze with every configured freezer in every layout, try each, and say which one to take
    Compare(Compare),
}

/// Options of `freeze compare`.
#[derive(Args, Debug)]
pub struct Compare {
    /// For which target.
    #[command(flatten)]
    pub on: OnTarget,

    /// Only this sidecar
    #[arg(long, value_name = "NAME")]
    pub sidecar: Option<String>,

    /// How many times each candidate is started, instead of `trial.launches`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub launches: Option<u16>,

    /// Where the tables go; default: target/dist/<target>/freeze
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Install what is missing first
    #[arg(long)]
    pub setup: bool,
}

/// Options of `test`.
#[derive(Args, Debug)]
pub struct Test {
    /// Install what is missing first
    #[arg(long)]
    pub setup: bool,

    /// Also what takes long: every freezer and layout, ten times the kills, clippy of the host
    #[arg(long)]
    pub full: bool,

    /// Stop at the first part that fails
    #[arg(long)]
    pub fail_fast: bool,

    /// Only the parts whose name contains this; `list` names them
    #[arg(value_name = "PART")]
    pub only: Option<String>,
}
