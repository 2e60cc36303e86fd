//! Finished steps that go from one machine to another in a file: what is reused there, why not, and
//! what a file that somebody tampered with can do.
#![cfg(unix)]

#[path = "carry/forged.rs"]
mod forged;
mod support;

use std::{fs, path::PathBuf, process::Command, time::Duration};

use expect_test::expect;
use support::Repo;
use xtask::carry::{Imported, LeftOut, Owner, Verdict, export, import};

/// Not a test: the pipeline.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    support::child();
}

/// Not a test: an import that is killed.
#[test]
#[ignore = "another test starts it"]
fn importing() {
    let Some(state) = std::env::var_os("IMPORT_INTO") else {
        return;
    };
    let file = std::env::var_os("IMPORT_FROM").unwrap();
    import(state.as_ref(), &owner(), file.as_ref(), true, false).unwrap();
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
    imported.steps.iter().map(|it| it.outcome).collect()
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
    let (newer, same) = (Verdict::Kept, Verdict::Same);
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

/// What is killed in the middle leaves files under records that do not fit them, and those steps run
/// again: nothing that was not checked is ever taken for finished.
#[test]
fn a_killed_import_costs_only_time() {
    let (first, file) = exported();
    let repo = Repo::new();
    repo.write("py/a.py", "a = 2\n");
    repo.run(&[]);
    let own = repo.outputs();
    let lines = || fs::read_to_string(repo.journal()).unwrap();
    let staging = repo.state().join("staging");
    let unpacks = || fs::read_dir(&staging).is_ok_and(|it| it.count() > 0);
    for time in 0..8 {
        let before = lines();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "importing"]);
        command.env("IMPORT_INTO", repo.state());
        let mut importing = command.env("IMPORT_FROM", &file).spawn().unwrap();
        while !unpacks() && importing.try_wait().unwrap().is_none() {}
        std::thread::sleep(Duration::from_micros(time * 500));
        importing.kill().unwrap();
        importing.wait().unwrap();
        // All records are from before, or all that came along are there.
        let after = lines();
        let came = after.matches("imported from").count();
        assert!(after == before || came >= 3, "{came} records of {after}");
        repo.run(&[]);
        assert_eq!(repo.outputs(), own, "killed after {time}");
    }
    import(&repo.state(), &owner(), &file, true, false).unwrap();
    repo.write("py/a.py", "a = 1\n");
    assert!(!steps(&repo).contains(": a"), "{}", steps(&repo));
    assert_eq!(repo.outputs(), first.outputs());
}

#[test]
fn what_is_damaged_is_not_exported() {
    let (repo, file) = exported();
    let name = repo.state().join("stages/web/web/main.js");
    fs::write(name, "2\n").unwrap();
    let exported = export(&repo.state(), &owner(), &file).unwrap();
    assert_eq!(exported.steps, ["app", "bundle", "seal", "sidecar"]);
    let (step, why) = ("web".to_owned(), "its web/main.js was altered".to_owned());
    assert_eq!(exported.left_out, [LeftOut { step, why }]);
}

#[test]
fn where_nothing_has_finished_there_is_no_archive() {
    let (_repo, older) = exported();
    let empty = Repo::new();
    fs::create_dir_all(empty.state()).unwrap();
    // As a run leaves it that was killed, and what only looks like it.
    let beside = |name: &str| older.with_file_name(name);
    for name in [".state.tar.gz.123", ".state.tar.gz.old"] {
        fs::write(beside(name), "half of an archive").unwrap();
    }
    let exported = export(&empty.state(), &owner(), &older).unwrap();
    assert!(exported.steps.is_empty());
    // It would be uploaded as that of this run.
    assert!(!older.exists(), "an older archive is left");
    assert!(!beside(".state.tar.gz.123").exists());
    assert!(beside(".state.tar.gz.old").exists());
    let folder = older.parent().unwrap();
    let error = export(&empty.state(), &owner(), folder).err().unwrap();
    assert!(error.to_string().contains("is a folder\nhint: "), "{error}");
    assert!(folder.is_dir());
}

/// What an import says that is refused, and leaves nothing behind.
fn refused(file: &std::path::Path, owner: &Owner) -> String {
    let repo = Repo::new();
    let state = repo.state();
    let error = import(&state, owner, file, false, false).err().unwrap();
    assert!(!repo.journal().exists() && !state.join("stages").exists());
    let left = fs::read_dir(state.join("staging")).unwrap().count();
    assert_eq!(left, 0, "the staging folder is not empty");
    let all = format!("{error:#}");
    assert_eq!(all.matches("\nhint: ").count(), 1, "{all}");
    let head = error.to_string().replace(file.to_str().unwrap(), "FILE");
    let head = head.strip_prefix("FILE is not imported").unwrap();
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    let mut cause = causes.join(": ").replace("\nhint: ", "; hint: ");
    cause = cause.replace(xtask::VERSION, "0.1.0+HASH");
    // Packed it is never of the same size: a time is in it.
    if let Some((before, _)) = cause.split_once("which cannot be: it has ") {
        cause = format!("{before}which cannot be");
    }
    match head {
        "" => cause,
        _ => format!("{cause}; it can be made again"),
    }
}

#[test]
fn only_for_the_same_target_product_and_commit() {
    let (_repo, file) = exported();
    let mut said = String::new();
    let changes: [fn(&mut Owner); 4] = [
        |it| it.target = "large".to_owned(),
        |it| it.identifier = "org.other".to_owned(),
        |it| it.commit = Some("b".repeat(40)),
        |it| it.commit = None,
    ];
    for change in changes {
        let mut owner = owner();
        change(&mut owner);
        said += &format!("{}\n", refused(&file, &owner));
    }
    expect![[r#"
        it is of the target small, not large; hint: say --target small
        it is of the product org.example.small, not org.other; hint: leave it out: what another app has built is of no use here
        it is of aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, and here is bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb; hint: check out that commit; or say --any-commit, and what each step depends on decides
        it is of aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, and here is no commit; hint: check out that commit; or say --any-commit, and what each step depends on decides
    "#]].assert_eq(&said);
    let other = Repo::new();
    let owner = Owner {
        commit: None,
        ..owner()
    };
    assert!(import(&other.state(), &owner, &file, false, true).is_ok());
}
