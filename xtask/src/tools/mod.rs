//! Typed wrappers of the programs and formats that the steps use, one a file.

pub mod gpg;
pub mod minisign;
