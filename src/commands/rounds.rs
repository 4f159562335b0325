//! Rounds of one plan: doubtful results are probed a second time before they count.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::session::Session;
use crate::{
    diff::EndpointState,
    hello,
    model::{Report, Verdict},
    probe::{
        ProbeDepth, Run,
        flows::{EarlierResult, FlowDepth},
    },
    watch::{Baseline, Change, DebouncedFlows, Watch, confirm, schedule},
};

/// How often a round makes several connections although nothing changed.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// What is known after some rounds, and what the next one has to probe again.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// Until the first round is complete; then the watch holds it.
    baseline: Option<Baseline>,
    watch: Option<Watch>,
    /// What was known about another plan, until the first round of this one is complete.
    before: Option<Watch>,
    /// Endpoints whose connections differ.
    debounced: DebouncedFlows,
    /// When several connections to an address were last made, and where they were made.
    several: Option<Instant>,
}

/// A finished round.
pub(super) struct Round {
    /// What was seen.
    pub report: Report,
    /// What it changed; nothing in the first one, in which everything is new.
    pub changes: Vec<Change>,
    /// Whether it is complete. An interrupted round shows nothing about the rest, and is not used.
    pub is_whole: bool,
}

impl Rounds {
    /// No rounds yet; they are compared with a baseline, if there is one.
    pub(super) fn new(baseline: Option<Baseline>) -> Self {
        Self {
            baseline,
            ..Self::default()
        }
    }

    /// What is known; nothing before the first complete round.
    pub(super) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// How many rounds were complete, of this plan and of those before it.
    pub(super) fn count(&self) -> u64 {
        let watch = self.watch.as_ref().or(self.before.as_ref());
        watch.map_or(0, Watch::rounds)
    }

    /// Continues with another plan. What is known about endpoints in both plans stays; the next round must be a full
    /// one.
    pub(super) fn replan(&mut self) {
        self.before = self.watch.take().or(self.before.take());
        self.debounced = DebouncedFlows::default();
        self.several = None;
    }

    /// What is known at the end.
    pub(super) fn into_watch(self) -> Option<Watch> {
        self.watch
    }

    /// Probes everything once, and records what changed.
    pub(super) fn run_round(&mut self, session: &Session<'_>, depth: ProbeDepth) -> Round {
        let (began, started_at) = (Instant::now(), Timestamp::now());
        let reach = self.reach(depth);
        let is_quiet = reach.only_on_change;
        let mut run = session.probe(depth, reach, began, pending(), |_| {});
        let mut report = session.report(&run, started_at);
        if is_quiet && !self.debounced.is_empty() {
            self.hold(&report, &mut run);
            report = session.report(&run, started_at);
        }
        let doubtful: Vec<usize> = (0..report.endpoints.len())
            .filter(|index| run.traces[*index].is_some() && self.is_doubtful(&report, *index, session.timeout()))
            .collect();
        if !run.interrupted && !doubtful.is_empty() {
            run = session.probe_again(run, depth, began, &doubtful);
            report = session.report(&run, started_at);
        }
        for (index, (endpoint, trace)) in report.endpoints.iter().zip(&run.traces).enumerate() {
            self.debounced.note(index, endpoint, trace.as_ref());
        }
        let report = session.shown(report);
        let is_whole = !run.interrupted;
        let changes = if is_whole {
            self.record_report(&report, depth)
        } else {
            Vec::new()
        };
        Round {
            report,
            changes,
            is_whole,
        }
    }

    fn record_report(&mut self, report: &Report, depth: ProbeDepth) -> Vec<Change> {
        let at = Timestamp::now();
        if let Some(watch) = &mut self.watch {
            return watch.observe(report, depth, at);
        }
        let (watch, changes) = match self.before.take() {
            Some(before) => before.renewed(report, at),
            None => (Watch::begin(report, at, self.baseline.take()), Vec::new()),
        };
        self.watch = Some(watch);
        changes
    }

    /// How many connections a round makes: all of them in a full one, once per hour, and if single connections have
    /// agreed for long although they used to differ; otherwise only where something changes.
    fn reach(&mut self, depth: ProbeDepth) -> FlowDepth {
        let is_due = self.several.is_none_or(|last| last.elapsed() >= HOUR);
        let only_on_change = depth == ProbeDepth::Light && !is_due && !self.debounced.is_doubtful();
        if !only_on_change {
            self.several = Some(Instant::now());
        }
        let known = self
            .watch
            .iter()
            .flat_map(Watch::rows)
            .enumerate()
            .filter_map(|(index, row)| {
                let known = match row.timeline.state().verdict {
                    _ if self.debounced.holds(index) => EarlierResult::Differs,
                    Verdict::Reachable | Verdict::Degraded => EarlierResult::Proves,
                    Verdict::Blocked => EarlierResult::Fails,
                    Verdict::Unproven | Verdict::NotTested => return None,
                };
                Some((row.id.clone(), known))
            });
        FlowDepth {
            only_on_change,
            known: Arc::new(known.collect()),
        }
    }

    /// If nothing required several connections, what they showed before replaces what one shows now.
    fn hold(&mut self, report: &Report, run: &mut Run) {
        let made_one = |index: &usize| report.endpoints[*index].flows.is_none();
        for index in self.debounced.indices().into_iter().filter(made_one) {
            if let Some(trace) = self.debounced.record_one(index, &report.endpoints[index]) {
                run.traces[index] = Some(trace);
            }
        }
    }

    fn is_doubtful(&self, report: &Report, index: usize, timeout: Duration) -> bool {
        let endpoint = &report.endpoints[index];
        let known = match (&self.watch, &self.before) {
            (Some(watch), _) => watch.known(index),
            (None, before) => before.as_ref().and_then(|before| before.known_of(&endpoint.id)),
        };
        confirm::needs_second_look(known, EndpointState::of(endpoint), timeout)
    }
}

/// When the round after one that began at `started` begins.
pub(super) fn next_start(started: Instant, interval: Duration) -> Instant {
    let chance = u16::from_ne_bytes(hello::random());
    schedule::next_start(started, interval, chance, Instant::now())
}
