//! A release whose orchestrator is killed in the middle, and that is made after all.
//!
//! SIGKILL hits the orchestrator alone: what it had started lives on, as after a crash.

use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    Tests,
    end_to_end::{Course, dist, verify},
    processes::{self, Process},
    scratch::Scratch,
};
use crate::engine::{
    event::{Event, Level, Stamped},
    exec::Finished,
    staging,
    step::Context,
};

/// Tells the processes of the killed run from others.
const MARK: &str = "XTASK_TEST_KILLED";
/// Where the run is killed. Nothing runs beside it, and it works long enough to be met.
const STEP: &str = "bundle";
/// What is recorded anew just before: that must not be lost.
const BEFORE: &str = "app";
/// How often the run is looked at: the bundler works for half a second only.
const LOOK: Duration = Duration::from_millis(10);

/// Kills a run, then makes the release after all. Gives what was seen, a line each.
pub(super) fn kill_and_resume(
    tests: &Tests,
    scratch: &Scratch,
    cx: &Context,
) -> Result<Vec<String>> {
    if !cfg!(target_os = "linux") {
        let text = "processes can be followed on Linux only: no run was killed";
        cx.note(Level::Warning, text);
        return Ok(Vec::new());
    }
    let mark = format!(
        "{}.{}",
        std::process::id(),
        UNIX_EPOCH.elapsed()?.as_millis()
    );
    let watch = Watch {
        scratch,
        cx,
        tests,
        mark: &mark,
        printed_before: fs_err::metadata(&cx.log().path)?.len(),
    };
    let seen = watch.kill_and_resume();
    // Whatever happened, nothing of it lives on.
    watch.ours().iter().for_each(Process::kill);
    seen
}

/// Looks at the run from outside.
struct Watch<'a> {
    scratch: &'a Scratch<'a>,
    cx: &'a Context<'a>,
    tests: &'a Tests,
    mark: &'a str,
    /// How long the log was when the run started.
    printed_before: u64,
}

impl Watch<'_> {
    fn kill_and_resume(&self) -> Result<Vec<String>> {
        // Its record would still be true, and there would be nothing to do again.
        staging::remove(&self.scratch.state().join("stages").join(STEP))?;
        let left = self.kill()?;
        let killed = Course::of(&self.scratch.last_run()?);
        ensure!(
            killed.ran.contains(BEFORE) && !killed.ran.contains(STEP),
            "the run was to be killed between {BEFORE} and the end of {STEP}, but {}",
            killed.text()
        );
        let first = format!("killed a release in {STEP}: {left} of its processes lived on");
        let resumed = dist(self.scratch, self.cx, &[])?;
        resumed.goes_on(&killed)?;
        let ids: Vec<_> = self.ours().iter().map(|it| it.id.to_string()).collect();
        ensure!(
            ids.is_empty(),
            "the release was made, but of the killed run there still lives process {}",
            ids.join(", ")
        );
        verify(self.scratch, self.cx)?;
        let second = format!(
            "made it after all: {}; nothing of the killed run lives on",
            resumed.text()
        );
        Ok(vec![first, second])
    }

    /// Starts the run and kills the orchestrator at work; gives how many processes it left.
    fn kill(&self) -> Result<usize> {
        let force = [BEFORE, STEP].map(|it| format!("--force={it}"));
        let mut command = self
            .scratch
            .speaking("json", &["dist", &force[0], &force[1]]);
        command.env(MARK, self.mark);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| self.cx.exec(command).output());
            let left = self.strike(&|| run.is_finished());
            if left.is_err() {
                self.ours().iter().for_each(Process::kill);
            }
            let ended = run
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match (left, ended) {
                (left, Ok(ended)) => left.with_context(|| last_words(&ended)),
                (_, Err(error)) => Err(error),
            }
        })
    }

    /// Waits until a command of the step is at work, and kills the orchestrator alone.
    fn strike(&self, is_gone: &dyn Fn() -> bool) -> Result<usize> {
        // One look is both what is waited for and what is hit: a second one may come too late.
        let mut ours = self.ours();
        while !(self.has_started()? && ours.iter().any(|it| self.is_remembered(it))) {
            if is_gone() {
                bail!("the release was to be killed in {STEP}, but ended before");
            }
            self.cx.pause(LOOK)?;
            ours = self.ours();
        }
        let (orchestrator, mut left): (Vec<_>, Vec<_>) = ours
            .into_iter()
            .partition(|it| it.runs(&self.tests.program));
        orchestrator.iter().for_each(Process::kill);
        while !is_gone() {
            self.cx.pause(LOOK)?;
        }
        // Stopped, they cannot end by themselves before it shows whether anybody ends them. Not any
        // sooner: a group that loses its parent while it is stopped is hung up and goes on.
        left.iter().for_each(Process::stop);
        left.retain(Process::is_alive);
        ensure!(
            !left.is_empty(),
            "{STEP} was killed at work, but left no process"
        );
        Ok(left.len())
    }

    /// Whether the run has said that the step started.
    fn has_started(&self) -> Result<bool> {
        let log = fs_err::read(&self.cx.log().path)?;
        let new = log.get(self.printed_before as usize..).unwrap_or_default();
        let is_start = |line: &str| {
            serde_json::from_str(line).is_ok_and(
                |it: Stamped| matches!(it.event, Event::StepStarted { step, .. } if step == STEP),
            )
        };
        Ok(String::from_utf8_lossy(new).lines().any(is_start))
    }

    /// Whether the run after this one will know of the process. A kill in the moment between start
    /// and record leaves one that it cannot know of.
    fn is_remembered(&self, process: &Process) -> bool {
        let running = self.scratch.state().join("running");
        running.join(process.id.to_string()).is_file()
    }

    fn ours(&self) -> Vec<Process> {
        let mut all = processes::all();
        all.retain(|it| it.variable(MARK).as_deref() == Some(self.mark));
        all
    }
}

/// What the run said last says more than what did not happen.
fn last_words(ended: &Finished) -> String {
    format!("{}; it printed\n{}", ended.status, ended.tail.join("\n"))
}

impl Course {
    /// The step that was broken off ran, and nothing that the killed run had recorded did.
    fn goes_on(&self, killed: &Self) -> Result<()> {
        ensure!(
            self.ran.contains(STEP),
            "{STEP} was killed at work, but did not run again"
        );
        let recorded: BTreeSet<_> = killed.ran.union(&killed.reused).cloned().collect();
        let lost: Vec<_> = recorded.difference(&self.reused).cloned().collect();
        ensure!(
            lost.is_empty(),
            "recorded before the kill, but not reused after it: {}",
            lost.join(", ")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_must_be_reused() {
        let course = |ran: &[&str], reused: &[&str]| {
            let set = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect();
            Course {
                ran: set(ran),
                reused: set(reused),
            }
        };
        let killed = course(&["app"], &["frontend"]);
        let check = |resumed: Course| resumed.goes_on(&killed).map_err(|it| it.to_string());
        assert_eq!(check(course(&["bundle"], &["app", "frontend"])), Ok(()));
        assert_eq!(
            check(course(&["bundle", "app"], &["frontend"])).unwrap_err(),
            "recorded before the kill, but not reused after it: app"
        );
        assert_eq!(
            check(course(&[], &["app", "frontend", "bundle"])).unwrap_err(),
            "bundle was killed at work, but did not run again"
        );
    }
}
