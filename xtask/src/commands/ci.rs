//! `ci`: the workflows in the repository, and the release that comes out of them.

use std::{fmt::Write as _, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde_json::json;

use super::{Ended, World, print};
use crate::{
    ci::{self, Generated, Gh, Matrix, Outcome, Publication, State},
    cli::{Ci, Generate, Publish},
    engine::{exec::Log, files, secret::Redactor},
    release::Release,
    sign::{hands::Loose, secrets::Secrets},
};

/// What makes the files as they should be.
const GENERATE: &str = "cargo xtask ci generate";

pub(super) fn ci(world: &World, options: &Ci) -> Result<ExitCode> {
    match options {
        Ci::Generate(options) => generate(world, options),
        Ci::Matrix => {
            let matrix = Matrix::of(&world.config()?.ci)?;
            print(&format!("{}\n", serde_json::to_string(&matrix)?))
        }
        Ci::Publish(options) => publish(world, options),
    }
}

/// What is done about a file.
struct Done {
    path: &'static str,
    /// One word for a program.
    state: &'static str,
    /// A line for a person.
    line: String,
    diff: String,
    /// Whether all is as it should be.
    ok: bool,
}

fn generate(world: &World, options: &Generate) -> Result<ExitCode> {
    let files = ci::files(&world.config()?)?;
    let states: Vec<State> = files
        .iter()
        .map(|it| it.state(&world.root))
        .collect::<Result<_>>()?;
    // All or none: half of the workflows from one configuration and half from another fit nothing.
    let refused = !options.force && states.iter().any(|it| matches!(it, State::Edited(_)));
    let mut all = Vec::new();
    for (file, state) in files.iter().zip(states) {
        let may_write = !options.check && !refused;
        all.push(settle(world, file, state, may_write)?);
    }
    let ok = all.iter().all(|it| it.ok);
    let edited = all.iter().any(|it| it.state == "edited");
    let next = (!ok).then(|| match edited {
        true => format!("{GENERATE} --force, to lose what was edited"),
        false => GENERATE.to_owned(),
    });
    match world.is_json() {
        true => print(&as_json(&all, ok, next.as_deref()))?,
        false => print(&as_text(&all, next.as_deref()))?,
    };
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Writes the file, if it differs and may be written.
fn settle(world: &World, file: &Generated, state: State, may_write: bool) -> Result<Done> {
    let path = file.path;
    let (state, diff) = match state {
        State::Same => ("same", String::new()),
        State::Missing => ("missing", String::new()),
        State::Outdated(diff) => ("outdated", diff),
        State::Edited(diff) => ("edited", diff),
    };
    if state == "same" {
        let line = format!("{path} is up to date");
        return Ok(Done {
            path,
            state,
            line,
            diff,
            ok: true,
        });
    }
    if may_write {
        let place = world.root.join(path);
        fs::create_dir_all(place.parent().context("a workflow lies in a folder")?)?;
        files::write_atomically(&place, file.text.as_bytes())?;
        let line = format!("{path} was {state}: written");
        return Ok(Done {
            path,
            state: "written",
            line,
            diff: String::new(),
            ok: true,
        });
    }
    let line = match state {
        "missing" => format!("{path} is missing"),
        "outdated" => format!("{path} is not what the configuration says now"),
        _ => format!("{path} was written or edited by hand"),
    };
    Ok(Done {
        path,
        state,
        line,
        diff,
        ok: false,
    })
}

fn as_text(all: &[Done], next: Option<&str>) -> String {
    let mut text = String::new();
    for it in all {
        writeln!(text, "{}", it.line).ok();
        text += &it.diff;
    }
    next.iter().for_each(|it| text += &format!("next: {it}\n"));
    text
}

fn as_json(all: &[Done], ok: bool, next: Option<&str>) -> String {
    let files = all.iter();
    let files: Vec<_> = files
        .map(|it| json!({ "path": it.path, "state": it.state, "diff": it.diff }))
        .collect();
    format!("{}\n", json!({ "ok": ok, "files": files, "next": next }))
}

fn publish(world: &World, options: &Publish) -> Result<ExitCode> {
    let (started, events) = (Instant::now(), world.events());
    let state = world.root.join("target/dist/publish");
    let outcome = (|| {
        let tag = options.tag.clone().or_else(of_this_run);
        let publication = Publication::read(&options.release, tag.as_deref())?;
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

/// The tag that this workflow runs for.
fn of_this_run() -> Option<String> {
    let variable = |name| std::env::var(name).ok();
    variable("GITHUB_REF_TYPE").filter(|it| it == "tag")?;
    variable("GITHUB_REF_NAME")
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
