//! What only the repository shows to be wrong.

use expect_test::expect;

use super::{check, check_in, load};

#[test]
fn paths_that_do_not_exist() {
    check(
        "[frontend]\ndir = 'web'\n[[sidecar]]\nname = 'a'\ndir = 'nowhere'\n[[sidecar]]\nname = 'b'\nentry = 'no.py'\nlock = 'no.lock'\ndata = [{ from = 'main.py', to = 'm' }, { from = 'no.json', to = 'x' }]\n[archive]\nfiles = ['README.md']\n[sign.minisign]\npublic-key = 'no.pub'\n",
        expect![[r#"
            the configuration has 7 problems

            packaging/dist.toml:2:7: `web` does not exist
              |
            2 | dir = 'web'
              |       ^^^^^

            packaging/dist.toml:5:7: `nowhere` does not exist
              |
            5 | dir = 'nowhere'
              |       ^^^^^^^^^

            packaging/dist.toml:8:9: `sidecar/no.py` does not exist
              |
            8 | entry = 'no.py'
              |         ^^^^^^^

            packaging/dist.toml:9:8: `sidecar/no.lock` does not exist
              |
            9 | lock = 'no.lock'
              |        ^^^^^^^^^

            packaging/dist.toml:10:50: `sidecar/no.json` does not exist
               |
            10 | data = [{ from = 'main.py', to = 'm' }, { from = 'no.json', to = 'x' }]
               |                                                  ^^^^^^^^^

            packaging/dist.toml:12:10: no file matches `README.md`
               |
            12 | files = ['README.md']
               |          ^^^^^^^^^^^

            packaging/dist.toml:14:14: `no.pub` does not exist
               |
            14 | public-key = 'no.pub'
               |              ^^^^^^^^
        "#]],
    );
    check(
        "[app]\ndir = 'sidecar'",
        expect![[r#"
            the configuration has a problem

            packaging/dist.toml:2:7: `sidecar` has no Tauri configuration: tauri.conf.json, tauri.conf.json5, Tauri.toml
              |
            2 | dir = 'sidecar'
              |       ^^^^^^^^^ name the folder of the Tauri host in `app.dir`
        "#]],
    );
}

#[test]
fn only_sound_sections_are_looked_up_beside_wrong_keys() {
    check(
        "[frontend]\nscript = 'biuld'\n[[sidecar]]\nname = 'a'\ndirr = 'x'\nentry = 'x.py'\n",
        expect![[r#"
            the configuration has 2 problems

            packaging/dist.toml:2:10: package.json has no script `biuld`
              |
            2 | script = 'biuld'
              |          ^^^^^^^ did you mean `build`?

            packaging/dist.toml:5:1: unknown key `dirr`
              |
            5 | dirr = 'x'
              | ^^^^ did you mean `dir`?
        "#]],
    );
}

#[test]
fn frontend_must_be_buildable() {
    check(
        "[frontend]\nscript = 'biuld'",
        expect![[r#"
        the configuration has a problem

        packaging/dist.toml:2:10: package.json has no script `biuld`
          |
        2 | script = 'biuld'
          |          ^^^^^^^ did you mean `build`?
    "#]],
    );
    check(
        "[frontend]\npackage-manager = 'pnpm'",
        expect![[r#"
        the configuration has a problem

        packaging/dist.toml:2:19: no lock file of pnpm at or above `.`
          |
        2 | package-manager = 'pnpm'
          |                   ^^^^^^ looked for `pnpm-lock.yaml`
    "#]],
    );
    check_in(
        &[("yarn.lock", "")],
        expect![[r#"
        the configuration has a problem

        several lock files: package-lock.json, yarn.lock
          set `package-manager` in `[frontend]`
    "#]],
    );
    let conf = r#"{"identifier": "a.b", "build": {"frontendDist": "https://example.org"}}"#;
    check_in(
        &[("src-tauri/tauri.conf.json", conf)],
        expect![[r#"
        the configuration has a problem

        `build.frontendDist` of src-tauri/tauri.conf.json is no folder but https://example.org
          set `out` in `[frontend]`, or `enabled = false` if nothing is to be built
    "#]],
    );
}

#[test]
fn hosts_are_ambiguous_or_absent() {
    check_in(
        &[("desktop/src-tauri/tauri.conf.json", "{}")],
        expect![[r#"
            the configuration has a problem

            several Tauri hosts: src-tauri, desktop/src-tauri
              name one in `dir` of `[app]`
        "#]],
    );
    let error = load(&[("README.md", "")]).unwrap_err();
    expect![[r#"
        the configuration has a problem

        no Tauri host found: src-tauri, */src-tauri, apps/*/src-tauri, packages/*/src-tauri have no tauri.conf.json
          name its folder in `dir` of `[app]`"#]].assert_eq(&error);
}

#[test]
fn host_files_are_wrong() {
    let conf = "{\n  \"identifier\": 5\n}";
    check_in(
        &[
            ("src-tauri/tauri.conf.json", conf),
            ("src-tauri/Cargo.toml", "[package]\nname =\n"),
        ],
        expect![[r#"
            the configuration has 2 problems

            src-tauri/Cargo.toml:2:7: string values must be quoted, expected literal string
              |
            2 | name =
              |       ^

            src-tauri/tauri.conf.json:2:17: invalid type: integer `5`, expected a string
              |
            2 |   "identifier": 5
              |                 ^
        "#]],
    );
    let conf = r#"{"identifier": "a.b", "version": "1.x"}"#;
    check_in(
        &[("src-tauri/tauri.conf.json", conf)],
        expect![[r#"
        the configuration has a problem

        src-tauri/tauri.conf.json: `1.x` is not a semantic version
          write three numbers, such as `1.2.3`
    "#]],
    );
    check_in(
        &[("src-tauri/tauri.conf.json", "{}")],
        expect![[r#"
        the configuration has a problem

        src-tauri/tauri.conf.json has no `identifier`
          Tauri needs one
    "#]],
    );
    let conf = r#"{"identifier": "a.b"}"#;
    let bins = "[package]\nname = 'x'\n[[bin]]\nname = 'a'\n[[bin]]\nname = 'b'\n";
    check_in(
        &[
            ("src-tauri/tauri.conf.json", conf),
            ("src-tauri/Cargo.toml", bins),
        ],
        expect![[r#"
            the configuration has a problem

            src-tauri/Cargo.toml has several executables: a, b
              name the app's with `default-run`
        "#]],
    );
    check_in(
        &[
            ("src-tauri/tauri.conf.json", conf),
            ("src-tauri/Cargo.toml", "[package]\nname = 'x'"),
        ],
        expect![[r#"
            the configuration has 2 problems

            src-tauri/tauri.conf.json has no `version`, Cargo.toml neither
              set `version` in one of them

            src-tauri/tauri.conf.json has no `build.frontendDist`
              set `out` in `[frontend]`, or `enabled = false` if nothing is to be built
        "#]],
    );
}

#[test]
fn sections_contradict_each_other() {
    check(
        "[release]\ndir = 'dist/releases'\n[[sidecar]]\nname = 'a'\n[[sidecar]]\nname = 'a'\n[app]\nenv = ['TAURI_*']\n",
        expect![[r#"
            the configuration has 3 problems

            packaging/dist.toml:2:7: the frontend is built into `dist/releases` too
              |
            2 | dir = 'dist/releases'
              |       ^^^^^^^^^^^^^^^ releases need a folder of their own

            packaging/dist.toml:6:8: two sidecars have the name `a`
              |
            6 | name = 'a'
              |        ^^^

            packaging/dist.toml:8:8: `TAURI_*` covers `TAURI_SIGNING_PRIVATE_KEY`, which holds a secret
              |
            8 | env = ['TAURI_*']
              |        ^^^^^^^^^ what decides an output is written down
        "#]],
    );
    check(
        "[sign.windows]\npublisher = 'Example GmbH'\n",
        expect![[r#"
        the configuration has a problem

        packaging/dist.toml:2:13: only the certificates of `azure` and `command` are known by their publisher
          |
        2 | publisher = 'Example GmbH'
          |             ^^^^^^^^^^^^^^ leave it out
    "#]],
    );
    check(
        "[sign.windows]\ncommand-env = ['SM_API_KEY']\n",
        expect![[r#"
            the configuration has a problem

            packaging/dist.toml:2:15: there is no `command` that could read these
              |
            2 | command-env = ['SM_API_KEY']
              |               ^^^^^^^^^^^^^^ leave it out
        "#]],
    );
}

#[test]
fn sidecar_is_not_found() {
    check_in(
        &[
            ("packaging/dist.toml", "[[sidecar]]\nname = 'tool'\n"),
            ("tool/a/__main__.py", ""),
            ("tool/b/__main__.py", ""),
        ],
        expect![[r#"
            the configuration has 2 problems

            packaging/dist.toml:2:8: several files could be the entry: tool/a/__main__.py, tool/b/__main__.py
              |
            2 | name = 'tool'
              |        ^^^^^^ name one in `entry`

            packaging/dist.toml:2:8: `tool` has no requirements.lock
              |
            2 | name = 'tool'
              |        ^^^^^^ write it with `uv pip compile --generate-hashes`, or name another in `lock`
        "#]],
    );
}

#[test]
fn places_stay_right_beside_a_wrong_item() {
    check(
        "[[sidecar]]\n[[sidecar]]\nname = 'b'\ndir = 'sidecar'\n[[sidecar]]\nname = 'c'\ndir = 'no'\n",
        expect![[r#"
            the configuration has a problem

            packaging/dist.toml:1:1: the key `name` is missing
              |
            1 | [[sidecar]]
              | ^^^^^^^^^^^
        "#]],
    );
}
