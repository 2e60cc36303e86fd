//! One version in all files: shown, written into all of them or none, and held against the tag.

#[path = "version/places.rs"]
mod places;
#[path = "version/repo.rs"]
mod repo;

use std::path::PathBuf;

use expect_test::{Expect, expect};
use fs_err as fs;
use repo::Repo;

#[test]
fn shows_every_place() {
    Repo::new().check("version", expect![[r#"
        1.2.3
        place                                version      key
        src-tauri/tauri.conf.json:3          1.2.3        version
        src-tauri/tauri.windows.conf.json:1  1.2.3        version
        Cargo.toml:6                         1.2.3        workspace.package.version
        Cargo.toml:9                         =1.2.3       workspace.dependencies.parts.version
        Cargo.lock:9                         1.2.3        package desk
        Cargo.lock:16                        1.2.3        package parts
        Cargo.lock:11                        parts 1.2.3  dependency
        package.json:3                       1.2.3        version
        package-lock.json:3                  1.2.3        version
        package-lock.json:8                  1.2.3        packages."".version
        sidecar/pyproject.toml:3             1.2.3        project.version
        sidecar/uv.lock:5                    1.2.3        package The_Engine
        voice/src/voice/about.py:3           1.2.3        VERSION
        voice/pyproject.toml:3               -            dynamic: taken from voice/src/voice/about.py
    "#]]);
}

/// As after `kill -9`, when one of two files was written.
#[test]
fn nothing_is_made_of_a_half_written_version() {
    let repo = Repo::new();
    let before = repo.read("sidecar/pyproject.toml");
    repo.replace("sidecar/pyproject.toml", "1.2.3", "1.2.4");
    let pending = serde_json::json!([
        { "file": "sidecar/pyproject.toml", "before": before, "after": repo.read("sidecar/pyproject.toml") },
        { "file": "package.json", "before": repo.read("package.json"), "after": "new" },
    ]);
    repo.write("target/dist/version/pending.json", &pending.to_string());
    repo.check("plan", expect![[r#"
        error: `version set` or `version bump` ended before it had written all files: some may say the new version, and some the old one
          hint: put them back as they were: `cargo xtask version`
        exit 1
    "#]]);
    for line in ["dist", "merge x", "ci generate", "config"] {
        let output = repo.output(line, &[]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.contains("ended before it had written all"),
            "{line}: {said}"
        );
        assert!(!output.status.success(), "{line}");
    }
    assert!(repo.output("version", &[]).status.success());
    assert_eq!(repo.read("sidecar/pyproject.toml"), before);
    assert!(repo.output("ci matrix", &[]).status.success());
}

#[test]
fn places_that_disagree_fail() {
    let repo = Repo::new();
    repo.replace("src-tauri/tauri.windows.conf.json", "1.2.3", "1.2.4");
    repo.replace("sidecar/pyproject.toml", "1.2.3", "1.2.3rc1");
    repo.replace("Cargo.toml", "=1.2.3", "=1.0.0");
    repo.check("version", expect![[r#"
        1.2.3
        place                                version              key
        src-tauri/tauri.conf.json:3          1.2.3                version
        src-tauri/tauri.windows.conf.json:1  1.2.4, not 1.2.3     version
        Cargo.toml:6                         1.2.3                workspace.package.version
        Cargo.toml:9                         =1.0.0, not 1.2.3    workspace.dependencies.parts.version
        Cargo.lock:9                         1.2.3                package desk
        Cargo.lock:16                        1.2.3                package parts
        Cargo.lock:11                        parts 1.2.3          dependency
        package.json:3                       1.2.3                version
        package-lock.json:3                  1.2.3                version
        package-lock.json:8                  1.2.3                packages."".version
        sidecar/pyproject.toml:3             1.2.3rc1, not 1.2.3  project.version
        sidecar/uv.lock:5                    1.2.3                package The_Engine
        voice/src/voice/about.py:3           1.2.3                VERSION
        voice/pyproject.toml:3               -                    dynamic: taken from voice/src/voice/about.py
        error: 3 of 13 places say another version than 1.2.3, which a release would have: src-tauri/tauri.windows.conf.json:1 has 1.2.4
          hint: write one everywhere: `cargo xtask version set 1.2.3`
        exit 1
    "#]]);
    repo.check("version bump patch", expect![[r#"
        error: 3 of 13 places say another version than 1.2.3, which a release would have: src-tauri/tauri.windows.conf.json:1 has 1.2.4
          hint: write one everywhere: `cargo xtask version set 1.2.3`
        exit 1
    "#]]);
}

#[test]
fn sets_all_places_and_nothing_else() {
    let repo = Repo::new();
    let before = repo.contents();
    repo.check("version set 2.0.0-beta.1", expect![[r#"
        1.2.3 -> 2.0.0-beta.1
        place                                was          is
        src-tauri/tauri.conf.json:3          1.2.3        2.0.0-beta.1
        src-tauri/tauri.windows.conf.json:1  1.2.3        2.0.0-beta.1
        Cargo.toml:6                         1.2.3        2.0.0-beta.1
        Cargo.toml:9                         =1.2.3       =2.0.0-beta.1
        Cargo.lock:9                         1.2.3        2.0.0-beta.1
        Cargo.lock:16                        1.2.3        2.0.0-beta.1
        Cargo.lock:11                        parts 1.2.3  parts 2.0.0-beta.1
        package.json:3                       1.2.3        2.0.0-beta.1
        package-lock.json:3                  1.2.3        2.0.0-beta.1
        package-lock.json:8                  1.2.3        2.0.0-beta.1
        sidecar/pyproject.toml:3             1.2.3        2.0.0b1
        sidecar/uv.lock:5                    1.2.3        2.0.0b1
        voice/src/voice/about.py:3           1.2.3        2.0.0b1
        next: git commit --all --message "Version 2.0.0-beta.1" && git tag v2.0.0-beta.1
        warning: msi, of [bundle] windows, cannot be made of 2.0.0-beta.1: a pre-release must be a number up to 65535 there; `2.0.0-1` would do, or set bundle.windows.wix.version in the Tauri configuration
    "#]]);
    let put_back = |(path, text): (PathBuf, String)| {
        // Each form of the version, and no other byte, is new.
        let text = text
            .replace("2.0.0-beta.1", "1.2.3")
            .replace("2.0.0b1", "1.2.3");
        (path, text)
    };
    let after: Vec<_> = repo.contents().into_iter().map(put_back).collect();
    assert_eq!(before, after);
    let told = repo.output("version --format json", &[]).stdout;
    let mut told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let places = told["places"].as_array_mut().unwrap();
    assert!(places.iter().all(|it| it["agrees"] == true));
    places.truncate(1);
    let text = serde_json::to_string_pretty(&told).unwrap();
    expect![[r#"
        {
          "agrees": true,
          "places": [
            {
              "agrees": true,
              "file": "src-tauri/tauri.conf.json",
              "form": "semver",
              "key": "version",
              "line": 3,
              "text": "2.0.0-beta.1"
            }
          ],
          "remarks": [
            {
              "at": "voice/pyproject.toml:3",
              "text": "dynamic: taken from voice/src/voice/about.py"
            }
          ],
          "version": "2.0.0-beta.1",
          "warnings": [
            "msi, of [bundle] windows, cannot be made of 2.0.0-beta.1: a pre-release must be a number up to 65535 there; `2.0.0-1` would do, or set bundle.windows.wix.version in the Tauri configuration"
          ]
        }"#]].assert_eq(&text);
}

#[test]
fn a_dry_run_shows_what_git_can_apply() {
    let repo = Repo::new();
    repo.commit();
    let before = repo.contents();
    let diff = repo.output("version bump minor --pre-id rc --dry-run", &[]);
    assert_eq!(repo.contents(), before);
    // Beside the repository: it would count as a change.
    let beside = tempfile::tempdir().unwrap();
    let file = beside.path().join("version.diff");
    fs::write(&file, &diff.stdout).unwrap();
    repo.git(&["apply", file.to_str().unwrap()]);
    let applied = repo.contents();
    repo.git(&["checkout", "--quiet", "."]);
    repo.check(
        "version bump minor --pre-id rc",
        expect![[r#"
            1.2.3 -> 1.3.0-rc.1
            place                                was          is
            src-tauri/tauri.conf.json:3          1.2.3        1.3.0-rc.1
            src-tauri/tauri.windows.conf.json:1  1.2.3        1.3.0-rc.1
            Cargo.toml:6                         1.2.3        1.3.0-rc.1
            Cargo.toml:9                         =1.2.3       =1.3.0-rc.1
            Cargo.lock:9                         1.2.3        1.3.0-rc.1
            Cargo.lock:16                        1.2.3        1.3.0-rc.1
            Cargo.lock:11                        parts 1.2.3  parts 1.3.0-rc.1
            package.json:3                       1.2.3        1.3.0-rc.1
            package-lock.json:3                  1.2.3        1.3.0-rc.1
            package-lock.json:8                  1.2.3        1.3.0-rc.1
            sidecar/pyproject.toml:3             1.2.3        1.3.0rc1
            sidecar/uv.lock:5                    1.2.3        1.3.0rc1
            voice/src/voice/about.py:3           1.2.3        1.3.0rc1
            next: git commit --all --message "Version 1.3.0-rc.1" && git tag v1.3.0-rc.1
            warning: msi, of [bundle] windows, cannot be made of 1.3.0-rc.1: a pre-release must be a number up to 65535 there; `1.3.0-1` would do, or set bundle.windows.wix.version in the Tauri configuration
        "#]],
    );
    assert_eq!(repo.contents(), applied);
}

/// What one place cannot have, no place gets.
#[test]
fn all_or_none() {
    let check = |spoil: &dyn Fn(&Repo), line: &str, expected: Expect| {
        let repo = Repo::new();
        spoil(&repo);
        let before = repo.contents();
        repo.check(line, expected);
        assert_eq!(repo.contents(), before, "{line}");
    };
    check(
        &|_| {},
        "version set 2.0.0-nightly.1",
        expect![[r#"
        error: sidecar/pyproject.toml:3 cannot say 2.0.0-nightly.1
          cause: Python has no form for the pre-release `nightly.1` of 2.0.0-nightly.1
          hint: one of alpha, beta, rc and dev with a number: `2.0.0-beta.1`
        exit 1
    "#]],
    );
    let lock = |repo: &Repo| {
        let path = repo.path("voice/src/voice/about.py");
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
    };
    check(
        &lock,
        "version set 2.0.0",
        expect![[r#"
        error: voice/src/voice/about.py is read-only
          hint: nothing was written: mend that, and say it again
        exit 1
    "#]],
    );
    let twice = |repo: &Repo| {
        repo.replace(
            "package.json",
            "\t\"version\"",
            "\t\"version\": \"1.2.3\",\r\n\t\"version\"",
        );
    };
    check(
        &twice,
        "version set 2.0.0",
        expect![[r#"
        error: package.json says `version` twice, in lines 3 and 4: which one counts?
          hint: take one of them out
        exit 1
    "#]],
    );
    let torn = |repo: &Repo| repo.replace("Cargo.lock", "[[package]]", "[[package]");
    check(
        &torn,
        "version set 2.0.0",
        expect![[r#"
        error: Cargo.lock cannot be read
          cause: line 3: unclosed array table, expected `]`
        exit 1
    "#]],
    );
    check(
        &|_| {},
        "version set 1.2.3",
        expect![[r#"
        all 13 places say 1.2.3 already
    "#]],
    );
}

/// Tauri reads the version elsewhere, or has its configuration as TOML; and a sidecar's version is
/// computed.
#[test]
fn other_layouts() {
    let repo = Repo::new();
    repo.replace(
        "src-tauri/tauri.conf.json",
        "\"1.2.3\"",
        "\"../package.json\"",
    );
    repo.replace(
        "voice/pyproject.toml",
        "setuptools.dynamic",
        "setuptools_scm",
    );
    fs::remove_file(repo.path("src-tauri/tauri.windows.conf.json")).unwrap();
    repo.check(
        "version",
        expect![[r#"
        1.2.3
        place                        version      key
        package.json:3               1.2.3        version
        package-lock.json:3          1.2.3        version
        package-lock.json:8          1.2.3        packages."".version
        Cargo.toml:6                 1.2.3        workspace.package.version
        Cargo.toml:9                 =1.2.3       workspace.dependencies.parts.version
        Cargo.lock:9                 1.2.3        package desk
        Cargo.lock:16                1.2.3        package parts
        Cargo.lock:11                parts 1.2.3  dependency
        sidecar/pyproject.toml:3     1.2.3        project.version
        sidecar/uv.lock:5            1.2.3        package The_Engine
        src-tauri/tauri.conf.json:3  -            takes that of ../package.json
        voice/pyproject.toml:3       -            dynamic: the build backend finds it, see the file
    "#]],
    );
    let repo = Repo::new();
    fs::remove_file(repo.path("src-tauri/tauri.conf.json")).unwrap();
    repo.write(
        "src-tauri/Tauri.toml",
        "identifier = 'org.example.desk'\n[build]\nfrontend-dist = '../dist'\n",
    );
    repo.write(
        "src-tauri/Cargo.toml",
        "[package]\nname = 'desk'\nversion = '1.2.3'\n",
    );
    repo.check(
        "version set 1.3.0",
        expect![[r#"
        1.2.3 -> 1.3.0
        place                                was    is
        src-tauri/tauri.windows.conf.json:1  1.2.3  1.3.0
        src-tauri/Cargo.toml:3               1.2.3  1.3.0
        Cargo.lock:9                         1.2.3  1.3.0
        package.json:3                       1.2.3  1.3.0
        package-lock.json:3                  1.2.3  1.3.0
        package-lock.json:8                  1.2.3  1.3.0
        sidecar/pyproject.toml:3             1.2.3  1.3.0
        sidecar/uv.lock:5                    1.2.3  1.3.0
        voice/src/voice/about.py:3           1.2.3  1.3.0
        next: git commit --all --message "Version 1.3.0" && git tag v1.3.0
    "#]],
    );
}

#[test]
fn dist_refuses_another_tag() {
    let check = |tags: &[&str], variables: &[(&str, &str)], line: &str, expected: Expect| {
        let repo = Repo::new();
        repo.commit();
        tags.iter().for_each(|tag| repo.git(&["tag", tag]));
        let output = repo.output(line, variables);
        assert!(!output.status.success());
        assert!(!repo.path("target/dist/linux/stages").exists());
        let text = String::from_utf8_lossy(&output.stderr);
        // What comes before says how long that took.
        expected.assert_eq(&text[text.find("error: ").unwrap_or_default()..]);
    };
    check(
        &["v1.2.4"],
        &[],
        "dist",
        expect![[r#"
        error: the commit has the tag v1.2.4, but the version is 1.2.3
          hint: if 1.2.4 is right: `cargo xtask version set 1.2.4`, commit, `git tag --force v1.2.4`; if 1.2.3 is right: `git tag v1.2.3`, and `git tag --delete v1.2.4`
          hint: if the version was raised for the next release, commit that: the tag stays behind
    "#]],
    );
    check(
        &["v1.2.4"],
        &[],
        "plan",
        expect![[r#"
        error: the commit has the tag v1.2.4, but the version is 1.2.3
          hint: if 1.2.4 is right: `cargo xtask version set 1.2.4`, commit, `git tag --force v1.2.4`; if 1.2.3 is right: `git tag v1.2.3`, and `git tag --delete v1.2.4`
          hint: if the version was raised for the next release, commit that: the tag stays behind
    "#]],
    );
    let ci = [("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v1.2.4")];
    check(
        &["v1.2.3"],
        &ci,
        "dist --dry-run",
        expect![[r#"
        error: the tag v1.2.4, which started this run, says 1.2.4, but the version is 1.2.3
          hint: if 1.2.4 is right: `cargo xtask version set 1.2.4`, commit, `git tag --force v1.2.4`; if 1.2.3 is right: `git tag v1.2.3`, and `git tag --delete v1.2.4`
    "#]],
    );
}

#[test]
fn plan_goes_on_where_a_tag_fits() {
    // What it says of tags and versions.
    let check = |tags: &[&str], tag: Option<&str>, ci: &[(&str, &str)], expected: Expect| {
        let repo = Repo::new();
        repo.replace("src-tauri/tauri.windows.conf.json", "1.2.3", "1.2.2");
        if let Some(tag) = tag {
            let text = repo.read("packaging/dist.toml");
            let text = format!("{text}[release]\ntag = '{tag}'\n");
            repo.write("packaging/dist.toml", &text);
        }
        repo.commit();
        tags.iter().for_each(|tag| repo.git(&["tag", tag]));
        let output = repo.output("plan --target linux --unsigned --format json", ci);
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        let notes = all
            .lines()
            .filter(|it| !it.starts_with("{\"at\"") || it.contains("another version"));
        let notes = notes.map(|it| it.split_once("\"text\":").map_or(it, |it| it.1));
        expected.assert_eq(&notes.map(|it| format!("{it}\n")).collect::<String>());
    };
    check(
        &["nightly", "v1.2.2", "v1.2.3"],
        None,
        &[],
        expect![[r#"
        "1 of 13 places says another version than 1.2.3, which a release would have: src-tauri/tauri.windows.conf.json:1 has 1.2.2; write one everywhere: `cargo xtask version set 1.2.3`; `cargo xtask version` shows all"}
    "#]],
    );
    let branch = [("GITHUB_REF_TYPE", "branch"), ("GITHUB_REF_NAME", "v9.9.9")];
    check(&["v2.0.0"], Some("app-{version}"), &branch, expect![[""]]);
}

/// A release of a version that only some files say would be one that nobody wanted.
#[test]
fn nothing_is_built_from_half_a_version() {
    let repo = Repo::new();
    repo.write(
        "target/dist/version/pending.json",
        r#"[{"file": "package.json", "before": "{}", "after": "{ }"}]"#,
    );
    for command in ["plan", "ci matrix"] {
        repo.check(
            command,
            expect![[r#"
                error: `version set` or `version bump` ended before it had written all files: some may say the new version, and some the old one
                  hint: put them back as they were: `cargo xtask version`
                exit 1
            "#]],
        );
    }
    repo.output("version", &[]);
    assert!(repo.output("ci matrix", &[]).status.success());
}
