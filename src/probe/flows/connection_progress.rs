//! The current stage of a connection, and when its stages must end.

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
    /// The exchange before TLS.
    Prelude,
    /// The handshake.
    Handshake,
    /// The exchange in the service's protocol.
    Converse,
}

/// The time limits of parallel connections to one address: each stage ends for all of them when the time of the first
/// one that entered it has passed, so that several take no longer than one.
#[derive(Debug)]
pub struct StageClock {
    timeout: Duration,
    end: Instant,
    entered: Mutex<[Option<Instant>; 4]>,
}

impl StageClock {
    /// Time limits that have not started.
    pub fn new(stages: &ProbeContext) -> Self {
        Self::within(stages, stages.limits.timeout)
    }

    /// The same, where no stage may take longer than this either.
    pub fn within(stages: &ProbeContext, timeout: Duration) -> Self {
        Self {
            timeout: stages.limits.timeout.min(timeout),
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

/// The state of one connection.
#[derive(Debug)]
pub struct ConnectionProgress {
    clock: Arc<StageClock>,
    /// The stage, its start, and its end.
    now: Mutex<(ConnectionStage, Instant, Instant)>,
    near: Option<(ConnectionStage, u8)>,
}

impl ConnectionProgress {
    /// The state of a connection without parallel ones.
    pub fn alone(stages: &ProbeContext) -> Self {
        Self::parallel(Arc::new(StageClock::new(stages)))
    }

    /// The same, where no stage may take longer than this.
    pub fn within(stages: &ProbeContext, timeout: Duration) -> Self {
        Self::parallel(Arc::new(StageClock::within(stages, timeout)))
    }

    /// The state of a connection with parallel ones.
    pub fn parallel(clock: Arc<StageClock>) -> Self {
        let now = Instant::now();
        let until = clock.enter(ConnectionStage::Connect, now);
        Self {
            clock,
            now: Mutex::new((ConnectionStage::Connect, now, until)),
            near: None,
        }
    }

    /// The same, where data from this stage on is sent with this TTL.
    #[must_use]
    pub fn near(self, from: ConnectionStage, ttl: u8) -> Self {
        Self {
            near: Some((from, ttl)),
            ..self
        }
    }

    /// The TTL of the current data, if it is not the default.
    pub fn ttl(&self) -> Option<u8> {
        let (from, ttl) = self.near?;
        (self.stage().0 >= from).then_some(ttl)
    }

    /// Enters a stage, and returns the time at which it must end.
    pub fn enter(&self, step: ConnectionStage) -> Instant {
        let now = Instant::now();
        let until = self.clock.enter(step, now);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (step, now, until);
        until
    }

    fn stage(&self) -> (ConnectionStage, Instant, Instant) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it entered its stage.
    pub fn since(&self) -> Instant {
        self.stage().1
    }

    /// Whether it has waited this long for an answer to our data.
    pub fn is_silent(&self, now: Instant, timeout: Duration) -> bool {
        let (step, since, _) = self.stage();
        step != ConnectionStage::Connect && now.duration_since(since) >= timeout
    }

    /// Whether its last stage ended before it had half of its time: then a missing reply shows nothing.
    pub fn was_shortened(&self) -> bool {
        let (_, since, until) = self.stage();
        Instant::now() >= until && until.duration_since(since) < self.clock.timeout / 2
    }
}
