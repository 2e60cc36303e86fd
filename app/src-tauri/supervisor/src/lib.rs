//! Starts, watches and ends one sidecar process.
//!
//! The sidecar says `READY` on its standard output when it can be asked; from then on
//! both sides exchange one JSON object a line. Nothing here knows of a window, so the
//! tests build in seconds.

#![forbid(unsafe_code)]

mod process;
mod state;
mod supervisor;
mod wire;

pub use state::{Failure, State};
pub use supervisor::{Launch, RequestError, Supervisor};
