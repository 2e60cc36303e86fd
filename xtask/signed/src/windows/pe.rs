//! Portable executables (Microsoft's "Windows Authenticode Portable Executable Signature Format").

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use authenticode::{
    AttributeCertificateIterator, PeOffsetError, PeOffsets, PeTrait, WIN_CERT_REVISION_2_0,
    WIN_CERT_TYPE_PKCS_SIGNED_DATA, authenticode_digest,
};
use object::{
    FileKind, LittleEndian as LE, SectionIndex,
    pe::{IMAGE_DIRECTORY_ENTRY_SECURITY, ImageNtHeaders32, ImageNtHeaders64},
    read::pe::{ImageNtHeaders, ImageOptionalHeader as _, PeFile},
};
use ring::digest::Context;

use crate::{Format, Signed, Trust, cms::Message};

/// What the signatures in the file say; empty if it has none.
///
/// # Errors
/// When it is no executable, or its table of certificates is damaged.
pub fn inspect(data: &[u8], trust: &Trust) -> Result<Vec<Signed>> {
    match FileKind::parse(data).context("no Windows executable")? {
        FileKind::Pe32 => signatures::<ImageNtHeaders32>(data, trust),
        FileKind::Pe64 => signatures::<ImageNtHeaders64>(data, trust),
        _ => anyhow::bail!("no Windows executable"),
    }
}

/// Checks beside the signature's own: what Windows does not hash must be what it has to be, or a
/// byte could change there unseen.
fn signatures<I: ImageNtHeaders>(data: &[u8], trust: &Trust) -> Result<Vec<Signed>> {
    let file = PeFile::<I>::parse(data).context("no Windows executable")?;
    let image = Image(&file);
    let table = image.certificate_table_range().ok().flatten();
    let Some(table) = table.filter(|it| !it.is_empty()) else {
        return Ok(Vec::new());
    };
    ensure!(
        table.end == data.len(),
        "something follows the table of certificates"
    );
    let entries = AttributeCertificateIterator::new(&image)
        .map_err(|it| anyhow::anyhow!("{it}"))?
        .context("a table of certificates that is empty")?;
    let mut signed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|it| anyhow::anyhow!("{it}"))?;
        ensure!(
            entry.revision == WIN_CERT_REVISION_2_0
                && entry.certificate_type == WIN_CERT_TYPE_PKCS_SIGNED_DATA,
            "the table of certificates has an entry of an unknown kind"
        );
        signed.extend(signatures_of(&image, entry.data, trust)?);
    }
    let sum = file.nt_headers().optional_header().check_sum();
    if sum != 0 && sum != checksum(data, image.offsets().map_err(offset)?.check_sum) {
        let problem = "the checksum in the header is wrong";
        signed
            .iter_mut()
            .for_each(|it| it.problems.push(problem.to_owned()));
    }
    Ok(signed)
}

fn signatures_of(image: &dyn PeTrait, entry: &[u8], trust: &Trust) -> Result<Vec<Signed>> {
    let message = Message::parse(entry)?;
    super::all(Format::Pe, &message, trust, |algorithm| {
        let mut hash = Hash(Context::new(algorithm));
        authenticode_digest(image, &mut hash).map_err(offset)?;
        Ok(hash.0.finish().as_ref().to_vec())
    })
}

fn offset(error: PeOffsetError) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// ring's digests for a crate that knows another interface.
struct Hash(Context);

impl digest::Update for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

/// The sum in the optional header: 16-bit words added with their carries, the field itself left
/// out, and the file's length (`CheckSumMappedFile`).
fn checksum(data: &[u8], field: usize) -> u32 {
    let mut sum: u64 = 0;
    for (index, pair) in data.chunks(2).enumerate() {
        let at = index * 2;
        if at >= field && at < field + 4 {
            continue;
        }
        let word = u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum += u64::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum + data.len() as u64) as u32
}

/// What has to be known of an image to hash it, with the `object` crate of our version.
struct Image<'a, 'data, I: ImageNtHeaders>(&'a PeFile<'data, I>);

impl<I: ImageNtHeaders> PeTrait for Image<'_, '_, I> {
    fn data(&self) -> &[u8] {
        self.0.data()
    }

    fn num_sections(&self) -> usize {
        self.0.section_table().len()
    }

    fn section_data_range(&self, index: usize) -> Result<Range<usize>, PeOffsetError> {
        let section = self.0.section_table().section(SectionIndex(index));
        let section = section.map_err(|_| PeOffsetError)?;
        range(
            section.pointer_to_raw_data.get(LE),
            section.size_of_raw_data.get(LE),
        )
    }

    fn certificate_table_range(&self) -> Result<Option<Range<usize>>, PeOffsetError> {
        let Some(found) = self.0.data_directory(IMAGE_DIRECTORY_ENTRY_SECURITY) else {
            return Ok(None);
        };
        range(found.virtual_address.get(LE), found.size.get(LE)).map(Some)
    }

    fn offsets(&self) -> Result<PeOffsets, PeOffsetError> {
        let header = self.0.nt_headers().optional_header();
        let dos = self.0.dos_header().nt_headers_offset() as usize;
        // The signature and the file header come before the optional one.
        let optional = dos + 4 + size_of::<object::pe::ImageFileHeader>();
        let check_sum = optional + 64;
        let directories = optional + size_of::<I::ImageOptionalHeader>();
        let entry = size_of::<object::pe::ImageDataDirectory>();
        let security_data_dir = directories + entry * IMAGE_DIRECTORY_ENTRY_SECURITY;
        Ok(PeOffsets {
            check_sum,
            after_check_sum: check_sum + 4,
            security_data_dir,
            after_security_data_dir: security_data_dir + entry,
            after_header: header.size_of_headers() as usize,
        })
    }
}

fn range(start: u32, size: u32) -> Result<Range<usize>, PeOffsetError> {
    let (start, size) = (start as usize, size as usize);
    let end = start.checked_add(size).ok_or(PeOffsetError)?;
    Ok(start..end)
}
