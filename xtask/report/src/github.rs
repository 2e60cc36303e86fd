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
use xtask_engine::event::{Event, Failure, Level, Reporter, Stamped};

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
        if lines.is_empty() {
            self.show(title);
            return;
        }
        // The names are padded for columns, which a title does not have.
        let title = title.join(" ");
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        self.command(format!(
            "::group::{}",
            data(&console::strip_ansi_codes(&title))
        ));
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
            Event::StepFinished { step, .. } | Event::StepPassed { step, .. } => {
                self.close(step, &lines)
            }
            Event::StepFailed { step, failure, .. } => {
                self.close(step, &lines);
                self.annotate("error", &format!("{step} failed"), &annotation(failure));
            }
            Event::RunFailed { failure } => {
                self.annotate("error", "dist failed", &annotation(failure));
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
#[path = "github_tests.rs"]
mod tests;
