//! Freezing: a Python program becomes a program that needs no Python.
//!
//! | module | its one noun |
//! |---|---|
//! | [`candidate`] | what one freezer makes in one layout |
//! | [`failure`] | why a freezer could not, and whether another could |
//! | [`trial`] | many launches of a candidate, and what they showed |
//! | [`judge`] | whether one launch was that of a sidecar that works |
//! | [`startup`] | the figures of a trial |
//! | [`comparison`] | every freezer in every layout, and which one to take |
//! | [`choice`] | the candidates in order, until one passes |

pub mod candidate;
pub mod choice;
pub mod comparison;
pub mod failure;
pub mod judge;
pub mod startup;
pub mod trial;
