//! What Tauri's bundler leaves for macOS, signed: an app, or that in a disk image. The bundler would
//! pack an app that nobody signed, so the image is made here.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Bundle, Installer, look::Looked};
use crate::{
    config::BundleKind,
    engine::{staging::Staging, step::Context},
    steps::{apple, copy_tree},
    tools::tauri,
};

impl Bundle<'_> {
    /// The kind that the bundler is asked for.
    pub(super) fn asked_for(&self, kind: BundleKind) -> BundleKind {
        match kind {
            BundleKind::Dmg if self.apple.is_some() => BundleKind::App,
            _ if self.is_own_appimage(kind) => BundleKind::Deb,
            kind => kind,
        }
    }

    /// Signs an app, and packs it if that is wanted.
    pub(super) fn for_macos(
        &self,
        cx: &Context,
        kind: BundleKind,
        app: &Path,
        looked: Looked,
        out: &Staging,
    ) -> Result<Installer> {
        let (mut contents, sidecars) = (looked.contents, &self.code.output.sidecars);
        let mut certificate = None;
        if self.apple.is_some() {
            certificate = Some(apple::sign(self.release, cx, &[app.to_owned()], sidecars)?);
            apple::hashed_again(app, &mut contents)?;
        }
        let mut file = app
            .file_name()
            .context("an app has a name")?
            .to_string_lossy()
            .into_owned();
        if kind == BundleKind::Dmg {
            // As Tauri's bundler calls it.
            let arch = self.target.bundle_arch();
            file = format!("{}_{}_{arch}.dmg", self.product(), self.version);
            let folder = app.with_file_name("image");
            let image = out.file(&file)?;
            apple::image(cx, self.product(), app, &folder, &image)?;
            apple::sign(self.release, cx, &[image], sidecars)?;
        } else {
            copy_tree(app, &out.file(&file)?)?;
        }
        Ok(Installer {
            file,
            kind: tauri::kind_name(kind),
            contents,
            gap: looked.gap,
            certificate,
        })
    }
}
