//! Where the versions of tools come from that the workflows install.

use expect_test::{Expect, expect};
use xtask::ci;

use super::{generate::SIDECAR, world::World};

/// Instead of a file's text: it is not there.
const GONE: &str = "gone";

/// Where each tool's version comes from, as lines of a workflow.
#[track_caller]
fn versions(dist: &str, files: &[(&str, &str)], expected: Expect) {
    let world = World::new(&format!("{SIDECAR}{dist}"));
    for (path, text) in files {
        match *text {
            GONE => fs_err::remove_file(world.root.join(path)).unwrap(),
            text => world.write(path, text),
        }
    }
    let (_, _, stderr) = world.run(&["ci", "generate"]);
    assert_eq!(stderr, "");
    let text = world.read(ci::CI);
    let about = [
        "version",
        "rustup",
        "corepack",
        "RUSTUP",
        "cache:",
        "action-setup",
        "setup-bun",
        "latest",
        "package_json",
    ];
    let job = text.split("  dist:\n").nth(1).unwrap();
    let env = text.lines().filter(|it| it.contains("RUSTUP"));
    let lines = env.chain(
        job.lines()
            .filter(|it| about.iter().any(|word| it.contains(word))),
    );
    expected.assert_eq(
        &lines
            .map(|it| format!("{}\n", it.trim()))
            .collect::<String>(),
    );
}

#[test]
fn versions_come_from_the_repository() {
    versions(
        "",
        &[],
        expect![[r#"
            RUSTUP_TOOLCHAIN: stable
            run: rustup toolchain install stable --profile minimal --no-self-update
            node-version-file: package.json
            cache: npm
            python-version: "3.x"
            cache: pip
        "#]],
    );
    versions(
        "[ci]\nrust = '1.95.0'\nnode = '22'\npython = '3.12'\n",
        &[(".nvmrc", "20")],
        expect![[r#"
            RUSTUP_TOOLCHAIN: "1.95.0"
            run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
            node-version: "22"
            cache: npm
            python-version: "3.12"
            cache: pip
        "#]],
    );
    versions(
        "",
        &[
            (".nvmrc", "20"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = '1.90'\n"),
            (
                "sidecar/pyproject.toml",
                "[project]\nrequires-python = '>=3.11'\n",
            ),
            ("pnpm-lock.yaml", ""),
            ("package-lock.json", GONE),
        ],
        expect![[r#"
            run: rustup toolchain install --no-self-update
            - uses: pnpm/action-setup@0ebf47130e4866e96fce0953f49152a61190b271 # v6.0.9
            version: latest
            node-version-file: ".nvmrc"
            cache: pnpm
            python-version-file: sidecar/pyproject.toml
            cache: pip
        "#]],
    );
}

/// rustup would find it in the host's folder, where no command of the workflows runs.
#[test]
fn a_toolchain_beside_the_host() {
    let check = |path: &str, text: &str, expected: Expect| {
        let world = World::new("[ci]\nchecks = ['test', 'dist']\n");
        world.write(path, text);
        let (_, _, stderr) = world.run(&["ci", "generate"]);
        let mut shown = stderr;
        if shown.is_empty() {
            let text = world.read(ci::CI);
            let lines = text
                .lines()
                .filter(|it| it.to_lowercase().contains("rustup"));
            shown = lines.map(|it| format!("{}\n", it.trim())).collect();
        }
        expected.assert_eq(&shown);
    };
    check(
        "src-tauri/rust-toolchain.toml",
        "[toolchain]\nchannel = '1.90'\ncomponents = ['clippy', 'rust-src']\ntargets = ['aarch64-apple-darwin']\n",
        expect![[r#"
            RUSTUP_TOOLCHAIN: "1.90"
            run: rustup toolchain install 1.90 --profile minimal --component clippy,rust-src,rustfmt --target aarch64-apple-darwin --no-self-update
            run: rustup toolchain install 1.90 --profile minimal --component clippy,rust-src --target aarch64-apple-darwin --no-self-update
        "#]],
    );
    check(
        "src-tauri/rust-toolchain",
        "1.91.0\n",
        expect![[r#"
        RUSTUP_TOOLCHAIN: "1.91.0"
        run: rustup toolchain install 1.91.0 --profile minimal --component clippy,rustfmt --no-self-update
        run: rustup toolchain install 1.91.0 --profile minimal --no-self-update
    "#]],
    );
    check(
        "rust-toolchain",
        "1.91.0\n",
        expect![[r#"
        run: rustup toolchain install --no-self-update
        run: rustup toolchain install --no-self-update
    "#]],
    );
    check(
        "src-tauri/rust-toolchain.toml",
        "[toolchain]\npath = '/opt/rust'\n",
        expect![[r#"
            error: src-tauri/rust-toolchain.toml names no toolchain that can be installed
              hint: give it a `channel`, or name one: `rust = "1.95.0"` in `[ci]` of packaging/dist.toml
        "#]],
    );
}

/// Where a package manager comes from that Node.js has not.
#[track_caller]
fn manager(lock: &str, files: &[(&str, &str)], expected: Expect) {
    let gone = ("package-lock.json", GONE);
    let plain = ("package.json", r#"{"scripts": {"build": "true"}}"#);
    let python = ("sidecar/requirements.txt", "");
    let files = [&[gone, plain, python, (lock, "")], files].concat();
    versions("[ci]\nrust = '1.95.0'\npython = '3.12'\n", &files, expected);
}

#[test]
fn each_package_manager_is_installed() {
    let says =
        |text: &str| format!(r#"{{"scripts": {{"build": "x"}}, "packageManager": "{text}"}}"#);
    manager(
        "pnpm-lock.yaml",
        &[],
        expect![[r#"
        RUSTUP_TOOLCHAIN: "1.95.0"
        run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
        - uses: pnpm/action-setup@0ebf47130e4866e96fce0953f49152a61190b271 # v6.0.9
        version: latest
        node-version: lts/*
        cache: pnpm
        python-version: "3.12"
        cache: pip
    "#]],
    );
    manager(
        "pnpm-lock.yaml",
        &[("package.json", &says("pnpm@10.1.0"))],
        expect![[r#"
            RUSTUP_TOOLCHAIN: "1.95.0"
            run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
            - uses: pnpm/action-setup@0ebf47130e4866e96fce0953f49152a61190b271 # v6.0.9
            package_json_file: package.json
            node-version: lts/*
            cache: pnpm
            python-version: "3.12"
            cache: pip
        "#]],
    );
    manager(
        "bun.lock",
        &[("package.json", &says("bun@1.3.0"))],
        expect![[r#"
            RUSTUP_TOOLCHAIN: "1.95.0"
            run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
            - uses: oven-sh/setup-bun@0c5077e51419868618aeaa5fe8019c62421857d6 # v2.2.0
            bun-version-file: package.json
            no-cache: true
            node-version: lts/*
            package-manager-cache: false
            python-version: "3.12"
            cache: pip
        "#]],
    );
    manager(
        "yarn.lock",
        &[],
        expect![[r#"
        RUSTUP_TOOLCHAIN: "1.95.0"
        run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
        node-version: "24"
        package-manager-cache: false
        run: corepack enable
        python-version: "3.12"
        cache: pip
    "#]],
    );
    manager(
        "yarn.lock",
        &[(".nvmrc", "v20.1.0")],
        expect![[r#"
        RUSTUP_TOOLCHAIN: "1.95.0"
        run: rustup toolchain install 1.95.0 --profile minimal --no-self-update
        node-version-file: ".nvmrc"
        package-manager-cache: false
        run: corepack enable
        python-version: "3.12"
        cache: pip
    "#]],
    );
    let world = World::new("[ci]\nnode = '26'\n");
    world.use_lock("yarn.lock");
    let (_, _, stderr) = world.run(&["ci", "generate"]);
    expect![[r#"
        error: Yarn comes by Node.js's Corepack, which Node.js 26 does not have
          hint: name one up to 24: `node = "24"` in `[ci]` of packaging/dist.toml
    "#]]
    .assert_eq(&stderr);
}
