//! Signed messages (RFC 5652) and the timestamps on them (RFC 3161).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use cms::{
    content_info::{CmsVersion, ContentInfo},
    signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo},
};
use der::{
    Any, AnyRef, Decode, Encode, Header, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
    asn1::{ObjectIdentifier, OctetString},
};
use ring::digest::digest;
use x509_cert::{attr::Attributes, spki::AlgorithmIdentifierOwned};

use crate::{
    Timestamp, Trust, ber,
    certificate::Certificate,
    chain::{self, Wanted},
    digest::{SHA1, WEAK, algorithm, even_weak},
    endorsed,
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// Where CMS has a timestamp (RFC 3161, appendix A), and where Authenticode has it.
const TIMESTAMPS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.14"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.3.3.1"),
];

/// What else may stand beside a signature without being signed: more signatures of the same file
/// (Authenticode's), PKCS #9's older timestamps, and a place for notes of osslsigncode's.
const NESTED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.4.1");
const UNSIGNED: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.6"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42921.1.2.1"),
];
/// Clocks differ; a timestamp may be that far ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// A signed message with one signer, as files carry it.
pub struct Message {
    content: EncapsulatedContentInfo,
    signer: SignerInfo,
    /// All that came along, in the order of the file.
    pub certificates: Vec<Certificate>,
}

/// What a message's signature is worth.
pub struct Verdict {
    /// Whose key signed.
    pub signer: Option<Certificate>,
    /// The timestamp, if there is one.
    pub timestamp: Option<Timestamp>,
    /// Whether the signer's key made the signature over this content; says nothing of who that is.
    pub fits: bool,
    /// What is wrong; empty if nothing.
    pub problems: Vec<String>,
}

impl Message {
    /// Of DER, or BER as Apple's tools write it, followed by nothing but zeros.
    ///
    /// # Errors
    /// When it is no signed message, or one of several signers.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (message, rest) = ber::with_lengths(bytes).context("no signed message")?;
        let info = ContentInfo::from_der(&message).context("no signed message")?;
        ensure!(
            rest.iter().all(|it| *it == 0),
            "something follows the signature"
        );
        Self::of(&info)
    }

    fn of(info: &ContentInfo) -> Result<Self> {
        let is_one = info.content_type == SIGNED_DATA && info.content.tag() == Tag::Sequence;
        ensure!(is_one, "no signed message");
        let bytes = info.content.value();
        let mut reader = SliceReader::new(bytes)?;
        Self::read(&mut reader).context("the signed message is damaged")
    }

    /// SignedData (RFC 5652, section 5.1). Not with the `cms` crate's own: it wants each set without
    /// duplicates, as DER does, and servers send a certificate twice.
    fn read(reader: &mut SliceReader<'_>) -> Result<Self> {
        let version: u8 = reader.decode()?;
        let digests: AnyRef<'_> = reader.decode()?;
        ensure!(digests.tag() == Tag::Set, "it has another form");
        let content: EncapsulatedContentInfo = reader.decode()?;
        check_content(version, &content)?;
        let mut certificates = Vec::new();
        for element in each(optional(reader, 0)?.unwrap_or_default())? {
            if !endorsed::is_one(element)? {
                certificates.push(Certificate::from_der(element)?);
            }
        }
        let _revoked = optional(reader, 1)?;
        let signers: AnyRef<'_> = reader.decode()?;
        ensure!(
            signers.tag() == Tag::Set && reader.is_finished(),
            "it has another form"
        );
        let signers = each(signers.value())?;
        let [signer] = &*signers else {
            bail!("{} signers; a file has one", signers.len());
        };
        let bytes = signer;
        let signer = SignerInfo::from_der(bytes)?;
        // A part with another tag would be passed over. The order within may be another one.
        let size = usize::try_from(signer.encoded_len()?)?;
        ensure!(size == bytes.len(), "it has another form");
        check_signer(&signer)?;
        let named = AlgorithmIdentifierOwned::from_der(digests.value())?;
        ensure!(
            named == signer.digest_alg,
            "it names another digest than its signer"
        );
        Ok(Self {
            content,
            signer,
            certificates,
        })
    }

    /// What the message is about: its type and its bytes without the outermost tag.
    pub fn content(&self) -> (ObjectIdentifier, Option<&[u8]>) {
        let content = &self.content;
        (
            content.econtent_type,
            content.econtent.as_ref().map(Any::value),
        )
    }

    /// The certificate whose key signed.
    pub fn signer(&self) -> Option<&Certificate> {
        self.certificates.iter().find(|it| match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => {
                it.is(&id.issuer, id.serial_number.as_bytes())
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => it.has_key_id(id.0.as_bytes()),
        })
    }

    /// Further messages about the same file, in this one's unsigned attributes.
    ///
    /// # Errors
    /// One of them is damaged.
    pub fn nested(&self) -> Result<Vec<Self>> {
        let attributes = self.signer.unsigned_attrs.iter().flat_map(|it| it.iter());
        let values = attributes
            .filter(|it| it.oid == NESTED)
            .flat_map(|it| it.values.iter());
        values.map(|it| Self::of(&it.decode_as()?)).collect()
    }

    /// All values of a signed attribute, with their tags.
    pub fn signed_attribute(&self, oid: ObjectIdentifier) -> Option<Vec<u8>> {
        let attributes = self.signer.signed_attrs.as_ref()?;
        let found = attributes.iter().find(|it| it.oid == oid)?;
        found.values.to_der().ok()
    }

    /// What the signature over `content` is worth for `purpose`.
    pub fn check(&self, content: &[u8], purpose: ObjectIdentifier, trust: &Trust) -> Verdict {
        self.judge(content, purpose, trust, false)
    }

    /// With `sha1` a signature made with that may be good.
    fn judge(
        &self,
        content: &[u8],
        purpose: ObjectIdentifier,
        trust: &Trust,
        sha1: bool,
    ) -> Verdict {
        let mut problems = Vec::new();
        let signer = self.signer();
        if let Err(error) = self.check_signature(signer, content) {
            problems.push(format!("{error:#}"));
        }
        let fits = signer.is_some() && problems.is_empty();
        if self.signer.digest_alg.oid == SHA1 && !sha1 && fits {
            problems.push(WEAK.to_owned());
        }
        let timestamp = match self.timestamp(trust) {
            Ok(it) => it,
            Err(error) => {
                problems.push(format!("the timestamp: {error:#}"));
                None
            }
        };
        // Anybody can run a timestamp server, and lie.
        let believed = trust.anchors.is_empty() || !trust.timestamp_anchors.is_empty();
        let at = timestamp
            .as_ref()
            .filter(|_| believed)
            .map(|it| UNIX_EPOCH + Duration::from_secs(it.seconds));
        let wanted = Wanted {
            anchors: &trust.anchors,
            revoked: &trust.revoked,
            purpose,
            at: at.unwrap_or(trust.now),
        };
        match signer {
            None => problems.push("the signer's certificate is missing".to_owned()),
            Some(leaf) => {
                if let Err(error) = chain::check(leaf, &self.certificates, &wanted) {
                    problems.push(format!("{error:#}"));
                }
            }
        }
        if purpose == chain::CODE_SIGNING {
            problems.extend(self.unknown_attribute());
        }
        if let Err(error) = chain::check_luggage(&self.certificates, &trust.anchors) {
            problems.push(format!("{error:#}"));
        }
        Verdict {
            signer: signer.cloned(),
            timestamp,
            fits,
            problems,
        }
    }

    /// Fails unless the signer's key signed the content (RFC 5652, section 5.4).
    fn check_signature(&self, signer: Option<&Certificate>, content: &[u8]) -> Result<()> {
        let Some(signer) = signer else {
            return Ok(());
        };
        let info = &self.signer;
        let hash = even_weak(info.digest_alg.oid)?;
        let attributes = info.signed_attrs.as_ref().context("no signed attributes")?;
        let of_type: ObjectIdentifier = attribute(Some(attributes), CONTENT_TYPE)
            .context("the type of the content is not signed")?
            .decode_as()?;
        ensure!(
            of_type == self.content().0,
            "the type of the content is another one"
        );
        let signed: OctetString = attribute(Some(attributes), MESSAGE_DIGEST)
            .context("the digest is not signed")?
            .decode_as()?;
        ensure!(
            signed.as_bytes() == digest(hash, content).as_ref(),
            "the signed digest is that of other content"
        );
        let named = info.signature_algorithm.oid;
        let (message, signature) = (attributes.to_der()?, info.signature.as_bytes());
        match info.digest_alg.oid {
            SHA1 => signer.check_with_sha1(named, &message, signature),
            other => signer.check_signature(named, Some(other), &message, signature),
        }
    }

    /// Unsigned attributes may be anything; a timestamp whose number was altered is no timestamp.
    fn unknown_attribute(&self) -> Option<String> {
        let known = [&TIMESTAMPS[..], &UNSIGNED, &[NESTED]].concat();
        let mut attributes = self.signer.unsigned_attrs.iter().flat_map(|it| it.iter());
        let unknown = attributes.find(|it| !known.contains(&it.oid))?;
        Some(format!(
            "it has an unsigned attribute of an unknown kind, {}",
            unknown.oid
        ))
    }

    /// The timestamp on this signature; none if there is none.
    fn timestamp(&self, trust: &Trust) -> Result<Option<Timestamp>> {
        let attributes = self.signer.unsigned_attrs.iter().flat_map(|it| it.iter());
        let stamps: Vec<_> = attributes
            .filter(|it| TIMESTAMPS.contains(&it.oid))
            .collect();
        let values: Vec<_> = stamps.iter().flat_map(|it| it.values.iter()).collect();
        // Apple's server signs with SHA-1 to this day, and macOS takes it. What such a weak hash costs is
        // a date, and only if its owner can have two made to measure.
        let sha1 = stamps.iter().all(|it| it.oid == TIMESTAMPS[0]);
        let token = match *values {
            [] if stamps.is_empty() => return Ok(None),
            [] => bail!("it is damaged"),
            [token] => token,
            _ => bail!("there is more than one"),
        };
        let token = Self::of(&token.decode_as()?)?;
        let (of_type, content) = token.content();
        ensure!(of_type == TST_INFO, "it is about something else");
        let content = content.context("it is about nothing")?;
        let info = TstInfo::parse(content)?;
        let hash = algorithm(info.algorithm)?;
        ensure!(
            info.imprint == digest(hash, self.signer.signature.as_bytes()).as_ref(),
            "it was made for another signature"
        );
        ensure!(info.time <= trust.now + CLOCK_SKEW, "it lies in the future");
        let trust = Trust {
            anchors: trust.timestamp_anchors.clone(),
            timestamp_anchors: Vec::new(),
            revoked: trust.revoked.clone(),
            now: info.time,
        };
        let verdict = token.judge(content, chain::TIME_STAMPING, &trust, sha1);
        if let Some(problem) = verdict.problems.first() {
            bail!("{problem}");
        }
        let seconds = info.time.duration_since(UNIX_EPOCH)?.as_secs();
        let authority = verdict.signer.map(|it| it.name()).unwrap_or_default();
        Ok(Some(Timestamp { seconds, authority }))
    }
}

/// Fails unless version and tag are those of the content's type: neither is signed.
fn check_content(version: u8, content: &EncapsulatedContentInfo) -> Result<()> {
    // PKCS #7, which Authenticode and Apple have it from, knows version 1 only; RFC 5652 has 3 for
    // what is not plain data.
    let wanted = if content.econtent_type == TST_INFO {
        3
    } else {
        1
    };
    let tag = match content.econtent_type {
        TST_INFO | DATA => Tag::OctetString,
        _ => Tag::Sequence,
    };
    let tagged = content.econtent.as_ref().is_none_or(|it| it.tag() == tag);
    ensure!(version == wanted && tagged, "it has another form");
    Ok(())
}

/// Fails unless what is not signed of the signer's part is what it has to be (RFC 5652, section 5.3).
fn check_signer(signer: &SignerInfo) -> Result<()> {
    let version = match signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(_) => CmsVersion::V1,
        SignerIdentifier::SubjectKeyIdentifier(_) => CmsVersion::V3,
    };
    let parameters = [&signer.digest_alg, &signer.signature_algorithm];
    let mut parameters = parameters.iter().filter_map(|it| it.parameters.as_ref());
    let plain = parameters.all(|it| it.tag() == Tag::Null && it.value().is_empty());
    ensure!(signer.version == version && plain, "it has another form");
    Ok(())
}

/// The content of a field that may be missing, by its number.
fn optional<'a>(reader: &mut SliceReader<'a>, number: u8) -> Result<Option<&'a [u8]>> {
    let wanted = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber::new(number),
    };
    if reader.peek_byte().is_none() || reader.peek_tag()? != wanted {
        return Ok(None);
    }
    let header = Header::decode(reader)?;
    Ok(Some(reader.read_slice(header.length)?))
}

/// The elements of a set, with their tags.
fn each(set: &[u8]) -> Result<Vec<&[u8]>> {
    let mut reader = SliceReader::new(set)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.tlv_bytes()?);
    }
    Ok(found)
}

/// The single value of an attribute.
fn attribute(attributes: Option<&Attributes>, oid: ObjectIdentifier) -> Option<&Any> {
    let mut found = attributes?.iter().filter(|it| it.oid == oid);
    let attribute = found.next()?;
    let one = found.next().is_none() && attribute.values.len() == 1;
    one.then(|| attribute.values.get(0)).flatten()
}

/// The part of a timestamp that is looked at (RFC 3161, section 2.4.2).
struct TstInfo {
    algorithm: ObjectIdentifier,
    imprint: Vec<u8>,
    time: SystemTime,
}

#[derive(der::Sequence)]
struct Imprint {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

impl TstInfo {
    fn parse(bytes: &[u8]) -> Result<Self> {
        // RFC 5652 has the content in an OCTET STRING, whose tag is off already.
        let mut reader = SliceReader::new(bytes)?;
        let parsed = reader.sequence(|it| {
            let _version: u8 = it.decode()?;
            // Apple's has numbers that `ObjectIdentifier` does not hold.
            let _policy: AnyRef<'_> = it.decode()?;
            let imprint: Imprint = it.decode()?;
            let _serial: der::asn1::Int = it.decode()?;
            let time: Any = it.decode()?;
            it.read_slice(it.remaining_len())?;
            Ok((imprint, time))
        });
        let (imprint, time) = parsed.context("its content is damaged")?;
        Ok(Self {
            algorithm: imprint.algorithm.oid,
            imprint: imprint.digest.into_bytes(),
            time: time_of(&time)?,
        })
    }
}

/// Of a GeneralizedTime. Microsoft's servers count parts of a second, which RFC 3161 allows and DER
/// of RFC 5280 does not.
fn time_of(value: &Any) -> Result<SystemTime> {
    ensure!(value.tag() == Tag::GeneralizedTime, "it says no time");
    let text = std::str::from_utf8(value.value())?;
    let whole = text.split('.').next().unwrap_or(text).trim_end_matches('Z');
    let der = [&[0x18, 15], whole.as_bytes(), b"Z"].concat();
    let time = der::asn1::GeneralizedTime::from_der(&der);
    Ok(time
        .with_context(|| format!("`{text}` is no time"))?
        .to_system_time())
}
