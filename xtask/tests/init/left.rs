//! What `init` cannot do by itself, and says.

use super::*;

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
