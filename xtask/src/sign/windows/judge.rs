//! What becomes of a file that may be signed already: by this key, or by somebody else.

use std::path::Path;

use anyhow::Result;
use xtask_signed::{Certificate, Signed};

use super::{
    Made, Signer,
    found::{self, Before},
    identity::{Key, Known},
};

/// What becomes of a file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is signed; with what is wrong with the signature that this replaces.
    Sign(Option<String>),
    /// It keeps the signature that this key made before.
    Ours(Made),
    /// It keeps somebody else's, unless Windows objects.
    Theirs(Made),
    /// Somebody else's is not good by what this program can read, and why; Windows may know better.
    Doubtful(Made, String),
}

impl Signer {
    /// By the file's bytes, and what is known of the key.
    pub(super) fn judge(&self, file: &Path, before: Before) -> Result<Judgement> {
        let found = match before {
            Before::Unsigned => return Ok(Judgement::Sign(None)),
            Before::Broken(why) => return Ok(Judgement::Sign(Some(why))),
            Before::Intact(found) => found,
        };
        let made = Made::of(&found);
        if self.is_ours(&found)? == Some(true) {
            return Ok(match self.wrong_with_ours(file)? {
                Some(why) => Judgement::Sign(Some(why)),
                None => Judgement::Ours(made),
            });
        }
        Ok(match objection(&found, &self.config.leave_signed_by) {
            Some(Objection::ToReading(why)) => Judgement::Doubtful(made, why),
            Some(Objection::ToSigner(why)) => Judgement::Sign(Some(why)),
            None => Judgement::Theirs(made),
        })
    }

    /// Whether this key made the signature; none if only one that it makes will tell.
    pub(super) fn is_ours(&self, found: &Signed) -> Result<Option<bool>> {
        match &found.certificate {
            Some(certificate) => self.recognizes(certificate),
            None => Ok(Some(false)),
        }
    }

    /// Whether it is the key's certificate. A service may have another one every day: then it is known
    /// by the publisher that it names.
    pub(super) fn recognizes(&self, certificate: &Certificate) -> Result<Option<bool>> {
        if let Key::Store(thumbprint) = &self.key {
            return Ok(Some(
                certificate.thumbprint().eq_ignore_ascii_case(thumbprint),
            ));
        }
        if let (true, Some(publisher)) = (self.key.is_a_service(), &self.config.publisher) {
            let names = [certificate.name(), certificate.subject()];
            return Ok(Some(names.contains(publisher)));
        }
        let is_same = |known: Known| match self.key.is_a_service() {
            true => known.publisher == Known::of(certificate).publisher,
            false => known.fingerprint == certificate.fingerprint(),
        };
        Ok(self.known()?.map(is_same))
    }

    /// Why a signature of this key's is to be made anew.
    fn wrong_with_ours(&self, file: &Path) -> Result<Option<String>> {
        let found = found::read(file, &found::trust(&self.config)?)?;
        let Some(first) = found.first() else {
            return Ok(None);
        };
        let problem = first.problems.first().cloned();
        let missing = || {
            self.lacks_timestamp(first)
                .then(|| "it had no timestamp".to_owned())
        };
        Ok(problem.or_else(missing))
    }
}

/// Why somebody else's signature is not left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// By what is read in it: who knows more formats, and more authorities, may see it otherwise.
    ToReading(String),
    /// By whose it is.
    ToSigner(String),
}

/// Why somebody else's signature, which fits the file, is not left alone; none if it is. Where no
/// certificate comes with it that could be wrong, nobody can tell a real authority from another: so
/// `leave` may name whose are, by common name or organization.
pub(super) fn objection(found: &Signed, leave: &[String]) -> Option<Objection> {
    let certificate = found.certificate.as_ref()?;
    let name = certificate.name();
    let problem = found.problems.first();
    let problem = problem.map(|it| format!("that of {name} is not valid: {it}"));
    if certificate.is_self_issued() {
        return Some(Objection::ToSigner(problem.unwrap_or_else(|| {
            format!("that of {name} is not valid: nobody but itself vouches for the certificate")
        })));
    }
    let names = [Some(name.clone()), certificate.organization()];
    let is_named = names.iter().flatten().any(|it| leave.contains(it));
    if !leave.is_empty() && !is_named {
        return Some(Objection::ToSigner(problem.unwrap_or_else(|| {
            format!("`sign.windows.leave-signed-by` does not name {name}")
        })));
    }
    problem.map(Objection::ToReading)
}
