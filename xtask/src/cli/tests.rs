//! What is written about the commands elsewhere.

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::Cli;

#[test]
fn the_readme_lists_every_command_in_its_own_words() {
    let readme = include_str!("../../../README.md");
    let table = readme.split("\n## Commands\n").nth(1).unwrap();
    let table = table.trim_start().split("\n\n").next().unwrap();
    let listed: BTreeMap<_, _> = table.lines().skip(2).filter_map(row).collect();
    let command = Cli::command();
    let is_own = |it: &&clap::Command| it.get_name() != "help" && !it.is_hide_set();
    let own = command.get_subcommands().filter(is_own);
    let offered: BTreeMap<_, _> = own
        .map(|it| {
            (
                it.get_name().to_owned(),
                it.get_about().unwrap().to_string(),
            )
        })
        .collect();
    agree(&offered, &listed);
}

/// The command, and what it does, of `| `name` | does |`.
fn row(line: &str) -> Option<(String, String)> {
    let (name, does) = line.strip_prefix("| `")?.split_once("` | ")?;
    Some((name.to_owned(), does.strip_suffix(" |")?.to_owned()))
}

fn agree(offered: &BTreeMap<String, String>, listed: &BTreeMap<String, String>) {
    for (name, about) in offered {
        assert_eq!(Some(about), listed.get(name), "`{name}` in README.md");
    }
    let gone: Vec<_> = listed
        .keys()
        .filter(|it| !offered.contains_key(*it))
        .collect();
    assert!(
        gone.is_empty(),
        "README.md lists {gone:?}, which are no commands"
    );
}

#[test]
fn the_readme_wants_the_rust_that_this_program_is_built_with() {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let line = format!("- Rust {wanted} or newer");
    assert!(include_str!("../../../README.md").contains(&line), "{line}");
}
