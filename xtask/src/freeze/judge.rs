//! Whether what a program printed and did is that of a sidecar that works.

use std::{process::ExitStatus, time::Duration};

use super::ending::How;
use crate::{engine::launch::Line, version};

/// What was seen of a launch.
pub struct Heard<'a> {
    /// All that it printed.
    pub lines: &'a [Line],
    /// When it said that it is ready.
    pub ready: Option<Duration>,
    /// How long that might take.
    pub within: Duration,
    /// How it ended; none if it did not.
    pub ended: Option<ExitStatus>,
    /// Its processes that did not end: `4711 (name)`.
    pub left: &'a [String],
    /// What ended it.
    pub how: How,
    /// The version that it should report.
    pub version: &'a str,
}

impl Heard<'_> {
    /// What is wrong with it; none if nothing.
    pub fn failure(&self) -> Option<String> {
        let failure = self.never_ready().or_else(|| self.against_the_protocol());
        let failure = failure.or_else(|| self.bad_end())?;
        // Some programs try a module, say that it is missing, and go on without.
        Some(match self.missing_module() {
            // What else is said of it only follows.
            Some(module) => format!("it misses the module {module}"),
            None => failure,
        })
    }

    fn never_ready(&self) -> Option<String> {
        if self.ready.is_some() {
            return None;
        }
        let said = self.almost_ready().unwrap_or_else(|| self.last_words());
        Some(match self.ended {
            Some(status) => format!("it ended before it was ready ({status}): {said}"),
            None => format!("it did not print READY within {:?}: {said}", self.within),
        })
    }

    /// What was meant as `READY`.
    fn almost_ready(&self) -> Option<&'static str> {
        let meant = self.lines.iter().find(|it| it.text == "READY")?;
        Some(match (meant.stdout, meant.whole) {
            (false, _) => "READY came on stderr, not on stdout",
            (true, false) => "READY came without the end of its line",
            (true, true) => "READY came too late",
        })
    }

    fn against_the_protocol(&self) -> Option<String> {
        let ready = self.stdout().filter(|it| *it == "READY").count();
        if ready != 1 {
            return Some(format!(
                "it printed READY {ready} times; once is the protocol"
            ));
        }
        let (version, wanted) = (self.reported_version()?, self.version);
        (!version::reports(&version, wanted))
            .then(|| format!("it reports version {version}, but the release is {wanted}"))
    }

    fn bad_end(&self) -> Option<String> {
        let (how, said) = (self.how.words(), self.last_words());
        let left = self.left.join(", ");
        let Some(status) = self.ended else {
            return Some(format!("it still runs after {how}: {left}"));
        };
        // The status of the others is that of what was killed.
        let (ended, well) = match self.how {
            How::StdinClosed => (true, status.success()),
            How::Terminated => (true, status.success() || ended_by_sigterm(status)),
            How::ParentKilled | How::WrapperKilled => (false, true),
        };
        if left.is_empty() {
            return (!well).then(|| format!("it did not end well after {how} ({status}): {said}"));
        }
        Some(match ended {
            true => format!("it ended after {how}, but left behind: {left}"),
            false => format!("it still runs after {how}: {left}"),
        })
    }

    /// The version in its `BOOT` line.
    pub fn reported_version(&self) -> Option<String> {
        reported_version(self.lines)
    }

    /// The last module that it missed.
    pub fn missing_module(&self) -> Option<String> {
        let line = self
            .lines
            .iter()
            .rfind(|it| it.text.contains("ModuleNotFoundError"))?;
        let name = line.text.split('\'').nth(1).unwrap_or(line.text.trim());
        Some(name.to_owned())
    }

    fn stdout(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|it| it.stdout).map(|it| &*it.text)
    }

    fn last_words(&self) -> &str {
        // What explains a failure goes to stderr, and which of the two was read first is chance.
        let last = |stdout: bool| {
            let mut said = self.lines.iter().filter(|it| it.stdout == stdout);
            said.rfind(|it| !it.text.trim().is_empty())
        };
        let said = last(false).or_else(|| last(true));
        said.map_or("it printed nothing", |it| it.text.trim())
    }
}

/// The version in the `BOOT` line of what a program printed.
pub fn reported_version(lines: &[Line]) -> Option<String> {
    let mut stdout = lines.iter().filter(|it| it.stdout).map(|it| &*it.text);
    let boot = stdout.find(|it| it.starts_with("BOOT "))?;
    let mut words = boot.split_whitespace();
    let version = words.find_map(|it| it.strip_prefix("version="));
    version.map(str::to_owned)
}

/// A program without a handler of its own ends like this, and cleanly enough.
#[cfg(unix)]
fn ended_by_sigterm(status: ExitStatus) -> bool {
    const SIGTERM: i32 = 15;
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGTERM)
        || status.code() == Some(128 + SIGTERM)
}

#[cfg(not(unix))]
fn ended_by_sigterm(_: ExitStatus) -> bool {
    false
}
