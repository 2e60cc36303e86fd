//! Signing: whose key, with which tool, which files in which order. What a signature is worth is
//! read from the file afterwards, by `xtask-signed`.

pub mod hands;
pub mod macos;
pub mod notary;
pub mod private;
pub mod secrets;
