//! What a running command has printed so far.

use std::{
    collections::VecDeque,
    process::ChildStdin,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

/// Lines of output that a failure shows.
const TAIL: usize = 20;
/// Lines of output that are kept for whoever looks for a word in them.
const PRINTED: usize = 5_000;

/// One line as the pump threads hand it over.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) stdout: Vec<u8>,
    pub(super) log_error: Option<anyhow::Error>,
}

/// A stdin that stays open until a line is printed.
pub(super) struct Held {
    pub(super) line: String,
    /// How long the line may take.
    pub(super) within: Duration,
    pub(super) _stdin: ChildStdin,
}

/// What a process printed so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Dropped, and so closed, when the line is printed.
    pub(super) held: Option<Held>,
    pub(super) stdout: Vec<u8>,
    pub(super) printed: VecDeque<String>,
    pub(super) log_error: Option<anyhow::Error>,
}

impl Seen {
    pub(super) fn take(&mut self, piece: Piece) {
        if self
            .held
            .as_ref()
            .is_some_and(|it| !piece.stdout.is_empty() && it.line == piece.text)
        {
            self.held = None;
        }
        self.stdout.extend(piece.stdout);
        self.log_error = self.log_error.take().or(piece.log_error);
        if piece.text.is_empty() {
            return;
        }
        if self.printed.len() == PRINTED {
            self.printed.pop_front();
        }
        self.printed.push_back(piece.text);
    }

    pub(super) fn tail(&self) -> Vec<String> {
        let above = self.printed.len().saturating_sub(TAIL);
        self.printed.iter().skip(above).cloned().collect()
    }

    pub(super) fn drain_for(&mut self, collected: &Receiver<Piece>, at_most: Duration) {
        let until = Instant::now() + at_most;
        while let Ok(piece) = collected.recv_timeout(until.duration_since(Instant::now())) {
            self.take(piece);
        }
    }
}
