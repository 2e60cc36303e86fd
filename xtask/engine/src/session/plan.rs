//! What a plan says of a step instead of running it.

use anyhow::Result;

use super::{Change, Done, Event, Outcome, Record, Session, Stopped, lock};

impl Session {
    pub(super) fn planned<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        record: Option<Record>,
        why: String,
    ) -> Result<Done<T>> {
        let step = name.to_owned();
        self.events.emit(Event::StepPlanned { step, why });
        self.assume(name, record, Outcome::Planned)
    }

    pub(super) fn pending<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        record: Option<Record>,
        after: Vec<String>,
    ) -> Result<Done<T>> {
        self.events.emit(Event::StepPending {
            step: name.to_owned(),
            after,
        });
        self.assume(name, record, Outcome::Pending)
    }

    /// In a plan the old output stands for the one to come, so that the plan can go on.
    fn assume<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        record: Option<Record>,
        outcome: Outcome,
    ) -> Result<Done<T>> {
        lock(&self.outcomes).insert(name.to_owned(), outcome);
        self.done(record.ok_or(Stopped)?)
    }

    /// The planned steps whose outputs stand among these parameters.
    pub(super) fn waits_for(&self, parameters: &serde_json::Value) -> Vec<String> {
        let mut upstream = Vec::new();
        collect_upstream(parameters, &mut upstream);
        let outcomes = lock(&self.outcomes);
        upstream.retain(|it| matches!(outcomes.get(it), Some(Outcome::Planned | Outcome::Pending)));
        upstream
    }

    /// In a plan: every difference of a step that would run from its record, for `--explain`.
    pub fn explained(&self, step: &str) -> Vec<Change> {
        lock(&self.changes).get(step).cloned().unwrap_or_default()
    }
}

fn collect_upstream(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            if let Some(step) = map.get("step-output").and_then(|it| it.as_str()) {
                found.push(step.to_owned());
            }
            map.values().for_each(|it| collect_upstream(it, found));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|it| collect_upstream(it, found)),
        _ => {}
    }
}
