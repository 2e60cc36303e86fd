//! What would be signed, in order, by whom, with what, and why. It is made of files and
//! configuration alone: nothing is run, nothing written, nobody asked for a password.

use std::path::PathBuf;

use serde::Serialize;

use super::format::Format;

/// What a file is to the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The main executable.
    Host,
    /// Another executable of the host's package.
    Executable,
    /// A frozen sidecar, or a file of its folder.
    Sidecar,
    /// An executable that something else made, bundled beside the host.
    External,
    /// What users install.
    Installer,
    /// What users unpack.
    Archive,
    /// What describes the release: the manifest, the checksums.
    Description,
    /// Named on the command line.
    Loose,
}

/// A file that may have to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As it is shown: relative to the folder of its step, with `/`.
    pub name: String,
    /// Where it lies; none as long as it is not built.
    pub path: Option<PathBuf>,
    /// What it is for.
    pub role: Role,
    /// What kind it is; what it will be, if it is not built.
    pub format: Format,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is signed.
    Sign,
    /// It stays as it is.
    LeaveAlone,
    /// It should be signed, but nobody is configured who could.
    CannotSign,
    /// Apple is asked to check it.
    Notarize,
    /// Apple's answer is attached to it.
    Staple,
}

impl Action {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::LeaveAlone => "leave alone",
            Self::CannotSign => "NOT signed",
            Self::Notarize => "notarize",
            Self::Staple => "staple",
        }
    }
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The certificate's common name, or the user id of a key.
    pub name: String,
    /// SHA-256 of the certificate, OpenPGP's fingerprint, minisign's key id, in hex; empty where
    /// only the tool knows it.
    pub fingerprint: String,
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The step that does it.
    pub step: &'static str,
    /// The file, as [`File::name`].
    pub file: String,
    /// Its kind, or that of the signature beside it.
    pub format: String,
    /// What happens to it.
    pub action: Action,
    /// Whose signature it will be.
    pub identity: Option<Identity>,
    /// What signs: `osslsigncode`, `gpg`, … Empty if nothing does.
    pub tool: String,
    /// What macOS lets it do: the keys of its entitlements.
    pub entitlements: Vec<String>,
    /// Why it is signed, or not.
    pub why: String,
}

impl Row {
    /// A file that is signed.
    pub fn sign(
        step: &'static str,
        file: &File,
        identity: Identity,
        tool: &str,
        why: &str,
    ) -> Self {
        Self {
            identity: Some(identity),
            tool: tool.to_owned(),
            ..Self::leave(step, file, Action::Sign, why)
        }
    }

    /// A file that nothing is done to.
    pub fn leave(step: &'static str, file: &File, action: Action, why: &str) -> Self {
        Self {
            step,
            file: file.name.clone(),
            format: file.format.to_string(),
            action,
            identity: None,
            tool: String::new(),
            entitlements: Vec::new(),
            why: why.to_owned(),
        }
    }

    /// With another format than the file's, such as that of a signature beside it.
    pub fn with_format(mut self, format: &str) -> Self {
        self.format = format.to_owned();
        self
    }
}

/// The columns of [`cells`].
pub const COLUMNS: [&str; 9] = [
    "#",
    "step",
    "file",
    "format",
    "action",
    "identity",
    "tool",
    "entitlements",
    "why",
];

/// The rows as a table shows them.
pub fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let cell = |(index, it): (usize, &Row)| {
        vec![
            (index + 1).to_string(),
            it.step.to_owned(),
            it.file.clone(),
            it.format.clone(),
            it.action.as_str().to_owned(),
            it.identity.as_ref().map_or_else(String::new, shown),
            it.tool.clone(),
            it.entitlements.join(", "),
            it.why.clone(),
        ]
    };
    rows.iter().enumerate().map(cell).collect()
}

/// The name, and enough of the fingerprint to tell it from another.
fn shown(identity: &Identity) -> String {
    const ENOUGH: usize = 16;
    let fingerprint = &identity.fingerprint;
    match fingerprint.get(..ENOUGH) {
        _ if fingerprint.is_empty() => identity.name.clone(),
        Some(first) if fingerprint.len() > ENOUGH => format!("{} ({first}…)", identity.name),
        _ => format!("{} ({fingerprint})", identity.name),
    }
}
