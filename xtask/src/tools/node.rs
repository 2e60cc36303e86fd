//! npm, pnpm, yarn and bun: install exactly what the lock file says, run a script.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::config::PackageManager;

/// The program, with the suffix that it has on Windows (`npm.cmd`), which a spawn does not add.
fn program(manager: PackageManager) -> PathBuf {
    which::which(manager.command()).unwrap_or_else(|_| manager.command().into())
}

/// Named as the user would type it, so that the printed line can be pasted anywhere.
fn command(manager: PackageManager, dir: &Path, args: &[&str]) -> Command {
    let mut command = match cfg!(windows) {
        true => Command::new(program(manager)),
        false => Command::new(manager.command()),
    };
    command.current_dir(dir).args(args);
    command
}

/// Installs from the lock file in `dir` and fails if it does not fit `package.json`.
pub fn install(manager: PackageManager, dir: &Path) -> Command {
    let berry = dir.join(".yarnrc.yml").is_file();
    let args: &[&str] = match manager {
        PackageManager::Npm => &["ci", "--no-audit", "--no-fund"],
        PackageManager::Pnpm | PackageManager::Bun => &["install", "--frozen-lockfile"],
        PackageManager::Yarn if berry => &["install", "--immutable"],
        PackageManager::Yarn => &["install", "--frozen-lockfile"],
    };
    command(manager, dir, args)
}

/// Runs a script of `package.json` in `dir`.
pub fn run(manager: PackageManager, dir: &Path, script: &str) -> Command {
    command(manager, dir, &["run", script])
}

/// The script that starts Tauri's command line, looked for as node does: upward from `dir`.
/// Node runs it directly, since the package managers' own ways differ.
pub fn tauri_cli(dir: &Path) -> Result<PathBuf> {
    let inside = "node_modules/@tauri-apps/cli/tauri.js";
    let found = dir
        .ancestors()
        .map(|it| it.join(inside))
        .find(|it| it.is_file());
    found.with_context(|| {
        format!(
            "the package @tauri-apps/cli is not installed for {}\n\
             hint: make it a dev dependency there: npm install --save-dev @tauri-apps/cli@2",
            dir.display()
        )
    })
}
