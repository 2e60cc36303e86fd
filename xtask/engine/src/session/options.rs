//! How a session is opened.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    thread::JoinHandle,
    time::Duration,
};

use super::{Events, Probes, Redactor, Selection, StatCache, exec};

/// How a session is opened.
pub struct Options {
    /// The repository's top folder, absolute.
    pub root: PathBuf,
    /// `target/dist/<target>`, absolute.
    pub state: PathBuf,
    /// The version of the program that runs the steps: what another one made is made again.
    pub program: String,
    /// Whose journal this is.
    pub target: String,
    /// All steps of the pipeline in order, by full name.
    pub steps: Vec<String>,
    /// What to type to resume.
    pub command: String,
    /// Receives the facts.
    pub events: Events,
    /// What the command line selected.
    pub selection: Selection,
    /// Decide only; nothing is written.
    pub plan: bool,
    /// How many processes may work at once; 1 is strictly in order.
    pub jobs: usize,
    /// The hashes of files that earlier runs knew.
    pub hashes: Hashes,
    /// The longest that one command may take.
    pub timeout: Duration,
    /// Names of variables that no child inherits.
    pub withheld: Vec<String>,
    /// Knows the versions of programs.
    pub probes: Probes,
    /// Masks secrets.
    pub redactor: Redactor,
    /// Set by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
    /// Called at each point of a commit; tests end the process there.
    pub at_commit: Option<fn(&str)>,
}

impl Options {
    /// One command after the other, each for ten minutes at most, of no steps, told to nobody; probes lie in the folder
    /// of state. What is to be otherwise is set in it.
    pub fn new(root: &Path, state: &Path, target: &str) -> Self {
        Self {
            root: root.to_owned(),
            state: state.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            target: target.to_owned(),
            steps: Vec::new(),
            command: String::new(),
            events: Events::default(),
            selection: Selection::default(),
            plan: false,
            jobs: 1,
            hashes: Hashes::read(state, false),
            timeout: Duration::from_secs(600),
            withheld: Vec::new(),
            probes: Probes::open(state.join("probes")),
            redactor: Redactor::default(),
            interrupted: Arc::default(),
            at_commit: None,
        }
    }
}

/// The hashes of files that earlier runs knew, read by a thread of their own: a run needs them
/// late, so that whoever starts reading early waits for nothing. Reading them needs no lock, since
/// none is taken at its word: each stands for a file only as long as its stat is the same.
pub struct Hashes(JoinHandle<StatCache>);

impl Hashes {
    /// Starts reading those of a state folder; with `rehash` every file is read anew.
    pub fn read(state: &Path, rehash: bool) -> Self {
        let file = state.join("stat.v3");
        Self(std::thread::spawn(move || {
            StatCache::open(file, rehash, exec::quiet)
        }))
    }

    pub(super) fn wait(self) -> StatCache {
        self.0.join().expect("reading a cache does not panic")
    }
}
