//! How each submission stands: as it is remembered, and as Apple says now. It changes neither.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use serde::Serialize;

use super::{Asking, print};
use crate::{
    cli::{Notarized, NotaryStatus},
    commands::World,
    report,
    sign::{
        notary::{
            self,
            checkpoint::Checkpoint,
            client::{Answer, Client, Trouble},
        },
        private::Private,
    },
};

/// What it says of a file that it never got.
const NOT_THERE: &str = "not in its list";

/// A submission.
#[derive(Serialize)]
struct Known {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    /// What Apple says; none if it was not asked, or did not answer.
    apple: Option<&'static str>,
}

/// All of them.
#[derive(Serialize)]
struct Found {
    submissions: Vec<Known>,
    /// Why Apple's answer is missing where there could be one.
    trouble: Option<String>,
}

pub(super) fn status(world: &World, options: &NotaryStatus) -> Result<ExitCode> {
    let target = options.of.target.parse()?;
    let state = world.state(&target);
    let all = Checkpoint::all(&state)?.into_iter();
    let mut found = Found {
        submissions: all
            .map(|checkpoint| Known {
                checkpoint,
                apple: None,
            })
            .collect(),
        trouble: None,
    };
    if found.is_open() {
        found.trouble = match options.offline {
            true => Some("Apple was not asked: --offline".to_owned()),
            false => {
                let private = Private::new(&state)?;
                let asking = Asking::new(world, &options.of, &private);
                asking.map_or_else(|error| Some(not_asked(&error)), |it| found.ask(&it))
            }
        };
    }
    print(&match world.is_json() {
        true => format!("{}\n", serde_json::to_string(&found)?),
        false => found.text(&options.of, &state),
    })
}

/// The first line; hints are for who wants to submit.
fn not_asked(error: &anyhow::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    format!("Apple could not be asked: {line}")
}

impl Found {
    fn is_open(&self) -> bool {
        self.submissions
            .iter()
            .any(|it| it.checkpoint.status.is_open())
    }

    /// Asks for all that has no answer yet; says why one is missing. After a failure nobody else is
    /// asked for: each question may take minutes then.
    fn ask(&mut self, asking: &Asking) -> Option<String> {
        let Some(client) = &asking.client else {
            return Some("Apple was not asked: there is no login".to_owned());
        };
        let open = |it: &&mut Known| it.checkpoint.status.is_open();
        for it in self.submissions.iter_mut().filter(open) {
            match it.ask(client, asking) {
                Ok(answer) => it.apple = Some(answer),
                Err(Trouble::Final(error)) => {
                    return Some(format!("{}: {}", it.checkpoint.file, not_asked(&error)));
                }
                Err(Trouble::Denied(error)) => return Some(not_asked(&error)),
                Err(Trouble::Passing(_)) => {
                    let why = "the network or its servers failed";
                    return Some(format!("Apple could not be asked: {why}"));
                }
            }
        }
        None
    }

    fn text(&self, of: &Notarized, state: &Path) -> String {
        if self.submissions.is_empty() {
            return "nothing was submitted to Apple from here\n".to_owned();
        }
        let asked = self.submissions.iter().any(|it| it.apple.is_some());
        let row = |it: &Known| {
            let known = &it.checkpoint;
            let mut row = vec![
                known.file.clone(),
                known.submitted.clone(),
                known.status.to_string(),
            ];
            row.extend(asked.then(|| it.apple.unwrap_or("-").to_owned()));
            row.push(known.id.clone().unwrap_or_else(|| "-".to_owned()));
            row
        };
        let rows: Vec<_> = self.submissions.iter().map(row).collect();
        let mut headings = vec!["file", "submitted", "status", "submission"];
        if asked {
            headings.insert(3, "Apple says");
        }
        let mut text = report::table(&headings, &rows);
        if let Some(trouble) = &self.trouble {
            text += &format!("\n{trouble}; this is what is remembered\n");
        }
        let open = |it: &&Known| it.checkpoint.status.is_open();
        let (lost, waits): (Vec<_>, Vec<_>) = self
            .submissions
            .iter()
            .filter(open)
            .partition(|it| it.apple == Some(NOT_THERE));
        let mut next: Vec<String> = lost
            .iter()
            .map(|it| notary::submit_again(&it.checkpoint, state))
            .collect();
        if !waits.is_empty() {
            next.insert(0, super::command("resume", of, &[], None));
        }
        next.dedup();
        text += if next.is_empty() { "" } else { "\n" };
        text + &next
            .iter()
            .map(|it| format!("next: {it}\n"))
            .collect::<String>()
    }
}

impl Known {
    fn ask(&self, client: &Client, asking: &Asking) -> Result<&'static str, Trouble> {
        let hands = &asking.hands;
        let id = match &self.checkpoint.id {
            Some(id) => Some(id.clone()),
            None => client.find_by_name(hands, &self.checkpoint.file)?,
        };
        Ok(match id {
            None => NOT_THERE,
            Some(id) => match client.ask(hands, &id)? {
                Answer::Waits => "in progress",
                Answer::Accepted => "accepted",
                Answer::Rejected => "rejected",
            },
        })
    }
}
