//! The pipeline: the steps, in order, on one screen.

use std::path::Path;

use anyhow::Result;

use crate::{
    engine::{
        session::{Session, Stopped},
        step::Done,
    },
    release::Release,
    steps::{
        app::App,
        archive::Archive,
        bundle::Bundle,
        frontend::Frontend,
        notarize::Notarize,
        seal::{Seal, Sealed},
        sidecars,
        sign_code::SignCode,
        sign_installers::SignInstallers,
    },
    target::Os,
};

/// Turns a checkout into a sealed release. Order is data flow: what a step needs from another is
/// a field of it, so a wrong order does not compile.
pub fn dist(run: &Session, release: &Release) -> Result<Done<Sealed>> {
    let config = &release.config;
    // What is missing is known before anything takes time.
    let brought = match sidecars::brought(run, release) {
        Err(error) if !error.is::<Stopped>() => return Err(error),
        brought => brought,
    };
    let ((web, app), sidecars) = run.join(
        || {
            let web = config
                .frontend
                .as_ref()
                .map(|it| run.step(Frontend::new(release, it)));
            let web = web.transpose()?;
            let app = run.step(App::new(release, web.clone()))?;
            Ok((web, app))
        },
        || match brought? {
            Some(sidecars) => Ok(sidecars),
            None => sidecars::freeze(run, release),
        },
    )?;
    let code = run.step(SignCode::new(release, app, &sidecars.frozen))?;
    let bundles = run.step(Bundle::new(release, &code, web))?;
    let bundles = match release.target.os {
        Os::Macos => run.step(Notarize::new(release, bundles))?,
        Os::Linux | Os::Windows => bundles,
    };
    let installers = run.step(SignInstallers::new(release, bundles))?;
    let archive = config
        .archive
        .as_ref()
        .map(|it| Archive::new(release, &code, &it.files));
    let archive = archive.map(|it| run.step(it)).transpose()?;
    run.step(Seal::new(release, run, &sidecars, installers, archive)?)
}

/// All steps that the pipeline has for this configuration and a target of this kind, in order.
pub fn steps(config: &crate::config::Config, os: Os) -> Vec<String> {
    let frontend = config.frontend.iter().map(|_| "frontend".to_owned());
    let sidecars = config
        .sidecars
        .iter()
        .map(|it| format!("sidecar:{}", it.name));
    let archive = config.archive.iter().map(|_| "archive".to_owned());
    let notarize = (os == Os::Macos).then(|| "notarize".to_owned());
    let fixed = |names: &'static [&str]| names.iter().map(|&it| it.to_owned());
    frontend
        .chain(fixed(&["app"]))
        .chain(sidecars)
        .chain(fixed(&["sign-code", "bundle"]))
        .chain(notarize)
        .chain(fixed(&["sign-installers"]))
        .chain(archive)
        .chain(fixed(&["seal"]))
        .collect()
}

/// Where the state of a target lies: journal, stages, caches, logs.
pub fn state(root: &Path, target: &crate::target::Target) -> std::path::PathBuf {
    root.join("target/dist").join(&target.name)
}
