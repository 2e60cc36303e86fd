//! The keys, and that no secret is taken for something to write down.

use super::resolve::Resolver;
use super::types::*;
use super::{raw, value};

/// The keys; `None` if there is a problem.
pub(super) fn sign(cx: &mut Resolver<'_>, dist: &raw::Dist) -> Option<Sign> {
    let raw = &dist.sign;
    let minisign_public = optional(
        cx,
        "sign.minisign.public-key",
        raw.minisign.public_key.as_ref(),
    );
    let gpg_given = raw.gpg.as_ref().and_then(|gpg| gpg.public_key.as_ref());
    let gpg_public = optional(cx, "sign.gpg.public-key", gpg_given);
    let windows = windows(cx, &raw.windows);
    let macos = macos(cx, &raw.macos);
    if raw.gpg.is_none() {
        for (key, wanted) in [("deb", raw.linux.deb), ("rpm", raw.linux.rpm)] {
            if wanted {
                let help = "add `[sign.gpg]` with the fingerprint of the key";
                let message =
                    format!("`sign.linux.{key}` wants a key, but there is no `[sign.gpg]`");
                cx.problem(&format!("sign.linux.{key}"), message, help);
            }
        }
    }
    let gpg_public = gpg_public?;
    let sign = Sign {
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
        windows: windows?,
        macos: macos?,
        linux: LinuxSigning {
            deb: raw.linux.deb,
            rpm: raw.linux.rpm,
        },
        sidecar_hashes: raw.sidecar_hashes,
    };
    secrets_stay_out(cx, dist, &sign.secret_variables());
    Some(sign)
}

/// A file that need not be given; the outer `None` if it is given and there is none.
fn optional(
    cx: &mut Resolver<'_>,
    key: &str,
    given: Option<&String>,
) -> Option<Option<std::path::PathBuf>> {
    match given {
        Some(text) => cx.file(key, cx.root, text).map(Some),
        None => Some(None),
    }
}

fn windows(cx: &mut Resolver<'_>, raw: &raw::Windows) -> Option<WindowsSigning> {
    let identity = windows_identity(cx, raw);
    let trust = optional(cx, "sign.windows.trust", raw.trust.as_ref());
    let timestamp_trust = raw.timestamp_trust.as_ref();
    let timestamp_trust = optional(cx, "sign.windows.timestamp-trust", timestamp_trust);
    let mut revoked = Vec::new();
    for (index, file) in raw.revoked.iter().enumerate() {
        let key = format!("sign.windows.revoked.{index}");
        revoked.push(cx.file(&key, cx.root, file)?);
    }
    let identity = identity?;
    let wants = |tool: WindowsTool| matches!(raw.tool, WindowsTool::Auto) || raw.tool == tool;
    let (fits, needs) = match &identity {
        WindowsIdentity::File(_) => (raw.tool != WindowsTool::Command, "a `command`"),
        WindowsIdentity::Store(_) => (wants(WindowsTool::Signtool), "`signtool`"),
        WindowsIdentity::Azure(_) => (wants(WindowsTool::Signtool), "`signtool`"),
        WindowsIdentity::Pkcs11(_) => (wants(WindowsTool::Osslsigncode), "`osslsigncode`"),
        WindowsIdentity::Command(_) => (wants(WindowsTool::Command), "`command`"),
    };
    if !fits {
        let message = format!("the identity that is given here wants {needs}");
        cx.problem("sign.windows.tool", message, "leave `tool` out");
        return None;
    }
    let learned = matches!(
        identity,
        WindowsIdentity::Azure(_) | WindowsIdentity::Command(_)
    );
    if raw.publisher.is_some() && !learned {
        let message = "only the certificates of `azure` and `command` are known by their publisher";
        cx.problem("sign.windows.publisher", message, "leave it out");
        return None;
    }
    if !raw.command_env.is_empty() && !matches!(identity, WindowsIdentity::Command(_)) {
        let message = "there is no `command` that could read these";
        cx.problem("sign.windows.command-env", message, "leave it out");
        return None;
    }
    Some(WindowsSigning {
        tool: raw.tool,
        identity,
        command_env: raw.command_env.clone(),
        timestamp: raw.timestamp,
        timestamp_servers: raw.timestamp_servers.clone(),
        patience: cx.duration(&raw.patience),
        description: raw.description.clone(),
        url: raw.url.clone(),
        trust: trust?,
        timestamp_trust: timestamp_trust?,
        publisher: raw.publisher.clone(),
        leave_signed_by: raw.leave_signed_by.clone(),
        revoked,
    })
}

/// The one identity that is given; a file in the environment if none is.
fn windows_identity(cx: &mut Resolver<'_>, raw: &raw::Windows) -> Option<WindowsIdentity> {
    let mut found = Vec::new();
    if !raw.command.is_empty() {
        if !raw.command.iter().any(|it| it.contains("%1")) {
            let help = "write `%1` where the file's path belongs";
            cx.problem("sign.windows.command", "the command names no file", help);
        }
        found.push((
            "command",
            Some(WindowsIdentity::Command(raw.command.clone())),
        ));
    }
    if let Some(text) = &raw.thumbprint {
        let thumbprint = value::thumbprint(text).unwrap_or_default();
        found.push(("thumbprint", Some(WindowsIdentity::Store(thumbprint))));
    }
    if let Some(it) = &raw.pkcs11 {
        let certificate = cx.file("sign.windows.pkcs11.certificate", cx.root, &it.certificate);
        let identity = certificate.map(|certificate| {
            WindowsIdentity::Pkcs11(Pkcs11 {
                module: cx.path(&it.module),
                key: it.key.clone(),
                certificate,
                pin_env: it.pin_env.clone(),
            })
        });
        found.push(("pkcs11", identity));
    }
    if let Some(it) = &raw.azure {
        let metadata = cx.file("sign.windows.azure.metadata", cx.root, &it.metadata);
        let dlib = cx.path(&it.dlib);
        let identity = metadata.map(|metadata| WindowsIdentity::Azure(Azure { dlib, metadata }));
        found.push(("azure", identity));
    }
    if let [(one, _), (other, _), ..] = &*found {
        let message = format!("both `{one}` and `{other}` say whose key signs");
        cx.problem(
            &format!("sign.windows.{other}"),
            message,
            "keep one of them",
        );
        return None;
    }
    match found.pop() {
        Some((_, identity)) => identity,
        None => Some(WindowsIdentity::File(CertificateFile {
            env: raw.certificate_env.clone(),
            password_env: raw.password_env.clone(),
        })),
    }
}

fn macos(cx: &mut Resolver<'_>, raw: &raw::Macos) -> Option<AppleSigning> {
    let entitlements = optional(cx, "sign.macos.entitlements", raw.entitlements.as_ref());
    let trust = optional(cx, "sign.macos.trust", raw.trust.as_ref());
    let mut files = Vec::new();
    for (index, file) in raw.file.iter().enumerate() {
        let key = format!("sign.macos.file.{index}.entitlements");
        files.push(Entitled {
            path: file.path.clone(),
            entitlements: cx.file(&key, cx.root, &file.entitlements)?,
        });
    }
    Some(AppleSigning {
        tool: raw.tool,
        identity: raw.identity.clone(),
        certificate: CertificateFile {
            env: raw.certificate_env.clone(),
            password_env: raw.password_env.clone(),
        },
        entitlements: entitlements?,
        files,
        timestamp: raw.timestamp,
        timestamp_server: raw.timestamp_server.clone(),
        notarize: raw.notarize,
        notarize_timeout: cx.duration(&raw.notarize_timeout),
        trust: trust?,
    })
}

/// Refuses an `env` pattern that covers a secret: what decides an output is written down.
fn secrets_stay_out(cx: &mut Resolver<'_>, dist: &raw::Dist, secrets: &[String]) {
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
