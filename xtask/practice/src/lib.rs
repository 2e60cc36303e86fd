//! What signing needs and what costs money, waiting time or another operating system, made on the
//! fly for tests: certificates, a timestamp server, Apple's notary, and programs that stand in for
//! those that only Windows and macOS have. Nothing of it is part of a normal build, and everything
//! listens on loopback only. README.md says what stands in for what, and where it differs.
//!
//! | module | its one noun |
//! |---|---|
//! | `pki` | certificates with their keys, good ones and bad ones |
//! | `server` | a local server, started and ended |
//! | `timestamps` | an RFC 3161 server that may fail, hang or lie |
//! | `notary` | Apple's notary and its ticket desk |
//! | `specimens` | files to sign, small ones, of every format |
//! | `stand_ins` | signtool, codesign, xcrun, security |
//! | `tools` | the programs that do the real work |

pub mod notary;
pub mod pki;
mod server;
pub mod specimens;
pub mod stand_ins;
pub mod timestamps;
pub mod tools;

pub use notary::Notary;
pub use pki::{Identity, Pki};
pub use stand_ins::StandIns;
pub use timestamps::Timestamps;
