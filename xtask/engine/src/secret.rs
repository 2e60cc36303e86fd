//! Values that must never reach an argument list, a log, an event, the journal or a fingerprint.

use std::{
    fmt,
    sync::{Arc, RwLock},
};

/// Shorter values would mask harmless text everywhere, and are no secret.
const SHORTEST: usize = 4;

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
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Masks every known secret in text. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl Redactor {
    /// Masks this value from now on; of a value with several lines, each line.
    pub fn add(&self, secret: &Secret) {
        let mut known = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for line in secret.expose().lines().map(str::trim) {
            if line.len() >= SHORTEST && !known.iter().any(|it| it == line) {
                known.push(line.to_owned());
            }
        }
        // A secret that contains another must be masked first, or its rest would show.
        known.sort_by_key(|it| std::cmp::Reverse(it.len()));
    }

    /// The text with `***` in the place of each secret.
    pub fn redact(&self, text: &str) -> String {
        let known = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        known
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
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
}
