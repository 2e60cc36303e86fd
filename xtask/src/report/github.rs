//! GitHub Actions: a group a step, annotations for errors and warnings, the job summary.
//!
//! Steps run side by side but groups cannot nest or interleave, so a step's lines wait until it
//! ends. What starts, warns or fails is said at once.

use super::{
    Out,
    closing::closing,
    lines::Layout,
    markdown::markdown,
    summary::Summary,
    text::{clean, one_line},
    write_lines,
};
use crate::engine::event::{Event, Failure, Level, Reporter, Stamped};

/// Writes the log of a job, and its summary if there is one.
pub(super) struct Github {
    out: Out,
    page: Option<Out>,
    run: Summary,
    /// The lines of running steps, in the order in which the steps began.
    open: Vec<(String, Vec<String>)>,
}

impl Github {
    pub(super) fn new(out: Out, page: Option<Out>) -> Self {
        Self {
            out,
            page,
            run: Summary::default(),
            open: Vec::new(),
        }
    }

    /// Output is always kept: a closed group costs its reader nothing.
    fn lines(&self, event: &Event) -> Vec<String> {
        Layout {
            verbose: true,
            commands: true,
            width: None,
        }
        .lines(event, &self.run)
    }

    /// Keeps the lines for the step's group; without a group they are shown at once.
    fn keep(&mut self, step: &str, lines: Vec<String>) {
        match self.open.iter_mut().find(|(open, _)| open == step) {
            Some((_, kept)) => kept.extend(lines),
            None => self.show(&lines),
        }
    }

    /// Writes lines that are not meant as workflow commands.
    fn show(&mut self, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|line| disarm(line)).collect();
        write_lines(&mut self.out, &lines);
    }

    /// Writes a workflow command.
    fn command(&mut self, command: String) {
        write_lines(&mut self.out, &[command]);
    }

    /// Writes the step's group, if it has one, under this title.
    fn close(&mut self, step: &str, title: &[String]) {
        let Some(index) = self.open.iter().position(|(open, _)| open == step) else {
            self.show(title);
            return;
        };
        let (_, lines) = self.open.remove(index);
        self.command(format!("::group::{}", data(&one_line(&title.join(" ")))));
        self.show(&lines);
        self.command("::endgroup::".to_owned());
    }

    /// Writes the groups of steps that had no end.
    fn close_all(&mut self) {
        while let Some((step, _)) = self.open.first().cloned() {
            self.close(&step, &[format!("{step} was interrupted")]);
        }
    }

    fn annotate(&mut self, level: &str, title: &str, text: &str) {
        self.command(format!(
            "::{level} title={}::{}",
            property(title),
            data(text)
        ));
    }

    fn finish(&mut self) {
        self.close_all();
        let lines = closing(&self.run, None);
        self.show(&lines);
        if let Some((alarm, text)) = self.run.release.as_ref().and_then(|release| {
            release
                .alarm()
                .map(|alarm| (alarm, format!("signed: {}", one_line(&release.identity))))
        }) {
            self.annotate("warning", alarm, &text);
        }
        if let Some(page) = &mut self.page {
            write_lines(page, &markdown(&self.run));
        }
    }
}

impl Reporter for Github {
    fn report(&mut self, stamped: &Stamped) {
        self.run.see(stamped);
        let event = &stamped.event;
        let lines = self.lines(event);
        match event {
            Event::StepStarted { step, .. } => {
                self.show(&lines);
                self.open.push((step.clone(), Vec::new()));
            }
            Event::CommandStarted { step, .. }
            | Event::CommandOutput { step, .. }
            | Event::CommandFinished { step, .. } => self.keep(step, lines),
            Event::StepFinished { step, .. } => self.close(step, &lines),
            Event::StepFailed { step, failure, .. } => {
                self.close(step, &lines);
                self.annotate("error", &format!("{step} failed"), &annotation(failure));
            }
            Event::Note {
                step,
                level: Level::Warning,
                text,
            } => {
                let title = if step.is_empty() { "warning" } else { step };
                self.annotate("warning", title, &one_line(text));
            }
            Event::RunFinished { .. } => self.finish(),
            _ => self.show(&lines),
        }
    }
}

impl Drop for Github {
    /// A run that breaks off must not take its steps' lines with it.
    fn drop(&mut self) {
        self.close_all();
    }
}

/// The failure as an annotation shows it: without the log, which lies on the runner.
fn annotation(failure: &Failure) -> String {
    let mut lines: Vec<String> = failure.chain.iter().map(|cause| one_line(cause)).collect();
    lines.extend(failure.command.iter().map(|command| format!("$ {command}")));
    lines.extend(failure.tail.iter().map(|line| format!("| {}", clean(line))));
    lines.extend(
        failure
            .hints
            .iter()
            .map(|hint| format!("hint: {}", one_line(hint))),
    );
    lines.join("\n")
}

/// The message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command, where `:` and `,` have a meaning too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line that the runner takes as text. It obeys `::` at the start of a line, after any space,
/// and `##[` anywhere: what a process prints must not give orders.
fn disarm(line: &str) -> String {
    let line = line.replace("##[", "## [");
    if line.trim_start().starts_with("::") {
        format!("| {line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, Captured};
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
            ::group::frontend  done in 3.2s, 412 kB
            frontend  $ npm run build
            frontend  | ✓ 14 modules transformed.
            frontend  exit status: 0 after 2.5s
            ::endgroup::
            app       kept: --keep app
            ::warning title=sidecar::the lock of pip is older than its list
            sidecar   freezer: nuitka because of a C compiler in the PATH
            sidecar   reused
            sign      runs: app changed
            ::group::sign      done in 0.03s, 93.0 MB, unchanged output
            ::endgroup::
            bundle    reused
            archive   left out: --skip archive
            seal      runs: new
            ::group::seal      done in 0.40s, 4.6 kB
            ::endgroup::

            step      status                 why                   time     size
            frontend  ran                    src/main.ts changed   3.2s   412 kB
            app       kept                   --keep app                   9.1 MB
            sidecar   reused                                             84.0 MB
            sign      ran, unchanged output  app changed          0.03s  93.0 MB
            bundle    reused                                             92.7 MB
            archive   left out               --skip archive
            seal      ran                    new                  0.40s   4.6 kB
            2 ran, 1 ran, unchanged output, 2 reused, 1 kept, 1 left out in 1m 12s, 1 warning
            released /repo/target/dist/linux/release
              Notes_0.1.0_amd64.deb        8.4 MB
              Notes_0.1.0_amd64.AppImage  84.3 MB
              signed: Acme Inc., key RWQf6LRC
            next: cargo xtask verify linux
        "#]]
        .assert_eq(&log);
        expect![[r#"
            ### cargo xtask dist for linux succeeded

            2 ran, 1 ran, unchanged output, 2 reused, 1 kept, 1 left out in 1m 12s, 1 warning

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
            | sign | ran, unchanged output | app changed | 0.03s | 93.0 MB |
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
            ::group::app       failed after 2.6s: the app could not be built
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

            next: `cargo xtask dist --target linux`

        "#]]
        .assert_eq(&page);
    }

    #[test]
    fn two_steps_have_a_group_each() {
        expect![[r#"
            cargo xtask dist for linux: 2 steps, 2 at a time
            logs in /repo/target/dist/linux/logs
            app      runs: new
            sidecar  runs: nuitka 2.8.1 -> 2.8.4
            ::group::sidecar  done in 1m 01s, 84.0 MB
            sidecar  $ python -m nuitka
            sidecar  | ::error::not an order
            ::endgroup::
            ::group::app      done in 1m 02s, 9.1 MB
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
}
