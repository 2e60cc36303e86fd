//! All that a repository needs, held against what it has.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{
    dist,
    node::{self, Frontend},
    recipe::{self, Source},
    sidecar::{self, Sidecars},
    tauri::{self, Host},
    tree::{self, Tree},
};
use crate::{
    changes::Change,
    ci,
    config::{self, Config},
};

/// What cannot be found.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder of the app, from the top, where there are several.
    pub app: Option<String>,
    /// Where the library comes from: its folder, or the address of its git repository with `#revision`.
    /// Without it the folder that this program was built from.
    pub source: Option<String>,
}

/// How a file on the disk stands to what it should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not there.
    New,
    /// It is there, and gets something added.
    Added,
    /// It has all that it needs.
    Same,
    /// It is there and says something else; it is left.
    Kept,
}

impl State {
    /// As programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Added => "added",
            Self::Same => "same",
            Self::Kept => "kept",
        }
    }
}

/// Everything that was found, and what is to be written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What there is, and where: for people.
    pub found: Vec<(String, String)>,
    /// The files, each with its state.
    pub files: Vec<(State, Change)>,
    /// What somebody has to do himself.
    pub left: Vec<String>,
    /// Whether the lock file at the top has to be made or brought up to date.
    pub needs_lock: bool,
}

impl Plan {
    /// What is to be written.
    pub fn changes(&self) -> Vec<Change> {
        let written = |it: &&(State, Change)| matches!(it.0, State::New | State::Added);
        self.files
            .iter()
            .filter(written)
            .map(|it| it.1.clone())
            .collect()
    }
}

/// Looks through a repository.
///
/// # Errors
/// There is no Tauri app, or there are several, or it is of Tauri 1; or a file that has to be read cannot be.
pub fn plan(root: &Path, options: &Options) -> Result<Plan> {
    let tree = Tree::of(root);
    let app = options.app.as_deref().map(|it| tree::join("", it));
    let app = app.map(|it| it.context("--app lies outside of the repository"));
    let host = tauri::host(&tree, app.transpose()?.as_deref())?;
    let frontend = node::frontend(&tree, &host);
    let mut apart = vec![host.dir.as_str()];
    apart.extend(frontend.dir.as_ref().map(|it| it.0.as_str()));
    let sidecars = sidecar::sidecars(&tree, &host, &apart);
    let text = dist::text(&tree, &host, &frontend, &sidecars);

    let mut plan = Plan {
        found: found(&host, &frontend, &sidecars),
        files: Vec::new(),
        left: [&frontend.notes[..], &sidecars.notes[..]].concat(),
        needs_lock: false,
    };
    for (path, why) in &sidecars.others {
        plan.left.push(format!("{path}: {why}"));
    }
    // What is there counts, whoever wrote it.
    let loaded = match tree.has(config::FILE) {
        true => config::load(root, None),
        false => config::load_text(root, &text),
    };
    plan.add(root, config::FILE, text, false)?;
    plan.recipe(&tree, options)?;
    match loaded {
        Ok(config) => {
            plan.ignored(&tree, &relative(root, &config.release.dir))?;
            plan.workflows(root, &config)?;
            requirements(&mut plan.left, &config);
        }
        Err(error) => {
            plan.ignored(&tree, "dist")?;
            plan.left.push(format!(
                "the workflows, once the configuration is whole (`cargo xtask ci generate` writes them): {error:#}"
            ));
        }
    }
    for it in &sidecars.python {
        plan.left.push(format!(
            "the sidecar `{}` has to print READY and to end when its stdin is closed, if it does not yet: each is \
             started before it is shipped",
            it.name
        ));
    }
    Ok(plan)
}

fn relative(root: &Path, path: &Path) -> String {
    let root = std::path::absolute(root).unwrap_or_default();
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.to_string_lossy().replace('\\', "/")
}

impl Plan {
    /// Notes what a file should say; `merged` if that holds what it says already.
    fn add(&mut self, root: &Path, file: &str, after: String, merged: bool) -> Result<()> {
        let path = root.join(file);
        let before = match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                Some(text.with_context(|| format!("{file} is no text in UTF-8"))?)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let mark = '\u{feff}';
        let after = match &before {
            Some(before) if before.starts_with(mark) && merged => format!("{mark}{after}"),
            _ => after,
        };
        let state = match &before {
            None => State::New,
            // Git may have changed the line ends.
            Some(before) if before.replace("\r\n", "\n") == after.replace("\r\n", "\n") => {
                State::Same
            }
            Some(_) if merged => State::Added,
            Some(_) => State::Kept,
        };
        let file = file.to_owned();
        self.files.push((
            state,
            Change {
                path,
                file,
                before,
                after,
            },
        ));
        Ok(())
    }

    /// The alias and what it starts; nothing in the repository of xtask itself.
    fn recipe(&mut self, tree: &Tree, options: &Options) -> Result<()> {
        let own = tree.text("xtask/Cargo.toml").unwrap_or_default();
        if own.contains("name = \"xtask\"") && own.contains("xtask-engine") {
            return Ok(());
        }
        let source = match &options.source {
            Some(text) => Source::parse(tree, text)?,
            None => Source::parse(tree, env!("CARGO_MANIFEST_DIR")).context(
                "it is not known where xtask comes from\n\
                 hint: say it: --source FOLDER, or --source https://…",
            )?,
        };
        let recipe = recipe::recipe(tree, &source)?;
        self.left.extend(recipe.notes);
        for (file, text) in recipe.files {
            // Whatever source it has by now, and whatever else it does.
            let own = tree.text(&file).filter(|it| it.contains("xtask"));
            let is_program = file.ends_with("/main.rs") || file.ends_with("/Cargo.toml");
            let (text, merged) = match own.filter(|_| is_program) {
                Some(own) => (own, true),
                None => (text, !is_program),
            };
            self.add(&tree.root, &file, text, merged)?;
        }
        let lock = tree.text("Cargo.lock").unwrap_or_default();
        self.needs_lock = !lock.contains("name = \"xtask-engine\"");
        Ok(())
    }

    /// `.gitignore` with what xtask writes.
    fn ignored(&mut self, tree: &Tree, release: &str) -> Result<()> {
        let before = tree.text(".gitignore").unwrap_or_default();
        let bare = |it: &str| {
            it.trim()
                .trim_matches('/')
                .trim_end_matches("/*")
                .to_owned()
        };
        let known: Vec<String> = before.lines().map(bare).collect();
        let missing = ["target", release]
            .into_iter()
            .filter(|it| !known.contains(&bare(it)));
        let newline = if before.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let more: String = missing.map(|it| format!("/{it}/{newline}")).collect();
        let end = match before.is_empty() || before.ends_with('\n') {
            true => "",
            false => newline,
        };
        self.add(
            &tree.root,
            ".gitignore",
            format!("{before}{end}{more}"),
            true,
        )
    }

    /// The workflows, as `ci generate` writes them.
    fn workflows(&mut self, root: &Path, config: &Config) -> Result<()> {
        for file in ci::files(config)? {
            self.add(root, file.path, file.text, false)?;
        }
        Ok(())
    }
}

/// What there is, a line each.
fn found(host: &Host, frontend: &Frontend, sidecars: &Sidecars) -> Vec<(String, String)> {
    let name = host
        .get(&["productName"])
        .as_str()
        .map(|it| format!(" ({it})"));
    let mut found = vec![(
        "Tauri app".to_owned(),
        format!("{}{}", host.file, name.unwrap_or_default()),
    )];
    let web = match (&frontend.dir, &frontend.off) {
        (Some((dir, _)), _) => {
            let script = frontend.script.as_ref().map_or("build", |it| &it.0);
            let manager = frontend.manager.as_ref().map(|it| it.0.command());
            let manager = manager.unwrap_or("npm, it seems; there is no lock file");
            format!("{}: script `{script}`, by {manager}", tree::shown(dir))
        }
        (None, Some(_)) => "static: nothing builds it".to_owned(),
        (None, None) => "there is no package.json".to_owned(),
    };
    found.push(("front end".to_owned(), web));
    for it in &sidecars.python {
        let entry = it.entry.as_ref().map_or(it.dir.0.as_str(), |it| &it.0);
        let how = match &it.freeze {
            Some(freeze) => format!(", frozen with {} in {}", freeze.freezer.name(), freeze.at),
            None => String::new(),
        };
        found.push((format!("sidecar {}", it.name), format!("{entry}{how}")));
    }
    if sidecars.python.is_empty() {
        found.push(("sidecars".to_owned(), "none of Python".to_owned()));
    }
    found
}

/// What the lists of requirements lack: a freezer is installed from them, and nothing without a hash.
fn requirements(left: &mut Vec<String>, config: &Config) {
    for it in &config.sidecars {
        let lock = relative(&config.root, &it.lock);
        let text = fs::read_to_string(&it.lock)
            .unwrap_or_default()
            .to_lowercase();
        let named = |name: &str| {
            let begins = |line: &str| {
                let rest = line.trim().strip_prefix(name);
                rest.is_some_and(|it| !it.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
            };
            text.lines().any(begins)
        };
        let absent: Vec<&str> = it
            .freezers
            .iter()
            .map(|it| it.name())
            .filter(|it| !named(it))
            .collect();
        let hashes = text.contains("--hash=");
        let lacks = match (hashes, absent.as_slice()) {
            (true, []) => continue,
            (true, absent) => format!("does not hold {}", absent.join(", ")),
            (false, []) => "has no hashes".to_owned(),
            (false, absent) => format!("has no hashes, and does not hold {}", absent.join(", ")),
        };
        left.push(format!(
            "{lock} {lacks}: nothing else is installed for the sidecar `{}`. `uv pip compile --universal \
             --generate-hashes` writes such a file",
            it.name
        ));
    }
}
