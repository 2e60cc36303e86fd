//! Signing: whose key, with which tool, which files in which order. What a signature is worth is
//! read from the file afterwards, by `xtask-signed`.

pub mod format;
pub mod hands;
pub mod leftovers;
pub mod linux;
pub mod macos;
pub mod notary;
pub mod order;
pub mod plan;
pub mod planned;
pub mod private;
pub mod secrets;
pub mod windows;
