//! Joins the releases that several machines made, one a target, into one: one manifest, one list of
//! checksums, one `latest.json` for the updater.
//!
//! Nothing is believed: every release is verified first, as anybody would, and the result before it is
//! put in its place. What is wrong is told all at once, and nothing is written then.

mod compare;
mod found;
mod write;

use serde::Serialize;

use crate::{
    manifest::{LATEST_NAME, MERGED, Merged, Part, Updater},
    tools::{minisign::PublicKey, updater::Latest},
    verify::Trust,
};

pub use self::{
    compare::plan,
    found::{Found, find},
    write::{Outcome, write},
};

/// What a merged release must be.
pub struct Wanted {
    /// Its targets, by friendly name or triple.
    pub expect: Vec<String>,
    /// Where that is declared, to be named where it is not fulfilled.
    pub declared: &'static str,
    /// The version and the identifier that the repository's configuration gives the product.
    pub product: (String, String),
    /// The commit that is checked out here; none outside of a repository.
    pub commit: Option<String>,
    /// Whether a release of a checkout that differed from its commit will do.
    pub allow_dirty: bool,
    /// Where files can be downloaded, by the pattern of `updater.url`.
    pub url: Option<String>,
    /// Whether there must be a `latest.json`: installed apps look for it, or somebody said where it is.
    pub needs_latest: bool,
    /// The key that installed apps check an update with.
    pub updater_key: Option<PublicKey>,
    /// What is new, for people.
    pub notes: Option<String>,
    /// Whom to believe.
    pub trust: Trust,
}

/// What keeps releases from being merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The target of the release, or its folder; empty if it is of the whole.
    pub release: String,
    /// The file in it; empty if it is of the whole release.
    pub file: String,
    /// What is wrong, in words.
    pub text: String,
}

impl Problem {
    fn new(release: &str, file: &str, text: impl Into<String>) -> Self {
        Self {
            release: release.to_owned(),
            file: file.to_owned(),
            text: text.into(),
        }
    }

    fn of_all(text: impl Into<String>) -> Self {
        Self::new("", "", text)
    }

    /// For a table.
    pub fn cells(&self) -> Vec<String> {
        let cell = |text: &str| match text {
            "" => "-".to_owned(),
            text => text.to_owned(),
        };
        vec![cell(&self.release), cell(&self.file), self.text.clone()]
    }
}

/// The head of a table of problems.
pub const COLUMNS: [&str; 3] = ["release", "file", "problem"];

/// What will be written.
pub struct Plan {
    /// The manifest.
    pub merged: Merged,
    /// The updater's metadata; none if there is none.
    pub latest: Option<Latest>,
}
