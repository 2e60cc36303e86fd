//! A disk that is full.

use std::{fs, path::PathBuf};

use crate::world::World;

/// The record of a step that fails for want of space is the old one.
#[test]
fn a_full_disk() {
    let world = World::new();
    let state = world.repo.state();
    let Some(_mount) = Unmount::small_disk(&state) else {
        return;
    };
    world.run();
    let journal = fs::read(world.repo.journal()).expect("there");
    let fill = |leave: usize| {
        fs::write(state.join("fill"), "").ok();
        let mut size = 256 * 1024;
        while fs::write(state.join("fill"), vec![1; size]).is_err() {
            size -= 4096;
        }
        fs::write(state.join("fill"), vec![1; size.saturating_sub(leave)]).expect("less fits");
    };
    // While a step writes its output.
    fill(0);
    world.repo.write("web/main.js", "x".repeat(20_000));
    let text = world.run();
    assert!(
        text.contains("No space left") && text.contains("free some space"),
        "{text}"
    );
    assert_eq!(fs::read(world.repo.journal()).expect("there"), journal);
    // Amid the run, so that the journal's turn comes with no room at all.
    fs::remove_file(state.join("fill")).expect("there");
    let mut journaled = false;
    for leave in (0..32).map(|it| it * 4096) {
        fill(leave);
        world.repo.write("web/main.js", format!("{leave}"));
        let text = world.run();
        fs::remove_file(state.join("fill")).expect("there");
        journaled |= text.contains("the journal cannot be written") || text.contains("journal.v1");
        assert!(!text.contains("damaged"), "{text}");
    }
    let text = world.run();
    assert!(
        !text.contains("error") && !text.contains("damaged"),
        "{text}"
    );
    assert!(world.run().ends_with("seal: reused\n"));
    eprintln!("the journal itself met the full disk: {journaled}");
}

/// A line that was cut short by a full disk must not spoil the lines after it.
#[test]
fn a_full_disk_amid_a_line_of_the_journal() {
    use xtask::engine::journal::{Journal, Record};
    let folder = tempfile::tempdir().expect("a folder");
    let Some(_mount) = Unmount::small_disk(folder.path()) else {
        return;
    };
    let world = World::new();
    world.run();
    let (known, _) = Journal::open(&world.repo.state(), "small");
    let record = |step: &str, why: usize| {
        let record = known.get("web").expect("it ran").clone();
        Record {
            step: step.into(),
            why: "x".repeat(why),
            ..record
        }
    };
    let (mut journal, _) = Journal::open(folder.path(), "small");
    journal.append(record("a", 1)).expect("there is room");
    let error = journal
        .append(record("b", 300_000))
        .expect_err("there is no room");
    assert!(format!("{error:#}").contains("No space left"), "{error:#}");
    let (journal_then, trouble) = Journal::open(folder.path(), "small");
    assert_eq!((journal_then.records().count(), trouble), (1, None));
    journal.append(record("c", 1)).expect("there is room");
    let (journal, trouble) = Journal::open(folder.path(), "small");
    let steps: Vec<&str> = journal.records().map(|it| &*it.step).collect();
    assert_eq!((steps, trouble), (vec!["a", "c"], None));
}

struct Unmount(PathBuf);

impl Unmount {
    /// A disk of 256 KiB, if this user may mount one.
    fn small_disk(at: &std::path::Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(at);
        let mounted = mount.output().is_ok_and(|it| it.status.success());
        if !mounted {
            eprintln!("skipped: only root may mount a small disk");
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Unmount {
    fn drop(&mut self) {
        std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status()
            .ok();
    }
}
