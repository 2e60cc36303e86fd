//! `init`: shows what makes a release of an existing repository, and writes it if it may.

use std::{
    env,
    io::{self, BufRead, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{World, print, print_json};
use crate::{
    changes,
    cli::Init,
    init::{self, Options, Plan, State},
    report,
};

/// The repository that is meant: the one around this folder; without one the folder itself.
pub(super) fn root(options: &Init) -> Result<PathBuf> {
    if let Some(root) = &options.root {
        ensure!(
            root.is_dir(),
            "{} is no folder\nhint: --root takes the top of the repository",
            root.display()
        );
        return Ok(dunce::canonicalize(root)?);
    }
    let here = env::current_dir()?;
    let top = here.ancestors().find(|it| it.join(".git").exists());
    Ok(top.unwrap_or(&here).to_owned())
}

pub(super) fn init(world: &World, options: &Init) -> Result<ExitCode> {
    let wanted = Options {
        app: options.app.clone(),
        source: options.source.clone(),
    };
    let plan = init::plan(&world.root, &wanted)?;
    let changed = plan.changes();
    if !world.is_json() {
        print(&shown(&plan))?;
    }
    let answer = match changed.is_empty() {
        true => Answer::Nothing,
        false => ask(world, options.yes, changed.len())?,
    };
    if answer == Answer::Yes {
        changes::write(&changed)?;
    }
    let next = next(&plan, answer);
    match world.is_json() {
        true => print_json(&as_json(&plan, answer, &next)),
        false => print(&format!("{}next: {next}\n", answer.words())),
    }
}

/// Whether files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// There is nothing to write.
    Nothing,
    /// Write them.
    Yes,
    /// Somebody does not want it.
    No,
    /// Nobody was there to say so.
    Nobody,
}

impl Answer {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing to write: the repository has it all\n",
            Self::Yes => "written\n",
            Self::No => "nothing was written\n",
            Self::Nobody => "nothing was written: there is no terminal to ask at\n",
        }
    }
}

fn ask(world: &World, yes: bool, count: usize) -> Result<Answer> {
    if yes {
        return Ok(Answer::Yes);
    }
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if world.is_json() || !terminal {
        return Ok(Answer::Nobody);
    }
    let files = if count == 1 { "file" } else { "files" };
    print(&format!("write {count} {files}? [y/N] "))?;
    io::stdout().flush().ok();
    answer(&mut io::stdin().lock())
}

/// What somebody types; nothing is no.
fn answer(input: &mut impl BufRead) -> Result<Answer> {
    let mut line = String::new();
    input
        .read_line(&mut line)
        .context("cannot read the answer")?;
    Ok(match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    })
}

/// What to type next.
fn next(plan: &Plan, answer: Answer) -> String {
    let check = "cargo xtask doctor";
    match (answer, plan.needs_lock) {
        (Answer::No | Answer::Nobody, _) => "the same with --yes writes it".to_owned(),
        (_, true) => format!("cargo update --workspace && {check}"),
        (_, false) => check.to_owned(),
    }
}

/// What a person reads before anything is written.
fn shown(plan: &Plan) -> String {
    let rows = plan.found.iter().map(|it| vec![it.0.clone(), it.1.clone()]);
    let mut text = report::table(&["found", "where"], &rows.collect::<Vec<_>>());
    for (state, change) in &plan.files {
        match state {
            State::Same => {}
            State::New | State::Added => text += &change.diff(),
            State::Kept => {
                text += &format!(
                    "{} is there and is left as it is; it would say:\n{}",
                    change.file,
                    quoted(&change.diff())
                );
            }
        }
    }
    if !plan.left.is_empty() {
        text += "left to do:\n";
        for it in &plan.left {
            let indented = it.replace("\n\n", "\n").replace('\n', "\n  ");
            text += &format!("- {indented}\n");
        }
    }
    text
}

/// A difference that is only to be read. `git apply` would take it as it is, and `patch` even where it is
/// indented.
fn quoted(diff: &str) -> String {
    diff.lines().map(|it| format!("| {it}\n")).collect()
}

fn as_json(plan: &Plan, answer: Answer, next: &str) -> Value {
    let found = plan
        .found
        .iter()
        .map(|(what, place)| json!({ "what": what, "where": place }));
    let files = plan.files.iter().map(|(state, it)| {
        let diff = match state {
            State::Same => String::new(),
            _ => it.diff(),
        };
        json!({ "path": it.file, "state": state.name(), "diff": diff })
    });
    json!({
        "found": found.collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
        "left": plan.left,
        "written": answer == Answer::Yes,
        "next": next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let check = |typed: &str, expected| {
            assert_eq!(
                answer(&mut typed.as_bytes()).unwrap(),
                expected,
                "{typed:?}"
            );
        };
        check("y\n", Answer::Yes);
        check("YES\r\n", Answer::Yes);
        check("\n", Answer::No);
        check("", Answer::No);
        check("yesterday\n", Answer::No);
    }
}
