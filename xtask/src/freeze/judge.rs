//! Whether what a program printed and did is that of a sidecar that works.

use std::{process::ExitStatus, time::Duration};

use super::trial::How;
use crate::engine::launch::Line;

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
    /// Its processes that did not end.
    pub left: &'a [u32],
    /// What ended it.
    pub how: How,
    /// The version that it should report.
    pub version: &'a str,
}

impl Heard<'_> {
    /// What is wrong with it; none if nothing.
    pub fn failure(&self) -> Option<String> {
        if let Some(module) = self.missing_module() {
            return Some(format!("it misses the module {module}"));
        }
        if self.ready.is_none() {
            let said = self.last_words();
            return Some(match self.ended {
                Some(status) => format!("it ended before it was ready ({status}): {said}"),
                None => format!("it did not print READY within {:?}: {said}", self.within),
            });
        }
        let ready = self.stdout().filter(|it| *it == "READY").count();
        if ready != 1 {
            return Some(format!(
                "it printed READY {ready} times; once is the protocol"
            ));
        }
        if let Some(version) = self.reported_version()
            && version != self.version
        {
            let wanted = self.version;
            return Some(format!(
                "it reports version {version}, but the release is {wanted}"
            ));
        }
        self.bad_end()
    }

    fn bad_end(&self) -> Option<String> {
        let after = match self.how {
            How::StdinClosed => "after its stdin was closed",
            How::Terminated => "after SIGTERM",
            How::ParentKilled => "after its parent was killed",
        };
        if !self.left.is_empty() || self.ended.is_none() {
            let left: Vec<String> = self.left.iter().map(u32::to_string).collect();
            return Some(format!(
                "it still runs {after} (process {}): it would outlive a killed host",
                left.join(", ")
            ));
        }
        let status = self.ended?;
        // The status of the third is that of its parent.
        let well = match self.how {
            How::StdinClosed => status.success(),
            How::Terminated => status.success() || ended_by_sigterm(status),
            How::ParentKilled => true,
        };
        (!well).then(|| {
            format!(
                "it did not end well {after} ({status}): {}",
                self.last_words()
            )
        })
    }

    /// The version in its `BOOT` line.
    pub fn reported_version(&self) -> Option<String> {
        let boot = self.stdout().find(|it| it.starts_with("BOOT "))?;
        let version = boot
            .split_whitespace()
            .find_map(|it| it.strip_prefix("version="));
        version.map(str::to_owned)
    }

    /// A module that was there before it was frozen.
    pub fn missing_module(&self) -> Option<String> {
        let line = self
            .lines
            .iter()
            .find(|it| it.text.contains("ModuleNotFoundError"))?;
        let name = line.text.split('\'').nth(1).unwrap_or(line.text.trim());
        Some(name.to_owned())
    }

    fn stdout(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|it| it.stdout).map(|it| &*it.text)
    }

    fn last_words(&self) -> &str {
        let said = self.lines.iter().rfind(|it| !it.text.trim().is_empty());
        said.map_or("it printed nothing", |it| it.text.trim())
    }
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
