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
//! | [`trial`] | many launches of a candidate, and what they showed |
//! | [`judge`] | whether one launch was that of a sidecar that works |
//! | [`startup`] | the figures of a trial |
//! | [`comparison`] | every freezer in every layout, and which one to take |
//! | [`choice`] | the candidates in order, until one passes |

pub mod candidate;
pub mod choice;
pub mod class;
mod cleaner;
pub mod comparison;
pub mod failure;
pub mod judge;
pub mod sign;
pub mod startup;
pub mod trial;
pub mod verdict;
