//! What gpg overlooks in a signature: bytes that could be others without its saying so.

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The tag of a signature among packets (RFC 4880, section 4.3).
const SIGNATURE: u8 = 2;
/// Subpackets (section 5.2.3.1, and RFC 9580): who signed, by key id and by fingerprint.
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

/// Fails unless the bytes are one OpenPGP signature and nothing else, and the parts of it that it does
/// not cover itself say what they must: whose key it is, and how the digest begins. Whether the
/// signature is good is for gpgv to say.
///
/// # Errors
/// They are not, or do not.
pub fn check_packet(signature: &[u8], signed: &[u8]) -> Result<()> {
    let body = body(signature).context("not exactly one OpenPGP signature")?;
    let parts = Parts::of(body).context("a damaged OpenPGP signature")?;
    ensure!(parts.version == 4, "an OpenPGP signature of version {}", parts.version);
    let fingerprint = subpackets(parts.covered_fields)
        .context("a damaged OpenPGP signature")?
        .into_iter()
        .find(|it| it.0 == ISSUER_FINGERPRINT)
        .map(|it| it.1);
    for (kind, value) in subpackets(parts.uncovered_fields).context("a damaged OpenPGP signature")? {
        let expected = fingerprint.and_then(|it| it.get(it.len().checked_sub(8)?..));
        let fits = kind == ISSUER && expected.is_none_or(|it| it == value);
        ensure!(fits, "the OpenPGP signature says something that it does not cover");
    }
    let begins = parts.digest_of(signed);
    ensure!(
        begins.is_none_or(|it| it == parts.digest_begins),
        "the OpenPGP signature is over something else"
    );
    ensure!(
        are_numbers(parts.numbers),
        "a number in the OpenPGP signature is written otherwise than it must be"
    );
    Ok(())
}

/// Whether it is a row of numbers (section 3.2), each with the length that it has: gpg rounds it up to
/// whole bytes.
fn are_numbers(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((bits, rest)) = bytes.split_first_chunk() else {
            return false;
        };
        let bits = usize::from(u16::from_be_bytes(*bits));
        let Some((number, behind)) = rest.split_at_checked(bits.div_ceil(8)) else {
            return false;
        };
        let zeros = number.first().map_or(0, |it| it.leading_zeros() as usize);
        if number.len() * 8 - zeros != bits {
            return false;
        }
        bytes = behind;
    }
    true
}

/// The content of the one packet (section 4.2).
fn body(signature: &[u8]) -> Option<&[u8]> {
    let &[tag, first, second, ..] = signature else {
        return None;
    };
    let long = usize::from(first) << 8 | usize::from(second);
    let (kind, start, size) = match tag {
        // The old form: two bits say how long the length is.
        0x80..0xc0 => match tag & 3 {
            0 => (tag >> 2 & 15, 2, usize::from(first)),
            1 => (tag >> 2 & 15, 3, long),
            _ => return None,
        },
        0xc0.. if first < 192 => (tag & 63, 2, usize::from(first)),
        0xc0.. if first < 224 => (tag & 63, 3, long - (192 << 8) + 192),
        _ => return None,
    };
    let body = signature.get(start..)?;
    (kind == SIGNATURE && body.len() == size).then_some(body)
}

/// A signature taken apart (section 5.2.3).
struct Parts<'a> {
    version: u8,
    hash: u8,
    /// From the version to the end of the fields that it covers.
    covered: &'a [u8],
    covered_fields: &'a [u8],
    uncovered_fields: &'a [u8],
    digest_begins: [u8; 2],
    /// The signature proper.
    numbers: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let fields = |at: usize| {
            let size: [u8; 2] = body.get(at..at + 2)?.try_into().ok()?;
            body.get(at + 2..at + 2 + usize::from(u16::from_be_bytes(size)))
        };
        let covered_fields = fields(4)?;
        let end = 6 + covered_fields.len();
        let uncovered_fields = fields(end)?;
        let at = end + 2 + uncovered_fields.len();
        Some(Self {
            version: *body.first()?,
            hash: *body.get(3)?,
            covered: body.get(..end)?,
            covered_fields,
            uncovered_fields,
            digest_begins: body.get(at..at + 2)?.try_into().ok()?,
            numbers: body.get(at + 2..)?,
        })
    }

    /// How the digest of what is signed begins (section 5.2.4); none of an algorithm that is not known
    /// here.
    fn digest_of(&self, signed: &[u8]) -> Option<[u8; 2]> {
        let size = u32::try_from(self.covered.len()).ok()?.to_be_bytes();
        let parts = [signed, self.covered, &[4, 0xff], &size];
        match self.hash {
            8 => begin::<Sha256>(&parts),
            9 => begin::<Sha384>(&parts),
            10 => begin::<Sha512>(&parts),
            _ => None,
        }
    }
}

fn begin<D: Digest>(parts: &[&[u8]]) -> Option<[u8; 2]> {
    let mut digest = D::new();
    parts.iter().for_each(|it| digest.update(it));
    digest.finalize().get(..2)?.try_into().ok()
}

/// The kind and the value of each (section 5.2.3.1).
fn subpackets(mut fields: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while let Some((&first, rest)) = fields.split_first() {
        let (size, rest) = match first {
            0..192 => (usize::from(first), rest),
            192..255 => {
                let (&second, rest) = rest.split_first()?;
                ((usize::from(first) - 192 << 8) + usize::from(second) + 192, rest)
            }
            255 => {
                let (size, rest) = rest.split_first_chunk()?;
                (u32::from_be_bytes(*size) as usize, rest)
            }
        };
        let (packet, behind) = rest.split_at_checked(size)?;
        let (&kind, value) = packet.split_first()?;
        // The highest bit says that who does not know the kind must give up.
        found.push((kind & 0x7f, value));
        fields = behind;
    }
    Some(found)
}
