//! What a job's log and summary look like.

use super::*;
use crate::fixtures::{self, Captured};
use expect_test::expect;

/// The log and the job summary.
fn shown(events: &[Stamped]) -> (String, String) {
    let (log, page) = (Captured::default(), Captured::default());
    let mut github = Github::new(log.without_colour(), Some(page.without_colour()));
    events.iter().for_each(|event| github.report(event));
    drop(github);
    (log.text(), page.text())
}

#[test]
fn a_run_with_reuse() {
    let (log, page) = shown(&fixtures::happy());
    expect![[r#"
        cargo xtask dist for linux: 7 steps, 2 at a time
        logs in /repo/target/dist/linux/logs
        frontend  runs: src/main.ts changed
        ::group::frontend done in 3.2s, 412 kB
        frontend  $ npm run build
        frontend  | ✓ 14 modules transformed.
        frontend  exit status: 0 after 2.5s
        ::endgroup::
        app       kept: --keep app
        ::warning title=sidecar::the lock of pip is older than its list
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
    .assert_eq(&log);
    expect![[r#"
        ### cargo xtask dist for linux succeeded

        3 ran, 2 reused, 1 kept, 1 left out in 1m 12s, 1 warning

        signed: Acme Inc., key RWQf6LRC

        | file | size |
        |---|---|
        | Notes\_0.1.0\_amd64.deb | 8.4 MB |
        | Notes\_0.1.0\_amd64.AppImage | 84.3 MB |

        in `/repo/target/dist/linux/release`

        | step | status | why | time | size |
        |---|---|---|---|---|
        | frontend | ran | src/main.ts changed | 3.2s | 412 kB |
        | app | kept | --keep app |  | 9.1 MB |
        | sidecar | reused |  |  | 84.0 MB |
        | sign | ran, unchanged | app changed | 0.03s | 93.0 MB |
        | bundle | reused |  |  | 92.7 MB |
        | archive | left out | --skip archive |  |  |
        | seal | ran | new | 0.40s | 4.6 kB |

        sidecar freezer: nuitka because of a C compiler in the PATH

        > [!WARNING]
        > sidecar the lock of pip is older than its list

        next: `cargo xtask verify linux`

    "#]]
    .assert_eq(&page);
}

#[test]
fn a_failing_run_is_annotated() {
    let (log, page) = shown(&fixtures::failing());
    expect![[r#"
        cargo xtask dist for linux: 4 steps, 2 at a time
        logs in /repo/target/dist/linux/logs
        frontend  reused
        app       runs: app/src-tauri/src/main.rs changed
        ::group::app failed after 2.6s: the app could not be built
        app       $ cargo build --release --manifest-path app/src-tauri/Cargo.toml
        app       | error[E0425]: cannot find value `x`
        app       |  --> src/main.rs:2:5
        app       |   |     ^ 50%
        app       exit status: 101 after 2.5s
        ::endgroup::
        ::error title=app failed::the app could not be built%0Acargo failed%0A$ cargo build --release --manifest-path app/src-tauri/Cargo.toml%0A| error[E0425]: cannot find value `x`%0A|  --> src/main.rs:2:5%0A|   |     ^ 50%25%0Ahint: `cargo xtask doctor` checks the toolchain

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
    "#]].assert_eq(&log);
    expect![[r#"
        ### cargo xtask dist for linux failed

        1 failed, 1 reused, 2 not reached in 3.1s

        **app failed:** the app could not be built: cargo failed

        ```text
        $ cargo build --release --manifest-path app/src-tauri/Cargo.toml
        error[E0425]: cannot find value `x`
         --> src/main.rs:2:5
          |     ^ 50%
        exit status: 101
        ```

        hint: \`cargo xtask doctor\` checks the toolchain

        resume: `cargo xtask dist --target linux`

        | step | status | why | time | size |
        |---|---|---|---|---|
        | frontend | reused |  |  | 412 kB |
        | app | failed | app/src-tauri/src/main.rs changed | 2.6s |  |
        | sidecar | not reached |  |  |  |
        | seal | not reached |  |  |  |

    "#]]
    .assert_eq(&page);
}

#[test]
fn a_development_identity_is_annotated() {
    let (log, page) = shown(&fixtures::nothing_to_do());
    let warning = log.lines().last().unwrap_or_default();
    expect!["::warning title=DEVELOPMENT-SIGNED%3A not for distribution::signed: development (a key of this checkout)"].assert_eq(warning);
    let caution: Vec<&str> = page.lines().filter(|line| line.starts_with('>')).collect();
    expect![[r#"
        > [!CAUTION]
        > **DEVELOPMENT-SIGNED: not for distribution** development (a key of this checkout)"#]]
    .assert_eq(&caution.join("\n"));
}

#[test]
fn two_steps_have_a_group_each() {
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        logs in /repo/target/dist/linux/logs
        app      runs: new
        sidecar  runs: nuitka 2.8.1 -> 2.8.4
        ::group::sidecar done in 1m 01s, 84.0 MB
        sidecar  $ python -m nuitka
        sidecar  | ::error::not an order
        ::endgroup::
        ::group::app done in 1m 02s, 9.1 MB
        app      $ cargo build
        app      | Compiling notes v0.1.0
        ::endgroup::

        step     status  why                      time     size
        app      ran     new                    1m 02s   9.1 MB
        sidecar  ran     nuitka 2.8.1 -> 2.8.4  1m 01s  84.0 MB
        2 ran in 1m 02s
        next: cargo xtask verify
    "#]]
    .assert_eq(&shown(&fixtures::side_by_side()).0);
}

#[test]
fn a_run_that_breaks_off_keeps_its_lines() {
    let events = fixtures::side_by_side();
    expect![[r#"
        cargo xtask dist for linux: 2 steps, 2 at a time
        logs in /repo/target/dist/linux/logs
        app      runs: new
        sidecar  runs: nuitka 2.8.1 -> 2.8.4
        ::group::app was interrupted
        app      $ cargo build
        ::endgroup::
        ::group::sidecar was interrupted
        sidecar  $ python -m nuitka
        sidecar  | ::error::not an order
        ::endgroup::
    "#]]
    .assert_eq(&shown(&events[..6]).0);
}

#[test]
fn a_message_cannot_end_its_command() {
    assert_eq!(data("50%\r\n::done"), "50%25%0D%0A::done");
    assert_eq!(property("a: b, c"), "a%3A b%2C c");
}

#[test]
fn output_gives_no_orders() {
    assert_eq!(disarm("  ::set-env name=A::b"), "|   ::set-env name=A::b");
    assert_eq!(disarm("a ##[error]b"), "a ## [error]b");
    assert_eq!(disarm("std::io"), "std::io");
}
