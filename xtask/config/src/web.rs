//! The web frontend: where it is and what builds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::check::{list_of, suggest};
use super::resolve::Resolver;
use super::tauri::{Host, parse};
use super::types::{Frontend, PackageManager, Sources, TauriCli};
use super::{find, raw};

/// The part of a `package.json` that matters here.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct PackageJson {
    scripts: BTreeMap<String, String>,
    dependencies: BTreeMap<String, serde_json::Value>,
    dev_dependencies: BTreeMap<String, serde_json::Value>,
}

/// The frontend: `Some(None)` if there is none, `None` if there is a problem.
pub(super) fn frontend(
    cx: &mut Resolver<'_>,
    raw: raw::Frontend,
    host: &Host,
    app_dir: &Path,
) -> Option<Option<Frontend>> {
    if raw.enabled == Some(false) {
        return Some(None);
    }
    let dir = match &raw.dir {
        Some(dir) => cx.dir("frontend.dir", dir)?,
        None => match find::upward(cx.root, app_dir).find(|dir| has_package(dir)) {
            Some(dir) => dir.to_owned(),
            None if raw.enabled == Some(true) => {
                let message = format!("no package.json at or above `{}`", cx.shown(app_dir));
                cx.problem(
                    "frontend.enabled",
                    message,
                    "name its folder in `frontend.dir`",
                );
                return None;
            }
            None => return Some(None),
        },
    };
    let script = script(cx, &dir, &raw.script);
    let lock = lock(cx, &dir, raw.package_manager);
    let out = out(cx, raw.out.as_deref(), host);
    let ((package_manager, lock), script, out) = (lock?, script?, out?);
    let sources = Sources {
        inputs: raw.inputs,
        exclude: raw.exclude,
        env: raw.env,
    };
    Some(Some(Frontend {
        dir,
        package_manager,
        lock,
        script,
        out,
        sources,
    }))
}

fn has_package(dir: &Path) -> bool {
    dir.join("package.json").is_file()
}

/// The script, if `package.json` has it.
fn script(cx: &mut Resolver<'_>, dir: &Path, name: &str) -> Option<String> {
    let file = dir.join("package.json");
    if !file.is_file() {
        let message = format!("`{}` has no package.json", cx.shown(dir));
        cx.problem(
            "frontend.dir",
            message,
            "for a static frontend set `enabled = false`",
        );
        return None;
    }
    let scripts = parse::<PackageJson>(cx, &file)?.scripts;
    if scripts.contains_key(name) {
        return Some(name.to_owned());
    }
    let known: Vec<&str> = scripts.keys().map(String::as_str).collect();
    let help = match known.as_slice() {
        [] => "for a static frontend set `enabled = false` in `[frontend]`".to_owned(),
        known => suggest(name, known).unwrap_or_else(|| format!("it has {}", list_of(known))),
    };
    cx.problem(
        "frontend.script",
        format!("{} has no script `{name}`", cx.shown(&file)),
        help,
    );
    None
}

/// The nearest lock file at or above the folder, and whose it is.
fn lock(
    cx: &mut Resolver<'_>,
    dir: &Path,
    wanted: Option<PackageManager>,
) -> Option<(PackageManager, PathBuf)> {
    let lock_of = |manager: PackageManager, dir: &Path| {
        let locks = manager.locks().iter().map(|name| dir.join(name));
        locks
            .filter(|lock| lock.is_file())
            .map(move |lock| (manager, lock))
            .next()
    };
    let managers = match &wanted {
        Some(manager) => std::slice::from_ref(manager),
        None => &PackageManager::ALL[..],
    };
    let in_dir = |dir: &Path| -> Vec<(PackageManager, PathBuf)> {
        managers
            .iter()
            .filter_map(|manager| lock_of(*manager, dir))
            .collect()
    };
    let nearest = find::upward(cx.root, dir)
        .map(in_dir)
        .find(|found| !found.is_empty());
    let shown = cx.shown(dir);
    match (nearest.unwrap_or_default().as_slice(), wanted) {
        ([one], _) => Some(one.clone()),
        ([], Some(manager)) => {
            let names = list_of(manager.locks());
            let message = format!(
                "no lock file of {} at or above `{shown}`",
                manager.command()
            );
            cx.problem(
                "frontend.package-manager",
                message,
                format!("looked for {names}"),
            );
            None
        }
        ([], None) => {
            let message = format!("no lock file at or above `{shown}`");
            let help = "commit the one that `npm install` (or pnpm, yarn, bun) writes";
            cx.problem("frontend.dir", message, help);
            None
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|(_, lock)| cx.shown(lock)).collect();
            let message = format!("several lock files: {}", names.join(", "));
            cx.problem(
                "frontend.dir",
                message,
                "set `package-manager` in `[frontend]`",
            );
            None
        }
    }
}

/// The folder that the build leaves behind.
fn out(cx: &mut Resolver<'_>, given: Option<&str>, host: &Host) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(cx.path(given));
    }
    if let Some(dist) = &host.conf.frontend_dist {
        return Some(dist.clone());
    }
    let file = cx.shown(&host.conf.file);
    let message = match &host.other_dist {
        Some(other) => format!("`build.frontendDist` of {file} is no folder but {other}"),
        None => format!("{file} has no `build.frontendDist`"),
    };
    let help = "set `out` in `[frontend]`, or `enabled = false` if nothing is to be built";
    cx.problem("", message, help);
    None
}

/// What runs Tauri's bundler: what is asked for, else the dependency nearest to the host.
pub(super) fn cli(
    cx: &mut Resolver<'_>,
    given: Option<Vec<String>>,
    frontend: Option<&Frontend>,
    app_dir: &Path,
) -> TauriCli {
    if let Some(command) = given {
        return TauriCli::Command(command);
    }
    let frontend_dirs = frontend
        .into_iter()
        .flat_map(|web| find::upward(cx.root, &web.dir));
    let mut dirs = frontend_dirs.chain(find::upward(cx.root, app_dir));
    let depends = |dir: &&Path| {
        let text = fs_err::read_to_string(dir.join("package.json")).unwrap_or_default();
        let package: PackageJson = serde_json::from_str(&text).unwrap_or_default();
        let name = "@tauri-apps/cli";
        package.dev_dependencies.contains_key(name) || package.dependencies.contains_key(name)
    };
    match dirs.find(depends) {
        Some(dir) => TauriCli::NodeModule(dir.to_owned()),
        None => TauriCli::Command(vec!["cargo".to_owned(), "tauri".to_owned()]),
    }
}
