//! What runs, resumes and records steps. It knows no step and no tool by name.
//!
//! | module | its one noun |
//! |---|---|
//! | [`event`] | a fact about the run, for reporters |
//! | [`exec`] | the one place that spawns a process |
//! | [`launch`] | a program that is started, watched and ended on purpose |
//! | [`processes`] | a process and all that it started |
//! | [`orphans`] | process groups that outlived a killed run |
//! | [`tether`] | what ties programs to the life of this process |
//! | [`probe`] | a program's version, asked only when it may have changed |
//! | [`paste`] | a command as a line for a shell |
//! | [`secret`] | a value that must never be seen |
//! | [`fingerprint`] | everything that decides a step's output |
//! | [`files`] | the walk over sources and the stat cache |
//! | [`artifact`] | a file that a step leaves behind |
//! | [`journal`] | the durable record of finished steps |
//! | [`staging`] | the folder that a running step writes into |
//! | [`lock`] | who may write to a target's state |
//! | [`select`] | which steps the command line asked for |
//! | [`step`] | the step trait and its context |
//! | [`session`] | one run over all of them |
//! | [`jobs`] | how many processes may work at once |

pub mod artifact;
pub mod event;
pub mod exec;
pub mod fingerprint;
pub mod jobs;
pub mod journal;
pub mod launch;
pub mod lock;
pub mod orphans;
pub mod paste;
pub mod probe;
pub mod processes;
pub mod secret;
pub mod select;
pub mod session;
pub mod staging;
pub mod step;
pub mod tether;

pub use xtask_walk as files;
