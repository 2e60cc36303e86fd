//! Turns a checkout of a Tauri app with Python sidecars into signed, checksummed installers, and
//! picks up where it stopped.
//!
//! The dependencies run one way: [`pipeline`] calls [`steps`], which call [`tools`], which run
//! commands through [`engine`]; [`report`] only reads [`engine::event`].

pub mod binary;
pub mod carry;
pub mod changes;
pub mod ci;
pub mod cli;
pub mod commands;
pub mod freeze;
pub mod init;
pub mod manifest;
pub mod merge;
pub mod pipeline;
pub mod preflight;
pub mod release;
pub mod sign;
pub mod steps;
pub mod target;
pub mod tools;
pub mod verify;
pub mod version;

/// The version of this program and, as semantic versioning's build metadata, the hash of its sources:
/// `0.1.0+0123456789abcdef`. Two commits have the same number, and need not do the same.
pub const VERSION: &str = env!("XTASK_VERSION");

pub use {xtask_config as config, xtask_engine as engine, xtask_report as report};
