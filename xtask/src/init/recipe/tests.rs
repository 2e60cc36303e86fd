//! Files that are there, and what they say once the recipe is in them.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(outcome: Result<String>, expected: Expect) {
    let text = outcome.unwrap_or_else(|it| format!("error: {it:#}"));
    expected.assert_eq(&text.replace('\r', "␍"));
}

#[test]
fn the_alias_comes_beside_others() {
    check(
        alias(None, "tasks"),
        expect![[r#"
        [alias]
        xtask = "run --quiet --locked --package tasks --bin tasks --"
    "#]],
    );
    check(
        alias(
            Some("# ours\r\n[alias] # short\r\nb = 'build'\r\n\r\n[build]\r\njobs = 2"),
            "tasks",
        ),
        expect![[r##"
            # ours␍
            [alias] # short␍
            xtask = "run --quiet --locked --package tasks --bin tasks --"␍
            b = 'build'␍
            ␍
            [build]␍
            jobs = 2"##]],
    );
    check(
        alias(Some("[net]\nretry = 3\n\n\n"), "tasks"),
        expect![[r#"
        [net]
        retry = 3

        [alias]
        xtask = "run --quiet --locked --package tasks --bin tasks --"
    "#]],
    );
    check(
        alias(Some("alias.b = 'build'\n"), "tasks"),
        expect![[
            r#"error: write this beside its other aliases: xtask = "run --quiet --locked --package tasks --bin tasks --""#
        ]],
    );
    check(
        alias(Some("[alias]\nxtask = 'run -p helper --'\n"), "tasks"),
        expect![[
            r#"error: it has another alias `xtask`: "run -p helper --". Rename that, or call `cargo run --package tasks --` instead of `cargo xtask`"#
        ]],
    );
    let own = "[alias]\nxtask = 'run -q -p tasks --'\n";
    assert_eq!(alias(Some(own), "tasks").unwrap(), own);
    check(
        alias(Some("[alias\n"), "tasks"),
        expect![[r#"
        error: it is not TOML: TOML parse error at line 1, column 7
          |
        1 | [alias
          |       ^
        unclosed table, expected `]`
    "#]],
    );
}

#[test]
fn the_package_becomes_a_member() {
    let root = tempfile::tempdir().unwrap();
    let check = |manifest: &str, expected: Expect| {
        fs_err::write(root.path().join("Cargo.toml"), manifest).unwrap();
        let tree = Tree::of(root.path());
        let source = Source::Path("vendor/xtask/xtask".to_owned());
        check(
            workspace(&tree, &Package::all(&tree), "tasks", &source),
            expected,
        );
    };
    check(
        "[workspace]\nmembers = [\"src-tauri\"] # the app\n",
        expect![[r#"
            [workspace]
            exclude = ["vendor/xtask"]
            members = ["src-tauri", "tasks"] # the app
        "#]],
    );
    check(
        "[workspace]\r\nmembers = [\r\n  'a', # first\r\n  'b' # last\r\n]\r\nexclude = ['vendor/xtask']\r\n",
        expect![[r#"
            [workspace]␍
            members = [␍
              'a', # first␍
              'b', # last␍
              "tasks",␍
            ]␍
            exclude = ['vendor/xtask']␍
        "#]],
    );
    check(
        "[workspace]\nmembers = [\n\t\"a\",\n]\n[profile.release]\nlto = true\n",
        expect![[r#"
            [workspace]
            exclude = ["vendor/xtask"]
            members = [
            	"a",
            	"tasks",
            ]
            [profile.release]
            lto = true
        "#]],
    );
    check(
        "[package]\nname = 'top'\n",
        expect![[r#"
        [package]
        name = 'top'

        [workspace]
        members = ["tasks"]
        exclude = ["vendor/xtask"]
    "#]],
    );
    check(
        "workspace = { members = [] }\n",
        expect![[r#"error: write `exclude = ["vendor/xtask"]` beside the rest of `workspace`"#]],
    );
    check(
        "workspace.resolver = '3'\n",
        expect![[r#"error: write `members = ["tasks"]` beside the rest of `workspace`"#]],
    );
}

/// A repository with these files.
fn repository(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let tree = Tree::of(root.path());
    (root, tree)
}

#[test]
fn what_has_the_name_of_the_program_and_is_another_is_left() {
    let check = |files: &[(&str, &str)], expected: &str| {
        let (_root, tree) = repository(files);
        let found = Program::of(&tree, &Package::all(&tree));
        let shown = found.map_or_else(
            |error| format!("{error:#}"),
            |it| format!("{}: {} {}", it.dir, it.package, it.exists),
        );
        assert_eq!(shown, expected, "{files:?}");
    };
    let other = "[package]\nname = 'tasks'\n";
    let own = "[package]\nname = 'tasks'\n[dependencies]\nxtask.git = 'https://a.org/b'\n";
    let renamed =
        "[package]\nname = 'ship'\n[dependencies]\nr = { package = 'xtask', path = 'x' }\n";
    check(&[], "tasks: tasks false");
    check(&[("tasks/Cargo.toml", own)], "tasks: tasks true");
    check(
        &[("tasks/Cargo.toml", other)],
        "release-tasks: release-tasks false",
    );
    check(
        &[("vendor/tasks/Cargo.toml", other)],
        "release-tasks: release-tasks false",
    );
    check(
        &[("tasks/list.md", ""), ("release-tasks/Cargo.toml", renamed)],
        "release-tasks: ship true",
    );
    check(
        &[
            ("tasks/list.md", ""),
            ("release-tasks/list.md", ""),
            ("a/Cargo.toml", "[package]\nname = 'xtask-tasks'\n"),
        ],
        "all names for the program are taken, by folders or packages: tasks, release-tasks, xtask-tasks\n\
         hint: rename one",
    );
}

/// Cargo looks for a workspace above each of them, and refuses to work where the one that it finds does not
/// name it.
#[test]
fn packages_of_others_stay_out_of_a_new_workspace() {
    let package = "[package]\nname = 'a'\n";
    let (_root, tree) = repository(&[
        ("src-tauri/Cargo.toml", package),
        ("src-tauri/helper/Cargo.toml", package),
        ("src-tauri-old/Cargo.toml", package),
        ("vendor/one/Cargo.toml", package),
        ("vendor/two/Cargo.toml", package),
        ("build/tool/Cargo.toml", package),
        ("module/.git", "gitdir: ../.git/modules/module\n"),
        ("module/Cargo.toml", "[package\n"),
        ("target/package/a/Cargo.toml", package),
        ("node_modules/a/Cargo.toml", package),
        ("tests/fixtures/a/Cargo.toml", package),
    ]);
    let source = Source::Path("vendor/xtask/xtask".to_owned());
    let text = new_workspace(&Package::all(&tree), "tasks", &source);
    let line = text.lines().find(|it| it.starts_with("exclude")).unwrap();
    expect![[r#"exclude = ["build/tool", "module", "src-tauri", "src-tauri-old", "tests/fixtures", "vendor"]"#]].assert_eq(line);
}

/// A copy, since nothing outside of the package is there where it is vendored.
#[test]
fn the_profile_is_that_of_this_repository() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let own = fs_err::read_to_string(own).unwrap().replace("\r\n", "\n");
    let profile = PROFILE.replace("\r\n", "\n");
    assert!(
        profile.contains("[profile.dev.package]") && own.ends_with(&profile),
        "copy what stands behind the lints of Cargo.toml into xtask/src/init/profile.toml"
    );
}
