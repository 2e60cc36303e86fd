//! The commands and facts of the steps, for their records.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{CommandRun, Event, Reporter, Stamped, lock};

/// The steps' commands and facts, for their records.
#[derive(Default)]
pub(super) struct Gathered(
    pub(super) BTreeMap<String, (Vec<CommandRun>, BTreeMap<String, String>)>,
);

/// The reporter that gathers them.
pub(super) struct Gather(pub(super) Arc<Mutex<Gathered>>);

impl Reporter for Gather {
    fn report(&mut self, stamped: &Stamped) {
        let mut all = lock(&self.0);
        match stamped.event.clone() {
            Event::CommandFinished {
                step,
                command,
                status,
                seconds,
                ..
            } => {
                all.0.entry(step).or_default().0.push(CommandRun {
                    command,
                    status,
                    seconds,
                });
            }
            Event::Fact { step, key, value } => {
                all.0.entry(step).or_default().1.insert(key, value);
            }
            _ => {}
        }
    }
}
