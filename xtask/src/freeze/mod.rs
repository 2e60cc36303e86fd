//! Freezing: a Python program becomes a program that needs no Python.
//!
//! | module | its one noun |
//! |---|---|
//! | [`candidate`] | what one freezer makes in one layout |
//! | [`class`] | the kind of a failure |
//! | [`failure`] | why a freezer could not, so that another one is tried |
//! | [`sign`] | words in a freezer's output that give away what went wrong |
//! | [`verdict`] | the class of a freezer's failure, or that no other freezer would help |
//! | `cleaner` | lines of output without what differs each time |
//! | [`trial`] | many launches of a candidate |
//! | `place` | where a candidate is tried: a folder like a user's, an empty environment |
//! | [`ending`] | the ways in which a launch is ended |
//! | [`report`] | all launches of a trial, and what they showed |
//! | [`judge`] | whether one launch was that of a sidecar that works |
//! | [`startup`] | the figures of a trial |
//! | [`comparison`] | every freezer in every layout, and which one to take |
//! | [`choice`] | the candidates in order, until one passes |

pub mod candidate;
pub mod choice;
pub mod class;
mod cleaner;
pub mod comparison;
pub mod ending;
pub mod failure;
pub mod judge;
mod place;
pub mod report;
pub mod sign;
pub mod startup;
pub mod trial;
pub mod verdict;
