//! What is wrong with a configuration, shown at the line that says it.

use std::fmt::{self, Write};
use std::ops::Range;

/// Everything that is wrong, in the order of the file. Printing it is the whole error message.
#[derive(Debug)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    /// Where it is said; `None` if no line says it.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// A part of one line of a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    file: String,
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    /// In characters, at least 1.
    width: usize,
    /// The line itself.
    source: String,
}

impl Place {
    /// The place of a range of bytes. It ends with its first line.
    pub(super) fn new(file: &str, text: &str, span: Range<usize>) -> Self {
        let boundary = |at: usize| {
            (0..=at.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at))
        };
        let start = boundary(span.start).unwrap_or(0);
        let end = boundary(span.end).unwrap_or(0).max(start);
        let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let source = text[first..].lines().next().unwrap_or_default();
        let end = end.min(first + source.len()).max(start);
        Self {
            file: file.to_owned(),
            line: text[..first].matches('\n').count() + 1,
            column: text[first..start].chars().count() + 1,
            width: text[start..end].chars().count().max(1),
            source: source.to_owned(),
        }
    }

    /// `file:line:column`.
    pub(super) fn start(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Problems {
    /// Sorts them: as the file has them, and last what no line says.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| match (&a.place, &b.place) {
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem")?,
            many => write!(f, "the configuration has {many} problems")?,
        }
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = &self.place else {
            f.write_str(&self.message)?;
            return if self.help.is_empty() {
                Ok(())
            } else {
                write!(f, "\n  {}", self.help)
            };
        };
        writeln!(f, "{}:{}:{}: {}", at.file, at.line, at.column, self.message)?;
        let margin = at.line.to_string().len();
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{} | {}", at.line, at.source)?;
        write!(f, "{:margin$} | ", "")?;
        for c in at.source.chars().take(at.column - 1) {
            f.write_char(if c == '\t' { '\t' } else { ' ' })?;
        }
        write!(f, "{}", "^".repeat(at.width))?;
        if self.help.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.help)
        }
    }
}
