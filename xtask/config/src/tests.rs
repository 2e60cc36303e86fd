//! What a configuration says of good and bad input.

mod resolved;
mod wrong_file;
mod wrong_repository;

use std::collections::BTreeSet;

use expect_test::Expect;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::{reference, schema};

/// A repository as `npm create tauri-app` leaves it, with one sidecar.
const PLAIN: [(&str, &str); 6] = [
    (
        "package.json",
        r#"{"scripts": {"build": "vite build", "dev": "vite"}, "devDependencies": {"@tauri-apps/cli": "^2"}}"#,
    ),
    ("package-lock.json", "{}"),
    (
        "src-tauri/tauri.conf.json",
        r#"{"productName": "Plain", "version": "1.2.3", "identifier": "org.example.plain",
            "build": {"frontendDist": "../dist"}}"#,
    ),
    (
        "src-tauri/Cargo.toml",
        "[package]\nname = \"plain\"\nversion = \"0.0.0\"",
    ),
    ("sidecar/main.py", ""),
    ("sidecar/requirements.txt", ""),
];

/// Loads a repository of these files; the folder's name is taken out of the answer.
fn load(files: &[(&str, &str)]) -> Result<Value, String> {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let neutral = |text: String| text.replace(&root.path().display().to_string(), "ROOT");
    match super::load(root.path(), None) {
        Ok(config) => {
            Ok(serde_json::from_str(&neutral(serde_json::to_string(&config).unwrap())).unwrap())
        }
        Err(error) => Err(neutral(format!("{error:#}"))),
    }
}

/// What is wrong with a `dist.toml` in the plain repository.
#[track_caller]
fn check(toml: &str, expected: Expect) {
    check_in(&[("packaging/dist.toml", toml)], expected);
}

/// What is wrong with the plain repository if these files come on top.
#[track_caller]
fn check_in(files: &[(&str, &str)], expected: Expect) {
    let error = load(&[&PLAIN, files].concat()).expect_err("the configuration is accepted");
    let lines: Vec<&str> = error.lines().map(str::trim_end).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

/// What some sections of a repository's configuration are, a line each.
#[track_caller]
fn resolved(files: &[(&str, &str)], sections: &[&str], expected: Expect) {
    let config = load(files).expect("the configuration is accepted");
    let lines: Vec<String> = sections
        .iter()
        .map(|section| format!("{section}: {}\n", config[section]))
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn reference_is_rendered() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    expect_test::expect_file![page].assert_eq(&reference::reference());
}

#[test]
fn reference_example_is_whole() {
    fn same_keys(path: &str, schema: &Value, table: &DeTable<'_>) {
        let known: BTreeSet<&str> = schema::keys(schema).map(|(key, _)| key).collect();
        let shown: BTreeSet<&str> = table.keys().map(|key| key.get_ref().as_ref()).collect();
        assert_eq!(
            known, shown,
            "the keys of `{path}` and those of its example"
        );
        for (key, schema) in schema::keys(schema) {
            match table[key].get_ref() {
                DeValue::Table(table) => same_keys(key, schema, table),
                DeValue::Array(items) => {
                    let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                    tables.for_each(|table| same_keys(key, &schema["items"], table));
                }
                _ => {}
            }
        }
    }
    let doc = Document::parse("example".to_owned(), reference::EXAMPLE).unwrap();
    same_keys("", &schema::dist(), &doc.tree);
    assert!(super::check::check(&doc).unwrap().problems.is_empty());
}

#[test]
fn file_that_is_asked_for_must_exist() {
    let root = tempfile::tempdir().unwrap();
    let error = super::load(root.path(), Some(&root.path().join("other.toml"))).unwrap_err();
    assert!(error.to_string().contains("other.toml"), "{error:#}");
}

#[test]
fn own_configuration_is_sound() {
    let text = include_str!("../../../packaging/dist.toml");
    let doc = Document::parse(super::FILE.to_owned(), text).unwrap();
    assert!(super::check::check(&doc).unwrap().problems.is_empty());
}
