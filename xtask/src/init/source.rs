//! Where the library comes from: what stands behind `xtask =` among the dependencies of the program.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use toml::{Table, Value};

use super::tree::{self, Tree};
use crate::engine::exec;

/// Where the library comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder, from the top, or an absolute one.
    Path(String),
    /// An address, and a revision.
    Git(String, Option<String>),
}

impl Source {
    /// A path, or the address of a git repository with an optional `#revision`.
    ///
    /// # Errors
    /// At the path there is no package of that name.
    pub(super) fn parse(tree: &Tree, text: &str) -> Result<Self> {
        let (address, rev) = match text.split_once('#') {
            Some((address, rev)) => (address, Some(rev.to_owned())),
            None => (text, None),
        };
        if let Some(url) = url(address) {
            return Ok(Self::Git(url, rev));
        }
        let dir = std::path::absolute(tree.root.join(text))?;
        ensure!(
            is_library(&dir),
            "{} is no package with the name xtask\n\
             hint: --source takes the folder `xtask` of its repository, or the address of that repository",
            dir.display()
        );
        let root = std::path::absolute(&tree.root)?;
        Ok(Self::Path(relative(&root, &dir)))
    }

    /// The folder that this program was built from. Outside of the repository no other machine has it, so
    /// it is the commit that is checked out there, if its repository says where others get it from.
    /// `notes` takes what may be wrong with that.
    ///
    /// # Errors
    /// The folder is not there any more.
    pub(super) fn of_build(tree: &Tree, dir: &Path, notes: &mut Vec<String>) -> Result<Self> {
        let dir = dir.to_string_lossy();
        let path = Self::parse(tree, &dir).context(
            "it is not known where xtask comes from\n\
             hint: say it: --source FOLDER, or --source https://…",
        )?;
        if !path.is_elsewhere() {
            return Ok(path);
        }
        Ok(published(Path::new(&*dir), notes).unwrap_or(path))
    }

    /// Whether it is a folder that only this machine has.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self {
            Self::Path(path) => path.starts_with("..") || Path::new(path).is_absolute(),
            Self::Git(..) => false,
        }
    }

    /// The value of the dependency, for a package in the folder `dir`.
    pub(super) fn dependency(&self, dir: &str) -> String {
        let quoted = |it: &str| Value::from(it).to_string();
        match self {
            Self::Path(path) => format!("{{ path = {} }}", quoted(&self::from(dir, path))),
            Self::Git(url, Some(rev)) => {
                format!("{{ git = {}, rev = {} }}", quoted(url), quoted(rev))
            }
            Self::Git(url, None) => format!("{{ git = {} }}", quoted(url)),
        }
    }

    /// The repository of the library, where it lies in this one: it has a workspace of its own.
    pub(super) fn inner(&self) -> Option<&str> {
        match self {
            Self::Path(path) if !self.is_elsewhere() => {
                Some(tree::parent(path)).filter(|it| !it.is_empty())
            }
            _ => None,
        }
    }

    /// What somebody has to know of a folder that only this machine has.
    pub(super) fn note(&self, dir: &str) -> Option<String> {
        let Self::Path(path) = self else {
            return None;
        };
        self.is_elsewhere().then(|| {
            format!(
                "{dir}/Cargo.toml takes xtask from {}: no other machine has it there, so the workflows cannot build \
                 it. Name what they can fetch, as {dir}/Cargo.toml takes it or in `init --source URL#REVISION`; or \
                 copy the library into this repository, `--source vendor/xtask/xtask`",
                self::from(dir, path)
            )
        })
    }
}

fn is_library(dir: &Path) -> bool {
    let manifest = fs_err::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
    let manifest: Table = toml::from_str(&manifest).unwrap_or_default();
    let package = manifest.get("package");
    package.and_then(|it| it.get("name")?.as_str()) == Some("xtask")
}

/// The address as Cargo takes it, if it is one. What `git clone` takes besides, `user@host:path`, Cargo
/// does not: <https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html#specifying-dependencies-from-git-repositories>.
fn url(address: &str) -> Option<String> {
    if address.contains("://") {
        return Some(address.to_owned());
    }
    let (host, path) = address.split_once(':')?;
    let (user, host) = host.split_once('@')?;
    let is_folder = [user, host].iter().any(|it| it.contains(['/', '\\']));
    (!is_folder).then(|| format!("ssh://{user}@{host}/{}", path.trim_start_matches('/')))
}

/// The commit that is checked out around a folder, and where others get it from.
fn published(dir: &Path, notes: &mut Vec<String>) -> Option<Source> {
    let asked = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(dir).arg("--no-optional-locks").args(words);
        let (is_well, text) = exec::quiet(git).ok()?;
        is_well.then(|| text.trim().to_owned())
    };
    let said = |key: &str| asked(&["config", "--get", key]).filter(|it| !it.is_empty());
    let first = || {
        let name = asked(&["remote"])?.lines().next()?.to_owned();
        said(&format!("remote.{name}.url"))
    };
    let url = said("remote.origin.url").or_else(first)?;
    let url = fetched_by_all(&url)?;
    let commit = asked(&["rev-parse", "HEAD"])?;
    let short = commit.get(..10).unwrap_or(&commit);
    let known = asked(&[
        "for-each-ref",
        "--contains",
        "HEAD",
        "refs/remotes",
        "refs/tags",
    ]);
    if known.is_none_or(|it| it.is_empty()) {
        notes.push(format!(
            "push commit {short} of xtask to {url}: no branch of it that is known here has it"
        ));
    }
    if asked(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|it| !it.is_empty()) {
        notes.push(format!(
            "{} differs from its commit {short}, which is what the repository gets",
            dir.display()
        ));
    }
    Some(Source::Git(url, Some(commit)))
}

/// An address that other machines can reach, without what lets this one in.
fn fetched_by_all(address: &str) -> Option<String> {
    let url = url(address)?;
    let (scheme, rest) = url.split_once("://")?;
    match scheme {
        "file" => None,
        "http" | "https" => {
            let (host, path) = rest.split_once('/')?;
            let host = host.rsplit('@').next().unwrap_or(host);
            Some(format!("{scheme}://{host}/{path}"))
        }
        _ => Some(url),
    }
}

/// A folder as it is named from another one of the repository.
fn from(dir: &str, path: &str) -> String {
    match Path::new(path).is_absolute() {
        true => path.to_owned(),
        false => format!("{}{path}", "../".repeat(dir.split('/').count())),
    }
}

/// A folder as it is named from another one, with `/`; as it is, if they have nothing in common.
fn relative(from: &Path, to: &Path) -> String {
    let (mut a, mut b) = (from.components().peekable(), to.components().peekable());
    let mut same = 0;
    while a.peek().is_some() && a.peek() == b.peek() {
        a.next();
        b.next();
        same += 1;
    }
    let slashes = |it: PathBuf| it.to_string_lossy().replace('\\', "/");
    // On Windows another drive, elsewhere nothing but the root.
    if same < 2 {
        return slashes(to.to_owned());
    }
    let up = a.map(|_| PathBuf::from(".."));
    let down = b.map(|it| PathBuf::from(it.as_os_str()));
    up.chain(down).map(slashes).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A library at `xtask` below a folder, and an app beside it.
    fn folders() -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("tools/xtask/Cargo.toml", "[package]\nname = 'xtask'\n"),
            ("app/vendor/xtask/Cargo.toml", "[package]\nname = 'xtask'\n"),
        ] {
            let path = top.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        top
    }

    #[test]
    fn the_dependency_as_cargo_takes_it() {
        let top = folders();
        let tree = Tree::of(&top.path().join("app"));
        let check = |text: &str, expected: &str| {
            let source = Source::parse(&tree, text).unwrap();
            assert_eq!(source.dependency("tasks"), expected, "{text}");
        };
        check("vendor/xtask", r#"{ path = "../vendor/xtask" }"#);
        check("../tools/xtask", r#"{ path = "../../tools/xtask" }"#);
        check("https://a.org/x.git", r#"{ git = "https://a.org/x.git" }"#);
        check(
            "ssh://git@a.org/b/x#0123abc",
            r#"{ git = "ssh://git@a.org/b/x", rev = "0123abc" }"#,
        );
        check(
            "git@a.org:b/x.git#v1",
            r#"{ git = "ssh://git@a.org/b/x.git", rev = "v1" }"#,
        );
        check("me@a.org:/b/x", r#"{ git = "ssh://me@a.org/b/x" }"#);
        assert!(Source::parse(&tree, "C:\\xtask").is_err());
        assert!(Source::parse(&tree, "vendor").is_err());
    }

    /// What is built outside of the repository is named as others can fetch it.
    #[test]
    fn what_it_was_built_from() {
        let top = folders();
        let tree = Tree::of(&top.path().join("app"));
        let git = |words: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(top.path().join("tools"));
            for it in ["user.name=a", "user.email=a@b.org", "commit.gpgsign=false"] {
                git.args(["-c", it]);
            }
            let output = git.args(words).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let check = |dir: &str, expected: Expect| {
            let mut notes = Vec::new();
            let source = Source::of_build(&tree, &top.path().join(dir), &mut notes).unwrap();
            let mut text = format!("{}\n", source.dependency("tasks"));
            notes.extend(source.note("tasks"));
            for it in notes {
                text += &format!("- {it}\n");
            }
            // Commits differ.
            let text = text.replace(&*top.path().to_string_lossy(), "TOP");
            let words = text.split_inclusive([' ', '"', ',', '\n']);
            let neutral = |it: &str| {
                let hex = it.trim_end_matches([' ', '"', ',', '\n']);
                let is_hex = hex.len() >= 10 && hex.chars().all(|c| c.is_ascii_hexdigit());
                match is_hex {
                    true => it.replace(hex, &format!("HEX{}", hex.len())),
                    false => it.to_owned(),
                }
            };
            expected.assert_eq(&words.map(neutral).collect::<String>());
        };
        check(
            "app/vendor/xtask",
            expect![[r#"
            { path = "../vendor/xtask" }
        "#]],
        );
        check(
            "tools/xtask",
            expect![[r#"
            { path = "../../tools/xtask" }
            - tasks/Cargo.toml takes xtask from ../../tools/xtask: no other machine has it there, so the workflows cannot build it. Name what they can fetch, as tasks/Cargo.toml takes it or in `init --source URL#REVISION`; or copy the library into this repository, `--source vendor/xtask/xtask`
        "#]],
        );
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "all"]);
        git(&["remote", "add", "origin", "../elsewhere"]);
        check(
            "tools/xtask",
            expect![[r#"
            { path = "../../tools/xtask" }
            - tasks/Cargo.toml takes xtask from ../../tools/xtask: no other machine has it there, so the workflows cannot build it. Name what they can fetch, as tasks/Cargo.toml takes it or in `init --source URL#REVISION`; or copy the library into this repository, `--source vendor/xtask/xtask`
        "#]],
        );
        let url = "https://me:token@example.org/o/xtask.git";
        git(&["remote", "set-url", "origin", url]);
        check(
            "tools/xtask",
            expect![[r#"
            { git = "https://example.org/o/xtask.git", rev = "HEX40" }
            - push commit HEX10 of xtask to https://example.org/o/xtask.git: no branch of it that is known here has it
        "#]],
        );
        git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        git(&["remote", "set-url", "origin", "git@example.org:o/xtask.git"]);
        check(
            "tools/xtask",
            expect![[r#"
            { git = "ssh://git@example.org/o/xtask.git", rev = "HEX40" }
        "#]],
        );
    }
}
