//! An AppImage that Tauri's bundler does not make, because it would download what makes one. What goes in
//! is what it puts into a package for Debian, as with its own AppImages; the libraries that those carry
//! besides are the machine's here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Bundle, Installer, copy, look::Packed};
use crate::{
    config::BundleKind,
    engine::{
        event::Level,
        fingerprint::Inputs,
        probe::Probe,
        staging::{self, Staging},
        step::Context,
    },
    freeze::candidate::now_at,
    release::Release,
    tools::{appimage::make, deb, tauri},
};

/// Whether an AppImage is made here, and not by Tauri's bundler.
pub(super) fn is_own(release: &Release, kinds: &[BundleKind]) -> bool {
    kinds.contains(&BundleKind::Appimage) && runtime(release).is_some()
}

/// The program that it begins with.
fn runtime(release: &Release) -> Option<PathBuf> {
    let config = &release.config;
    let appimage = &config.bundle.appimage;
    appimage.runtime(&config.root, release.target.arch())
}

impl Bundle<'_> {
    /// Whether this kind is an AppImage that is made here.
    pub(super) fn is_own_appimage(&self, kind: BundleKind) -> bool {
        kind == BundleKind::Appimage && self.own_appimage
    }

    /// What decides it, besides the fields.
    pub(super) fn appimage_inputs(&self, cx: &Context, inputs: Inputs) -> Result<Inputs> {
        let Some(runtime) = runtime(self.release).filter(|_| self.own_appimage) else {
            return Ok(inputs);
        };
        let version = cx.probe(&Probe::new("mksquashfs", ["-version"]));
        let version = version.context("mksquashfs packs what is in an AppImage")?;
        let inputs = inputs.file(runtime);
        Ok(inputs.tool("mksquashfs", version.version))
    }

    /// Has the package for Debian hold what the Tauri configuration says of AppImages, and nothing that
    /// it says of packages for Debian alone.
    pub(super) fn for_appimage(&self, merged: &mut serde_json::Value) -> Result<()> {
        let deb = &mut merged["bundle"]["linux"]["deb"];
        deb["changelog"] = serde_json::Value::Null;
        let mut files = serde_json::Map::new();
        let configurations = self.configurations()?;
        let keys = |kind: &str| {
            let tables = configurations.iter().map(|(_, it)| &it["bundle"]["linux"]);
            let tables = tables.filter_map(|it| it[kind]["files"].as_object().cloned());
            tables.flatten().collect::<Vec<_>>()
        };
        // RFC 7396: null takes one away.
        let none = |(at, _): (String, _)| (at, serde_json::Value::Null);
        files.extend(keys("deb").into_iter().map(none));
        files.extend(keys("appimage"));
        deb["files"] = files.into();
        Ok(())
    }

    /// Makes it of what lies in a package for Debian.
    pub(super) fn appimage(
        &self,
        cx: &Context,
        package: &Path,
        work: &Path,
        out: &Staging,
    ) -> Result<Installer> {
        let kind = BundleKind::Appimage;
        let config = &self.release.config;
        let file = runtime(self.release).context("an AppImage needs a runtime")?;
        let pinned = &config.bundle.appimage.runtime_sha256;
        let runtime = make::runtime(&file, &self.target, pinned)?;
        let began = now_at(work)?;
        let folder = work.join("AppDir");
        staging::remove(&folder)?;
        tar::Archive::new(&*deb::data(package)?).unpack(&folder)?;
        let host = &self.code.output.host;
        fs_err::write(folder.join("usr/bin").join(host), self.host(kind)?)?;
        make::finish(&folder, host, self.product())?;
        let image = work.join("AppDir.squashfs");
        cx.exec(make::squash(&folder, &image, self.epoch)).run()?;
        let name = make::file_name(self.product(), &self.version, &self.target);
        let made = work.join(&name);
        make::join(&runtime, &image, &made)?;
        let looked = self.look_inside(
            cx,
            &Packed {
                kind,
                package: &made,
                scratch: work.join("inside"),
                began,
                times: deb::Times::new(),
                host: None,
            },
        )?;
        if let Some(gap) = &looked.gap {
            cx.note(Level::Warning, gap);
        }
        cx.fact(
            "AppImage",
            "WebKitGTK and GTK are not packed: they are the machine's that it is started on",
        );
        copy(&made, &out.file(&name)?)?;
        Ok(Installer {
            certificate: None,
            file: name.to_string_lossy().into_owned(),
            kind: tauri::kind_name(kind),
            contents: looked.contents,
            gap: looked.gap,
        })
    }
}
