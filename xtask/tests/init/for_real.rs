//! What `init` wrote, used by the real cargo and the real package managers.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::{Repo, contents, text};

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
