//! The walk over sources agrees with git, and the stat cache notices every change.
#![cfg(unix)]

use std::{
    cell::Cell,
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, FileTimes},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use xtask::engine::{
    exec,
    files::{Found, StatCache, Tree, hex},
};

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn ask(command: Command) -> Result<(bool, String)> {
    ASKED.set(ASKED.get() + 1);
    exec::quiet(command)
}

/// A folder of sources with a cache beside it.
struct World {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder
            .path()
            .canonicalize()
            .expect("it exists")
            .join("repository");
        fs::create_dir(&root).expect("a folder");
        Self { folder, root }
    }

    fn repository() -> Self {
        let world = Self::new();
        world.git(&["init", "--quiet"]);
        world
    }

    fn git(&self, arguments: &[&str]) -> Vec<u8> {
        git(&self.root, arguments)
    }

    fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn cache(&self) -> StatCache {
        StatCache::open(self.cache_file(), false, ask)
    }

    fn cache_file(&self) -> PathBuf {
        self.folder.path().join("stat.cache")
    }

    /// Walks with the cache of the last walk, and keeps it.
    fn walk(&self, tree: &Tree) -> Vec<Found> {
        let cache = self.cache();
        let found = tree.walk(&self.root, &cache).expect("it is readable");
        cache.save();
        found
    }

    fn hash(&self, path: &str) -> String {
        let found = self.walk(&Tree::new(&self.root));
        let file = found
            .iter()
            .find(|it| it.path == path)
            .expect("it is found");
        hex(&file.hash)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let config = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "core.excludesFile=",
    ];
    let mut git = Command::new("git");
    let output = git
        .args(config)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn paths(found: &[Found]) -> Vec<&str> {
    found.iter().map(|it| &*it.path).collect()
}

/// So that what was written is told from what is written next.
fn settle() {
    std::thread::sleep(Duration::from_millis(45));
}

#[track_caller]
fn agrees_with_git(world: &World, folder: &str) {
    let folder = world.root.join(folder);
    let found = world.walk(&Tree::new(&folder));
    let ours: BTreeSet<String> = paths(&found).into_iter().map(str::to_owned).collect();
    assert_eq!(ours.len(), found.len(), "no file twice");
    let listed = git(
        &folder,
        &["ls-files", "-z", "-c", "-o", "--exclude-standard"],
    );
    let listed = listed.split(|it| *it == 0).filter(|it| !it.is_empty());
    let present = listed.filter(|it| {
        folder
            .join(OsStr::from_bytes(it))
            .symlink_metadata()
            .is_ok()
    });
    let theirs = present.map(|it| match std::str::from_utf8(it) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(it).replace('\u{fffd}', "\u{fffd}ff"),
    });
    assert_eq!(ours, theirs.collect());
}

#[test]
fn tricky_rules_as_git_reads_them() {
    let world = World::repository();
    let rules = "*.log\n!keep.log\n/anchored\ndir-only/\na/**/deep\n**/any.txt\ntrailing   \n\
                 escaped\\ \n\\#hash\n# comment\n[ab].tmp\nwild?\nsub/*.o\n!sub/keep.o\n\\!bang\n\
                 parent/\n!parent/child\n";
    world.write(".gitignore", rules);
    world.write("nested/.gitignore", "!*.log\n/only-here\n*.x\n");
    world.write("nested/inner/.gitignore", "*\n!.gitignore\n!back.x\n");
    for path in [
        "a.log",
        "keep.log",
        "x/keep.log",
        "anchored",
        "x/anchored",
        "dir-only/a",
        "x/dir-only/a",
        "y/dir-only",
        "a/deep",
        "a/b/deep",
        "a/b/c/deep",
        "b/deep",
        "any.txt",
        "q/any.txt",
        "trailing",
        "escaped ",
        "#hash",
        "a.tmp",
        "c.tmp",
        "wild1",
        "wild",
        "wild12",
        "sub/a.o",
        "sub/keep.o",
        "z/sub/a.o",
        "!bang",
        "parent/child",
        "parent/other",
        "nested/b.log",
        "nested/only-here",
        "nested/deeper/only-here",
        "nested/c.x",
        "nested/inner/a",
        "nested/inner/back.x",
        "excluded-here",
        ".hidden",
        "sp ace/ü.txt",
    ] {
        world.write(path, path);
    }
    world.write(".git/info/exclude", "excluded-here\n");
    std::os::unix::fs::symlink("keep.log", world.root.join("link")).expect("a link");
    std::os::unix::fs::symlink("nested", world.root.join("link-to-folder")).expect("a link");
    std::os::unix::fs::symlink("nowhere", world.root.join("broken-link")).expect("a link");
    #[cfg(target_os = "linux")]
    for name in [&b"bad\xff"[..], b"\xff/bad"] {
        world.write(OsStr::from_bytes(name), "x");
    }
    for folder in ["", "nested", "nested/inner", "a/b", "sub"] {
        agrees_with_git(&world, folder);
    }
}

/// What other readers of `.gitignore` take for something else: braces, patterns that are not well
/// formed, white space, a byte order mark, a link.
#[test]
fn rules_that_git_alone_reads_so() {
    let world = World::repository();
    let rules = "\u{feff}*.bom\n*.{a,b}\n{c}\n[open\nx[z-a]\nend\\\ntab\t\n*.crlf\r\n[[:digit:]]up\n\
                 [!a-c]no\n[]]close\ntwo**stars\n$money\n**/in/**/deep\n?.short\n";
    world.write(".gitignore", rules);
    world.write("allow/.gitignore", "*\n!*/\n!*.keep\n!.gitignore\n");
    world.write("linked/rules", "*.hidden\n");
    std::os::unix::fs::symlink("rules", world.root.join("linked/.gitignore")).expect("a link");
    world.write("folder/.gitignore/inside", "*.hidden\n");
    for path in [
        "1.bom",
        "1.a",
        "1.{a,b}",
        "c",
        "{c}",
        "[open",
        "o",
        "xm",
        "x[z-a]",
        "end",
        "end\\",
        "tab",
        "tab\t",
        "1.crlf",
        "1up",
        "up",
        "ano",
        "dno",
        "]close",
        "two-stars",
        "two/stars",
        "$money",
        "money",
        "in/deep",
        "in/a/b/deep",
        "z/in/a/deep",
        "a.short",
        "ab.short",
        "ü.short",
        "allow/a",
        "allow/a.keep",
        "allow/b/c/d.keep",
        "allow/b/c/d",
        "linked/a.hidden",
        "folder/a.hidden",
    ] {
        world.write(path, path);
    }
    #[cfg(target_os = "linux")]
    world.write(OsStr::from_bytes(b"bad\xff.bom"), "x");
    for folder in ["", "allow", "allow/b", "linked", "in/a"] {
        agrees_with_git(&world, folder);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_stay_apart() {
    let world = World::new();
    world.write(OsStr::from_bytes(b"a\xfe"), "1");
    world.write(OsStr::from_bytes(b"a\xff"), "2");
    let found = world.walk(&Tree::new(&world.root));
    assert_eq!(paths(&found), ["a\u{fffd}fe", "a\u{fffd}ff"]);
}

#[test]
fn what_git_tracks_counts_even_if_ignored() {
    let world = World::repository();
    world.write(".gitignore", "*.gen\nbuild/\n");
    for path in [
        "a.gen",
        "b.gen",
        "build/x/tool",
        "src/target/mod.rs",
        "src/main.rs",
    ] {
        world.write(path, path);
    }
    world.git(&["add", "--force", "a.gen", "build/x/tool", "src"]);
    agrees_with_git(&world, "");
    let expected = [
        ".gitignore",
        "a.gen",
        "build/x/tool",
        "src/main.rs",
        "src/target/mod.rs",
    ];
    let all = Tree::new(&world.root);
    assert_eq!(paths(&world.walk(&all)), expected);
    let inside = Tree::new(world.root.join("src"));
    assert_eq!(paths(&world.walk(&inside)), ["main.rs", "target/mod.rs"]);
    let without = Tree {
        exclude: vec!["build".into()],
        ..all.clone()
    };
    assert_eq!(world.walk(&without).len(), 4);
    let only = Tree {
        only: vec!["*.gen".into()],
        ..all.clone()
    };
    assert_eq!(paths(&world.walk(&only)), ["a.gen"]);
    // A change to it is seen, and git is not asked again.
    settle();
    world.walk(&all);
    ASKED.set(0);
    let before = world.hash("build/x/tool");
    world.write("build/x/tool", "changed");
    assert_ne!(world.hash("build/x/tool"), before);
    assert_eq!(
        ASKED.get(),
        0,
        "git was asked although neither its index nor a rule changed"
    );
    // A rule that newly ignores a tracked file must not hide it.
    world.write(".gitignore", "*.gen\nbuild/\nmain.rs\n");
    assert_eq!(paths(&world.walk(&all)), expected);
    // What git forgets is gone.
    world.git(&["rm", "--quiet", "--cached", "a.gen"]);
    assert!(!paths(&world.walk(&all)).contains(&"a.gen"));
}

#[test]
fn worktrees_and_folders_without_git() {
    let world = World::repository();
    world.write(".gitignore", "*.gen\n");
    world.write("a.gen", "1");
    world.write("b.gen", "1");
    world.git(&["add", "--force", ".gitignore", "a.gen"]);
    world.git(&["commit", "--quiet", "--message", "all"]);
    world.write(".git/info/exclude", "private\n");
    world.git(&["worktree", "add", "--quiet", "../other"]);
    let other = World {
        folder: tempfile::tempdir().expect("a folder"),
        root: world.root.with_file_name("other"),
    };
    other.write("b.gen", "1");
    other.write("private", "1");
    agrees_with_git(&other, "");
    assert_eq!(
        paths(&other.walk(&Tree::new(&other.root))),
        [".git", ".gitignore", "a.gen"][1..]
    );
    let plain = World::new();
    plain.write(".gitignore", "*.gen\n");
    plain.write("a.gen", "1");
    plain.write("b", "1");
    ASKED.set(0);
    assert_eq!(
        paths(&plain.walk(&Tree::new(&plain.root))),
        [".gitignore", "b"]
    );
    assert_eq!(ASKED.get(), 0);
    assert!(plain.walk(&Tree::new(plain.root.join("absent"))).is_empty());
}

/// Same size, same instant: neither the size nor a time tells them apart.
#[test]
fn a_change_within_the_same_tick() {
    let world = World::new();
    for round in 0..30 {
        world.write("a", &format!("{round:02}"));
        let before = world.hash("a");
        world.write("a", &format!("{:02}", round + 50));
        assert_ne!(world.hash("a"), before, "round {round}");
    }
}

#[test]
fn a_change_with_the_old_time_set_back() {
    let world = World::new();
    world.write("a", "one");
    settle();
    let before = world.hash("a");
    let path = world.root.join("a");
    let time = fs::metadata(&path)
        .and_then(|it| it.modified())
        .expect("a time");
    world.write("a", "two");
    let file = fs::File::options()
        .append(true)
        .open(&path)
        .expect("writable");
    file.set_times(FileTimes::new().set_modified(time))
        .expect("it is ours");
    settle();
    assert_ne!(world.hash("a"), before);
}

#[test]
fn a_file_from_the_future_is_read_each_time() {
    let world = World::new();
    let later = SystemTime::now() + Duration::from_secs(3600);
    world.write("a", "one");
    let file = fs::File::options()
        .append(true)
        .open(world.root.join("a"))
        .expect("writable");
    file.set_times(FileTimes::new().set_modified(later))
        .expect("it is ours");
    settle();
    world.hash("a");
    assert!(!world.cache_file().exists(), "it was taken for settled");
}

/// The cache is believed, but not with `rehash`, and not when it is damaged.
#[test]
fn the_cache_file() {
    let world = World::new();
    world.write("a", "one");
    world.write("b", "one");
    settle();
    let truth = world.hash("a");
    let good = fs::read(world.cache_file()).expect("it was kept");
    let again = world.walk(&Tree::new(&world.root));
    assert_eq!(
        fs::read(world.cache_file()).expect("there"),
        good,
        "a second walk learns nothing"
    );
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        fs::remove_file(world.cache_file()).expect("there");
        fs::write(world.cache_file(), &damaged).expect("writable");
        let found = Tree::new(&world.root)
            .walk(&world.root, &world.cache())
            .expect("readable");
        assert_eq!(found, again, "byte {at}");
    }
    for content in [&b""[..], b"garbage", &good[..good.len() / 2]] {
        fs::write(world.cache_file(), content).expect("writable");
        assert_eq!(world.hash("a"), truth);
    }
    // A cache that lies, with a checksum that fits: only `rehash` sees through it.
    use sha2::{Digest, Sha256};
    let mut lie = good[32..].to_vec();
    let hash: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&truth[at * 2..][..2], 16).expect("hex"))
        .collect();
    let at = lie
        .windows(32)
        .position(|it| it == hash)
        .expect("it is in there");
    lie[at] ^= 1;
    let file = [Sha256::digest(&lie).to_vec(), lie].concat();
    fs::write(world.cache_file(), file).expect("writable");
    assert_ne!(world.hash("a"), truth);
    let anew = StatCache::open(world.cache_file(), true, ask);
    assert_eq!(
        Tree::new(&world.root)
            .walk(&world.root, &anew)
            .expect("readable"),
        again
    );
    anew.save();
    assert_eq!(world.hash("a"), truth);
}

/// What is gone leaves the cache, or it would grow for ever.
#[test]
fn the_cache_forgets_what_is_gone() {
    let world = World::new();
    world.write("gone/a-file-that-goes", "one");
    settle();
    world.walk(&Tree::new(&world.root));
    let holds = |name: &str| {
        let bytes = fs::read(world.cache_file()).expect("it was kept");
        bytes.windows(name.len()).any(|it| it == name.as_bytes())
    };
    assert!(holds("a-file-that-goes"));
    fs::remove_dir_all(world.root.join("gone")).expect("there");
    world.write("new", "two");
    settle();
    world.walk(&Tree::new(&world.root));
    assert!(holds("new") && !holds("a-file-that-goes"));
}

/// A small tree is read by one thread, a large one by several: nothing is lost or found twice.
#[test]
fn a_tree_of_any_size_is_found_whole() {
    for folders in [0, 1, 5, 12, 40] {
        let world = World::new();
        let mut written = Vec::new();
        for folder in 0..folders {
            for file in 0..5 {
                let path = format!("f{folder:02}/in/f{file}");
                world.write(&path, "one");
                written.push(path);
            }
        }
        let found = world.walk(&Tree::new(&world.root));
        assert_eq!(paths(&found), written, "{folders} folders");
    }
}
