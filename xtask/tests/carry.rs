//! Finished steps that go from one machine to another in a file: what is reused there, why not, and
//! what a file that somebody tampered with can do.
#![cfg(unix)]

#[path = "carry/forged.rs"]
mod forged;
mod support;

use std::{fs, path::PathBuf};

use expect_test::{Expect, expect};
use support::Repo;
use xtask::carry::{Imported, Owner, Verdict, export, import};

/// Not a test: the pipeline.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    support::child();
}

fn owner() -> Owner {
    Owner {
        target: "small".to_owned(),
        identifier: "org.example.small".to_owned(),
        version: "1.0.0".to_owned(),
        commit: Some("a".repeat(40)),
    }
}

/// A repository that was built, and the file that its steps are in.
fn exported() -> (Repo, PathBuf) {
    let repo = Repo::new();
    repo.run(&[]);
    let file = repo.root().join("out/state.tar.gz");
    assert_eq!(
        export(&repo.state(), &owner(), &file).unwrap().steps.len(),
        5
    );
    (repo, file)
}

/// What each step does, and why.
fn steps(repo: &Repo) -> String {
    let events = repo.run(&[]);
    let line = |it: &serde_json::Value| {
        let step = it["step"].as_str()?;
        match it["event"].as_str()? {
            "step-reused" => Some(format!("{step}: reused\n")),
            "step-started" => Some(format!("{step}: {}\n", it["why"].as_str()?)),
            _ => None,
        }
    };
    let mut lines: Vec<String> = events.iter().filter_map(line).collect();
    lines.sort();
    lines.concat()
}

fn verdicts(imported: &Imported) -> Vec<Verdict> {
    imported.steps.iter().map(|it| it.1).collect()
}

#[test]
fn a_second_checkout_goes_on_where_the_first_one_stopped() {
    let (first, file) = exported();
    let second = Repo::new();
    second.write("py/a.py", "a = 2\n");
    let imported = import(&second.state(), &owner(), &file, false, false).unwrap();
    assert_eq!(verdicts(&imported), [Verdict::Imported; 5]);
    expect![[r#"
        app: reused
        bundle: imported from state.tar.gz: output of sidecar: sidecar.gz changed
        seal: imported from state.tar.gz: output of bundle: parts/bundle.1 changed
        sidecar: imported from state.tar.gz: a.py changed
        web: reused
    "#]]
    .assert_eq(&steps(&second));
    // With the same sources nothing is left to do, and all is what it was.
    second.write("py/a.py", "a = 1\n");
    steps(&second);
    assert_eq!(second.outputs(), first.outputs());
    let third = Repo::new();
    import(&third.state(), &owner(), &file, false, false).unwrap();
    expect![[r#"
        app: reused
        bundle: reused
        seal: reused
        sidecar: reused
        web: reused
    "#]]
    .assert_eq(&steps(&third));
    assert_eq!(third.outputs(), first.outputs());
}

#[test]
fn what_is_newer_here_is_kept() {
    let (repo, file) = exported();
    let again = |replace| {
        let imported = import(&repo.state(), &owner(), &file, replace, false).unwrap();
        verdicts(&imported)
    };
    assert_eq!(again(false), [Verdict::Same; 5]);
    repo.write("py/a.py", "a = 2\n");
    repo.run(&[]);
    let (newer, same) = (Verdict::Newer, Verdict::Same);
    // In the order of their names: app, bundle, seal, sidecar, web.
    assert_eq!(again(false), [same, newer, newer, newer, same]);
    // What is damaged here is not worth keeping.
    let stage = repo.state().join("stages/sidecar");
    fs::remove_dir_all(&stage).unwrap();
    assert_eq!(again(false)[3], Verdict::Imported);
    assert!(stage.is_dir());
    assert_eq!(again(true)[1], Verdict::Imported);
    repo.write("py/a.py", "a = 1\n");
    assert!(!steps(&repo).contains(": a"), "{}", steps(&repo));
}

#[test]
fn what_is_damaged_is_not_exported() {
    let (repo, file) = exported();
    let name = repo.state().join("stages/web/web/main.js");
    fs::write(name, "2\n").unwrap();
    let exported = export(&repo.state(), &owner(), &file).unwrap();
    assert_eq!(exported.steps, ["app", "bundle", "seal", "sidecar"]);
    let left_out = [("web".to_owned(), "its web/main.js was altered".to_owned())];
    assert_eq!(exported.left_out, left_out);
    // Where nothing has finished, there is no file.
    let (empty, none) = (Repo::new(), file.with_file_name("none.tar.gz"));
    fs::create_dir_all(empty.state()).unwrap();
    assert!(
        export(&empty.state(), &owner(), &none)
            .unwrap()
            .steps
            .is_empty()
    );
    assert!(!none.exists());
}

/// An import that is refused, and leaves nothing behind.
fn refuse(file: &std::path::Path, owner: &Owner, expected: &Expect) {
    let repo = Repo::new();
    let state = repo.state();
    let error = import(&state, owner, file, false, false).err().unwrap();
    let mut text = format!("{error:#}\n").replace(file.to_str().unwrap(), "FILE");
    // Packed it is never of the same size: a time is in it.
    if let Some((before, _)) = text.split_once("which cannot be: it has ") {
        text = format!("{before}which cannot be\n");
    }
    expected.assert_eq(&text);
    assert!(!repo.journal().exists() && !state.join("stages").exists());
    let left = fs::read_dir(state.join("staging")).unwrap().count();
    assert_eq!(left, 0, "the staging folder is not empty");
}

#[test]
fn only_for_the_same_target_product_and_commit() {
    let (_repo, file) = exported();
    let check = |change: fn(&mut Owner), expected: Expect| {
        let mut owner = owner();
        change(&mut owner);
        refuse(&file, &owner, &expected);
    };
    check(
        |it| it.target = "large".to_owned(),
        expect![[r#"
        FILE is not imported: it is of the target small, not large
        hint: say --target small
    "#]],
    );
    check(
        |it| it.identifier = "org.other".to_owned(),
        expect![[r#"
            FILE is not imported: it is of the product org.example.small, not org.other
        "#]],
    );
    check(
        |it| it.commit = Some("b".repeat(40)),
        expect![[r#"
        FILE is not imported: it is of aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, and here is bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        hint: check out that commit; or say --any-commit, and what each step depends on decides
    "#]],
    );
    check(
        |it| it.commit = None,
        expect![[r#"
        FILE is not imported: it is of aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, and here is no commit
        hint: check out that commit; or say --any-commit, and what each step depends on decides
    "#]],
    );
    let other = Repo::new();
    let owner = Owner {
        commit: None,
        ..owner()
    };
    assert!(import(&other.state(), &owner, &file, false, true).is_ok());
}
