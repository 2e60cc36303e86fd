//! `notarize`: has Apple check what is signed for macOS, and attaches the ticket. Only where the target
//! is macOS. After it every product is one file: an app is packed as Tauri's updater wants it.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{
    apple,
    archive::pack_folder,
    bundle::{Installer, Installers},
    link_to,
};
use crate::{
    engine::{
        event::Level,
        fingerprint::Inputs,
        staging::{self, Staging},
        step::{Context, Done, Step},
    },
    manifest::Identity,
    release::Release,
    sign::{
        notary::{Notarized, Notary, client::Client},
        private::Private,
    },
    target::Target,
};

/// All installers, to be shown to Apple.
#[derive(Serialize)]
pub struct Notarize<'r> {
    #[serde(skip)]
    release: &'r Release,
    /// Why it is not asked; none if it is.
    not: Option<&'static str>,
    epoch: i64,
    version: String,
    installers: Done<Installers>,
}

/// What an app is called as one file; the disk image has the same name.
pub(crate) fn packed_name(app: &str, version: &str, target: &Target) -> String {
    let name = app.strip_suffix(".app").unwrap_or(app);
    format!("{name}_{version}_{}.app.tar.gz", target.bundle_arch())
}

impl<'r> Notarize<'r> {
    /// The step over the bundler's output.
    pub fn new(release: &'r Release, installers: Done<Installers>) -> Self {
        let not = match () {
            () if !release.config.sign.macos.notarize => Some("`notarize = false` is configured"),
            () if !apple::signs(release) => Some("it is not signed"),
            () if release.identity != Identity::Release => {
                Some("only what a release identity signs is")
            }
            () => None,
        };
        Self {
            release,
            not,
            epoch: release.epoch,
            version: release.config.product.version.to_string(),
            installers,
        }
    }

    /// Copies an installer, a file or an app.
    fn copy(&self, name: &str, out: &Staging) -> Result<()> {
        let inside = format!("{name}/");
        for artifact in &self.installers.artifacts {
            if artifact.path != name && !artifact.path.starts_with(&inside) {
                continue;
            }
            let into = out.file(&artifact.path)?;
            match &artifact.link {
                Some(target) => link_to(target, &into)?,
                None => self.installers.copy_to(&artifact.path, &into)?,
            }
        }
        Ok(())
    }

    /// An app as one file, `<name>_<version>_<arch>.app.tar.gz`, so that those of two architectures can
    /// lie side by side; other installers are one.
    fn packed(&self, name: &str, out: &Staging) -> Result<String> {
        let app = out.file(name)?;
        if !app.is_dir() {
            return Ok(name.to_owned());
        }
        let packed = packed_name(name, &self.version, &self.release.target);
        pack_folder(&app, self.epoch, &out.file(&packed)?)?;
        staging::remove(&app)?;
        Ok(packed)
    }

    fn ask(&self, cx: &Context, client: &Client, file: &Path) -> Result<Notarized> {
        let config = &self.release.config.sign.macos;
        let notary = Notary {
            hands: cx,
            client,
            state: cx.state(),
            root: cx.root(),
            timeout: config.notarize_timeout,
            resume: "cargo xtask dist, with the same options",
        };
        notary.notarize(file, false, false)
    }
}

impl Step for Notarize<'_> {
    const ID: &'static str = "notarize";
    const VERSION: u32 = 2;
    type Output = Installers;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Installers> {
        let private = Private::new(cx.state())?;
        let config = &self.release.config.sign.macos;
        let client = match self.not {
            None => {
                let client = Client::find(
                    config,
                    &self.release.secrets,
                    &private,
                    self.release.allow_secret_in_args,
                )?;
                Some(client.with_context(crate::commands::no_login)?)
            }
            Some(why) => {
                cx.note(
                    Level::Warning,
                    format!("Apple is not asked to check this release: {why}"),
                );
                None
            }
        };
        let mut installers = Vec::new();
        for installer in &self.installers.output.installers {
            let name = &installer.file;
            self.copy(name, out)?;
            let mut gap = installer.gap.clone();
            match &client {
                Some(client) => {
                    let said = match self.ask(cx, client, &out.file(name)?)? {
                        Notarized::Already => "the ticket was attached before".to_owned(),
                        Notarized::Now(id) => format!("accepted as {id}, the ticket is attached"),
                    };
                    cx.fact(&format!("notarization of {name}"), said);
                }
                None => {
                    let why = format!("{name}: not notarized, {}", self.not.unwrap_or_default());
                    gap = Some(gap.map_or(why.clone(), |it| format!("{it}; {why}")));
                }
            }
            installers.push(Installer {
                file: self.packed(name, out)?,
                gap,
                ..installer.clone()
            });
        }
        Ok(Installers { installers })
    }
}
