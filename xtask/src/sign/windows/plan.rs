//! What would be signed for Windows, without opening a key.

use anyhow::Result;

use super::{Made, Signer, found::Before, judge::objection};
use crate::{
    release::Release,
    sign::{
        format::Format,
        plan::{Action, File, Identity, Role, Row},
    },
};

/// A line for each file that carries such a signature; the others have none.
///
/// # Errors
/// A file cannot be read.
pub fn plan(release: &Release, files: &[File]) -> Result<Vec<Row>> {
    let files = files.iter().filter(|it| it.format.is_windows());
    match &release.windows {
        Some(signer) => {
            let rows: Result<Vec<_>> = files.map(|it| signer.rows(it)).collect();
            Ok(rows?.concat())
        }
        None => files.map(|it| unsigned(release, it)).collect(),
    }
}

/// Where nobody signs, others may have.
fn unsigned(release: &Release, file: &File) -> Result<Row> {
    let leave = &release.config.sign.windows.leave_signed_by;
    let before = file.path.as_deref().map(Before::of).transpose()?;
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
    /// Before an installer is signed, what goes into it is.
    fn rows(&self, file: &File) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        if file.role == Role::Installer {
            let mut inside = |what: &str, why: &str| -> Result<()> {
                let file = File {
                    name: format!("{}: {what}", file.name),
                    path: None,
                    role: file.role,
                    format: Format::Pe,
                };
                let (identity, tool) = (self.identity()?, self.tool_name());
                rows.push(Row::sign("bundle", &file, identity, tool, why));
                Ok(())
            };
            inside("the host", "the kind of installer is written into it")?;
            if file.format == Format::Pe {
                inside(
                    "the uninstaller",
                    "the bundler has it signed while it works",
                )?;
            }
        }
        rows.push(self.row(file)?);
        Ok(rows)
    }

    fn row(&self, file: &File) -> Result<Row> {
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
