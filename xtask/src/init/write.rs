//! Files that are written all or not at all: each is written beside its place first, then all are put
//! there, and what was put there before a failure is taken back. Nothing that is there is overwritten
//! unless it is what was read.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use fs_err as fs;
use similar::TextDiff;

/// A file with its text from before, if it was there, and from after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the repository, with `/`.
    pub file: String,
    /// As it was read; none if it is not there.
    pub before: Option<String>,
    /// As it will be.
    pub after: String,
}

impl Change {
    /// The difference, as `git apply` takes it.
    pub fn diff(&self) -> String {
        let before = self.before.as_deref().unwrap_or_default();
        let old = match self.before {
            Some(_) => format!("a/{}", self.file),
            None => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(before, &self.after);
        let new = format!("b/{}", self.file);
        diff.unified_diff().header(&old, &new).to_string()
    }
}

/// Writes all changes below a folder.
///
/// # Errors
/// A file cannot be written, or is not as it was read. Then all is as it was; the error says so, or names
/// what could not be taken back.
pub fn write(root: &Path, changes: &[Change]) -> Result<()> {
    write_with(root, changes, |from, to| std::fs::rename(from, to))
}

/// A new text beside the place that it is for.
struct Staged<'c> {
    change: &'c Change,
    /// Where it belongs; what a symbolic link leads to.
    file: PathBuf,
    new: PathBuf,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Renamed by now, unless something failed.
        std::fs::remove_file(&self.new).ok();
    }
}

fn write_with(
    root: &Path,
    changes: &[Change],
    rename: impl Fn(&Path, &Path) -> io::Result<()>,
) -> Result<()> {
    let mut folders = Vec::new();
    let outcome = (|| {
        let staged = changes.iter().map(|it| stage(root, it, &mut folders));
        let staged = staged.collect::<Result<Vec<_>>>()?;
        for (index, it) in staged.iter().enumerate() {
            if let Err(error) = rename(&it.new, &it.file) {
                let left = taken_back(&staged[..index], &rename);
                let cause = anyhow!("cannot write {}: {error}", it.change.file);
                return Err(match left.is_empty() {
                    true => cause,
                    false => cause.context(format!("{} could not be taken back", left.join(", "))),
                });
            }
        }
        Ok(())
    })();
    if let Err(error) = outcome {
        // Those that were made for nothing; the innermost first.
        for it in folders.iter().rev() {
            std::fs::remove_dir(it).ok();
        }
        let hint = match format!("{error:#}").contains("could not be taken back") {
            true => "hint: `git status` shows what changed; mend that, and call it again",
            false => "hint: nothing was written: mend that, and call it again",
        };
        return Err(anyhow!("{error:#}\n{hint}"));
    }
    Ok(())
}

fn stage<'c>(root: &Path, change: &'c Change, folders: &mut Vec<PathBuf>) -> Result<Staged<'c>> {
    let path = root.join(&change.file);
    let folder = path.parent().context("a file lies in a folder")?;
    make(folder, folders)?;
    let there = match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", change.file)),
    };
    ensure!(
        there.as_deref() == change.before.as_ref().map(String::as_bytes),
        "{} was changed by somebody else just now",
        change.file
    );
    let permissions = match there {
        Some(_) => Some(fs::metadata(&path)?.permissions()),
        None => None,
    };
    // A rename would replace it on Unix, and fail on Windows.
    let read_only = permissions.as_ref().is_some_and(|it| it.readonly());
    ensure!(!read_only, "{} is read-only", change.file);
    let file = match there {
        Some(_) => fs::canonicalize(&path)?,
        None => path,
    };
    let new = beside(&file, &change.after, permissions)
        .with_context(|| format!("cannot write beside {}", change.file))?;
    Ok(Staged { change, file, new })
}

/// Makes the folder and those above it, and takes note of the new ones.
fn make(folder: &Path, made: &mut Vec<PathBuf>) -> Result<()> {
    let missing = folder.ancestors().take_while(|it| !it.exists());
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    for it in missing {
        fs::create_dir(it)?;
        made.push(it.to_owned());
    }
    Ok(())
}

fn beside(file: &Path, text: &str, permissions: Option<std::fs::Permissions>) -> Result<PathBuf> {
    let name = file.file_name().context("a file has a name")?;
    let name = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
    let new = file.with_file_name(name);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        permissions.map_or(Ok(()), |it| file.set_permissions(it))?;
        file.sync_all()
    });
    if let Err(error) = written {
        std::fs::remove_file(&new).ok();
        return Err(error.into());
    }
    Ok(new)
}

/// Gives the files their old texts again, and removes the new ones; those with which that failed.
fn taken_back<'c>(
    done: &[Staged<'c>],
    rename: &impl Fn(&Path, &Path) -> io::Result<()>,
) -> Vec<&'c str> {
    let back = |it: &Staged<'_>| -> Result<()> {
        match &it.change.before {
            None => fs::remove_file(&it.file)?,
            Some(before) => {
                let permissions = fs::metadata(&it.file)?.permissions();
                rename(&beside(&it.file, before, Some(permissions))?, &it.file)?;
            }
        }
        Ok(())
    };
    let failed = done.iter().filter(|it| back(it).is_err());
    failed.map(|it| it.change.file.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn changes() -> Vec<Change> {
        let change = |file: &str, before: Option<&str>| Change {
            file: file.to_owned(),
            before: before.map(str::to_owned),
            after: "new".to_owned(),
        };
        vec![
            change("a", Some("old")),
            change("b/c/d", None),
            change("e/f", None),
        ]
    }

    /// All that is in a folder, by path.
    fn contents(dir: &Path) -> String {
        let mut all = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let name = path
                    .strip_prefix(dir)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                match path.is_dir() {
                    true => {
                        all.push(format!("{name}/"));
                        folders.push(path);
                    }
                    false => all.push(format!(
                        "{name}={}",
                        std::fs::read_to_string(&path).unwrap()
                    )),
                }
            }
        }
        all.sort();
        all.join(" ")
    }

    #[test]
    fn all_or_none() {
        let check = |spoil: &dyn Fn(&Path), fail: Option<usize>, expected: &str, said: &str| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("a"), "old").unwrap();
            spoil(dir.path());
            let count = Cell::new(0);
            let outcome = write_with(dir.path(), &changes(), |from, to| {
                match fail == Some(count.replace(count.get() + 1)) {
                    true => Err(io::Error::other("no")),
                    false => std::fs::rename(from, to),
                }
            });
            let text = outcome.map_or_else(|it| it.to_string(), |()| String::new());
            assert_eq!(contents(dir.path()), expected, "{text}");
            assert_eq!(text.lines().next().unwrap_or_default(), said);
            assert_eq!(
                text.contains("nothing was written"),
                !said.is_empty(),
                "{text}"
            );
        };
        let nothing = |_: &Path| ();
        check(&nothing, None, "a=new b/ b/c/ b/c/d=new e/ e/f=new", "");
        check(&nothing, Some(0), "a=old", "cannot write a: no");
        check(&nothing, Some(2), "a=old", "cannot write e/f: no");
        let other = |it: &Path| std::fs::write(it.join("a"), "mine").unwrap();
        check(
            &other,
            None,
            "a=mine",
            "a was changed by somebody else just now",
        );
        let there = |it: &Path| {
            std::fs::create_dir(it.join("e")).unwrap();
            std::fs::write(it.join("e/f"), "mine").unwrap();
        };
        check(
            &there,
            None,
            "a=old e/ e/f=mine",
            "e/f was changed by somebody else just now",
        );
    }

    #[test]
    fn a_difference_is_a_patch() {
        let diffs: String = changes()[..2].iter().map(Change::diff).collect();
        expect_test::expect![[r#"
            --- a/a
            +++ b/a
            @@ -1 +1 @@
            -old
            \ No newline at end of file
            +new
            \ No newline at end of file
            --- /dev/null
            +++ b/b/c/d
            @@ -0,0 +1 @@
            +new
            \ No newline at end of file
        "#]]
        .assert_eq(&diffs);
    }
}
