//! Apple's code signatures (`xnu`'s `osfmk/kern/cs_blobs.h`, and Apple's Technical Note 3126): a
//! directory of hashes of all pages and of all that belongs to the code, and a CMS message over it.

pub mod app;
pub mod dmg;
mod entitlements;
pub mod macho;

use anyhow::{Context as _, Result, ensure};
use der::asn1::ObjectIdentifier;
use object::{
    BigEndian as BE,
    macho::{self as raw, CsSlot},
    read::macho::{CodeDirectory, CodeSignature, CodeSignatureBlob},
};
use ring::digest::{self, digest};

use crate::{Format, Signed, Trust, chain::CODE_SIGNING, cms::Message};

/// The hashes of all directories, one of which is older than SHA-256: a signed attribute.
const DIRECTORIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.9.2");
/// How many bytes of a directory's hash name it elsewhere.
const CDHASH: usize = 20;
/// What belongs to a disk image's own description.
const REP_SPECIFIC: u32 = 6;
/// The last of the slots that directories have hashes for.
const LAST_SPECIAL: u32 = raw::CSSLOT_LIBRARY_CONSTRAINT.0;

/// `codesign` signs in place, and reserves more than it needs: what is left of an older signature there
/// stays, which is more than so many bytes. macOS reads none of them. Fewer are an accident.
const LEFT_OVER: usize = 32;

/// What belongs to code beside its own pages, and is sealed with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seals<'a> {
    /// A bundle's `Info.plist`.
    pub info: Option<&'a [u8]>,
    /// An `Info.plist` in a section of the code, which a signer may seal or not: its bytes are the
    /// code's anyway.
    pub embedded: Option<&'a [u8]>,
    /// A bundle's `_CodeSignature/CodeResources`.
    pub resources: Option<&'a [u8]>,
    /// A disk image's trailer.
    pub trailer: Option<&'a [u8]>,
    /// A ticket of Apple's notary that lies beside the code.
    pub ticket: Option<&'a [u8]>,
}

/// Code without any signature.
#[derive(Debug)]
pub struct NotSigned;

impl std::fmt::Display for NotSigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not signed")
    }
}

impl std::error::Error for NotSigned {}

/// Why a signature that a linker made must not be believed.
pub const AD_HOC: &str = "ad-hoc: nobody vouches for it";

/// Code, and what its signature says.
pub struct Inspected {
    /// What the signature says.
    pub signed: Signed,
    /// The beginning of the hash by which others name this code.
    pub cdhash: Vec<u8>,
    /// The name that the signature gives the code.
    pub identifier: String,
    /// What it may do under the hardened runtime; none if the signature has no such list.
    pub entitlements: Option<plist::Dictionary>,
}

/// What the signature says of the image, which is everything before the signature.
fn inspect(
    format: Format,
    signature: &[u8],
    image: &[u8],
    seals: Seals<'_>,
    trust: &Trust,
) -> Result<Inspected> {
    let blobs = Blobs::parse(signature)?;
    let main = blobs
        .get(raw::CSSLOT_CODEDIRECTORY)
        .context("no directory of hashes")?;
    let mut problems = Vec::new();
    let mut best = None;
    for blob in blobs.directories() {
        let directory = blob.code_directory()?.context("no directory of hashes")?;
        problems.extend(wrong_hashes(&directory, &blobs, image, seals)?);
        if directory.header().hash_type == raw::CS_HASHTYPE_SHA256 {
            best.get_or_insert((directory, blob));
        }
    }
    let (directory, named) = best.context("it has no directory of SHA-256 hashes")?;
    let cdhash = digest(&digest::SHA256, named.data()).as_ref()[..CDHASH].to_vec();
    let mut signed = Signed {
        format,
        signer: None,
        fingerprint: None,
        certificate: None,
        timestamp: None,
        hardened_runtime: Some(directory.header().flags.get(BE).contains(raw::CS_RUNTIME)),
        stapled: Some(false),
        intact: problems.is_empty(),
        problems,
    };
    match blobs
        .get(raw::CSSLOT_SIGNATURESLOT)
        .filter(|it| !it.contents().is_empty())
    {
        None => signed.problems.push(AD_HOC.to_owned()),
        Some(message) if message.magic() != raw::CSMAGIC_BLOBWRAPPER => {
            signed.problems.push("the signature is damaged".to_owned());
        }
        Some(message) => vouched(
            &mut signed,
            &Message::parse(message.contents())?,
            main,
            &blobs,
            trust,
        ),
    }
    let ticket = blobs.get(raw::CSSLOT_TICKETSLOT).map(|it| it.contents());
    if let Some(ticket) = ticket.or(seals.ticket) {
        signed.stapled = Some(true);
        if !contains(ticket, &cdhash) {
            signed
                .problems
                .push("the attached ticket is for other code".to_owned());
        }
    }
    let entitlements = entitlements::read(&blobs).unwrap_or_else(|error| {
        signed.problems.push(format!("{error:#}"));
        None
    });
    let identifier = String::from_utf8_lossy(directory.ident()?).into_owned();
    Ok(Inspected {
        signed,
        cdhash,
        identifier,
        entitlements,
    })
}

/// Whose signature over the directory it is.
fn vouched(
    signed: &mut Signed,
    message: &Message,
    main: &CodeSignatureBlob<'_>,
    blobs: &Blobs<'_>,
    trust: &Trust,
) {
    let verdict = message.check(main.data(), CODE_SIGNING, trust);
    signed.signer = verdict.signer.as_ref().map(|it| it.name());
    signed.fingerprint = verdict.signer.as_ref().map(|it| it.fingerprint());
    signed.certificate = verdict.signer;
    signed.timestamp = verdict.timestamp;
    signed.intact &= verdict.fits;
    signed.problems.extend(verdict.problems);
    let named = message.signed_attribute(DIRECTORIES).unwrap_or_default();
    for other in blobs
        .directories()
        .filter(|it| it.slot() != raw::CSSLOT_CODEDIRECTORY)
    {
        let hash = digest(&digest::SHA256, other.data());
        if !contains(&named, hash.as_ref()) {
            signed
                .problems
                .push("a directory of hashes is not signed".to_owned());
        }
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|it| it == part)
}

/// What is not what the directory says.
fn wrong_hashes(
    directory: &CodeDirectory<'_>,
    blobs: &Blobs<'_>,
    image: &[u8],
    seals: Seals<'_>,
) -> Result<Vec<String>> {
    let header = directory.header();
    let algorithm = match header.hash_type {
        raw::CS_HASHTYPE_SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        raw::CS_HASHTYPE_SHA256 | raw::CS_HASHTYPE_SHA256_TRUNCATED => &digest::SHA256,
        raw::CS_HASHTYPE_SHA384 => &digest::SHA384,
        other => anyhow::bail!("hashes of the unknown kind {}", other.0),
    };
    let size = usize::from(header.hash_size);
    let is = |expected: &[u8], data: &[u8]| {
        digest(algorithm, data).as_ref().get(..size) == Some(expected)
    };
    let mut wrong = Vec::new();
    if directory.code_limit() != image.len() as u64 {
        wrong.push("it covers another part of the file".to_owned());
    }
    let page = match header.page_size {
        0 => image.len().max(1),
        bits => 1_usize
            .checked_shl(bits.into())
            .context("pages of no size")?,
    };
    let pages = image.chunks(page);
    if pages.len() != header.n_code_slots.get(BE) as usize {
        wrong.push("it has another number of pages".to_owned());
    } else {
        for (index, page) in pages.enumerate() {
            if !is(directory.code_hash(index as u32)?, page) {
                wrong.push("the file is not the one that was signed".to_owned());
                break;
            }
        }
    }
    for slot in 1..=header.n_special_slots.get(BE).max(LAST_SPECIAL) {
        let expected = directory.special_hash(CsSlot(slot)).unwrap_or_default();
        let none = expected.iter().all(|it| *it == 0);
        let embedded = seals
            .embedded
            .filter(|_| CsSlot(slot) == raw::CSSLOT_INFOSLOT && !none);
        let found = sealed(slot, blobs, seals).or(embedded);
        let (what, good) = (seal_name(slot), found.is_some_and(|it| is(expected, it)));
        match (none, found) {
            (true, None) => {}
            (true, Some(_)) => wrong.push(format!("{what} is not sealed")),
            (false, _) if good => {}
            (false, Some(_)) => wrong.push(format!("{what} is not the one that was signed")),
            (false, None) => wrong.push(format!("{what} is missing")),
        }
    }
    Ok(wrong)
}

/// What a slot below the pages' is a hash of.
fn sealed<'a>(slot: u32, blobs: &Blobs<'a>, seals: Seals<'a>) -> Option<&'a [u8]> {
    match CsSlot(slot) {
        raw::CSSLOT_INFOSLOT => seals.info,
        raw::CSSLOT_RESOURCEDIR => seals.resources,
        CsSlot(REP_SPECIFIC) => seals.trailer,
        other => blobs.get(other).map(|it| it.data()),
    }
}

fn seal_name(slot: u32) -> &'static str {
    match CsSlot(slot) {
        raw::CSSLOT_INFOSLOT => "Info.plist",
        raw::CSSLOT_REQUIREMENTS => "the list of requirements",
        raw::CSSLOT_RESOURCEDIR => "_CodeSignature/CodeResources",
        CsSlot(REP_SPECIFIC) => "the disk image's trailer",
        raw::CSSLOT_ENTITLEMENTS | raw::CSSLOT_DER_ENTITLEMENTS => "the list of entitlements",
        _ => "a part of the signature",
    }
}

/// Whether the part is one that something checks.
fn is_known(blob: &CodeSignatureBlob<'_>) -> bool {
    let is_directory = blob.magic() == raw::CSMAGIC_CODEDIRECTORY;
    match blob.slot() {
        raw::CSSLOT_SIGNATURESLOT | raw::CSSLOT_TICKETSLOT => true,
        raw::CSSLOT_CODEDIRECTORY => is_directory,
        it if it.is_alternate_codedirectory() => is_directory,
        it => it.0 <= LAST_SPECIAL,
    }
}

/// The parts of a signature.
struct Blobs<'a>(Vec<CodeSignatureBlob<'a>>);

impl<'a> Blobs<'a> {
    /// Fails unless the parts follow each other, with nothing between, and zeros or the rest of an older
    /// signature behind: what no part holds, nothing checks.
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let signature = CodeSignature::parse(bytes).context("the signature is damaged")?;
        let blobs = signature.blobs().collect::<Result<Vec<_>, _>>();
        let mut blobs = blobs.context("the signature is damaged")?;
        blobs.sort_by_key(|it| it.offset());
        let index = signature.header().count.get(BE) as usize;
        let mut at = size_of::<raw::CsSuperBlob>() + index * size_of::<raw::CsBlobIndex>();
        for blob in &blobs {
            ensure!(blob.offset() as usize == at, "the signature has a gap");
            ensure!(
                is_known(blob),
                "the signature has a part of an unknown kind"
            );
            at += blob.data().len();
        }
        // No hash covers the numbers of the directories: only one row of them is right.
        let mut others: Vec<u32> = blobs
            .iter()
            .filter(|it| it.magic() == raw::CSMAGIC_CODEDIRECTORY)
            .map(|it| it.slot().0)
            .filter(|it| *it != raw::CSSLOT_CODEDIRECTORY.0)
            .collect();
        others.sort_unstable();
        ensure!(
            others
                .iter()
                .copied()
                .eq((raw::CSSLOT_ALTERNATE_CODEDIRECTORIES..).take(others.len())),
            "the signature has a part of an unknown kind"
        );
        ensure!(
            signature.header().length.get(BE) as usize == at,
            "the signature has a gap"
        );
        let rest = bytes.get(at..).unwrap_or_default();
        let some = rest.iter().filter(|it| **it != 0).count();
        ensure!(
            some == 0 || some >= LEFT_OVER,
            "something follows the signature"
        );
        Ok(Self(blobs))
    }

    fn get(&self, slot: CsSlot) -> Option<&CodeSignatureBlob<'a>> {
        self.0.iter().find(|it| it.slot() == slot)
    }

    fn directories(&self) -> impl Iterator<Item = &CodeSignatureBlob<'a>> {
        let is_one = |it: &&CodeSignatureBlob<'_>| it.magic() == raw::CSMAGIC_CODEDIRECTORY;
        self.0.iter().filter(is_one)
    }
}
