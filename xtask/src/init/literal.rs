//! The values that a Python source writes down: texts, lists, calls. Whatever would have to be computed
//! stays as its source.

use std::{collections::BTreeMap, iter::Peekable, str::CharIndices};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// `[…]` and `(…, …)`.
    List(Vec<Value>),
    /// `a + b`.
    Sum(Vec<Value>),
    /// `name` and `name.name`.
    Name(String),
    /// `name(…)`: the positional arguments, and those with names.
    Call(String, Vec<Value>, Vec<(String, Value)>),
    /// Anything else, as it stands there.
    Other(String),
}

/// `name = value`, `name += value`, or a value alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Counted from 1.
    pub line: usize,
    /// What is set; of a value alone nothing.
    pub name: Option<String>,
    /// Whether the value is added to what was there.
    pub adds: bool,
    /// Whether it stands below something else: a condition, mostly.
    pub nested: bool,
    /// The value.
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Name(String),
    Mark(char),
    /// The end of a statement.
    End,
    /// A number, or a string that is computed.
    Other,
}

struct Parser<'t> {
    source: &'t str,
    /// Each with the bytes that it stands in.
    tokens: Vec<(Token, usize, usize)>,
    at: usize,
}

/// The statements at the beginning of a line; what is none of the three forms is left out.
pub(super) fn statements(source: &str) -> Vec<Statement> {
    let tokens = tokens(source);
    let mut parser = Parser {
        source,
        tokens,
        at: 0,
    };
    let mut all = Vec::new();
    while parser.at < parser.tokens.len() {
        all.extend(parser.statement());
        while !matches!(parser.peek(0), None | Some(Token::End)) {
            parser.at += 1;
        }
        parser.at += 1;
    }
    all
}

/// The names that a source sets to one plain text and to nothing else.
pub(super) fn texts(statements: &[Statement]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<&String, Option<&String>> = BTreeMap::new();
    for statement in statements {
        let Some(name) = &statement.name else {
            continue;
        };
        let text = match &statement.value {
            Value::Text(text) if !statement.adds => Some(text),
            _ => None,
        };
        let known = all.entry(name).or_insert(text);
        *known = known.filter(|it| text == Some(*it));
    }
    let known = all
        .into_iter()
        .filter_map(|(name, text)| Some((name.clone(), text?.clone())));
    known.collect()
}

/// A value as a word of a command line. What would have to be computed stands in braces, as in an f-string.
pub(super) fn word(value: &Value, names: &BTreeMap<String, String>) -> String {
    let words = |all: &[Value]| all.iter().map(|it| word(it, names)).collect::<Vec<_>>();
    match value {
        Value::Text(text) => text.clone(),
        Value::Name(name) if names.contains_key(name) => names[name].clone(),
        Value::Sum(parts) => words(parts).concat(),
        Value::Call(name, parts, _) if name == "os.path.join" => words(parts).join("/"),
        Value::Call(name, parts, _) if name == "str" && parts.len() == 1 => word(&parts[0], names),
        Value::Other(source) => match formatted(source) {
            Some(text) => names.iter().fold(text.to_owned(), |it, (name, value)| {
                it.replace(&format!("{{{name}}}"), value)
            }),
            None => format!("{{{source}}}"),
        },
        other => format!("{{{}}}", source(other)),
    }
}

/// What stands in an f-string.
fn formatted(source: &str) -> Option<&str> {
    let rest = source.strip_prefix(['f', 'F'])?;
    let quote = rest.chars().next().filter(|it| "'\"".contains(*it))?;
    let inner = rest.trim_start_matches(quote).trim_end_matches(quote);
    (!inner.contains(['\'', '"', '\\'])).then_some(inner)
}

/// A value as Python writes it, roughly.
pub(super) fn source(value: &Value) -> String {
    let list = |all: &[Value]| all.iter().map(source).collect::<Vec<_>>().join(", ");
    match value {
        Value::Text(text) => format!("'{text}'"),
        Value::List(items) => format!("({})", list(items)),
        Value::Sum(parts) => parts.iter().map(source).collect::<Vec<_>>().join(" + "),
        Value::Name(name) => name.clone(),
        Value::Call(name, positional, named) => {
            let named = named
                .iter()
                .map(|(key, it)| format!("{key}={}", source(it)));
            let all: Vec<String> = positional.iter().map(source).chain(named).collect();
            format!("{name}({})", all.join(", "))
        }
        Value::Other(source) => source.clone(),
    }
}

impl Parser<'_> {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|it| &it.0)
    }

    fn is(&self, mark: char) -> bool {
        self.peek(0) == Some(&Token::Mark(mark))
    }

    fn takes(&mut self, mark: char) -> bool {
        let is = self.is(mark);
        self.at += usize::from(is);
        is
    }

    fn statement(&mut self) -> Option<Statement> {
        let start = self.tokens.get(self.at)?.1;
        let line = self.source[..start].matches('\n').count() + 1;
        let nested = self.source[..start].ends_with([' ', '\t'])
            && !self.source[..start]
                .trim_end_matches([' ', '\t'])
                .ends_with(';');
        let name = match (self.peek(0), self.peek(1), self.peek(2)) {
            (Some(Token::Name(name)), Some(Token::Mark('=')), _) => Some((name.clone(), 2, false)),
            (Some(Token::Name(name)), Some(Token::Mark('+')), Some(Token::Mark('='))) => {
                Some((name.clone(), 3, true))
            }
            (Some(Token::Name(_)), Some(Token::Mark('(')), _) => None,
            _ => return None,
        };
        let (name, length, adds) = match name {
            Some((name, length, adds)) => (Some(name), length, adds),
            None => (None, 0, false),
        };
        self.at += length;
        let value = self.expression();
        Some(Statement {
            line,
            name,
            adds,
            nested,
            value,
        })
    }

    /// Up to a comma, a closing bracket or the end of the statement.
    fn expression(&mut self) -> Value {
        let first = self.at;
        let mut terms = vec![self.term()];
        while self.is('+') {
            self.at += 1;
            terms.push(self.term());
        }
        let mut depth = 0;
        let mut computed = false;
        while let Some(token) = self.peek(0) {
            match token {
                Token::End if depth == 0 => break,
                Token::Mark(',' | ')' | ']' | '}') if depth == 0 => break,
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            computed = true;
            self.at += 1;
        }
        if computed || terms.iter().any(|it| *it == Value::Other(String::new())) {
            return Value::Other(self.slice(first));
        }
        match terms.len() {
            1 => terms.remove(0),
            _ => Value::Sum(terms),
        }
    }

    /// The source from this token to where the parser is, on one line.
    fn slice(&self, first: usize) -> String {
        let last = self.at.saturating_sub(1).max(first);
        let (Some(first), Some(last)) = (self.tokens.get(first), self.tokens.get(last)) else {
            return String::new();
        };
        let words = self.source[first.1..last.2].split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    }

    fn term(&mut self) -> Value {
        match self.peek(0).cloned() {
            Some(Token::Text(text)) => {
                self.at += 1;
                let mut text = text;
                // Strings that stand side by side are one.
                while let Some(Token::Text(more)) = self.peek(0) {
                    text += more;
                    self.at += 1;
                }
                Value::Text(text)
            }
            Some(Token::Mark('[')) => {
                self.at += 1;
                Value::List(self.items(']').0)
            }
            Some(Token::Mark('(')) => {
                self.at += 1;
                let (mut items, comma) = self.items(')');
                match items.len() {
                    1 if !comma => items.remove(0),
                    _ => Value::List(items),
                }
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                match self.takes('(') {
                    true => self.call(name),
                    false => Value::Name(name),
                }
            }
            Some(Token::End) | None => Value::Other(String::new()),
            _ => {
                // What it is, nobody can say; the caller takes the rest.
                Value::Other(String::new())
            }
        }
    }

    /// The values up to the closing bracket, and whether there was a comma.
    fn items(&mut self, close: char) -> (Vec<Value>, bool) {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.takes(close) && self.peek(0).is_some() {
            // `*more` in a list is as good as `+ more`.
            self.takes('*');
            items.push(self.expression());
            match self.takes(',') {
                true => comma = true,
                false if self.is(close) => {}
                false => self.at += 1,
            }
        }
        (items, comma)
    }

    fn call(&mut self, name: String) -> Value {
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        while !self.takes(')') && self.peek(0).is_some() {
            match (self.peek(0).cloned(), self.peek(1)) {
                (Some(Token::Name(key)), Some(Token::Mark('='))) => {
                    self.at += 2;
                    named.push((key, self.expression()));
                }
                _ => {
                    self.takes('*');
                    self.takes('*');
                    positional.push(self.expression());
                }
            }
            if !self.takes(',') && !self.is(')') {
                self.at += 1;
            }
        }
        Value::Call(name, positional, named)
    }
}

fn tokens(source: &str) -> Vec<(Token, usize, usize)> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut chars = source.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let token = match c {
            '#' => {
                while chars.next_if(|it| it.1 != '\n').is_some() {}
                continue;
            }
            '\\' => {
                chars.next_if(|it| it.1 == '\r');
                chars.next_if(|it| it.1 == '\n');
                continue;
            }
            '\n' | ';' if depth == 0 => Token::End,
            _ if c.is_whitespace() => continue,
            '\'' | '"' => string(source, start, c, false, &mut chars),
            _ if c.is_alphabetic() || c == '_' => named(source, start, &mut chars),
            _ if c.is_ascii_digit() => {
                while chars
                    .next_if(|it| it.1.is_alphanumeric() || it.1 == '.')
                    .is_some()
                {}
                Token::Other
            }
            _ => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                Token::Mark(c)
            }
        };
        let end = chars.peek().map_or(source.len(), |it| it.0);
        tokens.push((token, start, end));
    }
    tokens
}

/// The name whose first letter was read, or the string that has it before its quote.
fn named(source: &str, start: usize, chars: &mut Peekable<CharIndices<'_>>) -> Token {
    let part = |it: &(usize, char)| it.1.is_alphanumeric() || "_.".contains(it.1);
    while chars.next_if(part).is_some() {}
    let end = chars.peek().map_or(source.len(), |it| it.0);
    let word = &source[start..end];
    let quote = chars.peek().map(|it| it.1).filter(|it| "'\"".contains(*it));
    let is_prefix = word.len() <= 2 && word.chars().all(|it| "rRbBuUfF".contains(it));
    let Some(quote) = quote.filter(|_| is_prefix) else {
        return Token::Name(word.to_owned());
    };
    chars.next();
    let text = string(source, end, quote, word.contains(['r', 'R']), chars);
    match word.contains(['f', 'F']) {
        true => Token::Other,
        false => text,
    }
}

/// The string whose first quote was read.
fn string(
    source: &str,
    start: usize,
    quote: char,
    raw: bool,
    chars: &mut Peekable<CharIndices<'_>>,
) -> Token {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let is_triple = source[start..].starts_with(&triple);
    if is_triple {
        chars.next();
        chars.next();
    }
    let mut text = String::new();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && !raw {
            match chars.next().map(|it| it.1) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('\n') => {}
                Some(other) if "\\'\"".contains(other) => text.push(other),
                Some(other) => text.extend(['\\', other]),
                None => {}
            }
        } else if is_triple && source[at..].starts_with(&triple) {
            chars.next();
            chars.next();
            break;
        } else if !is_triple && (c == quote || c == '\n') {
            break;
        } else {
            text.push(c);
        }
    }
    Token::Text(text)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(source: &str, expected: Expect) {
        let lines = statements(source).into_iter().map(|it| {
            let sign = if it.adds { "+=" } else { "=" };
            let name = it.name.unwrap_or_default();
            let nested = if it.nested { " nested" } else { "" };
            format!("{}{nested}: {name} {sign} {:?}\n", it.line, it.value)
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn values_and_what_is_none() {
        check(
            "# -*- mode: python -*-\nimport os\na = ['x', r'y\\z', \"it's\" ' one',]  # why\nb = a + ['q']; c += t[0]\n",
            expect![[r#"
                3: a = List([Text("x"), Text("y\\z"), Text("it's one")])
                4: b = Sum([Name("a"), List([Text("q")])])
                4: c += Other("t[0]")
            "#]],
        );
        check(
            "exe = EXE(pyz, a.scripts, [],\n    name=f'tool-{x}', console=True, datas=[('a', 'b'), *more], n=1 if x else 2)\n\
             if x:\n    y = 'z'\n",
            expect![[r#"
                1: exe = Call("EXE", [Name("pyz"), Name("a.scripts"), List([])], [("name", Other("f'tool-{x}'")), ("console", Name("True")), ("datas", List([List([Text("a"), Text("b")]), Name("more")])), ("n", Other("1 if x else 2"))])
                4 nested: y = Text("z")
            "#]],
        );
        // No mistake in it leads astray.
        check(
            "a = [(', '\nb = )(\n",
            expect![[r#"
            1: a = List([Other("(', ' b = )(")])
        "#]],
        );
    }
}
