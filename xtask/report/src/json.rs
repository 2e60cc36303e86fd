//! For programs: each event is one line of JSON.

use super::{Out, write_lines};
use xtask_engine::event::{Reporter, Stamped};

/// Writes each event as one line and flushes it, so that a reader can follow the run.
pub(super) struct Json {
    out: Out,
}

impl Json {
    pub(super) fn new(out: Out) -> Self {
        Self { out }
    }
}

impl Reporter for Json {
    fn report(&mut self, event: &Stamped) {
        // Only strings, numbers and paths: the one thing that JSON cannot hold is a path that is
        // not Unicode, and a run is not ended for the sake of showing it.
        if let Ok(line) = serde_json::to_string(event) {
            write_lines(&mut self.out, &[line]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, Captured};
    use expect_test::expect;

    fn shown(events: &[Stamped]) -> String {
        let captured = Captured::default();
        let mut json = Json::new(captured.without_colour());
        events.iter().for_each(|event| json.report(event));
        captured.text()
    }

    #[test]
    fn an_event_is_a_line() {
        expect![[r#"
            {"at":"2026-03-01T11:09:00.000Z","event":"run-started","command":"cargo xtask dist","target":"linux","steps":["app","sidecar"],"jobs":2,"logs":"/repo/target/dist/linux/logs"}
            {"at":"2026-03-01T11:09:01.000Z","event":"step-started","step":"app","why":"new","log":"/repo/target/dist/linux/logs/app.log"}
            {"at":"2026-03-01T11:09:02.000Z","event":"step-started","step":"sidecar","why":"nuitka 2.8.1 -> 2.8.4","log":"/repo/target/dist/linux/logs/sidecar.log"}
            {"at":"2026-03-01T11:09:03.000Z","event":"command-started","step":"app","command":"cargo build"}
            {"at":"2026-03-01T11:09:04.000Z","event":"command-started","step":"sidecar","command":"python -m nuitka"}
            {"at":"2026-03-01T11:09:05.000Z","event":"command-output","step":"sidecar","line":"::error::not an order"}
            {"at":"2026-03-01T11:09:06.000Z","event":"command-output","step":"app","line":"Compiling notes v0.1.0"}
            {"at":"2026-03-01T11:09:07.000Z","event":"step-finished","step":"sidecar","seconds":61.0,"artifacts":1,"bytes":84000000,"changed":true}
            {"at":"2026-03-01T11:09:08.000Z","event":"step-finished","step":"app","seconds":62.0,"artifacts":1,"bytes":9100000,"changed":true}
            {"at":"2026-03-01T11:09:09.000Z","event":"run-finished","ok":true,"seconds":62.1,"next":"cargo xtask verify"}
        "#]].assert_eq(&shown(&fixtures::side_by_side()));
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let events = fixtures::failing();
        let text = shown(&events);
        let read: Vec<Stamped> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, events);
    }
}
