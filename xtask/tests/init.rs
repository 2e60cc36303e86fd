//! `cargo xtask init` in repositories of several layouts, as a person calls it.

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
#[track_caller]
fn check(name: &str) {
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
    let doctor = text(&repo.xtask(&["doctor"]));
    assert!(doctor.contains("cargo"), "{doctor}");
    assert!(!doctor.contains("the configuration has"), "{doctor}");
    let plan = text(&repo.xtask(&["plan"]));
    // Not every machine has every package manager.
    let is_planned = !plan.contains("exit") || doctor.contains("missing");
    assert!(is_planned && plan.contains("seal"), "{plan}");
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
    check("next-at-the-root");
}

#[test]
fn monorepo_with_packages_desktop() {
    check("monorepo");
}

#[test]
fn vite_without_a_sidecar() {
    check("vite-without-a-sidecar");
}

#[test]
fn sidecars_that_are_no_python() {
    check("sidecar-in-go");
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
    assert!(shown.contains("-# Mine.\n"), "{shown}");
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
            .contains("name = \"tasks\"")
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
          packaging/dist.toml:17:8: `python` has no requirements.lock
             |
          17 | name = "atlas-engine"
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
    let repo = Repo::of("monorepo");
    let patch = repo.init(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), patch).unwrap();
    let applied = Repo::of("monorepo");
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

/// Package managers as npm's registry has them, and the lock file that each writes.
const MANAGERS: [(&str, &str); 2] = [
    ("pnpm@9.15.9", "pnpm-lock.yaml"),
    ("yarn@1.22.22", "yarn.lock"),
];

/// The front end of a real repository is really built by what `init` found, with packages that were really
/// installed.
#[test]
fn slow_front_ends_are_built_by_their_package_manager() {
    let programs = tempfile::tempdir().unwrap();
    let run = |program: &Path, words: &[&str], dir: &Path, path: &str| -> String {
        let mut command = Command::new(program);
        let output = command
            .args(words)
            .current_dir(dir)
            .env("PATH", path)
            .output();
        text(&output.unwrap())
    };
    let npm = which::which("npm").unwrap();
    let inherited = std::env::var("PATH").unwrap();
    let mut install = vec!["install", "--no-audit", "--no-fund", "--prefix", "."];
    install.extend(MANAGERS.map(|it| it.0));
    let installed = run(&npm, &install, programs.path(), &inherited);
    assert!(!installed.contains("\nexit "), "{installed}");
    let own = programs.path().join("node_modules/.bin");
    let path = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&inherited)));
    let path = path.unwrap().into_string().unwrap();

    for (manager, lock) in MANAGERS {
        let name = manager.split('@').next().unwrap();
        let repo = Repo::of("vite-without-a-sidecar");
        fs::remove_file(repo.root().join("package-lock.json")).unwrap();
        repo.write(
            "package.json",
            r#"{"name": "pad", "private": true, "type": "module", "scripts": {"build": "node build.js"},
                "devDependencies": {"nanoid": "5.0.9", "@tauri-apps/cli": "2.12.3"}}"#,
        );
        repo.write(
            "build.js",
            "import { mkdirSync, writeFileSync } from 'node:fs';\nimport { customAlphabet } from 'nanoid';\n\
             mkdirSync('dist', { recursive: true });\nwriteFileSync('dist/index.html', customAlphabet('a', 9)());\n",
        );
        repo.write(
            "src-tauri/Tauri.toml",
            &repo.read("src-tauri/Tauri.toml").replace("npm run", name),
        );
        let program = which::which_in(name, Some(&path), repo.root()).unwrap();
        let locked = run(&program, &["install"], &repo.root(), &path);
        assert!(repo.root().join(lock).is_file(), "{locked}");
        fs::remove_dir_all(repo.root().join("node_modules")).unwrap();

        let shown = repo.init(&["--yes"]);
        assert!(
            shown.contains(&format!(".: script `build`, by {name}")),
            "{shown}"
        );
        let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
        let git = which::which("git").unwrap();
        run(&git, &["init", "--quiet"], &repo.root(), &path);
        let words = ["dist", "--unsigned", "--until", "frontend"];
        let built = run(xtask, &words, &repo.root(), &path);
        assert!(!built.contains("\nexit "), "{built}");
        assert!(
            built.contains(&format!("$ {name} install --frozen-lockfile")),
            "{built}"
        );
        let stages = contents(&repo.root().join("target/dist/linux/stages"));
        let page = stages.iter().find(|it| it.0.ends_with("index.html"));
        assert_eq!(page.map(|it| it.1.as_str()), Some("aaaaaaaaa"), "{built}");
        let again = run(xtask, &words, &repo.root(), &path);
        assert!(again.contains("1 reused, 6 left out"), "{again}");
    }
}
