//! The values of a file, each with the bytes that it stands in: what is replaced in place leaves
//! comments, order, indentation and line ends as they are.

use std::{borrow::Cow, ops::Range};

use anyhow::{Result, anyhow};
use jsonc_parser::{ast, common::Ranged as _};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// JSON, with all that JSON5 allows: Tauri reads its configuration so if its feature is on.
    Json,
    /// TOML.
    Toml,
    /// Python: what is assigned to a name at the beginning of a line, if that is a plain string.
    Python,
    /// A file that holds nothing but a version.
    Text,
}

impl Syntax {
    /// The syntax of a configuration file, by its ending.
    pub(super) fn of(file: &std::path::Path) -> Self {
        match file.extension() {
            Some(ending) if ending == "toml" => Self::Toml,
            _ => Self::Json,
        }
    }
}

/// A value that holds no other: a string, a number, an empty table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The keys that lead to it; of an array the index, counted from 0.
    pub keys: Vec<String>,
    /// The string's content; of any other value the source.
    pub text: String,
    /// The bytes that it stands in, quotes included.
    pub span: Range<usize>,
}

/// A file, taken apart.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it is on the disk.
    pub text: String,
    /// How it was read.
    pub syntax: Syntax,
    /// All its values.
    pub leaves: Vec<Leaf>,
}

impl Source {
    /// Takes a text apart.
    ///
    /// # Errors
    /// The text is not of this syntax: what is wrong with it, and in which line.
    pub fn parse(text: String, syntax: Syntax) -> Result<Self> {
        let leaves = match syntax {
            Syntax::Json => json(&text)?,
            Syntax::Toml => toml(&text)?,
            Syntax::Python => python(&text),
            Syntax::Text => whole(&text),
        };
        Ok(Self {
            text,
            syntax,
            leaves,
        })
    }

    /// The strings that these keys lead to; several if a key stands there twice. `null`, for
    /// instance, is no version.
    pub(super) fn strings<'s>(&'s self, keys: &'s [&str]) -> impl Iterator<Item = &'s Leaf> {
        let is_string = |it: &&Leaf| match self.syntax {
            Syntax::Json | Syntax::Toml => self.text[it.span.clone()].starts_with(['"', '\'']),
            Syntax::Python | Syntax::Text => true,
        };
        let all = self.leaves.iter().filter(move |it| it.keys == keys);
        all.filter(is_string)
    }

    /// The first value that these keys lead to.
    pub(super) fn get(&self, keys: &[&str]) -> Option<&Leaf> {
        self.leaves.iter().find(|it| it.keys == keys)
    }

    /// The text of the value that these keys lead to.
    pub(super) fn text_of(&self, keys: &[&str]) -> Option<&str> {
        self.get(keys).map(|it| it.text.as_str())
    }

    /// All below these keys; of an array its items.
    pub(super) fn under<'s>(&'s self, keys: &'s [&str]) -> impl Iterator<Item = &'s Leaf> {
        self.leaves
            .iter()
            .filter(move |it| it.keys.len() >= keys.len() && it.keys[..keys.len()] == *keys)
    }

    /// The line of a byte, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        line(&self.text, at)
    }

    /// The source of a string with another content, in the quotes of the one at `span`. A version
    /// has no letter that would have to be escaped.
    pub(super) fn quoted(&self, span: &Range<usize>, content: &str) -> String {
        let quote = self.text[span.clone()].chars().next().unwrap_or('"');
        match self.syntax {
            Syntax::Text => content.to_owned(),
            _ => format!("{quote}{content}{quote}"),
        }
    }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|it| **it == b'\n')
        .count()
        + 1
}

/// Without the byte order mark that some editors put first; and how many bytes that is.
fn without_mark(text: &str) -> (&str, usize) {
    let rest = text.trim_start_matches('\u{feff}');
    (rest, text.len() - rest.len())
}

fn json(text: &str) -> Result<Vec<Leaf>> {
    let (text, mark) = without_mark(text);
    let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default())
        .map_err(|it| anyhow!("line {}: {}", it.line_display(), it.kind()))?;
    let mut leaves = Vec::new();
    if let Some(value) = &parsed.value {
        json_leaves(text, value, &mut Vec::new(), &mut leaves);
    }
    for leaf in &mut leaves {
        leaf.span = leaf.span.start + mark..leaf.span.end + mark;
    }
    Ok(leaves)
}

fn json_leaves(
    source: &str,
    value: &ast::Value<'_>,
    keys: &mut Vec<String>,
    leaves: &mut Vec<Leaf>,
) {
    match value {
        ast::Value::Object(object) if !object.properties.is_empty() => {
            for it in &object.properties {
                keys.push(it.name.as_str().to_owned());
                json_leaves(source, &it.value, keys, leaves);
                keys.pop();
            }
        }
        ast::Value::Array(array) if !array.elements.is_empty() => {
            for (index, it) in array.elements.iter().enumerate() {
                keys.push(index.to_string());
                json_leaves(source, it, keys, leaves);
                keys.pop();
            }
        }
        other => {
            let range = other.range();
            let text = match other {
                ast::Value::StringLit(it) => it.value.clone(),
                _ => Cow::Borrowed(&source[range.start..range.end]),
            };
            leaves.push(Leaf {
                keys: keys.clone(),
                text: text.into_owned(),
                span: range.start..range.end,
            });
        }
    }
}

fn toml(text: &str) -> Result<Vec<Leaf>> {
    let table = DeTable::parse(text).map_err(|it| {
        let at = it.span().map_or(0, |it| it.start);
        anyhow!("line {}: {}", line(text, at), it.message())
    })?;
    let mut leaves = Vec::new();
    table_leaves(text, table.get_ref(), &mut Vec::new(), &mut leaves);
    Ok(leaves)
}

fn table_leaves(source: &str, table: &DeTable<'_>, keys: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    for (key, value) in table.iter() {
        keys.push(key.get_ref().to_string());
        toml_leaves(source, value, keys, leaves);
        keys.pop();
    }
}

fn toml_leaves(
    source: &str,
    value: &Spanned<DeValue<'_>>,
    keys: &mut Vec<String>,
    leaves: &mut Vec<Leaf>,
) {
    match value.get_ref() {
        DeValue::Table(table) if !table.is_empty() => table_leaves(source, table, keys, leaves),
        DeValue::Array(items) if !items.is_empty() => {
            for (index, it) in items.iter().enumerate() {
                keys.push(index.to_string());
                toml_leaves(source, it, keys, leaves);
                keys.pop();
            }
        }
        other => {
            let span = value.span();
            let text = match other {
                DeValue::String(it) => it.to_string(),
                // A table that a header opens has only the header for a place.
                DeValue::Table(_) => String::new(),
                _ => source.get(span.clone()).unwrap_or_default().to_owned(),
            };
            leaves.push(Leaf {
                keys: keys.clone(),
                text,
                span,
            });
        }
    }
}

/// `NAME = "text"` and `NAME: str = 'text'` at the beginning of a line, with nothing but a remark
/// behind it.
fn python(text: &str) -> Vec<Leaf> {
    let mut at = 0;
    let mut leaves = Vec::new();
    for line in text.split_inclusive('\n') {
        leaves.extend(assigned(line, at));
        at += line.len();
    }
    leaves
}

fn assigned(line: &str, at: usize) -> Option<Leaf> {
    let name_end = line.find(|it: char| !it.is_ascii_alphanumeric() && it != '_')?;
    let (name, rest) = line.split_at(name_end);
    if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
        return None;
    }
    let (annotation, value) = rest.split_once('=')?;
    let annotation = annotation.trim();
    if !annotation.is_empty() && !annotation.starts_with(':') {
        return None;
    }
    let value = value.trim_start();
    let quote = value.chars().next().filter(|it| "'\"".contains(*it))?;
    let (content, behind) = value[1..].split_once(quote)?;
    let behind = behind.trim();
    if !behind.is_empty() && !behind.starts_with('#') {
        return None;
    }
    let start = at + line.len() - value.len();
    Some(Leaf {
        keys: vec![name.to_owned()],
        text: content.to_owned(),
        span: start..start + content.len() + 2,
    })
}

fn whole(text: &str) -> Vec<Leaf> {
    let (rest, mark) = without_mark(text);
    let start = mark + rest.len() - rest.trim_start().len();
    let content = rest.trim();
    vec![Leaf {
        keys: Vec::new(),
        text: content.to_owned(),
        span: start..start + content.len(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a version stands, by the source that would be replaced.
    #[track_caller]
    fn check(syntax: Syntax, text: &str, keys: &[&str], expected: Option<&str>) {
        let source = Source::parse(text.to_owned(), syntax).unwrap();
        let found = source.get(keys).map(|it| &source.text[it.span.clone()]);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn values_are_found_with_their_quotes() {
        let json = |text, expected| check(Syntax::Json, text, &["version"], Some(expected));
        json(r#"{"version": "1.2.3"}"#, r#""1.2.3""#);
        json("\u{feff}{\r\n\t\"version\" : \"1.2.3\"\r\n}", r#""1.2.3""#);
        json("{/* version: '0' */ version: '1.2.3',}", "'1.2.3'");
        json(r#"{"a": {"version": "0"}, "version": "1"}"#, r#""1""#);
        let toml = |text, keys: &[&str], expected| check(Syntax::Toml, text, keys, Some(expected));
        toml("version = '1.2.3' # '0'\n", &["version"], "'1.2.3'");
        toml("a.version = \"1\"\r\n", &["a", "version"], "\"1\"");
        toml("[[p]]\nv = '0'\n[[p]]\nv = '1'", &["p", "1", "v"], "'1'");
        toml("p = { v = \"\"\"1\"\"\" }", &["p", "v"], "\"\"\"1\"\"\"");
    }

    #[test]
    fn of_python_only_plain_strings_count() {
        let check = |text, expected| check(Syntax::Python, text, &["__version__"], expected);
        check("__version__ = \"1.2.3\"\n", Some("\"1.2.3\""));
        check("import a\r\n__version__='1' # why\r\n", Some("'1'"));
        check("__version__: Final[str] = '1'", Some("'1'"));
        check("    __version__ = '1'", None);
        check("__version__ = read('1')", None);
        check("__version__ = '1' + more", None);
        check("__version__ += '1'", None);
        check("__version__ == '1'", None);
        check("__version__ = \"\"\"1\"\"\"", None);
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        let check = |syntax, text: &str, expected: &str| {
            let error = Source::parse(text.to_owned(), syntax).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        check(Syntax::Json, "{\n\"a\" 1}", "line 2: ");
        check(Syntax::Toml, "a = 1\nb = \n", "line 2: ");
    }
}
