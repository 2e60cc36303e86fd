//! The files of a release and who signed them, whichever manifest says so.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{Artifact, Identity, Manifest, Product, RESERVED, Signing, check_path, is_sha256};

/// What both kinds of a manifest have, and what is checked in the same way in both.
#[derive(Clone, Debug)]
pub struct Files {
    /// What is shipped.
    pub product: Product,
    /// How it is signed.
    pub signing: Signing,
    /// Every file but the manifest, the checksums and the detached signatures, each once.
    pub artifacts: Vec<Artifact>,
    /// What a complete release would have besides, one sentence each.
    pub gaps: Vec<String>,
}

impl From<&Manifest> for Files {
    fn from(manifest: &Manifest) -> Self {
        Self {
            product: manifest.product.clone(),
            signing: manifest.signing.clone(),
            artifacts: manifest.artifacts.clone(),
            gaps: manifest.gaps.clone(),
        }
    }
}

impl Files {
    /// The detached signature files that the artifacts name.
    pub fn signature_files(&self) -> impl Iterator<Item = &str> {
        let refs = self
            .artifacts
            .iter()
            .flat_map(|artifact| &artifact.signatures);
        refs.filter_map(|signature| signature.file.as_deref())
    }

    /// What the types cannot say.
    ///
    /// # Errors
    /// It says so.
    pub(super) fn check(&self) -> Result<()> {
        let signed = self.signing.minisign.is_some() || self.signing.gpg.is_some();
        let identity = self.signing.identity;
        let fits = signed == (identity != Identity::Unsigned);
        ensure!(
            fits,
            "identity `{}` does not fit the keys",
            identity.as_str()
        );
        let mut seen = BTreeSet::from(RESERVED);
        for path in self
            .artifacts
            .iter()
            .map(|a| a.path.as_str())
            .chain(self.signature_files())
        {
            check_path(path)?;
            ensure!(seen.insert(path), "`{path}` is named twice");
        }
        let contents = self.artifacts.iter().flat_map(|a| &a.contents);
        let hashes = contents
            .map(|c| &c.sha256)
            .chain(self.artifacts.iter().map(|a| &a.sha256));
        for hash in hashes {
            ensure!(is_sha256(hash), "`{hash}` is not a SHA-256");
        }
        Ok(())
    }
}
