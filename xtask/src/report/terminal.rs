//! A person at a terminal: finished lines above, one moving line for each running step below.

use std::{collections::BTreeMap, time::Duration};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{
    closing::closing,
    lines::Layout,
    summary::Summary,
    table::width_of,
    text::{STRONG, clean, one_line, paint, seconds},
};
use crate::engine::event::{Event, Reporter, Stamped};

/// Draws on a terminal.
pub(super) struct Terminal {
    screen: MultiProgress,
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
    /// On the terminal that stderr is.
    pub(super) fn stderr(colour: bool, verbose: bool) -> Self {
        let width = Box::new(|| width_of(&Term::stderr()));
        let mut terminal = Self::new(ProgressDrawTarget::stderr(), width, colour, verbose);
        terminal.ticks = true;
        terminal
    }

    fn new(
        target: ProgressDrawTarget,
        width: Box<dyn Fn() -> Option<usize> + Send>,
        colour: bool,
        verbose: bool,
    ) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let (run, bars) = (Summary::default(), BTreeMap::new());
        Self {
            screen,
            width,
            colour,
            verbose,
            ticks: false,
            run,
            bars,
        }
    }

    /// Puts lines above the spinners, where they stay.
    fn show(&self, lines: &[String]) {
        for line in lines {
            // A terminal that has gone away must not end the build.
            let _ = self.screen.println(self.coloured(line));
        }
    }

    fn coloured(&self, line: &str) -> String {
        if self.colour {
            line.to_owned()
        } else {
            console::strip_ansi_codes(line).into_owned()
        }
    }

    fn begin(&mut self, step: &str, why: &str) {
        let bar = self
            .screen
            .add(ProgressBar::new_spinner().with_style(style()));
        let name = format!("{step:<0$}", self.run.name_width());
        bar.set_prefix(self.coloured(&paint(STRONG, &name)));
        bar.set_message(one_line(why));
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
            Event::CommandStarted { step, command } => self.say(step, &format!("$ {command}")),
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
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::report::fixtures;
    use expect_test::expect;
    use indicatif::TermLike;

    /// A terminal that keeps what it shows: all lines, and the cursor's row and column.
    #[derive(Clone, Debug)]
    struct Screen {
        width: u16,
        shown: Arc<Mutex<(Vec<String>, usize, usize)>>,
    }

    impl Screen {
        fn new(width: u16) -> Self {
            Self {
                width,
                shown: Arc::default(),
            }
        }

        fn put(&self, text: &str) {
            let (lines, row, column) = &mut *self.shown.lock().unwrap();
            for c in text.chars() {
                if c == '\n' || *column == usize::from(self.width) {
                    (*row, *column) = (*row + 1, 0);
                }
                if c == '\n' {
                    continue;
                }
                lines.resize(lines.len().max(*row + 1), String::new());
                let mut line: Vec<char> = lines[*row].chars().collect();
                line.resize(line.len().max(*column + 1), ' ');
                line[*column] = c;
                lines[*row] = line.into_iter().collect();
                *column += 1;
            }
        }

        fn text(&self) -> String {
            let (lines, ..) = &*self.shown.lock().unwrap();
            let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
            lines.join("\n").trim_end().to_owned() + "\n"
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.width
        }
        fn height(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.shown.lock().unwrap().1 -= n;
            Ok(())
        }
        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.shown.lock().unwrap().1 += n;
            Ok(())
        }
        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.shown.lock().unwrap().2 += n;
            Ok(())
        }
        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.shown.lock().unwrap().2 -= n;
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.put(s);
            self.put("\n");
            Ok(())
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.put(s);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            let (lines, row, column) = &mut *self.shown.lock().unwrap();
            *column = 0;
            lines.resize(lines.len().max(*row + 1), String::new());
            lines[*row].clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What stands on a terminal of this width after these events.
    fn shown(events: &[Stamped], width: u16, verbose: bool) -> String {
        let screen = Screen::new(width);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let columns = Box::new(move || Some(usize::from(width)));
        let mut terminal = Terminal::new(target, columns, false, verbose);
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

            step      status                 why                   time     size
            frontend  ran                    src/main.ts changed   3.2s   412 kB
            app       kept                   --keep app                   9.1 MB
            sidecar   reused                                             84.0 MB
            sign      ran, unchanged output  app changed          0.03s  93.0 MB
            bundle    reused                                             92.7 MB
            archive   left out               --skip archive
            seal      ran                    new                  0.40s   4.6 kB
            2 ran, 1 ran, unchanged output, 2 reused, 1 kept, 1 left out in 1m 12s, 1
              warning
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

            step      status       why           time    size
            frontend  reused                           412 kB
            app       failed       app/src-taur  2.6s
                                   i/src/main.r
                                   s changed
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
    fn a_long_step_has_a_quiet_clock() {
        let clocks = [0, 59, 60, 3661].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(clocks, ["0s", "59s", "1m 00s", "1h 01m"]);
    }
}
