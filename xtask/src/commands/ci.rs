//! `ci`: the workflows in the repository, and the release that comes out of them.

use std::{fmt::Write as _, io::ErrorKind, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::Serialize;
use serde_json::json;

use super::{Ended, World, print, print_json};
use crate::{
    changes::{self, Change},
    ci::{self, Generated, Gh, Matrix, Outcome, Publication, State},
    cli::{Ci, Generate, Publish, TrustArgs},
    engine::{exec::Log, secret::Redactor},
    release::Release,
    sign::{hands::Loose, secrets::Secrets},
    version::tag,
};

/// What makes the files as they should be.
const GENERATE: &str = "cargo xtask ci generate";

pub(super) fn ci(world: &World, options: &Ci) -> Result<ExitCode> {
    match options {
        Ci::Generate(options) => generate(world, options),
        Ci::Matrix => {
            let matrix = Matrix::of(&world.config()?)?;
            print(&format!("{}\n", serde_json::to_string(&matrix)?))
        }
        Ci::Release(options) => publish(world, options),
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Became {
    /// It is as it should be.
    Same,
    /// It was not, and is now.
    Written,
    /// It is not there.
    Missing,
    /// It was generated from something else.
    Outdated,
    /// Somebody wrote or edited it.
    Edited,
}

/// What is done about a file.
#[derive(Serialize)]
struct Done {
    /// The difference to what is generated; empty if it was written.
    diff: String,
    path: &'static str,
    state: Became,
    /// What a person reads.
    #[serde(skip)]
    line: String,
}

impl Became {
    fn ok(self) -> bool {
        matches!(self, Self::Same | Self::Written)
    }
}

impl Done {
    /// About a file that was found so, and written then or not.
    fn new(path: &'static str, found: State, written: bool) -> Self {
        let (state, word, stays, diff) = match found {
            State::Same => (Became::Same, "", "is up to date", String::new()),
            State::Missing => (Became::Missing, "missing", "is missing", String::new()),
            State::Outdated(diff) => {
                let stays = "is not what the configuration says now";
                (Became::Outdated, "outdated", stays, diff)
            }
            State::Edited(diff) => {
                let stays = "was written or edited by hand";
                (Became::Edited, "edited", stays, diff)
            }
        };
        match written && !state.ok() {
            true => Self {
                diff: String::new(),
                path,
                state: Became::Written,
                line: format!("{path} was {word}: written"),
            },
            false => Self {
                diff,
                path,
                state,
                line: format!("{path} {stays}"),
            },
        }
    }
}

fn generate(world: &World, options: &Generate) -> Result<ExitCode> {
    let config = world.config()?;
    let (files, notes) = (ci::files(&config)?, ci::notes(&config)?);
    let states: Vec<State> = files
        .iter()
        .map(|it| it.state(&world.root))
        .collect::<Result<_>>()?;
    // All or none: half of the workflows from one configuration and half from another fit nothing.
    let refused = !options.force && states.iter().any(|it| matches!(it, State::Edited(_)));
    let written = !options.check && !refused;
    if written {
        let others = files.iter().zip(&states);
        let others = others.filter(|it| *it.1 != State::Same);
        let changed = others.map(|it| change(world, it.0));
        changes::write(&changed.collect::<Result<Vec<_>>>()?)?;
    }
    let files = files.iter().zip(states);
    let all: Vec<Done> = files
        .map(|(file, state)| Done::new(file.path, state, written))
        .collect();
    let ok = all.iter().all(|it| it.state.ok());
    let edited = all.iter().any(|it| it.state == Became::Edited);
    let next = (!ok).then(|| match edited {
        true => format!("{GENERATE} --force, to lose what was edited"),
        false => GENERATE.to_owned(),
    });
    match world.is_json() {
        true => print_json(&json!({ "ok": ok, "files": all, "notes": notes, "next": next }))?,
        false => print(&as_text(&all, &notes, next.as_deref()))?,
    };
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn change(world: &World, file: &Generated) -> Result<Change> {
    let path = world.root.join(file.path);
    let before = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        text => Some(text?),
    };
    Ok(Change {
        path,
        file: file.path.to_owned(),
        before,
        after: file.text.clone(),
    })
}

fn as_text(all: &[Done], notes: &[String], next: Option<&str>) -> String {
    let mut text = String::new();
    for it in all {
        writeln!(text, "{}", it.line).ok();
        text += &it.diff;
    }
    let notes = notes.iter();
    text.extend(notes.map(|it| format!("note: {it}\n")));
    next.iter().for_each(|it| text += &format!("next: {it}\n"));
    text
}

fn publish(world: &World, options: &Publish) -> Result<ExitCode> {
    let (started, events) = (Instant::now(), world.events());
    let state = world.root.join("target/dist/publish");
    let outcome = (|| {
        let tag = options.tag.clone().or_else(tag::of_ci);
        let config = world.config()?;
        let known = TrustArgs {
            require_release: true,
            ..TrustArgs::default()
        };
        let trust = super::verify::trust(Some(&config), &known)?;
        let form = config.release.tag.as_deref();
        let publication = Publication::read(&options.release, tag.as_deref(), form, &trust)?;
        which::which("gh").context(
            "GitHub's command line `gh` is missing\n\
             hint: install it: see https://cli.github.com; GitHub's own runners have it",
        )?;
        let withheld = Release::withheld(&world.config()?);
        let loose = Loose {
            exec: world.exec(&state, events.clone(), withheld),
            log: Log::at(state.join("logs/publish.log")),
        };
        let secrets = Secrets::new(Redactor::clone(&loose.exec.redactor)).silent();
        let gh = Gh {
            hands: &loose,
            token: secrets.find(&["GH_TOKEN", "GITHUB_TOKEN"])?,
            wait: options.wait,
        };
        let outcome = publication.publish(&gh, &state.join("back"))?;
        say(world, &publication.tag, &outcome)?;
        Ok(Ended {
            ok: true,
            next: None,
        })
    })();
    world.finish(&events, started, outcome)
}

fn say(world: &World, tag: &str, outcome: &Outcome) -> Result<()> {
    let (url, already) = match outcome {
        Outcome::Published(url) => (url, false),
        Outcome::Already(url) => (url, true),
    };
    let text = match (world.is_json(), already) {
        (true, _) => {
            json!({ "event": "published", "tag": tag, "url": url, "already": already }).to_string()
        }
        (false, false) => format!("{tag} is published: {url}"),
        (false, true) => format!("{tag} was published before, with these very files: {url}"),
    };
    print(&format!("{text}\n")).map(drop)
}
