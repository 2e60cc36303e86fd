//! What lies inside an installer.

use std::collections::BTreeMap;

/// Everything but folders, by path without a leading `/`.
pub type Inside = BTreeMap<String, Entry>;

/// A file or a symbolic link in an installer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lower-case hexadecimal; of no meaning for a link.
    pub sha256: String,
    /// Whether anybody may execute it.
    pub executable: bool,
    /// Where a symbolic link points to.
    pub link: Option<String>,
}
