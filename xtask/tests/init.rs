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

/// What somebody has to do who starts with nothing but an app.
#[test]
fn what_is_left_to_do() {
    let repo = Repo::of("vite-without-a-sidecar");
    fs::remove_file(repo.root().join("package-lock.json")).unwrap();
    repo.write("pnpm-lock.yaml", "lockfileVersion: '9.0'\n");
    let package = repo.read("package.json");
    repo.write("package.json", &package.replace("1.0.0", "1.0.1"));
    repo.write(
        "Cargo.toml",
        "[package]\nname = \"pad-core\"\nversion = \"0.9.0\"\n",
    );
    repo.write("tasks/Cargo.toml", "[package]\nname = \"tasks\"\n");
    repo.write(
        ".github/workflows/test.yml",
        "steps:\n  - uses: actions/setup-node@v4\n    with:\n      node-version: '22.4' # LTS\n  \
         - uses: dtolnay/rust-toolchain@1.90.0\n  - with:\n      python-version: 3.11\n  - with:\n      \
         python-version: 3.12\n",
    );
    let shown = repo.init(&["--yes"]);
    let (_, left) = shown.split_once("left to do:\n").unwrap();
    expect![[r#"
        - package.json does not say which pnpm, so the workflows take the latest: "packageManager": "pnpm@…", with what `pnpm --version` prints
        - one version everywhere, `cargo xtask version set 1.0.0`: a release would have 1.0.0, but package.json:4 says 1.0.1
        - a key: `npx tauri signer generate -w my.key` makes one, whose text is the secret TAURI_SIGNING_PRIVATE_KEY. Commit my.key.pub, say as packaging/keys/minisign.pub, and name that in `public-key` of `[sign.minisign]`: the last job publishes nothing that it cannot hold against it
        - the secrets of the environment `release` on GitHub, without which its jobs refuse a release (docs/ci.md, docs/signing.md). For every target: TAURI_SIGNING_PRIVATE_KEY, TAURI_SIGNING_PRIVATE_KEY_PASSWORD
          x86_64-pc-windows-msvc: WIN_CSC_LINK, WIN_CSC_KEY_PASSWORD
          aarch64-apple-darwin: APPLE_CERTIFICATE, APPLE_CERTIFICATE_PASSWORD, APPLE_API_KEY, APPLE_API_ISSUER, APPLE_API_KEY_PATH
          x86_64-apple-darwin: APPLE_CERTIFICATE, APPLE_CERTIFICATE_PASSWORD, APPLE_API_KEY, APPLE_API_ISSUER, APPLE_API_KEY_PATH
        written
        next: cargo update --workspace && cargo xtask doctor
    "#]].assert_eq(left);
    expect![[r##"
        # What `cargo xtask dist` releases. `cargo xtask init` wrote it; the remarks say where each value
        # was found. What is left out here is found in the repository: `cargo xtask config` shows all.

        [app]
        # Tauri.toml is there.
        dir = "src-tauri"

        [frontend]
        # `beforeBuildCommand` of src-tauri/Tauri.toml is `npm run build`.
        dir = "."
        script = "build"
        # pnpm-lock.yaml.
        package-manager = "pnpm"
        # The lock file is at the top, so all of the repository counts as sources of the front end. These
        # are none; add what else it is not made of.
        exclude = ["release-tasks/**", "packaging/**", ".github/**"]

        [release]
        # A job each in the workflows, and what `cargo xtask merge` wants. `dist --release` refuses one
        # whose certificate is missing: take out what is not released.
        targets = ["linux", "windows", "macos", "x86_64-apple-darwin"]

        [ci]
        # What is checked of every change. `test` is left out: it runs Clippy with all warnings as errors,
        # and installs and starts the app. Add it once `cargo xtask test` passes here.
        checks = ["generate", "version", "dist"]
        # .github/workflows/test.yml.
        node = "22.4"
        # .github/workflows/test.yml.
        rust = "1.90.0"
    "##]].assert_eq(&repo.read(config::FILE));
    let workflow = repo.read(".github/workflows/release.yml");
    assert!(
        workflow.contains("22.4") && workflow.contains("1.90.0"),
        "{workflow}"
    );
}

/// Workflows that cannot be written do not keep the rest from being written.
#[test]
fn workflows_that_cannot_be_written_are_left() {
    let repo = Repo::of("vite-without-a-sidecar");
    fs::remove_file(repo.root().join("package-lock.json")).unwrap();
    repo.write("yarn.lock", "# yarn lockfile v1\n");
    repo.write(".nvmrc", "25\n");
    let shown = repo.init(&["--yes"]);
    let (_, left) = shown.split_once("left to do:\n").unwrap();
    let why = "- the workflows, once this is mended (`cargo xtask ci generate` writes them): Yarn comes by Node.js's \
               Corepack, which Node.js 25 does not have\n";
    assert!(left.contains(why), "{left}");
    assert!(repo.root().join(config::FILE).is_file());
    assert!(!repo.root().join(".github").exists());
}

/// The library lies where no other machine has it.
#[test]
fn a_source_outside_of_the_repository_is_named() {
    let repo = Repo::of("vite-without-a-sidecar");
    let library = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"xtask\"\n";
    fs::write(library.path().join("Cargo.toml"), manifest).unwrap();
    let source = library.path().canonicalize().unwrap();
    let shown = repo.init(&["--source", source.to_str().unwrap()]);
    let note = "no other machine has it there, so the workflows cannot build it";
    assert!(shown.contains(note), "{shown}");
}

/// What is written is compiled, with the library of this checkout, and works.
#[test]
fn slow_the_program_is_compiled_and_plans() {
    // All of xtask is compiled once more, for minutes on a small machine.
    if std::env::var_os("XTASK_FULL").is_none() {
        return;
    }
    let repo = Repo::of("sidecar-in-go");
    // With another alias of somebody's own there would be none.
    fs::remove_file(repo.root().join(".cargo/config.toml")).unwrap();
    let shown = repo.init(&["--yes", "--source", env!("CARGO_MANIFEST_DIR")]);
    assert!(shown.contains("\nwritten\n"), "{shown}");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, repo.root().join("Cargo.lock")).unwrap();
    let cargo = |words: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(words).current_dir(repo.root());
        // Kept between runs: it is all of xtask.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("init");
        cargo.env("CARGO_TARGET_DIR", target).stdin(Stdio::null());
        text(&cargo.output().unwrap())
    };
    let locked = cargo(&["update", "--workspace", "--offline"]);
    assert!(!locked.contains("\nexit "), "{locked}");
    let plan = cargo(&["xtask", "plan"]);
    assert!(
        plan.contains("\nseal ") && !plan.contains("\nexit "),
        "{plan}"
    );
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
