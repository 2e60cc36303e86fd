//! The secrets that a job needs: what the configuration signs with, and nothing else.

use super::matrix::Job;
use crate::{
    config::{Config, WindowsIdentity},
    target::Os,
};

/// What Azure's own library reads.
const AZURE: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];
/// A key of App Store Connect: its id, its issuer, and the text of its `.p8` file.
const NOTARY: [&str; 3] = ["APPLE_API_KEY", "APPLE_API_ISSUER", "APPLE_API_KEY_PATH"];

/// What signs updates and checksums, of one target or of all.
pub(super) fn of_release(config: &Config) -> Vec<String> {
    let sign = &config.sign;
    let mut names = vec![
        sign.minisign.key_env.clone(),
        sign.minisign.password_env.clone(),
    ];
    names.extend(sign.gpg.iter().map(|it| it.passphrase_env.clone()));
    names
}

/// What the job of a target signs with.
pub(super) fn of_job(config: &Config, job: &Job) -> Vec<String> {
    let mut names = of_release(config);
    match job.os {
        Os::Linux => {}
        Os::Windows => match &config.sign.windows.identity {
            WindowsIdentity::File(it) => {
                names.extend([it.env.clone(), it.password_env.clone()]);
            }
            WindowsIdentity::Pkcs11(it) => names.push(it.pin_env.clone()),
            WindowsIdentity::Azure(_) => names.extend(AZURE.map(str::to_owned)),
            WindowsIdentity::Command(_) => {
                names.extend(config.sign.windows.command_env.iter().cloned());
            }
            WindowsIdentity::Store(_) => {}
        },
        Os::Macos => {
            let apple = &config.sign.macos;
            let certificate = &apple.certificate;
            names.extend([certificate.env.clone(), certificate.password_env.clone()]);
            if apple.notarize {
                names.extend(NOTARY.map(str::to_owned));
            }
        }
    }
    names.extend(job.secrets.iter().cloned());
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
