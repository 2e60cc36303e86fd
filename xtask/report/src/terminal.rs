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
use xtask_engine::event::{Event, Reporter, Stamped};

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
            Event::StepFinished { step, .. }
            | Event::StepPassed { step, .. }
            | Event::StepFailed { step, .. } => self.end(step),
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
#[path = "terminal_tests.rs"]
mod tests;
