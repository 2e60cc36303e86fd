//! The front end: which package it is, what manages its packages, and which script builds it.

use serde_json::Value;

use super::{
    search,
    tauri::Host,
    tree::{self, Tree},
    words,
};
use crate::config::PackageManager;

/// The front end.
#[derive(Default)]
pub(super) struct Frontend {
    /// The folder with its `package.json`, and where that was found; none if nothing is built by one.
    pub dir: Option<(String, String)>,
    /// What installs its packages, and where that stands.
    pub manager: Option<(PackageManager, String)>,
    /// The lock file of its packages.
    pub lock: Option<String>,
    /// The script that builds it, and where that stands.
    pub script: Option<(String, String)>,
    /// The folder that it leaves behind, where the Tauri configuration does not say it.
    pub out: Option<(String, String)>,
    /// There is a `package.json`, but nothing to build.
    pub off: Option<String>,
    /// What somebody has to look at.
    pub notes: Vec<String>,
}

/// A command that runs a script of a package.
struct Run {
    /// Words as they stand there.
    text: String,
    script: String,
    /// The folder of its package.
    dir: String,
}

/// Looks for the front end.
pub(super) fn frontend(tree: &Tree, host: &Host) -> Frontend {
    let mut found = Frontend::default();
    let nearest = |from: &str| {
        let mut above = tree::upward(from);
        above.find(|it| tree.has(&package(it))).map(str::to_owned)
    };
    let own = nearest(&host.dir);
    let key = format!("`beforeBuildCommand` of {}", host.file);
    let before = host.before_build();
    let mut runs = Vec::new();
    if let Some((line, cwd)) = &before {
        let from = own
            .clone()
            .unwrap_or_else(|| tree::parent(&host.dir).to_owned());
        let from = match cwd {
            Some(cwd) => tree::join(&host.dir, cwd).unwrap_or(from),
            None => from,
        };
        runs = self::runs(tree, line, &from);
        if runs.is_empty() {
            not_a_script(&mut found, tree, line, own.as_deref(), &key);
        }
    }
    let build = choose(&mut found, tree, &runs, &key);
    match build {
        Some(run) => {
            let why = format!("{key} is `{}`", before.as_ref().map_or("", |it| &it.0));
            found.dir = Some((run.dir.clone(), why.clone()));
            found.script = Some((run.script.clone(), why));
        }
        None => {
            found.dir = own.map(|it| {
                let why = format!("{} is the nearest to the app", package(&it));
                (it, why)
            });
        }
    }
    let Some((dir, _)) = found.dir.clone() else {
        return found;
    };
    if found.script.is_none() {
        default_script(&mut found, tree, &dir);
    }
    if found.off.is_some() {
        return found;
    }
    manager(&mut found, tree, &dir);
    out(&mut found, tree, host, &dir);
    found
}

/// The `package.json` of a folder.
fn package(dir: &str) -> String {
    let slash = if dir.is_empty() { "" } else { "/" };
    format!("{dir}{slash}package.json")
}

fn json(tree: &Tree, file: &str) -> Value {
    serde_json::from_str(&tree.text(file).unwrap_or_default()).unwrap_or_default()
}

/// The scripts that a line runs.
fn runs(tree: &Tree, line: &str, from: &str) -> Vec<Run> {
    let mut dir = from.to_owned();
    let mut all = Vec::new();
    for command in words::commands(line) {
        if let [cd, to, ..] = command.as_slice()
            && cd == "cd"
        {
            dir = tree::join(&dir, to).unwrap_or(dir);
            continue;
        }
        all.extend(run(tree, &command, &dir));
    }
    all
}

fn run(tree: &Tree, command: &[String], from: &str) -> Option<Run> {
    let managers = PackageManager::ALL.map(PackageManager::command);
    let at = command
        .iter()
        .position(|it| managers.contains(&it.as_str()))?;
    let mut words = command[at + 1..].iter();
    let (mut dir, mut script) = (from.to_owned(), None);
    while let Some(word) = words.next() {
        let (name, given) = match word.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || given.clone().or_else(|| words.next().cloned());
        match name {
            "-w" | "--workspace" | "-F" | "--filter" | "workspace"
                if script.is_none() || name.starts_with('-') =>
            {
                dir = workspace(tree, &value()?)?;
            }
            "--prefix" | "-C" | "--dir" | "--cwd" => dir = tree::join(&dir, &value()?)?,
            "run" | "run-script" | "--" => {}
            _ if name.starts_with('-') => {}
            _ if script.is_none() => script = Some(word.clone()),
            _ => {}
        }
    }
    let script = script?;
    let mut above = tree::upward(&dir);
    let dir = above.find(|it| tree.has(&package(it)))?.to_owned();
    search::scripts(tree, &package(&dir)).get(&script)?;
    let text = command.join(" ");
    Some(Run { text, script, dir })
}

/// The folder of a package of the workspace, by its name or its path.
fn workspace(tree: &Tree, wanted: &str) -> Option<String> {
    let wanted = wanted.trim_matches(['{', '}']).trim_end_matches("...");
    let path = tree::join("", wanted).filter(|it| tree.has(&package(it)));
    path.or_else(|| {
        let mut files = tree.named("package.json");
        let file = files.find(|it| json(tree, it)["name"].as_str() == Some(wanted))?;
        Some(tree::parent(file).to_owned())
    })
}

/// The run that builds the front end: the last that freezes nothing. Of the others somebody must know.
fn choose<'r>(found: &mut Frontend, tree: &Tree, runs: &'r [Run], key: &str) -> Option<&'r Run> {
    let freezes = |it: &Run| freezes(tree, &it.dir, &it.script, 0);
    let build = runs.iter().rev().find(|it| !freezes(it)).or(runs.last())?;
    for other in runs.iter().filter(|it| !std::ptr::eq(*it, build)) {
        if !freezes(other) {
            found.notes.push(format!(
                "{key} also runs `{}`, which `dist` does not: let the script `{}` of {} do it",
                other.text,
                build.script,
                package(&build.dir)
            ));
        }
    }
    if freezes(build) {
        found.notes.push(format!(
            "the script `{}` of {} freezes a sidecar, too: name one in `frontend.script` that builds the front \
             end alone",
            build.script,
            package(&build.dir)
        ));
    }
    Some(build)
}

/// Whether a script freezes something, itself or by another one.
fn freezes(tree: &Tree, dir: &str, script: &str, depth: usize) -> bool {
    let scripts = search::scripts(tree, &package(dir));
    let text = scripts.get(script).cloned().unwrap_or_default();
    let lower = text.to_lowercase();
    let named = |it: &str| lower.contains(it);
    if named("pyinstaller") || named("nuitka") {
        return true;
    }
    let runs = runs(tree, &text, dir);
    depth < 8
        && runs
            .iter()
            .any(|it| freezes(tree, &it.dir, &it.script, depth + 1))
}

fn not_a_script(found: &mut Frontend, tree: &Tree, line: &str, own: Option<&str>, key: &str) {
    let same = own.and_then(|dir| {
        let scripts = search::scripts(tree, &package(dir));
        let line = line.strip_prefix("npx ").unwrap_or(line);
        scripts.into_iter().find(|it| it.1 == line).map(|it| it.0)
    });
    match (same, own) {
        (Some(script), _) => {
            let why = format!("{key} is what it says");
            found.script = Some((script, why));
        }
        (None, _) => found.notes.push(format!(
            "{key} is `{line}`, which runs no script of a package.json: `dist` runs nothing else, so make it one, \
             or run it before `dist`"
        )),
    }
}

fn default_script(found: &mut Frontend, tree: &Tree, dir: &str) {
    let scripts = search::scripts(tree, &package(dir));
    let usual = ["build", "build:web", "build:frontend", "build:renderer"];
    let script = usual.iter().find(|it| scripts.contains_key(**it));
    match script {
        Some(script) => {
            let why = format!("{} has it", package(dir));
            found.script = Some(((*script).to_owned(), why));
        }
        // Static: what the configuration names is embedded as it lies there.
        None => {
            found.dir = None;
            found.off = Some(format!("{} has no script that builds", package(dir)));
        }
    }
}

/// The lock file decides, and where there are several `packageManager`.
fn manager(found: &mut Frontend, tree: &Tree, dir: &str) {
    let said = tree::upward(dir).find_map(|it| {
        let file = package(it);
        let field = json(tree, &file)["packageManager"].as_str()?.to_owned();
        let name = field.split('@').next().unwrap_or_default();
        let manager = PackageManager::ALL
            .into_iter()
            .find(|it| it.command() == name)?;
        Some((manager, file))
    });
    let locks = |dir: &str| -> Vec<(PackageManager, String)> {
        let of = |manager: PackageManager| {
            let mut names = manager.locks().iter().filter_map(|it| tree::join(dir, it));
            names.find(|it| tree.has(it)).map(|it| (manager, it))
        };
        PackageManager::ALL.into_iter().filter_map(of).collect()
    };
    let nearest = tree::upward(dir).map(locks).find(|it| !it.is_empty());
    let nearest = nearest.unwrap_or_default();
    let of = |manager| nearest.iter().find(|it| it.0 == manager);
    unpinned(found, said.is_some(), &nearest);
    found.manager = match (nearest.as_slice(), &said) {
        ([(manager, lock)], Some((other, file))) if manager != other => {
            found.notes.push(format!(
                "{file} wants {}, but the lock file is {lock}: one of them is wrong",
                other.command()
            ));
            Some((*manager, lock.clone()))
        }
        ([(manager, lock)], None) => Some((*manager, lock.clone())),
        (_, Some((manager, file))) => {
            let lock = of(*manager).map(|it| format!("{}, and ", it.1));
            let lock = lock.unwrap_or_default();
            Some((*manager, format!("{lock}`packageManager` of {file}")))
        }
        _ => None,
    };
    let manager = found.manager.as_ref();
    found.lock = manager.and_then(|it| of(it.0)).map(|it| it.1.clone());
}

/// npm comes with Node.js, and Yarn with its Corepack. The others are installed by themselves, whichever
/// version is the latest, unless one is said.
fn unpinned(found: &mut Frontend, is_said: bool, locks: &[(PackageManager, String)]) {
    let (false, [(manager @ (PackageManager::Pnpm | PackageManager::Bun), lock)]) =
        (is_said, locks)
    else {
        return;
    };
    let (name, file) = (manager.command(), package(tree::parent(lock)));
    found.notes.push(format!(
        "{file} does not say which {name}, so the workflows take the latest: \"packageManager\": \"{name}@…\", \
         with what `{name} --version` prints"
    ));
}

/// What the configuration does not say, the tools do by habit.
fn out(found: &mut Frontend, tree: &Tree, host: &Host, dir: &str) {
    let script = found
        .script
        .as_ref()
        .map(|it| it.0.clone())
        .unwrap_or_default();
    let scripts = search::scripts(tree, &package(dir));
    let text = scripts.get(&script).cloned().unwrap_or_default();
    let is_next = text.contains("next build");
    if is_next {
        let configs = [
            "next.config.js",
            "next.config.mjs",
            "next.config.ts",
            "next.config.cjs",
        ];
        let mut configs = configs.iter().filter_map(|it| tree::join(dir, it));
        let config = configs.find(|it| tree.has(it));
        let exports = config.as_ref().and_then(|it| tree.text(it));
        let exports = exports.is_some_and(|it| it.contains("export\"") || it.contains("export'"));
        if !exports {
            let name = config.unwrap_or_else(|| "next.config.js".to_owned());
            found.notes.push(format!(
                "{name} does not say `output: 'export'`: without it Next.js leaves no files that an app can embed"
            ));
        }
    }
    if host.dist().is_some() {
        return;
    }
    let usual = if is_next { "out" } else { "dist" };
    let why = format!(
        "{} has no `frontendDist`; this is what `{text}` leaves by habit",
        host.file
    );
    found.out = tree::join(dir, usual).map(|it| (it, why));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_run_a_script() {
        let root = tempfile::tempdir().unwrap();
        for (dir, name) in [("", "top"), ("packages/web", "@a/web")] {
            let dir = root.path().join(dir);
            fs_err::create_dir_all(&dir).unwrap();
            let json = format!(
                r#"{{"name": "{name}", "scripts": {{"build": "vite build", "gen": "x"}}}}"#
            );
            fs_err::write(dir.join("package.json"), json).unwrap();
        }
        let tree = Tree::of(root.path());
        let check = |line: &str, expected: &[&str]| {
            let runs = runs(&tree, line, "");
            let found: Vec<String> = runs
                .iter()
                .map(|it| format!("{}:{}", it.dir, it.script))
                .collect();
            assert_eq!(found, expected, "{line}");
        };
        check("npm run build", &[":build"]);
        check("npm run gen && npm run build", &[":gen", ":build"]);
        check(
            "npm --prefix packages/web run build",
            &["packages/web:build"],
        );
        check("npm run build -w @a/web", &["packages/web:build"]);
        check(
            "npm run build --workspace=packages/web",
            &["packages/web:build"],
        );
        check("pnpm build", &[":build"]);
        check("pnpm --filter @a/web... build", &["packages/web:build"]);
        check("pnpm -F ./packages/web run build", &["packages/web:build"]);
        check("pnpm -C packages/web build", &["packages/web:build"]);
        check("yarn workspace @a/web build", &["packages/web:build"]);
        check("yarn --cwd packages/web build", &["packages/web:build"]);
        check("bun run build", &[":build"]);
        check(
            "NODE_ENV=production pnpm run build -- --mode x",
            &[":build"],
        );
        check("cd packages/web && npm run build", &["packages/web:build"]);
        check("npm run other", &[]);
        check("trunk build", &[]);
        check("npm run build -w @a/none", &[]);
    }
}
