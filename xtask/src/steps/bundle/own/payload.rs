//! What a setup program installs: the folder that was built and signed, and the app's resources.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, ensure};

use super::{
    super::{super::set_time, Bundle, authenticode, copy, resources::resources},
    Payload,
};
use crate::{
    config::BundleKind,
    engine::{
        files::{hash_file, hex},
        step::Context,
    },
    tools::tauri,
};

impl Bundle<'_> {
    /// Lays out what is installed.
    pub(super) fn payload(
        &self,
        cx: &Context,
        kind: BundleKind,
        files: &Path,
    ) -> Result<Vec<Payload>> {
        let mut paths = self.copy_code(files)?;
        self.stamp_host(cx, kind, &files.join(&self.code.output.host))?;
        let dir = &self.release.config.app.dir;
        for resource in resources(dir, &self.tauri_bundle()?["resources"])? {
            ensure!(
                !paths.contains(&resource.to),
                "`bundle.resources` would replace {}",
                resource.to
            );
            copy(&resource.from, &files.join(&resource.to))?;
            paths.push(resource.to);
        }
        paths.sort();
        let programs = self.programs();
        let payload = paths.into_iter().map(|path| {
            let file = files.join(&path);
            // What would be the time of the build.
            set_time(&file, self.epoch)?;
            let sha256 = hex(&hash_file(&file)?);
            let is_program = programs.contains(&path);
            Ok(Payload {
                path,
                sha256,
                is_program,
            })
        });
        payload.collect()
    }

    /// What was built and signed; where each file lies.
    fn copy_code(&self, files: &Path) -> Result<Vec<String>> {
        let copy_one = |it: &crate::engine::artifact::Artifact| {
            let into = files.join(&it.path);
            match &it.link {
                // Windows needs a privilege for links: what one points to is as good in a copy.
                Some(_) => copy(&fs_err::canonicalize(self.code.path(&it.path))?, &into)?,
                None => self.code.copy_to(&it.path, &into)?,
            }
            Ok(it.path.clone())
        };
        self.code.artifacts.iter().map(copy_one).collect()
    }

    /// The files that are started.
    fn programs(&self) -> BTreeSet<String> {
        let code = &self.code.output;
        let sidecars = code.sidecars.iter().map(|it| &it.executable);
        std::iter::once(code.host.clone())
            .chain(code.others.iter().cloned())
            .chain(sidecars.cloned())
            .chain(code.external.iter().map(|it| self.target.exe(it)))
            .collect()
    }

    /// Writes the kind of package into the host, as Tauri's bundler would: the app's updater reads it.
    fn stamp_host(&self, cx: &Context, kind: BundleKind, host: &Path) -> Result<()> {
        if let Some(signer) = authenticode::signer(self.release) {
            authenticode::stamp(signer, cx, host, kind)?;
        } else if let Some(stamped) = tauri::stamped(&fs_err::read(host)?, kind) {
            fs_err::write(host, stamped)?;
        }
        Ok(())
    }
}
