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

    /// Counts what a test runner printed, line by line.
    pub(super) fn read(&mut self, runner: Runner, output: &str) {
        for counts in output.lines().filter_map(|it| runner.summary(it)) {
            let failed = ["failed", "error", "errors"].map(|it| before(counts, it));
            self.passed += before(counts, "passed");
            self.failed += failed.iter().sum::<usize>();
            self.said.push(counts.to_owned());
        }
    }
}

/// What runs tests. Each is asked for its own summary only: a test may well print another's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Runner {
    /// cargo-nextest.
    Nextest,
    /// `cargo test`; it sums up each executable on its own.
    Cargo,
    /// What a `test` script of `package.json` calls: vitest or jest.
    Script,
    /// pytest.
    Pytest,
}

impl Runner {
    /// The counts, if the line is a summary.
    fn summary(self, line: &str) -> Option<&str> {
        let line = line.trim();
        match self {
            // `Summary [   0.31s] 12 tests run: 11 passed, 1 failed, 3 skipped`
            Self::Nextest => Some(line.strip_prefix("Summary [")?.split_once(']')?.1.trim()),
            // `test result: ok. 3 passed; 0 failed; …`
            Self::Cargo => Some(line.strip_prefix("test result: ")?.split_once(". ")?.1),
            // `Tests  1 failed | 22 passed (23)`; `Tests:       1 failed, 2 passed, 3 total`
            Self::Script => {
                let rest = line
                    .strip_prefix("Tests:")
                    .or(line.strip_prefix("Tests "))?
                    .trim();
                rest.starts_with(|it: char| it.is_ascii_digit())
                    .then_some(rest)
            }
            Self::Pytest => pytest(line),
        }
    }

    /// The name of a test that failed, if the line names one.
    fn failure(self, line: &str) -> Option<&str> {
        let line = line.trim();
        match self {
            Self::Nextest => {
                let (state, name) = nextest(line)?;
                let is_bad = ["FAIL", "ABRT", "TIMEOUT"].contains(&state);
                (is_bad || state.starts_with("SIG")).then_some(name)
            }
            Self::Cargo => line.strip_prefix("test ")?.strip_suffix(" ... FAILED"),
            // `FAIL  src/file.test.ts > what it does`
            Self::Script => Some(line.strip_prefix("FAIL ")?.trim()),
            // `FAILED tests/test_it.py::test_name - assert …`
            Self::Pytest => Some(line.strip_prefix("FAILED ")?.split(" - ").next()?),
        }
    }

    /// The tests that failed, each once.
    pub(super) fn failures(self, output: &str) -> Vec<&str> {
        each_once(output.lines().filter_map(|it| self.failure(it)))
    }

    /// The tests that failed and then passed, each once.
    pub(super) fn flaky(self, output: &str) -> Vec<&str> {
        let found = output.lines().filter_map(|line| match self {
            Self::Nextest => nextest(line.trim()).filter(|it| it.0.starts_with("FLAKY")),
            Self::Cargo | Self::Script | Self::Pytest => None,
        });
        each_once(found.map(|it| it.1))
    }
}

fn each_once<'a>(found: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in found {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// How a test ended, and its name: `FAIL [   0.711s] (15/20) package::file name`. What is tried again
/// (`TRY 1 FAIL [   0.711s] (───) …`) has not ended.
fn nextest(line: &str) -> Option<(&str, &str)> {
    let (state, rest) = line.split_once(" [")?;
    let (at, name) = rest.split_once("] (")?.1.split_once(") ")?;
    let state = match state.strip_prefix("TRY ") {
        Some(state) => state.split_once(' ')?.1,
        None => state,
    };
    let has_ended = at.trim_start().starts_with(|it: char| it.is_ascii_digit());
    has_ended.then_some((state, name.trim()))
}

/// `1 failed, 39 passed in 2.31s`, framed with `=` unless it is quiet.
fn pytest(line: &str) -> Option<&str> {
    let bare = line.trim_matches(|it| it == '=' || it == ' ');
    let (counts, time) = bare.rsplit_once(" in ")?;
    let time = time.split(' ').next()?.strip_suffix('s')?;
    let is_count = |it: &str| {
        it.split_once(' ')
            .is_some_and(|(n, _)| n.parse::<usize>().is_ok())
    };
    (time.parse::<f64>().is_ok() && counts.split(", ").all(is_count)).then_some(bare)
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

    #[track_caller]
    fn check(runner: Runner, line: &str, passed: usize, failed: usize) {
        let mut tally = Tally::default();
        tally.read(runner, line);
        assert_eq!((tally.passed, tally.failed), (passed, failed), "{line}");
    }

    #[test]
    fn each_runner_is_understood() {
        use Runner::*;
        check(
            Nextest,
            "  Summary [   5.2s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped",
            11,
            1,
        );
        check(
            Cargo,
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured",
            3,
            0,
        );
        check(
            Cargo,
            "test result: FAILED. 3 passed; 2 failed; 0 ignored",
            3,
            2,
        );
        check(Script, "      Tests  1 failed | 22 passed (23)", 22, 1);
        check(Script, "Tests:       1 failed, 2 passed, 3 total", 2, 1);
        check(Pytest, "1 failed, 39 passed in 2.31s", 39, 1);
        check(
            Pytest,
            "========= 40 passed, 1 skipped in 62.10s (0:01:02) =========",
            40,
            0,
        );
        check(Pytest, "2 errors in 0.50s", 0, 2);
    }

    #[test]
    fn other_lines_are_not_counted() {
        // A failed test's own output, which nextest shows.
        check(
            Runner::Nextest,
            "test result: FAILED. 0 passed; 1 failed",
            0,
            0,
        );
        check(Runner::Script, " Test Files  3 passed (3)", 0, 0);
        check(Runner::Script, "Tests are run by vitest", 0, 0);
        check(Runner::Pytest, "built in 2.0s", 0, 0);
        check(Runner::Pytest, "the rest passed in 2.0s", 0, 0);
    }

    #[test]
    fn failed_tests_have_names() {
        let nextest =
            "    FAIL [   0.7s] (15/20) a::b slow_kill\n FAIL [   0.7s] (15/20) a::b slow_kill\n";
        assert_eq!(Runner::Nextest.failures(nextest), ["a::b slow_kill"]);
        // cargo-nextest 0.9.143.
        let tried_again = "
  TRY 1 ABRT [   0.022s] (───) a slow_abort
        PASS [   0.034s] (1/4) a fine
  TRY 2 ABRT [   0.033s] ( 2/4) a slow_abort
  TRY 1 FAIL [   0.420s] (───) a slow_once
  TRY 2 PASS [   0.017s] (3/4) a slow_once
   FLAKY 2/2 [   0.017s] (3/4) a slow_once
     SIGSEGV [   0.099s] (4/4) a b::slow_memory
";
        let failed = ["a slow_abort", "a b::slow_memory"];
        assert_eq!(Runner::Nextest.failures(tried_again), failed);
        assert_eq!(Runner::Nextest.flaky(tried_again), ["a slow_once"]);
        assert_eq!(
            Runner::Cargo.failures("test x::y ... FAILED\ntest z ... ok"),
            ["x::y"]
        );
        assert_eq!(
            Runner::Script.failures(" FAIL  src/a.test.ts > adds"),
            ["src/a.test.ts > adds"]
        );
        assert_eq!(
            Runner::Pytest.failures("FAILED tests/a.py::b - assert 1 == 2"),
            ["tests/a.py::b"]
        );
    }
}
