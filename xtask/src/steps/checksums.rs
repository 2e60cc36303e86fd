//! The checksums of a finished folder and what signs them: the last that is written, of one target and
//! of a merged release alike.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};

use super::sign_installers::sign;
use crate::{
    engine::{files::sha256_file, staging::Staging},
    manifest::{SUMS_ASC, SUMS_NAME, SignatureKind, Sums},
    release::Release,
    sign::hands::Hands,
    tools::gpg,
};

/// Signs a file of the folder with minisign only: no updater ever reads a signature of these.
pub(crate) fn sign_detached(release: &Release, out: &Staging, name: &str) -> Result<()> {
    sign(release, out, name, None, &[SignatureKind::Minisign]).map(drop)
}

/// Writes `SHA256SUMS` over all that is in the folder, and its signatures.
pub(crate) fn write(
    release: &Release,
    gpg_key: Option<&str>,
    hands: &impl Hands,
    out: &Staging,
) -> Result<()> {
    let mut sums = BTreeMap::new();
    add(out.path(), "", &mut sums)?;
    fs_err::write(out.file(SUMS_NAME)?, Sums(sums).to_text())?;
    sign_detached(release, out, SUMS_NAME)?;
    if let Some(key) = gpg_key {
        let passphrase = release.gpg_passphrase.as_ref();
        let (file, into) = (out.file(SUMS_NAME)?, out.file(SUMS_ASC)?);
        let (command, stdin) = gpg::sign_cmd(key, passphrase, &file, &into);
        hands.exec(command).stdin(stdin).run().context(
            "the checksums cannot be signed with GPG\n\
             hint: the secret key must be in the key ring; export its passphrase under the \
             name that `sign.gpg.passphrase-env` gives, or let gpg-agent know it",
        )?;
    }
    Ok(())
}

fn add(folder: &Path, prefix: &str, sums: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => add(&entry.path(), &format!("{name}/"), sums)?,
            false => drop(sums.insert(name, sha256_file(&entry.path())?)),
        }
    }
    Ok(())
}
