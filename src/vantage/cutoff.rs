//! How long the platform may be queried.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep_until};

/// When queries must end: at a time, or on a signal.
#[derive(Debug, Clone)]
pub(crate) struct Cutoff {
    end: Instant,
    interrupted: watch::Receiver<bool>,
}

impl Cutoff {
    /// Until `end`, or until `interrupted` is true.
    pub(crate) fn new(end: Instant, interrupted: watch::Receiver<bool>) -> Self {
        Self { end, interrupted }
    }

    /// For `limit`, regardless of signals.
    pub(crate) fn after(limit: Duration) -> Self {
        let (_, never) = watch::channel(false);
        Self::new(Instant::now() + limit, never)
    }

    /// The same with less time: one of this many parts of what is left, because more follows.
    #[must_use]
    pub(crate) fn share(&self, parts: u32) -> Self {
        let left = self.end.saturating_duration_since(Instant::now());
        Self {
            end: Instant::now() + left / parts.max(1),
            interrupted: self.interrupted.clone(),
        }
    }

    /// When it ends, unless a signal arrives.
    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    /// Completes at the end.
    pub(crate) async fn over(self) {
        let end = self.end;
        tokio::select! {
            () = sleep_until(end.into()) => {}
            () = self.interrupted() => {}
        }
    }

    /// Completes once a signal has arrived.
    pub(crate) async fn interrupted(mut self) {
        if self.interrupted.wait_for(|interrupted| *interrupted).await.is_err() {
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::watch;

    use super::Cutoff;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn signal_or_deadline_ends_the_wait() {
        Cutoff::after(Duration::ZERO).over().await;
        let (signalled, interrupted) = watch::channel(false);
        let until = Cutoff::new(Instant::now() + LONG, interrupted);
        signalled.send_replace(true);
        until.share(3).over().await;
        until.over().await;
    }

    #[test]
    fn share_of_a_cutoff_leaves_time_for_later_work() {
        let left = Cutoff::after(LONG)
            .share(3)
            .end()
            .saturating_duration_since(Instant::now());
        assert!(left <= LONG / 3 && left > LONG / 4, "{left:?}");
    }
}
