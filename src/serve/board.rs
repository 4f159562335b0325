//! What is known: the last round, and what was counted since the beginning.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::body::Bytes;
use jiff::Timestamp;

use super::{
    Fault,
    fault::{self, Faults},
    metrics, pages,
};
use crate::model::Report;

/// What rounds write and readers read.
#[derive(Debug)]
pub(crate) struct Board(Mutex<State>);

/// What stands on the board.
#[derive(Debug)]
pub(crate) struct State {
    /// The last whole round.
    pub shown: Option<Arc<Shown>>,
    /// Whole rounds so far.
    pub rounds: u64,
    /// Changes so far.
    pub changes: u64,
    /// When the last round ended.
    pub ended_at: Option<Timestamp>,
    /// How long the last round took.
    pub duration: Duration,
    /// Whether the last reading of catalog, documents and certificates came to something.
    pub is_reloaded: bool,
    /// When catalog, documents and certificates were last read with success.
    pub reloaded_at: Timestamp,
    /// What went wrong.
    pub faults: Faults,
    /// Connections that are open.
    pub connections: usize,
    started_at: Timestamp,
    /// When something last came of probing, and how long that may take.
    progress: Instant,
    patience: Duration,
}

/// A round as readers get it. Each page is rendered when somebody asks for it first.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What was seen.
    pub report: Arc<Report>,
    metrics: OnceLock<String>,
    html: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Shown {
    fn new(report: Arc<Report>) -> Self {
        Self {
            report,
            metrics: OnceLock::new(),
            html: OnceLock::new(),
            json: OnceLock::new(),
        }
    }

    /// Its metrics.
    pub(super) fn metrics(&self) -> &str {
        self.metrics.get_or_init(|| metrics::of_round(Some(&self.report)))
    }

    /// Its HTML report.
    pub(super) fn html(&self) -> Full<Bytes> {
        Full::new(self.html.get_or_init(|| pages::html(&self.report)).clone())
    }

    /// Its JSON report.
    pub(super) fn json(&self) -> Full<Bytes> {
        Full::new(self.json.get_or_init(|| pages::json(&self.report)).clone())
    }
}

impl Board {
    /// A board with nothing on it. `patience` is how long may pass from one round's end to the next's before the agent
    /// counts as stuck.
    pub(crate) fn new(patience: Duration) -> Self {
        let now = Timestamp::now();
        Self(Mutex::new(State {
            shown: None,
            rounds: 0,
            changes: 0,
            ended_at: None,
            duration: Duration::ZERO,
            is_reloaded: true,
            reloaded_at: now,
            faults: Faults::default(),
            connections: 0,
            started_at: now,
            progress: Instant::now(),
            patience,
        }))
    }

    /// What stands on it. Held for a moment only.
    pub(crate) fn read(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a whole round, which took so long and changed so much.
    pub(crate) fn show(&self, report: Arc<Report>, took: Duration, changes: usize) {
        let shown = Arc::new(Shown::new(report));
        let mut state = self.read();
        state.shown = Some(shown);
        state.rounds += 1;
        state.changes += changes as u64;
        state.duration = took;
        state.ended_at = Some(Timestamp::now());
        state.progress = Instant::now();
    }

    /// Counts a fault, and says it.
    pub(crate) fn fault(&self, fault: Fault, text: &str) {
        let line = self.read().faults.note(fault, text, Instant::now());
        if let Some(line) = line {
            fault::tell(&line);
        }
    }

    /// Takes note of how a reading of catalog, documents and certificates went.
    pub(crate) fn reloaded(&self, is_well: bool) {
        let mut state = self.read();
        state.is_reloaded = is_well;
        if is_well {
            state.reloaded_at = Timestamp::now();
        }
    }
}

impl State {
    /// When the agent started.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Whether no round has come to an end for longer than one may take.
    pub(crate) fn is_stuck(&self) -> bool {
        self.progress.elapsed() > self.patience
    }
}
