//! What a second run reuses, what it runs again, and the one line that it says about why.
#![cfg(unix)]

mod support;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::Result;
use expect_test::{Expect, expect};
use serde::Serialize;
use support::{Repo, steps};
use xtask::engine::{
    event::{Event, Events, Reporter, Stamped},
    files::Tree,
    fingerprint::Inputs,
    probe::Probes,
    secret::Redactor,
    select::Selection,
    session::{Hashes, Options, Session, Stopped},
    staging::Staging,
    step::{Context, Done, Step},
};

/// Not a test: the process that others interrupt.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    support::child();
}

/// A folder of sources, and what can change between two runs besides them.
struct World {
    repo: Repo,
    tool: RefCell<String>,
    parameter: RefCell<String>,
    variables: RefCell<Vec<String>>,
    selection: RefCell<Selection>,
    plan: RefCell<bool>,
    /// Done to the state folder amid the step `bundle`.
    amid: RefCell<Option<fn(&Context)>>,
}

thread_local! {
    /// What [`World::amid`] holds, for the step, which is plain data.
    static AMID: RefCell<Option<fn(&Context)>> = const { RefCell::new(None) };
}

/// `web` copies web/ in upper case, `tool` and parameter decide it too.
#[derive(Serialize)]
struct Upper<const VERSION: u32> {
    parameter: String,
    #[serde(skip)]
    tool: String,
    #[serde(skip)]
    variables: Vec<String>,
}

impl<const V: u32> Step for Upper<V> {
    const ID: &'static str = "web";
    const VERSION: u32 = V;
    type Output = ();

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let tree = Tree::new(cx.root().join("web"));
        Ok(Inputs::new()
            .tree("web", tree)
            .tool("node", &*self.tool)
            .variables(&self.variables))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
        for (name, content) in support::contents(&cx.root().join("web")) {
            let text = String::from_utf8_lossy(&content).to_uppercase();
            fs_err::write(out.file(name)?, text)?;
        }
        Ok(())
    }
}

/// `bundle` joins what `web` left and `py/`.
#[derive(Serialize)]
struct Bundle {
    web: Done<()>,
}

impl Step for Bundle {
    const ID: &'static str = "bundle";
    const VERSION: u32 = 1;
    type Output = usize;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok(Inputs::new().tree("py", Tree::new(cx.root().join("py"))))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<usize> {
        if let Some(act) = AMID.take() {
            act(cx);
        }
        let mut all = Vec::new();
        for artifact in &self.web.artifacts {
            all.extend(fs_err::read(self.web.path(&artifact.path))?);
        }
        for content in support::contents(&cx.root().join("py")).values() {
            all.extend(content);
        }
        fs_err::write(out.file("bundle")?, &all)?;
        Ok(all.len())
    }
}

/// `seal` counts what `bundle` left.
#[derive(Serialize)]
struct Seal {
    bundle: Done<usize>,
}

impl Step for Seal {
    const ID: &'static str = "seal";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<()> {
        fs_err::write(out.file("size")?, self.bundle.output.to_string())?;
        Ok(())
    }
}

/// One short line an event.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<String>>);

impl Reporter for Transcript {
    fn report(&mut self, stamped: &Stamped) {
        let line = match &stamped.event {
            Event::StepStarted { step, why, .. } => format!("{step}: ran because {why}"),
            Event::StepFinished {
                step,
                changed: false,
                ..
            } => format!("{step}: unchanged output"),
            Event::StepReused { step, .. } => format!("{step}: reused"),
            Event::StepKept { step, why, .. } => format!("{step}: kept by {why}"),
            Event::StepLeftOut { step, why } => format!("{step}: left out by {why}"),
            Event::StepPlanned { step, why } => format!("{step}: would run because {why}"),
            Event::StepPending { step, after } => format!("{step}: depends on {}", after.join(" ")),
            Event::StepFailed { step, failure, .. } => {
                let hints: String = failure.hints.iter().map(|it| format!("\n  {it}")).collect();
                format!("{step}: failed: {}{hints}", failure.chain.join(": "))
            }
            Event::Note { text, .. } => format!("note: {text}"),
            _ => return,
        };
        *self.0.lock().expect("no panic") += &format!("{line}\n");
    }
}

impl World {
    fn new() -> Self {
        Self {
            repo: Repo::new(),
            tool: RefCell::new("v20".into()),
            parameter: RefCell::new("build".into()),
            variables: RefCell::default(),
            selection: RefCell::default(),
            plan: RefCell::new(false),
            amid: RefCell::new(None),
        }
    }

    fn options(&self, events: Events) -> Options {
        let root = self.repo.root().to_owned();
        Options {
            state: self.repo.state(),
            probes: Probes::open(root.join("target/probes")),
            root,
            target: "small".into(),
            steps: ["web", "bundle", "seal"].map(str::to_owned).into(),
            command: "cargo xtask dist".into(),
            events,
            selection: self.selection.take(),
            plan: *self.plan.borrow(),
            jobs: 2,
            hashes: Hashes::read(&self.repo.state(), false),
            timeout: Duration::from_secs(10),
            withheld: Vec::new(),
            redactor: Redactor::default(),
            interrupted: Arc::new(AtomicBool::new(false)),
            at_commit: None,
        }
    }

    /// Runs the pipeline with `web` in this version, and hands the session over at the end.
    fn session<const V: u32>(&self, look: impl FnOnce(&Session)) -> String {
        let transcript = Transcript::default();
        let events = Events::new(vec![Box::new(transcript.clone())]);
        AMID.set(self.amid.take());
        let outcome = Session::open(self.options(events)).and_then(|session| {
            let web = Upper::<V> {
                parameter: self.parameter.borrow().clone(),
                tool: self.tool.borrow().clone(),
                variables: self.variables.borrow().clone(),
            };
            let outcome = session
                .step(web)
                .and_then(|web| session.step(Bundle { web }))
                .and_then(|bundle| session.step(Seal { bundle }));
            session.close();
            look(&session);
            outcome.map(drop)
        });
        let mut text = transcript.0.lock().expect("no panic").clone();
        match outcome {
            Err(error) if !error.is::<Stopped>() => text += &format!("error: {error:#}\n"),
            _ => {}
        }
        text.replace(&*self.repo.root().to_string_lossy(), "ROOT")
    }

    fn run(&self) -> String {
        self.session::<1>(|_| ())
    }

    fn select(&self, selection: Selection) -> &Self {
        self.selection.replace(selection);
        self
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.repo.root().join(path)).expect("it was there");
    }

    fn stage(&self, path: &str) -> PathBuf {
        self.repo.state().join("stages").join(path)
    }
}

/// A world after one whole run, then the change, then what the next run says.
#[track_caller]
fn check(change: impl FnOnce(&World), expected: Expect) {
    let world = World::new();
    world.run();
    change(&world);
    expected.assert_eq(&world.run());
}

#[test]
fn nothing_changed() {
    check(
        |_| (),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| it.repo.write("web/main.js", "1\n"),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| it.repo.write("elsewhere/a", "1\n"),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn sources_changed() {
    check(
        |it| it.repo.write("web/main.js", "x\n"),
        expect![[r#"
        web: ran because main.js changed
        bundle: ran because output of web: main.js changed
        seal: ran because output of bundle: bundle changed
        seal: unchanged output
    "#]],
    );
    check(
        |it| it.repo.write("web/sub/new.js", "x\n"),
        expect![[r#"
        web: ran because sub/new.js added
        bundle: ran because output of web: sub/new.js added
        seal: ran because output of bundle: bundle changed (and 1 more)
    "#]],
    );
    check(
        |it| it.remove("web/main.js"),
        expect![[r#"
        web: ran because main.js removed
        bundle: ran because output of web: main.js removed
        seal: ran because output of bundle: bundle changed (and 1 more)
    "#]],
    );
    check(
        |it| it.repo.write("py/a.py", "a = 7\n"),
        expect![[r#"
        web: reused
        bundle: ran because a.py changed
        seal: ran because output of bundle: bundle changed
        seal: unchanged output
    "#]],
    );
    let rename = |it: &World| {
        it.remove("web/main.js");
        it.repo.write("web/renamed.js", "1\n");
    };
    check(
        rename,
        expect![[r#"
        web: ran because main.js removed (and 1 more)
        bundle: ran because output of web: main.js removed (and 1 more)
        bundle: unchanged output
        seal: reused
    "#]],
    );
    let executable = |it: &World| make_executable(it.repo.root().join("web/main.js"));
    check(
        executable,
        expect![[r#"
        web: ran because main.js changed
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn an_identical_output_stops_the_ripple() {
    check(
        |it| it.repo.write("web/index.html", "<H1>\n"),
        expect![[r#"
            web: ran because index.html changed
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
}

#[test]
fn other_inputs_changed() {
    check(
        |it| drop(it.tool.replace("v22".into())),
        expect![[r#"
        web: ran because node v20 -> v22
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
    check(
        |it| drop(it.parameter.replace("release".into())),
        expect![[r#"
            web: ran because parameter build -> release
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    // PATH is surely set; its value must not show.
    check(
        |it| drop(it.variables.replace(vec!["PATH".into()])),
        expect![[r#"
            web: ran because variable PATH added
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    let world = World::new();
    world.run();
    expect![[r#"
        web: ran because step version 1 -> 2
        web: unchanged output
        bundle: reused
        seal: reused
    "#]]
    .assert_eq(&world.session::<2>(|_| ()));
}

#[test]
fn selections() {
    let some = |it: &str| Some(it.to_owned());
    let none = Selection::default;
    let world = World::new();
    let check = |selection: Selection, expected: Expect| {
        expected.assert_eq(&world.select(selection).run());
    };
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: failed: --from bundle takes step web as recorded, but it never ran here
              run without --from bundle
            error: step web failed
        "#]],
    );
    check(
        Selection {
            until: some("web"),
            ..none()
        },
        expect![[r#"
            web: ran because it never ran here
            bundle: left out by --until web
            seal: left out by --until web
        "#]],
    );
    check(
        none(),
        expect![[r#"
        web: reused
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    world.repo.write("web/main.js", "2\n");
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: kept by --from bundle
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        Selection {
            skip: vec!["web".into()],
            ..none()
        },
        expect![[r#"
            web: kept by --skip web
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        Selection {
            until: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: ran because main.js changed
            bundle: ran because output of web: main.js changed
            seal: left out by --until bundle
        "#]],
    );
    check(
        Selection {
            force: vec!["bundle".into()],
            ..none()
        },
        expect![[r#"
            web: reused
            bundle: ran because --force
            bundle: unchanged output
            seal: ran because output of bundle: bundle changed
            seal: unchanged output
        "#]],
    );
    check(
        Selection {
            force_all: true,
            ..none()
        },
        expect![[r#"
            web: ran because --force
            web: unchanged output
            bundle: ran because --force
            bundle: unchanged output
            seal: ran because --force
            seal: unchanged output
        "#]],
    );
    check(
        Selection {
            from: some("sgin"),
            ..none()
        },
        expect![[r#"
            error: there is no step `sgin` here
            hint: the steps are web, bundle, seal
        "#]],
    );
    fs::write(world.stage("web/main.js"), "broken").expect("it is writable");
    check(
        Selection {
            from: some("bundle"),
            ..none()
        },
        expect![[r#"
            web: failed: --from bundle takes step web as recorded, but its main.js was altered
              run without --from bundle
            error: step web failed
        "#]],
    );
}

#[test]
fn a_plan_runs_and_writes_nothing() {
    let world = World::new();
    world.plan.replace(true);
    expect![[r#"
        web: would run because it never ran here
        bundle: depends on web
        seal: depends on web
    "#]]
    .assert_eq(&world.run());
    assert!(!world.repo.state().exists());
    world.plan.replace(false);
    world.run();
    world.plan.replace(true);
    expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]]
    .assert_eq(&world.run());
    world.repo.write("web/main.js", "2\n");
    world.repo.write("web/new.js", "2\n");
    let before = listing(&world.repo.state());
    let mut changes = Vec::new();
    let text = world.session::<1>(|it| {
        changes = it
            .explained("web")
            .iter()
            .map(ToString::to_string)
            .collect();
    });
    expect![[r#"
        web: would run because main.js changed (and 1 more)
        bundle: depends on web
        seal: depends on bundle
    "#]]
    .assert_eq(&text);
    expect![[r#"
        main.js changed
        new.js added"#]]
    .assert_eq(&changes.join("\n"));
    assert_eq!(listing(&world.repo.state()), before);
}

#[test]
fn artifacts_damaged() {
    check(
        |it| fs::write(it.stage("web/main.js"), "2\n").expect("writable"),
        expect![[r#"
            web: ran because its main.js was altered
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        |it| fs::remove_file(it.stage("bundle/bundle")).expect("there"),
        expect![[r#"
            web: reused
            bundle: ran because its bundle was deleted
            bundle: unchanged output
            seal: reused
        "#]],
    );
    check(
        |it| fs::remove_dir_all(it.stage("web")).expect("there"),
        expect![[r#"
            web: ran because its index.html was deleted
            web: unchanged output
            bundle: reused
            seal: reused
        "#]],
    );
    check(
        |it| fs::write(it.stage("seal/more"), "").expect("writable"),
        expect![[r#"
            web: reused
            bundle: reused
            seal: ran because more appeared among its files
            seal: unchanged output
        "#]],
    );
    check(
        |it| make_executable(it.stage("web/main.js")),
        expect![[r#"
        web: ran because its main.js was altered
        web: unchanged output
        bundle: reused
        seal: reused
    "#]],
    );
}

#[test]
fn inputs_that_change_during_the_run_are_refused() {
    let world = World::new();
    world.amid.replace(Some(|cx| {
        fs::write(cx.root().join("py/b.py"), "b = 2\n").expect("writable");
    }));
    expect![[r#"
        web: ran because it never ran here
        bundle: ran because it never ran here
        bundle: failed: its inputs changed while it ran: b.py changed
          run again; if the step itself writes that file, let git ignore it or name it under `exclude` in the step's section of packaging/dist.toml
        error: step bundle failed
    "#]].assert_eq(&world.run());
    expect![[r#"
        web: reused
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]]
    .assert_eq(&world.run());
}

#[test]
fn journals_that_are_no_journal() {
    let check = |content: &[u8], expected: Expect| {
        let world = World::new();
        world.run();
        fs::write(world.repo.journal(), content).expect("writable");
        expected.assert_eq(&world.run());
        expect![[r"
            web: reused
            bundle: reused
            seal: reused
        "]]
        .assert_eq(&world.run());
    };
    check(
        b"",
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl is empty; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    check(
        b"\x00\xff\x7fELF\n\n\xfe",
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl has a damaged first line: a line has no checksum; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let world = World::new();
    world.run();
    let text = fs::read_to_string(world.repo.journal()).expect("there");
    let foreign = signed_again(&text.replace(r#""target":"small""#, r#""target":"large""#));
    check(
        foreign.as_bytes(),
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl belongs to target `large`, version 1; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let newer = signed_again(&text.replace(r#"{"journal":1,"#, r#"{"journal":2,"#));
    check(
        newer.as_bytes(),
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl belongs to target `small`, version 2; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let torn = &text[..text.len() - 10];
    check(
        torn.as_bytes(),
        expect![[r#"
        web: reused
        bundle: reused
        seal: ran because it never ran here
    "#]],
    );
    // Only the line end is missing: the record is whole.
    check(
        text.trim_end().as_bytes(),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
}

/// Never an error, never a record that says something else.
#[test]
fn a_flip_of_any_byte_of_the_journal() {
    use xtask::engine::journal::Journal;
    let world = World::new();
    world.run();
    let bytes = fs::read(world.repo.journal()).expect("there");
    let folder = tempfile::tempdir().expect("a folder");
    let open = |bytes: &[u8]| {
        // A new file each time: some file systems flush one that is truncated and written again.
        let file = folder.path().join("journal.v1.jsonl");
        fs::remove_file(&file).ok();
        fs::write(file, bytes).expect("writable");
        let (journal, trouble) = Journal::open(folder.path(), "small");
        let records: BTreeMap<_, _> = journal
            .records()
            .map(|it| (it.step.clone(), it.clone()))
            .collect();
        (records, trouble)
    };
    let (whole, _) = open(&bytes);
    assert_eq!(whole.len(), 3);
    let mut lost = 0;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let (records, trouble) = open(&damaged);
            lost += usize::from(records.len() < 3);
            assert!(
                records.iter().all(|(step, it)| whole[step] == *it),
                "byte {at}"
            );
            let told = trouble.is_some() || at + 1 == bytes.len();
            assert!(
                told || records.len() == 3,
                "byte {at} lost records in silence"
            );
        }
    }
    assert_eq!(lost, bytes.len() * 4, "each flip costs at least one record");
    for end in 0..bytes.len() {
        let (records, _) = open(&bytes[..end]);
        assert!(
            records.iter().all(|(step, it)| whole[step] == *it),
            "cut at {end}"
        );
    }
}

#[test]
fn a_second_run_names_the_holder() {
    let world = World::new();
    let transcript = Transcript::default();
    let held = Session::open(world.options(Events::new(vec![Box::new(transcript)])));
    let holder = format!("process {}, `cargo xtask dist`, since ", std::process::id());
    let text = world.run();
    assert!(text.contains(&holder), "{text}");
    drop(held);
    assert!(world.run().starts_with("web: ran"));
}

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

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_all_children_and_the_next_run_resumes() {
    let repo = Repo::new();
    let mut command = repo.command(&["--jobs", "1"]);
    command.env("SMALL_PIPELINE_SLEEP", "300");
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|it| it.is_ok_and(|it| it.contains("command-started") && it.contains("sleep 300"))));
    let started = Instant::now();
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, nix::sys::signal::SIGINT).expect("it is ours");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(!child.wait().expect("it ended").success());
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let rest = support::events(&rest.join("\n"));
    let ended = rest
        .iter()
        .find(|it| it["event"] == "command-finished")
        .expect("it is told");
    assert_eq!(ended["status"], "interrupted");
    assert_eq!(
        steps(&rest, "step-failed"),
        [""; 0],
        "what was interrupted did not fail"
    );
    let root = repo.root().canonicalize().expect("it exists");
    assert_eq!(support::processes_in(&root), [""; 0]);
    let resumed = repo.run(&[]);
    assert_eq!(steps(&resumed, "step-reused"), ["app", "web"]);
    assert_eq!(
        steps(&resumed, "step-started"),
        ["bundle", "seal", "sidecar"]
    );
}

#[test]
fn one_job_is_strictly_in_order() {
    let repo = Repo::new();
    let events = repo.run(&["--jobs", "1"]);
    let kinds = ["step-started", "step-finished"];
    let told = events
        .iter()
        .filter(|it| kinds.iter().any(|kind| it["event"] == *kind));
    let order: Vec<&str> = told.filter_map(|it| it["step"].as_str()).collect();
    let expected = ["web", "app", "sidecar", "bundle", "seal"]
        .map(|it| [it, it])
        .concat();
    assert_eq!(order, expected);
}

/// A part that is left out must hide neither the other part nor its failure.
#[test]
fn until_a_step_of_one_of_two_parts() {
    for jobs in ["1", "2"] {
        let repo = Repo::new();
        let events = repo.run(&["--jobs", jobs, "--until", "web"]);
        assert_eq!(steps(&events, "step-started"), ["web"]);
        assert_eq!(
            steps(&events, "step-left-out"),
            ["app", "bundle", "seal", "sidecar"]
        );
    }
}

fn make_executable(path: PathBuf) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// With the checksums that the changed lines should have.
fn signed_again(journal: &str) -> String {
    use sha2::{Digest, Sha256};
    let sign = |line: &str| {
        let json = line.split_once(' ').expect("a checksum").1;
        let sum = xtask::engine::files::hex(&Sha256::digest(json)[..8]);
        format!("{sum} {json}\n")
    };
    journal.lines().map(sign).collect()
}

/// Every path with its content and the time of its last change.
fn listing(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let time = |path: &PathBuf| fs::metadata(folder.join(path)).and_then(|it| it.modified());
    support::contents(folder)
        .into_iter()
        .map(|(path, content)| (path.clone(), content, time(&path).expect("there")))
        .collect()
}
