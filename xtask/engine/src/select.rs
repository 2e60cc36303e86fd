//! Which steps the command line asked for.

use anyhow::{Result, bail};

/// The wish as typed, before it is held against the steps that exist.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Steps before this one are taken as recorded.
    pub from: Option<String>,
    /// Steps after this one are left out.
    pub until: Option<String>,
    /// Taken as recorded.
    pub skip: Vec<String>,
    /// Run even if up to date.
    pub force: Vec<String>,
    /// As if every step stood in `force`.
    pub force_all: bool,
}

/// What the selection means for one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run it if it has to.
    Normal,
    /// Run it in any case.
    Force,
    /// Take its record, stale or not; the text names the option that says so.
    Keep(String),
    /// Neither run nor use it; the text names the option that says so.
    LeaveOut(String),
}

impl Selection {
    /// Refuses what makes no sense for these steps, which are in their order.
    pub fn check(&self, steps: &[String]) -> Result<()> {
        let known = |name: &String| steps.iter().any(|it| step_matches(name, it));
        let named = self
            .from
            .iter()
            .chain(&self.until)
            .chain(&self.skip)
            .chain(&self.force);
        for name in named {
            if !known(name) {
                bail!(
                    "there is no step `{name}` here\nhint: the steps are {}",
                    steps.join(", ")
                );
            }
        }
        let place = |name: &String| steps.iter().position(|it| step_matches(name, it));
        if let (Some(from), Some(until)) = (&self.from, &self.until)
            && place(from) > place(until)
        {
            bail!("--from {from} --until {until} selects nothing: {until} comes before {from}");
        }
        for name in &self.force {
            if self.skip.iter().any(|it| it == name) {
                bail!("--force {name} and --skip {name} contradict each other");
            }
            if let Decision::Keep(option) | Decision::LeaveOut(option) = self.decide(name, steps) {
                bail!("--force {name} contradicts {option}, which leaves that step out");
            }
        }
        Ok(())
    }

    /// What is to be done with `step`, one of `steps`.
    pub fn decide(&self, step: &str, steps: &[String]) -> Decision {
        let place = |name: &str| steps.iter().position(|it| step_matches(name, it));
        let last = |name: &str| steps.iter().rposition(|it| step_matches(name, it));
        let here = place(step);
        if let Some(until) = &self.until
            && here > last(until)
        {
            let both = self.from.as_ref() == Some(until);
            let option = if both { "--only" } else { "--until" };
            return Decision::LeaveOut(format!("{option} {until}"));
        }
        if let Some(name) = self.skip.iter().find(|it| step_matches(it, step)) {
            return Decision::Keep(format!("--skip {name}"));
        }
        if let Some(from) = &self.from
            && here < place(from)
        {
            let both = self.until.as_ref() == Some(from);
            let option = if both { "--only" } else { "--from" };
            return Decision::Keep(format!("{option} {from}"));
        }
        if self.force_all || self.force.iter().any(|it| step_matches(it, step)) {
            return Decision::Force;
        }
        Decision::Normal
    }
}

/// `sidecar` means every step `sidecar:…`, `sidecar:analyzer` only that one.
pub fn step_matches(wanted: &str, step: &str) -> bool {
    step == wanted
        || step
            .strip_prefix(wanted)
            .is_some_and(|it| it.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selection: &Selection, expected: &str) {
        let steps = ["frontend", "app", "sidecar:a", "sidecar:b", "seal"].map(str::to_owned);
        let outcome = match selection.check(&steps) {
            Err(error) => error.to_string(),
            Ok(()) => {
                let letter = |step: &String| match selection.decide(step, &steps) {
                    Decision::Normal => 'n',
                    Decision::Force => 'F',
                    Decision::Keep(_) => 'k',
                    Decision::LeaveOut(_) => '-',
                };
                steps.iter().map(letter).collect()
            }
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn selections() {
        let name = |it: &str| Some(it.to_owned());
        let none = Selection::default;
        check(&none(), "nnnnn");
        check(
            &Selection {
                from: name("sidecar"),
                ..none()
            },
            "kknnn",
        );
        check(
            &Selection {
                until: name("sidecar"),
                ..none()
            },
            "nnnn-",
        );
        check(
            &Selection {
                from: name("app"),
                until: name("app"),
                ..none()
            },
            "kn---",
        );
        check(
            &Selection {
                skip: vec!["sidecar:b".into()],
                ..none()
            },
            "nnnkn",
        );
        check(
            &Selection {
                force: vec!["sidecar".into()],
                ..none()
            },
            "nnFFn",
        );
        check(
            &Selection {
                from: name("seal"),
                until: name("app"),
                ..none()
            },
            "--from seal --until app selects nothing: app comes before seal",
        );
        check(
            &Selection {
                force: vec!["seal".into()],
                until: name("app"),
                ..none()
            },
            "--force seal contradicts --until app, which leaves that step out",
        );
        check(
            &Selection {
                skip: vec!["sign".into()],
                ..none()
            },
            "there is no step `sign` here\n\
             hint: the steps are frontend, app, sidecar:a, sidecar:b, seal",
        );
    }
}
