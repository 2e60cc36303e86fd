//! Values that must never reach an argument list, a log, an event, the journal or a fingerprint.

mod forms;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use xtask_walk::contains;

/// Shorter values would mask harmless text everywhere, and are no secret.
const SHORTEST: usize = 4;

/// What stands where a secret was.
pub(super) const MASK: &str = "***";

/// A password or a private key. Its `Debug` is masked and it has no `Serialize`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps the value; hand it to [`Redactor::add`] before any process can print it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one tool that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value and every other way of writing it that [`Redactor`] masks: what a search for
    /// leaks must look for.
    pub fn forms(&self) -> Vec<String> {
        let mut all = Vec::new();
        let lines = self.0.lines().map(str::trim);
        // The whole of it, too: a key file in base64 has other text than its lines.
        for value in lines.chain([&*self.0]) {
            if value.len() >= SHORTEST {
                all.extend(forms::of(value));
            }
        }
        all.sort();
        all.dedup();
        // A secret that contains another must be masked first, or its rest would show.
        all.sort_by_key(|it| std::cmp::Reverse(it.len()));
        all
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Masks every known secret in text, also in base64 and as a URL writes it. Clones share what they
/// know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl Redactor {
    /// Masks this value from now on; of a value with several lines, each line.
    pub fn add(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in secret.forms() {
            if !known.contains(&form) {
                known.push(form);
            }
        }
        known.sort_by_key(|it| std::cmp::Reverse(it.len()));
    }

    /// The text with `***` in the place of each secret.
    pub fn redact(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in known.iter() {
            // A key with its forms is hundreds of texts, and every line of output passes here:
            // this search is compiled to be fast.
            if contains(text.as_bytes(), secret.as_bytes()) {
                text = text.replace(secret, MASK);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_each_line_and_the_longest_first() {
        let redactor = Redactor::default();
        redactor.add(&Secret::new("hunter"));
        redactor.add(&Secret::new("hunter22\nsecond line\n\nab"));
        let masked = redactor.redact("a hunter22 b second line c hunter d ab");
        assert_eq!(masked, "a *** b *** c *** d ab");
        assert_eq!(format!("{:?}", Secret::new("hunter22")), "Secret(***)");
    }

    #[test]
    fn masks_what_a_tool_made_of_it() {
        let check = |secret: &str, text: &str, expected: &str| {
            let redactor = Redactor::default();
            redactor.add(&Secret::new(secret));
            assert_eq!(redactor.redact(text), expected, "{secret}");
        };
        let pass = "pass?>wörd/ ~1";
        check(pass, "x cGFzcz8+d8O2cmQvIH4x x", "x *** x");
        check(pass, "x cGFzcz8-d8O2cmQvIH4x x", "x *** x");
        check("hunter22", "x aHVudGVyMjI= aHVudGVyMjI x", "x *** *** x");
        // `me:hunter22` and the like, as a header of HTTP has it. What is left holds no more than
        // four bits of the secret at each end.
        check("hunter22", "Basic bWU6aHVudGVyMjI=", "Basic bWU6***");
        check("hunter22", "Basic eW91Omh1bnRlcjIy", "Basic eW91Om***");
        check("hunter22", "Basic bWVlOmh1bnRlcjIy", "Basic bWVlOm***");
        check(pass, "x?p=pass%3F%3Ew%C3%B6rd%2F%20~1", "x?p=***");
        check(pass, "x?p=pass%3f%3ew%c3%b6rd%2f%20~1", "x?p=***");
        check(pass, "x?p=pass%3F%3Ew%C3%B6rd%2F+%7E1", "x?p=***");
        check(pass, "x?p=pass%3F%3Ew%C3%B6rd/%20~1", "x?p=***");
        check(
            pass,
            "706173733f3e77c3b6726. 706173733f3e77c3b672642f207e31",
            "706173733f3e77c3b6726. ***",
        );
        check("hunter22", "x h\0u\0n\0t\0e\0r\x002\x002\0 x", "x *** x");
        // As shells and programs quote it that print their environment.
        let odd = r#"it's "$1" \ ü"#;
        check(odd, r#"export A='it'\''s "$1" \ ü'"#, "export A='***'");
        check(odd, r#"export A='it'"'"'s "$1" \ ü'"#, "export A='***'");
        check(
            odd,
            r#"declare -x A="it's \"\$1\" \\ ü""#,
            r#"declare -x A="***""#,
        );
        check(odd, r#"{'A': 'it\'s "$1" \\ ü'}"#, "{'A': '***'}");
        check(odd, r#"{"A": "it's \"$1\" \\ ü"}"#, r#"{"A": "***"}"#);
        check(odd, r#"{"A": "it's \"$1\" \\ \u00fc"}"#, r#"{"A": "***"}"#);
        check("a\nlong key\n", "YQpsb25nIGtleQo=", "***");
        // What is short enough to be there by chance stays.
        check("abcd", "YWJjZA YWJjZA==", "YWJjZA ***");
    }
}
