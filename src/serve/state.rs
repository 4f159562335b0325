//! The shared state: the last round, and counters since the start.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::body::Bytes;
use jiff::Timestamp;

use super::{
    ServeFault,
    fault::{self, Faults},
    log::{self, Log},
    metrics, pages,
};
use crate::{model::Report, redact::Redactor};

/// The state that rounds write and readers read.
#[derive(Debug)]
pub(crate) struct ServeState {
    state: Mutex<StateInner>,
    log: OnceLock<Log>,
    redactor: OnceLock<Arc<Redactor>>,
}

/// What rounds and reloads have produced so far.
#[derive(Debug)]
pub(crate) struct StateInner {
    /// The last complete round.
    pub shown: Option<Arc<PublishedRound>>,
    /// Complete rounds so far.
    pub rounds: u64,
    /// Changes so far.
    pub changes: u64,
    /// When the last round finished.
    pub ended_at: Option<Timestamp>,
    /// How long the last round took.
    pub duration: Duration,
    /// Which of the parts were invalid when they were last read.
    broken: [bool; ReloadedPart::ALL.len()],
    /// When catalog, documents and certificates were last reloaded successfully.
    pub reloaded_at: Timestamp,
    /// The faults.
    pub faults: Faults,
    /// Connections that are open.
    pub connections: usize,
    started_at: Timestamp,
    /// When probing last produced a result, and how long that may take.
    progress: Instant,
    stale_after: Duration,
}

/// A round as readers get it. Each page is rendered on its first request.
#[derive(Debug)]
pub(crate) struct PublishedRound {
    /// The results.
    pub report: Arc<Report>,
    metrics: OnceLock<String>,
    html: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl PublishedRound {
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

impl ServeState {
    /// No round yet. `stale_after` is how long may pass between the ends of two rounds before the agent counts as stuck.
    pub(crate) fn new(stale_after: Duration) -> Self {
        let now = Timestamp::now();
        let state = StateInner {
            shown: None,
            rounds: 0,
            changes: 0,
            ended_at: None,
            duration: Duration::ZERO,
            broken: [false; ReloadedPart::ALL.len()],
            reloaded_at: now,
            faults: Faults::default(),
            connections: 0,
            started_at: now,
            progress: Instant::now(),
            stale_after,
        };
        Self {
            state: Mutex::new(state),
            log: OnceLock::new(),
            redactor: OnceLock::new(),
        }
    }

    /// Redacts the user's names in faults from now on.
    pub(crate) fn redact(&self, redactor: Arc<Redactor>) {
        let _ = self.redactor.set(redactor);
    }

    /// Redacts the names of files as well.
    pub(crate) fn know_files<'p>(&self, files: impl IntoIterator<Item = &'p Path>) {
        if let Some(redactor) = self.redactor.get() {
            files.into_iter().for_each(|file| redactor.learn_file(file));
        }
    }

    /// Writes to a log from now on.
    pub(crate) fn keep(&self, log: Log) {
        // There is one log for the life of the state.
        let _ = self.log.set(log);
    }

    /// The log, if there is one.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.get()
    }

    /// The content. Hold it only for a moment.
    pub(crate) fn read(&self) -> MutexGuard<'_, StateInner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a complete round, with its duration and its number of changes.
    pub(crate) fn show(&self, report: Arc<Report>, took: Duration, changes: usize) {
        let shown = Arc::new(PublishedRound::new(report));
        let mut state = self.read();
        state.shown = Some(shown);
        state.rounds += 1;
        state.changes += changes as u64;
        state.duration = took;
        state.ended_at = Some(Timestamp::now());
        state.progress = Instant::now();
    }

    /// Counts a fault, and reports it.
    pub(crate) fn fault(&self, fault: ServeFault, text: &str) {
        let redacted = self.redactor.get().map(|redactor| redactor.notice(text));
        let text = redacted.as_deref().unwrap_or(text);
        let line = self.read().faults.note(fault, text, Instant::now());
        if let Some(line) = line {
            fault::log_line(&line);
            if let Some(log) = self.log() {
                log.append(log::fault(fault, &line));
            }
        }
    }

    /// Records whether a part was read successfully.
    pub(crate) fn reloaded(&self, part: ReloadedPart, is_valid: bool) {
        let mut state = self.read();
        state.broken[part as usize] = !is_valid;
        if state.is_reloaded() {
            state.reloaded_at = Timestamp::now();
        }
    }
}

/// What is reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReloadedPart {
    /// Catalog and documents, and the certificates that verify probes.
    Files,
    /// What the metadata service and, with `--service`, the management endpoint provide.
    Platform,
    /// `--web-config`, and the files that it names.
    AccessControl,
}

impl ReloadedPart {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Files, Self::Platform, Self::AccessControl];

    /// The word in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Platform => "platform",
            Self::AccessControl => "web-config",
        }
    }
}

impl StateInner {
    /// Whether every part was last read successfully.
    pub(crate) fn is_reloaded(&self) -> bool {
        !self.broken.contains(&true)
    }

    /// Whether a part was last read successfully.
    pub(crate) fn is_current(&self, part: ReloadedPart) -> bool {
        !self.broken[part as usize]
    }

    /// When the agent started.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Whether no round has finished for longer than a round may take.
    pub(crate) fn is_stuck(&self) -> bool {
        self.progress.elapsed() > self.stale_after
    }
}
