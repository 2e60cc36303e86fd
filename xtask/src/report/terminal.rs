//! A person at a terminal: finished lines above, one moving line for each running step below.

use std::{collections::BTreeMap, io, time::Duration};

use console::Term;
use indicatif::{
    MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike,
};

use super::{
    Out,
    closing::closing,
    lines::Layout,
    summary::Summary,
    table::width_of,
    text::{STRONG, clean, one_line, paint, seconds},
    write_lines,
};
use crate::engine::event::{Event, Reporter, Stamped};

/// Draws on a terminal.
pub(super) struct Terminal {
    /// The moving lines.
    screen: MultiProgress,
    /// Where lines go that stay. Indicatif would print them padded to the width and without line
    /// ends, and a command copied from such a line takes the next one along.
    out: Out,
    /// Asked each time, because windows change their size.
    width: Box<dyn Fn() -> Option<usize> + Send>,
    colour: bool,
    verbose: bool,
    /// Whether spinners move by themselves.
    ticks: bool,
    run: Summary,
    bars: BTreeMap<String, ProgressBar>,
}

impl Terminal {
    /// On the terminal that stderr is; `out` writes there too.
    pub(super) fn stderr(out: Out, colour: bool, verbose: bool) -> Self {
        let width = Box::new(|| width_of(&Term::stderr()));
        let mut terminal = Self::new(Term::buffered_stderr(), out, width, colour, verbose);
        terminal.ticks = true;
        terminal
    }

    fn new(
        term: impl TermLike + 'static,
        out: Out,
        width: Box<dyn Fn() -> Option<usize> + Send>,
        colour: bool,
        verbose: bool,
    ) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Forgiving(term)), 20);
        let screen = MultiProgress::with_draw_target(target);
        let (run, bars) = (Summary::default(), BTreeMap::new());
        Self {
            screen,
            out,
            width,
            colour,
            verbose,
            ticks: false,
            run,
            bars,
        }
    }

    /// Puts lines above the spinners, where they stay.
    fn show(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.screen.suspend(|| write_lines(&mut self.out, lines));
        }
    }

    fn begin(&mut self, step: &str, why: &str) {
        let name = format!("{step:<0$}", self.run.name_width());
        let name = if self.colour {
            paint(STRONG, &name)
        } else {
            name
        };
        let bar = ProgressBar::new_spinner().with_style(style());
        let bar = self
            .screen
            .add(bar.with_prefix(name).with_message(one_line(why)));
        if self.ticks {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        self.bars.insert(step.to_owned(), bar);
    }

    /// The latest thing that the step's process said; empty lines say nothing.
    fn say(&self, step: &str, text: &str) {
        if let (Some(bar), false) = (self.bars.get(step), text.trim().is_empty()) {
            bar.set_message(text.to_owned());
        }
    }

    fn end(&mut self, step: &str) {
        if let Some(bar) = self.bars.remove(step) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn end_all(&mut self) {
        while let Some(step) = self.bars.keys().next().cloned() {
            self.end(&step);
        }
    }
}

impl Reporter for Terminal {
    fn report(&mut self, stamped: &Stamped) {
        self.run.see(stamped);
        let event = &stamped.event;
        let layout = Layout {
            verbose: self.verbose,
            commands: false,
            width: (self.width)(),
        };
        let lines = layout.lines(event, &self.run);
        match event {
            Event::StepFinished { step, .. } | Event::StepFailed { step, .. } => self.end(step),
            Event::CommandStarted { step, command } => {
                self.say(step, &format!("$ {}", one_line(command)))
            }
            Event::CommandOutput { step, line } => self.say(step, clean(line).trim_start()),
            _ => {}
        }
        self.show(&lines);
        match event {
            Event::StepStarted { step, why, .. } => self.begin(step, why),
            Event::RunFinished { .. } => {
                self.end_all();
                self.show(&closing(&self.run, layout.width));
            }
            _ => {}
        }
    }
}

impl Drop for Terminal {
    /// A run that breaks off leaves no spinner behind.
    fn drop(&mut self) {
        self.end_all();
    }
}

/// A terminal whose errors are dropped: indicatif panics on some of them, and a terminal that has
/// gone away must not end the build.
#[derive(Debug)]
struct Forgiving<T>(T);

impl<T: TermLike> TermLike for Forgiving<T> {
    fn width(&self) -> u16 {
        self.0.width()
    }
    fn height(&self) -> u16 {
        self.0.height()
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n).or(Ok(()))
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n).or(Ok(()))
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n).or(Ok(()))
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n).or(Ok(()))
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.0.write_line(s).or(Ok(()))
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        self.0.write_str(s).or(Ok(()))
    }
    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line().or(Ok(()))
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}

/// One line a step: spinner, step, time, and what fits of the last line of output.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix}  {clock:>6}  {wide_msg}")
        .expect("the template is correct")
        .with_key(
            "clock",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&clock(state.elapsed()));
            },
        )
}

/// Whole seconds: tenths would only flicker.
fn clock(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        s @ 0..60 => format!("{s}s"),
        s => seconds(s as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixtures, screen::Screen};
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
}
