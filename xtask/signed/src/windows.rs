//! Authenticode: signatures in Windows' formats.

pub mod cab;
pub mod msi;
pub mod pe;

use anyhow::{Context as _, Result};
use authenticode::{SPC_INDIRECT_DATA_OBJID, SpcIndirectDataContent};
use der::{Decode as _, Encode as _, Header, Length, Tag};
use ring::digest::Algorithm;

use crate::{Format, Signed, Trust, chain::CODE_SIGNING, cms::Message, digest};

/// What a message, and those inside of it, say of a file whose digest is computed by `hash`: the
/// file's first signature, then the others.
fn all(
    format: Format,
    message: &Message,
    trust: &Trust,
    mut hash: impl FnMut(&'static Algorithm) -> Result<Vec<u8>>,
) -> Result<Vec<Signed>> {
    let mut found = vec![signed(format, message, trust, &mut hash)?];
    for nested in message.nested().context("a further signature")? {
        found.push(signed(format, &nested, trust, &mut hash)?);
    }
    Ok(found)
}

/// The first signature, with what is wrong with the others.
fn first(all: Vec<Signed>) -> Option<Signed> {
    let mut all = all.into_iter();
    let mut first = all.next()?;
    for other in all {
        let problems = other
            .problems
            .iter()
            .map(|it| format!("a further signature: {it}"));
        first.problems.extend(problems);
        first.intact &= other.intact;
    }
    Some(first)
}

fn signed(
    format: Format,
    message: &Message,
    trust: &Trust,
    hash: impl FnOnce(&'static Algorithm) -> Result<Vec<u8>>,
) -> Result<Signed> {
    let (of_type, content) = message.content();
    let content = content.filter(|_| of_type == SPC_INDIRECT_DATA_OBJID);
    let content = content.context("the signature is not one of Authenticode's")?;
    let claimed = indirect(content).context("the signature's content is damaged")?;
    let verdict = message.check(content, CODE_SIGNING, trust);
    let mut problems = verdict.problems;
    // Whether it counts, the message says.
    let actual = digest::even_weak(claimed.message_digest.digest_algorithm.oid).and_then(hash);
    let is_same = |it: &Vec<u8>| it == claimed.message_digest.digest.as_bytes();
    let intact = verdict.fits && actual.as_ref().is_ok_and(is_same);
    match actual {
        Ok(it) if is_same(&it) => {
            let weak = claimed.message_digest.digest_algorithm.oid == digest::SHA1;
            if weak && !problems.iter().any(|it| it == digest::WEAK) {
                problems.insert(0, digest::WEAK.to_owned());
            }
        }
        Ok(_) => problems.insert(0, "the file is not the one that was signed".to_owned()),
        Err(error) => problems.insert(0, format!("{error:#}")),
    }
    Ok(Signed {
        format,
        signer: verdict.signer.as_ref().map(|it| it.name()),
        fingerprint: verdict.signer.as_ref().map(|it| it.fingerprint()),
        certificate: verdict.signer,
        timestamp: verdict.timestamp,
        hardened_runtime: None,
        stapled: None,
        intact,
        problems,
    })
}

/// The content is signed without its outermost tag.
fn indirect(content: &[u8]) -> Result<SpcIndirectDataContent> {
    let header = Header::new(Tag::Sequence, Length::try_from(content.len())?)?;
    let whole = [&*header.to_der()?, content].concat();
    Ok(SpcIndirectDataContent::from_der(&whole)?)
}
