//! `verify`: checks a finished release.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::{World, print};
use crate::{
    cli::Verify,
    manifest::Identity,
    report,
    target::Target,
    tools::minisign::PublicKey,
    verify::{self, Trust},
};

pub(super) fn verify(world: &World, options: &Verify) -> Result<ExitCode> {
    // A release can be checked anywhere: without a repository's configuration nothing is trusted
    // but what the command line names.
    let config = world.config();
    let release = match (&options.release, &config) {
        (Some(release), _) => release.clone(),
        (None, Ok(config)) => {
            let version = config.product.version.to_string();
            config.release.dir.join(version).join(Target::host().name)
        }
        (None, Err(_)) => return config.map(|_| ExitCode::FAILURE),
    };
    let mut files = options.key.clone();
    let mut gpg_key = None;
    if let Ok(config) = &config {
        if files.is_empty() {
            files.extend(config.sign.minisign.public_key.clone());
        }
        gpg_key = config
            .sign
            .gpg
            .as_ref()
            .and_then(|it| it.public_key.clone());
    }
    let mut public_keys = Vec::new();
    for file in files {
        let text = fs_err::read_to_string(&file)?;
        public_keys.push(PublicKey::parse(&text).with_context(|| file.display().to_string())?);
    }
    let require = if options.require_release {
        Identity::Release
    } else {
        Identity::Unsigned
    };
    let trust = Trust {
        public_keys,
        gpg_key,
        require,
    };
    let checked = verify::verify(&release, &trust)?;
    match world.global.format {
        report::Format::Json => print(&format!("{}\n", serde_json::to_string(&checked)?))?,
        _ => print(&checked.render(&report::table))?,
    };
    Ok(if checked.ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
