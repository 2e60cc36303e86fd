//! The keys, and that no secret is taken for something to write down.

use super::resolve::Resolver;
use super::types::{Gpg, Minisign, Sign};
use super::{raw, value};

/// The keys; `None` if there is a problem.
pub(super) fn sign(cx: &mut Resolver<'_>, dist: &raw::Dist) -> Option<Sign> {
    let raw = &dist.sign;
    let mut public_key = |key: &str, given: Option<&String>| match given {
        Some(text) => cx.file(key, cx.root, text).map(Some),
        None => Some(None),
    };
    let minisign_public = public_key("sign.minisign.public-key", raw.minisign.public_key.as_ref());
    let gpg_given = raw.gpg.as_ref().and_then(|gpg| gpg.public_key.as_ref());
    let gpg_public = public_key("sign.gpg.public-key", gpg_given);
    secrets_stay_out(cx, dist);
    let gpg_public = gpg_public?;
    Some(Sign {
        minisign: Minisign {
            key_env: raw.minisign.key_env.clone(),
            password_env: raw.minisign.password_env.clone(),
            public_key: minisign_public?,
        },
        gpg: raw.gpg.as_ref().map(|gpg| Gpg {
            key: value::fingerprint(&gpg.key).unwrap_or_default(),
            passphrase_env: gpg.passphrase_env.clone(),
            public_key: gpg_public,
        }),
    })
}

/// Refuses an `env` pattern that covers a secret: what decides an output is written down.
fn secrets_stay_out(cx: &mut Resolver<'_>, dist: &raw::Dist) {
    let mut secrets = vec![
        &dist.sign.minisign.key_env,
        &dist.sign.minisign.password_env,
    ];
    secrets.extend(dist.sign.gpg.as_ref().map(|gpg| &gpg.passphrase_env));
    let sidecars = dist.sidecar.iter().enumerate();
    let mut lists: Vec<(String, &[String])> = sidecars
        .map(|(index, sidecar)| (format!("sidecar.{index}.env"), sidecar.env.as_slice()))
        .collect();
    lists.push(("frontend.env".to_owned(), &dist.frontend.env));
    lists.push(("app.env".to_owned(), &dist.app.env));
    for (key, patterns) in lists {
        for (index, pattern) in patterns.iter().enumerate() {
            if let Some(secret) = secrets
                .iter()
                .find(|secret| value::matches(pattern, secret))
            {
                let message = format!("`{pattern}` covers `{secret}`, which holds a secret");
                let help = "what decides an output is written down";
                cx.problem(&format!("{key}.{index}"), message, help);
            }
        }
    }
}
