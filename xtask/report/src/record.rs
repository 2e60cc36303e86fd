//! Keeps the last run's events, for `status`.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use xtask_engine::event::{Event, Reporter, Stamped};

/// Writes events to `last-run.jsonl` in the target's state folder, in the place of the last run's,
/// from the moment at which the run really starts: one that finds the target locked must not
/// overwrite what the other one records. The output of commands is left out: it is in the logs.
pub struct Recorder {
    path: PathBuf,
    /// Open once the run started.
    file: Option<fs_err::File>,
}

impl Recorder {
    /// Where a target's last run is kept.
    pub fn file(state: &Path) -> PathBuf {
        state.join("last-run.jsonl")
    }

    /// Will record into this state folder.
    pub fn new(state: &Path) -> Self {
        Self {
            path: Self::file(state),
            file: None,
        }
    }
}

impl Reporter for Recorder {
    fn report(&mut self, stamped: &Stamped) {
        if matches!(stamped.event, Event::CommandOutput { .. }) {
            return;
        }
        if matches!(stamped.event, Event::RunStarted { .. }) {
            self.file = fs_err::File::create(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        if let Ok(mut line) = serde_json::to_string(stamped) {
            line.push('\n');
            // A full disk must not end the run: what counts is in the journal.
            file.write_all(line.as_bytes()).ok();
        }
    }
}
