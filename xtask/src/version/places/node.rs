//! `package.json`, and the lock files that repeat its version.

use std::path::Path;

use anyhow::Result;

use super::{Form, Look, inside};
use crate::version::leaf::Syntax;

/// The lock files that repeat versions of the packages in the repository. Those of pnpm and yarn do
/// not.
const LOCKS: [&str; 3] = ["npm-shrinkwrap.json", "package-lock.json", "bun.lock"];

pub(super) fn look(look: &mut Look<'_>) -> Result<()> {
    let config = look.config;
    let dir = match &config.frontend {
        Some(frontend) => Some(frontend.dir.clone()),
        // Static, but perhaps a package all the same.
        None => {
            let mut above = look.upward(&config.app.dir);
            above
                .find(|it| it.join("package.json").is_file())
                .map(Path::to_owned)
        }
    };
    match dir {
        Some(dir) => package(look, &dir.join("package.json")),
        None => Ok(()),
    }
}

/// A `package.json` and what repeats it.
pub(super) fn package(look: &mut Look<'_>, file: &Path) -> Result<()> {
    look.read(file, Syntax::Json)?;
    if !look.place(file, &["version"], Form::Semver, None)? {
        look.remark(file, None, "no version");
        return Ok(());
    }
    let Some(dir) = file.parent() else {
        return Ok(());
    };
    for above in look.upward(dir) {
        let lock = LOCKS
            .iter()
            .map(|it| above.join(it))
            .find(|it| it.is_file());
        if let Some(lock) = lock {
            return locked(look, &lock, &inside(dir, above).unwrap_or_default());
        }
    }
    Ok(())
}

/// What a lock file says of the package in this folder, relative to the lock's.
fn locked(look: &mut Look<'_>, lock: &Path, folder: &str) -> Result<()> {
    look.read(lock, Syntax::Json)?;
    if folder.is_empty() {
        look.place(lock, &["version"], Form::Semver, None)?;
    }
    for table in ["packages", "workspaces"] {
        look.place(lock, &[table, folder, "version"], Form::Semver, None)?;
    }
    Ok(())
}
