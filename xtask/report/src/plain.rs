//! No terminal: one line after the other, in the order in which things happen.

use super::{Out, closing::closing, lines::Layout, summary::Summary, write_lines};
use xtask_engine::event::{Event, Reporter, Stamped};

/// Writes lines for logs and pipes.
pub(super) struct Plain {
    out: Out,
    layout: Layout,
    run: Summary,
}

impl Plain {
    pub(super) fn new(out: Out, verbose: bool) -> Self {
        let layout = Layout {
            verbose,
            commands: true,
            width: None,
        };
        Self {
            out,
            layout,
            run: Summary::default(),
        }
    }
}

impl Reporter for Plain {
    fn report(&mut self, event: &Stamped) {
        self.run.see(event);
        let lines = match &event.event {
            Event::RunFinished { .. } => closing(&self.run, None),
            event => self.layout.lines(event, &self.run),
        };
        write_lines(&mut self.out, &lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, Captured};
    use expect_test::expect;

    fn shown(events: &[Stamped], verbose: bool) -> String {
        let captured = Captured::default();
        let mut plain = Plain::new(captured.without_colour(), verbose);
        events.iter().for_each(|event| plain.report(event));
        captured.text()
    }

    #[test]
    fn a_run_with_reuse() {
        expect![[r#"
            cargo xtask dist for linux: 7 steps, 2 at a time
            frontend  runs: src/main.ts changed
            frontend  $ npm run build
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
        .assert_eq(&shown(&fixtures::happy(), false));
    }

    #[test]
    fn a_verbose_run_shows_output_and_status() {
        expect![[r#"
            cargo xtask dist for linux: 7 steps, 2 at a time
            logs in /repo/target/dist/linux/logs
            frontend  runs: src/main.ts changed
            frontend  $ npm run build
            frontend  | ✓ 14 modules transformed.
            frontend  exit status: 0 after 2.5s
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
        .assert_eq(&shown(&fixtures::happy(), true));
    }

    #[test]
    fn a_failing_run_ends_with_what_to_do() {
        expect![[r#"
            cargo xtask dist for linux: 4 steps, 2 at a time
            frontend  reused
            app       runs: app/src-tauri/src/main.rs changed
            app       $ cargo build --release --manifest-path app/src-tauri/Cargo.toml
            app       failed after 2.6s: the app could not be built

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
        .assert_eq(&shown(&fixtures::failing(), false));
    }

    #[test]
    fn lines_of_two_steps_name_their_step() {
        expect![[r#"
            cargo xtask dist for linux: 2 steps, 2 at a time
            logs in /repo/target/dist/linux/logs
            app      runs: new
            sidecar  runs: nuitka 2.8.1 -> 2.8.4
            app      $ cargo build
            sidecar  $ python -m nuitka
            sidecar  | ::error::not an order
            app      | Compiling notes v0.1.0
            sidecar  done in 1m 01s, 84.0 MB
            app      done in 1m 02s, 9.1 MB

            step     status  why                      time     size
            app      ran     new                    1m 02s   9.1 MB
            sidecar  ran     nuitka 2.8.1 -> 2.8.4  1m 01s  84.0 MB
            2 ran in 1m 02s
            next: cargo xtask verify
        "#]]
        .assert_eq(&shown(&fixtures::side_by_side(), true));
    }

    #[test]
    fn a_run_with_nothing_to_do_is_compact() {
        let got = shown(&fixtures::nothing_to_do(), false);
        assert!(got.lines().count() <= 15, "{got}");
        expect![[r#"
            cargo xtask dist for linux: 8 steps, 2 at a time
            frontend    reused
            app         reused
            sidecar     reused
            sign        reused
            bundle      reused
            installers  reused
            archive     reused
            seal        reused
            nothing to do: 8 steps reused in 0.21s
            released /repo/target/dist/linux/release
              Notes_0.1.0_amd64.deb        8.4 MB
              Notes_0.1.0_amd64.AppImage  84.3 MB
            DEVELOPMENT-SIGNED: not for distribution; development (a key of this checkout)
            next: cargo xtask verify linux
        "#]]
        .assert_eq(&got);
    }

    #[test]
    fn an_interrupted_run_says_where_it_was() {
        expect![[r#"
            cargo xtask dist for linux: 2 steps, 2 at a time
            frontend  runs: new

            step      status       why
            frontend  interrupted  new
            app       not reached
            1 interrupted, 1 not reached in 1.0s
            next: cargo xtask dist
        "#]]
        .assert_eq(&shown(&fixtures::interrupted(), false));
    }

    #[test]
    fn a_run_that_ends_before_its_first_step() {
        expect![[r#"
            cargo xtask dist for linux: 2 steps, 2 at a time
            no step was reached in 0.10s
            next: cargo xtask doctor
        "#]]
        .assert_eq(&shown(&fixtures::stopped_early(), false));
    }

    #[test]
    fn colour_is_added_where_it_is_wanted() {
        let captured = Captured::default();
        let mut plain = Plain::new(captured.with_colour(), false);
        fixtures::failing()
            .iter()
            .for_each(|event| plain.report(event));
        expect![[r#"
            cargo xtask dist for linux: 4 steps, 2 at a time
            frontend  ␛[2mreused␛[0m
            app       ␛[1mruns:␛[0m app/src-tauri/src/main.rs changed
            app       ␛[2m$␛[0m cargo build --release --manifest-path app/src-tauri/Cargo.toml
            app       ␛[1m␛[31mfailed␛[0m after 2.6s: the app could not be built

            ␛[2mstep      status       why                                time    size␛[0m
            frontend  ␛[2mreused␛[0m                                                412 kB
            app       ␛[1m␛[31mfailed␛[0m       app/src-tauri/src/main.rs changed  2.6s
            sidecar   ␛[2mnot reached␛[0m
            seal      ␛[2mnot reached␛[0m
            1 failed, 1 reused, 2 not reached in 3.1s

            ␛[1m␛[31mapp failed:␛[0m the app could not be built
              ␛[1mcause:␛[0m cargo failed
              $ cargo build --release --manifest-path app/src-tauri/Cargo.toml
              ␛[1m␛[31mexit status: 101␛[0m
              | error[E0425]: cannot find value `x`
              |  --> src/main.rs:2:5
              |   |     ^ 50%
              log: /repo/target/dist/linux/logs/app.log
              ␛[1mhint:␛[0m `cargo xtask doctor` checks the toolchain
              ␛[1mresume:␛[0m cargo xtask dist --target linux
        "#]]
        .assert_eq(&captured.text().replace('\x1b', "␛"));
    }
}
