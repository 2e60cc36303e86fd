//! The programs that make setup programs, at work on a folder with all that they pack.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{
    super::{Bundle, authenticode, copy},
    Work,
};
use crate::{
    engine::step::Context,
    tools::windows_installer::{inno, nsis},
};

impl Bundle<'_> {
    /// By NSIS, which has the uninstaller signed while it works.
    pub(super) fn by_makensis(&self, cx: &Context, work: &Work) -> Result<()> {
        let makensis = nsis::find().ok_or_else(no_makensis)?;
        let config = &self.release.config;
        let signer = authenticode::signer(self.release);
        let call = signer.map(|it| it.call_for_bundler(config, &self.target, &work.folder));
        let call = call.transpose()?;
        let sign = call.as_ref().map(|it| nsis::SignCall {
            program: it.program.clone(),
            args: it.args.clone(),
        });
        if let Some(sign) = &sign {
            sign.write(&work.folder)?;
        }
        let stub = nsis::stub(&makensis, &work.product.arch);
        let definitions = nsis::definitions(&work.product, stub, sign.is_some())?;
        fs_err::write(work.folder.join(nsis::DEFINITIONS), definitions)?;
        let template = &config.bundle.windows_installer.nsis_template;
        write_script(
            template.as_deref(),
            nsis::TEMPLATE,
            &work.folder.join(nsis::SCRIPT),
        )?;
        let mut command = nsis::command(&makensis, &work.folder, self.epoch);
        command.envs(call.into_iter().flat_map(|it| it.env));
        cx.exec(command).run()
    }

    /// Inno Setup lays the uninstaller beside the script, to be signed, and ends; the second time it
    /// packs that. So whoever signs need not be started by it, across wine or with a secret at hand.
    pub(super) fn by_iscc(&self, cx: &Context, work: &Work) -> Result<()> {
        let compiler = self.compiler()?;
        let signer = authenticode::signer(self.release);
        let definitions = inno::definitions(&work.product, signer.is_some())?;
        fs_err::write(work.folder.join(inno::DEFINITIONS), definitions)?;
        let template = &self.release.config.bundle.windows_installer.inno_template;
        write_script(
            template.as_deref(),
            inno::TEMPLATE,
            &work.folder.join(inno::SCRIPT),
        )?;
        if let Some(signer) = signer {
            cx.exec(compiler.command(&work.folder)).output()?;
            let uninstaller = inno::uninstaller(&work.folder)?.with_context(|| {
                format!(
                    "Inno Setup left no uninstaller to be signed\nhint: the script must say \
                     SignedUninstaller=yes and SignedUninstallerDir={}; else see {}",
                    inno::UNINSTALLER,
                    self.release.relative(&cx.log().path)
                )
            })?;
            signer.sign_anew(cx, &uninstaller)?;
        }
        cx.exec(compiler.command(&work.folder)).run()
    }
}

/// A project's own script, or the one built in.
fn write_script(own: Option<&Path>, built_in: &str, to: &Path) -> Result<()> {
    match own {
        Some(own) => copy(own, to),
        None => Ok(fs_err::write(to, built_in)?),
    }
}

pub(super) fn no_makensis() -> anyhow::Error {
    anyhow::anyhow!(
        "there is no makensis, which makes the setup program by NSIS\n\
         hint: install NSIS (Debian: `apt-get install nsis`), or leave nsis out of `bundle.windows`"
    )
}

pub(super) fn no_iscc() -> String {
    format!(
        "there is no ISCC.exe, Inno Setup's compiler\n\
         hint: {}, or leave inno out of `bundle.windows`",
        inno::how_to_get()
    )
}
