//! What ends a run early: its deadline, Ctrl-C, SIGTERM, a lost terminal.
//!
//! The thread on which a command begins watches for these, and never makes a system call that could block. Whatever
//! reads files, queries the platform or writes to a reader that may block runs on a separate thread ([`Stop::run_detached`]),
//! and probes have their own threads. So a signal is handled at any time, and nothing delays the deadline.

mod signals;

use std::{
    panic::resume_unwind,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
    time::{sleep, sleep_until},
};

use self::signals::{HangUp, Listeners};
pub(super) use self::signals::{hold, release};
use super::CommandFailure;
use crate::{
    file,
    vantage::{cutoff::Cutoff, descriptors},
};

/// How long unfinished work may continue after a signal, because nothing can be reported without it.
const GRACE: Duration = Duration::from_millis(70);

/// Why the wait ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// A signal arrived.
    Interrupted,
    /// The deadline passed while this file was still being read.
    Late(Option<PathBuf>),
}

/// How long a reader may read nothing before writing stops: while the deadline has not passed, and after it.
const LONG_WRITE_TIMEOUT: Duration = Duration::from_secs(1);
const SHORT_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long writing may wait for a reader that reads nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriteTimeouts {
    /// For files that are pipes.
    pub files: Duration,
    /// For stdout; `None` waits as long as its reader does. Only after an interrupt is the wait limited.
    pub stdout: Option<Duration>,
}

/// What ends a run early, and the runtime that watches for it.
pub(super) struct Stop {
    began: Instant,
    runtime: Runtime,
    interrupted: watch::Receiver<bool>,
    hung_up: watch::Receiver<u32>,
}

impl Stop {
    /// Listens for signals from now on. The first is reported to those that poll; a second one ends the process at
    /// once.
    ///
    /// # Errors
    ///
    /// Too few descriptors.
    pub(super) fn begin() -> Result<Self, CommandFailure> {
        Self::listen(HangUp::Ends)
    }

    /// The same for a service, which SIGHUP does not end ([`Self::hung_up`]).
    ///
    /// # Errors
    ///
    /// Too few descriptors.
    pub(super) fn begin_service() -> Result<Self, CommandFailure> {
        Self::listen(HangUp::IsTold)
    }

    fn listen(meaning: HangUp) -> Result<Self, CommandFailure> {
        let began = Instant::now();
        // Checked first: without descriptors not even a file can be read, and tokio's signal handling panics.
        descriptors::prepare().map_err(CommandFailure::agent)?;
        let cannot_start = |error| CommandFailure::agent(format!("cannot start: {error}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(cannot_start)?;
        let (signalled, interrupted) = watch::channel(false);
        let (hang_ups, hung_up) = watch::channel(0);
        let listeners = {
            let _inside = runtime.enter();
            Listeners::new(meaning).map_err(cannot_start)?
        };
        release();
        runtime.spawn(listeners.listen(signalled, hang_ups));
        Ok(Self {
            began,
            runtime,
            interrupted,
            hung_up,
        })
    }

    /// When it began to listen: before the first byte of a file is read.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Whether a signal has come.
    pub(super) fn is_interrupted(&self) -> bool {
        *self.interrupted.borrow()
    }

    /// What code on other threads must observe: signals and the deadline.
    pub(super) fn until(&self, end: Instant) -> Cutoff {
        Cutoff::new(end, self.interrupted.clone())
    }

    /// How long writing may wait now, in a run with this deadline.
    pub(super) fn write_timeouts(&self, deadline: Duration) -> WriteTimeouts {
        WriteTimeouts {
            files: deadline
                .saturating_sub(self.began.elapsed())
                .clamp(SHORT_WRITE_TIMEOUT, LONG_WRITE_TIMEOUT),
            stdout: self.is_interrupted().then_some(LONG_WRITE_TIMEOUT),
        }
    }

    /// Completes once a signal arrives.
    pub(super) fn interrupted(&self) -> impl Future<Output = ()> + use<> {
        Cutoff::new(self.began, self.interrupted.clone()).interrupted()
    }

    /// How many times a service received SIGHUP.
    pub(super) fn hung_up(&self) -> watch::Receiver<u32> {
        self.hung_up.clone()
    }

    /// Runs a future on this thread whenever it waits for something.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(future));
    }

    /// Runs a future on this thread.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs `work` on another thread, and waits for it until `end` or until a signal arrives. Unfinished work ends with
    /// the process. If the system cannot start a thread, it runs on this one.
    ///
    /// A signal that arrived earlier is no reason to stop: this may be how the report is saved.
    pub(super) fn run_detached<T, W>(&self, end: Option<Instant>, work: W) -> Result<T, Stopped>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.within(GRACE, end, work)
    }

    /// Runs what saves the report, like [`Self::run_detached`], but with more time: a signal that arrives meanwhile must not
    /// lose the report. Files take a moment, and pipes as long as [`WriteTimeouts::files`] allows.
    pub(super) fn run_detached_to_end<T, W>(&self, work: W) -> Result<T, Stopped>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.within(2 * LONG_WRITE_TIMEOUT, None, work)
    }

    fn within<T, W>(&self, grace: Duration, end: Option<Instant>, work: W) -> Result<T, Stopped>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let work = Arc::new(Mutex::new(Some(move || drop(done.send(work())))));
        let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let theirs = work.clone();
        let spawned = thread::Builder::new().spawn(move || take(&theirs).map_or((), |work| work()));
        if spawned.is_err()
            && let Some(work) = take(&work)
        {
            work();
        }
        let gone_on = !self.is_interrupted();
        let ended = self.block_on(async {
            let signal = async {
                self.interrupted().await;
                sleep(grace).await;
            };
            tokio::select! {
                biased;
                result = result => Ok(result),
                () = signal, if gone_on => Err(Stopped::Interrupted),
                () = sleep_until(end.unwrap_or(self.began).into()), if end.is_some() => {
                    Err(Stopped::Late(file::being_read()))
                }
            }
        })?;
        match (ended, spawned) {
            (Ok(result), _) => Ok(result),
            (Err(_), Ok(thread)) => match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => Err(Stopped::Interrupted),
            },
            (Err(_), Err(_)) => Err(Stopped::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    use super::{Stop, Stopped};

    #[test]
    fn detached_work_runs_in_a_thread_until_the_deadline() {
        let stop = Stop::begin().unwrap();
        let caller = thread::current().id();
        let beside = stop.run_detached(None, || thread::current().id()).unwrap();
        assert_ne!(beside, caller);
        let (keep, nothing_comes) = mpsc::channel::<()>();
        let soon = Instant::now() + Duration::from_millis(20);
        let deadline_error = stop.run_detached(Some(soon), move || nothing_comes.recv().is_ok());
        assert_eq!(deadline_error, Err(Stopped::Late(None)));
        drop(keep);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            stop.run_detached(None, || -> u8 { std::panic::resume_unwind(Box::new("on purpose")) })
        }));
        assert!(panicked.is_err());
    }
}
