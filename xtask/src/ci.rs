//! The workflows of GitHub Actions: what runs where, as text that is kept in the repository, and the
//! last step of them, a release that appears once and whole.
//!
//! | module | its one noun |
//! |---|---|
//! | `actions` | the actions of others, each pinned to a commit |
//! | `matrix` | the targets and the machine that makes each |
//! | `toolchains` | the versions of Rust, Node.js and Python, and where they stand |
//! | `notes` | what will not do, or not be repeatable, when the workflows run |
//! | `secrets` | the secrets that a job needs |
//! | `yaml` | a file's text |
//! | `step` | a step, and those that several jobs have |
//! | `release_yml`, `ci_yml` | the two workflows |
//! | `generated` | a generated file, and whether somebody edited it |
//! | `publish` | a release on GitHub, from the first file to the last |
//! | `gh` | GitHub's command line |

mod actions;
mod ci_yml;
mod generated;
mod gh;
mod matrix;
mod notes;
mod publish;
mod release_yml;
mod secrets;
mod step;
mod toolchains;
mod yaml;

use anyhow::Result;

pub use generated::{Generated, State};
pub use gh::Gh;
pub use matrix::{Job, Maker, Matrix};
pub use notes::notes;
pub(crate) use notes::{KEY_HINT, names_key};
pub use publish::{Outcome, Publication};

use crate::config::Config;

/// The workflow that checks each change, relative to the repository.
pub const CI: &str = ".github/workflows/ci.yml";
/// The workflow that makes a release, relative to the repository.
pub const RELEASE: &str = ".github/workflows/release.yml";

/// The names of the secrets that the job of a target needs.
pub(crate) fn secrets(config: &Config, job: &Job) -> Vec<String> {
    secrets::of_job(config, job)
}

/// All generated files of a repository: the same on every machine.
///
/// # Errors
/// Those of [`Matrix::of`]. A file that the workflows would need lies outside of the repository. A `rust-toolchain.toml` beside the
/// Tauri host that names none. Yarn
/// with a Node.js that has no Corepack.
pub fn files(config: &Config) -> Result<Vec<Generated>> {
    let matrix = Matrix::of(config)?;
    let toolchains = toolchains::Toolchains::of(config)?;
    Ok(vec![
        Generated::new(CI, &ci_yml::workflow(config, &matrix, &toolchains)?),
        Generated::new(
            RELEASE,
            &release_yml::workflow(config, &matrix, &toolchains)?,
        ),
    ])
}
