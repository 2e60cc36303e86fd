//! All that a repository needs, held against what it has.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{
    dist,
    node::{self, Frontend},
    package::Package,
    recipe::{self, Program},
    sidecar::{self, Sidecars},
    source::Source,
    tauri::{self, Host},
    tree::{self, Tree},
};
use crate::{
    changes::Change,
    ci,
    config::{self, Config},
    version::places,
};

/// What cannot be found.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder of the app, from the top, where there are several.
    pub app: Option<String>,
    /// Where the library comes from: its folder, or the address of its git repository with `#revision`.
    /// Without it what this program was built from: the commit, if its repository has an address, else the
    /// folder.
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
    let packages = Package::all(&tree);
    let program = Program::of(&tree, &packages);
    let dir = program.as_ref().map_or("tasks", |it| &it.dir);
    let text = dist::text(&tree, &host, &frontend, &sidecars, dir);

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
    plan.recipe(&tree, &packages, program, options)?;
    match loaded {
        Ok(config) => {
            plan.ignored(&tree, &relative(root, &config.release.dir))?;
            plan.workflows(root, &config)?;
            requirements(&mut plan.left, &config);
            versions(&mut plan.left, &config);
            keys(&mut plan.left, &config);
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
    fn recipe(
        &mut self,
        tree: &Tree,
        packages: &[Package],
        program: Result<Program>,
        options: &Options,
    ) -> Result<()> {
        let own = tree.text("xtask/Cargo.toml").unwrap_or_default();
        if own.contains("name = \"xtask\"") && own.contains("xtask-engine") {
            return Ok(());
        }
        let program = program?;
        let mut notes = Vec::new();
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = match &options.source {
            Some(text) => Source::parse(tree, text)?,
            None => Source::of_build(tree, built_from, &mut notes)?,
        };
        let recipe = recipe::recipe(tree, packages, &program, &source);
        // One that is there names a source of its own.
        if !program.exists {
            notes.extend(source.note(&program.dir));
            self.left.extend(notes);
        }
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
        let newline = recipe::newline(&before);
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
        match ci::files(config) {
            Ok(files) => {
                for file in files {
                    self.add(root, file.path, file.text, false)?;
                }
            }
            Err(error) => self.left.push(format!(
                "the workflows, once this is mended (`cargo xtask ci generate` writes them): {error:#}"
            )),
        }
        Ok(())
    }
}

/// The places that say another version than a release would have. The workflow checks it of every change.
fn versions(left: &mut Vec<String>, config: &Config) {
    let mut config = config.clone();
    // It may not be written yet.
    config.file.take_if(|it| !it.is_file());
    let found = match places::find(&config) {
        Ok(found) => found,
        Err(error) => {
            left.push(format!("the version of the app: {error:#}"));
            return;
        }
    };
    let others: Vec<String> = found
        .others()
        .map(|it| format!("{} says {}", it.at(), it.text))
        .collect();
    if !others.is_empty() {
        let version = &found.version;
        left.push(format!(
            "one version everywhere, `cargo xtask version set {version}`: a release would have {version}, but {}",
            others.join(", ")
        ));
    }
}

/// What has to be given to GitHub, and what a release is verified with.
fn keys(left: &mut Vec<String>, config: &Config) {
    let minisign = &config.sign.minisign;
    if minisign.public_key.is_none() && config.tauri.updater_pubkey.is_none() {
        left.push(format!(
            "a key: `npx tauri signer generate -w my.key` makes one, whose text is the secret {}. Commit my.key.pub, \
             say as packaging/keys/minisign.pub, and name that in `public-key` of `[sign.minisign]`: the last job \
             publishes nothing that it cannot hold against it",
            minisign.key_env
        ));
    }
    // What is wrong with the jobs is told with the workflows.
    let Ok(matrix) = ci::Matrix::of(config) else {
        return;
    };
    let of: Vec<_> = matrix
        .include
        .iter()
        .map(|it| (&it.target, ci::secrets(config, it)))
        .collect();
    let is_of_all = |name: &String| of.iter().all(|it| it.1.contains(name));
    let all: Vec<String> = of.iter().take(1).flat_map(|it| it.1.clone()).collect();
    let all: Vec<String> = all.into_iter().filter(is_of_all).collect();
    let mut text = format!(
        "the secrets of the environment `{}` on GitHub, without which its jobs refuse a release (docs/ci.md, \
         docs/signing.md). For every target: {}",
        config.ci.environment,
        all.join(", ")
    );
    for (target, names) in &of {
        let own: Vec<&str> = names
            .iter()
            .filter(|it| !all.contains(it))
            .map(|it| &**it)
            .collect();
        if !own.is_empty() {
            text += &format!("\n{target}: {}", own.join(", "));
        }
    }
    left.push(text);
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
