//! Sidecars that are folders: from the freezer into every package.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use expect_test::expect;
use fs_err as fs;

use super::{
    appimage,
    placeholders::made_here,
    project::{Project, read},
    sidecars::{PYINSTALLER, failure, with_sidecars},
};

/// Files with mode and content, links with their target, by path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap().map(|it| it.unwrap()) {
            let path = entry.path();
            let inside = path.strip_prefix(folder).unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.insert(inside, format!("-> {}", target.display()));
            } else {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o111;
                let content = fs::read(&path).unwrap();
                let sum: u64 = content.iter().fold(7, |sum, it| {
                    sum.rotate_left(5).wrapping_mul(31) ^ u64::from(*it)
                });
                found.insert(inside, format!("{mode:o} {} {sum:x}", content.len()));
            }
        }
    }
    found
}

/// The folder is the one that was tried out, and the program in it works.
#[track_caller]
fn check_folder(project: &Project, folder: &Path) {
    let stage = "target/dist/linux/stages/sidecar-alpha/alpha";
    let (built, packed) = (tree(&project.root.join(stage)), tree(folder));
    assert_eq!(packed, built);
    assert!(built.values().any(|it| it == "-> a.txt"), "{built:?}");
    let mut alpha = Command::new(folder.join("alpha"));
    alpha.stdin(Stdio::null()).env_clear();
    let said = read(alpha);
    assert!(said.contains("READY\n"), "{said}");
}

fn unpack(program: &str, words: &[&str], package: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    let mut command = Command::new(program);
    command.current_dir(into).args(words).arg(package);
    if program == "dpkg-deb" {
        command.arg(".");
    }
    read(command);
}

#[test]
fn slow_a_folder_reaches_every_package() {
    let project = with_sidecars(&["alpha"], "[\"pyinstaller\"]", &PYINSTALLER);
    project.configure(
        "layout = \"folder\"\ntrial = { launches = 2 }\n\
         data = [{ from = \"data\", to = \"data\" }]\n",
    );
    project.write("sidecars/alpha/data/a.txt", "a\n");
    let link = project.root.join("sidecars/alpha/data/link.txt");
    std::os::unix::fs::symlink("a.txt", link).unwrap();
    project.write("src-tauri/notes.txt", "read me\n");
    project.commit("A folder");
    listed_resources_are_refused(&project);

    let map = r#""bundle": {
    "resources": { "notes.txt": "doc/notes.txt" },
    "linux": { "deb": { "files": { "/usr/share/of-deb": "notes.txt" } },
      "appimage": { "files": { "/usr/share/of-appimage": "notes.txt" } } },"#;
    project.replace("src-tauri/tauri.conf.json", "\"bundle\": {", map);
    let appimage = made_here(&["mksquashfs", "unsquashfs"]).then(appimage::fake_runtime);
    if let Some(runtime) = &appimage {
        let kinds = "\"deb\", \"rpm\", \"appimage\"";
        appimage::with_runtime(&project, runtime, kinds);
    }
    project.succeed("dist");
    let deb = project.beside().join("deb");
    unpack("dpkg-deb", &["--extract"], &project.product(".deb"), &deb);
    check_folder(&project, &deb.join("usr/lib/small/sidecars/alpha"));
    // What the app's own configuration names is there as well, and the program nowhere else.
    assert!(deb.join("usr/lib/small/doc/notes.txt").is_file());
    assert!(!deb.join("usr/bin/alpha").exists());
    let archive = project.beside().join("archive");
    unpack(
        "tar",
        &["--strip-components=1", "-xzf"],
        &project.product(".tar.gz"),
        &archive,
    );
    check_folder(&project, &archive.join("sidecars/alpha"));
    if let Some(runtime) = appimage {
        check_appimage(&project, &runtime);
    }
    let mut rpm = Command::new("rpm");
    rpm.args([
        "--query",
        "--queryformat",
        "[%{FILEMODES:perms} %{FILENAMES}\n]",
    ]);
    rpm.arg("--package").arg(project.product(".rpm"));
    let listed = read(rpm);
    let wanted = ["/alpha\n", "/a.txt\n", "/link.txt\n"];
    let lines = listed.split_inclusive('\n');
    let shown: String = lines
        .filter(|it| wanted.iter().any(|end| it.ends_with(end)))
        .collect();
    // Here the bundler follows the link, and our own check has compared the digests.
    expect![[r#"
        -rw-r--r-- /usr/lib/small/sidecars/alpha/_internal/data/a.txt
        -rw-r--r-- /usr/lib/small/sidecars/alpha/_internal/data/link.txt
        -rwxr-xr-x /usr/lib/small/sidecars/alpha/alpha
    "#]]
    .assert_eq(&shown);
    project.succeed("verify");
}

/// What is for packages of Debian alone is not in it, and what is for AppImages is.
fn check_appimage(project: &Project, runtime: &[u8]) {
    let folder = project.beside().join("appimage");
    let offset = runtime.len().to_string();
    let words = [
        "-quiet",
        "-no-progress",
        "-dest",
        "files",
        "-offset",
        &offset,
    ];
    unpack("unsquashfs", &words, &project.product(".AppImage"), &folder);
    let files = folder.join("files");
    check_folder(project, &files.join("usr/lib/small/sidecars/alpha"));
    assert!(files.join("usr/lib/small/doc/notes.txt").is_file());
    assert!(files.join("usr/share/of-appimage").is_file());
    assert!(!files.join("usr/share/of-deb").exists());
    assert!(!files.join("usr/bin/alpha").exists());
}

/// In the main file and in that of the platform: joined with the sidecars, a list would be lost.
fn listed_resources_are_refused(project: &Project) {
    let conf = "src-tauri/tauri.conf.json";
    let before = project.read(conf);
    let list = "\"bundle\": {\n    \"resources\": [\"notes.txt\"],";
    project.replace(conf, "\"bundle\": {", list);
    expect![[r#"
        bundle failed: `bundle.resources` of src-tauri/tauri.conf.json is a list, but a sidecar with the folder layout needs it to be a map
          log: [ROOT]/target/dist/linux/logs/bundle.log
          hint: write { "path": "path" } for each entry
          resume: cargo xtask dist
        exit code 1
    "#]].assert_eq(&failure(&project.run("dist").shown()));
    project.write(conf, before);
    let platform = "src-tauri/tauri.linux.conf.json";
    project.write(
        platform,
        "{ \"bundle\": { \"resources\": [\"notes.txt\"] } }\n",
    );
    expect![[r#"
        bundle failed: `bundle.resources` of src-tauri/tauri.linux.conf.json is a list, but a sidecar with the folder layout needs it to be a map
          log: [ROOT]/target/dist/linux/logs/bundle.log
          hint: write { "path": "path" } for each entry
          resume: cargo xtask dist
        exit code 1
    "#]].assert_eq(&failure(&project.run("dist").shown()));
    fs::remove_file(project.root.join(platform)).unwrap();
}
