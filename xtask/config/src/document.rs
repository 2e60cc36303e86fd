//! A TOML file that remembers where each key stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, Problems};

/// A parsed file.
pub(super) struct Document<'t> {
    /// The file as messages name it.
    pub name: String,
    text: &'t str,
    /// The keys and values with their places.
    pub tree: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Reads the text; all syntax errors at once.
    pub(super) fn parse(name: String, text: &'t str) -> Result<Self, Problems> {
        let (tree, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self {
                name,
                text,
                tree: tree.into_inner(),
            });
        }
        let problem = |error: &toml::de::Error| Problem {
            place: Some(Place::new(&name, text, error.span().unwrap_or(0..0))),
            message: error.message().to_owned(),
            help: String::new(),
        };
        Err(Problems::new(errors.iter().map(problem).collect()))
    }

    /// The place of a range of bytes.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::new(&self.name, self.text, span)
    }

    /// Where the value stands that a path such as `sidecar.0.dir` leads to, if it is given.
    pub(super) fn find(&self, path: &str) -> Option<Place> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let mut value = self.tree.get(first)?;
        for step in rest.split('.').filter(|step| !step.is_empty()) {
            value = match value.get_ref() {
                DeValue::Table(table) => table.get(step)?,
                DeValue::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(self.place(value.span()))
    }
}

/// What a value is called in a message.
pub(super) fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
