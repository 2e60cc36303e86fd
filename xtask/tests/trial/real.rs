//! What real freezers make of a tiny program.

use std::time::Duration;

use expect_test::{Expect, expect};
use xtask::{
    config::{self, Freezer, Layout},
    engine::event::{Event, Events, Reporter, Stamped},
};

use super::{
    Notes, World,
    frozen::{choose, tiny},
};

/// Also what is recorded.
#[derive(Clone, Default)]
struct Told(Notes);

impl Reporter for Told {
    fn report(&mut self, stamped: &Stamped) {
        if let Event::Fact { key, value, .. } = &stamped.event {
            let fact = format!("recorded: {key}: {value}");
            self.0.0.lock().expect("no panic").push(fact);
        }
        self.0.report(stamped);
    }
}

/// The real freezers, in both layouts: what works passes, and so the trial asks for no more than they
/// give. `XTASK_FULL=1` adds the layout of Nuitka that is least like to surprise.
#[test]
fn slow_what_real_freezers_make_passes() {
    let full = std::env::var_os("XTASK_FULL").is_some();
    for (freezer, layout) in [
        (Freezer::Pyinstaller, Layout::Onefile),
        (Freezer::Pyinstaller, Layout::Folder),
        (Freezer::Nuitka, Layout::Onefile),
        (Freezer::Nuitka, Layout::Folder),
    ] {
        if (freezer, layout) == (Freezer::Nuitka, Layout::Folder) && !full {
            continue;
        }
        let made = tiny(freezer, layout);
        let mut world = World::new();
        world.sidecar.trial.launches = 8;
        let outcome = world.candidate(made.executable.clone(), made.folder.clone());
        let report = outcome.as_ref().expect("it is tried");
        assert_eq!(report.version().as_deref(), Some("1.2.3"));
        assert_eq!(report.files == 1, layout == Layout::Onefile);
        let verdict = world.verdict(outcome);
        assert_eq!(
            verdict, "passed: 8 of 8 launches passed",
            "{freezer:?} {layout:?}"
        );

        world.sidecar.probe = vec!["--no-handler".into()];
        let outcome = world.candidate(made.executable, made.folder);
        let verdict = world.verdict(outcome);
        let expected = match (freezer, layout) {
            // A crash: what Nuitka compiled does not survive the SIGINT that the wrapper hands on.
            (Freezer::Nuitka, Layout::Onefile) => {
                "rejected: 1 of 2 launches failed: \
                 it did not end well after SIGTERM (exit status: 139): READY"
            }
            _ => "passed: 8 of 8 launches passed",
        };
        assert_eq!(verdict, expected, "{freezer:?} {layout:?}");
    }
}

/// Where one file starts too slowly, which a millisecond always is.
#[test]
fn slow_a_slow_start_decides_the_layout() {
    let check =
        |layout: fn(&mut config::Sidecar), before: &str, taken: Layout, expected: Expect| {
            let told = Told::default();
            let events = Events::new(vec![Box::new(told.clone())]);
            let chosen = choose(before, events, layout).expect("something passes");
            let made = chosen.made.expect("nothing is held ready");
            assert_eq!(made.candidate.layout, taken);
            assert_eq!(made.report.files == 1, taken == Layout::Onefile);
            let told = told.0.0.lock().expect("no panic").join("\n");
            expected.assert_eq(&without_times(&told));
        };
    let auto = |sidecar: &mut config::Sidecar| {
        sidecar.freezers = vec![Freezer::Pyinstaller];
        sidecar.layout = Layout::Auto;
        sidecar.max_startup = Some(Duration::from_millis(1));
        sidecar.trial.launches = 2;
    };
    check(
        auto,
        "",
        Layout::Folder,
        expect![[r#"
        it takes [TIME] ms to be ready, more than max-startup (1ms), in the better of two trials (other steps may have run beside it): making a folder
        recorded: layout: folder, since as one file it takes [TIME] ms to be ready, more than max-startup (1ms)"#]],
    );
    // A folder that fails is no reason to go without, nor is a second trial: the first was passed.
    let starts = tempfile::tempdir().expect("a folder");
    let only_twice = format!(
        "import sys, os\n\
         if sys._MEIPASS.endswith('_internal'): sys.exit('a folder')\n\
         os.mkdir(f'{}/{{len(os.listdir({0:?}))}}')\n\
         if len(os.listdir({0:?})) > 2: sys.exit('once too often')\n",
        starts.path().display().to_string()
    );
    check(
        auto,
        &only_twice,
        Layout::Onefile,
        expect![[r#"
            in a second trial pyinstaller 6.22.3 (onefile) failed: the trial was not passed (1 of 1 launches failed: it ended before it was ready (exit status: 1): once too often | what they printed: state/logs/trial/chosen-pyinstaller-onefile); the first one counts
            it takes [TIME] ms to be ready, more than max-startup (1ms), in the better of two trials (other steps may have run beside it): making a folder
            pyinstaller 6.22.3 (folder) failed: the trial was not passed (1 of 1 launches failed: it ended before it was ready (exit status: 1): a folder | what they printed: state/logs/trial/chosen-pyinstaller-folder); keeping the one file, though it takes [TIME] ms to be ready, more than max-startup (1ms)
            recorded: layout: onefile, since pyinstaller 6.22.3 (folder) failed: the trial was not passed (1 of 1 launches failed: it ended before it was ready (exit status: 1): a folder | what they printed: state/logs/trial/chosen-pyinstaller-folder)"#]],
    );
    let proposed = |sidecar: &mut config::Sidecar| {
        sidecar.freezers = vec![Freezer::Pyinstaller];
        sidecar.max_startup = Some(Duration::from_millis(1));
        sidecar.trial.launches = 2;
    };
    check(
        proposed,
        "",
        Layout::Onefile,
        expect![[
            r#"it takes [TIME] ms to be ready, more than max-startup (1ms) (other steps may have run beside it): layout = "folder" or "auto" in packaging/dist.toml would save the extraction"#
        ]],
    );
}

/// `takes 206 ms` as `takes [TIME]`.
fn without_times(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_time = |at: usize| words[at].parse::<u64>().is_ok() && words.get(at + 1) == Some(&"ms");
    let shown = words
        .iter()
        .enumerate()
        .map(|(at, word)| match is_time(at) {
            true => "[TIME]",
            false => word,
        });
    shown.collect::<Vec<_>>().join(" ")
}
