//! How many processes may work at once, shared by what runs side by side.
//!
//! cargo and make know the job server of GNU make: for every process beyond their first they take
//! a token, and give it back when the process ends. Others can only be told a number. While two
//! parts of a pipeline run side by side, half of the tokens is kept back for those; as soon as one
//! part has ended, the other may have everything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use jobserver::Client;

/// The processes that may work at once.
pub struct Jobs {
    all: usize,
    now: Mutex<Now>,
}

struct Now {
    /// None where only one process may work at once: it needs no token.
    server: Option<Client>,
    /// Tokens that are kept back for programs that are told a number.
    kept: usize,
    /// Two parts run side by side, or the second of them does.
    divided: bool,
}

impl Jobs {
    /// So many; at least one.
    ///
    /// # Errors
    /// The system has no pipe or semaphore to give.
    pub fn new(all: usize) -> Result<Self> {
        let all = all.max(1);
        let server = server(all)?;
        Ok(Self {
            all,
            now: Mutex::new(Now {
                server,
                kept: 0,
                divided: false,
            }),
        })
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.all
    }

    /// How many a program may start that takes no tokens.
    pub fn share(&self) -> usize {
        match self.lock().kept {
            0 => self.all,
            kept => kept,
        }
    }

    /// Where a program that knows the job server takes its tokens from.
    pub fn server(&self) -> Option<Client> {
        self.lock().server.clone()
    }

    /// From now on two parts run side by side.
    ///
    /// # Errors
    /// They do already: one of two parts cannot be divided again. Its programs hold tokens, and
    /// waiting for those could take forever.
    pub(super) fn divide(&self) -> Result<()> {
        let mut now = self.lock();
        ensure!(
            !now.divided,
            "what runs side by side cannot be divided once more"
        );
        now.divided = true;
        let Some(server) = &now.server else {
            return Ok(());
        };
        let half = self.all / 2;
        for _ in 0..half {
            // Never waits: nothing runs yet that could have taken one.
            server.acquire_raw().context("the job server is broken")?;
        }
        now.kept = half;
        Ok(())
    }

    /// One of the two parts has ended. A token that cannot be given back makes the rest slower,
    /// nothing else.
    pub(super) fn unite(&self) {
        let mut now = self.lock();
        if let Some(server) = &now.server {
            for _ in 0..now.kept {
                server.release_raw().ok();
            }
        }
        now.kept = 0;
    }

    /// Both parts have ended. What was killed took its tokens with it, so they are made anew.
    pub(super) fn renew(&self) -> Result<()> {
        let mut now = self.lock();
        now.divided = false;
        now.server = server(self.all)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever takes tokens has one process without any.
fn server(all: usize) -> Result<Option<Client>> {
    let server = (all > 1).then(|| Client::new(all - 1));
    server.transpose().context("cannot make a job server")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many processes a program could start that takes tokens.
    fn takers(jobs: &Jobs) -> usize {
        let Some(server) = jobs.server() else {
            return 1;
        };
        let tokens = server.available().unwrap();
        1 + tokens
    }

    #[test]
    fn side_by_side_there_are_never_more_than_all() {
        for all in 1..=9 {
            let jobs = Jobs::new(all).unwrap();
            assert_eq!((takers(&jobs), jobs.share()), (all, all));
            jobs.divide().unwrap();
            if all > 1 {
                assert_eq!(takers(&jobs) + jobs.share(), all, "of {all}");
            }
            jobs.unite();
            assert_eq!((takers(&jobs), jobs.share()), (all, all));
            jobs.unite();
            jobs.renew().unwrap();
            assert_eq!((takers(&jobs), jobs.share()), (all, all));
        }
    }
    /// Not waiting for tokens that the programs of the first division hold; the first one stays.
    #[test]
    fn one_of_two_parts_is_not_divided_again() {
        for all in 1..=5 {
            let jobs = Jobs::new(all).unwrap();
            let says = |jobs: &Jobs| jobs.divide().map_err(|it| it.to_string());
            let again = Err("what runs side by side cannot be divided once more".to_owned());
            assert_eq!(says(&jobs), Ok(()));
            let before = (takers(&jobs), jobs.share());
            assert_eq!(says(&jobs), again, "of {all}");
            assert_eq!((takers(&jobs), jobs.share()), before);
            // The other part still runs.
            jobs.unite();
            assert_eq!(says(&jobs), again, "of {all}");
            jobs.unite();
            jobs.renew().unwrap();
            assert_eq!((takers(&jobs), jobs.share()), (all, all));
            assert_eq!(says(&jobs), Ok(()));
        }
    }
}
