//! What a configuration says of good and bad input.

use expect_test::{Expect, expect};

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
fn load(files: &[(&str, &str)]) -> String {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for (path, text) in files {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let answer = match super::load(root, None) {
        Ok(config) => serde_json::to_string_pretty(&config).unwrap(),
        Err(error) => format!("{error:#}"),
    };
    answer.replace(&root.display().to_string(), "ROOT")
}

/// What a `dist.toml` in the plain repository answers.
#[track_caller]
fn check(toml: &str, expected: Expect) {
    let files: Vec<_> = PLAIN.into_iter().chain([(super::FILE, toml)]).collect();
    let lines = load(&files);
    let trimmed: Vec<&str> = lines.lines().map(str::trim_end).collect();
    expected.assert_eq(&(trimmed.join("\n") + "\n"));
}
