//! `cargo xtask ci`, as a person or a workflow calls it.

#[cfg(target_os = "linux")]
#[path = "verify/fake.rs"]
#[allow(dead_code, reason = "only what it makes packages with")]
mod fake;
#[path = "ci/generate.rs"]
mod generate;
#[cfg(target_os = "linux")]
#[path = "ci/lint.rs"]
mod lint;
#[cfg(target_os = "linux")]
#[path = "merge/made.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod made;
#[cfg(target_os = "linux")]
#[path = "ci/play.rs"]
mod play;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;
#[cfg(target_os = "linux")]
#[path = "ci/publish.rs"]
mod publish;
#[path = "ci/toolchains.rs"]
mod toolchains;
#[path = "ci/world.rs"]
mod world;
