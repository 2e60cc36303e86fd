//! How many tests passed, in the words of each test runner.

use std::fmt;

/// Tests, or checks where a part has no tests of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// The runners' own summaries.
    said: Vec<String>,
}

impl Tally {
    /// One check went well.
    pub(super) fn check(&mut self) {
        self.passed += 1;
    }

    /// Adds the counts of another part.
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts what test runners printed, line by line.
    pub(super) fn read(&mut self, output: &str) {
        for line in output.lines() {
            let Some(counts) = summary(line) else {
                continue;
            };
            self.passed += before(counts, "passed");
            self.failed +=
                before(counts, "failed") + before(counts, "error") + before(counts, "errors");
            self.said.push(counts.to_owned());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said[..] {
            // Nothing that anyone counted: a formatter is content or not.
            [] if self.passed + self.failed == 1 => f.write_str("1 check"),
            [] => write!(f, "{} checks", self.passed + self.failed),
            [one] => f.write_str(one),
            _ => write!(f, "{} passed, {} failed", self.passed, self.failed),
        }
    }
}

/// The counts, if the line is a test runner's summary.
fn summary(line: &str) -> Option<&str> {
    let line = line.trim();
    // cargo-nextest: `Summary [   0.31s] 12 tests run: 11 passed, 1 failed, 3 skipped`
    if let Some(rest) = line.strip_prefix("Summary [") {
        return Some(rest.split_once(']')?.1.trim());
    }
    // cargo test: `test result: ok. 3 passed; 0 failed; …`
    if let Some(rest) = line.strip_prefix("test result: ") {
        return Some(rest.split_once(". ")?.1);
    }
    // vitest: `Tests  1 failed | 22 passed (23)`; jest: `Tests:       1 failed, 2 passed, 3 total`
    if let Some(rest) = line.strip_prefix("Tests:").or(line.strip_prefix("Tests ")) {
        let rest = rest.trim();
        return rest
            .starts_with(|it: char| it.is_ascii_digit())
            .then_some(rest);
    }
    // pytest: `1 failed, 39 passed in 2.31s`, framed with `=` unless it is quiet
    let bare = line.trim_matches(|it| it == '=' || it == ' ');
    let (counts, time) = bare.rsplit_once(" in ")?;
    let time = time.split(' ').next()?.strip_suffix('s')?;
    let is_summary = time.parse::<f64>().is_ok()
        && counts.split(", ").all(|it| {
            it.split_once(' ')
                .is_some_and(|(n, _)| n.parse::<usize>().is_ok())
        });
    is_summary.then_some(bare)
}

/// The number before a word.
fn before(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts
        .split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
        .collect();
    let pair = words.windows(2).find(|it| it[1] == word);
    pair.and_then(|it| it[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, passed: usize, failed: usize) {
        let mut tally = Tally::default();
        tally.read(line);
        assert_eq!((tally.passed, tally.failed), (passed, failed), "{line}");
    }

    #[test]
    fn each_runner_is_understood() {
        check(
            "     Summary [   5.211s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped",
            11,
            1,
        );
        check(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.0s",
            3,
            0,
        );
        check("test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2);
        check("      Tests  1 failed | 22 passed (23)", 22, 1);
        check("Tests:       1 failed, 2 passed, 3 total", 2, 1);
        check("1 failed, 39 passed in 2.31s", 39, 1);
        check(
            "========= 40 passed, 1 skipped in 62.10s (0:01:02) =========",
            40,
            0,
        );
        check("2 errors in 0.50s", 0, 2);
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in [
            " Test Files  3 passed (3)",
            "FAIL tests/a.rs: 3 passed",
            "running 3 tests",
            "built in 2.0s",
            "the rest passed in 2.0s",
            "Tests are run by vitest",
        ] {
            check(line, 0, 0);
        }
    }
}
