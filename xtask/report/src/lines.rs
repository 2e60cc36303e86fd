//! The line that an event becomes while the run goes on: the step's name, then what happened.

use anstyle::Style;

use super::{
    summary::Summary,
    text::{
        BAD, FAINT, GOOD, STRONG, WARN, bytes, chop, clean, count, one_line, paint, seconds, wrap,
    },
};
use xtask_engine::event::{Event, Level};

/// How lines are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Also commands' output, their status and the place of the logs.
    pub(super) verbose: bool,
    /// Each command when it starts.
    pub(super) commands: bool,
    /// The terminal's width, if there is a terminal.
    pub(super) width: Option<usize>,
}

impl Layout {
    /// The lines for an event, most often one or none. `run` knows what the pipeline's steps are.
    pub(super) fn lines(&self, event: &Event, run: &Summary) -> Vec<String> {
        let line = Line {
            layout: *self,
            names: run.name_width(),
        };
        match event {
            Event::RunStarted {
                command,
                target,
                steps,
                jobs,
                logs,
            } => {
                let steps = count(steps.len(), "step");
                let text = format!("{command} for {target}: {steps}, {jobs} at a time");
                let mut lines = wrap(&text, self.width, 2);
                if self.verbose {
                    lines.push(paint(FAINT, &format!("logs in {}", logs.display())));
                }
                lines
            }
            Event::Note {
                step,
                level: Level::Info,
                text,
            } => line.of(step, STRONG, "note:", text),
            Event::Note {
                step,
                level: Level::Warning,
                text,
            } => line.of(step, WARN, "warning:", text),
            Event::Fact { step, key, value } => line.of(step, STRONG, &format!("{key}:"), value),
            Event::Released { .. } | Event::RunFailed { .. } | Event::RunFinished { .. } => {
                Vec::new()
            }
            Event::CommandStarted { .. }
            | Event::CommandOutput { .. }
            | Event::CommandFinished { .. } => self.command(event, line),
            _ => step_moves(event, line),
        }
    }

    /// The lines for a process. They are not wrapped between words: a command must stay
    /// pasteable, and carets in an output must point at their word.
    fn command(&self, event: &Event, line: Line) -> Vec<String> {
        match event {
            Event::CommandStarted { step, command } if self.commands || self.verbose => {
                vec![format!(
                    "{}{} {command}",
                    line.name(step),
                    paint(FAINT, "$")
                )]
            }
            Event::CommandOutput { step, line: output } if self.verbose => chop(
                &clean(output),
                &format!("{}| ", line.name(step)),
                self.width,
            ),
            Event::CommandFinished {
                step,
                status,
                ok,
                seconds: s,
                ..
            } if self.verbose => {
                let style = if *ok { FAINT } else { WARN };
                line.of(step, style, status, &format!("after {}", seconds(*s)))
            }
            _ => Vec::new(),
        }
    }
}

/// The lines for an event that moves a step.
fn step_moves(event: &Event, line: Line) -> Vec<String> {
    match event {
        Event::StepStarted { step, why, .. } => line.of(step, STRONG, "runs:", why),
        Event::StepReused { step, .. } => line.of(step, FAINT, "reused", ""),
        Event::StepKept { step, why, .. } => line.of(step, WARN, "kept:", why),
        Event::StepFinished {
            step,
            seconds: s,
            bytes: b,
            changed,
            ..
        } => {
            let unchanged = if *changed { "" } else { ", unchanged output" };
            line.of(
                step,
                GOOD,
                "done",
                &format!("in {}, {}{unchanged}", seconds(*s), bytes(*b)),
            )
        }
        Event::StepPassed {
            step,
            seconds: s,
            result,
        } => line.of(
            step,
            GOOD,
            "passed",
            &format!("in {}: {result}", seconds(*s)),
        ),
        Event::StepFailed {
            step,
            seconds: s,
            failure,
        } => {
            let error = failure.chain.first().map_or("", String::as_str);
            line.of(
                step,
                BAD,
                "failed",
                &format!("after {}: {error}", seconds(*s)),
            )
        }
        Event::StepPlanned { step, why } => line.of(step, STRONG, "would run:", why),
        Event::StepPending { step, after } => {
            let why = format!("if the output of {} changes", after.join(" or "));
            line.of(step, STRONG, "may run", &why)
        }
        Event::StepLeftOut { step, why } => line.of(step, WARN, "left out:", why),
        _ => Vec::new(),
    }
}

/// What all lines of a run share.
#[derive(Clone, Copy)]
struct Line {
    layout: Layout,
    /// The longest step name: what follows the names is aligned.
    names: usize,
}

impl Line {
    /// The step's name and the space up to what is said about it.
    fn name(self, step: &str) -> String {
        if step.is_empty() {
            String::new()
        } else {
            format!("{step:<0$}  ", self.names)
        }
    }

    /// The step, a word in a style, and the rest, wrapped below itself.
    fn of(self, step: &str, style: Style, word: &str, rest: &str) -> Vec<String> {
        let name = self.name(step);
        let text = format!("{name}{word} {}", one_line(rest));
        let indent = if name.is_empty() { 2 } else { name.len() };
        let mut lines = wrap(&text, self.layout.width, indent);
        // Painted after wrapping, and found by its place: the word may also stand in the rest.
        let painted = lines[0]
            .strip_prefix(&name)
            .and_then(|said| said.strip_prefix(word))
            .map(|rest| format!("{name}{}{rest}", paint(style, word)));
        if let Some(painted) = painted {
            lines[0] = painted;
        }
        lines
    }
}
