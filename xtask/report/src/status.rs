//! Where a step stands, in the words that are shown.

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Its turn has not come.
    Waiting,
    /// It is at work.
    Running,
    /// It did its work.
    Ran,
    /// It was a test, and it passed.
    Passed,
    /// It did its work, and the output is the one that was recorded.
    Unchanged,
    /// Its record is still true.
    Reused,
    /// Taken as recorded because the command line said so.
    Kept,
    /// It failed.
    Failed,
    /// The command line left it out.
    LeftOut,
    /// The run ended while it was at work.
    Interrupted,
    /// The run ended before its turn came.
    NotReached,
    /// In a plan: it would run.
    Planned,
    /// In a plan: it runs if what it follows changes.
    Pending,
}

impl Status {
    /// In the order in which a count names them.
    pub(super) const ALL: [Self; 13] = [
        Self::Failed,
        Self::Interrupted,
        Self::Running,
        Self::Ran,
        Self::Passed,
        Self::Unchanged,
        Self::Planned,
        Self::Pending,
        Self::Reused,
        Self::Kept,
        Self::LeftOut,
        Self::Waiting,
        Self::NotReached,
    ];

    /// The status in words, so that colour is never the only sign.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ran => "ran",
            Self::Passed => "passed",
            Self::Unchanged => "ran, unchanged",
            Self::Reused => "reused",
            Self::Kept => "kept",
            Self::Failed => "failed",
            Self::LeftOut => "left out",
            Self::Interrupted => "interrupted",
            Self::NotReached => "not reached",
            Self::Planned => "would run",
            Self::Pending => "may run",
        }
    }
}
