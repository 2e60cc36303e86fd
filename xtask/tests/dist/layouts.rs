//! Shapes of repositories, and what the release is made of.

use std::process::Command;

use expect_test::expect;
use fs_err as fs;

use super::{
    check_steps,
    project::{Project, files_below, read},
};

/// Two people release the same commit: everything that people install is the same bytes.
#[test]
fn slow_two_checkouts_make_the_same_release() {
    let project = Project::built();
    let here = project.clone_at("here");
    let there = project.clone_at("a-longer/way/there");
    for checkout in [&here, &there] {
        checkout.succeed("dist --unsigned");
    }
    let mut different = Vec::new();
    for file in files_below(&here.release()) {
        let other = there.release().join(file.file_name().unwrap());
        if fs::read(&file).unwrap() != fs::read(other).unwrap() {
            different.push(here.filtered(file.file_name().unwrap().to_str().unwrap()));
        }
    }
    expect![[r#"
        [
            "SHA256SUMS\n",
            "manifest.json\n",
            "small-0.1.0-1.[ARCH].rpm\n",
        ]
    "#]]
    .assert_debug_eq(&different);
}

/// The bundler stamps the kind of package into the host; nothing else may differ.
#[test]
fn the_package_holds_the_built_executable() {
    let project = Project::built();
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--extract")
        .arg(project.product(".deb"))
        .arg(project.beside().join("deb"));
    read(dpkg);
    let packed = fs::read(project.beside().join("deb/usr/bin/small")).unwrap();
    let built = fs::read(project.root.join("target/dist/linux/stages/app/small")).unwrap();
    let different = built.iter().zip(&packed).filter(|(a, b)| a != b).count();
    assert_eq!((built.len(), different), (packed.len(), 3));
    let run = read(Command::new(project.beside().join("deb/usr/bin/small")));
    assert_eq!(run, "<h1>Small</h1>\n__TAURI_BUNDLE_TYPE_VAR_DEB\n");
    let mut tar = Command::new("tar");
    tar.arg("-xzf")
        .arg(project.product(".tar.gz"))
        .args(["--strip-components=1", "-C"]);
    read({
        tar.arg(project.beside());
        tar
    });
    assert_eq!(fs::read(project.beside().join("small")).unwrap(), built);
    let mut rpm = Command::new("rpm");
    rpm.args(["--query", "--list", "--package"])
        .arg(project.product(".rpm"));
    expect![[r#"
        /usr/bin/small
        /usr/share/applications/small.desktop
        /usr/share/icons/hicolor/32x32/apps/small.png
    "#]]
    .assert_eq(&read(rpm));
}

#[test]
fn a_static_front_end_is_embedded_as_it_is() {
    let project = Project::new();
    for file in ["package.json", "package-lock.json", "build.mjs"] {
        fs::remove_file(project.root.join(file)).unwrap();
    }
    project.write("static/index.html", "<h1>Static</h1>\n");
    project.replace("src-tauri/tauri.conf.json", "../dist", "../static");
    project.configure("[frontend]\nenabled = false\n");
    check_steps(
        project.run("dist"),
        expect![[r#"
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
    let run = Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert_eq!(read(run), "<h1>Static</h1>\n__TAURI_BUNDLE_TYPE_VAR_UNK\n");
    project.write("static/index.html", "<h1>Other</h1>\n");
    check_steps(
        project.run("dist"),
        expect![[r#"
        app  runs: index.html changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of sign-code: small changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
        archive  runs: output of sign-code: small changed
        seal  runs: output of archive: small-0.1.0-[TRIPLE].tar.gz changed (and 9 more)
        exit code 0
    "#]],
    );
    let run = Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert_eq!(read(run), "<h1>Other</h1>\n__TAURI_BUNDLE_TYPE_VAR_UNK\n");
}

/// The host is one member of a workspace and depends on another.
#[test]
fn slow_a_workspace_above_the_host() {
    let project = Project::new();
    project.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"src-tauri\", \"words\"]\nresolver = \"3\"\n\
         [workspace.dependencies]\nwords = { path = \"words\" }\n",
    );
    project.write(
        "words/Cargo.toml",
        "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write("words/src/lib.rs", "pub const HELLO: &str = \"hello\";\n");
    project.replace("src-tauri/Cargo.toml", "[workspace]\n\n", "");
    project.replace(
        "src-tauri/Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\nwords.workspace = true\n",
    );
    project.write(
        "src-tauri/src/main.rs",
        "fn main() { println!(\"{} {}\", words::HELLO, tauri::bundle_type()); }\n",
    );
    fs::remove_file(project.root.join("src-tauri/Cargo.lock")).unwrap();
    let mut lock = Command::new("cargo");
    lock.args(["generate-lockfile", "--offline"])
        .current_dir(&project.root);
    read(lock);
    project.commit("Workspace");
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
    project.replace("words/src/lib.rs", "hello", "goodbye");
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  runs: words/src/lib.rs changed
        app  runs: src/lib.rs changed
        sign-code  runs: output of app: small changed
        bundle  runs: output of sign-code: small changed
        sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
        archive  runs: output of sign-code: small changed
        seal  runs: dirty false -> true (and 10 more)
        exit code 0
    "#]],
    );
    let run = Command::new(project.root.join("target/dist/linux/stages/app/small"));
    assert!(read(run).starts_with("goodbye "));
    assert_eq!(
        project.git(&["status", "--porcelain"]),
        " M words/src/lib.rs\n"
    );
}

/// Only what git ignores is cleared before the front end is built: a file that somebody wrote into
/// the output's folder, and has not added yet, stays; an asset of an older build goes.
#[test]
fn what_was_written_by_hand_is_never_removed() {
    let project = Project::built();
    project.write("dist/old-asset.js", "stale\n");
    project.succeed("dist --until frontend --force=frontend");
    assert!(!project.root.join("dist/old-asset.js").exists());
    project.replace(".gitignore", "/dist\n", "");
    project.write("dist/notes.txt", "mine\n");
    project.succeed("dist --until frontend --force=frontend");
    assert_eq!(project.read("dist/notes.txt"), "mine\n");
}

/// What git ignores is no source, but a bundled resource is shipped whether git ignores it or not.
#[test]
fn a_resource_that_git_ignores_decides_the_installers() {
    let project = Project::built();
    let resources = "\"bundle\": {\n    \"resources\": [\"models/*.bin\"],";
    project.replace("src-tauri/tauri.conf.json", "\"bundle\": {", resources);
    project.write("src-tauri/.gitignore", "/models/\n");
    project.write("src-tauri/models/a.bin", "one\n");
    project.succeed("dist --until bundle");
    project.write("src-tauri/models/a.bin", "two\n");
    check_steps(
        project.run("dist --until bundle"),
        expect![[r#"
            frontend  reused
            app  reused
            sign-code  reused
            bundle  runs: a.bin changed
            sign-installers  left out: --until bundle
            archive  left out: --until bundle
            seal  left out: --until bundle
            exit code 0
        "#]],
    );
}
