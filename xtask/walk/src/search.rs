//! Looking for bytes in bytes: in this crate because it is compiled to be fast.

/// Whether `all` contains `part`.
pub fn contains(all: &[u8], part: &[u8]) -> bool {
    let Some((&first, _)) = part.split_first() else {
        return true;
    };
    let mut rest = all;
    while let Some(at) = rest.iter().position(|it| *it == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn at_every_place() {
        let check = |part: &str, expected: bool| {
            assert_eq!(contains(b"aab aaab", part.as_bytes()), expected, "{part}");
        };
        for part in ["", "a", "aab", "aaab", "b", "b a", "aab aaab"] {
            check(part, true);
        }
        for part in ["c", "aaaa", "bb", "aab aaab "] {
            check(part, false);
        }
    }
}
