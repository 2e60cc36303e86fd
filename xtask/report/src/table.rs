//! Columns without boxes.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use console::Term;

/// An aligned table without boxes, ending in a line break. At a terminal it fits the width: long
/// cells continue below themselves. In a pipe each row is one line.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let lines = columns(head, rows, &[], width_of(&Term::stdout()));
    lines.join("\n") + "\n"
}

/// The terminal's width, if there is a terminal.
pub(super) fn width_of(term: &Term) -> Option<usize> {
    if !term.is_term() {
        return None;
    }
    term.size_checked().map(|(_, columns)| usize::from(columns))
}

/// The lines of a table; the columns in `right` hold numbers.
pub(super) fn columns(
    head: &[&str],
    rows: &[Vec<String>],
    right: &[usize],
    width: Option<usize>,
) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        // One more for the space after the last column, which is trimmed.
        table.set_width(u16::try_from(width + 1).unwrap_or(u16::MAX));
    }
    table.set_header(head.to_vec());
    table.add_rows(rows.iter().cloned());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding(if index == 0 { (0, 1) } else { (1, 1) });
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![
            row([
                "app",
                "1.0s",
                "src/main.ts and 3 more files changed since the last run",
            ]),
            row(["sidecar", "12.0s", "new"]),
        ]
    }

    #[test]
    fn a_pipe_gets_one_line_a_row() {
        let got = columns(&["step", "time", "why"], &rows(), &[1], None).join("\n");
        expect![[r#"
            step      time  why
            app       1.0s  src/main.ts and 3 more files changed since the last run
            sidecar  12.0s  new"#]]
        .assert_eq(&got);
    }

    #[test]
    fn a_narrow_terminal_gets_continued_cells() {
        let lines = columns(&["step", "time", "why"], &rows(), &[1], Some(40));
        assert!(
            lines
                .iter()
                .all(|line| console::measure_text_width(line) <= 40),
            "{lines:#?}"
        );
        expect![[r#"
            step      time  why
            app       1.0s  src/main.ts and 3 more
                            files changed since the
                            last run
            sidecar  12.0s  new"#]]
        .assert_eq(&lines.join("\n"));
    }
}
