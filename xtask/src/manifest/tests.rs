use std::process::{Command as Process, Stdio};

use expect_test::{Expect, expect, expect_file};

use super::*;

/// The example of the documentation, so that it is a real one.
const EXAMPLE: &str = include_str!("../../../docs/manifest.example.json");

#[test]
fn the_schema_is_the_types() {
    expect_file!["schema.json"].assert_eq(&pretty(&schemars::schema_for!(Manifest)));
}

#[test]
fn the_schema_of_a_merged_release_is_the_types() {
    expect_file!["merged.schema.json"].assert_eq(&pretty(&schemars::schema_for!(Merged)));
}

#[test]
fn the_documented_example_is_read_and_written_as_it_is() {
    assert_eq!(Manifest::parse(EXAMPLE).unwrap().to_json(), EXAMPLE);
}

#[test]
fn the_explanation_names_every_field() {
    let explained = include_str!("../../../docs/manifest.md");
    for schema in [SCHEMA, MERGED_SCHEMA] {
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let types = schema["$defs"]
            .as_object()
            .unwrap()
            .values()
            .chain([&schema]);
        for properties in types.filter_map(|t| t["properties"].as_object()) {
            for field in properties.keys() {
                assert!(
                    explained.contains(&format!("`{field}`")),
                    "{field} is not in manifest.md"
                );
            }
        }
    }
}

#[test]
fn order_and_noise_do_not_reach_the_file() {
    let mut manifest = Manifest::parse(EXAMPLE).unwrap();
    manifest.artifacts.reverse();
    manifest
        .artifacts
        .iter_mut()
        .for_each(|artifact| artifact.signatures.reverse());
    manifest.steps[0].seconds += 0.000_04;
    assert_eq!(manifest.to_json(), EXAMPLE);
}

#[test]
fn a_manifest_that_cannot_be_relied_on_is_refused() {
    let check = |from: &str, to: &str, expected: Expect| {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = Manifest::parse(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        expected.assert_eq(&format!("{error:#}\n"));
    };
    check(
        r#""schema": "1""#,
        r#""schema": "2""#,
        expect![[r#"
            manifest schema "2", but xtask 0.1.0 reads "1": use the xtask that made the release
        "#]],
    );
    check(
        r#""schema": "1""#,
        r#""schema": 1"#,
        expect![[r#"
            manifest schema 1, but xtask 0.1.0 reads "1": use the xtask that made the release
        "#]],
    );
    check(
        r#""schema": "1","#,
        "",
        expect![[r#"
        not a manifest: it has no field `schema`
    "#]],
    );
    check(
        r#""dirty""#,
        r#""clean""#,
        expect![[r#"
        damaged manifest: unknown field `clean`, expected one of `commit`, `tag`, `dirty`, `epoch`, `committed_at` at line 11 column 11
    "#]],
    );
    check(
        r#""identity": "release""#,
        r#""identity": "unsigned""#,
        expect![[r#"
            damaged manifest: identity `unsigned` does not fit the keys
        "#]],
    );
    check(
        r#""path": "Reference"#,
        r#""path": "../Reference"#,
        expect![[r#"
            damaged manifest: `../Reference-0.1.0-1.x86_64.rpm` is not a path inside the release folder
        "#]],
    );
    check(
        r#""path": "Reference"#,
        r#""path": "/Reference"#,
        expect![[r#"
            damaged manifest: `/Reference-0.1.0-1.x86_64.rpm` is not a path inside the release folder
        "#]],
    );
    check(
        r#""path": "Reference"#,
        r#""path": "C:\\Reference"#,
        expect![[r#"
            damaged manifest: `C:\\Reference-0.1.0-1.x86_64.rpm` is not a path inside the release folder
        "#]],
    );
    check(
        r#""path": "Reference"#,
        r#""path": "a//Reference"#,
        expect![[r#"
            damaged manifest: `a//Reference-0.1.0-1.x86_64.rpm` is not a path inside the release folder
        "#]],
    );
    check(
        r#".deb.minisig""#,
        r#".deb.sig""#,
        expect![[r#"
        damaged manifest: `Reference_0.1.0_amd64.deb.sig` is named twice
    "#]],
    );
    check(
        r#""path": "latest.json""#,
        r#""path": "SHA256SUMS""#,
        expect![[r#"
            damaged manifest: `SHA256SUMS` is named twice
        "#]],
    );
    check(
        r#""sha256": ""#,
        r#""sha256": "A"#,
        expect![[r#"
        damaged manifest: `A2f8d3641f8daa52141f6318ca37f7daa0597610ba21ca9d98967e8eb6da902c9` is not a SHA-256
    "#]],
    );
    check(
        "{",
        "",
        expect![[r#"
            not a manifest: invalid type: string "schema", expected struct Version at line 2 column 10
        "#]],
    );
}

/// Runs sha256sum in a folder if it is installed: whether it was content, and what it printed.
fn sha256sum(arguments: &[&str], folder: &std::path::Path) -> Option<(bool, String)> {
    let mut process = Process::new("sha256sum");
    process
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stderr(Stdio::inherit());
    let output = process.output().ok()?;
    Some((
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
    ))
}

#[test]
fn sums_are_those_of_sha256sum() {
    use sha2::Digest as _;
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "a",
        "a file.deb",
        "sub/b",
        " lead",
        "*star",
        "b\\s",
        "n\nl",
        "ümlaut",
    ];
    let mut sums = Sums::default();
    for name in names {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, name).unwrap();
        let hash = sha2::Sha256::digest(name.as_bytes());
        sums.0.insert(
            name.into(),
            hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        );
    }
    let text = sums.to_text();
    assert_eq!(Sums::parse(&text).unwrap(), sums);
    fs_err::write(folder.path().join(SUMS_NAME), &text).unwrap();
    let sorted: Vec<&str> = sums.0.keys().map(String::as_str).collect();
    let Some((_, theirs)) = sha256sum(&sorted, folder.path()) else {
        return;
    };
    assert_eq!(text, theirs);
    let (accepted, said) = sha256sum(&["-c", "--strict", SUMS_NAME], folder.path()).unwrap();
    assert!(accepted, "{said}");
    let binary = sha256sum(&[&["-b"], &sorted[..]].concat(), folder.path())
        .unwrap()
        .1;
    assert_eq!(Sums::parse(&binary).unwrap(), sums);
}

#[test]
fn sums_that_sha256sum_would_not_check_are_refused() {
    let check = |text: String, expected: Expect| {
        expected.assert_eq(&format!("{:#}\n", Sums::parse(&text).unwrap_err()));
    };
    let hash = "0".repeat(64);
    check(
        format!("{hash} a\n"),
        expect![[r#"
        line 1: expected 64 hex digits, two spaces and a path
    "#]],
    );
    check(
        format!("{hash}  a\n{hash}  a\n"),
        expect![[r#"
        line 2: `a` comes twice
    "#]],
    );
    check(
        format!("{hash}  a\n\n"),
        expect![[r#"
        line 2: expected 64 hex digits, two spaces and a path
    "#]],
    );
    check(
        format!("{}x  a\n", &hash[1..]),
        expect![[r#"
        line 1: expected 64 hex digits, two spaces and a path
    "#]],
    );
    check(
        format!("\\{hash}  a\\t\n"),
        expect![[r#"
        line 1: unknown escape in `a\t`
    "#]],
    );
    check(
        "é".repeat(40),
        expect![[r#"
        line 1: expected 64 hex digits, two spaces and a path
    "#]],
    );
}
