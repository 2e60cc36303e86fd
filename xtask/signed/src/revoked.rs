//! Lists of certificates that their issuer took back (RFC 5280, section 5).

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use der::{Decode, Encode};
use x509_cert::{
    crl::{CertificateList, TbsCertList},
    name::Name,
};

use crate::certificate::Certificate;

/// How far the clocks of an authority and of this machine may differ.
const CLOCKS: Duration = Duration::from_secs(10 * 60);

/// A certificate that its issuer took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    issuer: Name,
    serial: Vec<u8>,
    pub(crate) since: SystemTime,
}

/// What one list says.
#[derive(Clone, Debug)]
pub struct RevokedList {
    /// Who made it, by his full name.
    pub issuer: String,
    /// When it was made.
    pub made: SystemTime,
    /// When the next one was to be made; none if the list does not say.
    pub next: Option<SystemTime>,
    /// What it takes back.
    pub revoked: Vec<Revoked>,
}

impl Revoked {
    /// Those of a revocation list, DER: see [`RevokedList::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(list: &[u8], issuers: &[Certificate]) -> Result<Vec<Self>> {
        Ok(RevokedList::read(list, issuers)?.revoked)
    }

    pub(crate) fn is(&self, certificate: &Certificate) -> bool {
        certificate.is(&self.issuer, &self.serial)
    }
}

impl RevokedList {
    /// Of DER. Whether it is the newest is for the caller to ask: [`Self::outdated`].
    ///
    /// # Errors
    /// It is none, `issuers` has nobody of the name that it bears, his key did not sign it or may
    /// not, or it is one that names only a part of what its issuer took back.
    pub fn read(list: &[u8], issuers: &[Certificate]) -> Result<Self> {
        let list = CertificateList::from_der(list).context("no list of revoked certificates")?;
        let tbs = &list.tbs_cert_list;
        let named: Vec<_> = issuers
            .iter()
            .filter(|it| it.is_named(&tbs.issuer))
            .collect();
        ensure!(
            !named.is_empty(),
            "the list of revoked certificates is by {}, whose certificate is not among those that are trusted",
            tbs.issuer
        );
        let algorithm = list.signature_algorithm.oid;
        let signed_bytes = tbs.to_der()?;
        let signature = list.signature.as_bytes().context("a broken signature")?;
        let signed = |it: &&&Certificate| {
            it.check_signature(algorithm, None, &signed_bytes, signature)
                .is_ok()
        };
        let signer = named
            .iter()
            .find(signed)
            .filter(|_| list.signature_algorithm == tbs.signature);
        let signer = signer.with_context(|| {
            format!(
                "the list of revoked certificates was altered, or {} did not sign it",
                tbs.issuer
            )
        })?;
        ensure!(
            signer.may_sign_lists(),
            "{} may not make lists of revoked certificates",
            signer.name()
        );
        ensure!(
            !has_critical_parts(tbs),
            "the list of revoked certificates by {} is only a part of one",
            tbs.issuer
        );
        Ok(Self::of(tbs))
    }

    fn of(tbs: &TbsCertList) -> Self {
        let entries = tbs.revoked_certificates.iter().flatten();
        let revoked = entries.map(|it| Revoked {
            issuer: tbs.issuer.clone(),
            serial: it.serial_number.as_bytes().to_owned(),
            since: it.revocation_date.to_system_time(),
        });
        Self {
            issuer: tbs.issuer.to_string(),
            made: tbs.this_update.to_system_time(),
            next: tbs.next_update.map(|it| it.to_system_time()),
            revoked: revoked.collect(),
        }
    }

    /// Why there may be more that its issuer took back; none if it is the newest.
    pub fn outdated(&self, now: SystemTime) -> Option<&'static str> {
        match self.next {
            _ if self.made > now + CLOCKS => Some("is from the future"),
            None => Some("does not say until when it holds"),
            Some(next) if next < now => Some("is out of date"),
            Some(_) => None,
        }
    }
}

/// Lists of changes, and of one kind of certificates, say so in a part that whoever does not know it
/// must not overlook.
fn has_critical_parts(tbs: &TbsCertList) -> bool {
    tbs.crl_extensions.iter().flatten().any(|it| it.critical)
}
