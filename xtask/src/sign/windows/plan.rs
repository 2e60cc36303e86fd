//! What would be signed for Windows, without opening a key.

use std::path::Path;

use anyhow::Result;

use super::{Made, Signer, found::Before, judge::objection};
use crate::{
    config::{BundleKind, NsisBundler},
    release::Release,
    sign::{
        format::Format,
        plan::{Action, File, Identity, Role, Row},
    },
    tools::tauri,
};

/// A line for each file that carries such a signature; the others have none.
///
/// # Errors
/// A file cannot be read.
pub fn plan(release: &Release, files: &[File]) -> Result<Vec<Row>> {
    let files = files.iter().filter(|it| it.format.is_windows());
    match &release.windows {
        Some(signer) => files
            .map(|it| signer.row(it, is_own(release, it)))
            .collect(),
        None => files.map(|it| unsigned(release, it)).collect(),
    }
}

/// What is signed while the bundler works, for each installer. `host` is the main executable, if it is
/// built.
///
/// # Errors
/// It cannot be read.
pub fn plan_bundle(
    release: &Release,
    host: Option<&Path>,
    installers: &[File],
) -> Result<Vec<Row>> {
    let Some(signer) = &release.windows else {
        return Ok(Vec::new());
    };
    let host = host.map(fs_err::read).transpose()?;
    let mut rows = Vec::new();
    for installer in installers {
        let kind = match installer.format {
            Format::Msi => BundleKind::Msi,
            _ => BundleKind::Nsis,
        };
        let kind = match is_inno(installer) {
            true => BundleKind::Inno,
            false => kind,
        };
        let is_stamped = |host: &Vec<u8>| tauri::stamped(host, kind).is_some();
        if kind != BundleKind::Inno && host.as_ref().is_none_or(is_stamped) {
            let why = "the kind of installer is written into it";
            rows.push(signer.in_bundle(installer, ": the host", why)?);
        }
        if is_own(release, installer) {
            let why = "it is signed while the installer is made, which packs it";
            rows.push(signer.in_bundle(installer, ": the uninstaller", why)?);
            continue;
        }
        if kind == BundleKind::Nsis {
            for what in [": NSIS' plug-ins", ": the uninstaller"] {
                let why = "the bundler packs it, and has it signed before";
                rows.push(signer.in_bundle(installer, what, why)?);
            }
        }
        let why = "the bundler has it signed when it is made";
        rows.push(signer.in_bundle(installer, "", why)?);
    }
    Ok(rows)
}

/// Whether Inno Setup makes it, by the name that it gets, or by what it is called until then.
fn is_inno(installer: &File) -> bool {
    installer.name.ends_with("-inno-setup.exe") || installer.name == "the inno"
}

/// Whether it is made from a script of the project: what makes it signs the uninstaller and nothing else.
fn is_own(release: &Release, file: &File) -> bool {
    let nsis = release.config.bundle.windows_installer.nsis_by();
    let is_setup = file.role == Role::Installer && file.format == Format::Pe;
    is_setup && (is_inno(file) || nsis == NsisBundler::Makensis)
}

/// Where nobody signs, others may have.
fn unsigned(release: &Release, file: &File) -> Result<Row> {
    let config = &release.config.sign.windows;
    let leave = &config.leave_signed_by;
    let before = file
        .path
        .as_deref()
        .map(|it| Before::of(it, config))
        .transpose()?;
    Ok(match before {
        Some(Before::Intact(found)) if objection(&found, leave).is_none() => {
            let why = format!(
                "it carries a valid signature of {}",
                Made::of(&found).signer
            );
            kept(file, &Made::of(&found), &why)
        }
        _ => {
            let why = release.not_signed_for_windows();
            Row::leave(step(file), file, Action::CannotSign, why)
        }
    })
}

impl Signer {
    /// A part of an installer, or the whole of it.
    fn in_bundle(&self, installer: &File, part: &str, why: &str) -> Result<Row> {
        let file = File {
            name: format!("{}{part}", installer.name),
            path: None,
            role: installer.role,
            format: match part {
                "" => installer.format,
                _ => Format::Pe,
            },
        };
        let identity = self.identity()?;
        Ok(Row::sign("bundle", &file, identity, self.tool_name(), why))
    }

    fn row(&self, file: &File, is_own: bool) -> Result<Row> {
        if file.role == Role::Installer && !is_own {
            let why = "the bundler had it signed; what it left unsigned is signed here";
            return Ok(Row::leave(step(file), file, Action::LeaveAlone, why));
        }
        let intent = match &file.path {
            Some(path) => self.intent(path)?,
            None => super::Intent {
                keeps: None,
                why: "it is not built yet".to_owned(),
            },
        };
        Ok(match intent.keeps {
            None => {
                let identity = self.identity()?;
                Row::sign(step(file), file, identity, self.tool_name(), &intent.why)
            }
            Some(made) => kept(file, &made, &intent.why),
        })
    }

    /// Who signs, as far as that is known without using the key.
    ///
    /// # Errors
    /// A file with a certificate cannot be read.
    pub fn identity(&self) -> Result<Identity> {
        let known = self.known()?;
        Ok(match known {
            // Tomorrow it may have another certificate.
            Some(known) if self.key.is_a_service() => Identity {
                name: known.name,
                fingerprint: String::new(),
            },
            Some(known) => Identity {
                name: known.name,
                fingerprint: known.fingerprint,
            },
            None => Identity {
                name: self.identity_text(),
                fingerprint: String::new(),
            },
        })
    }
}

/// A file that keeps the signature that it has; the identity is whose that is.
fn kept(file: &File, made: &Made, why: &str) -> Row {
    Row {
        identity: Some(Identity {
            name: made.signer.clone(),
            fingerprint: made.fingerprint.clone(),
        }),
        ..Row::leave(step(file), file, Action::LeaveAlone, why)
    }
}

/// The step that signs it.
fn step(file: &File) -> &'static str {
    match file.role {
        Role::Loose => "sign",
        Role::Installer => "sign-installers",
        _ => "sign-code",
    }
}
