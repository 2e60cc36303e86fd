//! What a `.spec` file does, statement by statement.

use std::collections::{BTreeMap, BTreeSet};

use crate::init::literal::{Statement, Value, source};

/// What the names of a file stand for: all that was assigned and added to them.
pub(super) type Names = BTreeMap<String, Vec<Value>>;

/// A call of one of PyInstaller's own classes.
pub(super) struct Made {
    pub(super) class: String,
    /// What it is called from there on.
    pub(super) variable: Option<String>,
    pub(super) line: usize,
    pub(super) call: Value,
}

/// A statement that changes what a name stands for, in a way that is not followed here.
pub(super) struct Change {
    pub(super) line: usize,
    pub(super) target: String,
    /// What is added; none if it is anything else.
    pub(super) added: Option<Value>,
    /// As it stands there.
    pub(super) text: String,
    pub(super) nested: bool,
}

/// What a file does.
#[derive(Default)]
pub(super) struct Source {
    pub(super) names: Names,
    made: Vec<Made>,
    pub(super) changes: Vec<Change>,
}

impl Source {
    pub(super) fn made(&self, class: &str) -> impl Iterator<Item = &Made> {
        self.made.iter().filter(move |it| it.class == class)
    }

    /// Whether an object of PyInstaller has this name, or is what this is an attribute of.
    pub(super) fn is_made(&self, name: &str) -> bool {
        let object = name.split('.').next();
        self.made.iter().any(|it| it.variable.as_deref() == object)
    }

    pub(super) fn take(&mut self, statement: Statement) {
        let Statement {
            line,
            name,
            adds,
            nested,
            value,
        } = statement;
        let (target, adds, value) = match (name, value) {
            (Some(name), value) => {
                let sign = if adds { "+=" } else { "=" };
                let text = format!("{name} {sign} {}", source(&value));
                if let Value::Call(class, ..) = &value {
                    self.call(class, Some(&name), line, &value);
                }
                (name, adds.then(|| value.clone()), (value, text))
            }
            (None, Value::Call(called, mut of, named)) => {
                let value = Value::Call(called.clone(), of.clone(), named);
                self.call(&called, None, line, &value);
                let Some((target, method)) = called.rsplit_once('.') else {
                    return;
                };
                let added = match (method, of.len()) {
                    ("append", 1) => Some(Value::List(of)),
                    ("extend", 1) => Some(of.remove(0)),
                    _ => None,
                };
                let text = source(&value);
                if added.is_none() {
                    self.change(line, target, None, text, nested);
                    return;
                }
                (target.to_owned(), added, (value, text))
            }
            (None, _) => return,
        };
        let (value, text) = value;
        let is_known = self.names.contains_key(&target);
        if self.is_made(&target) && target.contains('.') || nested && is_known {
            let added = adds.or_else(|| added_to(&target, &value));
            self.change(line, &target, added, text, nested);
        } else {
            self.set(target, adds, value);
        }
    }

    fn call(&mut self, class: &str, variable: Option<&str>, line: usize, call: &Value) {
        self.made.push(Made {
            class: class.to_owned(),
            variable: variable.map(str::to_owned),
            line,
            call: call.clone(),
        });
    }

    fn change(
        &mut self,
        line: usize,
        target: &str,
        added: Option<Value>,
        text: String,
        nested: bool,
    ) {
        self.changes.push(Change {
            line,
            target: target.to_owned(),
            added,
            text,
            nested,
        });
    }

    fn set(&mut self, name: String, added: Option<Value>, value: Value) {
        let own = |it: &Value| *it == Value::Name(name.clone());
        let adds = added.is_some();
        let mut value = match added.unwrap_or(value) {
            Value::Sum(parts) => parts,
            value => vec![value],
        };
        let adds = adds || value.iter().any(own);
        value.retain(|it| !own(it));
        let values = self.names.entry(name).or_default();
        if !adds {
            values.clear();
        }
        values.extend(value);
    }

    /// The names that a value is made of, and those that these are made of.
    pub(super) fn used(&self, value: &Value, all: &mut BTreeSet<String>) {
        match value {
            Value::List(parts) | Value::Sum(parts) => {
                parts.iter().for_each(|it| self.used(it, all))
            }
            Value::Call(_, parts, named) => {
                parts.iter().for_each(|it| self.used(it, all));
                named.iter().for_each(|it| self.used(&it.1, all));
            }
            Value::Name(name) if all.insert(name.clone()) => {
                let values = self.names.get(name).into_iter().flatten();
                values.for_each(|it| self.used(it, all));
            }
            _ => {}
        }
    }
}

/// What `a = a + more` adds.
fn added_to(name: &str, value: &Value) -> Option<Value> {
    let Value::Sum(parts) = value else {
        return None;
    };
    let own = |it: &Value| matches!(it, Value::Name(it) if it == name);
    let rest: Vec<Value> = parts.iter().filter(|it| !own(it)).cloned().collect();
    (rest.len() < parts.len()).then_some(Value::Sum(rest))
}
