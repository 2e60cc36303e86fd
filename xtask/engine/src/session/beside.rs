//! Two parts of a pipeline side by side.

use anyhow::Result;

use super::{Session, Stopped};

impl Session {
    /// Runs two independent parts side by side, or in order with one job or in a plan. Side by
    /// side both come to their end: what one has finished is recorded even if the other fails.
    /// They share the processes that may work at once: see [`Jobs`](crate::jobs::Jobs).
    pub fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce() -> Result<A> + Send,
        b: impl FnOnce() -> Result<B> + Send,
    ) -> Result<(A, B)> {
        let (a, b) = if self.jobs.all() == 1 || self.plan {
            let a = a();
            if a.as_ref().is_err_and(|it| !it.is::<Stopped>()) {
                return Err(a.err().expect("just seen"));
            }
            (a, b())
        } else {
            self.side_by_side(a, b)?
        };
        match (a, b) {
            // Where one part was only left out, the failure of the other is what counts.
            (Err(a), Err(b)) => Err(if a.is::<Stopped>() { b } else { a }),
            (a, b) => Ok((a?, b?)),
        }
    }

    fn side_by_side<A: Send, B: Send>(
        &self,
        a: impl FnOnce() -> Result<A> + Send,
        b: impl FnOnce() -> Result<B> + Send,
    ) -> Result<(Result<A>, Result<B>)> {
        self.jobs.divide()?;
        let both = std::thread::scope(|scope| {
            let b = scope.spawn(|| {
                let b = b();
                self.jobs.unite();
                b
            });
            let a = a();
            self.jobs.unite();
            let b = b.join();
            (
                a,
                b.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        self.jobs.renew()?;
        Ok(both)
    }
}
