//! X.509 certificates (RFC 5280), as far as signatures on files need them.

use std::{path::Path, time::SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use der::{
    Any, Decode, Encode, Header, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::ObjectIdentifier, oid::AssociatedOid as _,
};
use ring::{digest, signature as ring_signature};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};

use crate::digest::hex;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A certificate with the bytes that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    parsed: x509_cert::Certificate,
    der: Vec<u8>,
}

impl Certificate {
    /// Of DER.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let parsed = x509_cert::Certificate::from_der(der).context("no X.509 certificate")?;
        let der = der.to_owned();
        Ok(Self { parsed, der })
    }

    fn of(parsed: x509_cert::Certificate) -> Result<Self> {
        let der = parsed.to_der()?;
        Ok(Self { parsed, der })
    }

    /// All certificates in a file, PEM or DER.
    ///
    /// # Errors
    /// The file cannot be read, or holds none.
    pub fn read_all(file: &Path) -> Result<Vec<Self>> {
        let bytes = fs_err::read(file)?;
        if !bytes.starts_with(b"-----") && !bytes.windows(11).any(|it| it == b"-----BEGIN ") {
            let one = Self::from_der(&bytes).with_context(|| file.display().to_string())?;
            return Ok(vec![one]);
        }
        let parsed = x509_cert::Certificate::load_pem_chain(&bytes);
        let parsed = parsed.with_context(|| format!("{} is no PEM", file.display()))?;
        ensure!(
            !parsed.is_empty(),
            "{} holds no certificate",
            file.display()
        );
        parsed.into_iter().map(Self::of).collect()
    }

    /// As it was read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The common name; the whole subject where there is none.
    pub fn name(&self) -> String {
        self.named(COMMON_NAME).unwrap_or_else(|| self.subject())
    }

    /// The organization in its subject; none where there is none.
    pub fn organization(&self) -> Option<String> {
        self.named(ORGANIZATION)
    }

    fn named(&self, oid: ObjectIdentifier) -> Option<String> {
        let subject = &self.parsed.tbs_certificate.subject;
        let attributes = subject.0.iter().flat_map(|it| it.0.iter());
        let found = attributes.rev().find(|it| it.oid == oid)?;
        Some(String::from_utf8_lossy(found.value.value()).into_owned())
    }

    /// The whole subject, as RFC 4514 writes it: `CN=Example,O=Example`.
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// What its key is for: the numbers of its extended key usage, sorted.
    pub fn purposes(&self) -> Vec<String> {
        let raw = self.raw_purposes();
        let mut all: Vec<_> = raw.iter().map(|it| dotted(it)).collect();
        all.sort();
        all
    }

    /// The same as in the file. Azure's have numbers above 2^28, which [`ObjectIdentifier`] does not
    /// hold: with its help the whole list would be unreadable.
    fn raw_purposes(&self) -> Vec<Vec<u8>> {
        let extensions = self.parsed.tbs_certificate.extensions.iter().flatten();
        let mut found = extensions.filter(|it| it.extn_id == ExtendedKeyUsage::OID);
        let list = match (found.next(), found.next()) {
            (Some(one), None) => Vec::<Any>::from_der(one.extn_value.as_bytes()),
            _ => return Vec::new(),
        };
        let list = list.unwrap_or_default();
        let is_oid = |it: &&Any| it.tag() == Tag::ObjectIdentifier;
        let list = list.iter().filter(is_oid);
        list.map(|it| it.value().to_owned()).collect()
    }

    /// SHA-256 over the whole of it, in hex.
    pub fn fingerprint(&self) -> String {
        hex(digest::digest(&digest::SHA256, &self.der).as_ref())
    }

    /// SHA-1 over the whole of it, in hex: Windows' certificate stores find it by this.
    pub fn thumbprint(&self) -> String {
        hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der).as_ref())
    }

    /// Whether it signed itself.
    pub fn is_self_issued(&self) -> bool {
        let tbs = &self.parsed.tbs_certificate;
        tbs.issuer == tbs.subject
    }

    /// Whether its issuer has the subject of `other`.
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        self.parsed.tbs_certificate.issuer == other.parsed.tbs_certificate.subject
    }

    /// Whether it has key and number of the other, and is another one. Who vouches for somebody else's
    /// key gives the certificate a number of his own.
    pub(crate) fn pretends_to_be(&self, other: &Self) -> bool {
        let (own, others) = (&self.parsed.tbs_certificate, &other.parsed.tbs_certificate);
        self != other
            && own.subject_public_key_info == others.subject_public_key_info
            && own.serial_number == others.serial_number
    }

    /// Whether issuer and serial number are these.
    pub(crate) fn is(&self, issuer: &x509_cert::name::Name, serial: &[u8]) -> bool {
        let tbs = &self.parsed.tbs_certificate;
        tbs.issuer == *issuer && tbs.serial_number.as_bytes() == serial
    }

    /// Whether this is whom it is for.
    pub(crate) fn is_named(&self, name: &x509_cert::name::Name) -> bool {
        self.parsed.tbs_certificate.subject == *name
    }

    /// Whether its key may sign lists of revoked certificates.
    pub(crate) fn may_sign_lists(&self) -> bool {
        match self.parsed.tbs_certificate.get::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.crl_sign(),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether its key has this identifier.
    pub(crate) fn has_key_id(&self, id: &[u8]) -> bool {
        let found = self.parsed.tbs_certificate.get::<SubjectKeyIdentifier>();
        matches!(found, Ok(Some((_, it))) if it.0.as_bytes() == id)
    }

    /// In hex, as `openssl x509 -serial` prints it, in lower case.
    pub fn serial(&self) -> String {
        hex(self.parsed.tbs_certificate.serial_number.as_bytes())
    }

    /// The issuer's name in the bytes in which a revocation list names it.
    pub(crate) fn issuer(&self) -> &x509_cert::name::Name {
        &self.parsed.tbs_certificate.issuer
    }

    /// From when until when it is valid.
    pub fn validity(&self) -> (SystemTime, SystemTime) {
        let it = &self.parsed.tbs_certificate.validity;
        (
            it.not_before.to_system_time(),
            it.not_after.to_system_time(),
        )
    }

    /// Whether it may sign other certificates, with so many between those and a leaf at most.
    pub fn is_authority(&self, below: usize) -> bool {
        let basic = self.parsed.tbs_certificate.get::<BasicConstraints>();
        let Ok(Some((_, basic))) = basic else {
            return false;
        };
        let usage = self.parsed.tbs_certificate.get::<KeyUsage>();
        let signs = match usage {
            Ok(Some((_, usage))) => usage.key_cert_sign(),
            Ok(None) => true,
            Err(_) => false,
        };
        let deep = basic
            .path_len_constraint
            .is_none_or(|it| below <= it.into());
        basic.ca && signs && deep
    }

    /// Whether its key may be used so: code signing, timestamps.
    pub fn is_for(&self, purpose: ObjectIdentifier) -> bool {
        let tbs = &self.parsed.tbs_certificate;
        let signs = match tbs.get::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.digital_signature() || usage.non_repudiation(),
            Ok(None) => true,
            Err(_) => false,
        };
        signs
            && self
                .raw_purposes()
                .iter()
                .any(|it| *it == purpose.as_bytes())
    }

    /// Whether an extension of this number is there; Apple marks its certificates so.
    pub fn has_extension(&self, oid: ObjectIdentifier) -> bool {
        let extensions = self.parsed.tbs_certificate.extensions.as_deref();
        extensions
            .unwrap_or_default()
            .iter()
            .any(|it| it.extn_id == oid)
    }

    /// Fails unless this certificate's key signed `other`.
    pub fn check_issued(&self, other: &Self) -> Result<()> {
        let algorithm = &other.parsed.signature_algorithm;
        // Only the inner one is signed (RFC 5280, section 4.1.1.2).
        ensure!(
            *algorithm == other.parsed.tbs_certificate.signature,
            "the certificate of {} names two signature algorithms",
            other.name()
        );
        let signature = other.parsed.signature.as_bytes();
        let signature = signature.context("a signature of a broken number of bits")?;
        self.check_signature(algorithm.oid, None, other.signed_part()?, signature)
    }

    /// Fails unless this certificate's key signed `other` with SHA-1, as that of Apple's root did. It
    /// says that the other is whole, and nothing of whether to believe it.
    pub(crate) fn check_issued_with_sha1(&self, other: &Self) -> Result<()> {
        let algorithm = &other.parsed.signature_algorithm;
        let is_one = *algorithm == other.parsed.tbs_certificate.signature;
        ensure!(is_one, "two signature algorithms");
        let signature = other.parsed.signature.as_bytes();
        let signature = signature.context("a signature of a broken number of bits")?;
        self.check_with_sha1(algorithm.oid, other.signed_part()?, signature)
    }

    /// Like [`Self::check_signature`], of a signature that is too weak for anything else than what the
    /// callers name.
    pub(crate) fn check_with_sha1(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        ensure!(
            [RSA, RSA_WITH_SHA1].contains(&algorithm),
            "signature algorithm {algorithm} is not known, or too weak"
        );
        let how = &ring_signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
        self.check_with(how, message, signature)
    }

    /// What its issuer signed, in the bytes of the file: writing what was read might mend something.
    fn signed_part(&self) -> Result<&[u8]> {
        let mut reader = SliceReader::new(&self.der)?;
        Header::decode(&mut reader)?;
        Ok(reader.tlv_bytes()?)
    }

    /// Fails unless this certificate's key made the signature. CMS may name the key's algorithm
    /// instead of the signature's; then `digest` says the rest.
    pub fn check_signature(
        &self,
        algorithm: ObjectIdentifier,
        digest: Option<ObjectIdentifier>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let key = &self.parsed.tbs_certificate.subject_public_key_info;
        let curve = key.algorithm.parameters.as_ref();
        let curve = curve.and_then(|it| it.decode_as::<ObjectIdentifier>().ok());
        let how = how_to_verify(key.algorithm.oid, curve, algorithm, digest)?;
        self.check_with(how, message, signature)
    }

    fn check_with(
        &self,
        how: &'static dyn ring_signature::VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let key = &self.parsed.tbs_certificate.subject_public_key_info;
        let bits = key.subject_public_key.as_bytes();
        let bits = bits.context("a key of a broken number of bits")?;
        let key = ring_signature::UnparsedPublicKey::new(how, bits);
        let verified = key.verify(message, signature);
        verified
            .map_err(|_| anyhow::anyhow!("the signature does not fit the key of {}", self.name()))
    }
}

/// An object identifier as people write it, however large its numbers.
fn dotted(bytes: &[u8]) -> String {
    let (mut arcs, mut value) = (Vec::new(), 0_u128);
    for byte in bytes {
        value = value << 7 | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(value);
            value = 0;
        }
    }
    // The first two share one number.
    let Some((first, rest)) = arcs.split_first() else {
        return String::new();
    };
    let top = (*first / 40).min(2);
    let all = [top, first - top * 40]
        .into_iter()
        .chain(rest.iter().copied());
    all.map(|it| it.to_string()).collect::<Vec<_>>().join(".")
}

/// ring's name for what RFC 5754, RFC 5758 and RFC 8017 number.
fn how_to_verify(
    key: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
    algorithm: ObjectIdentifier,
    digest: Option<ObjectIdentifier>,
) -> Result<&'static dyn ring_signature::VerificationAlgorithm> {
    use crate::digest::{SHA256, SHA384, SHA512};
    let digest = match algorithm.to_string().as_str() {
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Some(SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(SHA512),
        _ if algorithm == RSA || algorithm == EC => digest,
        _ => None,
    };
    Ok(match (key, curve, digest) {
        (RSA, _, Some(SHA256)) => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA, _, Some(SHA384)) => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA, _, Some(SHA512)) => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
        (EC, Some(P256), Some(SHA256)) => &ring_signature::ECDSA_P256_SHA256_ASN1,
        (EC, Some(P256), Some(SHA384)) => &ring_signature::ECDSA_P256_SHA384_ASN1,
        (EC, Some(P384), Some(SHA256)) => &ring_signature::ECDSA_P384_SHA256_ASN1,
        (EC, Some(P384), Some(SHA384)) => &ring_signature::ECDSA_P384_SHA384_ASN1,
        _ => bail!("signature algorithm {algorithm} with key {key} is not known, or too weak"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(dotted(bytes), expected);
        check(crate::chain::CODE_SIGNING.as_bytes(), "1.3.6.1.5.5.7.3.3");
        check(COMMON_NAME.as_bytes(), "2.5.4.3");
        check(&[0x88, 0x37, 3], "2.999.3");
        // 990309390, as `openssl asn1parse` has it.
        let large = [0x2b, 0x83, 0xd8, 0x9b, 0xd8, 0x0e];
        check(&large, "1.3.990309390");
    }
}
