//! What ties the programs that this process starts to its own life.
//!
//! On Windows a job object does it: this process enters one that the system kills with its last
//! handle, and whatever it starts is born inside. So nothing outlives a process that is killed, at
//! whatever moment. Elsewhere there is no such thing for a whole tree of processes: what a killed
//! run left is [remembered](super::orphans) and ended by the next one.

/// While it lives, the programs that this process starts end with it. Once it is dropped, what they
/// left behind on purpose, such as a cache's server, stays.
#[derive(Default)]
pub struct Tether {
    #[cfg(windows)]
    job: Option<win32job::Job>,
}

impl Tether {
    /// Ties what is started from now on. Where the system refuses, all works as without it.
    #[cfg(windows)]
    pub fn tie() -> Self {
        let mut limits = win32job::ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = win32job::Job::create_with_limit_info(&limits);
        // Within cargo's own job, and with one in it for each command: Windows 8 and later nest them.
        let job = job.and_then(|it| it.assign_current_process().map(|()| it));
        Self { job: job.ok() }
    }

    /// Ties nothing: see the module.
    #[cfg(not(windows))]
    pub fn tie() -> Self {
        Self::default()
    }
}

#[cfg(windows)]
impl Drop for Tether {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        if job
            .set_extended_limit_info(&win32job::ExtendedLimitInfo::new())
            .is_err()
        {
            // Closing it would kill this process, too, before it has said how it ended.
            job.into_handle();
        }
    }
}
