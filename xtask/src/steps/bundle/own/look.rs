//! Whether a setup program holds all that was laid out for it, and nothing else.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    super::{
        super::with_hint,
        Bundle, authenticode,
        look::{HINT, Looked, unread},
    },
    Payload, Work,
};
use crate::{
    config::BundleKind,
    engine::{staging, step::Context},
    manifest::Content,
    sign::windows::Signer,
    tools::{
        inside::Inside,
        unpack::unpack,
        windows_installer::{inno, nsis},
    },
};

impl Bundle<'_> {
    /// Whether all that was laid out is in the package, as it was, and nothing else.
    pub(super) fn look_at_own(
        &self,
        cx: &Context,
        kind: BundleKind,
        package: &Path,
        work: &Work,
    ) -> Result<Looked> {
        let name = &work.product.out;
        if let Some(looked) = unread(kind, name) {
            return Ok(looked);
        }
        let scratch = work.folder.join("inside");
        let inside = match kind {
            BundleKind::Inno => {
                inno::packed(&fs_err::read_to_string(work.folder.join(inno::PACKED))?)?
            }
            _ => {
                let run = |command| cx.exec(command).run();
                let unpacked = unpack(kind, package, &scratch, &run)
                    .with_context(|| format!("{name} cannot be unpacked"))?;
                if let Some(signer) = authenticode::signer(self.release) {
                    refuse_unsigned(signer, &unpacked.folder()?.join(nsis::UNINSTALLER))?;
                }
                unpacked.inside
            }
        };
        let hint = || format!("{HINT} {}", self.release.relative(&cx.log().path));
        let compared = compare(&work.payload, &inside);
        compared.map_err(|it| with_hint(it, &hint()))?;
        staging::remove(&scratch)?;
        let programs = work.payload.iter().filter(|it| it.is_program);
        let contents = programs.map(|it| Content {
            path: it.path.clone(),
            sha256: it.sha256.clone(),
        });
        Ok(Looked {
            contents: contents.collect(),
            gap: None,
            hint: None,
        })
    }
}

fn compare(payload: &[Payload], inside: &Inside) -> Result<()> {
    for it in payload {
        let path = &it.path;
        let Some(found) = inside.get(path) else {
            bail!("the package holds no {path}");
        };
        ensure!(
            found.sha256 == it.sha256,
            "{path} in the package is not the file that was built and tried out"
        );
    }
    let known: BTreeSet<&str> = payload.iter().map(|it| &*it.path).collect();
    // NSIS has its own where it runs: plug-ins, pictures.
    let is_own = |path: &str| path.starts_with('$') || path == nsis::UNINSTALLER;
    let other = inside
        .keys()
        .find(|it| !known.contains(&***it) && !is_own(it));
    ensure!(
        other.is_none(),
        "{} in the package is no file that was built",
        other.map_or("", |it| it)
    );
    Ok(())
}

/// A script that leaves the call out ships an uninstaller that nobody signed.
fn refuse_unsigned(signer: &Signer, uninstaller: &Path) -> Result<()> {
    let is_signed = signer.still_good(uninstaller)?.is_some();
    ensure!(
        is_signed,
        "the uninstaller in the package is not signed\n\
         hint: the script must say !uninstfinalize '${{SIGN}}', as the one built in does"
    );
    Ok(())
}
