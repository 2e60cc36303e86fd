//! Frameworks have their files once, in `Versions/<version>`; all else at their top are links to
//! there. Who copies one without its links, as archives and installers of Python packages do, leaves
//! each file three times, and a folder that macOS takes for no framework.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::engine::staging;

const CURRENT: &str = "Current";

/// A link that was made, or made again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mended {
    /// Relative to the folder that was searched, with `/`.
    pub link: String,
    /// Where it leads.
    pub target: String,
}

/// Mends the frameworks below a folder. What a link takes the place of was the same, byte by byte.
///
/// # Errors
/// A copy differs from what it is a copy of, or there are several versions and none is current.
pub fn mend(root: &Path) -> Result<Vec<Mended>> {
    let mut mended = Vec::new();
    for framework in frameworks(root)? {
        mend_one(root, &framework, &mut mended)
            .with_context(|| format!("the framework {}", relative(root, &framework)))?;
    }
    mended.sort();
    Ok(mended)
}

/// The frameworks below a folder, each with its current version, which alone is left of it with
/// links into it once it is mended.
///
/// # Errors
/// There are several versions and none is current.
pub fn versions(root: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let with_current = |framework: PathBuf| {
        let versions = framework.join("Versions");
        let current = versions.join(current(&versions)?);
        Ok((framework, current))
    };
    frameworks(root)?.into_iter().map(with_current).collect()
}

/// Those with versions.
fn frameworks(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let path = entry.path();
            let is_one = path.extension().is_some_and(|it| it == "framework");
            if is_one && path.join("Versions").is_dir() {
                found.push(path.clone());
            }
            folders.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn mend_one(root: &Path, framework: &Path, mended: &mut Vec<Mended>) -> Result<()> {
    let versions = framework.join("Versions");
    let version = current(&versions)?;
    make(
        root,
        &versions.join(CURRENT),
        &version,
        &versions.join(&version),
        mended,
    )?;
    let name = framework
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for entry in fs::read_dir(versions.join(&version))? {
        let entry = entry?;
        let own = entry.file_name().to_string_lossy().into_owned();
        let top = framework.join(&own);
        // Apple's tools link these two; what else is there is linked if somebody had it there.
        let wanted = own == name || own == "Resources" || fs::symlink_metadata(&top).is_ok();
        if wanted && own != "_CodeSignature" {
            let target = format!("Versions/{CURRENT}/{own}");
            make(root, &top, &target, &entry.path(), mended)?;
        }
    }
    Ok(())
}

/// The version that `Current` leads to, or should.
fn current(versions: &Path) -> Result<String> {
    let link = versions.join(CURRENT);
    if let Ok(target) = fs::read_link(&link) {
        let name = target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        ensure!(
            versions.join(&name).is_dir(),
            "Versions/{CURRENT} leads to {name}, which is missing"
        );
        return Ok(name);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(versions)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && name != CURRENT {
            names.push(name);
        }
    }
    names.sort();
    match &*names {
        [one] => Ok(one.clone()),
        [] if link.is_dir() => {
            // Only what the link led to is left; `A` is what Apple's tools call the first.
            fs::rename(&link, versions.join("A"))?;
            Ok("A".to_owned())
        }
        _ => {
            let same = |it: &&String| same(&versions.join(it), &link).unwrap_or(false);
            let found = names.iter().find(same).cloned();
            found.with_context(|| {
                format!(
                    "which of {} is the current version?\n\
                     hint: make Versions/{CURRENT} a symbolic link to it",
                    names.join(", ")
                )
            })
        }
    }
}

/// Makes the link, in the place of a copy of `original` if there is one.
fn make(
    root: &Path,
    at: &Path,
    target: &str,
    original: &Path,
    mended: &mut Vec<Mended>,
) -> Result<()> {
    let meta = fs::symlink_metadata(at);
    if let Ok(found) = fs::read_link(at) {
        ensure!(
            fs::canonicalize(at).ok() == fs::canonicalize(original).ok(),
            "{} leads to {}, not to {target}",
            relative(root, at),
            found.display()
        );
        return Ok(());
    }
    if meta.is_ok() {
        ensure!(
            same(at, original)?,
            "{} should be a symbolic link to {target}, but is a file or folder of its own that \
             differs from it\n\
             hint: copy the framework anew, keeping its links (`cp -a`, `ditto`, `tar`)",
            relative(root, at)
        );
        staging::remove(at)?;
    }
    link(Path::new(target), at)?;
    mended.push(Mended {
        link: relative(root, at),
        target: target.to_owned(),
    });
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> Result<()> {
    Ok(fs::os::unix::fs::symlink(target, at)?)
}

#[cfg(not(unix))]
fn link(target: &Path, at: &Path) -> Result<()> {
    anyhow::bail!(
        "{} must be a symbolic link to {}, which cannot be made on this system",
        at.display(),
        target.display()
    )
}

/// Whether two files or folders are the same, links in them included.
fn same(a: &Path, b: &Path) -> Result<bool> {
    let (left, right) = (fs::symlink_metadata(a)?, fs::symlink_metadata(b)?);
    if left.is_symlink() || right.is_symlink() {
        // A copy may have a file where the original has a link to that file.
        let resolved = |it: &Path| fs::canonicalize(it);
        let (Ok(a), Ok(b)) = (resolved(a), resolved(b)) else {
            return Ok(false);
        };
        return if a == b { Ok(true) } else { same(&a, &b) };
    }
    match (left.is_dir(), right.is_dir()) {
        (true, true) => {
            if names(a)? != names(b)? {
                return Ok(false);
            }
            for name in names(a)? {
                if !same(&a.join(&name), &b.join(&name))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (false, false) => Ok(left.len() == right.len() && fs::read(a)? == fs::read(b)?),
        _ => Ok(false),
    }
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let names = fs::read_dir(folder)?.map(|it| Ok(it?.file_name()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(all(test, unix))]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What is mended in an app with these files (`path`, or `path -> target`), and a second time.
    fn check(files: &[&str], expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let (path, target) = file.split_once(" -> ").unwrap_or((file, ""));
            let (path, text) = path.split_once('=').unwrap_or((path, path));
            let at = folder.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            match target {
                "" => fs::write(at, text.rsplit('/').next().unwrap()).unwrap(),
                target => link(Path::new(target), &at).unwrap(),
            }
        }
        let mut text = String::new();
        match mend(folder.path()) {
            Ok(mended) => {
                for it in mended {
                    text += &format!("{} -> {}\n", it.link, it.target);
                }
                assert_eq!(mend(folder.path()).unwrap(), [], "{files:?}");
            }
            Err(error) => text = format!("{error:#}\n"),
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn frameworks_get_their_links_back() {
        let whole = [
            "P.framework/Versions/3.11/P",
            "P.framework/Versions/3.11/Resources/Info.plist",
            "P.framework/Versions/Current -> 3.11",
            "P.framework/P -> Versions/Current/P",
            "P.framework/Resources -> Versions/Current/Resources",
        ];
        check(&whole, expect![""]);
        // Unpacked by something that knows no links: they are missing, or are copies.
        check(
            &whole[..2],
            expect![[r#"
                P.framework/P -> Versions/Current/P
                P.framework/Resources -> Versions/Current/Resources
                P.framework/Versions/Current -> 3.11
            "#]],
        );
        let copies = [
            "P.framework/Versions/3.11/P",
            "P.framework/Versions/3.11/Headers/a.h",
            "P.framework/Versions/Current/P",
            "P.framework/Versions/Current/Headers/a.h",
            "P.framework/P",
            "P.framework/Headers/a.h",
        ];
        check(
            &copies,
            expect![[r#"
                P.framework/Headers -> Versions/Current/Headers
                P.framework/P -> Versions/Current/P
                P.framework/Versions/Current -> 3.11
            "#]],
        );
        check(
            &["P.framework/Versions/Current/P", "P.framework/P"],
            expect![[r#"
                P.framework/P -> Versions/Current/P
                P.framework/Versions/Current -> A
            "#]],
        );
    }

    #[test]
    fn nothing_is_replaced_by_what_it_is_not() {
        let other = ["P.framework/Versions/A/P", "P.framework/P=other"];
        check(
            &other,
            expect![[r#"
                the framework P.framework: P.framework/P should be a symbolic link to Versions/Current/P, but is a file or folder of its own that differs from it
                hint: copy the framework anew, keeping its links (`cp -a`, `ditto`, `tar`)
            "#]],
        );
        let two = ["P.framework/Versions/A/P", "P.framework/Versions/B/P=other"];
        check(
            &two,
            expect![[r#"
                the framework P.framework: which of A, B is the current version?
                hint: make Versions/Current a symbolic link to it
            "#]],
        );
        let elsewhere = [
            "P.framework/Versions/A/P",
            "P.framework/Versions/B/P",
            "P.framework/Versions/Current -> A",
            "P.framework/P -> Versions/B/P",
        ];
        check(
            &elsewhere,
            expect![[r#"
                the framework P.framework: P.framework/P leads to Versions/B/P, not to Versions/Current/P
            "#]],
        );
    }
}
