//! Whom to believe, read from files that say by themselves what they are.

use std::{path::Path, time::SystemTime};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ct_codecs::{Base64, Decoder as _};
use fs_err as fs;
use xtask_signed::{Certificate, chain::RevokedList};

use super::Trust;
use crate::{config::Config, tools::minisign::PublicKey};

/// How a list of revoked certificates begins, in PEM (RFC 7468, section 6).
const CRL: &str = "X509 CRL";

/// What helps against a list that is not taken.
const LIST_HINT: &str = "hint: fetch it from where the authority publishes it, and name the certificate of its issuer with \
                         --trust before it";

impl Trust {
    /// Adds whom the configuration trusts. The minisign keys are left to the caller: `--key` takes
    /// their place; what the updater's key is for is not.
    ///
    /// # Errors
    /// A file that is named cannot be read.
    pub fn add_configured(&mut self, config: &Config) -> Result<()> {
        let sign = &config.sign;
        let read = |file: &Option<std::path::PathBuf>| {
            let read = file.as_deref().map(Certificate::read_all);
            Ok::<_, anyhow::Error>(read.transpose()?.unwrap_or_default())
        };
        self.code.windows.extend(read(&sign.windows.trust)?);
        let stamps = read(&sign.windows.timestamp_trust)?;
        self.code.windows_timestamps.extend(stamps);
        self.code.apple.extend(read(&sign.macos.trust)?);
        let gpg = sign.gpg.as_ref().and_then(|it| it.public_key.clone());
        self.gpg_key = self.gpg_key.take().or(gpg);
        self.updates = config.tauri.updater_pubkey.is_some();
        Ok(())
    }

    /// Adds what a file holds: certificates (PEM or DER), a list of revoked ones after the
    /// certificate of its issuer, a minisign key, an exported OpenPGP key.
    ///
    /// # Errors
    /// It cannot be read, or is none of these.
    pub fn add_file(&mut self, file: &Path) -> Result<()> {
        let bytes = fs::read(file)?;
        let text = String::from_utf8_lossy(&bytes);
        let named = || format!("{} is not what --trust takes", file.display());
        if text.contains(&format!("-----BEGIN {CRL}-----")) {
            return self.add_revoked(&text).with_context(named);
        }
        if text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") || is_openpgp(&bytes) {
            let one = self.gpg_key.replace(file.to_owned());
            ensure!(
                one.is_none(),
                "{}: only one OpenPGP key can be trusted\n\
                 hint: export all keys into one file: gpg --export KEY KEY",
                file.display()
            );
            return Ok(());
        }
        if let Ok(key) = PublicKey::parse(&text) {
            self.public_keys.push(key);
            return Ok(());
        }
        let Ok(certificates) = Certificate::read_all(file) else {
            // DER begins with a sequence: what is no certificate may be a list of them.
            if bytes.first() == Some(&0x30) {
                return self.add_der_list(&bytes).with_context(named);
            }
            bail!(
                "{}\nhint: it takes certificates (PEM or DER), a list of revoked ones after their issuer's, a \
                 minisign key or an exported OpenPGP key",
                named()
            );
        };
        let code = &mut self.code;
        for anchors in [
            &mut code.windows,
            &mut code.windows_timestamps,
            &mut code.apple,
        ] {
            anchors.extend(certificates.iter().cloned());
        }
        Ok(())
    }

    fn add_revoked(&mut self, pem: &str) -> Result<()> {
        let (begin, end) = (
            format!("-----BEGIN {CRL}-----"),
            format!("-----END {CRL}-----"),
        );
        for part in pem.split(&begin).skip(1) {
            let (body, _) = part.split_once(&end).context("it is cut off")?;
            let der = Base64::decode_to_vec(body, Some(b"\r\n "));
            let der = der.ok().context("its base64 is damaged")?;
            self.add_der_list(&der)?;
        }
        Ok(())
    }

    fn add_der_list(&mut self, der: &[u8]) -> Result<()> {
        let code = &mut self.code;
        let issuers = [&*code.windows, &*code.windows_timestamps, &*code.apple].concat();
        let list =
            RevokedList::read(der, &issuers).map_err(|error| anyhow!("{error:#}\n{LIST_HINT}"))?;
        let now = SystemTime::now();
        if let Some(why) = list.outdated(now) {
            let next = list.next.filter(|it| *it < now).unwrap_or(list.made);
            self.warnings.push(format!(
                "the list of revoked certificates by {} {why} ({}): what was revoked since is not known; \
                 fetch a newer one",
                list.issuer,
                humantime::format_rfc3339_seconds(next)
            ));
        }
        code.revoked.extend(list.revoked);
        Ok(())
    }
}

/// Whether it begins with a public key (RFC 4880, section 4.3), old form or new.
fn is_openpgp(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|it| (0x98..=0x9b).contains(it) || *it == 0xc6)
}
