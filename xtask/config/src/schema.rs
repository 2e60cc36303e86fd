//! The JSON schema of the raw types, read for what the check and the reference need of it.

use serde_json::Value;

/// The schema, generated from the raw types by a test: `UPDATE_EXPECT=1 cargo test -p xtask-config`.
/// Generating it at run time would cost the build of every user several crates and a derive for
/// each type.
const SCHEMA: &str = include_str!("schema.json");

/// The schema of the whole file, without references.
pub(super) fn dist() -> Value {
    serde_json::from_str(SCHEMA).expect("a test wrote the schema")
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Number,
    List,
    Table,
}

impl Kind {
    /// As a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Boolean => "`true` or `false`",
            Self::Number => "a whole number",
            Self::List => "an array",
            Self::Table => "a table",
        }
    }
}

/// A schema without its "or null", which stands for a key that is left out.
pub(super) fn given(schema: &Value) -> &Value {
    let choices = schema["anyOf"].as_array();
    choices
        .and_then(|all| all.iter().find(|one| one["type"] != "null"))
        .unwrap_or(schema)
}

/// What kind of value the schema describes.
pub(super) fn kind(schema: &Value) -> Kind {
    let schema = given(schema);
    let is = |name: &str| match &schema["type"] {
        Value::Array(all) => all.iter().any(|one| one == name),
        one => one == name,
    };
    match () {
        () if is("array") => Kind::List,
        () if is("object") => Kind::Table,
        () if is("boolean") => Kind::Boolean,
        () if is("integer") => Kind::Number,
        () => Kind::Text,
    }
}

/// The keys of a table with their schemas.
pub(super) fn keys(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let keys = given(schema)["properties"].as_object();
    keys.into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// The keys that a table must have.
pub(super) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    given(schema)["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The only values that a string may have; none if it is free.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let schema = given(schema);
    let documented = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["const"]);
    let plain = schema["enum"].as_array().into_iter().flatten();
    documented.chain(plain).filter_map(Value::as_str).collect()
}

/// The schema as the types have it.
#[cfg(test)]
pub(super) mod generated {
    use schemars::Schema;
    use schemars::generate::SchemaSettings;
    use schemars::transform::RecursiveTransform;
    use serde_json::Value;

    use crate::raw::Dist;

    pub fn dist() -> Value {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .with_transform(RecursiveTransform(form_of_items));
        settings
            .into_generator()
            .into_root_schema_for::<Dist>()
            .to_value()
    }

    /// Moves the form that a list's field names to its items.
    fn form_of_items(schema: &mut Schema) {
        if schema.get("items").is_some()
            && let Some(form) = schema.remove("x-form")
            && let Some(Value::Object(items)) = schema.get_mut("items")
        {
            items.insert("x-form".to_owned(), form);
        }
    }

    /// Takes the descriptions away: most of the text, which every run would read for nothing.
    fn without_prose(schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                // As a name of a property it has a schema, not a text.
                map.retain(|key, value| key != "description" || !value.is_string());
                map.retain(|key, _| key != "x-default");
                map.values_mut().for_each(without_prose);
            }
            Value::Array(items) => items.iter_mut().for_each(without_prose),
            _ => {}
        }
    }

    #[test]
    fn the_file_is_the_types() {
        let mut schema = dist();
        without_prose(&mut schema);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        expect_test::expect_file!["schema.json"].assert_eq(&text);
    }
}
