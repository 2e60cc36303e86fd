//! Setup programs for Windows that Tauri's bundler does not make: by Inno Setup, and by NSIS where
//! Tauri's own NSIS cannot be had. What is packed is the folder that was built and signed, as it is.

mod describe;
mod look;
mod makers;
mod payload;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use self::makers::{no_iscc, no_makensis};
use super::{Bundle, Installer, copy};
use crate::{
    config::{BundleKind, NsisBundler, Scope, Shortcut, UserData},
    engine::{
        files::sha256_bytes,
        fingerprint::Inputs,
        probe::Probe,
        staging::{self, Staging},
        step::Context,
    },
    release::Release,
    target::Os,
    tools::{
        tauri,
        windows_installer::{FILES, Product, inno, nsis},
    },
};

/// What of the configuration decides these setup programs. Their scripts are inputs.
#[derive(Serialize)]
pub(super) struct Parameters {
    scope: Scope,
    shortcuts: Vec<Shortcut>,
    user_data: UserData,
    name: String,
    identifier: String,
    /// The scripts that are built in: they change with this program.
    built_in: String,
}

impl Parameters {
    /// None if there are no such setup programs.
    pub(super) fn of(release: &Release, kinds: &[BundleKind]) -> Option<Self> {
        let options = &release.config.bundle.windows_installer;
        if !kinds.iter().any(|it| is_own(release, *it)) {
            return None;
        }
        let product = &release.config.product;
        let built_in = [nsis::TEMPLATE, inno::TEMPLATE].concat();
        Some(Self {
            scope: options.scope,
            shortcuts: options.shortcuts.clone(),
            user_data: options.user_data,
            name: product.name.clone(),
            identifier: product.identifier.clone(),
            built_in: sha256_bytes(built_in),
        })
    }
}

fn is_own(release: &Release, kind: BundleKind) -> bool {
    let nsis = release.config.bundle.windows_installer.nsis_by();
    match kind {
        BundleKind::Inno => true,
        BundleKind::Nsis => nsis == NsisBundler::Makensis,
        _ => false,
    }
}

/// A file that is installed.
struct Payload {
    /// Relative to where the app is installed, with `/`.
    path: String,
    sha256: String,
    /// Whether the manifest names it.
    is_program: bool,
}

/// The folder in which a setup program is made: its script, and what is installed in [`FILES`].
struct Work {
    folder: PathBuf,
    payload: Vec<Payload>,
    product: Product,
}

impl Bundle<'_> {
    /// Whether this kind is made here and not by Tauri's bundler.
    pub(super) fn is_own(&self, kind: BundleKind) -> bool {
        self.target.os == Os::Windows && is_own(self.release, kind)
    }

    /// What decides these setup programs, besides the fields.
    pub(super) fn own_inputs(&self, cx: &Context, inputs: Inputs) -> Result<Inputs> {
        let options = &self.release.config.bundle.windows_installer;
        let mut inputs = inputs;
        for kind in self.kinds.iter().filter(|it| self.is_own(**it)) {
            inputs = match kind {
                BundleKind::Inno => inputs
                    .tool("iscc", self.compiler()?.version()?)
                    .inputs_of(&options.inno_template),
                _ => {
                    let makensis = nsis::find().ok_or_else(no_makensis)?;
                    let version = Probe::new(makensis.to_string_lossy(), ["-VERSION"]);
                    let version = cx.probe(&version)?.version;
                    inputs
                        .tool("makensis", version)
                        .inputs_of(&options.nsis_template)
                }
            };
            inputs = inputs.inputs_of(&options.webview2);
        }
        Ok(inputs)
    }

    fn compiler(&self) -> Result<inno::Compiler> {
        let config = &self.release.config;
        let configured = config.bundle.windows_installer.inno_compiler.as_deref();
        inno::Compiler::find(configured, &config.root).with_context(no_iscc)
    }

    /// Makes a setup program.
    pub(super) fn own(&self, cx: &Context, kind: BundleKind, out: &Staging) -> Result<Installer> {
        let folder = cx.cache("bundle")?.join(tauri::kind_name(kind));
        staging::remove(&folder)?;
        fs_err::create_dir_all(&folder)?;
        let payload = self.payload(cx, kind, &folder.join(FILES))?;
        let product = self.describe(kind, &folder, &payload)?;
        product.check()?;
        if product.webview2.is_none() {
            cx.fact(
                "WebView2",
                "not packed: where it is missing, the installer opens its download page \
                 (`bundle.windows-installer.webview2` packs what installs it)",
            );
        }
        let work = Work {
            folder,
            payload,
            product,
        };
        match kind {
            BundleKind::Inno => self.by_iscc(cx, &work)?,
            _ => self.by_makensis(cx, &work)?,
        }
        let package = work.folder.join(&work.product.out);
        ensure!(
            package.is_file(),
            "the script made no {}\nhint: it must say what the one built in says of the output's name",
            work.product.out
        );
        let looked = self.look_at_own(cx, kind, &package, &work)?;
        looked.note(cx);
        copy(&package, &out.file(&work.product.out)?)?;
        Ok(Installer {
            certificate: None,
            file: work.product.out,
            kind: tauri::kind_name(kind),
            contents: looked.contents,
            gap: looked.gap,
        })
    }
}

/// Adds a file that there may be.
trait InputsOf {
    fn inputs_of(self, file: &Option<PathBuf>) -> Self;
}

impl InputsOf for Inputs {
    fn inputs_of(self, file: &Option<PathBuf>) -> Self {
        match file {
            Some(file) => self.file(file),
            None => self,
        }
    }
}
