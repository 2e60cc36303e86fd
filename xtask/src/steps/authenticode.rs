//! What the steps that sign for Windows have in common: what of it decides their output, and what is
//! said of the files.

mod kept;

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use serde::Serialize;

use self::kept::Kept;
use crate::{
    config::{BundleKind, Timestamping},
    engine::{
        event::Level, files::sha256_file, fingerprint::Inputs, staging::Staging, step::Context,
    },
    manifest::{SignatureKind, SignatureRef},
    release::Release,
    sign::{
        format::Format,
        windows::{Made, Outcome, Signer},
    },
    target::Os,
    tools::tauri,
};

/// What decides how a file is signed, besides the key and the tool. Which servers are asked for the
/// time does not: a timestamp is as good as another.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Policy {
    timestamp: Timestamping,
    description: Option<String>,
    url: Option<String>,
    /// Whose signatures stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leave: Vec<String>,
}

impl Policy {
    /// None where nothing is signed: then nothing of it may show in a fingerprint.
    pub(super) fn of(release: &Release) -> Option<Self> {
        let signer = signer(release)?;
        let label = signer.label().clone();
        Some(Self {
            timestamp: signer.timestamping(),
            description: label.description,
            url: label.url,
            leave: release.config.sign.windows.leave_signed_by.clone(),
        })
    }
}

/// Who signs, if the release is for Windows and somebody does.
pub(super) fn signer(release: &Release) -> Option<&Signer> {
    let for_windows = release.target.os == Os::Windows;
    release.windows.as_ref().filter(|_| for_windows)
}

/// The key and the tool.
pub(super) fn inputs(release: &Release, cx: &Context, inputs: Inputs) -> Result<Inputs> {
    let Some(signer) = signer(release) else {
        return Ok(inputs);
    };
    let (name, version) = signer.tool_version(cx)?;
    let inputs = inputs.tool(&name, version);
    // What is revoked now is not left alone any more.
    let inputs = release
        .config
        .sign
        .windows
        .revoked
        .iter()
        .fold(inputs, Inputs::file);
    Ok(inputs.tool("certificate", signer.identity_input(cx)?))
}

/// Signs every executable and library of the folder, found by its bytes. What is signed by somebody
/// else stays as it is.
pub(super) fn sign_all(
    signer: &Signer,
    policy: Option<&Policy>,
    cx: &Context,
    out: &Staging,
) -> Result<()> {
    let mut said = Said::default();
    let mut kept = Kept::of(signer, policy, cx)?;
    let programs = programs(out.path())?;
    for (number, path) in programs.iter().enumerate() {
        let file = out.file(path)?;
        let name = kept.name(&file)?;
        if let Some(made) = kept.take(&name, signer, &file)? {
            said.kept += 1;
            said.signed.push(made);
            continue;
        }
        cx.progress(&format!(
            "sign {} of {}: {path}",
            number + 1,
            programs.len()
        ))?;
        let outcome = signer.sign(cx, &file)?;
        if let Outcome::Signed(_) = &outcome {
            kept.add(&name, &file)?;
        }
        said.add(path, outcome);
    }
    kept.clear()?;
    said.record(cx);
    Ok(())
}

/// Signs one file; none if somebody else did.
pub(super) fn sign_one(
    signer: &Signer,
    cx: &Context,
    out: &Staging,
    path: &str,
) -> Result<Option<SignatureRef>> {
    let mut said = Said::default();
    let outcome = signer.sign(cx, &out.file(path)?)?;
    let reference = match &outcome {
        Outcome::Foreign(_) => None,
        Outcome::Signed(made) | Outcome::Already(made) => Some(SignatureRef {
            kind: SignatureKind::Authenticode,
            file: None,
            key_id: made.fingerprint.clone(),
        }),
    };
    said.add(path, outcome);
    said.record(cx);
    Ok(reference)
}

/// Writes the kind of package into the host, as the bundler would, and signs it anew: afterwards the
/// bundler must leave it as it is. Gives its SHA-256.
pub(super) fn stamp(
    signer: &Signer,
    cx: &Context,
    host: &Path,
    kind: BundleKind,
) -> Result<String> {
    if let Some(stamped) = tauri::stamped(&fs_err::read(host)?, kind) {
        fs_err::write(host, stamped)?;
        let text = format!(
            "the host is signed again for {}: the kind of package stands in it",
            tauri::kind_name(kind)
        );
        cx.note(Level::Info, text);
        signer.sign_anew(cx, host)?;
    }
    sha256_file(host)
}

/// Relative paths of all executables and libraries below the folder, sorted. Links are not followed:
/// what they lead to is found by itself.
fn programs(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && Format::of(&entry.path())? == Format::Pe {
                let path = entry.path();
                let path = path.strip_prefix(folder).unwrap_or(&path);
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Collects what became of the files of a step.
#[derive(Default)]
struct Said {
    signed: Vec<Made>,
    already: Vec<String>,
    /// By whose they are.
    foreign: BTreeMap<String, Vec<String>>,
    /// How many of the signed ones are so since an earlier run.
    kept: usize,
}

impl Said {
    fn add(&mut self, path: &str, outcome: Outcome) {
        match outcome {
            Outcome::Signed(made) => self.signed.push(made),
            Outcome::Already(_) => self.already.push(path.to_owned()),
            Outcome::Foreign(made) => {
                let files = self.foreign.entry(made.shown()).or_default();
                files.push(path.to_owned());
            }
        }
    }

    /// Facts: they reach the terminal, the journal and the manifest.
    fn record(&self, cx: &Context) {
        if let Some(first) = self.signed.first() {
            let mut authorities: Vec<&str> = self.signed.iter().filter_map(authority).collect();
            authorities.sort_unstable();
            authorities.dedup();
            let time = match authorities.is_empty() {
                true => "no timestamp".to_owned(),
                false => format!("timestamp by {}", authorities.join(", ")),
            };
            let count = self.signed.len();
            let files = if count == 1 { "file" } else { "files" };
            let Made {
                signer,
                fingerprint,
                ..
            } = first;
            let text = format!(
                "Authenticode by {signer} (certificate {fingerprint}), {time}, {count} {files}"
            );
            cx.fact("signature", text);
        }
        if self.kept > 0 {
            let text = format!("{} of these, which have not changed since", self.kept);
            cx.fact("signed in an earlier run", text);
        }
        if !self.already.is_empty() {
            cx.fact("signed before", self.already.join(", "));
        }
        if !self.foreign.is_empty() {
            let each = |(signer, files): (&String, &Vec<String>)| {
                format!("{signer}: {}", files.join(", "))
            };
            let all: Vec<_> = self.foreign.iter().map(each).collect();
            cx.fact("left alone, signed by others", all.join("; "));
        }
    }
}

fn authority(made: &Made) -> Option<&str> {
    made.timestamp.as_ref().map(|it| &*it.authority)
}
