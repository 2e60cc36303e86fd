//! Small questions, asked where no run is at hand.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Result;

use super::{CommandFailed, Events, Exec, Log, Orphans, Redactor, Run};

/// How long a program may take to say its version.
const ANSWER: Duration = Duration::from_secs(20);

/// What [`quiet`] keeps from its children. Questions are asked where no run is at hand, and git
/// alone may start hooks and filters of the repository's.
static WITHHELD: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Keeps these variables from everything that [`quiet`] asks from now on.
pub fn withhold(names: impl IntoIterator<Item = String>) {
    let mut withheld = WITHHELD.write().unwrap_or_else(PoisonError::into_inner);
    withheld.extend(names);
    withheld.sort_unstable();
    withheld.dedup();
}

/// Asks a program something small, such as its version: without event or log, within 20 s. Gives
/// whether it ended well, and what it printed to stdout, or else the end of what it said at all.
pub fn quiet(command: Command) -> Result<(bool, String)> {
    quiet_within(command, ANSWER)
}

/// [`quiet`] with a limit of its own, for questions about a whole repository.
pub fn quiet_within(command: Command, timeout: Duration) -> Result<(bool, String)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let exec = Exec {
        root: std::env::current_dir()?,
        events: Events::default(),
        redactor: Redactor::default(),
        interrupted: Arc::default(),
        withheld: WITHHELD
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
        // No folder can have this name: what ends by itself in a moment need not be remembered.
        orphans: Orphans::new(PathBuf::from("\0")),
        timeout,
    };
    let log = Log::at(PathBuf::new());
    let finished = Run::new(&exec, "", &log, command)
        .output()
        .map_err(|error| match error.downcast_ref::<CommandFailed>() {
            Some(failed) => anyhow::anyhow!("`{program}` gave no answer: {}", failed.status),
            None => error,
        })?;
    let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
    let text = if stdout.trim().is_empty() {
        finished.tail.join("\n")
    } else {
        stdout
    };
    Ok((finished.status.success(), text))
}
