//! BER (X.690) as far as signatures have it: Apple's own tools leave the lengths of the outermost parts
//! open, and mark their ends instead. DER knows no such thing.

use anyhow::{Context as _, Result, ensure};

/// More parts within each other than any message has.
const DEEPEST: usize = 16;
/// A length that is not said.
const OPEN: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
/// OCTET STRING, in several pieces.
const PIECES: u8 = 0x24;

/// The first element, with lengths wherever they were left open. What has one stays as it is. Gives what
/// follows it, too.
///
/// # Errors
/// It is cut off, or of another form.
pub(crate) fn with_lengths(bytes: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    element(bytes, 0)
}

fn element(bytes: &[u8], depth: usize) -> Result<(Vec<u8>, &[u8])> {
    ensure!(depth < DEEPEST, "it is too deep");
    let [tag, length, ..] = *bytes else {
        anyhow::bail!("it is cut off");
    };
    if length != OPEN {
        let size = 2 + usize::from(length & 0x7f) * usize::from(length > OPEN);
        let said = bytes.get(2..size).context("it is cut off")?;
        ensure!(said.len() <= 4, "it is too large");
        let content = match said {
            [] => usize::from(length),
            _ => said.iter().fold(0, |all, it| all << 8 | usize::from(*it)),
        };
        let end = size.checked_add(content).context("it is too large")?;
        let whole = bytes.get(..end).context("it is cut off")?;
        return Ok((whole.to_owned(), &bytes[end..]));
    }
    ensure!(
        tag & CONSTRUCTED != 0 && tag & 0x1f != 0x1f,
        "it has no end"
    );
    let (mut content, mut rest) = (Vec::new(), &bytes[2..]);
    while !rest.starts_with(&[0, 0]) {
        let (inner, after) = element(rest, depth + 1)?;
        content.extend(match tag {
            PIECES => content_of(&inner)?,
            _ => &inner,
        });
        rest = after;
    }
    let tag = if tag == PIECES { 0x04 } else { tag };
    Ok((joined(tag, &content), &rest[2..]))
}

/// Of a primitive OCTET STRING.
fn content_of(piece: &[u8]) -> Result<&[u8]> {
    let [0x04, length, ..] = *piece else {
        anyhow::bail!("a piece of another kind");
    };
    let size = 2 + usize::from(length & 0x7f) * usize::from(length > OPEN);
    piece.get(size..).context("it is cut off")
}

fn joined(tag: u8, content: &[u8]) -> Vec<u8> {
    let size = content.len().to_be_bytes();
    let digits = &size[size.iter().take_while(|it| **it == 0).count()..];
    match content.len() {
        0..0x80 => [&[tag, content.len() as u8], content].concat(),
        _ => [&[tag, OPEN | digits.len() as u8], digits, content].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_open_gets_a_length() {
        let check = |bytes: &[u8], expected: &[u8], rest: &[u8]| {
            assert_eq!(
                with_lengths(bytes).unwrap(),
                (expected.to_owned(), rest),
                "{bytes:x?}"
            );
        };
        check(&[0x30, 3, 2, 1, 5, 9], &[0x30, 3, 2, 1, 5], &[9]);
        check(&[0x30, 0x80, 2, 1, 5, 0, 0, 9], &[0x30, 3, 2, 1, 5], &[9]);
        let nested = [0xa0, 0x80, 0x30, 0x80, 2, 1, 5, 0, 0, 0, 0];
        check(&nested, &[0xa0, 5, 0x30, 3, 2, 1, 5], &[]);
        let pieces = [0x24, 0x80, 4, 1, 7, 4, 2, 8, 9, 0, 0];
        check(&pieces, &[4, 3, 7, 8, 9], &[]);
        let long = [&[0x30, 0x80, 4, 0x81, 0x80][..], &[1; 0x80], &[0, 0]].concat();
        let expected = [&[0x30, 0x81, 0x83, 4, 0x81, 0x80][..], &[1; 0x80]].concat();
        check(&long, &expected, &[]);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let check = |bytes: &[u8], expected: &str| {
            let error = with_lengths(bytes).unwrap_err().to_string();
            assert_eq!(error, expected, "{bytes:x?}");
        };
        check(&[], "it is cut off");
        check(&[0x30], "it is cut off");
        check(&[0x30, 5, 0], "it is cut off");
        check(&[0x30, 0x82, 1], "it is cut off");
        check(&[0x30, 0x85, 1, 1, 1, 1, 1], "it is too large");
        check(&[0x30, 0x80, 2, 1, 5], "it is cut off");
        check(&[0x04, 0x80, 0, 0], "it has no end");
        check(&[0x24, 0x80, 2, 1, 5, 0, 0], "a piece of another kind");
        check(&[0x30, 0x80].repeat(100), "it is too deep");
    }
}
