//! `verify`: checks a finished release, or files by themselves.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};

use super::{World, print, print_json};
use crate::{
    cli::{TrustArgs, Verify},
    config::Config,
    manifest::{Identity, MANIFEST_NAME},
    report,
    sign::format::Format,
    target::Target,
    tools::minisign::PublicKey,
    verify::{self, Report, Trust},
};

pub(super) fn verify(world: &World, options: &Verify) -> Result<ExitCode> {
    // Anything can be checked anywhere: without a repository's configuration nothing is trusted
    // but what the command line names.
    let config = world.config();
    let trust = trust(config.as_ref().ok(), &options.trust)?;
    let checked = match &*options.what {
        [] => verify::verify(&own_release(&config?), &trust)?,
        [one] if is_release(one) && one.exists() => verify::verify(one, &trust)?,
        files => loose(files, options, &trust)?,
    };
    match world.global.format {
        report::Format::Json => print_json(&checked)?,
        _ => print(&checked.render(&report::table))?,
    };
    Ok(if checked.ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn own_release(config: &Config) -> PathBuf {
    let version = config.product.version.to_string();
    config.release.dir.join(version).join(Target::host().name)
}

/// Whether it is to be looked at as a whole: what does not exist is a release that is missed.
fn is_release(path: &Path) -> bool {
    let is_app = || Format::of(path).is_ok_and(|it| it == Format::App);
    let manifest = path.file_name().is_some_and(|it| it == MANIFEST_NAME);
    !path.exists() || manifest || (path.is_dir() && !is_app())
}

fn loose(files: &[PathBuf], options: &Verify, trust: &Trust) -> Result<Report> {
    ensure!(
        !options.trust.require_release,
        "--require-release is for a release: a file by itself has no manifest that would say\n\
         hint: leave it out, or give the release folder"
    );
    if let Some(folder) = files.iter().find(|it| is_release(it)) {
        ensure!(
            folder.exists(),
            "{} does not exist: give a release folder, or files",
            folder.display()
        );
        ensure!(
            !folder.is_dir(),
            "{} is a folder: check one release at a time, without other files",
            folder.display()
        );
    }
    verify::verify_files(files, trust)
}

pub(super) fn trust(config: Option<&Config>, options: &TrustArgs) -> Result<Trust> {
    let mut trust = Trust::default();
    if options.require_release {
        trust.require = Identity::Release;
    }
    for file in &options.trust {
        trust.add_file(file)?;
    }
    let mut keys = options.key.clone();
    if let Some(config) = config {
        trust.add_configured(config)?;
        if keys.is_empty() && trust.public_keys.is_empty() {
            keys.extend(config.sign.minisign.public_key.clone());
            // The one that installed apps know.
            let known = config.tauri.updater_pubkey.as_deref();
            if let Some(known) = known.filter(|_| keys.is_empty()) {
                let key = PublicKey::parse(known);
                let key = key.context("plugins.updater.pubkey of the Tauri configuration")?;
                trust.public_keys.push(key);
            }
        }
    }
    for file in keys {
        let text = fs_err::read_to_string(&file)?;
        let key = PublicKey::parse(&text).with_context(|| {
            format!(
                "{}\nhint: it takes minisign's public key, a file such as minisign.pub",
                file.display()
            )
        })?;
        trust.public_keys.push(key);
    }
    Ok(trust)
}
