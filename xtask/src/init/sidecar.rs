//! An executable that the app names in `externalBin`, and the Python that it is made of.

use serde_json::Value;

use super::{
    freeze::{Freeze, bare},
    search,
    tauri::Host,
    tree::{self, Tree},
};

/// A Python program that is shipped beside the app.
pub(super) struct Sidecar {
    /// The executable's name.
    pub name: String,
    /// Where it is named.
    pub named: String,
    /// How it is frozen today, if anything says so.
    pub freeze: Option<Freeze>,
    /// Its folder, and why.
    pub dir: (String, String),
    /// The Python file that is started, from the top, and where it is named; none if nothing names one.
    pub entry: Option<(String, String)>,
    /// The locked requirements, from the top.
    pub lock: Option<String>,
    /// Files and folders to carry along: from the top, and where to.
    pub data: Vec<(String, String)>,
    /// What could not be translated, and why.
    pub left: Vec<String>,
}

/// All that the app ships beside itself.
#[derive(Default)]
pub(super) struct Sidecars {
    /// Those of Python.
    pub python: Vec<Sidecar>,
    /// Those that are bundled as they lie: the path from the top, and what is known of it.
    pub others: Vec<(String, String)>,
    /// What somebody has to look at.
    pub notes: Vec<String>,
}

/// What freezes something in the repository.
struct Calls<'f> {
    /// Those that start a file that is there.
    known: Vec<&'f Freeze>,
    /// Those that do not, as far as it can be said.
    lost: Vec<&'f Freeze>,
    /// The executables that the app names.
    names: Vec<String>,
}

/// Looks for the source of each.
pub(super) fn sidecars(tree: &Tree, host: &Host, apart: &[&str]) -> Sidecars {
    let mut found = Sidecars::default();
    let freezes = search::freezes(tree);
    let external = host.external();
    let is_known = |it: &&Freeze| it.started(tree).is_some();
    let (known, lost) = freezes.iter().partition(is_known);
    let mut calls = Calls {
        known,
        lost,
        names: external.iter().map(|it| bare(it)).collect(),
    };
    for (path, name) in external.iter().zip(calls.names.clone()) {
        let named = format!("`externalBin` of {}", host.file);
        let python = match calls.of(tree, &name) {
            Some(freeze) => Some(frozen(tree, &name, named, freeze, apart, &calls)),
            None => {
                let project = project(tree, &name, named, apart);
                project.map(|it| calls.told(tree, it))
            }
        };
        match python {
            Some(sidecar) => found.python.push(sidecar),
            None => found.others.push(other(tree, path, &name)),
        }
    }
    found.notes = calls.notes(host);
    found
}

impl<'f> Calls<'f> {
    /// Those that make none of the executables, by their names.
    fn unclaimed(&self) -> impl Iterator<Item = &'f Freeze> {
        let all = self.known.iter().copied();
        all.filter(|it| !self.names.iter().any(|name| is_for(it, name)))
    }

    /// The one that makes this executable.
    fn of(&self, tree: &Tree, name: &str) -> Option<&'f Freeze> {
        let made = |name: &str| self.known.iter().copied().find(|it| is_for(it, name));
        made(name).or_else(|| {
            // The one that is left over belongs to the one that is.
            let mut unknown = self.names.iter().filter(|it| made(it).is_none());
            let alone = unknown.next().is_some_and(|it| it == name) && unknown.next().is_none();
            let first = self.unclaimed().next()?;
            let same = self.unclaimed().all(|it| it.entry == first.entry);
            (alone && same && of_other_language(tree, name).is_none()).then_some(first)
        })
    }

    /// Besides what the project says, what a call says that starts a file that is not there.
    fn told(&mut self, tree: &Tree, mut sidecar: Sidecar) -> Sidecar {
        let Some(at) = self.lost.iter().position(|it| is_for(it, &sidecar.name)) else {
            return sidecar;
        };
        let mut freeze = self.lost.remove(at).clone();
        let mut left = match &freeze.entry {
            Some(_) => vec![freeze.lost()],
            None => Vec::new(),
        };
        left.append(&mut freeze.left);
        sidecar.data = data(tree, &freeze, &mut left);
        sidecar.left.append(&mut left);
        sidecar.freeze = Some(freeze);
        sidecar
    }

    /// What somebody has to look at.
    fn notes(&self, host: &Host) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for it in self.unclaimed().filter(|_| self.names.is_empty()) {
            let name = it.name.clone().unwrap_or_default();
            notes.push(format!(
                "{} freezes `{name}`, but `externalBin` of {} names no executable: if the app starts it, it is a \
                 `[[sidecar]]`",
                it.at, host.file
            ));
        }
        for it in &self.lost {
            let note = format!(
                "{}. Nothing of it was taken over; what it says belongs into a `[[sidecar]]`",
                it.lost()
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }
}

/// Whether a call makes this executable.
fn is_for(freeze: &Freeze, name: &str) -> bool {
    match &freeze.name {
        Some(own) => own == name,
        None => {
            let entry = freeze
                .entry
                .as_deref()
                .unwrap_or_default()
                .replace('\\', "/");
            tree::name(&entry).trim_end_matches(".py") == name
        }
    }
}

fn frozen(
    tree: &Tree,
    name: &str,
    named: String,
    freeze: &Freeze,
    apart: &[&str],
    calls: &Calls<'_>,
) -> Sidecar {
    let mut freeze = freeze.clone();
    let mut entry = freeze.started(tree).unwrap_or_default();
    // Nuitka takes a package for its `__main__.py`.
    if tree.path(&entry).is_dir() {
        entry += "/__main__.py";
    }
    let (dir, why) = folder(tree, tree::parent(&entry), apart);
    let lock = lock(tree, &dir);
    let mut left = std::mem::take(&mut freeze.left);
    let data = data(tree, &freeze, &mut left);
    if !tree::within(&entry, &dir) {
        left.push(format!(
            "entry {entry}: it lies outside of {}",
            tree::shown(&dir)
        ));
    }
    let is_other = |it: &&&Freeze| is_for(it, name) && it.at != freeze.at;
    if let Some(first) = calls.known.iter().find(is_other) {
        left.push(format!(
            "{} freezes it, too: see that it says nothing else, and leave one of them",
            first.at
        ));
    }
    left.sort();
    left.dedup();
    Sidecar {
        name: name.to_owned(),
        named,
        dir: (dir, why),
        entry: Some((entry, freeze.at.clone())),
        lock,
        data,
        left,
        freeze: Some(freeze),
    }
}

/// Its folder: the nearest with a Python project in it, but none that holds the app or the front end as
/// well; else that of what is started.
fn folder(tree: &Tree, from: &str, apart: &[&str]) -> (String, String) {
    const MARKS: [&str; 6] = [
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "requirements.lock",
        "requirements.txt",
        "Pipfile",
    ];
    let free = |dir: &&str| !apart.iter().any(|it| tree::within(it, dir));
    for dir in tree::upward(from).take_while(free) {
        let mark = MARKS.iter().filter_map(|it| tree::join(dir, it));
        if let Some(mark) = mark.into_iter().find(|it| tree.has(it)) {
            return (dir.to_owned(), format!("{mark} is there"));
        }
    }
    // A package is started from the folder around it.
    let package = |dir: &&str| tree.has(&format!("{dir}/__init__.py"));
    let around = tree::upward(from).find(|it| it.is_empty() || !package(it));
    let dir = around.filter(|it| free(it)).unwrap_or(from);
    (dir.to_owned(), "The folder of what is started".to_owned())
}

/// The nearest list of requirements.
fn lock(tree: &Tree, dir: &str) -> Option<String> {
    let names = [
        "requirements.lock",
        "requirements.txt",
        "requirements-lock.txt",
    ];
    tree::upward(dir).find_map(|dir| {
        let mut files = names.iter().filter_map(|it| tree::join(dir, it));
        files.find(|it| tree.has(it))
    })
}

/// What is carried along, as far as it is there.
fn data(tree: &Tree, freeze: &Freeze, left: &mut Vec<String>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (from, to) in &freeze.data {
        let Some(place) = freeze.resolve(tree, from) else {
            left.push(format!(
                "data {from}: there is no such file or folder in the repository"
            ));
            continue;
        };
        let folder = to.ends_with('/');
        let mut to = to.trim_matches('/').to_owned();
        if folder && tree.path(&place).is_file() {
            to = tree::join(&to, tree::name(&place)).unwrap_or(to);
        }
        match to.is_empty() {
            true => left.push(format!(
                "data {from}: a folder goes into one that has a name; name its files instead"
            )),
            false => all.push((place, to)),
        }
    }
    all
}

/// A Python project of that name that nothing freezes yet.
fn project(tree: &Tree, name: &str, named: String, apart: &[&str]) -> Option<Sidecar> {
    let (dir, why, entry) = described(tree, name).or_else(|| usual(tree, name))?;
    if apart.iter().any(|it| tree::within(it, &dir)) {
        return None;
    }
    let mut left = Vec::new();
    if let Some((entry, _)) = &entry
        && !tree.text(entry).is_some_and(|it| it.contains("__main__"))
        && tree::name(entry) != "__main__.py"
    {
        left.push(format!(
            "{entry} is not made to be started as a file: give it an `if __name__ == \"__main__\"`"
        ));
    }
    Some(Sidecar {
        name: name.to_owned(),
        named,
        freeze: None,
        lock: lock(tree, &dir),
        dir: (dir, why),
        entry,
        data: Vec::new(),
        left,
    })
}

/// A project: its folder, why that one, and the file that is started with where it is named.
type Project = (String, String, Option<(String, String)>);

/// The one that a `pyproject.toml` gives this name, or a script of this name.
fn described(tree: &Tree, name: &str) -> Option<Project> {
    let same = |it: &str| {
        it.replace('_', "-")
            .eq_ignore_ascii_case(&name.replace('_', "-"))
    };
    let (file, script) = tree.named("pyproject.toml").find_map(|file| {
        let text = tree.text(file)?;
        let project: toml::Table = toml::from_str(&text).ok()?;
        let project = project.get("project")?;
        let scripts = project.get("scripts").and_then(|it| it.as_table());
        let script = scripts.and_then(|it| it.iter().find(|it| same(it.0)));
        let own = project.get("name").and_then(|it| it.as_str());
        let script = script.and_then(|it| it.1.as_str()).map(str::to_owned);
        (script.is_some() || own.is_some_and(same)).then_some((file, script))
    })?;
    let dir = tree::parent(file).to_owned();
    let entry = script.and_then(|it| module(tree, &dir, &it));
    let entry = entry.map(|it| (it, format!("`[project.scripts]` of {file}")));
    Some((dir, format!("{file} is there"), entry))
}

/// The one in a folder of this name.
fn usual(tree: &Tree, name: &str) -> Option<Project> {
    let named = format!("sidecars/{name}");
    let usual = [named.as_str(), name, "sidecar"];
    let dir = usual.into_iter().find(|dir| {
        let python = |it: &String| tree::within(it, dir) && it.ends_with(".py");
        tree.files.iter().any(python)
    })?;
    Some((dir.to_owned(), "The folder with its name".to_owned(), None))
}

/// The file of `package.module:function`, and of its package's `__main__.py` if there is one.
fn module(tree: &Tree, dir: &str, script: &str) -> Option<String> {
    let module = script.split(':').next()?.trim().replace('.', "/");
    let main = format!("{}/__main__.py", tree::parent(&module));
    let own = [
        main,
        format!("{module}.py"),
        format!("{module}/__main__.py"),
    ];
    let places = ["src", ""].into_iter().filter_map(|it| tree::join(dir, it));
    let mut files = places.flat_map(|place| {
        let own = own
            .iter()
            .filter_map(|it| tree::join(&place, it.trim_start_matches('/')));
        own.collect::<Vec<_>>()
    });
    files.find(|it| tree.has(it))
}

/// Something that is no Python: what it is, and that it has to be there before.
fn other(tree: &Tree, path: &str, name: &str) -> (String, String) {
    let text = match of_other_language(tree, name) {
        Some(what) => format!("{what}, no Python: it is bundled as it lies, so build it before `dist`"),
        None => "nothing here freezes it, and no Python project has its name: it is bundled as it lies. If it is \
                 one, give it a `[[sidecar]]`"
            .to_owned(),
    };
    (path.to_owned(), text)
}

/// What makes an executable of this name, if it is not Python.
fn of_other_language(tree: &Tree, name: &str) -> Option<String> {
    let rust = tree.named("Cargo.toml").find_map(|file| {
        let manifest: toml::Table = toml::from_str(&tree.text(file)?).ok()?;
        let text = |it: Option<&toml::Value>| it?.get("name")?.as_str().map(str::to_owned);
        let bins = manifest.get("bin").and_then(|it| it.as_array());
        let mut bins = bins.into_iter().flatten().filter_map(|it| text(Some(it)));
        let is =
            text(manifest.get("package")).as_deref() == Some(name) || bins.any(|it| it == name);
        is.then(|| format!("the Cargo package of {file}"))
    });
    let go = || {
        let mut mods = tree.named("go.mod");
        let file = mods.find(|it| {
            tree::name(tree::parent(it)) == name || {
                let text = tree.text(it).unwrap_or_default();
                let module = text.lines().find_map(|it| it.strip_prefix("module "));
                module.is_some_and(|it| tree::name(it.trim()) == name)
            }
        })?;
        Some(format!("the Go module of {file}"))
    };
    let node = || {
        let mut files = tree.named("package.json");
        let file = files.find(|it| {
            let json: Value =
                serde_json::from_str(&tree.text(it).unwrap_or_default()).unwrap_or_default();
            json["name"].as_str() == Some(name) || !json["bin"][name].is_null()
        })?;
        Some(format!("the package of {file}"))
    };
    rust.or_else(go).or_else(node)
}

#[cfg(test)]
mod tests;
