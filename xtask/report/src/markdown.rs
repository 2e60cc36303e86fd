//! The end of a run as GitHub's job summary shows it.

use super::{
    closing::{cells, downloads, tally},
    summary::{Release, Summary},
    text::{clean, one_line},
};
use xtask_engine::event::Failure;

/// The closing as lines of Markdown.
pub(super) fn markdown(run: &Summary) -> Vec<String> {
    let outcome = match &run.end {
        Some(end) if end.ok => "succeeded",
        Some(_) => "failed",
        None => "has no end",
    };
    let mut lines = vec![format!("### {} for {} {outcome}", run.command, run.target)];
    lines.extend([String::new(), escape(&tally(run))]);
    if let Some(release) = &run.release {
        lines.extend(released(release));
    }
    for (step, failure) in &run.failures {
        lines.extend(failed(step, failure));
    }
    if !run.rows.is_empty() {
        let head = ["step", "status", "why", "time", "size"].map(str::to_owned);
        lines.push(String::new());
        lines.extend(table(&head, run.rows.iter().map(cells)));
    }
    for [step, key, value] in &run.facts {
        lines.extend([
            String::new(),
            escape(&format!("{step} {key}: {}", one_line(value))),
        ]);
    }
    for [step, text] in &run.warnings {
        let text = format!("{step} {}", one_line(text));
        lines.extend([String::new(), "> [!WARNING]".to_owned()]);
        lines.push(format!("> {}", escape(text.trim_start())));
    }
    if let Some(next) = run.next() {
        lines.extend([String::new(), format!("next: {}", code(next))]);
    }
    // The file is shared with what comes before and after in the same job step.
    lines.push(String::new());
    lines
}

fn released(release: &Release) -> Vec<String> {
    let identity = escape(&one_line(&release.identity));
    let mut lines = vec![String::new()];
    match release.alarm() {
        Some(alarm) => {
            lines.push("> [!CAUTION]".to_owned());
            lines.push(format!("> **{alarm}** {identity}").trim_end().to_owned());
        }
        None => lines.push(format!("signed: {identity}")),
    }
    lines.push(String::new());
    let head = ["file", "size"].map(str::to_owned);
    lines.extend(table(&head, downloads(release).into_iter().map(Vec::from)));
    lines.extend([
        String::new(),
        format!("in {}", code(&release.folder.to_string_lossy())),
    ]);
    lines
}

fn failed(step: &str, failure: &Failure) -> Vec<String> {
    let chain: Vec<String> = failure.chain.iter().map(|cause| one_line(cause)).collect();
    let head = format!("**{} failed:** {}", escape(step), escape(&chain.join(": ")));
    let mut block: Vec<String> = failure
        .command
        .iter()
        .map(|command| format!("$ {command}"))
        .collect();
    block.extend(failure.tail.iter().map(|line| clean(line)));
    block.extend(failure.status.iter().cloned());
    let mut lines = vec![String::new(), head];
    if !block.is_empty() {
        let fence = fence(&block);
        lines.extend([String::new(), format!("{fence}text")]);
        lines.extend(block);
        lines.push(fence);
    }
    for hint in &failure.hints {
        lines.extend([String::new(), format!("hint: {}", escape(&one_line(hint)))]);
    }
    if !failure.resume.is_empty() {
        lines.extend([String::new(), format!("resume: {}", code(&failure.resume))]);
    }
    lines
}

fn table(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = format!("|{}", "---|".repeat(head.len()));
    let mut lines = vec![line(head), rule];
    lines.extend(rows.map(|row| line(&row)));
    lines
}

/// Text in which nothing is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | '\\' | '#' | '~' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text as inline code, with more backticks around it than in it.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_ticks(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A fence that no line of the block can close.
fn fence(block: &[String]) -> String {
    let longest = block
        .iter()
        .map(|line| longest_ticks(line))
        .max()
        .unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_become_markup() {
        assert_eq!(escape("a|b <c> *d*"), "a\\|b &lt;c> \\*d\\*");
        assert_eq!(code("echo `id`"), "`` echo `id` ``");
        assert_eq!(fence(&["```".to_owned()]), "````");
    }
}
