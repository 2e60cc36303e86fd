//! `manifest.json`: what a release consists of and how it came to be. Public and versioned, for
//! machines of other people; the journal's types are separate and may change any day.
//!
//! [`SCHEMA`] is its JSON schema, `docs/manifest.md` explains it. Any change of a field is a new
//! [`MANIFEST_SCHEMA`], since reading is strict: an unknown field could be the one that matters.

mod artifact;
mod files;
mod merged;
mod record;
mod sums;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use self::{
    artifact::{Artifact, ArtifactKind, Content, SignatureKind, SignatureRef},
    files::Files,
    merged::{Document, LATEST_NAME, MERGED, MERGED_SCHEMA, Merged, Part, Updater},
    record::{Command, Fallback, Inputs, Layout, Sidecar, Step, StepStatus},
    sums::{Sums, is_sha256},
};

/// The version of the format, in the field `schema`.
pub const MANIFEST_SCHEMA: &str = "1";

/// The JSON schema of [`Manifest`] (draft 2020-12), with a final line end.
///
/// A file, held to the types by a test, since generating it costs the build of every user several
/// crates and a derive for each type. It lies here because `cargo vendor` takes no more than the
/// package's folder.
pub const SCHEMA: &str = include_str!("manifest/schema.json");

/// The manifest's name in the release folder.
pub const MANIFEST_NAME: &str = "manifest.json";

/// The name of the checksum file in the release folder.
pub const SUMS_NAME: &str = "SHA256SUMS";

/// The detached signatures of the manifest and of the checksums.
pub const MANIFEST_MINISIG: &str = "manifest.json.minisig";
/// See [`MANIFEST_MINISIG`].
pub const SUMS_MINISIG: &str = "SHA256SUMS.minisig";
/// See [`MANIFEST_MINISIG`].
pub const SUMS_ASC: &str = "SHA256SUMS.asc";

/// Among the gaps of a release whose code signatures have no timestamp because the configuration
/// wants none.
pub const NO_TIMESTAMP: &str = "code signatures without timestamp: they end with their certificate, as `timestamp = \"none\"` says";

/// Names that no artifact may have.
const RESERVED: [&str; 5] = [
    MANIFEST_NAME,
    MANIFEST_MINISIG,
    SUMS_NAME,
    SUMS_MINISIG,
    SUMS_ASC,
];

/// A release for one target: what is in the folder and how each step made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    #[cfg_attr(test, schemars(extend("const" = "1")))]
    pub schema: String,
    /// What is shipped.
    pub product: Product,
    /// What it was built from.
    pub source: Source,
    /// What it runs on.
    pub target: Target,
    /// What it was built with.
    pub builder: Builder,
    /// How it is signed.
    pub signing: Signing,
    /// The steps of the pipeline, in its order.
    pub steps: Vec<Step>,
    /// The frozen Python programs, sorted by name.
    pub sidecars: Vec<Sidecar>,
    /// Every file of the release but this one, the checksums and the detached signatures; sorted
    /// by path.
    pub artifacts: Vec<Artifact>,
    /// What this release lacks that a complete one would have, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// What is shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The name that users see, Tauri's `productName`.
    pub name: String,
    /// The version, as in Tauri's configuration.
    pub version: String,
    /// Reverse domain name, Tauri's `identifier`.
    pub identifier: String,
}

/// The commit that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The full hash of the commit; `none` outside a repository.
    pub commit: String,
    /// The tag on that commit, if there is one; of several the one that says the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Whether files differed from the commit, so that the commit does not reproduce the release.
    pub dirty: bool,
    /// `SOURCE_DATE_EPOCH` of the build: Unix time in seconds, usually the commit's.
    pub epoch: i64,
    /// When the commit was made: RFC 3339, UTC.
    pub committed_at: String,
}

/// What the release runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `linux`, `windows`, `macos`, or the triple if that was asked for.
    pub name: String,
    /// Rust's target triple.
    pub triple: String,
}

/// The machine and the programs that built the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// The operating system, as Rust names it, and the distribution's own name, if it has one:
    /// `macos`, `linux, Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The processor, as Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The version of xtask.
    pub xtask: String,
    /// Each program used, with the version that it reports: compilers, package managers, freezers,
    /// Tauri's command line, what signs.
    pub tools: BTreeMap<String, String>,
}

/// How the release is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// Whose signature it is.
    pub identity: Identity,
    /// The key of the `.minisig` and `.sig` files. It proves nothing by itself: compare it with
    /// the key that the publisher announces elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minisign: Option<MinisignKey>,
    /// The key of `SHA256SUMS.asc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpg: Option<GpgKey>,
}

/// Whose signature a release carries, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Nobody's: the checksums only find accidents.
    Unsigned,
    /// A key made on the building machine, to exercise signing: it vouches for nothing.
    Development,
    /// The publisher's.
    Release,
}

impl Identity {
    /// As it is written in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Development => "development",
            Self::Release => "release",
        }
    }
}

/// A minisign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MinisignKey {
    /// 16 upper-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9A-F]{16}$")))]
    pub key_id: String,
    /// The line that `minisign -P` takes.
    pub public_key: String,
}

/// An OpenPGP key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GpgKey {
    /// The primary key's fingerprint in upper-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9A-F]{40,64}$")))]
    pub fingerprint: String,
}

impl Manifest {
    /// The file's text: sorted, indented, with a final line end. The same manifest is the same
    /// text; durations are rounded to milliseconds.
    pub fn to_json(&self) -> String {
        let mut sorted = self.clone();
        sorted.artifacts.sort_by(|a, b| a.path.cmp(&b.path));
        sorted.sidecars.sort_by(|a, b| a.name.cmp(&b.name));
        for artifact in &mut sorted.artifacts {
            artifact.signatures.sort_by_key(|signature| signature.kind);
            artifact.contents.sort_by(|a, b| a.path.cmp(&b.path));
        }
        sorted.steps.iter_mut().for_each(Step::round);
        pretty(&sorted)
    }

    /// Reads a manifest. Strict: what this version does not know is an error.
    ///
    /// # Errors
    /// When the text is no JSON, is of another schema version, or does not fit the schema.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema: Option<serde_json::Value>,
        }
        let version: Version = serde_json::from_str(text).context("not a manifest")?;
        match version.schema {
            Some(serde_json::Value::String(version)) if version == MANIFEST_SCHEMA => {}
            Some(other) => bail!(
                "manifest schema {other}, but xtask {} reads \"{MANIFEST_SCHEMA}\": use the xtask \
                 that made the release",
                env!("CARGO_PKG_VERSION")
            ),
            None => bail!("not a manifest: it has no field `schema`"),
        }
        let manifest: Self = serde_json::from_str(text).context("damaged manifest")?;
        Files::from(&manifest).check().context("damaged manifest")?;
        Ok(manifest)
    }
}

/// Whether a path names a file inside the release folder on every platform.
///
/// # Errors
/// When it is absolute, leaves the folder, or cannot be a file's name somewhere.
pub fn check_path(path: &str) -> Result<()> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let portable = !path.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'));
    let inside = portable && path.split('/').all(plain);
    ensure!(
        inside,
        "`{}` is not a path inside the release folder",
        path.escape_debug()
    );
    Ok(())
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data becomes JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
