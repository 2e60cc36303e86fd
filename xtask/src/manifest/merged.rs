//! `manifest.json` of a merged release: what all machines made, in one document. Its form has a version
//! of its own, since it is another document than that of one target.
//!
//! [`MERGED_SCHEMA`] is its JSON schema, `docs/manifest.md` explains it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    Artifact, Builder, Files, Manifest, Product, Sidecar, Signing, Source, Step, Target,
    check_path, is_sha256, pretty,
};

/// The version of the format, in the field `schema`.
pub const MERGED: &str = "merged-1";

/// The JSON schema of [`Merged`] (draft 2020-12), with a final line end.
pub const MERGED_SCHEMA: &str = include_str!("merged.schema.json");

/// The name of the updater's metadata in a merged release.
pub const LATEST_NAME: &str = "latest.json";

/// A release for all targets: what is in the folder and which machine made which part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// The version of this format.
    #[cfg_attr(test, schemars(extend("const" = "merged-1")))]
    pub schema: String,
    /// What is shipped: the same for all targets.
    pub product: Product,
    /// What all targets were built from.
    pub source: Source,
    /// How all of it is signed.
    pub signing: Signing,
    /// The release of each target, sorted by triple.
    pub targets: Vec<Part>,
    /// What the updater reads; absent if there is none, which `gaps` explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updater: Option<Updater>,
    /// What the release as a whole lacks, one sentence each. Those of a target stand there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// The release of one target, as its own manifest described it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What it runs on.
    pub target: Target,
    /// SHA-256 of the manifest that it came with, 64 lower-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9a-f]{64}$")))]
    pub manifest_sha256: String,
    /// What it was built with.
    pub builder: Builder,
    /// The steps of the pipeline, in its order.
    pub steps: Vec<Step>,
    /// The frozen Python programs, sorted by name.
    pub sidecars: Vec<Sidecar>,
    /// Its files, sorted by path.
    pub artifacts: Vec<Artifact>,
    /// What it lacks that a complete one would have, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// What the updater reads to find a new version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Updater {
    /// `latest.json`.
    pub artifact: Artifact,
    /// The file that each platform is updated with, by the key under which the updater looks:
    /// `linux-x86_64-deb`, `linux-x86_64`.
    pub platforms: BTreeMap<String, String>,
}

/// A `manifest.json`, of either kind.
pub enum Document {
    /// Of one target.
    Release(Box<Manifest>),
    /// Of all.
    Merged(Box<Merged>),
}

impl Document {
    /// Reads either kind, strictly.
    ///
    /// # Errors
    /// When it is none, of another version, or does not fit its schema.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Kind {
            schema: Option<String>,
        }
        let kind: Option<Kind> = serde_json::from_str(text).ok();
        Ok(match kind.and_then(|it| it.schema).as_deref() {
            Some(schema) if schema.starts_with("merged-") => {
                Self::Merged(Box::new(Merged::parse(text)?))
            }
            _ => Self::Release(Box::new(Manifest::parse(text)?)),
        })
    }
}

impl Part {
    /// What a release of one target adds to the whole.
    pub fn of(manifest: Manifest, manifest_sha256: String) -> Self {
        Self {
            target: manifest.target,
            manifest_sha256,
            builder: manifest.builder,
            steps: manifest.steps,
            sidecars: manifest.sidecars,
            artifacts: manifest.artifacts,
            gaps: manifest.gaps,
        }
    }
}

impl Merged {
    /// The file's text: indented, with a final line end; the same release is the same text.
    pub fn to_json(&self) -> String {
        pretty(self)
    }

    /// Reads it. Strict: what this version does not know is an error.
    ///
    /// # Errors
    /// When it is of another version, or does not fit the schema.
    pub fn parse(text: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text).context("not a manifest")?;
        let schema = &value["schema"];
        if schema != MERGED {
            bail!(
                "manifest schema {schema}, but xtask {} reads \"{MERGED}\": use the xtask that \
                 merged the release",
                env!("CARGO_PKG_VERSION")
            );
        }
        let merged: Self = serde_json::from_value(value).context("damaged manifest")?;
        merged.check().context("damaged manifest")?;
        Ok(merged)
    }

    /// Every file but the manifest, the checksums and the detached signatures, each once.
    pub fn artifacts(&self) -> Vec<&Artifact> {
        let parts = self.targets.iter().flat_map(|it| &it.artifacts);
        let all = parts.chain(self.updater.iter().map(|it| &it.artifact));
        let by_path: BTreeMap<&str, &Artifact> = all.map(|it| (&*it.path, it)).collect();
        by_path.into_values().collect()
    }

    /// All files, for what is checked in the same way whatever the kind of the manifest.
    pub fn files(&self) -> Files {
        Files {
            product: self.product.clone(),
            signing: self.signing.clone(),
            artifacts: self.artifacts().into_iter().cloned().collect(),
            gaps: self.all_gaps(),
        }
    }

    /// What the whole lacks, and each target, by its name.
    fn all_gaps(&self) -> Vec<String> {
        let of_part = |part: &Part| {
            let name = part.target.name.clone();
            let gaps = part.gaps.clone().into_iter();
            gaps.map(move |it| format!("{name}: {it}"))
        };
        let parts = self.targets.iter().flat_map(of_part);
        parts.chain(self.gaps.iter().cloned()).collect()
    }

    /// What the types cannot say.
    fn check(&self) -> Result<()> {
        ensure!(!self.targets.is_empty(), "it has no target");
        let mut triples = BTreeSet::new();
        let mut files: BTreeMap<&str, &Artifact> = BTreeMap::new();
        for part in &self.targets {
            let triple = &part.target.triple;
            ensure!(triples.insert(triple), "`{triple}` is named twice");
            let hash = &part.manifest_sha256;
            ensure!(is_sha256(hash), "`{hash}` is not a SHA-256");
            for artifact in &part.artifacts {
                let before = files.insert(&artifact.path, artifact);
                let same = before.is_none_or(|it| it == artifact);
                ensure!(same, "`{}` is two different files", artifact.path);
            }
        }
        for (key, file) in self.updater.iter().flat_map(|it| &it.platforms) {
            check_path(file)?;
            let known = files.contains_key(&**file);
            ensure!(known, "`{file}` of platform {key} is no file of a target");
        }
        self.files().check()
    }
}
