//! The same program, whatever froze it: the same bytes at another place and time, and the same
//! behaviour out of the hands of each freezer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use expect_test::expect;

use super::{
    project::{Project, files_below},
    sidecars::{NUITKA, PYINSTALLER, lock},
};

/// Says on stderr what it finds of all that can be configured.
const PROGRAM: &str = r#"import importlib, importlib.util, pathlib, sys

import helper

HERE = pathlib.Path(__file__).parent


def content(name):
    try:
        return (HERE / name).read_text().strip()
    except FileNotFoundError:
        return "not here"


def module(name):
    try:
        found = importlib.util.find_spec(name) is not None
        importlib.import_module(name)
    except ModuleNotFoundError:
        return "absent"
    return "present" if found else "hidden"


print("BOOT sidecar=tiny version=0.1.0", flush=True)
for name in ["texts/renamed.txt", "folder/deep/a.txt", "folder/script.py", "folder/with = : * .txt"]:
    print(f"{name}: {content(name)}", file=sys.stderr)
for name in ["al" + "tgraph.Dot", "wa" + "ve", "pack" + "aging", "packaging.version"]:
    print(f"{name}: {module(name)}", file=sys.stderr)
print(f"helper: {helper.answer()}", file=sys.stderr)
print("READY", flush=True)
sys.stdin.read()
print("SHUTDOWN reason=eof", flush=True)
"#;

/// Mentions the module that is excluded, so that a freezer would take it along.
const HELPER: &str = r#"def answer():
    try:
        import packaging.version
    except ImportError:
        return "does without"
    return str(packaging.version.Version("1.0"))
"#;

/// The configuration for one way to freeze it.
fn configured(freezer: &str, layout: &str) -> String {
    format!(
        r#"
[[sidecar]]
name = "tiny"
python = "3.11"
freezers = ["{freezer}"]
layout = "{layout}"
packages = ["altgraph"]
modules = ["wave"]
exclude-modules = ["packaging"]
data = [
  {{ from = "data/notes.txt", to = "texts/renamed.txt" }},
  {{ from = "data/folder", to = "folder" }},
]

[sidecar.trial]
launches = 2
"#
    )
}

/// A checkout that can freeze the program.
fn project() -> Project {
    let project = Project::built();
    project.write("tiny/main.py", PROGRAM);
    project.write("tiny/helper.py", HELPER);
    project.write("tiny/data/notes.txt", "a note\n");
    project.write("tiny/data/folder/deep/a.txt", "deep\n");
    project.write("tiny/data/folder/script.py", "code\n");
    project.write("tiny/data/folder/with = : * .txt", "strange\n");
    let packages = [&NUITKA[..], &PYINSTALLER].concat();
    project.write("tiny/requirements.lock", lock(&packages));
    project
}

/// Freezes it in this checkout; gives where the stage lies.
fn freeze(project: &Project, base: &str, freezer: &str, layout: &str) -> PathBuf {
    project.write(
        "packaging/dist.toml",
        format!("{base}{}", configured(freezer, layout)),
    );
    project.succeed("dist --only sidecar:tiny --force=sidecar:tiny");
    project.root.join("target/dist/linux/stages/sidecar-tiny")
}

/// Every file below a folder, with its content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |it: &Path| it.strip_prefix(folder).unwrap().to_owned();
    let files = files_below(folder).into_iter();
    files
        .map(|it| (relative(&it), fs_err::read(it).unwrap()))
        .collect()
}

/// What the frozen program says it finds, where nothing of the checkout helps it.
fn finds(stage: &Path, layout: &str) -> String {
    let name = if layout == "folder" {
        "tiny/tiny"
    } else {
        "tiny"
    };
    let empty = tempfile::tempdir().unwrap();
    let mut program = Command::new(stage.join(name));
    program
        .env_clear()
        .current_dir(empty.path())
        .stdin(Stdio::null());
    let output = program.output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// A change in one module compiles that one again and finds all others in the C cache, by Nuitka's
/// own count.
fn one_module_compiles_alone(project: &Project, base: &str) {
    // No earlier test may have left it in the cache. A name, since it gets into the C code.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let changed = format!("{HELPER}\n\ndef changed_{now}(it):\n    return [it]\n");
    project.write("tiny/helper.py", changed);
    freeze(project, base, "nuitka", "folder");
    project.write("tiny/helper.py", HELPER);
    let log = project.read("target/dist/linux/logs/sidecar-tiny.log");
    let counted = |result: &str| -> usize {
        let words = format!("Cached C files (using ccache) with result '{result}': ");
        let lines = log.lines().filter_map(|it| it.split_once(&words));
        lines.map(|it| it.1.parse::<usize>().unwrap()).sum()
    };
    let hits = counted("cache hit");
    assert_eq!(counted("cache miss"), 1, "{log}");
    let all = format!("Compiled {} C files using ccache", hits + 1);
    assert!(hits > 5 && log.contains(&all), "{hits} hits\n{log}");
}

/// `XTASK_FULL=1` adds Nuitka's one file, and Nuitka's bytes also where no C cache makes the second
/// compilation cheap.
#[test]
fn slow_each_freezer_makes_the_same_of_the_same() {
    let full = std::env::var_os("XTASK_FULL").is_some();
    let cached = which::which("ccache").is_ok();
    let mut here = project();
    // Survives the test, so that the next one compiles less.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ccache");
    here.set("CCACHE_DIR", cache.to_str().unwrap());
    let base = here.read("packaging/dist.toml");
    let mut elsewhere = None;
    for (freezer, layout) in [
        ("pyinstaller", "onefile"),
        ("pyinstaller", "folder"),
        ("nuitka", "folder"),
        ("nuitka", "onefile"),
    ] {
        let is_nuitka = freezer == "nuitka";
        if is_nuitka && layout == "onefile" && !full {
            continue;
        }
        let stage = freeze(&here, &base, freezer, layout);
        expect![[r#"
            texts/renamed.txt: a note
            folder/deep/a.txt: deep
            folder/script.py: code
            folder/with = : * .txt: strange
            altgraph.Dot: present
            wave: present
            packaging: absent
            packaging.version: absent
            helper: does without
        "#]]
        .assert_eq(&finds(&stage, layout));
        if is_nuitka && !full && !cached {
            continue;
        }
        let first = contents(&stage);
        let elsewhere =
            elsewhere.get_or_insert_with(|| here.copy_to("another, rather longer place"));
        let second = contents(&freeze(elsewhere, &base, freezer, layout));
        let differ = first.iter().filter(|it| second.get(it.0) != Some(it.1));
        let differ: Vec<_> = differ.map(|it| it.0).collect();
        assert!(differ.is_empty(), "{freezer} {layout}: {differ:?}");
        assert_eq!(first.len(), second.len(), "{freezer} {layout}");
        if is_nuitka && layout == "folder" && cached {
            one_module_compiles_alone(elsewhere, &base);
        }
    }
}
