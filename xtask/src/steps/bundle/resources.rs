//! Where Tauri's bundler would put the resources of the Tauri configuration: for installers that it
//! does not make. The rules are those of `tauri-utils`, `resources.rs`.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// A file that is shipped beside the executables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Where it is.
    pub from: PathBuf,
    /// Where it goes, relative to the executables, with `/`.
    pub to: String,
}

/// The resources of `bundle.resources`, which is a list of files or a map from file to place. `dir` is
/// the folder of the Tauri configuration.
///
/// # Errors
/// What is named is not there, as with Tauri.
pub(super) fn resources(dir: &Path, value: &serde_json::Value) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    if let Some(list) = value.as_array() {
        for pattern in list.iter().filter_map(|it| it.as_str()) {
            add(dir, pattern, None, &mut found)?;
        }
    }
    if let Some(map) = value.as_object() {
        for (pattern, to) in map {
            // RFC 7396: a platform's own file takes one away with null.
            if let Some(to) = to.as_str() {
                add(dir, pattern, Some(to), &mut found)?;
            }
        }
    }
    found.sort_by(|a, b| a.to.cmp(&b.to));
    Ok(found)
}

fn add(dir: &Path, pattern: &str, to: Option<&str>, found: &mut Vec<Resource>) -> Result<()> {
    let before = found.len();
    let to = to.map(|it| place(Path::new(it)));
    let missing = || format!("`bundle.resources` names {pattern}, which is not there");
    if pattern.contains('*') {
        let full = glob::Pattern::escape(&dir.to_string_lossy()) + "/" + pattern;
        for path in glob::glob(&full).with_context(missing)? {
            let path = path?;
            if path.is_dir() {
                continue;
            }
            let inside = path.strip_prefix(dir).unwrap_or(&path);
            let to = match &to {
                // Below the folder that is named, whatever stood between.
                Some(to) => to.join(path.file_name().context("a file has a name")?),
                None => place(inside),
            };
            found.push(resource(path.clone(), &to));
        }
        ensure!(found.len() > before, missing());
        return Ok(());
    }
    let path = dir.join(pattern);
    ensure!(path.exists(), missing());
    if path.is_dir() {
        let to = to.unwrap_or_else(|| place(Path::new(pattern)));
        return walk(&path, &to, found);
    }
    let to = match to {
        Some(to) if to.as_os_str().is_empty() => path.file_name().map(PathBuf::from),
        Some(to) => Some(to),
        None => Some(place(Path::new(pattern))),
    };
    found.push(resource(path, &to.context("a file has a name")?));
    Ok(())
}

fn walk(folder: &Path, to: &Path, found: &mut Vec<Resource>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let is_link = entry.file_type()?.is_symlink();
        match from.is_dir() {
            // Tauri's bundler leaves it out unseen, and it may lead back to where it lies.
            true if is_link => bail!(
                "{} is a symbolic link to a folder; Tauri's bundler would leave it out\n\
                 hint: make it a folder, or name the folder itself under `bundle.resources`",
                from.display()
            ),
            true => walk(&from, &to, found)?,
            false => found.push(resource(from, &to)),
        }
    }
    Ok(())
}

fn resource(from: PathBuf, to: &Path) -> Resource {
    let to = to.to_string_lossy().replace('\\', "/");
    Resource { from, to }
}

/// A path without what would lead out of the folder.
fn place(path: &Path) -> PathBuf {
    let part = |it| match it {
        Component::Prefix(_) | Component::CurDir => None,
        Component::RootDir => Some("_root_".into()),
        Component::ParentDir => Some("_up_".into()),
        Component::Normal(name) => Some(PathBuf::from(name)),
    };
    path.components().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(value: serde_json::Value, expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("app");
        for file in ["a.txt", "data/b.txt", "data/deep/c.txt", "../d.txt"] {
            let path = dir.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let shown = match resources(&dir, &value) {
            Ok(found) => found
                .iter()
                .map(|it| {
                    format!(
                        "{} <- {}\n",
                        it.to,
                        std::fs::read_to_string(&it.from).unwrap()
                    )
                })
                .collect(),
            Err(error) => format!("{error:#}\n"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn resources_go_where_tauri_puts_them() {
        check(
            serde_json::json!(["a.txt", "data", "../d.txt"]),
            expect![[r#"
                _up_/d.txt <- ../d.txt
                a.txt <- a.txt
                data/b.txt <- data/b.txt
                data/deep/c.txt <- data/deep/c.txt
            "#]],
        );
        check(
            serde_json::json!({ "a.txt": "", "data": "x/y", "../d.txt": "e.txt", "gone": null }),
            expect![[r#"
                a.txt <- a.txt
                e.txt <- ../d.txt
                x/y/b.txt <- data/b.txt
                x/y/deep/c.txt <- data/deep/c.txt
            "#]],
        );
        check(
            serde_json::json!({ "data/**/*.txt": "flat" }),
            expect![[r#"
                flat/b.txt <- data/b.txt
                flat/c.txt <- data/deep/c.txt
            "#]],
        );
        check(
            serde_json::json!(["gone"]),
            expect![[r#"
                `bundle.resources` names gone, which is not there
            "#]],
        );
        check(
            serde_json::json!(["*.md"]),
            expect![[r#"
                `bundle.resources` names *.md, which is not there
            "#]],
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("a.txt"), "a").unwrap();
        std::os::unix::fs::symlink("a.txt", data.join("b.txt")).unwrap();
        let found = |dir| resources(dir, &serde_json::json!(["data"]));
        assert_eq!(found(folder.path()).unwrap().len(), 2);
        std::os::unix::fs::symlink(".", data.join("again")).unwrap();
        let error = found(folder.path()).unwrap_err().to_string();
        let error = error.replace(&*folder.path().to_string_lossy(), "[ROOT]");
        expect![[r#"
            [ROOT]/data/again is a symbolic link to a folder; Tauri's bundler would leave it out
            hint: make it a folder, or name the folder itself under `bundle.resources`"#]]
        .assert_eq(&error);
    }
}
