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
        alias(None),
        expect![[r#"
        [alias]
        xtask = "run --quiet --locked --package tasks --bin tasks --"
    "#]],
    );
    check(
        alias(Some(
            "# ours\r\n[alias] # short\r\nb = 'build'\r\n\r\n[build]\r\njobs = 2",
        )),
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
        alias(Some("[net]\nretry = 3\n\n\n")),
        expect![[r#"
        [net]
        retry = 3

        [alias]
        xtask = "run --quiet --locked --package tasks --bin tasks --"
    "#]],
    );
    check(
        alias(Some("alias.b = 'build'\n")),
        expect![[
            r#"error: write this beside its other aliases: xtask = "run --quiet --locked --package tasks --bin tasks --""#
        ]],
    );
    check(
        alias(Some("[alias]\nxtask = 'run -p helper --'\n")),
        expect![[
            r#"error: it has another alias `xtask`: "run -p helper --". Rename that, or call `cargo run --package tasks --` instead of `cargo xtask`"#
        ]],
    );
    let own = "[alias]\nxtask = 'run -q -p tasks --'\n";
    assert_eq!(alias(Some(own)).unwrap(), own);
    check(
        alias(Some("[alias\n")),
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
        check(workspace(&tree, "tasks", &source), expected);
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
