//! Signatures inside of files, and what each of them says.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::Serialize;
use xtask_signed::{Certificate, Signed, apple, chain::Revoked, windows};

use super::{Trust, scratch::Scratch};
use crate::{
    manifest::SignatureKind,
    sign::{format::Format, linux, macos::discover},
    tools::gpg,
};

/// Whose code signatures count.
#[derive(Clone, Debug, Default)]
pub struct CodeTrust {
    /// Where Authenticode's chains may end; if empty, anywhere.
    pub windows: Vec<Certificate>,
    /// Where the chains of their timestamps may end; if empty, anywhere.
    pub windows_timestamps: Vec<Certificate>,
    /// Where the chains of Apple's signatures and of their timestamps may end; if empty, anywhere.
    pub apple: Vec<Certificate>,
    /// What issuers took back.
    pub revoked: Vec<Revoked>,
}

/// One signature, as the table shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// The signed file; of code inside of an app, the path in it too.
    pub file: String,
    /// The file's format, or the kind of the signature beside it.
    pub format: String,
    /// Who signed; none if nobody did, or nobody knows.
    pub signer: Option<String>,
    /// SHA-256 of the certificate, OpenPGP's fingerprint, minisign's key id.
    pub fingerprint: Option<String>,
    /// When a timestamp server saw it (RFC 3339) and which one.
    pub timestamp: Option<String>,
    /// Whether macOS' hardened runtime is asked for; none where there is no such thing.
    pub hardened_runtime: Option<bool>,
    /// Whether Apple's notary accepted it, as far as can be told offline: by the ticket attached.
    pub notarized: Option<bool>,
    /// Whether that ticket is attached; none where there is no such thing.
    pub stapled: Option<bool>,
    /// Why the signature must not be believed.
    pub problems: Vec<String>,
    /// Whether more than the form of the signature was looked at: without a key nothing tells a
    /// good OpenPGP signature from any other.
    #[serde(skip)]
    pub(super) calculated: bool,
    /// Whether the signature is over these bytes, whoever made it.
    #[serde(skip)]
    pub(super) intact: bool,
}

/// Stands for the signer where nobody is trusted who could be.
pub(super) const UNCHECKED: &str = "not checked";

/// What of a mark the table has.
pub(super) const COLUMNS: [&str; 8] = [
    "file",
    "format",
    "signer",
    "fingerprint",
    "timestamp",
    "hardened runtime",
    "notarized",
    "stapled",
];

impl Mark {
    /// One that has none of what only code signatures have.
    pub(super) fn plain(
        file: &str,
        format: &str,
        signer: Option<String>,
        key: Option<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            format: format.to_owned(),
            signer,
            fingerprint: key,
            timestamp: None,
            hardened_runtime: None,
            notarized: None,
            stapled: None,
            problems: Vec::new(),
            calculated: true,
            intact: true,
        }
    }

    /// Whether it vouches for nothing but that the bytes are those that a linker wrote.
    pub(super) fn is_by_nobody(&self) -> bool {
        self.intact
            && self.problems.iter().all(|it| it == apple::AD_HOC)
            && !self.problems.is_empty()
    }

    fn of(file: &str, format: Format, signed: Signed) -> Self {
        let stapled = signed.stapled;
        Self {
            timestamp: signed.timestamp.as_ref().map(shown),
            // Only what runs can ask for it.
            hardened_runtime: signed.hardened_runtime.filter(|_| format != Format::Dmg),
            // Without a ticket only Apple knows, and nobody is asked here.
            notarized: stapled.filter(|it| *it && signed.problems.is_empty()),
            stapled,
            problems: signed.problems,
            intact: signed.intact,
            ..Self::plain(file, format.name(), signed.signer, signed.fingerprint)
        }
    }

    /// As the table shows it.
    pub(super) fn cells(&self) -> Vec<String> {
        let text = |it: &Option<String>| it.clone().unwrap_or_else(|| "-".to_owned());
        let word = |it: Option<bool>| match it {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let notarized = match (self.stapled, self.notarized) {
            (Some(_), None) => "not known",
            (_, it) => word(it),
        };
        // A key id alone tells no name.
        let unknown = match self.fingerprint {
            Some(_) => "not known",
            None => "nobody",
        };
        vec![
            self.file.clone(),
            self.format.clone(),
            self.signer.clone().unwrap_or_else(|| unknown.to_owned()),
            self.fingerprint
                .as_deref()
                .map_or_else(|| "-".to_owned(), short),
            text(&self.timestamp),
            word(self.hardened_runtime).to_owned(),
            notarized.to_owned(),
            word(self.stapled).to_owned(),
        ]
    }
}

/// Enough of a fingerprint to tell it from another.
fn short(fingerprint: &str) -> String {
    const ENOUGH: usize = 16;
    match fingerprint.get(..ENOUGH) {
        Some(first) if fingerprint.len() > ENOUGH => format!("{first}…"),
        _ => fingerprint.to_owned(),
    }
}

fn shown(timestamp: &xtask_signed::Timestamp) -> String {
    /// 9999-12-31T23:59:59Z, the last time that can be written so.
    const LAST: u64 = 253_402_300_799;
    let time = UNIX_EPOCH + Duration::from_secs(timestamp.seconds.min(LAST));
    let time = humantime::format_rfc3339_seconds(time);
    format!("{time} by {}", timestamp.authority)
}

/// What the signatures inside of a file, or of an app, say: none if there are none, or its format
/// holds none. The app's own comes first, then those of the code in it.
///
/// # Errors
/// It cannot be read, or what is there is no signature at all.
pub(super) fn look(path: &Path, name: &str, trust: &Trust) -> Result<Vec<Mark>> {
    let format = Format::of(path)?;
    let marked = |it: Signed| Mark::of(name, format, it);
    let code = &trust.code;
    let of_windows = trusting(code, &code.windows, &code.windows_timestamps);
    let of_apple = trusting(code, &code.apple, &code.apple);
    let read = || fs::read(path);
    Ok(match format {
        Format::Pe => windows::pe::inspect(&read()?, &of_windows)?
            .into_iter()
            .map(marked)
            .collect(),
        Format::Msi => windows::msi::inspect(&read()?, &of_windows)?
            .map(marked)
            .into_iter()
            .collect(),
        Format::Cab => windows::cab::inspect(&read()?, &of_windows)?
            .map(marked)
            .into_iter()
            .collect(),
        Format::MachO => {
            let all = apple::macho::inspect(&read()?, apple::Seals::default(), &of_apple)?;
            all.into_iter().map(|it| marked(it.signed)).collect()
        }
        Format::Dmg => {
            let found = apple::dmg::inspect(&read()?, &of_apple)?;
            found.map(|it| marked(it.signed)).into_iter().collect()
        }
        Format::App => of_app(path, name, &of_apple)?,
        Format::Deb | Format::Rpm => of_package(path, name, format, trust)?.into_iter().collect(),
        _ => Vec::new(),
    })
}

/// The app's own signature, and that of all code in it. Code among the resources is sealed like any
/// other file; macOS wants a signature of its own all the same.
fn of_app(app: &Path, name: &str, trust: &xtask_signed::Trust) -> Result<Vec<Mark>> {
    if !app.join("Contents/_CodeSignature/CodeResources").is_file() {
        return Ok(Vec::new());
    }
    let bundle = apple::app::inspect(app, trust)?;
    let mut marks = vec![Mark::of(name, Format::App, bundle.own)];
    let inner = |inside: &str| format!("{name}/Contents/{inside}");
    for (inside, signed) in bundle.nested {
        marks.push(Mark::of(&inner(&inside), Format::MachO, signed));
    }
    for (path, kind) in discover::inside_out(app)? {
        let inside = path.strip_prefix(app.join("Contents")).unwrap_or(&path);
        let inside = inner(&inside.to_string_lossy().replace('\\', "/"));
        if kind != discover::Kind::Code || !inside.starts_with(&inner("Resources/")) {
            continue;
        }
        let read = apple::macho::inspect(&fs::read(&path)?, apple::Seals::default(), trust);
        match read {
            Ok(all) => marks.extend(
                all.into_iter()
                    .map(|it| Mark::of(&inside, Format::MachO, it.signed)),
            ),
            Err(error) => marks.push(Mark {
                problems: vec![format!("{error:#}")],
                intact: false,
                ..Mark::plain(&inside, Format::MachO.name(), None, None)
            }),
        }
    }
    Ok(marks)
}

/// The signature of a framework that lies outside of any app, and those of the code in it.
pub(super) fn of_framework(folder: &Path, name: &str, trust: &Trust) -> Result<Vec<Mark>> {
    let code = &trust.code;
    let bundle = apple::app::inspect(folder, &trusting(code, &code.apple, &code.apple))?;
    let own = Mark::of(name, Format::MachO, bundle.own);
    let nested = bundle.nested.into_iter();
    let nested = nested.map(|(path, it)| Mark::of(&format!("{name}/{path}"), Format::MachO, it));
    Ok(std::iter::once(own).chain(nested).collect())
}

/// Which kind of signature a format holds inside; none if it holds none.
pub(super) fn kind(format: Format) -> Option<SignatureKind> {
    match format {
        Format::Deb => Some(SignatureKind::Deb),
        Format::Rpm => Some(SignatureKind::Rpm),
        it if it.is_windows() => Some(SignatureKind::Authenticode),
        it if it.is_apple() => Some(SignatureKind::Apple),
        _ => None,
    }
}

fn trusting(
    code: &CodeTrust,
    anchors: &[Certificate],
    stamps: &[Certificate],
) -> xtask_signed::Trust {
    xtask_signed::Trust {
        anchors: anchors.to_vec(),
        timestamp_anchors: stamps.to_vec(),
        revoked: code.revoked.clone(),
        now: SystemTime::now(),
    }
}

fn of_package(path: &Path, name: &str, format: Format, trust: &Trust) -> Result<Option<Mark>> {
    let scratch = Scratch::new()?;
    let ring = match &trust.gpg_key {
        None => None,
        Some(exported) => {
            let ring = scratch.path().join("key.gpg");
            let read = gpg::keyring(&fs::read(exported)?);
            fs::write(&ring, read.with_context(|| exported.display().to_string())?)?;
            Some(ring)
        }
    };
    let found = linux::inspect(path, ring.as_deref(), scratch.path())?;
    let unchecked = || ring.is_none().then(|| UNCHECKED.to_owned());
    Ok(found.map(|it| Mark {
        problems: it.problems,
        calculated: ring.is_some(),
        ..Mark::plain(
            name,
            format.name(),
            it.signer.or_else(unchecked),
            it.fingerprint,
        )
    }))
}
