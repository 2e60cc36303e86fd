//! What stands at the end of a run: the table, what failed, the release and the next command.

use anstyle::Style;

use super::{
    summary::{Release, Row, Status, Summary},
    table::columns,
    text::{
        ALARM, BAD, FAINT, GOOD, STRONG, WARN, bytes, chop, clean, count, one_line, paint, seconds,
        wrap,
    },
};
use crate::engine::event::Failure;

/// The end of a run, as lines. With a width, what is not to be pasted is wrapped to it.
pub(super) fn closing(run: &Summary, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    if !run.is_no_op() {
        lines.push(String::new());
        lines.extend(steps(run, width));
    }
    lines.extend(wrap(&tally(run), width, 2));
    for (step, failure) in &run.failures {
        lines.push(String::new());
        lines.extend(failed(step, failure, width));
    }
    if let Some(release) = &run.release {
        lines.extend(released(release, width));
    }
    lines.extend(next(run));
    lines
}

/// The command to type next, unless a failure has just said it.
fn next(run: &Summary) -> Option<String> {
    let next = run.end.as_ref()?.next.as_deref()?;
    let said = run
        .failures
        .last()
        .is_some_and(|(_, failure)| failure.resume == next);
    (!said).then(|| format!("{} {next}", paint(STRONG, "next:")))
}

/// The table of all steps.
pub(super) fn steps(run: &Summary, width: Option<usize>) -> Vec<String> {
    let cells: Vec<Vec<String>> = run.rows.iter().map(cells).collect();
    // An empty column is left out: a plan has no times, a first run no reasons to reuse.
    let head = ["step", "status", "why", "time", "size"];
    let used: Vec<usize> = (0..head.len())
        .filter(|&column| cells.iter().any(|row| !row[column].is_empty()))
        .collect();
    let head: Vec<&str> = used.iter().map(|&column| head[column]).collect();
    let rows: Vec<Vec<String>> = cells
        .iter()
        .map(|row| used.iter().map(|&column| row[column].clone()).collect())
        .collect();
    let right: Vec<usize> = (0..used.len()).filter(|&index| used[index] >= 3).collect();
    let mut lines = columns(&head, &rows, &right, width);
    if let Some(first) = lines.first_mut() {
        *first = paint(FAINT, first);
    }
    colour(&mut lines, run);
    lines
}

/// A step's cells: step, status, why, time, size.
pub(super) fn cells(row: &Row) -> Vec<String> {
    vec![
        row.step.clone(),
        row.status.word().to_owned(),
        one_line(&row.why),
        row.seconds.map(seconds).unwrap_or_default(),
        row.bytes.map(bytes).unwrap_or_default(),
    ]
}

/// Paints the statuses of a finished table; the layout would count the codes as text.
fn colour(lines: &mut [String], run: &Summary) {
    let mut rest = lines.iter_mut().skip(1);
    for row in &run.rows {
        let start = format!("{} ", row.step);
        let Some(line) = rest.find(|line| line.starts_with(&start)) else {
            return;
        };
        let Some((name, said)) = line.split_at_checked(start.len()) else {
            continue;
        };
        let gap = said.len() - said.trim_start().len();
        if let Some(after) = said.trim_start().strip_prefix(row.status.word()) {
            let word = paint(style(row.status), row.status.word());
            *line = format!("{name}{}{word}{after}", &said[..gap]);
        }
    }
}

/// The colour of a status.
fn style(status: Status) -> Style {
    match status {
        Status::Ran | Status::Unchanged => GOOD,
        Status::Failed => BAD,
        Status::Kept | Status::LeftOut | Status::Interrupted => WARN,
        Status::Planned | Status::Running => STRONG,
        Status::Reused | Status::Waiting | Status::NotReached | Status::Pending => FAINT,
    }
}

/// `1 failed, 2 ran, 5 reused in 1m 12s, 1 warning`.
pub(super) fn tally(run: &Summary) -> String {
    let counted = Status::ALL
        .iter()
        .filter_map(|&status| match run.count(status) {
            0 => None,
            n => Some(format!("{n} {}", status.word())),
        });
    let mut text = counted.collect::<Vec<_>>().join(", ");
    if run.is_no_op() && !run.rows.is_empty() {
        text = format!("nothing to do: {} reused", count(run.rows.len(), "step"));
    }
    if text.is_empty() {
        text = "no step was reached".to_owned();
    }
    if let Some(end) = &run.end {
        text = format!("{text} in {}", seconds(end.seconds));
    }
    if !run.warnings.is_empty() {
        text = format!("{text}, {}", count(run.warnings.len(), "warning"));
    }
    text
}

/// A failure with all that is needed to go on.
pub(super) fn failed(step: &str, failure: &Failure, width: Option<usize>) -> Vec<String> {
    let error = failure.chain.first().map_or("", String::as_str);
    let head = format!("{step} failed: ");
    let mut lines = wrap(&format!("{head}{}", one_line(error)), width, 2);
    lines[0] = match lines[0].strip_prefix(&head) {
        Some(rest) => format!("{} {rest}", paint(BAD, head.trim_end())),
        None => paint(BAD, &lines[0]),
    };
    for cause in failure.chain.iter().skip(1) {
        lines.extend(labelled("cause:", cause, width));
    }
    lines.extend(
        failure
            .command
            .iter()
            .map(|command| format!("  $ {command}")),
    );
    lines.extend(
        failure
            .status
            .iter()
            .map(|status| format!("  {}", paint(BAD, status))),
    );
    for line in &failure.tail {
        lines.extend(chop(&clean(line), "  | ", width));
    }
    // Paths and commands are not wrapped: they are there to be copied.
    lines.extend(
        failure
            .log
            .iter()
            .map(|log| format!("  log: {}", log.display())),
    );
    for hint in &failure.hints {
        lines.extend(labelled("hint:", hint, width));
    }
    if !failure.resume.is_empty() {
        lines.push(format!("  {} {}", paint(STRONG, "resume:"), failure.resume));
    }
    lines
}

/// `  hint: text`, wrapped below the text.
fn labelled(label: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = wrap(
        &format!("  {label} {}", one_line(text)),
        width,
        label.len() + 3,
    );
    lines[0] = lines[0].replacen(label, &paint(STRONG, label), 1);
    lines
}

/// Where the release lies, its installers, and how it is signed.
pub(super) fn released(release: &Release, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}",
        paint(GOOD, "released"),
        release.folder.display()
    )];
    let rows = downloads(release);
    let longest = rows
        .iter()
        .map(|[path, _]| console::measure_text_width(path))
        .max()
        .unwrap_or(0);
    for [path, size] in &rows {
        let pad = " ".repeat(longest - console::measure_text_width(path));
        lines.push(format!("  {path}{pad}  {size:>7}"));
    }
    let identity = one_line(&release.identity);
    match release.alarm() {
        Some(alarm) => {
            // The words come first in their line: a narrow terminal cannot push them out of sight.
            let mut said = wrap(&format!("{alarm} ({identity})"), width, 2);
            said[0] = said[0].replacen(alarm, &paint(ALARM, alarm), 1);
            lines.extend(said);
        }
        None => lines.extend(labelled("signed:", &identity, width)),
    }
    lines
}

/// What people download, with its size: the installers and the archives.
pub(super) fn downloads(release: &Release) -> Vec<[String; 2]> {
    let installers = release.files.iter().filter(|file| file.kind == "installer");
    installers
        .map(|file| [file.path.clone(), bytes(file.size)])
        .collect()
}
