//! Everything that decides a step's output, kept whole so that it can be compared and explained.
//!
//! A fingerprint is a map from a name to a short text: `parameter script` to `build`, `tool node`
//! to `v20.20.2`, `files app` to the digest of a tree, `output of frontend: index.html` to a hash.
//! The lists behind the digests of trees are kept in files of their own, named by the digest, and
//! read only to explain a difference. Variables are hashed: their values may be private.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files::{self, Found, StatCache, Tree};

/// The world beyond a step's fields that decides its output.
#[derive(Default)]
pub struct Inputs {
    trees: BTreeMap<String, Tree>,
    files: Vec<PathBuf>,
    tools: BTreeMap<String, String>,
    variables: Vec<String>,
}

impl Inputs {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All files of a tree, by content; `name` stands for it in explanations.
    pub fn tree(mut self, name: &str, tree: Tree) -> Self {
        self.trees.insert(name.to_owned(), tree);
        self
    }

    /// One file, also if git ignores it; that it is absent counts too.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// A tool and its version.
    pub fn tool(mut self, name: &str, version: impl Into<String>) -> Self {
        self.tools.insert(name.to_owned(), version.into());
        self
    }

    /// Environment variables; a name may end in `*`.
    pub fn variables<'n>(mut self, names: impl IntoIterator<Item = &'n String>) -> Self {
        self.variables.extend(names.into_iter().cloned());
        self
    }
}

/// The name and short text of everything that decides an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(BTreeMap<String, String>);

/// One difference between two fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `tool node`, `files app: src/main.ts`.
    pub what: String,
    /// What it was; none if it was absent.
    pub from: Option<String>,
    /// What it is; none if it is absent.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kind of input is plain from its name for files and tools.
        let what = match self.what.split_once(": ") {
            Some((kind, file)) if kind.starts_with("files ") => file,
            _ => ["tool ", "file ", "parameter "]
                .iter()
                .find_map(|kind| self.what.strip_prefix(kind))
                .unwrap_or(&self.what),
        };
        match (&self.from, &self.to) {
            (None, Some(_)) => write!(f, "{what} added"),
            (Some(_), None) => write!(f, "{what} removed"),
            (Some(from), Some(to)) if !is_hash(from) && !is_hash(to) => {
                write!(f, "{what} {} -> {}", short(from), short(to))
            }
            _ => write!(f, "{what} changed"),
        }
    }
}

/// Long values, such as keys and commits, by their beginning: a line is to be read.
fn short(text: &str) -> String {
    const LONG: usize = 40;
    match text.chars().count() >= LONG {
        true => text.chars().take(12).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() >= 64 && text.bytes().take(64).all(|it| it.is_ascii_hexdigit())
}

/// A fingerprint with the file lists behind it.
pub struct Taken {
    /// To compare and to record.
    pub fingerprint: Fingerprint,
    lists: BTreeMap<String, Vec<Found>>,
}

impl Taken {
    /// Reads the world: `parameters` are the step's own fields.
    pub fn take(
        version: u32,
        parameters: &Value,
        inputs: &Inputs,
        repository: &Path,
        cache: &StatCache,
    ) -> Result<Self> {
        let mut parts = BTreeMap::from([("step version".to_owned(), version.to_string())]);
        flatten("parameter", parameters, &mut parts);
        for (name, version) in &inputs.tools {
            parts.insert(format!("tool {name}"), version.clone());
        }
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if inputs.variables.iter().any(|it| names(it, &name)) {
                let hash = Sha256::digest(value.as_encoded_bytes());
                parts.insert(format!("variable {name}"), files::hex(&hash));
            }
        }
        for path in &inputs.files {
            let name = path
                .strip_prefix(repository)
                .unwrap_or(path)
                .to_string_lossy();
            if let Ok(meta) = std::fs::metadata(path)
                && meta.is_file()
            {
                let (_, hash) = cache.hash(path, &meta)?;
                parts.insert(
                    format!("file {}", name.replace('\\', "/")),
                    files::hex(&hash),
                );
            }
        }
        let mut lists = BTreeMap::new();
        // Side by side: while one is sorted and hashed, another waits for the file system.
        let walked: Vec<Result<_>> = std::thread::scope(|scope| {
            let walk = |tree: &Tree| tree.walk(repository, cache).map(|it| (tree_text(&it), it));
            let mut trees = inputs.trees.values();
            let first = trees.next();
            let others: Vec<_> = trees.map(|tree| scope.spawn(move || walk(tree))).collect();
            let mut walked: Vec<_> = first.into_iter().map(walk).collect();
            let others = others.into_iter().map(|it| it.join());
            walked.extend(others.map(|it| it.expect("a walk does not panic")));
            walked
        });
        for (name, walked) in inputs.trees.keys().zip(walked) {
            let (text, found) = walked?;
            parts.insert(format!("files {name}"), text);
            lists.insert(name.clone(), found);
        }
        Ok(Self {
            fingerprint: Fingerprint(parts),
            lists,
        })
    }

    /// Keeps the file lists in `folder`, so that a later difference can be explained.
    pub fn keep_lists(&self, folder: &Path) -> Result<()> {
        for (name, found) in &self.lists {
            let file = list_file(folder, &self.fingerprint.0[&format!("files {name}")]);
            if !file.exists() {
                files::write_atomically(&file, render_list(found).as_bytes())?;
            }
        }
        Ok(())
    }

    /// All differences from a recorded fingerprint, those of file trees file by file where the
    /// lists in `folder` allow it.
    pub fn changes_since(&self, old: &Fingerprint, folder: &Path) -> Vec<Change> {
        let mut changes = Vec::new();
        for change in compare(&old.0, &self.fingerprint.0) {
            let list = change
                .what
                .strip_prefix("files ")
                .and_then(|it| self.lists.get_key_value(it));
            let before = change
                .from
                .as_deref()
                .and_then(|it| read_list(&list_file(folder, it)));
            match (list, before) {
                (Some((name, now)), Some(before)) => {
                    let now = render_list(now);
                    let files = compare(&before, &parse_list(&now)).into_iter();
                    changes.extend(files.map(|it| Change {
                        what: format!("files {name}: {}", it.what),
                        ..it
                    }));
                }
                _ => changes.push(change),
            }
        }
        changes.sort_by_key(|it| (importance(&it.what), it.what.contains(SAYS)));
        changes
    }
}

impl Fingerprint {
    /// One hash over all of it, lower-case hexadecimal.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(&self.0).expect("a map of strings is JSON");
        files::hex(&Sha256::digest(json))
    }

    /// How many files its trees hold, and their size in bytes.
    pub fn sources(&self) -> (u64, u64) {
        let trees = self.0.iter().filter(|(name, _)| name.starts_with("files "));
        trees.fold((0, 0), |(files, bytes), (_, text)| {
            let mut numbers = text.split(' ').filter_map(|it| it.parse::<u64>().ok());
            (
                files + numbers.next().unwrap_or(0),
                bytes + numbers.next().unwrap_or(0),
            )
        })
    }

    /// Everything in it, by name.
    pub fn parts(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Says in one line what changed; never empty-handed.
pub fn summary(changes: &[Change]) -> String {
    match changes {
        [] => "its inputs changed".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// Between a step and a field of its typed output, as a colon is between it and a file.
const SAYS: &str = " says";

/// What a person changed comes first, what followed from it last.
fn importance(what: &str) -> usize {
    const ORDER: [&str; 7] = [
        "step version",
        "files ",
        "file ",
        "tool ",
        "variable ",
        "parameter ",
        "output of ",
    ];
    ORDER
        .iter()
        .position(|it| what.starts_with(it))
        .unwrap_or(ORDER.len())
}

fn names(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

fn compare(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (what, from) in old {
        let to = new.get(what);
        if to != Some(from) {
            changes.push(Change {
                what: what.clone(),
                from: Some(from.clone()),
                to: to.cloned(),
            });
        }
    }
    for (what, to) in new.iter().filter(|(what, _)| !old.contains_key(*what)) {
        changes.push(Change {
            what: what.clone(),
            from: None,
            to: Some(to.clone()),
        });
    }
    changes
}

/// Parameters by their path. What an earlier step left is named by that step and by file, so
/// that a difference reads `output of app: tonelens changed`.
fn flatten(prefix: &str, value: &Value, parts: &mut BTreeMap<String, String>) {
    let join = |key: &str| match prefix {
        "parameter" => format!("parameter {key}"),
        _ if prefix.ends_with(':') || prefix.ends_with(SAYS) => format!("{prefix} {key}"),
        _ => format!("{prefix}.{key}"),
    };
    match value {
        Value::Object(map) => match map.get("step-output").and_then(Value::as_str) {
            Some(step) => {
                // Two name spaces: a field must not hide a file of the same name.
                for (key, value) in map.iter().filter(|(key, _)| *key != "step-output") {
                    let mark = if key == "artifacts" { ":" } else { SAYS };
                    flatten(&format!("output of {step}{mark}"), value, parts);
                }
            }
            None if map.is_empty() => drop(parts.insert(prefix.to_owned(), "{}".to_owned())),
            None => map
                .iter()
                .for_each(|(key, value)| flatten(&join(key), value, parts)),
        },
        Value::Array(list) if list.is_empty() => {
            parts.insert(prefix.to_owned(), "[]".to_owned());
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                match (
                    value.get("path").and_then(Value::as_str),
                    value.get("sha256"),
                ) {
                    (Some(path), Some(_)) => drop(parts.insert(join(path), artifact_text(value))),
                    // A step's output is named by itself, wherever it stands.
                    _ if value.get("step-output").is_some() => flatten(prefix, value, parts),
                    _ => flatten(&join(&at.to_string()), value, parts),
                }
            }
        }
        // Text stands bare because it is shown, unless it could be taken for another value.
        Value::String(text) if !["null", "true", "false", "[]", "{}"].contains(&&**text) => {
            parts.insert(prefix.to_owned(), text.clone());
        }
        other => drop(parts.insert(prefix.to_owned(), other.to_string())),
    }
}

fn artifact_text(artifact: &Value) -> String {
    let mut text = artifact["sha256"].as_str().unwrap_or_default().to_owned();
    for flag in ["executable", "link"] {
        if let Some(value) = artifact.get(flag) {
            text += &format!(" {flag} {value}");
        }
    }
    text
}

/// `<digest> <n> files <n> bytes`.
fn tree_text(found: &[Found]) -> String {
    let bytes: u64 = found.iter().map(|it| it.size).sum();
    format!(
        "{} {} files {bytes} bytes",
        files::hex(&files::digest(found)),
        found.len()
    )
}

fn list_file(folder: &Path, tree: &str) -> PathBuf {
    let digest = tree.split(' ').next().unwrap_or_default();
    folder.join(format!("{digest}.v1"))
}

/// As `sha256sum` writes it, with `x` for the execute bit.
fn render_list(found: &[Found]) -> String {
    found.iter().fold(String::new(), |mut text, it| {
        text += &files::hex(&it.hash);
        text += if it.executable { " x " } else { "   " };
        text += &it.path;
        text.push('\n');
        text
    })
}

fn parse_list(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|it| it.split_at_checked(67));
    lines
        .map(|(hash, path)| (path.to_owned(), hash.trim_end().to_owned()))
        .collect()
}

fn read_list(file: &Path) -> Option<BTreeMap<String, String>> {
    Some(parse_list(&std::fs::read_to_string(file).ok()?))
}
