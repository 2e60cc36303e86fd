//! Attribute certificates (RFC 5755): what an authority says of somebody else's certificate.
//!
//! Timestamps by Microsoft carry one about the server's clock, good for a day, by a key whose
//! certificate does not come along. So nobody can check it, and nothing that is asked here depends on
//! it: it only has to be one.

use anyhow::{Context as _, Result, ensure};
use der::{
    AnyRef, Decode as _, Header, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
    asn1::BitStringRef,
};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Whether an element of a message's certificates is one. RFC 5652 has a number for those of the first
/// version and one for those of the second; Microsoft's are of the second, and have the first's.
///
/// # Errors
/// It is tagged as one, and has another form.
pub(crate) fn is_one(element: &[u8]) -> Result<bool> {
    let mut reader = SliceReader::new(element)?;
    let tagged = |number| Tag::ContextSpecific {
        constructed: true,
        number,
    };
    let tag = reader.peek_tag()?;
    if ![tagged(TagNumber::N1), tagged(TagNumber::N2)].contains(&tag) {
        return Ok(false);
    }
    Header::decode(&mut reader)?;
    read(&mut reader).context("no attribute certificate")?;
    Ok(true)
}

/// Section 4.1: what is said, the algorithm, the signature.
fn read(reader: &mut SliceReader<'_>) -> Result<()> {
    let said = reader.tlv_bytes()?;
    let algorithm: AlgorithmIdentifierOwned = reader.decode()?;
    let signature: BitStringRef<'_> = reader.decode()?;
    let whole = reader.is_finished() && signature.as_bytes().is_some();
    ensure!(
        whole && algorithm_of(said)? == algorithm,
        "it has another form"
    );
    Ok(())
}

/// It comes after version, holder and issuer.
fn algorithm_of(said: &[u8]) -> Result<AlgorithmIdentifierOwned> {
    let said = AnyRef::from_der(said)?;
    ensure!(said.tag() == Tag::Sequence, "it has another form");
    let mut reader = SliceReader::new(said.value())?;
    let _version: u8 = reader.decode()?;
    let _holder: AnyRef<'_> = reader.decode()?;
    let _issuer: AnyRef<'_> = reader.decode()?;
    Ok(reader.decode()?)
}
