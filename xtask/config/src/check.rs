//! Holds a file against the schema and reports every difference, not only the first.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::document::{self, Document};
use super::problem::Problem;
use super::raw::Dist;
use super::schema::{self, Kind};
use super::value;

/// What there is to say about a file.
pub(super) struct Checked {
    /// The file without the keys that are wrong.
    pub dist: Dist,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The paths of the tables in which something is wrong.
    pub tables: Vec<String>,
}

/// Checks a file.
pub(super) fn check(doc: &Document<'_>) -> anyhow::Result<Checked> {
    let root = schema::dist();
    let mut check = Check {
        doc,
        root: &root,
        problems: Vec::new(),
        tables: Vec::new(),
    };
    let clean = check
        .table(&Spot::default(), 0..0, &doc.tree, &root)
        .unwrap_or_default();
    let Check {
        problems, tables, ..
    } = check;
    Ok(Checked {
        dist: serde_json::from_value(clean)?,
        problems,
        tables,
    })
}

/// A check in progress.
struct Check<'a> {
    doc: &'a Document<'a>,
    root: &'a Value,
    problems: Vec<Problem>,
    tables: Vec<String>,
}

/// Where the check is: the path of the table and the key in it.
#[derive(Default)]
struct Spot {
    table: String,
    key: String,
}

impl Spot {
    /// The path of what stands here.
    fn path(&self) -> String {
        match self.table.as_str() {
            "" => self.key.clone(),
            table => format!("{table}.{}", self.key),
        }
    }
}

type Span = std::ops::Range<usize>;

impl Check<'_> {
    fn report(&mut self, at: &Spot, span: Span, message: String, help: String) {
        self.problems.push(Problem {
            place: Some(self.doc.place(span)),
            message,
            help,
        });
        self.tables.push(at.table.clone());
    }

    /// The value as JSON, without what is wrong in it; `None` if nothing is left.
    fn value(&mut self, at: &Spot, value: &Spanned<DeValue<'_>>, schema: &Value) -> Option<Value> {
        match (schema::kind(schema), value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => self.text(at, value.span(), text, schema),
            (Kind::Boolean, DeValue::Boolean(given)) => Some(Value::Bool(*given)),
            (Kind::Number, DeValue::Integer(number)) => {
                self.number(at, value.span(), number, schema)
            }
            (Kind::List, DeValue::Array(items)) => self.list(at, value.span(), items, schema),
            (Kind::Table, DeValue::Table(table)) => {
                let inner = Spot {
                    table: at.path(),
                    key: String::new(),
                };
                self.table(&inner, value.span(), table, schema)
            }
            (wanted, _) => {
                let message = format!(
                    "`{}` must be {}, not {}",
                    at.key,
                    wanted.name(),
                    document::kind(value)
                );
                let help = kind_help(&at.key, wanted, value, schema);
                self.report(at, value.span(), message, help);
                None
            }
        }
    }

    fn text(&mut self, at: &Spot, span: Span, text: &str, schema: &Value) -> Option<Value> {
        let choices = schema::choices(schema);
        if !choices.is_empty() && !choices.contains(&text) {
            let help = suggest(text, &choices)
                .unwrap_or_else(|| format!("allowed: {}", list_of(&choices)));
            self.report(
                at,
                span,
                format!("`{text}` is no value of `{}`", at.key),
                help,
            );
            return None;
        }
        if let Some(form) = schema::given(schema)["x-form"].as_str() {
            let message = match value::check(form, text) {
                _ if text.is_empty() => format!("`{}` must not be empty", at.key),
                Err(wanted) => format!("`{text}` is not {wanted}"),
                Ok(()) => return Some(Value::from(text)),
            };
            self.report(at, span, message, String::new());
            return None;
        }
        Some(Value::from(text))
    }

    fn number(
        &mut self,
        at: &Spot,
        span: Span,
        number: &DeInteger<'_>,
        schema: &Value,
    ) -> Option<Value> {
        let schema = schema::given(schema);
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = |it: &i64| least.is_none_or(|at| *it >= at) && most.is_none_or(|at| *it <= at);
        if let Some(good) = parsed.filter(fits) {
            return Some(Value::from(good));
        }
        let (least, most) = (least.unwrap_or(0), most.unwrap_or(i64::MAX));
        let message = format!("`{}` must be from {least} to {most}", at.key);
        self.report(at, span, message, String::new());
        None
    }

    fn list(
        &mut self,
        at: &Spot,
        span: Span,
        items: &DeArray<'_>,
        schema: &Value,
    ) -> Option<Value> {
        let schema = schema::given(schema);
        if items.is_empty() && schema["minItems"] == 1 {
            self.report(
                at,
                span,
                format!("`{}` must not be empty", at.key),
                String::new(),
            );
            return None;
        }
        let mut good: Vec<Value> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let inner = match schema::kind(&schema["items"]) {
                Kind::Table => Spot {
                    table: at.path(),
                    key: index.to_string(),
                },
                _ => Spot {
                    table: at.table.clone(),
                    key: at.key.clone(),
                },
            };
            let Some(value) = self.value(&inner, item, &schema["items"]) else {
                continue;
            };
            if schema["uniqueItems"] == true && good.contains(&value) {
                let message = format!("`{}` has {value} twice", at.key);
                self.report(at, item.span(), message, String::new());
            }
            good.push(value);
        }
        // An index must mean the same item here and in the file.
        (good.len() == items.len()).then_some(Value::Array(good))
    }

    fn table(
        &mut self,
        at: &Spot,
        span: Span,
        table: &DeTable<'_>,
        schema: &Value,
    ) -> Option<Value> {
        let mut good = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let here = Spot {
                table: at.table.clone(),
                key: name.to_owned(),
            };
            match schema::keys(schema).find(|(known, _)| *known == name) {
                Some((_, schema)) => {
                    good.extend(
                        self.value(&here, value, schema)
                            .map(|v| (name.to_owned(), v)),
                    );
                }
                None => {
                    let help = self.unknown(name, schema);
                    self.report(&here, key.span(), format!("unknown key `{name}`"), help);
                }
            }
        }
        let missing: Vec<&str> = schema::required(schema)
            .filter(|key| !table.contains_key(*key))
            .collect();
        for key in &missing {
            self.report(
                at,
                span.clone(),
                format!("the key `{key}` is missing"),
                String::new(),
            );
        }
        let complete = schema::required(schema).all(|key| good.contains_key(key));
        complete.then_some(Value::Object(good))
    }

    /// What may have been meant by a key that does not exist: a similar one here, or the same one
    /// in another section.
    fn unknown(&self, name: &str, schema: &Value) -> String {
        let known: Vec<&str> = schema::keys(schema).map(|(key, _)| key).collect();
        let elsewhere = || {
            let mut homes = Vec::new();
            homes_of(&plain(name), "", self.root, &mut homes);
            match homes.as_slice() {
                [home] => Some(format!("it belongs to `{home}`")),
                _ => None,
            }
        };
        suggest(name, &known)
            .or_else(elsewhere)
            .unwrap_or_else(|| format!("known here: {}", list_of(&known)))
    }
}

/// The sections that know a key.
fn homes_of(name: &str, path: &str, schema: &Value, homes: &mut Vec<String>) {
    for (key, inner) in schema::keys(schema) {
        if key == name && !path.is_empty() {
            homes.push(path.to_owned());
        }
        let path = path.trim_matches(['[', ']']);
        let path = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        match schema::kind(inner) {
            Kind::Table => homes_of(name, &format!("[{path}]"), inner, homes),
            Kind::List => homes_of(name, &format!("[[{path}]]"), &inner["items"], homes),
            Kind::Text | Kind::Boolean | Kind::Number => {}
        }
    }
}

/// How a value of the wrong kind should be written.
fn kind_help(key: &str, wanted: Kind, value: &Spanned<DeValue<'_>>, schema: &Value) -> String {
    match (wanted, value.get_ref()) {
        (Kind::List, DeValue::Table(_)) => format!("write `[[{key}]]`"),
        (Kind::Table, DeValue::Array(_)) => format!("write `[{key}]`, once"),
        (Kind::List, DeValue::String(text)) if schema::kind(&schema["items"]) == Kind::Text => {
            format!("write `{key} = [\"{text}\"]`")
        }
        (Kind::Text, DeValue::Integer(number)) => format!("write `\"{number}\"`"),
        (Kind::Text, DeValue::Float(number)) => format!("write `\"{}\"`", number.as_str()),
        (Kind::Number, DeValue::String(text)) if text.parse::<i64>().is_ok() => {
            format!("write `{text}` without quotes")
        }
        (Kind::Boolean, DeValue::String(text)) if *text == "true" || *text == "false" => {
            format!("write `{text}` without quotes")
        }
        _ => String::new(),
    }
}

/// The most similar of the known names, if one is similar.
pub(super) fn suggest(name: &str, known: &[&str]) -> Option<String> {
    let distance = |other: &str| strsim::damerau_levenshtein(&plain(name), &plain(other));
    let nearest = known.iter().min_by_key(|other| distance(other))?;
    let tolerance = name
        .chars()
        .count()
        .max(nearest.chars().count())
        .div_ceil(3)
        .min(3);
    (distance(nearest) <= tolerance).then(|| format!("did you mean `{nearest}`?"))
}

/// A name without the differences that only its spelling makes.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// Names for a message.
pub(super) fn list_of(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
