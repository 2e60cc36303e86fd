//! What makes `cargo xtask` a command of the repository: the alias, a package of the workspace, and a
//! program of a few lines. Files that are there are added to, byte for byte as they are otherwise, and
//! only if they then say what they said and nothing but that more.

use anyhow::{Context as _, Result, bail, ensure};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    package::Package,
    source::Source,
    tree::{self, Tree},
};

#[cfg(test)]
mod tests;

/// What another repository's workspace needs so that xtask is quick: the tables of this one's manifest, kept
/// where `cargo vendor` and `cargo package` take them along.
const PROFILE: &str = include_str!("profile.toml");

/// The files of the recipe.
#[derive(Default)]
pub(super) struct Recipe {
    /// Each with its whole text, be it new or not.
    pub files: Vec<(String, String)>,
    /// What somebody has to do himself.
    pub notes: Vec<String>,
}

/// The recipe for a repository.
pub(super) fn recipe(
    tree: &Tree,
    packages: &[Package],
    program: &Program,
    source: &Source,
) -> Recipe {
    let mut recipe = Recipe::default();
    let config = match tree.has(".cargo/config") && !tree.has(".cargo/config.toml") {
        true => ".cargo/config",
        false => ".cargo/config.toml",
    };
    let dir = &program.dir;
    let before = tree.text(config);
    recipe.take(config, alias(before.as_deref(), &program.package));
    recipe.take("Cargo.toml", workspace(tree, packages, dir, source));
    recipe.take(&format!("{dir}/Cargo.toml"), Ok(manifest(program, source)));
    recipe.take(&format!("{dir}/src/main.rs"), Ok(MAIN.to_owned()));
    recipe
}

impl Recipe {
    fn take(&mut self, file: &str, outcome: Result<String>) {
        match outcome {
            Ok(text) => self.files.push((file.to_owned(), text)),
            Err(error) => self
                .notes
                .push(format!("{file} is left as it is: {error:#}")),
        }
    }
}

const MAIN: &str = r#"//! `cargo xtask`: see packaging/dist.toml.

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    xtask::commands::run(xtask::cli::Cli::parse()).unwrap_or_else(|error| {
        anstream::eprint!("{}", xtask::report::error(&error));
        std::process::ExitCode::FAILURE
    })
}
"#;

/// The program: a folder and a package of the same name, unless somebody named them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its folder, from the top.
    pub dir: String,
    /// The package in it.
    pub package: String,
    /// Whether it is there already.
    pub exists: bool,
}

impl Program {
    /// The one that is there; else the usual one, unless something else has its folder or its name.
    ///
    /// # Errors
    /// There is no name left.
    pub(super) fn of(tree: &Tree, packages: &[Package]) -> Result<Self> {
        let names = ["tasks", "release-tasks", "xtask-tasks"];
        let own = names.iter().find_map(|dir| {
            let package = packages.iter().find(|it| it.dir == *dir)?;
            package.uses_xtask.then(|| Self {
                dir: package.dir.clone(),
                package: package.name.clone(),
                exists: true,
            })
        });
        let is_free =
            |name: &&str| !tree.exists(name) && packages.iter().all(|it| it.name != *name);
        let new = || {
            names.into_iter().find(is_free).map(|name| Self {
                dir: name.to_owned(),
                package: name.to_owned(),
                exists: false,
            })
        };
        own.or_else(new).with_context(|| {
            format!(
                "all names for the program are taken, by folders or packages: {}\nhint: rename one",
                names.join(", ")
            )
        })
    }
}

fn manifest(program: &Program, source: &Source) -> String {
    let dependency = source.dependency(&program.dir);
    let package = &program.package;
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nanstream = \"1\"\nclap = {{ version = \"4\", default-features = false }}\nxtask = {dependency}\n"
    )
}

/// What the alias stands for.
fn command(package: &str) -> String {
    format!("run --quiet --locked --package {package} --bin {package} --")
}

/// `.cargo/config.toml` with the alias.
fn alias(before: Option<&str>, package: &str) -> Result<String> {
    let command = command(package);
    let line = format!("xtask = {}", Value::from(command.as_str()));
    let Some(before) = before else {
        return Ok(format!("[alias]\n{line}\n"));
    };
    let table: Table = toml::from_str(before).context("it is not TOML")?;
    let own = table.get("alias").and_then(|it| it.get("xtask"));
    match own {
        Some(Value::String(it)) if is_own(it, package) => return Ok(before.to_owned()),
        Some(other) => bail!(
            "it has another alias `xtask`: {other}. Rename that, or call `cargo run --package {package} --` instead of \
             `cargo xtask`"
        ),
        None => {}
    }
    let after = match (table.get("alias"), header(before, "alias")) {
        (None, _) => appended(before, &format!("[alias]\n{line}\n")),
        (Some(_), Some(at)) => inserted(before, at, &line),
        (Some(_), None) => bail!("write this beside its other aliases: {line}"),
    };
    let mut expected = table;
    let aliases = expected
        .entry("alias")
        .or_insert_with(|| Table::new().into());
    let aliases = aliases.as_table_mut().context("`alias` is no table")?;
    aliases.insert("xtask".to_owned(), command.into());
    checked(after, &expected)
}

/// Whether an alias runs xtask itself, in whatever package it is.
fn is_own(command: &str, own: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let package = words
        .iter()
        .position(|it| matches!(*it, "--package" | "-p"));
    let name = package.and_then(|it| words.get(it + 1));
    words.first() == Some(&"run") && name.is_some_and(|it| [own, "xtask"].contains(it))
}

/// `Cargo.toml` at the top with the package among its members.
fn workspace(tree: &Tree, packages: &[Package], dir: &str, source: &Source) -> Result<String> {
    let Some(before) = tree.text("Cargo.toml") else {
        return Ok(new_workspace(packages, dir, source));
    };
    let table: Table = toml::from_str(&before).context("it is not TOML")?;
    let mut expected = table.clone();
    let mut after = before.clone();
    let workspace = expected
        .entry("workspace")
        .or_insert_with(|| Table::new().into());
    let workspace = workspace
        .as_table_mut()
        .context("`workspace` is no table")?;
    if table.get("workspace").is_none() {
        let others = apart(packages, dir, source);
        after = appended(
            &before,
            &format!("[workspace]\nmembers = [\"{dir}\"]\n{}", exclude(&others)),
        );
        workspace.insert("members".to_owned(), vec![dir.to_owned()].into());
        if !others.is_empty() {
            workspace.insert("exclude".to_owned(), others.into());
        }
        return checked(after, &expected);
    }
    after = member(after, workspace, "members", dir)?;
    if let Some(inner) = source.inner() {
        after = member(after, workspace, "exclude", inner)?;
    }
    checked(after, &expected)
}

/// Adds an item to an array of `[workspace]`, unless it is there.
fn member(text: String, workspace: &mut Table, key: &str, item: &str) -> Result<String> {
    let list = workspace
        .entry(key)
        .or_insert_with(|| Value::Array(Vec::new()));
    let list = list
        .as_array_mut()
        .with_context(|| format!("`{key}` is no array"))?;
    if list.iter().any(|it| it.as_str() == Some(item)) {
        return Ok(text);
    }
    list.push(item.into());
    let quoted = Value::from(item).to_string();
    let tree = DeTable::parse(&text)?;
    let array = tree
        .get_ref()
        .get("workspace")
        .and_then(|it| match it.get_ref() {
            DeValue::Table(table) => table.get(key),
            _ => None,
        });
    match array {
        Some(array) => Ok(pushed(&text, array, &quoted)),
        None => {
            let at = header(&text, "workspace").with_context(|| {
                format!("write `{key} = [{quoted}]` beside the rest of `workspace`")
            })?;
            Ok(inserted(&text, at, &format!("{key} = [{quoted}]")))
        }
    }
}

/// The array with another item at its end, in the manner of those before it.
fn pushed(text: &str, array: &Spanned<DeValue<'_>>, quoted: &str) -> String {
    let span = array.span();
    let last = match array.get_ref() {
        DeValue::Array(items) => items.iter().last().map(Spanned::span),
        _ => None,
    };
    let mut after = text.to_owned();
    let Some(last) = last else {
        after.replace_range(span, &format!("[{quoted}]"));
        return after;
    };
    if !text[span.clone()].contains('\n') {
        after.insert_str(last.end, &format!(", {quoted}"));
        return after;
    }
    let line = text[..last.start].rfind('\n').map_or(0, |it| it + 1);
    let indent: String = text[line..]
        .chars()
        .take_while(|it| " \t".contains(*it))
        .collect();
    // A remark behind the last item stays with it.
    let rest = &text[last.end..span.end];
    let comma = rest.trim_start().starts_with(',');
    let end = rest.find(['\r', '\n']);
    let end = end.map_or(last.end, |it| last.end + it);
    after.insert_str(end, &format!("{}{indent}{quoted},", newline(text)));
    if !comma {
        after.insert(last.end, ',');
    }
    after
}

/// A manifest for a repository that has none at its top.
fn new_workspace(packages: &[Package], dir: &str, source: &Source) -> String {
    let others = apart(packages, dir, source);
    format!(
        "# `cargo xtask` alone. The Tauri app has a lock of its own: its hundreds of crates would double the\n\
         # start of every `cargo xtask`.\n[workspace]\nmembers = [\"{dir}\"]\n{}resolver = \"3\"\n\n{PROFILE}",
        exclude(&others),
    )
}

fn exclude(others: &[String]) -> String {
    match others.is_empty() {
        true => String::new(),
        false => format!("exclude = {}\n", Value::from(others.to_vec())),
    }
}

/// The folders of packages that were in no workspace at the top, and shall not come into one.
fn apart(packages: &[Package], dir: &str, source: &Source) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let folders = packages.iter().map(|it| it.apart());
    for folder in folders.chain(source.inner()) {
        if !folder.is_empty() && !tree::within(folder, dir) {
            all.push(folder.to_owned());
        }
    }
    all.sort();
    all.dedup();
    let is_covered = |it: &String| {
        all.iter()
            .any(|other| other != it && tree::within(it, other))
    };
    all.iter().filter(|it| !is_covered(it)).cloned().collect()
}

/// How the lines of a text end.
pub(super) fn newline(text: &str) -> &'static str {
    match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    }
}

/// Where the line behind `[name]` begins.
fn header(text: &str, name: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let head = line.split('#').next().unwrap_or_default().trim();
        let inner = head.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if inner.map(str::trim) == Some(name) {
            return Some(at);
        }
    }
    None
}

fn inserted(text: &str, at: usize, line: &str) -> String {
    let newline = newline(text);
    let mut after = text.to_owned();
    let before = if text[..at].ends_with('\n') {
        ""
    } else {
        newline
    };
    after.insert_str(at, &format!("{before}{line}{newline}"));
    after
}

fn appended(text: &str, more: &str) -> String {
    let newline = newline(text);
    let mut after = text.trim_end().to_owned();
    if !after.is_empty() {
        after += newline;
        after += newline;
    }
    after + &more.replace('\n', newline)
}

/// The text, if it says just this.
fn checked(text: String, expected: &Table) -> Result<String> {
    let said: Table = toml::from_str(&text).context("it would not be TOML any more")?;
    ensure!(
        said == *expected,
        "what would be written says something else besides"
    );
    Ok(text)
}
