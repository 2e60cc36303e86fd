//! The copy of the checkout in which releases are made for a test: the checkout itself, its
//! journal and its finished releases stay as they are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::Tests;
use crate::engine::{
    event::Stamped,
    exec,
    files::{StatCache, Tree},
    staging,
    step::Context,
};
use crate::{config::FILE, pipeline, report::Recorder, steps};

/// A repository below `target/dist/<target>/test`, kept between runs.
pub(super) struct Scratch<'a> {
    tests: &'a Tests,
    /// Its top folder.
    pub(super) root: PathBuf,
}

impl<'a> Scratch<'a> {
    /// Brings the copy up to date with the files as they are now, committed or not.
    pub(super) fn new(tests: &'a Tests, cx: &Context) -> Result<Self> {
        let scratch = Self {
            tests,
            root: tests.state.join("test/checkout"),
        };
        fs_err::create_dir_all(&scratch.root)?;
        copy_changed(cx.root(), &scratch.root)?;
        scratch.commit(cx)?;
        scratch.share_caches(cx)?;
        Ok(scratch)
    }

    /// A copy of this copy, with another configuration. What these steps left here is its own, too:
    /// it need not be built again.
    pub(super) fn another(
        &self,
        cx: &Context,
        name: &str,
        config: &str,
        steps: &[&str],
    ) -> Result<Self> {
        let other = Self {
            tests: self.tests,
            root: self.tests.state.join("test").join(name),
        };
        fs_err::create_dir_all(&other.root)?;
        copy_changed(&self.root, &other.root)?;
        let file = self.tests.repository.config.file.as_ref();
        let file = file.map_or_else(
            || self.tests.repository.config.root.join(FILE),
            Clone::clone,
        );
        fs_err::write(other.inside(&file)?, config)?;
        other.commit(cx)?;
        other.share_caches(cx)?;
        other.adopt(self, steps)?;
        Ok(other)
    }

    /// Takes over what these steps left in another copy, and the records of it. The last record of
    /// a step counts.
    fn adopt(&self, from: &Self, steps: &[&str]) -> Result<()> {
        let journals = [&from.state(), &self.state()].map(|it| it.join("journal.v1.jsonl"));
        let records = fs_err::read_to_string(&journals[0])?;
        let mut own = std::fs::read_to_string(&journals[1]).unwrap_or_default();
        if own.is_empty() {
            own.extend(records.split_inclusive('\n').take(1));
        }
        for step in steps {
            let is_of_step = |it: &&str| it.contains(&format!(" {{\"step\":\"{step}\","));
            own.extend(records.split_inclusive('\n').rfind(is_of_step));
            let stage = Path::new("stages").join(staging::file_name(step));
            let (stage, old) = (from.state().join(&stage), self.state().join(&stage));
            staging::remove(&old)?;
            if stage.is_dir() {
                steps::copy_tree(&stage, &old)?;
            }
        }
        Ok(fs_err::write(&journals[1], own)?)
    }

    /// Commits all files. Author and time are fixed: the same files are the same commit.
    fn commit(&self, cx: &Context) -> Result<()> {
        staging::remove(&self.root.join(".git"))?;
        let nobody = [
            "-c",
            "user.name=nobody",
            "-c",
            "user.email=nobody@localhost",
        ];
        let local = [
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
        ];
        let git = |words: &[&str]| {
            let mut command = Command::new("git");
            command
                .current_dir(&self.root)
                .args(nobody)
                .args(local)
                .args(words);
            command.env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z");
            command.env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z");
            cx.exec(command).run()
        };
        git(&["init", "--quiet"])?;
        git(&["add", "--all"])?;
        git(&["commit", "--quiet", "--message", "The files under test"])
    }

    /// Python environments and what freezers remember are the checkout's, whose lock this run
    /// holds: making them anew takes minutes.
    fn share_caches(&self, cx: &Context) -> Result<()> {
        let caches = self.tests.state.join("cache");
        fs_err::create_dir_all(&caches)?;
        let state = self.state();
        fs_err::create_dir_all(&state)?;
        let link = state.join("cache");
        if std::fs::read_link(&link).is_ok_and(|it| it == caches) {
            return Ok(());
        }
        staging::remove(&link)?;
        #[cfg(unix)]
        fs_err::os::unix::fs::symlink(&caches, &link)?;
        // Elsewhere a link wants a privilege; without it the caches are only cold.
        let _ = (cx, &link);
        Ok(())
    }

    /// Where its journal lies.
    pub(super) fn state(&self) -> PathBuf {
        pipeline::state(&self.root, &self.tests.target)
    }

    /// This program at work in the copy.
    pub(super) fn xtask(&self, words: &[&str]) -> Command {
        self.speaking("plain", words)
    }

    /// This program at work in the copy, with this `--format`.
    pub(super) fn speaking(&self, format: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.tests.program);
        command
            .args(words)
            .args(["--format", format, "--color", "never"]);
        command.current_dir(&self.root);
        // The dependencies are the same: compiling them once is enough.
        command.env("CARGO_TARGET_DIR", &self.tests.repository.app.target);
        if let Some(config) = &self.tests.config {
            let inside = self.tests.repository.config.root.join(config);
            let inside = inside.strip_prefix(&self.tests.repository.config.root);
            command
                .arg("--config")
                .arg(inside.map_or(config.clone(), |it| self.root.join(it)));
        }
        command
    }

    /// The path in the copy of a path in the checkout.
    pub(super) fn inside(&self, path: &Path) -> Result<PathBuf> {
        let inside = path.strip_prefix(&self.tests.repository.config.root);
        let inside = inside.with_context(|| format!("{} is not in the repository", path.display()));
        Ok(self.root.join(inside?))
    }

    /// What the last release was made with.
    pub(super) fn last_run(&self) -> Result<Vec<Stamped>> {
        let text = fs_err::read_to_string(Recorder::file(&self.state()))?;
        let events = text.lines().map(serde_json::from_str);
        events
            .collect::<Result<_, _>>()
            .context("the record of the last run")
    }
}

/// The paths of all files that git would not ignore, as the fingerprints of sources see them.
fn files(root: &Path) -> Result<BTreeSet<String>> {
    let cache = StatCache::open(PathBuf::new(), true, exec::quiet);
    let found = Tree::new(root).walk(root, &cache)?;
    Ok(found.into_iter().map(|it| it.path).collect())
}

/// Makes the files of `to` those of `from`. What is the same is left alone, and with it its time:
/// compilers look at that. So is what git ignores: it is what the last release was made with.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    let wanted = files(from)?;
    for inside in &wanted {
        let (path, into) = (from.join(inside), to.join(inside));
        fs_err::create_dir_all(into.parent().unwrap_or(to))?;
        if path.is_symlink() {
            staging::remove(&into)?;
            #[cfg(unix)]
            fs_err::os::unix::fs::symlink(fs_err::read_link(&path)?, &into)?;
        } else if std::fs::read(&into).ok() != Some(fs_err::read(&path)?) {
            staging::remove(&into)?;
            fs_err::copy(&path, &into)?;
        }
    }
    for inside in files(to)?.difference(&wanted) {
        staging::remove(&to.join(inside))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_the_checkout_but_keeps_what_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        for (path, text) in [
            ("from/.gitignore", "/target/\n"),
            ("from/.git/HEAD", ""),
            ("from/target/old", ""),
            ("from/src/same.rs", "same"),
            ("from/src/new.rs", "new"),
            ("to/target/kept", ""),
            ("to/src/same.rs", "same"),
            ("to/src/gone.rs", ""),
        ] {
            write(path, text);
        }
        let time = |path: &Path| fs_err::metadata(path).unwrap().modified().unwrap();
        let before = time(&to.join("src/same.rs"));
        copy_changed(&from, &to).unwrap();
        assert_eq!(time(&to.join("src/same.rs")), before);
        assert_eq!(
            files(&to).unwrap(),
            [".gitignore", "src/new.rs", "src/same.rs"]
                .map(str::to_owned)
                .into()
        );
        assert!(to.join("target/kept").exists() && !to.join("target/old").exists());
    }
}
