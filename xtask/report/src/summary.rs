//! What is known about a run so far: the one state behind every closing.

use std::path::PathBuf;

use super::status::Status;
use xtask_engine::event::{Event, Failure, Level, ReleasedFile, Stamped};

/// A step's line in the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) step: String,
    pub(super) status: Status,
    pub(super) why: String,
    pub(super) seconds: Option<f64>,
    pub(super) bytes: Option<u64>,
}

/// The finished release.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) folder: PathBuf,
    pub(super) files: Vec<ReleasedFile>,
    pub(super) identity: String,
}

/// How the run ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) ok: bool,
    pub(super) seconds: f64,
    pub(super) next: Option<String>,
}

/// Everything about a run that outlives its events.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) command: String,
    pub(super) target: String,
    pub(super) logs: PathBuf,
    /// When the first event happened.
    pub(super) began: Option<String>,
    /// In the pipeline's order.
    pub(super) rows: Vec<Row>,
    /// Step (empty for the run), key, value.
    pub(super) facts: Vec<[String; 3]>,
    /// Step (empty for the run) and text.
    pub(super) warnings: Vec<[String; 2]>,
    pub(super) failures: Vec<(String, Failure)>,
    pub(super) release: Option<Release>,
    pub(super) end: Option<End>,
}

impl Summary {
    /// What these events tell.
    pub(super) fn of<'a>(events: impl IntoIterator<Item = &'a Stamped>) -> Self {
        let mut summary = Self::default();
        events.into_iter().for_each(|event| summary.see(event));
        summary
    }

    /// Takes one event in, with its time.
    pub(super) fn see(&mut self, stamped: &Stamped) {
        self.take(&stamped.event);
        self.began.get_or_insert_with(|| stamped.at.clone());
    }

    /// Takes one event in.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                command,
                target,
                steps,
                logs,
                ..
            } => {
                *self = Self {
                    command: command.clone(),
                    target: target.clone(),
                    logs: logs.clone(),
                    rows: steps.iter().map(|step| Row::waiting(step)).collect(),
                    ..Self::default()
                };
            }
            Event::Note {
                step,
                level: Level::Warning,
                text,
            } => {
                self.warnings.push([step.clone(), text.clone()]);
            }
            Event::Fact { step, key, value } => {
                self.facts.push([step.clone(), key.clone(), value.clone()]);
            }
            Event::Released {
                folder,
                files,
                identity,
            } => {
                let (folder, files) = (folder.clone(), files.clone());
                self.release = Some(Release {
                    folder,
                    files,
                    identity: identity.clone(),
                });
            }
            Event::RunFailed { failure } => {
                self.failures.push((String::new(), failure.clone()));
            }
            Event::RunFinished { ok, seconds, next } => {
                self.end = Some(End {
                    ok: *ok,
                    seconds: *seconds,
                    next: next.clone(),
                });
                self.close();
            }
            _ => self.take_step(event),
        }
    }

    /// Takes in an event that moves a step.
    fn take_step(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, why, .. } => self.set(step, Status::Running).why(why),
            Event::StepReused { step, bytes, .. } => {
                self.set(step, Status::Reused).bytes = Some(*bytes);
            }
            Event::StepKept { step, why, bytes } => {
                let row = self.set(step, Status::Kept);
                row.why(why);
                row.bytes = Some(*bytes);
            }
            Event::StepFinished {
                step,
                seconds,
                bytes,
                changed,
                ..
            } => {
                let status = if *changed {
                    Status::Ran
                } else {
                    Status::Unchanged
                };
                let row = self.set(step, status);
                (row.seconds, row.bytes) = (Some(*seconds), Some(*bytes));
            }
            Event::StepPassed {
                step,
                seconds,
                result,
            } => {
                let row = self.set(step, Status::Passed);
                row.why(result);
                row.seconds = Some(*seconds);
            }
            Event::StepFailed {
                step,
                seconds,
                failure,
            } => {
                self.set(step, Status::Failed).seconds = Some(*seconds);
                self.failures.push((step.clone(), failure.clone()));
            }
            Event::StepPlanned { step, why } => self.set(step, Status::Planned).why(why),
            Event::StepPending { step, after } => {
                let why = format!("if the output of {} changes", after.join(" or "));
                self.set(step, Status::Pending).why(&why);
            }
            Event::StepLeftOut { step, why } => self.set(step, Status::LeftOut).why(why),
            _ => {}
        }
    }

    /// How many steps stand so.
    pub(super) fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// Whether every step stands like this.
    pub(super) fn all(&self, status: Status) -> bool {
        self.count(status) == self.rows.len()
    }

    /// What to type next, unless the last failure says it already.
    pub(super) fn next(&self) -> Option<&str> {
        let next = self.end.as_ref()?.next.as_deref()?;
        let said = self
            .failures
            .last()
            .is_some_and(|(_, failure)| failure.resume == next);
        (!said).then_some(next)
    }

    /// The longest step name.
    pub(super) fn name_width(&self) -> usize {
        self.rows
            .iter()
            .map(|row| row.step.len())
            .max()
            .unwrap_or(0)
    }

    /// After the end nothing waits or runs any more.
    fn close(&mut self) {
        for row in &mut self.rows {
            row.status = match row.status {
                Status::Waiting => Status::NotReached,
                Status::Running => Status::Interrupted,
                other => other,
            };
        }
    }

    /// The step's row with this status; a step that was not announced gets a row at the end.
    fn set(&mut self, step: &str, status: Status) -> &mut Row {
        let index = self
            .rows
            .iter()
            .position(|row| row.step == step)
            .unwrap_or_else(|| {
                self.rows.push(Row::waiting(step));
                self.rows.len() - 1
            });
        let row = &mut self.rows[index];
        row.status = status;
        row
    }
}

impl Row {
    fn waiting(step: &str) -> Self {
        let step = step.to_owned();
        Self {
            step,
            status: Status::Waiting,
            why: String::new(),
            seconds: None,
            bytes: None,
        }
    }

    fn why(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }
}

impl Release {
    /// The warning that belongs to an identity which nobody else should trust. The identity says
    /// so itself: `unsigned`, or with one of the words `development`, `ad-hoc`, `self-signed`.
    /// Names of companies are capitalised, so only Apple's own certificate name is taken with a
    /// capital.
    pub(super) fn alarm(&self) -> Option<&'static str> {
        let identity = self.identity.trim();
        let words = || identity.split(|c: char| !c.is_alphanumeric() && c != '-');
        if identity.is_empty() || words().any(|word| word.eq_ignore_ascii_case("unsigned")) {
            return Some("UNSIGNED: not for distribution");
        }
        let local = ["development", "ad-hoc", "adhoc", "self-signed"];
        let named = ["Development", "DEVELOPMENT", "Apple Development"];
        let is_local = words().any(|word| local.contains(&word))
            || named.iter().any(|name| identity.starts_with(name));
        is_local.then_some("DEVELOPMENT-SIGNED: not for distribution")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_development_identity_raises_an_alarm() {
        let alarm = |identity: &str| {
            let (folder, files) = (PathBuf::new(), Vec::new());
            Release {
                folder,
                files,
                identity: identity.to_owned(),
            }
            .alarm()
        };
        for identity in [
            "development (this checkout)",
            "Apple Development: A B",
            "CI, ad-hoc",
        ] {
            assert_eq!(
                alarm(identity),
                Some("DEVELOPMENT-SIGNED: not for distribution")
            );
        }
        for identity in ["", "unsigned", "Unsigned (--no-sign)"] {
            assert_eq!(alarm(identity), Some("UNSIGNED: not for distribution"));
        }
        for identity in ["Developer ID Application: Acme", "CN=Acme Development GmbH"] {
            assert_eq!(alarm(identity), None);
        }
    }
}
