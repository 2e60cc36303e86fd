//! Where the files of other layouts keep the version.

use expect_test::{Expect, expect};
use fs_err as fs;

use crate::repo::Repo;

/// The rows of the table about files whose path begins so, after these files were written.
#[track_caller]
fn check_rows(files: &[(&str, &str)], about: &str, expected: Expect) {
    let repo = Repo::new();
    for (path, text) in files {
        repo.write(path, text);
    }
    let output = repo.output("version", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().filter(|it| it.starts_with(about));
    // The widths of the columns are those of the whole table.
    let words = rows.map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
    let rows: String = words.map(|it| it + "\n").collect();
    let errors = String::from_utf8(output.stderr).unwrap();
    let errors = if rows.is_empty() {
        errors
    } else {
        String::new()
    };
    expected.assert_eq(&(rows + &errors));
}

#[test]
fn where_python_keeps_it() {
    let check = |project: &str, file: (&str, &str), expected: Expect| {
        check_rows(
            &[("voice/pyproject.toml", project), file],
            "voice",
            expected,
        );
    };
    let none = ("voice/other.txt", "");
    check(
        "[project]\nname = 'voice'\nversion = '1.2.03'\n",
        none,
        expect![[r#"
            voice/pyproject.toml:3 1.2.03 project.version
        "#]],
    );
    check(
        "[tool.poetry]\nversion = '1.2.3'\n",
        none,
        expect![[r#"
        voice/pyproject.toml:2 1.2.3 tool.poetry.version
    "#]],
    );
    check(
        "[tool.poetry]\nversion = '0.0.0'\n[tool.poetry-dynamic-versioning]\nenable = true\n",
        none,
        expect![[r#"
            voice/pyproject.toml - dynamic: poetry-dynamic-versioning computes it
        "#]],
    );
    check(
        "[project]\ndynamic = ['version']\n[tool.hatch.version]\npath = 'src/voice/about.py'\n",
        none,
        expect![[r#"
            voice/src/voice/about.py:3 1.2.3 VERSION
            voice/pyproject.toml:2 - dynamic: taken from voice/src/voice/about.py
        "#]],
    );
    check(
        "[project]\ndynamic = ['version']\n[tool.hatch.version]\nsource = 'vcs'\n",
        none,
        expect![[r#"
            voice/pyproject.toml:2 - dynamic: the build backend finds it, see the file
        "#]],
    );
    check(
        "[project]\ndynamic = ['version']\n[tool.setuptools.dynamic]\nversion = { file = ['VERSION'] }\n",
        ("voice/VERSION", "\n1.2.4\n"),
        expect![[r#"
            voice/VERSION:2 1.2.4, not 1.2.3 the file
            voice/pyproject.toml:2 - dynamic: taken from voice/VERSION
        "#]],
    );
    check(
        "[project]\nname = 'my-voice'\ndynamic = ['version']\n[build-system]\nbuild-backend = 'flit_core.buildapi'\n",
        (
            "voice/my_voice.py",
            "'''Speaks.'''\n__version__ = '1.2.3'\n",
        ),
        expect![[r#"
            voice/my_voice.py:2 1.2.3 __version__
            voice/pyproject.toml:3 - dynamic: taken from voice/my_voice.py
        "#]],
    );
    check(
        "[project]\nname = 'voice'\n",
        none,
        expect![[r#"
        voice/pyproject.toml - no version
    "#]],
    );
}

#[test]
fn where_a_workspace_keeps_it() {
    let cargo = |files: &[(&str, &str)], expected| check_rows(files, "src-tauri/Cargo", expected);
    // A workspace of its own inside of another one.
    let own = "[workspace]\nmembers = ['part']\n[package]\nname = 'desk'\nversion = '1.2.3'\n\
               [target.'cfg(unix)'.build-dependencies]\n\
               piece = { package = 'desk', path = '.', version = '^1.0' }\n";
    let lock = "[[package]]\nname = 'desk'\nversion = '1.2.3'\n";
    let files = [
        ("src-tauri/Cargo.toml", own),
        ("src-tauri/Cargo.lock", lock),
    ];
    cargo(
        &files,
        expect![[r#"
        src-tauri/Cargo.toml:5 1.2.3 package.version
        src-tauri/Cargo.toml:7 ^1.0 target."cfg(unix)".build-dependencies.piece.version
        src-tauri/Cargo.lock:3 1.2.3 package desk
    "#]],
    );
    // What the workspace above excludes has its own lock, too.
    let root = "[workspace]\nexclude = ['src-tauri']\n";
    let alone = "[package]\nname = 'desk'\nversion = '1.2.3'\n";
    let files = [
        ("Cargo.toml", root),
        ("src-tauri/Cargo.toml", alone),
        files[1],
    ];
    cargo(
        &files,
        expect![[r#"
        src-tauri/Cargo.toml:3 1.2.3 package.version
        src-tauri/Cargo.lock:3 1.2.3 package desk
    "#]],
    );
    let lost = "[package]\nname = 'desk'\nversion.workspace = true\n[workspace]\n";
    cargo(
        &[("src-tauri/Cargo.toml", lost)],
        expect![[r#"
        src-tauri/Cargo.toml - its version is that of a workspace which is not in this repository
    "#]],
    );
}

#[test]
fn where_javascript_keeps_it() {
    let check = |files: &[(&str, &str)], expected: Expect| {
        let conf =
            r#"{"identifier": "a.b", "version": "1.2.3", "build": {"frontendDist": "../dist"}}"#;
        let dist = "[frontend]\ndir = 'packages/desktop'\n[app]\ndir = 'src-tauri'\n";
        let scripts = r#"{"version": "1.2.3", "scripts": {"build": ""}}"#;
        let all = [
            ("packaging/dist.toml", dist),
            ("src-tauri/tauri.conf.json", conf),
            ("packages/desktop/package.json", scripts),
        ];
        check_rows(&[&all, files].concat(), "pack", expected);
    };
    let workspaces = r#"{"version": "0.0.0", "packages": {
        "": {"version": "0.0.0"},
        "node_modules/desktop": {"resolved": "packages/desktop", "link": true},
        "packages/desktop": {"version": "1.2.2"}}}"#;
    check(
        &[("package-lock.json", workspaces)],
        expect![[r#"
        packages/desktop/package.json:1 1.2.3 version
        package-lock.json:4 1.2.2, not 1.2.3 packages."packages/desktop".version
    "#]],
    );
    let old = r#"{"version": "1.2.3", "lockfileVersion": 1}"#;
    check(
        &[("packages/desktop/npm-shrinkwrap.json", old)],
        expect![[r#"
            packages/desktop/package.json:1 1.2.3 version
            packages/desktop/npm-shrinkwrap.json:1 1.2.3 version
        "#]],
    );
    let private = r#"{"private": true, "scripts": {"build": ""}}"#;
    check(
        &[("packages/desktop/package.json", private)],
        expect![[r#"
        packages/desktop/package.json - no version
    "#]],
    );
}

#[test]
fn where_the_release_itself_keeps_it() {
    let conf = |version: &str| {
        format!(r#"{{"identifier": "a.b", "build": {{"frontendDist": "../dist"}}{version}}}"#)
    };
    let check = |version: &str, product: &str, expected: Expect| {
        let files = [
            ("src-tauri/tauri.conf.json", &*conf(version)),
            ("packaging/dist.toml", product),
            ("src-tauri/tauri.windows.conf.json", "{}"),
        ];
        check_rows(&files, "", expected);
    };
    let product = "[frontend]\nenabled = false\n[product]\nversion = '1.2.4'\n";
    check(
        r#", "version": "1.2.3""#,
        product,
        expect![[r#"
        1.2.4
        place version key
        packaging/dist.toml:4 1.2.4 product.version
        src-tauri/tauri.conf.json:1 1.2.3, not 1.2.4 version
        Cargo.toml:6 1.2.3, not 1.2.4 workspace.package.version
        Cargo.toml:9 =1.2.3, not 1.2.4 workspace.dependencies.parts.version
        Cargo.lock:9 1.2.3, not 1.2.4 package desk
        Cargo.lock:16 1.2.3, not 1.2.4 package parts
        Cargo.lock:11 parts 1.2.3, not 1.2.4 dependency
        package.json:3 1.2.3, not 1.2.4 version
        package-lock.json:3 1.2.3, not 1.2.4 version
        package-lock.json:8 1.2.3, not 1.2.4 packages."".version
    "#]],
    );
    check(
        r#", "version": null"#,
        "",
        expect![[r#"
        1.2.3
        place version key
        Cargo.toml:6 1.2.3 workspace.package.version
        Cargo.toml:9 =1.2.3 workspace.dependencies.parts.version
        Cargo.lock:9 1.2.3 package desk
        Cargo.lock:16 1.2.3 package parts
        Cargo.lock:11 parts 1.2.3 dependency
        package.json:3 1.2.3 version
        package-lock.json:3 1.2.3 version
        package-lock.json:8 1.2.3 packages."".version
        src-tauri/tauri.conf.json - no version: Tauri takes that of Cargo.toml
    "#]],
    );
}

#[test]
fn where_tauri_keeps_it_in_json5_and_toml() {
    let json5 = "// Shown in the title.\n{\n  identifier: 'org.example.desk', // never changes\n  version: '1.2.3',\n  \
                 build: {frontendDist: '../dist',},\n}\n";
    let toml = "identifier = 'org.example.desk'\nversion = '1.2.3' # as in the title\n\n[build]\nfrontend-dist = '../dist'\n";
    for (name, text) in [("tauri.conf.json5", json5), ("Tauri.toml", toml)] {
        let repo = Repo::new();
        fs::remove_file(repo.path("src-tauri/tauri.conf.json")).unwrap();
        let file = format!("src-tauri/{name}");
        repo.write(&file, text);
        let output = repo.output("version set 2.0.0", &[]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(repo.read(&file), text.replace("1.2.3", "2.0.0"));
    }
}
