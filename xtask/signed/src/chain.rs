//! From a signer's certificate up to one that is trusted (RFC 5280, section 6, without policies and
//! name constraints, which no authority for code signing uses).

use std::time::SystemTime;

use anyhow::{Result, bail, ensure};
use der::asn1::ObjectIdentifier;

use crate::certificate::Certificate;
pub use crate::revoked::{Revoked, RevokedList};

/// Extended key usage: code signing (RFC 5280, section 4.2.1.12).
pub const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// Extended key usage: timestamps.
pub const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// More links than any authority has; keeps certificates that name each other from going in circles.
const LONGEST: usize = 8;

/// What a chain must be good for.
pub struct Wanted<'a> {
    /// Where it may end; empty where that does not matter.
    pub anchors: &'a [Certificate],
    /// What was taken back.
    pub revoked: &'a [Revoked],
    /// What the leaf's key may be used for.
    pub purpose: ObjectIdentifier,
    /// When it must be valid.
    pub at: SystemTime,
}

/// Fails unless `leaf` leads to an anchor over certificates of `pool`, each valid at the time. Where
/// no anchor is wanted, it may end anywhere, but what is known of it must be true.
///
/// # Errors
/// Says of which certificate what is wrong.
pub fn check(leaf: &Certificate, pool: &[Certificate], wanted: &Wanted<'_>) -> Result<()> {
    ensure!(
        leaf.is_for(wanted.purpose),
        "the certificate of {} is not made for {}",
        leaf.name(),
        match wanted.purpose {
            TIME_STAMPING => "timestamps",
            _ => "code signing",
        }
    );
    let mut link = leaf;
    for below in 0..LONGEST {
        valid(link, wanted)?;
        if wanted.anchors.contains(link) {
            return Ok(());
        }
        let above = wanted.anchors.iter().chain(pool);
        let mut above = above.filter(|it| link.names_as_issuer(it) && *it != link);
        let Some(issuer) = above.find(|it| it.check_issued(link).is_ok()) else {
            if wanted.anchors.is_empty() {
                return Ok(());
            }
            bail!("{} leads to no certificate that is trusted", leaf.name());
        };
        ensure!(
            issuer.is_authority(below),
            "{} may not vouch for others, but did for {}",
            issuer.name(),
            link.name()
        );
        link = issuer;
    }
    bail!("the certificates of {} form no chain", leaf.name())
}

/// Fails unless each certificate that came along was issued by another, itself or an anchor. Those
/// that no chain needs would otherwise be bytes that anybody could change unseen.
pub(crate) fn check_luggage(all: &[Certificate], anchors: &[Certificate]) -> Result<()> {
    for one in all {
        let above = anchors
            .iter()
            .chain(all)
            .filter(|it| one.names_as_issuer(it));
        let above: Vec<_> = above.collect();
        // The top of a chain often stays at home. One that is trusted may come along all the same.
        let is_bent = anchors.iter().any(|it| one.pretends_to_be(it));
        let issued = (above.is_empty() && !is_bent)
            || above.iter().any(|it| it.check_issued(one).is_ok())
            || above
                .iter()
                .any(|it| it.check_issued_with_sha1(one).is_ok());
        ensure!(
            anchors.contains(one) || issued,
            "the certificate of {} that came along was altered",
            one.name()
        );
    }
    Ok(())
}

fn valid(link: &Certificate, wanted: &Wanted<'_>) -> Result<()> {
    let (from, until) = link.validity();
    let name = link.name();
    ensure!(
        wanted.at >= from,
        "the certificate of {name} was not valid yet"
    );
    ensure!(wanted.at <= until, "the certificate of {name} had expired");
    let is_revoked = |it: &&Revoked| it.is(link) && it.since <= wanted.at;
    ensure!(
        !wanted.revoked.iter().any(|it| is_revoked(&it)),
        "the certificate of {name} was revoked by {}",
        link.issuer()
    );
    Ok(())
}
