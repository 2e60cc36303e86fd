//! `SHA256SUMS`, as `sha256sum` writes it and `sha256sum -c` reads it
//! (<https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html>).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

/// SHA-256 (lower-case hex) by path (relative, with `/`), sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(pub BTreeMap<String, String>);

impl Sums {
    /// The file's text: a line for each file, its hash, two spaces, its path. If a path holds a
    /// backslash or a line end, the line begins with a backslash and they are escaped.
    pub fn to_text(&self) -> String {
        let line = |(path, hash): (&String, &String)| {
            if path.contains(['\\', '\n', '\r']) {
                let path = path
                    .replace('\\', "\\\\")
                    .replace('\n', "\\n")
                    .replace('\r', "\\r");
                format!("\\{hash}  {path}\n")
            } else {
                format!("{hash}  {path}\n")
            }
        };
        self.0.iter().map(line).collect()
    }

    /// Reads the text; both of sha256sum's modes (two spaces, space and star) are the same here.
    ///
    /// # Errors
    /// When a line is not of the form, or a path comes twice; the error names the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut sums = BTreeMap::new();
        for (number, line) in text.split_terminator('\n').enumerate() {
            let (path, hash) = parse_line(line).with_context(|| format!("line {}", number + 1))?;
            let twice = sums.insert(path.clone(), hash).is_some();
            ensure!(!twice, "line {}: `{path}` comes twice", number + 1);
        }
        Ok(Self(sums))
    }
}

/// Whether it is 64 lower-case hex digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse_line(line: &str) -> Result<(String, String)> {
    let (escaped, line) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let form = "expected 64 hex digits, two spaces and a path";
    let (hash, rest) = line.split_at_checked(64).context(form)?;
    let hash = hash.to_ascii_lowercase();
    let path = rest
        .strip_prefix("  ")
        .or_else(|| rest.strip_prefix(" *"))
        .context(form)?;
    ensure!(is_sha256(&hash) && !path.is_empty(), form);
    Ok((
        if escaped {
            unescape(path)?
        } else {
            path.to_owned()
        },
        hash,
    ))
}

fn unescape(path: &str) -> Result<String> {
    let mut plain = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        plain.push(match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('\\')) => '\\',
            ('\\', Some('n')) => '\n',
            ('\\', Some('r')) => '\r',
            ('\\', _) => bail!("unknown escape in `{path}`"),
            (other, _) => other,
        });
    }
    Ok(plain)
}
