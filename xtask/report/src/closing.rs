//! What stands at the end of a run: the table, what failed, the release and the next command.

use anstyle::Style;

use super::{
    status::Status,
    summary::{Release, Row, Summary},
    table::columns,
    text::{
        ALARM, BAD, FAINT, GOOD, STRONG, WARN, bytes, chop, clean, count, one_line, paint, seconds,
        wrap,
    },
};
use xtask_engine::event::Failure;

/// The end of a run, as lines. With a width, what is not to be pasted is wrapped to it.
pub(super) fn closing(run: &Summary, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    // If all steps stand alike, a table adds nothing to the line below it.
    if !run.all(Status::Reused) && !run.all(Status::NotReached) {
        lines.push(String::new());
        lines.extend(steps(run, width, Long::Cut));
    }
    lines.extend(tally_lines(run, width));
    for (step, failure) in &run.failures {
        lines.push(String::new());
        lines.extend(failed(step, failure, width));
    }
    if let Some(release) = &run.release {
        lines.extend(released(release, width));
    }
    lines.extend(
        run.next()
            .map(|next| format!("{} {next}", paint(STRONG, "next:"))),
    );
    lines
}

/// What happens to reasons that are too long for the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Long {
    /// They were shown when the step began: one line a step is enough.
    Cut,
    /// They are shown here only.
    Whole,
}

/// The table of all steps.
pub(super) fn steps(run: &Summary, width: Option<usize>, long: Long) -> Vec<String> {
    let mut cells: Vec<Vec<String>> = run.rows.iter().map(cells).collect();
    if let (Some(width), Long::Cut) = (width, long) {
        cut(&mut cells, width);
    }
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

/// Shortens the reasons to what the other columns leave of the width.
fn cut(rows: &mut [Vec<String>], width: usize) {
    const WHY: usize = 2;
    let widest = |column: usize| {
        let widths = rows
            .iter()
            .map(|row| console::measure_text_width(&row[column]));
        // The heads of the narrow columns, and two spaces before the next one.
        widths.max().unwrap_or(0).max(4) + 2
    };
    let others: usize = [0, 1, 3, 4].map(widest).iter().sum();
    let room = width.saturating_sub(others).max(8);
    for row in rows {
        row[WHY] = console::truncate_str(&row[WHY], room, "…").into_owned();
    }
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
        Status::Ran | Status::Passed | Status::Unchanged => GOOD,
        Status::Failed => BAD,
        Status::Kept | Status::LeftOut | Status::Interrupted => WARN,
        Status::Planned | Status::Running => STRONG,
        Status::Reused | Status::Waiting | Status::NotReached | Status::Pending => FAINT,
    }
}

/// How many steps stand how, and how long the run took, wrapped between the counts.
pub(super) fn tally_lines(run: &Summary, width: Option<usize>) -> Vec<String> {
    let parts: Vec<String> = tally(run)
        .split(", ")
        .map(|part| part.replace(' ', "\u{a0}"))
        .collect();
    let lines = wrap(&parts.join(", "), width, 2);
    lines
        .into_iter()
        .map(|line| line.replace('\u{a0}', " "))
        .collect()
}

/// `1 failed, 2 ran, 5 reused in 1m 12s, 1 warning`.
pub(super) fn tally(run: &Summary) -> String {
    let mut text = if run.rows.is_empty() || run.all(Status::NotReached) {
        "no step was reached".to_owned()
    } else if run.all(Status::Reused) {
        format!("nothing to do: {} reused", count(run.rows.len(), "step"))
    } else {
        counts(run).join(", ")
    };
    if let Some(end) = &run.end {
        text.push_str(&format!(" in {}", seconds(end.seconds)));
    }
    if !run.warnings.is_empty() {
        text.push_str(&format!(", {}", count(run.warnings.len(), "warning")));
    }
    text
}

/// `1 failed`, `2 ran`: a step with unchanged output ran like any other.
fn counts(run: &Summary) -> Vec<String> {
    let counted = Status::ALL.iter().filter_map(|&status| {
        let n = match status {
            Status::Ran => run.count(Status::Ran) + run.count(Status::Unchanged),
            Status::Unchanged => 0,
            status => run.count(status),
        };
        (n > 0).then(|| format!("{n} {}", status.word()))
    });
    counted.collect()
}

/// A failure with all that is needed to go on.
pub(super) fn failed(step: &str, failure: &Failure, width: Option<usize>) -> Vec<String> {
    let error = failure.chain.first().map_or("", String::as_str);
    let mut lines = labelled("", label(step).as_str(), BAD, error, width);
    for cause in failure.chain.iter().skip(1) {
        lines.extend(labelled("  ", "cause:", STRONG, cause, width));
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
        lines.extend(labelled("  ", "hint:", STRONG, hint, width));
    }
    if !failure.resume.is_empty() {
        lines.push(format!("  {} {}", paint(STRONG, "resume:"), failure.resume));
    }
    lines
}

/// `error:` outside of a step.
fn label(step: &str) -> String {
    if step.is_empty() {
        "error:".to_owned()
    } else {
        format!("{step} failed:")
    }
}

/// `  hint: text`, wrapped. Further lines of the text keep their form: errors of parsers show the
/// place with carets.
fn labelled(
    indent: &str,
    label: &str,
    style: Style,
    text: &str,
    width: Option<usize>,
) -> Vec<String> {
    let mut text = text.lines();
    let first = clean(text.next().unwrap_or_default());
    let deeper = indent.len() + 2;
    let mut lines = wrap(&format!("{indent}{label} {first}"), width, deeper);
    lines[0] = lines[0].replacen(label, &paint(style, label), 1);
    let prefix = " ".repeat(deeper);
    lines.extend(text.flat_map(|line| chop(&clean(line), &prefix, width)));
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
            let text = format!("{alarm}; {identity}");
            let mut said = wrap(text.trim_end_matches("; "), width, 2);
            said[0] = said[0].replacen(alarm, &paint(ALARM, alarm), 1);
            lines.extend(said);
        }
        None => lines.extend(labelled("  ", "signed:", STRONG, &identity, width)),
    }
    lines
}

/// What people download, with its size: the installers and the archives.
pub(super) fn downloads(release: &Release) -> Vec<[String; 2]> {
    let wanted = |kind: &str| matches!(kind, "installer" | "archive");
    let files = release.files.iter().filter(|file| wanted(&file.kind));
    files
        .map(|file| [file.path.clone(), bytes(file.size)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn an_error_of_several_lines_keeps_its_form() {
        let failure = Failure {
            chain: vec![
                "tauri.conf.json cannot be read".to_owned(),
                "expected `,`\n  |\n3 | \"a\" \"b\"\n  |     ^".to_owned(),
            ],
            ..Failure::default()
        };
        let lines = failed("app", &failure, Some(30)).join("\n");
        expect![[r#"
            app failed: tauri.conf.json
              cannot be read
              cause: expected `,`
                  |
                3 | "a" "b"
                  |     ^"#]]
        .assert_eq(&console::strip_ansi_codes(&lines));
    }
}
