//! Watching: rounds in, changes out. Pure: no socket, no clock.
//!
//! **What confirms a change.** `reachable` counts at once, since a service was verified. Anything else that differs from
//! the known state is tried over a second connection while the first still waits, and is probed again at once, in the same
//! round; the second result decides. A missing reply needs no second probe if the timeout leaves time to send each packet
//! twice ([`confirm`]). So a single lost packet changes nothing, and a change is reported within one interval and one
//! timeout.
//!
//! **How many connections.** One to each address, except when something changes, in full rounds, and once per hour.
//! Endpoints whose connections differ keep the result of several connections ([`debounce`]).
//!
//! **What a light round cannot see** stays as in the last full round: that name servers differ, and whether a name is
//! unknown to all of them.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    diff::EndpointState,
    model::{Cause, EndpointReport, Need, Report, Verdict},
    probe::ProbeDepth,
    report::view,
};

pub mod baseline;
pub mod carry_over;
pub mod change;
pub mod confirm;
pub mod debounce;
pub mod schedule;
pub mod text;
pub mod timeline;

pub use self::{baseline::Baseline, change::Change, debounce::DebouncedFlows, timeline::Timeline};

/// Everything that is known after some rounds. Its size depends on the plan only, however long it runs.
#[derive(Debug)]
pub struct Watch {
    rows: Vec<WatchedEndpoint>,
    rounds: u64,
    changes: u64,
    began: Timestamp,
    baseline: Option<Baseline>,
}

/// One endpoint and its state.
#[derive(Debug)]
pub struct WatchedEndpoint {
    /// Its id.
    pub id: String,
    /// `host:port`, or the id if several endpoints share that.
    pub label: String,
    /// How much it counts.
    pub need: Need,
    /// Whether it is not as expected.
    pub is_unhealthy: bool,
    /// Its outcome.
    pub timeline: Timeline,
    /// The depth of the latest round in which it had this state.
    seen_in: ProbeDepth,
}

impl Watch {
    /// Starts with the first round, which was a full one. Everything in it is new, so nothing in it is a change.
    pub fn begin(first: &Report, at: Timestamp, baseline: Option<Baseline>) -> Self {
        let mut shared: HashMap<&str, usize> = HashMap::new();
        for endpoint in &first.endpoints {
            *shared.entry(endpoint.target()).or_default() += 1;
        }
        let label = |endpoint: &EndpointReport| match shared.get(endpoint.target()) {
            Some(1) => endpoint.target().to_owned(),
            _ => endpoint.id.clone(),
        };
        let row = |endpoint: &EndpointReport| WatchedEndpoint {
            id: endpoint.id.clone(),
            label: label(endpoint),
            need: endpoint.need,
            is_unhealthy: is_unhealthy(endpoint),
            timeline: Timeline::begin(EndpointState::of(endpoint), at),
            seen_in: ProbeDepth::Full,
        };
        Self {
            rows: first.endpoints.iter().map(row).collect(),
            rounds: 1,
            changes: 0,
            began: at,
            baseline,
        }
    }

    /// Continues with the first round of another plan, which was a full one, and returns what it changed among the
    /// endpoints in both plans. These keep their history.
    pub fn renewed(self, first: &Report, at: Timestamp) -> (Self, Vec<Change>) {
        let mut watch = Self::begin(first, at, self.baseline);
        watch.rounds += self.rounds;
        watch.began = self.began;
        let mut before: HashMap<String, Timeline> = self.rows.into_iter().map(|row| (row.id, row.timeline)).collect();
        let mut changes = Vec::new();
        for row in &mut watch.rows {
            let Some(timeline) = before.remove(&row.id) else {
                continue;
            };
            let seen = row.timeline.state();
            row.timeline = timeline;
            let known = row.timeline.state();
            if known != seen {
                let lasted = row.timeline.record(seen, at);
                changes.push(Change::new(row, watch.rounds, at, known, lasted));
            }
        }
        watch.changes = self.changes + changes.len() as u64;
        (watch, changes)
    }

    /// Adds a further round of the same plan, which ended at a time, and returns what it changed.
    pub fn observe(&mut self, report: &Report, depth: ProbeDepth, at: Timestamp) -> Vec<Change> {
        self.rounds += 1;
        let mut changes = Vec::new();
        for (row, endpoint) in self.rows.iter_mut().zip(&report.endpoints) {
            let (known, seen) = (row.timeline.state(), EndpointState::of(endpoint));
            if row.seen_in == ProbeDepth::Full && depth == ProbeDepth::Light && is_unseen_in_light_mode(known, seen) {
                continue;
            }
            row.seen_in = depth;
            row.is_unhealthy = is_unhealthy(endpoint);
            if known == seen {
                continue;
            }
            let lasted = row.timeline.record(seen, at);
            changes.push(Change::new(row, self.rounds, at, known, lasted));
        }
        self.changes += changes.len() as u64;
        changes
    }

    /// The previous state of an endpoint, by its index in the plan.
    pub fn known(&self, index: usize) -> Option<EndpointState> {
        self.rows.get(index).map(|row| row.timeline.state())
    }

    /// The previous state of an endpoint, by its id.
    pub fn known_of(&self, id: &str) -> Option<EndpointState> {
        self.rows
            .iter()
            .find(|row| row.id == id)
            .map(|row| row.timeline.state())
    }

    /// Every endpoint, in the order of the plan.
    pub fn rows(&self) -> &[WatchedEndpoint] {
        &self.rows
    }

    /// How many rounds were added.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// How many changes there were.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// When the first round ended.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The baseline.
    pub fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_ref()
    }

    /// The endpoints that differ from the baseline, each with its state there; `None` if it was not there.
    pub fn differing(&self) -> impl Iterator<Item = (&WatchedEndpoint, Option<EndpointState>)> {
        let rows = self.baseline.iter().flat_map(|_| &self.rows);
        rows.map(|row| (row, self.baseline.as_ref().and_then(|baseline| baseline.state(&row.id))))
            .filter(|(row, then)| *then != Some(row.timeline.state()))
    }
}

/// Whether an endpoint is not as expected, or not known to be; an untestable one does not count.
fn is_unhealthy(endpoint: &EndpointReport) -> bool {
    endpoint.need != Need::Documented
        && !matches!(
            view::status(endpoint),
            view::GroupStatus::Ok | view::GroupStatus::NotTested
        )
}

/// Whether a light round may show the second state where a full one shows the first.
fn is_unseen_in_light_mode(full: EndpointState, light: EndpointState) -> bool {
    let unknown = |state: EndpointState| {
        matches!(
            (state.verdict, state.cause),
            (Verdict::Blocked, Some(Cause::DnsNxdomain)) | (Verdict::NotTested, Some(Cause::Retired))
        )
    };
    // Degraded without a cause: name servers differ.
    let doubted = full.verdict == Verdict::Degraded && full.cause.is_none();
    (doubted && light.verdict == Verdict::Reachable) || (unknown(full) && unknown(light))
}
