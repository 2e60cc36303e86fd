//! YAML as the workflows have it: maps, lists and texts, with comments. Texts are quoted wherever they
//! could mean something else, so that no path or name of a repository can break a file.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A number or a boolean.
    Plain(String),
    /// A text of one line.
    Text(String),
    /// A text, and a comment behind it.
    Noted(String, String),
    /// Texts, in one line.
    Flow(Vec<String>),
    /// Texts, a line each.
    Names(Vec<String>),
    /// A text of several lines.
    Lines(Vec<String>),
    /// A text of one line, shown in several.
    Folded(Vec<String>),
    /// A map.
    Map(Map),
    /// Maps, each with a comment above it, or none.
    List(Vec<(String, Map)>),
}

/// A map whose keys keep their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Comments above it.
    why: String,
    key: String,
    value: Yaml,
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(it: bool) -> Self {
        Self::Plain(it.to_string())
    }
}

impl From<u64> for Yaml {
    fn from(it: u64) -> Self {
        Self::Plain(it.to_string())
    }
}

impl From<Map> for Yaml {
    fn from(it: Map) -> Self {
        Self::Map(it)
    }
}

impl Map {
    /// With one more key.
    pub(super) fn put(self, key: &str, value: impl Into<Yaml>) -> Self {
        self.explained("", key, value)
    }

    /// With one more key, if there is a value.
    pub(super) fn maybe(self, key: &str, value: Option<impl Into<Yaml>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// With one more key below comments.
    pub(super) fn explained(mut self, why: &str, key: &str, value: impl Into<Yaml>) -> Self {
        self.0.push(Entry {
            why: why.to_owned(),
            key: key.to_owned(),
            value: value.into(),
        });
        self
    }

    /// With one more key in the map `outer`, which is made where it is not there.
    pub(super) fn put_in(mut self, outer: &str, key: &str, value: impl Into<Yaml>) -> Self {
        let place = self.0.iter_mut().find(|it| it.key == outer);
        if let Some(Entry {
            value: Yaml::Map(inner),
            ..
        }) = place
        {
            *inner = std::mem::take(inner).put(key, value);
            return self;
        }
        self.put(outer, Self::default().put(key, value))
    }

    /// With its keys in this order.
    pub(super) fn sorted(mut self, order: &[&str]) -> Self {
        let place = |it: &Entry| order.iter().position(|name| *name == it.key);
        self.0.sort_by_key(|it| place(it).unwrap_or(order.len()));
        self
    }

    /// The text of a file. The parts that `apart` names have an empty line
    /// before them; jobs and steps have one between them.
    pub(super) fn file(&self, apart: &[&str]) -> String {
        let mut text = String::new();
        for (at, entry) in self.0.iter().enumerate() {
            if at > 0 && apart.contains(&&*entry.key) {
                text.push('\n');
            }
            entry.write(&mut text, 0);
        }
        text
    }

    fn write(&self, text: &mut String, indent: usize, apart: bool) {
        for (at, entry) in self.0.iter().enumerate() {
            if apart && at > 0 {
                text.push('\n');
            }
            entry.write(text, indent);
        }
    }
}

impl Entry {
    fn write(&self, text: &mut String, indent: usize) {
        let space = " ".repeat(indent);
        comments(text, &space, &self.why);
        *text += &format!("{space}{}:", name(&self.key));
        let list = |text: &mut String, head: &str, lines: &[String], of: fn(&str) -> String| {
            *text += &format!("{head}\n");
            for it in lines {
                *text += &format!("{space}  {}\n", of(it));
            }
        };
        match &self.value {
            Yaml::Plain(it) => *text += &format!(" {it}\n"),
            Yaml::Text(it) => *text += &format!(" {}\n", scalar(it)),
            Yaml::Noted(it, note) => *text += &format!(" {} # {note}\n", scalar(it)),
            Yaml::Flow(all) => {
                let all: Vec<String> = all.iter().map(|it| quoted(it)).collect();
                *text += &format!(" [{}]\n", all.join(", "));
            }
            Yaml::Names(all) => list(text, "", all, |it| format!("- {}", scalar(it))),
            Yaml::Lines(all) => list(text, " |", all, str::to_owned),
            Yaml::Folded(all) => list(text, " >-", all, str::to_owned),
            Yaml::Map(map) if map.0.is_empty() => *text += " {}\n",
            Yaml::Map(map) => {
                text.push('\n');
                map.write(text, indent + 2, self.key == "jobs");
            }
            Yaml::List(all) => {
                text.push('\n');
                items(text, indent + 2, all, self.key == "steps");
            }
        }
    }
}

fn items(text: &mut String, indent: usize, all: &[(String, Map)], apart: bool) {
    let space = " ".repeat(indent);
    for (at, (why, map)) in all.iter().enumerate() {
        if apart && at > 0 {
            text.push('\n');
        }
        comments(text, &space, why);
        let mut item = String::new();
        map.write(&mut item, indent + 2, false);
        *text += &format!("{space}- {}", item.trim_start());
    }
}

fn comments(text: &mut String, space: &str, why: &str) {
    for line in why.lines() {
        *text += &format!("{space}# {line}\n");
    }
}

fn name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match !key.is_empty() && key.chars().all(plain) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

/// A text as it is where that is safe. What could be a number, a date or a boolean is quoted.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = |c: char| c.is_ascii_alphabetic() || "/_".contains(c);
    let begins = ["./", "~/", "${{"].iter().any(|it| text.starts_with(it));
    let odd = |c: char| !(' '..='~').contains(&c);
    let safe = (text.starts_with(first) || begins)
        && !text.contains(odd)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !WORDS.contains(&&*text.to_ascii_lowercase());
    match safe {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// In double quotes: a text of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let check = |text: &str, expected: &str| assert_eq!(scalar(text), expected);
        check("cargo xtask test --setup", "cargo xtask test --setup");
        check("${{ matrix.target }}", "${{ matrix.target }}");
        check("~/.cargo/git/db", "~/.cargo/git/db");
        for text in [
            "",
            "22",
            "1.20",
            "2026-01-01",
            "~",
            "On",
            "*.lock",
            "- a",
            "a: b",
            "a #b",
            "a:",
            "!x",
            ".5",
            "[a]",
            "{a}",
            "&a",
            "@a",
            "'a'",
            " a",
            "a ",
        ] {
            check(text, &format!("\"{text}\""));
        }
        check("a\nb", r#""a\nb""#);
        check("\"a\\", r#""\"a\\""#);
        check("ä", "\"ä\"");
    }

    #[test]
    fn each_form_of_a_value() {
        let step = Map::default()
            .put("uses", Yaml::Noted("a/b@1".into(), "v1".into()))
            .put_in("with", "path", Yaml::Lines(vec!["a".into(), "b: c".into()]))
            .put_in("with", "fetch", false);
        let job = Map::default()
            .explained("Of others.", "needs", Yaml::Names(vec!["x".into()]))
            .put("permissions", Map::default())
            .put(
                "steps",
                Yaml::List(vec![("Why.".into(), step.clone()), (String::new(), step)]),
            );
        let file = Map::default()
            .put("tags", Yaml::Flow(vec!["v*".into()]))
            .put("jobs", Map::default().put("a", job));
        expect_test::expect![[r#"
            tags: ["v*"]

            jobs:
              a:
                # Of others.
                needs:
                  - x
                permissions: {}
                steps:
                  # Why.
                  - uses: a/b@1 # v1
                    with:
                      path: |
                        a
                        b: c
                      fetch: false

                  - uses: a/b@1 # v1
                    with:
                      path: |
                        a
                        b: c
                      fetch: false
        "#]]
        .assert_eq(&file.file(&["jobs"]));
    }
}
