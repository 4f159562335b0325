//! How far a connection is, and when its stages must be over.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::probe::stages::ProbeContext;

/// The stages of a connection that take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionStage {
    /// It is being opened.
    Connect,
    /// What is said before TLS.
    Prelude,
    /// The handshake.
    Handshake,
    /// What is said in the end.
    Converse,
}

/// The time limits of connections to one address that run side by side: each stage ends for all of them when its time is
/// over for the first that entered it, so that several take no longer than one.
#[derive(Debug)]
pub struct StageClock {
    timeout: Duration,
    end: Instant,
    entered: Mutex<[Option<Instant>; 4]>,
}

impl StageClock {
    /// A clock that has not started.
    pub fn new(stages: &ProbeContext) -> Self {
        Self::within(stages, stages.limits.timeout)
    }

    /// The same, where no stage may take longer than this either.
    pub fn within(stages: &ProbeContext, patience: Duration) -> Self {
        Self {
            timeout: stages.limits.timeout.min(patience),
            end: stages.end,
            entered: Mutex::default(),
        }
    }

    fn enter(&self, step: ConnectionStage, now: Instant) -> Instant {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *entered[step as usize].get_or_insert(now);
        self.end.min(first + self.timeout)
    }
}

/// How far one connection is.
#[derive(Debug)]
pub struct ConnectionProgress {
    clock: Arc<StageClock>,
    /// The stage, since when, and until when.
    now: Mutex<(ConnectionStage, Instant, Instant)>,
    near: Option<(ConnectionStage, u8)>,
}

impl ConnectionProgress {
    /// The course of a connection that runs beside no other.
    pub fn alone(stages: &ProbeContext) -> Self {
        Self::parallel(Arc::new(StageClock::new(stages)))
    }

    /// The same, where no stage may take longer than this.
    pub fn within(stages: &ProbeContext, patience: Duration) -> Self {
        Self::parallel(Arc::new(StageClock::within(stages, patience)))
    }

    /// The course of a connection beside others.
    pub fn parallel(clock: Arc<StageClock>) -> Self {
        let now = Instant::now();
        let until = clock.enter(ConnectionStage::Connect, now);
        Self {
            clock,
            now: Mutex::new((ConnectionStage::Connect, now, until)),
            near: None,
        }
    }

    /// The same, where what is said from this stage on is sent with this TTL.
    #[must_use]
    pub fn near(self, from: ConnectionStage, ttl: u8) -> Self {
        Self {
            near: Some((from, ttl)),
            ..self
        }
    }

    /// The TTL of what is said now, where it is not the usual one.
    pub fn ttl(&self) -> Option<u8> {
        let (from, ttl) = self.near?;
        (self.stage().0 >= from).then_some(ttl)
    }

    /// Enters a stage, and gives the time at which it must be over.
    pub fn enter(&self, step: ConnectionStage) -> Instant {
        let now = Instant::now();
        let until = self.clock.enter(step, now);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (step, now, until);
        until
    }

    fn stage(&self) -> (ConnectionStage, Instant, Instant) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when it has been in its stage.
    pub fn since(&self) -> Instant {
        self.stage().1
    }

    /// Whether it has waited so long for an answer to what we said.
    pub fn is_silent(&self, now: Instant, patience: Duration) -> bool {
        let (step, since, _) = self.stage();
        step != ConnectionStage::Connect && now.duration_since(since) >= patience
    }

    /// Whether its last stage was over before it had half of its time: its silence says nothing.
    pub fn was_shortened(&self) -> bool {
        let (_, since, until) = self.stage();
        Instant::now() >= until && until.duration_since(since) < self.clock.timeout / 2
    }
}
