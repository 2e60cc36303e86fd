//! What a signature lets code do under the hardened runtime: a property list as XML, and the same again
//! as DER, which newer systems read. Both are sealed by the directory of hashes.

use anyhow::{Context as _, Result, ensure};
use object::macho as raw;
use plist::{Dictionary, Value};

use super::Blobs;

/// Those in the property list; none if there is no list, which says the same as an empty one.
pub(super) fn read(blobs: &Blobs<'_>) -> Result<Option<Dictionary>> {
    let Some(blob) = blobs.get(raw::CSSLOT_ENTITLEMENTS) else {
        return Ok(None);
    };
    ensure!(
        blob.magic() == raw::CSMAGIC_EMBEDDED_ENTITLEMENTS,
        "the list of entitlements is damaged"
    );
    let value = Value::from_reader_xml(blob.contents());
    let value = value.context("the list of entitlements is no property list")?;
    let list = value
        .into_dictionary()
        .context("the list of entitlements is none")?;
    Ok(Some(list))
}
