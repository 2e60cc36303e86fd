//! Sizes, times, colours and wrapping: how the pieces of a line are written.

use anstyle::{AnsiColor, Style};
use console::measure_text_width;

/// The work went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// The work failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Names and headings.
pub(super) const STRONG: Style = Style::new().bold();
/// What need not be read.
pub(super) const FAINT: Style = Style::new().dimmed();
/// What must not be overlooked.
pub(super) const ALARM: Style = AnsiColor::Black
    .on_default()
    .bg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)))
    .bold();

/// The text in a style. Reporters always paint; the writer strips the codes where colour is off.
pub(super) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}

/// A size with decimal units, as download pages state it: `412 kB`, `8.4 MB`.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        // 999.5 and not 1000: what would be rounded up to `1000 kB` is `1.0 MB`.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" || value >= 99.95 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A time in seconds as people read it: `0.03s`, `3.2s`, `1m 12s`, `2h 05m`.
pub fn seconds(s: f64) -> String {
    let s = if s.is_finite() { s.max(0.0) } else { 0.0 };
    // The bounds lie where rounding would carry into the next form.
    if s < 0.995 {
        return format!("{s:.2}s");
    }
    if s < 59.95 {
        return format!("{s:.1}s");
    }
    let whole = s.round() as u64;
    match whole {
        0..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// `1 step`, `8 steps`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

/// A process's line without colour codes, control characters and what a `\r` has overwritten.
pub(super) fn clean(line: &str) -> String {
    let line = console::strip_ansi_codes(line);
    let shown = line
        .rsplit('\r')
        .find(|part| !part.trim().is_empty())
        .unwrap_or_default();
    let shown = shown.replace('\t', "    ");
    shown
        .chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Text that stands on one line, whatever it was.
pub(super) fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| clean(line).trim_start().to_owned());
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Below this, wrapping leaves nothing to read; the terminal may then wrap by itself.
const LEAST_ROOM: usize = 20;

/// Breaks prose between words, each line after the first indented by `indent`. Words longer than
/// a line, such as paths, stay whole so that they can be copied.
pub(super) fn wrap(text: &str, width: Option<usize>, indent: usize) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.trim_end().to_owned()];
    };
    let width = width.max(indent + LEAST_ROOM);
    let mut lines = Vec::new();
    let mut line = String::new();
    for (index, word) in text.trim_end().split(' ').enumerate() {
        let blank = line.trim().is_empty();
        if !blank && measure_text_width(&line) + 1 + measure_text_width(word) > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if index > 0 {
            // Spaces that follow each other are the columns and indents of the text: they stay.
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Breaks a process's line at the width, keeping its spaces: carets must point at their word.
pub(super) fn chop(line: &str, prefix: &str, width: Option<usize>) -> Vec<String> {
    let room = width.map_or(usize::MAX, |w| {
        w.saturating_sub(prefix.len()).max(LEAST_ROOM)
    });
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in line.chars() {
        let wide = measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used + wide > room {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        pieces.last_mut().expect("never empty").push(c);
    }
    pieces
        .into_iter()
        .map(|piece| format!("{prefix}{piece}").trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        let cases = [
            0, 999, 1000, 8_400_000, 99_960, 412_400, 999_499, 999_500, 84_300_000,
        ];
        let got = cases.map(bytes).join(", ");
        assert_eq!(
            got,
            "0 B, 999 B, 1.0 kB, 8.4 MB, 100 kB, 412 kB, 999 kB, 1.0 MB, 84.3 MB"
        );
        assert_eq!(bytes(u64::MAX), "18446744 TB");
    }

    #[test]
    fn times_round_into_the_next_form() {
        let cases = [
            0.03,
            0.994,
            0.996,
            3.24,
            59.94,
            59.96,
            72.4,
            3599.6,
            7500.0,
            f64::NAN,
            -1.0,
        ];
        let got = cases.map(seconds).join(", ");
        let want = "0.03s, 0.99s, 1.0s, 3.2s, 59.9s, 1m 00s, 1m 12s, 1h 00m, 2h 05m, 0.00s, 0.00s";
        assert_eq!(got, want);
    }

    #[test]
    fn a_process_line_keeps_only_what_a_terminal_would_show() {
        assert_eq!(clean("\x1b[32mok\x1b[0m\tdone\x07\r\n"), "ok    done");
        assert_eq!(clean("10%\r50%\r100%"), "100%");
        assert_eq!(one_line("two\n  lines\n"), "two lines");
    }

    #[test]
    fn prose_is_broken_between_words() {
        let text = "app   runs: src/main.ts changed, /a/path/longer/than/one/line";
        let lines = wrap(text, Some(26), 6);
        assert_eq!(
            lines,
            [
                "app   runs: src/main.ts",
                "      changed,",
                "      /a/path/longer/than/one/line"
            ]
        );
        assert_eq!(wrap(text, None, 6), [text]);
        assert_eq!(wrap("  hint: a", Some(80), 6), ["  hint: a"]);
    }

    #[test]
    fn output_is_broken_at_the_width() {
        let lines = chop("let x = 1;           ^^^^", "  | ", Some(24));
        assert_eq!(lines, ["  | let x = 1;", "  |  ^^^^"]);
    }
}
