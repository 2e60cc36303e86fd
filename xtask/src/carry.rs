//! Carries the finished steps of a target from one machine to another, in one file, so that a job that
//! is run again elsewhere goes on where the first one stopped.
//!
//! The file is a `.tar.gz`. Its first entry is the index: the records of the steps as the journal has
//! them, and with them the path, size and hash of every file. What follows are the files' bytes, in the
//! order of the index, each under its number: no path, no link and no size is ever taken from the
//! archive itself, so that it cannot say anything that the index does not.
//!
//! What is in it is as good as a record of this machine and no better: a step is reused only if its
//! fingerprint is the same here. What is not in it: keys, passwords, logs, caches, and what is known of
//! files by their times.

mod export;
mod import;
mod index;

pub use self::{
    export::{Exported, LeftOut, export},
    import::{Imported, Taken, Verdict, import},
};

/// Whose steps they are.
pub struct Owner {
    /// The Rust target triple.
    pub target: String,
    /// The app's reverse domain name.
    pub identifier: String,
    /// The version of the product; only said.
    pub version: String,
    /// The commit that is checked out; none outside of a repository.
    pub commit: Option<String>,
}
