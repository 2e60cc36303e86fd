//! All files or none: each is written beside its place first, then all are renamed, and what was
//! renamed before a failure is put back, new files and folders removed. Nothing that is there is overwritten
//! unless it is what was read.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use fs_err as fs;

use super::Change;
use crate::engine::staging;

/// Writes all changes.
///
/// # Errors
/// A file cannot be written, or changed since it was read. Then all are as they were; the error says
/// so, or names those that could not be put back.
pub fn write(changes: &[Change]) -> Result<()> {
    write_with(changes, staging::replace)
}

/// A new text beside the file that it is for.
struct Staged<'c> {
    change: &'c Change,
    /// The file itself, where the path is a symbolic link.
    file: PathBuf,
    new: PathBuf,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Renamed by now, unless something failed.
        std::fs::remove_file(&self.new).ok();
    }
}

/// Folders that were made; removed again, the innermost first, if they stay empty.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for it in self.0.iter().rev() {
            std::fs::remove_dir(it).ok();
        }
    }
}

impl Made {
    /// Makes the folder and those above it that are missing.
    fn make(&mut self, folder: &Path) -> Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.exists()).collect();
        for it in missing.into_iter().rev() {
            fs::create_dir(it)?;
            self.0.push(it.to_owned());
        }
        Ok(())
    }
}

pub(crate) fn write_with<E>(
    changes: &[Change],
    rename: impl Fn(&Path, &Path) -> std::result::Result<(), E>,
) -> Result<()>
where
    anyhow::Error: From<E>,
{
    // Outlives the texts in them.
    let mut made = Made::default();
    let staged = changes.iter().map(|it| stage(it, &mut made));
    let staged = staged.collect::<Result<Vec<_>>>().map_err(|error| {
        anyhow!("{error:#}\nhint: nothing was written: mend that, and say it again")
    })?;
    for (index, it) in staged.iter().enumerate() {
        if let Err(error) = rename(&it.new, &it.file) {
            let error = anyhow::Error::from(error);
            let cause = format!("cannot write {}: {}", it.change.file, error.root_cause());
            return Err(put_back(&staged[..index], &rename, &cause));
        }
    }
    Ok(())
}

fn stage<'c>(change: &'c Change, made: &mut Made) -> Result<Staged<'c>> {
    let there = match std::fs::read(&change.path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", change.file)),
    };
    ensure!(
        there.as_deref() == change.before.as_ref().map(String::as_bytes),
        "{} was changed by somebody else just now",
        change.file
    );
    let (file, permissions) = match there {
        Some(_) => {
            let file = fs::canonicalize(&change.path)?;
            let permissions = fs::metadata(&file)?.permissions();
            // A rename would replace it on Unix, and fail on Windows.
            ensure!(!permissions.readonly(), "{} is read-only", change.file);
            (file, Some(permissions))
        }
        None => {
            made.make(change.path.parent().context("a file lies in a folder")?)?;
            (change.path.clone(), None)
        }
    };
    let new = write_beside(&file, &change.after, permissions)
        .with_context(|| format!("cannot write beside {}", change.file))?;
    Ok(Staged { change, file, new })
}

fn write_beside(
    file: &Path,
    text: &str,
    permissions: Option<std::fs::Permissions>,
) -> Result<PathBuf> {
    let name = file.file_name().context("a file has a name")?;
    let name = beside(&name.to_string_lossy(), &std::process::id().to_string());
    let new = file.with_file_name(name);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        permissions.map_or(Ok(()), |it| file.set_permissions(it))?;
        file.sync_all()
    });
    if let Err(error) = written {
        std::fs::remove_file(&new).ok();
        bail!(error);
    }
    Ok(new)
}

/// What a new text is called until it takes its place.
fn beside(name: &str, id: &str) -> String {
    format!(".{name}.{id}.new")
}

/// Whether a file is a new text for a file with this name, of whichever process.
pub(crate) fn is_beside(other: &str, name: &str) -> bool {
    let id = other.strip_prefix('.').and_then(|it| it.strip_prefix(name));
    let id = id.and_then(|it| it.strip_prefix('.')?.strip_suffix(".new"));
    id.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

/// Gives the files that were written their old texts again, removes the new ones, and says so.
fn put_back<E>(
    written: &[Staged<'_>],
    rename: &impl Fn(&Path, &Path) -> std::result::Result<(), E>,
    cause: &str,
) -> anyhow::Error
where
    anyhow::Error: From<E>,
{
    let back = |it: &Staged<'_>| -> Result<()> {
        let Some(before) = &it.change.before else {
            return Ok(fs::remove_file(&it.file)?);
        };
        let permissions = fs::metadata(&it.file)?.permissions();
        let new = write_beside(&it.file, before, Some(permissions))?;
        Ok(rename(&new, &it.file)?)
    };
    let left = written.iter().filter(|it| back(it).is_err());
    let left: Vec<&str> = left.map(|it| it.change.file.as_str()).collect();
    if left.is_empty() {
        return anyhow!("{cause}\nhint: all files are as they were: mend that, and say it again");
    }
    anyhow!(
        "{cause}; and {} could not be put back\n\
         hint: `git diff` shows what changed; mend that, and say it again",
        left.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Three files with `old`, to be written with `new`.
    fn repository() -> (tempfile::TempDir, Vec<Change>) {
        let dir = tempfile::tempdir().unwrap();
        let change = |name: &&str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "old").unwrap();
            let (before, after) = (Some("old".to_owned()), "new".to_owned());
            let file = (*name).to_owned();
            Change {
                path,
                file,
                before,
                after,
            }
        };
        let changes = ["a", "b", "c"].iter().map(change).collect();
        (dir, changes)
    }

    /// The content of all files, by name; nothing else may be left.
    fn contents(dir: &Path) -> String {
        let mut all: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|it| it.unwrap().path())
            .map(|it| {
                let text = std::fs::read_to_string(&it).unwrap();
                format!("{}={text}", it.file_name().unwrap().display())
            })
            .collect();
        all.sort();
        all.join(" ")
    }

    #[test]
    fn all_or_none() {
        // Which renames fail, counted from 0; what is left, and what is said.
        let check = |fail: &[usize], expected: &str, said: &str| {
            let (dir, changes) = repository();
            let count = Cell::new(0);
            let outcome = write_with(&changes, |from, to| {
                let now = count.replace(count.get() + 1);
                match fail.contains(&now) {
                    true => Err(io::Error::other("no")),
                    false => std::fs::rename(from, to),
                }
            });
            let text = outcome.map_or_else(|it| it.to_string(), |()| String::new());
            assert_eq!(contents(dir.path()).replace(".new", ""), expected, "{text}");
            assert_eq!(text.lines().next().unwrap_or_default(), said);
        };
        check(&[], "a=new b=new c=new", "");
        check(&[0], "a=old b=old c=old", "cannot write a: no");
        check(&[2], "a=old b=old c=old", "cannot write c: no");
    }

    #[test]
    fn what_cannot_be_put_back_is_named() {
        let (_dir, changes) = repository();
        let broken = Cell::new(false);
        let outcome = write_with(&changes, |from, to| {
            broken.set(broken.get() || to.ends_with("c"));
            match broken.get() {
                true => Err(io::Error::other("no")),
                false => std::fs::rename(from, to),
            }
        });
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("and a, b could not be put back"), "{error}");
    }

    #[test]
    fn what_changed_or_must_not_change_stops_all() {
        let check = |spoil: &dyn Fn(&Path), said: &str| {
            let (dir, changes) = repository();
            spoil(&dir.path().join("c"));
            let before = contents(dir.path());
            let error = write(&changes).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(error.contains("nothing was written"), "{error}");
            assert_eq!(contents(dir.path()), before);
        };
        check(
            &|it| std::fs::write(it, "other").unwrap(),
            "c was changed by somebody else",
        );
        let lock = |it: &Path| {
            let mut permissions = std::fs::metadata(it).unwrap().permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(it, permissions).unwrap();
        };
        check(&lock, "c is read-only");
    }

    #[test]
    fn new_files_and_folders_go_again_with_the_others() {
        let check = |fail: Option<usize>, theirs: bool, expected: &str| {
            let (dir, mut changes) = repository();
            let new = dir.path().join("x/y/a");
            fs::remove_file(&changes[0].path).unwrap();
            changes[0].path.clone_from(&new);
            changes[0].before = None;
            if theirs {
                fs::create_dir_all(new.parent().unwrap()).unwrap();
                fs::write(&new, "mine").unwrap();
            }
            let count = Cell::new(0);
            let outcome = write_with(&changes, |from, to| {
                let now = count.replace(count.get() + 1);
                match fail == Some(now) {
                    true => Err(io::Error::other("no")),
                    false => std::fs::rename(from, to),
                }
            });
            assert_eq!(outcome.is_err(), theirs || fail.is_some());
            let a = fs::read_to_string(&new).unwrap_or_else(|_| "none".to_owned());
            fs::remove_file(&new).ok();
            let folder = dir.path().join("x").exists();
            fs::remove_dir_all(dir.path().join("x")).ok();
            assert_eq!(format!("{a} {folder} {}", contents(dir.path())), expected);
        };
        check(None, false, "new true b=new c=new");
        check(Some(2), false, "none false b=old c=old");
        check(None, true, "mine true b=old c=old");
    }

    #[cfg(unix)]
    #[test]
    fn modes_and_links_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, changes) = repository();
        let (link, file) = (dir.path().join("a"), dir.path().join("real"));
        std::fs::rename(&link, &file).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        write(&changes).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
