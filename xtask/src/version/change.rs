//! Another version in all places: the new texts, made and checked before anything is written.

use anyhow::{Context as _, Result, ensure};
use semver::Version;

use super::{
    leaf::Source,
    places::{Found, Place},
};
use crate::changes::Change;

/// The texts of all files that must change to say a version, in the order of their places.
///
/// # Errors
/// A place cannot say it, or a new text would differ in more than that.
pub fn changes(found: &Found, version: &Version) -> Result<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    for place in &found.places {
        if changes.iter().any(|it| it.path == place.path) {
            continue;
        }
        let source = &found.files[&place.path];
        let here = found.places.iter().filter(|it| it.path == place.path);
        let after = changed(source, &here.collect::<Vec<_>>(), version)?;
        if after != source.text {
            changes.push(Change {
                path: place.path.clone(),
                file: place.file.clone(),
                before: Some(source.text.clone()),
                after,
            });
        }
    }
    Ok(changes)
}

fn changed(source: &Source, places: &[&Place], version: &Version) -> Result<String> {
    let mut places = places.to_owned();
    places.sort_by_key(|it| it.span.start);
    let mut text = source.text.clone();
    // From the end, so that what stands before stays where it is.
    for place in places.iter().rev() {
        let new = place.saying(version)?;
        if new != place.text {
            text.replace_range(place.span.clone(), &source.quoted(&place.span, &new));
        }
    }
    check(source, &text, &places, version)
        .with_context(|| format!("{} was not changed", places[0].file))?;
    Ok(text)
}

/// Holds a new text against the old one: every place says the version, and nothing else differs.
fn check(source: &Source, text: &str, places: &[&Place], version: &Version) -> Result<()> {
    let new = Source::parse(text.to_owned(), source.syntax)?;
    let keys = |it: &Source| {
        it.leaves
            .iter()
            .map(|it| it.keys.clone())
            .collect::<Vec<_>>()
    };
    ensure!(
        keys(&new) == keys(source),
        "the new text would have other keys"
    );
    for (old, new) in source.leaves.iter().zip(&new.leaves) {
        let place = places.iter().find(|it| it.span == old.span);
        let expected = match place {
            Some(place) => place.saying(version)?,
            None => old.text.clone(),
        };
        ensure!(
            new.text == expected,
            "`{}` would become {:?} instead of {expected:?}",
            old.keys.join("."),
            new.text
        );
        let said = place.is_none_or(|it| {
            let text = new.text.clone();
            Place {
                text,
                ..(*it).clone()
            }
            .says(version)
        });
        ensure!(said, "`{}` would not say {version}", old.keys.join("."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, ops::Range, path::PathBuf, rc::Rc};

    use super::*;
    use crate::version::{leaf::Syntax, places::Form};

    /// A file in which the version stands at these bytes, as far as anybody knows.
    fn found(text: &str, span: Range<usize>) -> Found {
        let path = PathBuf::from("/a.json");
        let source = Source::parse(text.to_owned(), Syntax::Json).unwrap();
        Found {
            version: Version::new(1, 0, 0),
            places: vec![Place {
                file: "a.json".to_owned(),
                line: 1,
                key: "version".to_owned(),
                text: "1.0.0".to_owned(),
                form: Form::Semver,
                path: path.clone(),
                span,
            }],
            remarks: Vec::new(),
            wix_version: None,
            files: BTreeMap::from([(path, Rc::new(source))]),
        }
    }

    /// A mistake in the reading of a file must not become one in the file.
    #[test]
    fn a_text_that_differs_in_more_is_refused() {
        let text = r#"{"version": "1.0.0", "other": "1.0.0"}"#;
        let check = |span, expected: Result<&str, &str>| {
            let changes = changes(&found(text, span), &Version::new(2, 0, 0));
            let outcome = changes.map_err(|it| it.root_cause().to_string());
            let after = outcome.map(|it| it[0].after.clone());
            assert_eq!(after.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check(12..19, Ok(r#"{"version": "2.0.0", "other": "1.0.0"}"#));
        check(12..18, Err("line 1: Unexpected token"));
        check(1..10, Err("the new text would have other keys"));
        check(12..37, Err("the new text would have other keys"));
    }
}
