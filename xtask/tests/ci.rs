//! `cargo xtask ci`, as a person or a workflow calls it.

#[path = "ci/generate.rs"]
mod generate;
#[cfg(target_os = "linux")]
#[path = "ci/lint.rs"]
mod lint;
#[cfg(target_os = "linux")]
#[path = "ci/publish.rs"]
mod publish;
#[path = "ci/world.rs"]
mod world;
