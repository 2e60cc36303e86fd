//! `seal`: puts all files of the release into one folder, describes them in the manifest, and
//! signs checksums and manifest.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    archive::Packed, checksums, set_time, sidecar::Frozen, sidecars::Sidecars,
    sign_installers::Signed,
};
use crate::{
    config::Layout,
    engine::{
        fingerprint::Inputs,
        journal::{CommandRun, Record},
        session::Session,
        staging::Staging,
        step::{Context, Done, Origin, Step},
    },
    freeze::failure::Failure,
    manifest::{self as schema, ArtifactKind, Identity, Manifest},
    release::Release,
    target::Target,
    tools::{tauri, versions},
};

/// Everything that is released.
#[derive(Serialize)]
pub struct Seal<'r> {
    #[serde(skip)]
    release: &'r Release,
    product: String,
    version: String,
    identifier: String,
    target: Target,
    target_name: String,
    commit: Option<String>,
    tag: Option<String>,
    dirty: bool,
    epoch: i64,
    identity: Identity,
    public_key: Option<String>,
    gpg_key: Option<String>,
    /// Steps that were taken as recorded although they may be stale.
    kept: Vec<String>,
    sidecars: Vec<Frozen>,
    /// What is said of sidecars that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    installers: Done<Signed>,
    archive: Option<Done<Packed>>,
}

/// The sealed release: its files are those of the stage folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// Installers and archives, for a listing.
    pub products: Vec<schema::Artifact>,
}

impl<'r> Seal<'r> {
    /// The step over all that is released in this run.
    pub fn new(
        release: &'r Release,
        run: &Session,
        sidecars: &Sidecars,
        installers: Done<Signed>,
        archive: Option<Done<Packed>>,
    ) -> Result<Self> {
        let history = run.history();
        let kept = history.iter().filter(|(_, origin)| *origin == Origin::Kept);
        let product = &release.config.product;
        Ok(Self {
            release,
            product: product.name.clone(),
            version: product.version.to_string(),
            identifier: product.identifier.clone(),
            target: release.target.clone(),
            target_name: release.target.name.clone(),
            commit: release.commit.id.clone(),
            tag: release.commit.tag.clone(),
            dirty: release.is_dirty(run, &history)?,
            epoch: release.epoch,
            identity: release.identity,
            public_key: release.signer.as_ref().map(|it| it.public_key().line()),
            gpg_key: release.gpg_key(),
            kept: kept.map(|(record, _)| record.step.clone()).collect(),
            sidecars: sidecars.frozen.iter().map(|it| it.output.clone()).collect(),
            missing: sidecars.missing.clone(),
            installers,
            archive,
        })
    }

    /// Copies what is released into the folder.
    fn gather(&self, out: &Staging) -> Result<Vec<schema::Artifact>> {
        let mut products = Vec::new();
        for signed in &self.installers.output.installers {
            let installer = &signed.installer;
            let record = self.installers.artifact(&installer.file)?;
            // Those inside of the installer are no files of their own.
            for file in signed.signatures.iter().filter_map(|it| it.file.as_deref()) {
                self.installers.copy_to(file, &out.file(file)?)?;
            }
            self.installers
                .copy_to(&installer.file, &out.file(&installer.file)?)?;
            products.push(schema::Artifact {
                path: installer.file.clone(),
                kind: ArtifactKind::Installer,
                format: installer.kind.clone(),
                size: record.size,
                sha256: record.sha256.clone(),
                signatures: signed.signatures.clone(),
                contents: installer.contents.clone(),
            });
        }
        if let Some(archive) = &self.archive {
            for artifact in &archive.artifacts {
                archive.copy_to(&artifact.path, &out.file(&artifact.path)?)?;
            }
            let packed = &archive.output;
            let record = archive.artifact(&packed.file)?;
            products.push(schema::Artifact {
                path: packed.file.clone(),
                kind: ArtifactKind::Archive,
                format: packed.format.clone(),
                size: record.size,
                sha256: record.sha256.clone(),
                signatures: packed.signatures.clone(),
                contents: packed.contents.clone(),
            });
        }
        Ok(products)
    }

    /// What a complete release would have besides, and what nobody looked at.
    fn gaps(&self) -> Vec<String> {
        let mut gaps = self.missing.clone();
        gaps.extend(self.release.gaps());
        let installers = self.installers.output.installers.iter();
        gaps.extend(installers.filter_map(|it| it.installer.gap.clone()));
        gaps
    }

    /// Every program that had a part. Some are in no fingerprint, since another version of them gives
    /// the same output, or stands in a lock file that is: those are asked now.
    fn tools(&self, cx: &Context, history: &[(Record, Origin)]) -> BTreeMap<String, String> {
        let mut tools: BTreeMap<_, _> = history.iter().flat_map(|it| tools_of(&it.0)).collect();
        let version = |probe| Some(cx.probe(&probe).ok()?.version);
        let bundles = !self.installers.output.installers.is_empty();
        let cli = &self.release.config.bundle.cli;
        let more = [
            ("tauri", bundles.then(|| tauri::version(cx, cli))),
            (
                "uv",
                (!self.sidecars.is_empty()).then(|| version(versions::uv())),
            ),
            (
                "gpg",
                self.gpg_key.as_ref().map(|_| version(versions::gpg())),
            ),
        ];
        for (name, version) in more {
            tools.extend(version.flatten().map(|it| (name.to_owned(), it)));
        }
        tools
    }

    fn manifest(&self, cx: &Context, products: Vec<schema::Artifact>) -> Result<Manifest> {
        let history = cx.history();
        let key = self.release.signer.as_ref().map(|it| it.public_key());
        Ok(Manifest {
            schema: schema::MANIFEST_SCHEMA.to_owned(),
            product: schema::Product {
                name: self.product.clone(),
                version: self.version.clone(),
                identifier: self.identifier.clone(),
            },
            source: schema::Source {
                commit: self.commit.clone().unwrap_or_else(|| "none".to_owned()),
                tag: self.tag.clone(),
                dirty: self.dirty,
                epoch: self.epoch,
                committed_at: rfc3339(self.release.commit.time.unwrap_or(self.epoch))?,
            },
            target: schema::Target {
                name: self.target_name.clone(),
                triple: self.target.triple.clone(),
            },
            builder: schema::Builder {
                os: os_name(),
                arch: std::env::consts::ARCH.to_owned(),
                xtask: crate::VERSION.to_owned(),
                tools: self.tools(cx, &history),
            },
            signing: schema::Signing {
                identity: self.identity,
                minisign: key.map(|it| schema::MinisignKey {
                    key_id: it.key_id(),
                    public_key: it.line(),
                }),
                gpg: self
                    .gpg_key
                    .clone()
                    .filter(|_| key.is_some())
                    .map(|fingerprint| schema::GpgKey { fingerprint }),
            },
            steps: history
                .iter()
                .map(|(record, origin)| step(record, *origin, cx.root()))
                .collect(),
            sidecars: self.sidecars.iter().map(sidecar).collect(),
            artifacts: products,
            gaps: self.gaps(),
        })
    }
}

/// The operating system, with the distribution's own name where it has one (os-release(5)).
fn os_name() -> String {
    let os = std::env::consts::OS;
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|it| it.strip_prefix("PRETTY_NAME="));
    name.map_or_else(
        || os.to_owned(),
        |it| format!("{os}, {}", it.trim_matches('"')),
    )
}

fn rfc3339(seconds: i64) -> Result<String> {
    // The years that RFC 3339 and humantime know; it panics at others.
    let seconds = u64::try_from(seconds).context("a time before 1970")?;
    ensure!(seconds < 253_402_300_800, "a time after the year 9999");
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    Ok(humantime::format_rfc3339_seconds(time).to_string())
}

fn tools_of(record: &Record) -> BTreeMap<String, String> {
    let parts = record.fingerprint.parts().iter();
    let tools = parts.filter_map(|(name, it)| Some((name.strip_prefix("tool ")?, it)));
    tools
        .map(|(name, version)| (name.to_owned(), version.clone()))
        .collect()
}

fn step(record: &Record, origin: Origin, root: &Path) -> schema::Step {
    let names = |prefix: &str| {
        let names = record
            .fingerprint
            .parts()
            .keys()
            .filter_map(|it| it.strip_prefix(prefix));
        names.map(str::to_owned).collect()
    };
    let (files, bytes) = record.fingerprint.sources();
    schema::Step {
        id: record.step.clone(),
        version: record.version,
        fingerprint: record.fingerprint.digest(),
        seconds: record.seconds,
        status: match origin {
            Origin::Ran => schema::StepStatus::Ran,
            Origin::Reused => schema::StepStatus::Reused,
            Origin::Kept => schema::StepStatus::Kept,
        },
        why: record.why.clone(),
        facts: record.facts.clone(),
        commands: record.commands.iter().map(|it| command(it, root)).collect(),
        inputs: schema::Inputs {
            files,
            bytes,
            tools: tools_of(record),
            environment: names("variable "),
        },
    }
}

/// Where the repository lies on the builder's disk is nobody's business, and would differ.
fn command(run: &CommandRun, root: &Path) -> schema::Command {
    let command = run
        .command
        .replace(&*root.to_string_lossy(), "<repository>");
    let (status, seconds) = (run.status.clone(), run.seconds);
    schema::Command {
        command,
        status,
        seconds,
    }
}

fn sidecar(frozen: &Frozen) -> schema::Sidecar {
    schema::Sidecar {
        name: frozen.name.clone(),
        version: frozen.version.clone(),
        freezer: frozen.freezer.name().to_owned(),
        because: frozen.because.clone(),
        layout: layout(frozen.layout),
        fallbacks: frozen.failures.iter().map(fallback).collect(),
    }
}

fn fallback(failure: &Failure) -> schema::Fallback {
    schema::Fallback {
        freezer: failure.freezer.name().to_owned(),
        version: failure.version.clone(),
        layout: layout(failure.layout),
        class: failure.class.name().to_owned(),
        lines: failure.lines.clone(),
    }
}

fn layout(layout: Layout) -> schema::Layout {
    match layout {
        Layout::Folder => schema::Layout::Folder,
        // What was left open is decided once it is frozen.
        Layout::Onefile | Layout::Auto => schema::Layout::Onefile,
    }
}

impl Step for Seal<'_> {
    const ID: &'static str = "seal";
    const VERSION: u32 = 1;
    type Output = Sealed;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Sealed> {
        let products = self.gather(out)?;
        if products.is_empty() {
            bail!("there is nothing to release: no installer and no archive is configured");
        }
        let manifest = self.manifest(cx, products.clone())?;
        fs_err::write(out.file(schema::MANIFEST_NAME)?, manifest.to_json())?;
        checksums::sign_detached(self.release, out, schema::MANIFEST_NAME)?;
        checksums::write(self.release, self.gpg_key.as_deref(), cx, out)?;
        for entry in fs_err::read_dir(out.path())? {
            set_time(&entry?.path(), self.epoch)?;
        }
        Ok(Sealed { products })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let check = |seconds, expected: &str| {
            let text = rfc3339(seconds).unwrap_or_else(|error| error.to_string());
            assert_eq!(text, expected);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(1_000_000_001, "2001-09-09T01:46:41Z");
        check(253_402_300_799, "9999-12-31T23:59:59Z");
        check(253_402_300_800, "a time after the year 9999");
        check(-1, "a time before 1970");
    }
}
