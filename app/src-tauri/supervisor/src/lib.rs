//! Starts, watches and ends one sidecar process.
//!
//! The sidecar says `READY` on its standard output when it can be asked; from then on
//! both sides exchange one JSON object a line. Nothing here knows of a window, so the
//! tests build in seconds.

#![forbid(unsafe_code)]

mod place;
mod process;
mod state;
mod supervisor;
mod wire;

pub use place::locate;
pub use state::{Failure, State};
pub use supervisor::{Launch, RequestError, Supervisor};
