//! `cargo xtask init` in repositories of several layouts, as a person calls it.

#[path = "init/for_real.rs"]
mod for_real;
#[path = "init/left.rs"]
mod left;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use expect_test::{Expect, expect, expect_file};
use serde_json::Value;
use xtask::config;

/// Where the recipe says that the library comes from.
const SOURCE: &str = "https://example.org/xtask.git#0123abc";

/// A copy of a fixture that may be written to.
struct Repo(tempfile::TempDir);

impl Repo {
    fn of(name: &str) -> Self {
        let repo = Self(tempfile::tempdir().unwrap());
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/init");
        for (path, text) in contents(&fixture.join(name)) {
            repo.write(&path, &text);
        }
        repo
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn xtask(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).current_dir(self.root());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What it prints with further programs, and its exit code unless that is 0.
    fn xtask_with(&self, programs: &Path, words: &[&str]) -> String {
        let inherited = std::env::var_os("PATH").unwrap();
        let path = std::env::split_paths(&inherited);
        let path = std::env::join_paths([programs.to_owned()].into_iter().chain(path)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).current_dir(self.root());
        text(
            &command
                .env("PATH", path)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }

    /// What `init` prints, and its exit code unless that is 0.
    fn init(&self, words: &[&str]) -> String {
        let root = self.root();
        let mut all = vec!["init", "--root", root.to_str().unwrap()];
        if !words.contains(&"--source") {
            all.extend(["--source", SOURCE]);
        }
        text(&self.xtask(&[&all, words].concat()))
    }
}

fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => text,
        code => format!("{text}exit {code:?}\n"),
    }
}

/// A program that has a version and does nothing.
fn stand_in(folder: &Path, name: &str) {
    #[cfg(windows)]
    fs::write(folder.join(format!("{name}.cmd")), "@echo 9.15.0\r\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.join(name);
        fs::write(&file, "#!/bin/sh\necho 9.15.0\n").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Every file below a folder, by path.
fn contents(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                // What `plan` and git leave.
                true if path.ends_with(".git") || path.ends_with("target") => {}
                true => folders.push(path),
                false => {
                    let inner = path.strip_prefix(root).unwrap();
                    let inner = inner.to_str().unwrap().replace('\\', "/");
                    all.insert(inner, fs::read_to_string(&path).unwrap());
                }
            }
        }
    }
    all
}

/// Without what other tests look at: the workflows, and the tables that are copied from this
/// repository's manifest.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    let mut is_left_out = false;
    for line in text.lines() {
        let is_change = line.starts_with(['+', '@']) && !line.starts_with("+++");
        if line.starts_with("+++ b/.github") || line.starts_with("+# Hashing, compression") {
            short += &format!("{}\n…\n", line);
            is_left_out = true;
        } else if !is_left_out || !is_change {
            is_left_out = false;
            short += &format!("{line}\n");
        }
    }
    short
}

/// What `init` shows and writes; that it is a configuration with which the other commands work; and that a
/// second time there is nothing to write.
/// `manager` installs the front end's packages.
#[track_caller]
fn check(name: &str, manager: Option<&str>) {
    let repo = Repo::of(name);
    let before = contents(&repo.root());
    let shown = repo.init(&[]);
    expect_file![format!("init/{name}.txt")].assert_eq(&shortened(&shown));
    assert_eq!(
        contents(&repo.root()),
        before,
        "it was asked nothing, yet it wrote"
    );

    let written = repo.init(&["--yes"]);
    assert!(written.contains("\nwritten\n"), "{written}");
    let after = contents(&repo.root());
    expect_file![format!("init/{name}.toml")].assert_eq(&after[config::FILE]);
    for (path, text) in &before {
        let kept = text.lines().all(|it| after[path].contains(it));
        assert!(kept, "{path} lost a line:\n{}", after[path]);
    }

    let config = config::load(&repo.root(), None).unwrap();
    assert_eq!(config.file, Some(repo.root().join(config::FILE)));
    // A package manager of no version that matters: not every machine has every one.
    let programs = tempfile::tempdir().unwrap();
    manager.iter().for_each(|it| stand_in(programs.path(), it));
    let doctor = repo.xtask_with(programs.path(), &["doctor"]);
    for tool in ["cargo", "git"].into_iter().chain(manager) {
        let row = doctor
            .lines()
            .find(|it| it.starts_with(&format!("{tool} ")));
        assert!(
            row.is_some_and(|it| !it.contains("missing")),
            "{tool}: {doctor}"
        );
    }
    assert!(!doctor.contains("the configuration has"), "{doctor}");
    let plan = repo.xtask_with(programs.path(), &["plan"]);
    assert!(!plan.contains("\nexit "), "{plan}");
    assert!(plan.contains("\nseal "), "{plan}");
    let generated = text(&repo.xtask(&["ci", "generate", "--check"]));
    assert!(!generated.contains("exit"), "{generated}");

    let again = repo.init(&["--yes"]);
    assert!(
        again.contains("\nnothing to write: the repository has it all\n"),
        "{again}"
    );
    assert!(!again.contains("+++"), "{again}");
    assert_eq!(contents(&repo.root()), after);
}

#[test]
fn app_at_the_root_with_pnpm_and_next() {
    check("next-at-the-root", Some("pnpm"));
}

#[test]
fn monorepo_with_packages_desktop() {
    check("monorepo", Some("npm"));
}

#[test]
fn vite_without_a_sidecar() {
    check("vite-without-a-sidecar", Some("npm"));
}

#[test]
fn sidecars_that_are_no_python() {
    check("sidecar-in-go", None);
}

#[track_caller]
fn check_error(name: &str, words: &[&str], expected: Expect) {
    let repo = Repo::of(name);
    let before = contents(&repo.root());
    let shown = repo.init(&[&["--yes"], words].concat());
    expected.assert_eq(&shown.replace(repo.root().to_str().unwrap(), "ROOT"));
    assert_eq!(contents(&repo.root()), before);
}

#[test]
fn what_is_no_repository_of_one_app_of_tauri_2() {
    check_error(
        "tauri-1",
        &[],
        expect![[r#"
        error: src-tauri/tauri.conf.json is of Tauri 1: it has `tauri`, which Tauri 2 does not know
          hint: migrate the app first: `npm install @tauri-apps/cli@2`, then `npx tauri migrate`
        exit Some(1)
    "#]],
    );
    check_error(
        "two-apps",
        &[],
        expect![[r#"
        error: there are several Tauri apps: apps/editor/src-tauri, apps/viewer/src-tauri
          hint: a configuration is about one: name its folder, --app apps/editor/src-tauri
        exit Some(1)
    "#]],
    );
    check_error(
        "two-apps/apps/editor/web",
        &[],
        expect![[r#"
        error: there is no Tauri app: none of tauri.conf.json, tauri.conf.json5, Tauri.toml is in here or below
          hint: call it in the repository of the app, or name that with --root
        exit Some(1)
    "#]],
    );
    check_error(
        "two-apps",
        &["--app", "../elsewhere"],
        expect![[r#"
        error: --app lies outside of the repository
        exit Some(1)
    "#]],
    );
    check_error(
        "monorepo",
        &["--source", "services"],
        expect![[r#"
        error: ROOT/services is no package with the name xtask
          hint: --source takes the folder `xtask` of its repository, or the address of that repository
        exit Some(1)
    "#]],
    );
    let repo = Repo::of("two-apps");
    let shown = repo.init(&["--app", "apps/viewer", "--yes"]);
    assert!(
        shown.contains("apps/viewer/src-tauri/tauri.conf.json (Viewer)"),
        "{shown}"
    );
    let config = config::load(&repo.root(), None).unwrap();
    assert_eq!(config.product.name, "Viewer");
}

#[test]
fn a_broken_configuration_names_its_line() {
    let repo = Repo::of("vite-without-a-sidecar");
    repo.write("src-tauri/Tauri.toml", "identifier = \"a\"\n[build\n");
    let shown = repo
        .init(&[])
        .replace(repo.root().to_str().unwrap(), "ROOT");
    expect![[r#"
        error: the Tauri configuration cannot be read
          cause: ROOT/src-tauri/Tauri.toml:2:7: unclosed table, expected `]`
          hint: mend src-tauri/Tauri.toml, and call it again
        exit Some(1)
    "#]]
    .assert_eq(&shown);
}

/// A `dist.toml` of somebody's own counts, is left, and differs from what would be written.
#[test]
fn a_configuration_that_is_there_is_left() {
    let repo = Repo::of("vite-without-a-sidecar");
    repo.write(config::FILE, "# Mine.\n[ci]\nrust = \"1.95.0\"\n");
    let shown = repo.init(&["--yes"]);
    assert!(
        shown.contains("packaging/dist.toml is there and is left as it is"),
        "{shown}"
    );
    assert!(shown.contains("| -# Mine.\n"), "{shown}");
    assert_eq!(
        repo.read(config::FILE),
        "# Mine.\n[ci]\nrust = \"1.95.0\"\n"
    );
    assert!(repo.read(".github/workflows/ci.yml").contains("1.95.0"));
}

/// Workflows, a folder `tasks` and another alias of somebody's own stay, too.
#[test]
fn what_somebody_else_wrote_stays() {
    let repo = Repo::of("sidecar-in-go");
    repo.write(".github/workflows/release.yml", "on: push\n");
    repo.write("tasks/list.md", "- all\n");
    let shown = repo.init(&["--yes"]);
    assert!(
        shown.contains("release.yml is there and is left"),
        "{shown}"
    );
    assert_eq!(repo.read(".github/workflows/release.yml"), "on: push\n");
    assert_eq!(
        repo.read(".cargo/config.toml"),
        "[alias]\nxtask = \"run --package helper --\"\n"
    );
    assert!(
        repo.read("release-tasks/Cargo.toml")
            .contains("name = \"release-tasks\"")
    );
    assert!(
        repo.read("Cargo.toml")
            .contains("members = [\"release-tasks\"]")
    );
}

/// Where something is missing, what was found is written all the same, and the rest is named.
#[test]
fn what_is_missing_is_left_to_do() {
    let repo = Repo::of("next-at-the-root");
    fs::remove_file(repo.root().join("pnpm-lock.yaml")).unwrap();
    fs::remove_file(repo.root().join("python/requirements.txt")).unwrap();
    let shown = repo.init(&["--yes"]);
    let (_, left) = shown.split_once("left to do:\n").unwrap();
    expect![[r#"
        - the workflows, once the configuration is whole (`cargo xtask ci generate` writes them): the configuration has 2 problems
          packaging/dist.toml:13:19: no lock file of pnpm at or above `.`
             |
          13 | package-manager = "pnpm"
             |                   ^^^^^^ looked for `pnpm-lock.yaml`
          packaging/dist.toml:27:8: `python` has no requirements.lock
             |
          27 | name = "atlas-engine"
             |        ^^^^^^^^^^^^^^ write it with `uv pip compile --generate-hashes`, or name another in `lock`
        - the sidecar `atlas-engine` has to print READY and to end when its stdin is closed, if it does not yet: each is started before it is shipped
        written
        next: cargo update --workspace && cargo xtask doctor
    "#]].assert_eq(left);
    assert!(repo.read(config::FILE).contains("name = \"atlas-engine\""));
    assert!(!repo.root().join(".github").exists());
}

#[test]
fn what_is_shown_is_a_patch() {
    let own = |repo: &Repo| {
        repo.write(".github/workflows/release.yml", "on: push\n");
        repo.write(config::FILE, "# Mine.\n");
    };
    let repo = Repo::of("monorepo");
    own(&repo);
    let patch = repo.init(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), patch).unwrap();
    let applied = Repo::of("monorepo");
    own(&applied);
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        let output = git
            .args(words)
            .current_dir(applied.root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["apply", file.path().to_str().unwrap()]);
    repo.init(&["--yes"]);
    assert_eq!(contents(&applied.root()), contents(&repo.root()));
    assert_eq!(applied.read(config::FILE), "# Mine.\n");
}

#[test]
fn programs_read_what_it_does() {
    let repo = Repo::of("vite-without-a-sidecar");
    let check = |words: &[&str], written: bool, states: &[&str]| {
        let shown = repo.init(&[&["--format", "json"], words].concat());
        let value: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value["written"], written, "{shown}");
        let files = value["files"].as_array().unwrap().iter();
        let found: Vec<&str> = files.map(|it| it["state"].as_str().unwrap()).collect();
        assert_eq!(found, states);
    };
    check(&[], false, &["new"; 8]);
    check(&["--yes"], true, &["new"; 8]);
    check(&["--yes"], false, &["same"; 8]);
}
