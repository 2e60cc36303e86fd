//! What stands on the terminal.

use super::*;
use crate::{fixtures, screen::Screen};
use expect_test::expect;

/// What stands on a terminal of this width after these events.
fn shown(events: &[Stamped], width: u16, verbose: bool) -> String {
    let screen = Screen::new(width);
    let columns = Box::new(move || Some(usize::from(width)));
    let mut terminal = Terminal::new(screen.clone(), screen.out(), columns, false, verbose);
    for event in events {
        terminal.report(event);
    }
    // Draws are limited in their rate: the last one is made here.
    terminal.bars.values().for_each(ProgressBar::tick);
    std::mem::forget(terminal);
    screen.text()
}

#[test]
fn a_run_with_reuse() {
    expect![[r#"
        cargo xtask dist for linux: 7 steps, 2 at a time
        frontend  runs: src/main.ts changed
        frontend  done in 3.2s, 412 kB
        app       kept: --keep app
        sidecar   warning: the lock of pip is older than its list
        sidecar   freezer: nuitka because of a C compiler in the PATH
        sidecar   reused
        sign      runs: app changed
        sign      done in 0.03s, 93.0 MB, unchanged output
        bundle    reused
        archive   left out: --skip archive
        seal      runs: new
        seal      done in 0.40s, 4.6 kB

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
    .assert_eq(&shown(&fixtures::happy(), 80, false));
}

#[test]
fn a_failing_run_at_a_narrow_terminal() {
    expect![[r#"
        cargo xtask dist for linux: 4 steps, 2 at a time
        frontend  reused
        app       runs: app/src-tauri/src/main.rs changed
        app       failed after 2.6s: the app could not be
                  built

        step      status       why            time    size
        frontend  reused                            412 kB
        app       failed       app/src-taur…  2.6s
        sidecar   not reached
        seal      not reached
        1 failed, 1 reused, 2 not reached in 3.1s

        app failed: the app could not be built
          cause: cargo failed
          $ cargo build --release --manifest-path app/src-
        tauri/Cargo.toml
          exit status: 101
          | error[E0425]: cannot find value `x`
          |  --> src/main.rs:2:5
          |   |     ^ 50%
          log: /repo/target/dist/linux/logs/app.log
          hint: `cargo xtask doctor` checks the toolchain
          resume: cargo xtask dist --target linux
    "#]]
    .assert_eq(&shown(&fixtures::failing(), 50, false));
}

#[test]
fn running_steps_have_a_line_each() {
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        app      runs: new
        sidecar  runs: nuitka 2.8.1 -> 2.8.4
        ⠁ app          0s  Compiling notes v0.1.0
        ⠁ sidecar      0s  ::error::not an order
    "#]]
    .assert_eq(&shown(&fixtures::side_by_side()[..7], 60, false));
}

#[test]
fn a_run_with_nothing_to_do_is_compact() {
    let got = shown(&fixtures::nothing_to_do(), 80, false);
    assert!(got.lines().count() <= 15, "{got}");
}

#[test]
fn a_running_step_never_takes_two_lines() {
    let got = shown(&fixtures::failing()[..4], 40, false);
    expect![[r#"
        cargo xtask dist for linux: 4 steps, 2
          at a time
        frontend  reused
        app       runs:
                  app/src-tauri/src/main.rs
                  changed
        ⠁ app           0s  $ cargo build --rele
    "#]]
    .assert_eq(&got);
}

#[test]
fn a_finished_step_has_no_spinner() {
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        app      runs: new
        sidecar  runs: nuitka 2.8.1 -> 2.8.4
        sidecar  done in 1m 01s, 84.0 MB
        ⠁ app          0s  Compiling notes v0.1.0
    "#]]
    .assert_eq(&shown(&fixtures::side_by_side()[..8], 60, false));
}

#[test]
fn an_interrupted_run_leaves_no_spinner() {
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        frontend  runs: new

        step      status       why
        frontend  interrupted  new
        app       not reached
        1 interrupted, 1 not reached in 1.0s
        next: cargo xtask dist
    "#]]
    .assert_eq(&shown(&fixtures::interrupted(), 60, false));
}

#[test]
fn lines_go_above_the_spinners() {
    let (screen, events) = (Screen::new(60), fixtures::side_by_side());
    let mut terminal = Terminal::new(
        screen.clone(),
        screen.out(),
        Box::new(|| Some(60)),
        false,
        false,
    );
    events[..2].iter().for_each(|event| terminal.report(event));
    // Long enough for the limit of draws, so that the spinner is really there.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(60));
        terminal.bars.values().for_each(ProgressBar::tick);
    }
    terminal.report(&events[2]);
    terminal.end_all();
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        app      runs: new
        sidecar  runs: nuitka 2.8.1 -> 2.8.4
    "#]]
    .assert_eq(&screen.text());
}

#[test]
fn a_terminal_that_has_gone_away_is_ignored() {
    let screen = Screen::gone();
    let columns = Box::new(|| Some(80));
    let mut terminal = Terminal::new(screen.clone(), screen.out(), columns, true, true);
    fixtures::failing()
        .iter()
        .for_each(|event| terminal.report(event));
}

#[test]
fn a_long_step_has_a_quiet_clock() {
    let clocks = [0, 59, 60, 3661].map(|s| clock(Duration::from_secs(s)));
    assert_eq!(clocks, ["0s", "59s", "1m 00s", "1h 01m"]);
}
