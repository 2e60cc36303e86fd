//! The lines on the sidecar's standard streams.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many characters of a line that is garbage the user gets to see.
const SHOWN: usize = 200;

/// One line that a sidecar wrote to its standard output.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// The first sign of life, with the sidecar's own version.
    Boot(Option<String>),
    /// Requests are answered from now on.
    Ready,
    /// The last line of an orderly end.
    Shutdown,
    /// The answer to a request.
    Answer(u64, Result<Value, String>),
    /// Nothing to act on: an empty line, or JSON from a sidecar that has more to say.
    Other,
    /// Not of this protocol, such as a library that prints: the beginning of the line.
    Garbage(String),
}

#[derive(Serialize)]
struct Request<'a> {
    id: u64,
    method: &'a str,
    params: &'a Value,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    result: Option<Value>,
    error: Option<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    message: String,
}

impl Line {
    pub(crate) fn parse(line: &str) -> Self {
        let line = line.trim_end();
        if line == "READY" {
            return Self::Ready;
        }
        match line.split(' ').next() {
            Some("BOOT") => return Self::Boot(field(line, "version").map(str::to_owned)),
            Some("SHUTDOWN") => return Self::Shutdown,
            _ => {}
        }
        match serde_json::from_str::<Answer>(line) {
            Ok(Answer { id, error: Some(complaint), .. }) => {
                Self::Answer(id, Err(complaint.message))
            }
            Ok(Answer { id, result, .. }) => Self::Answer(id, Ok(result.unwrap_or_default())),
            Err(_) if line.is_empty() || serde_json::from_str::<Value>(line).is_ok() => Self::Other,
            Err(_) => Self::Garbage(line.chars().take(SHOWN).collect()),
        }
    }
}

/// A request as one line, with its line break.
pub(crate) fn request(id: u64, method: &str, params: &Value) -> String {
    let mut line = serde_json::to_string(&Request { id, method, params })
        .expect("numbers, strings and JSON values serialize");
    line.push('\n');
    line
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines() {
        let check = |text: &str, line| assert_eq!(Line::parse(text), line, "{text:?}");
        check("BOOT sidecar=x version=0.1.0", Line::Boot(Some("0.1.0".into())));
        check("BOOT", Line::Boot(None));
        check("READY", Line::Ready);
        check("READY\r\n", Line::Ready);
        check("READY now", Line::Garbage("READY now".into()));
        check(" READY", Line::Garbage(" READY".into()));
        check("SHUTDOWN reason=stdin-eof", Line::Shutdown);
        check("", Line::Other);
        check("[1]", Line::Other);
        check(&"x".repeat(1000), Line::Garbage("x".repeat(200)));
        check(r#"{"id":3,"resul"#, Line::Garbage(r#"{"id":3,"resul"#.into()));
        check(r#"{"id":3,"result":{"a":1}}"#, Line::Answer(3, Ok(json!({"a": 1}))));
        check(r#"{"id":3,"result":null}"#, Line::Answer(3, Ok(Value::Null)));
        check(r#"{"id":4,"error":{"message":"no"}}"#, Line::Answer(4, Err("no".into())));
        check(r#"{"id":null,"error":{"message":"no"}}"#, Line::Other);
    }

    #[test]
    fn a_request_is_one_line() {
        let line = request(1, "analyze", &json!({"path": "a\nb"}));
        assert_eq!(line, "{\"id\":1,\"method\":\"analyze\",\"params\":{\"path\":\"a\\nb\"}}\n");
    }
}
