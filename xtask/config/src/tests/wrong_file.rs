//! What `dist.toml` can have wrong by itself.

use expect_test::expect;

use super::check;

#[test]
fn unknown_keys_are_all_reported() {
    check(
        "[product]\nnam = 'x'\n[[sidecar]]\nname = 'a'\nfreezer = ['nuitka']\n[sidecar.nuitkas]\n[bundel]\n",
        expect![[r#"
            the configuration has 4 problems

            packaging/dist.toml:2:1: unknown key `nam`
              |
            2 | nam = 'x'
              | ^^^ did you mean `name`?

            packaging/dist.toml:5:1: unknown key `freezer`
              |
            5 | freezer = ['nuitka']
              | ^^^^^^^ did you mean `freezers`?

            packaging/dist.toml:6:10: unknown key `nuitkas`
              |
            6 | [sidecar.nuitkas]
              |          ^^^^^^^ did you mean `nuitka`?

            packaging/dist.toml:7:2: unknown key `bundel`
              |
            7 | [bundel]
              |  ^^^^^^ did you mean `bundle`?
        "#]],
    );
}

#[test]
fn unknown_key_of_another_section() {
    check(
        "freezers = ['nuitka']\n[app]\nkey-env = 'X'\npackage_manager = 'npm'\n[limits]\nwarp = 9",
        expect![[r#"
            the configuration has 4 problems

            packaging/dist.toml:1:1: unknown key `freezers`
              |
            1 | freezers = ['nuitka']
              | ^^^^^^^^ it belongs to `[[sidecar]]`

            packaging/dist.toml:3:1: unknown key `key-env`
              |
            3 | key-env = 'X'
              | ^^^^^^^ it belongs to `[sign.minisign]`

            packaging/dist.toml:4:1: unknown key `package_manager`
              |
            4 | package_manager = 'npm'
              | ^^^^^^^^^^^^^^^ it belongs to `[frontend]`

            packaging/dist.toml:6:1: unknown key `warp`
              |
            6 | warp = 9
              | ^^^^ known here: `step-timeout`
        "#]],
    );
}

#[test]
fn unknown_value() {
    check(
        "[[sidecar]]\nname = 'a'\nlayout = 'onefil'\nfreezers = ['nuitka', 'cxfreeze', 'nuitka']\n[bundle]\nlinux = ['deb', 'msi']",
        expect![[r#"
            the configuration has 4 problems

            packaging/dist.toml:3:10: `onefil` is no value of `layout`
              |
            3 | layout = 'onefil'
              |          ^^^^^^^^ did you mean `onefile`?

            packaging/dist.toml:4:23: `cxfreeze` is no value of `freezers`
              |
            4 | freezers = ['nuitka', 'cxfreeze', 'nuitka']
              |                       ^^^^^^^^^^ allowed: `nuitka`, `pyinstaller`

            packaging/dist.toml:4:35: `freezers` has "nuitka" twice
              |
            4 | freezers = ['nuitka', 'cxfreeze', 'nuitka']
              |                                   ^^^^^^^^

            packaging/dist.toml:6:17: `msi` is no value of `linux`
              |
            6 | linux = ['deb', 'msi']
              |                 ^^^^^ allowed: `deb`, `rpm`, `appimage`
        "#]],
    );
}

#[test]
fn numbers_and_shares_have_limits() {
    check(
        "[[sidecar]]\nname = 'a'\n[sidecar.trial]\nlaunches = 0\nmax-failures = '101%'\n\
         [[sidecar]]\nname = 'b'\n[sidecar.trial]\nlaunches = '20'\nmax-failures = 10\n",
        expect![[r#"
            the configuration has 4 problems

            packaging/dist.toml:4:12: `launches` must be from 1 to 1000
              |
            4 | launches = 0
              |            ^

            packaging/dist.toml:5:16: `101%` is not a share from `0%` to `100%`
              |
            5 | max-failures = '101%'
              |                ^^^^^^

            packaging/dist.toml:9:12: `launches` must be a whole number, not a string
              |
            9 | launches = '20'
              |            ^^^^ write `20` without quotes

            packaging/dist.toml:10:16: `max-failures` must be a string, not an integer
               |
            10 | max-failures = 10
               |                ^^ write `"10"`
        "#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "sidecar = 'x'\nlimits = [{}]\n[app]\nfeatures = 'a'\nprofile = true\n[archive]\nenabled = 'false'\n[product]\nversion = 1.2\nname = 1979-05-27\n",
        expect![[r#"
            the configuration has 7 problems

            packaging/dist.toml:1:11: `sidecar` must be an array, not a string
              |
            1 | sidecar = 'x'
              |           ^^^

            packaging/dist.toml:2:10: `limits` must be a table, not an array
              |
            2 | limits = [{}]
              |          ^^^^ write `[limits]`, once

            packaging/dist.toml:4:12: `features` must be an array, not a string
              |
            4 | features = 'a'
              |            ^^^ write `features = ["a"]`

            packaging/dist.toml:5:11: `profile` must be a string, not a boolean
              |
            5 | profile = true
              |           ^^^^

            packaging/dist.toml:7:11: `enabled` must be `true` or `false`, not a string
              |
            7 | enabled = 'false'
              |           ^^^^^^^ write `false` without quotes

            packaging/dist.toml:9:11: `version` must be a string, not a number
              |
            9 | version = 1.2
              |           ^^^ write `"1.2"`

            packaging/dist.toml:10:8: `name` must be a string, not a date
               |
            10 | name = 1979-05-27
               |        ^^^^^^^^^^
        "#]],
    );
    check(
        "[sidecar]\nname = 'a'",
        expect![[r#"
        the configuration has a problem

        packaging/dist.toml:1:1: `sidecar` must be an array, not a table
          |
        1 | [sidecar]
          | ^^^^^^^^^ write `[[sidecar]]`
    "#]],
    );
}

#[test]
fn impossible_values() {
    check(
        "[limits]\nstep-timeout = '30x'\n[[sidecar]]\nname = 'a.exe'\npython = '3.11.2'\nready-timeout = '0s'\nfreezers = []\nentry = '../main.py'\n[product]\nversion = '1.2'\n",
        expect![[r#"
            the configuration has 7 problems

            packaging/dist.toml:2:16: `30x` is not a duration, such as `500ms`, `30s`, `5m` or `1h`
              |
            2 | step-timeout = '30x'
              |                ^^^^^

            packaging/dist.toml:4:8: `a.exe` is not an executable's name: leave out `.exe`, which only Windows has
              |
            4 | name = 'a.exe'
              |        ^^^^^^^

            packaging/dist.toml:5:10: `3.11.2` is not a Python version of two numbers, such as `3.11`
              |
            5 | python = '3.11.2'
              |          ^^^^^^^^

            packaging/dist.toml:6:17: `0s` is not longer than nothing
              |
            6 | ready-timeout = '0s'
              |                 ^^^^

            packaging/dist.toml:7:12: `freezers` must not be empty
              |
            7 | freezers = []
              |            ^^

            packaging/dist.toml:8:9: `../main.py` is not a path further down: no leading `/`, no `..`
              |
            8 | entry = '../main.py'
              |         ^^^^^^^^^^^^

            packaging/dist.toml:10:11: `1.2` is not a semantic version, such as `1.2.3`
               |
            10 | version = '1.2'
               |           ^^^^^
        "#]],
    );
    check(
        "[app]\nprofile = ''\ninputs = ['../x', '[a']\nenv = ['A B']\n[archive]\nfiles = ['*/README']\n[release]\ndir = '.'\n[sign.gpg]\nkey = 'ABC'\n",
        expect![[r#"
            the configuration has 7 problems

            packaging/dist.toml:2:11: `profile` must not be empty
              |
            2 | profile = ''
              |           ^^

            packaging/dist.toml:3:11: `../x` is not relative to the repository: no leading `/` or `!`, no `..`
              |
            3 | inputs = ['../x', '[a']
              |           ^^^^^^

            packaging/dist.toml:3:19: `[a` is not a glob, such as `shared/**` or `**/*.md`
              |
            3 | inputs = ['../x', '[a']
              |                   ^^^^

            packaging/dist.toml:4:8: `A B` is not the name of an environment variable
              |
            4 | env = ['A B']
              |        ^^^^^

            packaging/dist.toml:6:10: `*/README` is not possible: `*` may stand in the file's name only
              |
            6 | files = ['*/README']
              |          ^^^^^^^^^^

            packaging/dist.toml:8:7: `.` is not a path further down: no leading `/`, no `..`
              |
            8 | dir = '.'
              |       ^^^

            packaging/dist.toml:10:7: `ABC` is not an OpenPGP fingerprint: 40 hexadecimal digits (`gpg --list-secret-keys` prints it)
               |
            10 | key = 'ABC'
               |       ^^^^^
        "#]],
    );
}

#[test]
fn missing_key() {
    check(
        "[[sidecar]]\ndir = 'sidecar'\ndata = [{ from = 'x' }]\n",
        expect![[r#"
            the configuration has 2 problems

            packaging/dist.toml:1:1: the key `name` is missing
              |
            1 | [[sidecar]]
              | ^^^^^^^^^^^

            packaging/dist.toml:3:9: the key `to` is missing
              |
            3 | data = [{ from = 'x' }]
              |         ^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn syntax_errors_are_all_reported() {
    check(
        "[product\nname = 'x'\n[app]\ndir = \nprofile = 'x\n",
        expect![[r#"
            the configuration has 3 problems

            packaging/dist.toml:1:9: unclosed table, expected `]`
              |
            1 | [product
              |         ^

            packaging/dist.toml:4:7: string values must be quoted, expected literal string
              |
            4 | dir =
              |       ^

            packaging/dist.toml:5:13: invalid literal string, expected `'`
              |
            5 | profile = 'x
              |             ^
        "#]],
    );
    check(
        "[app]\ndir = 'a'\ndir = 'b'\n",
        expect![[r#"
        the configuration has a problem

        packaging/dist.toml:3:1: duplicate key
          |
        3 | dir = 'b'
          | ^^^
    "#]],
    );
}
