//! What the workflows will stumble over that only a person can mend.

use anyhow::Result;

use super::{RELEASE, toolchains::Toolchains};
use crate::config::Config;

/// How the key comes to be known.
pub(crate) const KEY_HINT: &str = "keep the public half in a file of the repository, and name it: `public-key = \
     \"packaging/minisign.pub\"` in `[sign.minisign]` of packaging/dist.toml";

/// What to tell whoever has the workflows generated, a sentence or two each.
///
/// # Errors
/// Those of [`files`](super::files).
pub fn notes(config: &Config) -> Result<Vec<String>> {
    let mut all = Vec::new();
    if !names_key(config) {
        all.push(format!(
            "{RELEASE} will sign and not publish: it checks the signatures against a public key that is \
             known besides the release, and neither `public-key` in `[sign.minisign]` nor \
             `plugins.updater.pubkey` of the Tauri configuration names one; {KEY_HINT}"
        ));
    }
    let newest = Toolchains::of(config)?.newest();
    if !newest.is_empty() {
        all.push(format!(
            "{RELEASE} takes what is newest on its day: {}; a second run of one tag may make \
             something else; name versions: `rust`, `node`, `python` in `[ci]` of packaging/dist.toml, \
             `packageManager` in package.json",
            newest.join(", ")
        ));
    }
    Ok(all)
}

/// Whether a release can be held against a key that does not come with it.
pub(crate) fn names_key(config: &Config) -> bool {
    config.sign.minisign.public_key.is_some() || config.tauri.updater_pubkey.is_some()
}
