//! What makes `cargo xtask` a command of the repository: the alias, a package of the workspace, and a
//! program of a few lines. Files that are there are added to, byte for byte as they are otherwise, and
//! only if they then say what they said and nothing but that more.

use anyhow::{Context as _, Result, bail, ensure};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::tree::{self, Tree};

#[cfg(test)]
mod tests;

/// The package: the library has the name xtask.
const PACKAGE: &str = "tasks";

/// What another repository's workspace needs so that xtask is quick: the tables of this one's manifest.
const OWN_MANIFEST: &str = include_str!("../../../Cargo.toml");

/// The files of the recipe.
#[derive(Default)]
pub(super) struct Recipe {
    /// Each with its whole text, be it new or not.
    pub files: Vec<(String, String)>,
    /// What somebody has to do himself.
    pub notes: Vec<String>,
}

/// The recipe for a repository.
///
/// # Errors
/// There is no folder left for the program.
pub(super) fn recipe(tree: &Tree, source: &Source) -> Result<Recipe> {
    let mut recipe = Recipe::default();
    let dir = folder(tree)?;
    let config = match tree.has(".cargo/config") && !tree.has(".cargo/config.toml") {
        true => ".cargo/config",
        false => ".cargo/config.toml",
    };
    recipe.take(config, alias(tree.text(config).as_deref()));
    recipe.take("Cargo.toml", workspace(tree, &dir, source));
    recipe.take(&format!("{dir}/Cargo.toml"), Ok(manifest(&dir, source)));
    recipe.take(&format!("{dir}/src/main.rs"), Ok(MAIN.to_owned()));
    Ok(recipe)
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

/// Where the library comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder, from the top, or an absolute one.
    Path(String),
    /// An address, and a revision.
    Git(String, Option<String>),
}

impl Source {
    /// A path, or the address of a git repository with an optional `#revision`.
    ///
    /// # Errors
    /// At the path there is no package of that name.
    pub(super) fn parse(tree: &Tree, text: &str) -> Result<Self> {
        if text.contains("://") || text.starts_with("git@") {
            let (url, rev) = match text.split_once('#') {
                Some((url, rev)) => (url, Some(rev.to_owned())),
                None => (text, None),
            };
            return Ok(Self::Git(url.to_owned(), rev));
        }
        let dir = std::path::absolute(tree.root.join(text))?;
        let manifest = dir.join("Cargo.toml");
        let is_library = fs_err::read_to_string(&manifest).is_ok_and(|it| {
            toml::from_str::<Table>(&it)
                .is_ok_and(|it| it["package"]["name"].as_str() == Some("xtask"))
        });
        ensure!(
            is_library,
            "{} is no package with the name xtask\n\
             hint: --source takes the folder `xtask` of its repository, or the address of that repository",
            dir.display()
        );
        let root = std::path::absolute(&tree.root)?;
        Ok(Self::Path(relative(&root, &dir)))
    }

    fn dependency(&self, dir: &str) -> String {
        let quoted = |it: &str| Value::from(it).to_string();
        match self {
            Self::Path(path) if std::path::Path::new(path).is_absolute() => {
                format!("{{ path = {} }}", quoted(path))
            }
            Self::Path(path) => format!("{{ path = {} }}", quoted(&format!("{}{path}", up(dir)))),
            Self::Git(url, Some(rev)) => {
                format!("{{ git = {}, rev = {} }}", quoted(url), quoted(rev))
            }
            Self::Git(url, None) => format!("{{ git = {} }}", quoted(url)),
        }
    }

    /// The repository of the library, where it lies in this one: it has a workspace of its own.
    fn inner(&self) -> Option<&str> {
        match self {
            Self::Path(path) if !path.starts_with("..") && !path.starts_with('/') => {
                Some(tree::parent(path)).filter(|it| !it.is_empty())
            }
            _ => None,
        }
    }
}

fn up(dir: &str) -> String {
    "../".repeat(dir.split('/').count())
}

/// A folder as it is named from another one, with `/`; as it is, if they have nothing in common.
fn relative(from: &std::path::Path, to: &std::path::Path) -> String {
    let (mut a, mut b) = (from.components().peekable(), to.components().peekable());
    let mut same = 0;
    while a.peek().is_some() && a.peek() == b.peek() {
        a.next();
        b.next();
        same += 1;
    }
    // On Windows another drive, elsewhere nothing but the root.
    if same < 2 {
        return to.to_string_lossy().replace('\\', "/");
    }
    let up = a.map(|_| "..".to_owned());
    let down = b.map(|it| it.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The folder of the program: the usual one, unless something else lies there.
fn folder(tree: &Tree) -> Result<String> {
    let names = ["tasks", "release-tasks", "xtask-tasks"];
    let own = |dir: &str| {
        let manifest = tree.text(&format!("{dir}/Cargo.toml")).unwrap_or_default();
        let manifest: Table = toml::from_str(&manifest).unwrap_or_default();
        manifest
            .get("package")
            .and_then(|it| it.get("name")?.as_str())
            == Some(PACKAGE)
    };
    let free = names.into_iter().find(|it| !tree.exists(it) || own(it));
    free.map(str::to_owned).with_context(|| {
        format!(
            "all folders for the program are taken: {}\nhint: rename one",
            names.join(", ")
        )
    })
}

fn manifest(dir: &str, source: &Source) -> String {
    let dependency = source.dependency(dir);
    format!(
        "[package]\nname = \"{PACKAGE}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nanstream = \"1\"\nclap = {{ version = \"4\", default-features = false }}\nxtask = {dependency}\n"
    )
}

/// What the alias stands for.
fn command() -> String {
    format!("run --quiet --locked --package {PACKAGE} --bin {PACKAGE} --")
}

/// `.cargo/config.toml` with the alias.
fn alias(before: Option<&str>) -> Result<String> {
    let command = command();
    let line = format!("xtask = {}", Value::from(command.as_str()));
    let Some(before) = before else {
        return Ok(format!("[alias]\n{line}\n"));
    };
    let table: Table = toml::from_str(before).context("it is not TOML")?;
    let own = table.get("alias").and_then(|it| it.get("xtask"));
    match own {
        Some(Value::String(it)) if is_own(it) => return Ok(before.to_owned()),
        Some(other) => bail!(
            "it has another alias `xtask`: {other}. Rename that, or call `cargo run --package {PACKAGE} --` instead of \
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
fn is_own(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let package = words
        .iter()
        .position(|it| matches!(*it, "--package" | "-p"));
    let name = package.and_then(|it| words.get(it + 1));
    words.first() == Some(&"run") && matches!(name, Some(&PACKAGE | &"xtask"))
}

/// `Cargo.toml` at the top with the package among its members.
fn workspace(tree: &Tree, dir: &str, source: &Source) -> Result<String> {
    let Some(before) = tree.text("Cargo.toml") else {
        return Ok(new_workspace(tree, dir, source));
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
        let others = apart(tree, dir, source);
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
fn new_workspace(tree: &Tree, dir: &str, source: &Source) -> String {
    let others = apart(tree, dir, source);
    let profile = OWN_MANIFEST
        .split_once("# Hashing, compression")
        .map(|it| it.1);
    format!(
        "# `cargo xtask` alone. The Tauri app has a lock of its own: its hundreds of crates would double the\n\
         # start of every `cargo xtask`.\n[workspace]\nmembers = [\"{dir}\"]\n{}resolver = \"3\"\n\n\
         # Hashing, compression{}",
        exclude(&others),
        profile.unwrap_or_default()
    )
}

fn exclude(others: &[String]) -> String {
    match others.is_empty() {
        true => String::new(),
        false => format!("exclude = {}\n", Value::from(others.to_vec())),
    }
}

/// The folders of packages that were in no workspace at the top, and shall not come into one.
fn apart(tree: &Tree, dir: &str, source: &Source) -> Vec<String> {
    let mut all: Vec<String> = tree.foreign.clone();
    let inner = source.inner().map(|it| format!("{it}/Cargo.toml"));
    let manifests = tree.named("Cargo.toml").map(str::to_owned).chain(inner);
    for file in manifests {
        let folder = tree::parent(&file);
        let known = folder.is_empty() || tree::within(folder, dir);
        if !known && !all.iter().any(|it| tree::within(folder, it)) {
            all.push(folder.to_owned());
        }
    }
    all.sort();
    all
}

fn newline(text: &str) -> &'static str {
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
