//! The Python sidecars: where they are and what they consist of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::resolve::Resolver;
use super::types::{DataFile, Layout, Metadata, Sidecar, Sources, Trial};
use super::{find, raw, value};

/// Where an entry is by convention. The first pattern that finds one decides.
const ENTRIES: [&str; 4] = [
    "src/*/__main__.py",
    "*/__main__.py",
    "__main__.py",
    "main.py",
];

/// All sidecars; `None` if there is a problem.
pub(super) fn sidecars(cx: &mut Resolver<'_>, raw: Vec<raw::Sidecar>) -> Option<Vec<Sidecar>> {
    let mut seen: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let count = raw.len();
    for (index, one) in raw.into_iter().enumerate() {
        if seen.contains(&one.name) {
            let message = format!("two sidecars have the name `{}`", one.name);
            cx.problem(&format!("sidecar.{index}.name"), message, "");
        }
        seen.push(one.name.clone());
        all.extend(sidecar(cx, index, one));
    }
    (all.len() == count).then_some(all)
}

/// The sidecar of the section with this index.
fn sidecar(cx: &mut Resolver<'_>, index: usize, raw: raw::Sidecar) -> Option<Sidecar> {
    let key = |name: &str| format!("sidecar.{index}.{name}");
    let dir = match &raw.dir {
        Some(dir) => cx.dir(&key("dir"), dir)?,
        None => conventional_dir(cx, &key("name"), &raw.name)?,
    };
    let entry = match &raw.entry {
        Some(entry) => cx.file(&key("entry"), &dir, entry),
        None => conventional_entry(cx, &key("name"), &dir),
    };
    let lock = match &raw.lock {
        Some(lock) => cx.file(&key("lock"), &dir, lock),
        None => conventional_lock(cx, &key("name"), &dir),
    };
    let data = data(cx, index, &dir, raw.data);
    Some(Sidecar {
        name: raw.name,
        entry: entry?,
        lock: lock?,
        python: raw
            .python
            .and_then(|text| value::python_version(&text).ok()),
        freezers: raw.freezers,
        layout: raw.layout,
        max_startup: max_startup(cx, raw.layout, raw.max_startup.as_deref()),
        ready_timeout: cx.duration(&raw.ready_timeout),
        time_budget: cx.duration(&raw.time_budget),
        packages: raw.packages,
        modules: raw.modules,
        exclude_modules: raw.exclude_modules,
        data: data?,
        probe: raw.probe,
        trial: Trial {
            launches: raw.trial.launches.into(),
            max_failures: value::percent(&raw.trial.max_failures).unwrap_or_default(),
        },
        metadata: Metadata {
            company: raw.metadata.company,
            description: raw.metadata.description,
            copyright: raw.metadata.copyright,
        },
        nuitka_args: raw.nuitka.args,
        pyinstaller_args: raw.pyinstaller.args,
        sources: Sources {
            inputs: raw.inputs,
            exclude: raw.exclude,
            env: raw.env,
        },
        dir,
    })
}

/// What starts slower than this should be a folder. Without a limit, `auto` would be no choice.
fn max_startup(cx: &Resolver<'_>, layout: Layout, text: Option<&str>) -> Option<Duration> {
    const ENOUGH: Duration = Duration::from_secs(5);
    let given = text.map(|it| cx.duration(it));
    given.or((layout == Layout::Auto).then_some(ENOUGH))
}

fn conventional_dir(cx: &mut Resolver<'_>, key: &str, name: &str) -> Option<PathBuf> {
    let names = [
        format!("sidecars/{name}"),
        name.to_owned(),
        "sidecar".to_owned(),
    ];
    let found = names
        .iter()
        .map(|dir| cx.root.join(dir))
        .find(|dir| dir.is_dir());
    if found.is_none() {
        let message = format!(
            "no folder of the sidecar `{name}`: {} do not exist",
            names.join(", ")
        );
        cx.problem(key, message, "name it in `dir`");
    }
    found
}

fn conventional_entry(cx: &mut Resolver<'_>, key: &str, dir: &Path) -> Option<PathBuf> {
    let found = ENTRIES.iter().map(|pattern| find::matching(dir, pattern));
    match found
        .into_iter()
        .find(|files| !files.is_empty())
        .unwrap_or_default()
        .as_slice()
    {
        [one] => Some(one.clone()),
        [] => {
            let shown = cx.shown(dir);
            let message = format!(
                "nothing to start in `{shown}`: no {}",
                ENTRIES.join(", no ")
            );
            cx.problem(key, message, "name the Python file in `entry`");
            None
        }
        several => {
            let names: Vec<String> = several.iter().map(|file| cx.shown(file)).collect();
            let message = format!("several files could be the entry: {}", names.join(", "));
            cx.problem(key, message, "name one in `entry`");
            None
        }
    }
}

fn conventional_lock(cx: &mut Resolver<'_>, key: &str, dir: &Path) -> Option<PathBuf> {
    let names = ["requirements.lock", "requirements.txt"];
    let found = names
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        let message = format!("`{}` has no requirements.lock", cx.shown(dir));
        let help = "write it with `uv pip compile --generate-hashes`, or name another in `lock`";
        cx.problem(key, message, help);
    }
    found
}

/// The files to carry along, all of which must exist.
fn data(
    cx: &mut Resolver<'_>,
    index: usize,
    dir: &Path,
    raw: Vec<raw::DataFile>,
) -> Option<Vec<DataFile>> {
    let count = raw.len();
    let mut all = Vec::new();
    for (item, raw) in raw.into_iter().enumerate() {
        let from = find::plain(&dir.join(&raw.from));
        if from.exists() {
            all.push(DataFile {
                from,
                to: PathBuf::from(raw.to),
            });
        } else {
            let message = format!("`{}` does not exist", cx.shown(&from));
            cx.problem(&format!("sidecar.{index}.data.{item}.from"), message, "");
        }
    }
    (all.len() == count).then_some(all)
}
