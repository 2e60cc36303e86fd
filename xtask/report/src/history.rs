//! A plan, and a past run read back from its events.

use std::time::SystemTime;

use console::Term;

use super::{
    closing::{Long, closing, failed, released, steps, tally_lines},
    lines::Layout,
    status::Status,
    summary::Summary,
    table::width_of,
    text::{BAD, GOOD, STRONG, WARN, count, paint},
};
use xtask_engine::event::{Event, Stamped};

/// What a run would do, as `plan` and `--dry-run` print it. Colours follow
/// [`init_color`](super::init_color).
pub fn plan(events: &[Event]) -> String {
    finish(
        plan_lines(events, width_of(&Term::stdout())),
        console::colors_enabled(),
    )
}

/// The last run, as `cargo xtask status` prints it: how it ended, when, the table, and for a
/// failure its log and the next command.
pub fn replay(events: &[Stamped]) -> String {
    let lines = replay_lines(events, SystemTime::now(), width_of(&Term::stdout()));
    finish(lines, console::colors_enabled())
}

/// The lines as one text.
fn finish(lines: Vec<String>, colour: bool) -> String {
    let text = lines.join("\n") + "\n";
    if colour {
        text
    } else {
        console::strip_ansi_codes(&text).into_owned()
    }
}

fn plan_lines(events: &[Event], width: Option<usize>) -> Vec<String> {
    let mut run = Summary::default();
    events.iter().for_each(|event| run.take(event));
    if run.rows.is_empty() {
        return vec!["nothing is planned".to_owned()];
    }
    let mut lines = steps(&run, width, Long::Whole);
    // What a plan knows beyond its steps, such as the freezer it would take.
    let layout = Layout {
        verbose: false,
        commands: false,
        width,
    };
    for event in events
        .iter()
        .filter(|e| matches!(e, Event::Note { .. } | Event::Fact { .. }))
    {
        lines.extend(layout.lines(event, &run));
    }
    lines.extend(tally_lines(&run, width));
    lines.extend(
        run.next()
            .map(|next| format!("{} {next}", paint(STRONG, "next:"))),
    );
    lines
}

fn replay_lines(events: &[Stamped], now: SystemTime, width: Option<usize>) -> Vec<String> {
    let run = Summary::of(events);
    let Some(began) = &run.began else {
        return vec!["there is no last run".to_owned()];
    };
    let (style, outcome) = match &run.end {
        Some(end) if end.ok => (GOOD, "succeeded"),
        Some(_) => (BAD, "failed"),
        None => (WARN, "has no end: it still runs, or it was killed"),
    };
    let head = format!("{} for {}", run.command, run.target);
    let mut lines = vec![format!("{head} {}", paint(style, outcome))];
    lines.push(format!("began {}", when(began, now)));
    if run.end.is_some() {
        // A compact no-op closing rests on the lines before it, which are not here.
        if run.all(Status::Reused) && !run.rows.is_empty() {
            lines.push(String::new());
            lines.extend(steps(&run, width, Long::Whole));
        }
        lines.extend(closing(&run, width));
        return lines;
    }
    lines.push(String::new());
    lines.extend(steps(&run, width, Long::Whole));
    lines.extend(tally_lines(&run, width));
    run.failures
        .iter()
        .for_each(|(step, failure)| lines.extend(failed(step, failure, width)));
    run.release
        .iter()
        .for_each(|release| lines.extend(released(release, width)));
    lines.push(format!("logs in {}", run.logs.display()));
    lines
}

/// `2026-03-01 11:20:54 UTC, 3 hours ago`.
fn when(at: &str, now: SystemTime) -> String {
    let Ok(then) = humantime::parse_rfc3339(at) else {
        return at.to_owned();
    };
    let ago = match now.duration_since(then).map(|it| it.as_secs()) {
        Err(_) => "in the future".to_owned(),
        Ok(s @ 0..60) => ago(s, "second"),
        Ok(s @ 60..3600) => ago(s / 60, "minute"),
        Ok(s @ 3600..86400) => ago(s / 3600, "hour"),
        Ok(s) => ago(s / 86400, "day"),
    };
    let then = humantime::format_rfc3339_seconds(then).to_string();
    format!("{}, {ago}", then.replace('T', " ").replace('Z', " UTC"))
}

fn ago(n: u64, unit: &str) -> String {
    format!("{} ago", count(usize::try_from(n).unwrap_or(0), unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use expect_test::expect;

    fn replayed(events: &[Stamped]) -> String {
        let now = humantime::parse_rfc3339("2026-03-01T14:10:00Z").unwrap();
        finish(replay_lines(events, now, None), false)
    }

    #[test]
    fn a_plan() {
        expect![[r#"
            step      status     why                                                                     size
            frontend  reused                                                                           412 kB
            app       would run  app/src-tauri/src/main.rs changed, app/src-tauri/Cargo.lock changed
            sidecar   kept       --keep sidecar                                                       84.0 MB
            sign      may run    if the output of app changes
            bundle    may run    if the output of sign or app changes
            archive   left out   --skip archive
            sidecar   freezer: pyinstaller
            1 would run, 2 may run, 1 reused, 1 kept, 1 left out
        "#]].assert_eq(&finish(plan_lines(&fixtures::planned(), None), false));
    }

    #[test]
    fn a_plan_in_a_narrow_terminal() {
        let lines = plan_lines(&fixtures::planned(), Some(48));
        assert!(
            lines
                .iter()
                .all(|line| console::measure_text_width(line) <= 48),
            "{lines:#?}"
        );
        expect![[r#"
            step      status     why                    size
            frontend  reused                          412 kB
            app       would run  app/src-tauri/src/
                                 main.rs changed,
                                 app/src-tauri/Carg
                                 o.lock changed
            sidecar   kept       --keep sidecar      84.0 MB
            sign      may run    if the output of
                                 app changes
            bundle    may run    if the output of
                                 sign or app
                                 changes
            archive   left out   --skip archive
            sidecar   freezer: pyinstaller
            1 would run, 2 may run, 1 reused, 1 kept,
              1 left out
        "#]]
        .assert_eq(&finish(lines, false));
    }

    #[test]
    fn a_run_that_succeeded() {
        expect![[r#"
            cargo xtask dist for linux succeeded
            began 2026-03-01 11:09:00 UTC, 3 hours ago

            step      status          why                   time     size
            frontend  ran             src/main.ts changed   3.2s   412 kB
            app       kept            --keep app                   9.1 MB
            sidecar   reused                                      84.0 MB
            sign      ran, unchanged  app changed          0.03s  93.0 MB
            bundle    reused                                      92.7 MB
            archive   left out        --skip archive
            seal      ran             new                  0.40s   4.6 kB
            3 ran, 2 reused, 1 kept, 1 left out in 1m 12s, 1 warning
            released /repo/target/dist/linux/release
              Notes_0.1.0_amd64.deb        8.4 MB
              Notes_0.1.0_amd64.AppImage  84.3 MB
              signed: Acme Inc., key RWQf6LRC
            next: cargo xtask verify linux
        "#]]
        .assert_eq(&replayed(&fixtures::happy()));
    }

    #[test]
    fn a_run_that_had_nothing_to_do() {
        expect![[r#"
            cargo xtask dist for linux succeeded
            began 2026-03-01 11:09:00 UTC, 3 hours ago

            step        status    size
            frontend    reused  1.0 MB
            app         reused  1.0 MB
            sidecar     reused  1.0 MB
            sign        reused  1.0 MB
            bundle      reused  1.0 MB
            installers  reused  1.0 MB
            archive     reused  1.0 MB
            seal        reused  1.0 MB
            nothing to do: 8 steps reused in 0.21s
            released /repo/target/dist/linux/release
              Notes_0.1.0_amd64.deb        8.4 MB
              Notes_0.1.0_amd64.AppImage  84.3 MB
            DEVELOPMENT-SIGNED: not for distribution; development (a key of this checkout)
            next: cargo xtask verify linux
        "#]]
        .assert_eq(&replayed(&fixtures::nothing_to_do()));
    }

    #[test]
    fn a_run_that_failed() {
        expect![[r#"
            cargo xtask dist for linux failed
            began 2026-03-01 11:09:00 UTC, 3 hours ago

            step      status       why                                time    size
            frontend  reused                                                412 kB
            app       failed       app/src-tauri/src/main.rs changed  2.6s
            sidecar   not reached
            seal      not reached
            1 failed, 1 reused, 2 not reached in 3.1s

            app failed: the app could not be built
              cause: cargo failed
              $ cargo build --release --manifest-path app/src-tauri/Cargo.toml
              exit status: 101
              | error[E0425]: cannot find value `x`
              |  --> src/main.rs:2:5
              |   |     ^ 50%
              log: /repo/target/dist/linux/logs/app.log
              hint: `cargo xtask doctor` checks the toolchain
              resume: cargo xtask dist --target linux
        "#]]
        .assert_eq(&replayed(&fixtures::failing()));
    }

    #[test]
    fn a_run_without_an_end() {
        let events = fixtures::failing();
        expect![[r#"
            cargo xtask dist for linux has no end: it still runs, or it was killed
            began 2026-03-01 11:09:00 UTC, 3 hours ago

            step      status   why                                  size
            frontend  reused                                      412 kB
            app       running  app/src-tauri/src/main.rs changed
            sidecar   waiting
            seal      waiting
            1 running, 1 reused, 2 waiting
            logs in /repo/target/dist/linux/logs
        "#]]
        .assert_eq(&replayed(&events[..4]));
    }

    #[test]
    fn no_run_at_all() {
        assert_eq!(replayed(&[]), "there is no last run\n");
        assert_eq!(finish(plan_lines(&[], None), false), "nothing is planned\n");
    }
}
