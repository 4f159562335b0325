//! Several connections to one address.
//!
//! Networks are built in pairs, and an appliance is selected by source port: one failed connection is not enough to
//! call an address blocked. A second one, from another port, starts while the first still waits, or at once after it
//! failed. As soon as any address of the run has shown both outcomes, more connections are made to every address that
//! was not verified and to every address that has shown both; at most two if the endpoint is only documented. Nothing
//! here decides what a failure means; the run's policy defines one.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch},
    time::Instant,
};

use super::{stages::ProbeContext, trace::Attempt};
use crate::{
    model::Need,
    net::tcp::{ConnectOptions, TcpEnd},
    plan::PlannedEndpoint,
};

mod address_tally;
pub mod connection_progress;

use self::{
    address_tally::AddressTally,
    connection_progress::{ConnectionProgress, StageClock},
};

/// Maximum number of connections to one address.
pub const MAX_CONNECTIONS: usize = 8;
/// A second connection starts after this share of the time limit …
const SECOND_CONNECTION_SHARE: u32 = 5;
/// … and no later than this.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The MSS of connections that are made after those with the usual one stopped responding: every host must accept it
/// (RFC 1122 §4.2.2.6).
pub const SMALL_SEGMENT: u32 = 536;

/// The result of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionResult {
    /// The service was verified.
    Proved,
    /// It was verified, and sent nothing after our next data.
    ProvedThenSilent,
    /// It failed.
    Failed,
    /// It failed: accepted, and no reply after our first data.
    WentSilent,
    /// Something answered that does not prove the service.
    Nothing,
    /// This machine could not try, or had no time left.
    NotTried,
}

impl ConnectionResult {
    fn is_proof(self) -> bool {
        matches!(self, Self::Proved | Self::ProvedThenSilent)
    }
}

/// The result of an earlier run for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierResult {
    /// The service was verified.
    Proves,
    /// It failed.
    Fails,
    /// Some connections passed and some did not.
    Differs,
}

/// How many connections a run makes to an address.
#[derive(Debug, Clone, Default)]
pub struct FlowDepth {
    /// One, as long as it confirms what is known; otherwise as many as needed, from the start.
    pub only_on_change: bool,
    /// What is already known, by the endpoint's id.
    pub known: Arc<HashMap<String, EarlierResult>>,
}

/// The results of the run's connections so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowsSoFar {
    /// Whether further connections are made at all.
    pub open: bool,
    /// Whether any address has shown both outcomes.
    pub differ: bool,
}

/// What the connections of a run share.
#[derive(Debug)]
pub struct Flows {
    known: Arc<HashMap<String, EarlierResult>>,
    /// Whether connections with small segments may be made.
    controls: bool,
    showing: fn(&PlannedEndpoint, &Attempt) -> ConnectionResult,
    /// One permit for each probe and each further connection in flight.
    slot: Arc<Semaphore>,
    shown: watch::Sender<FlowsSoFar>,
    /// For each address, whether a connection to it was lost, and whether one was opened.
    opening: Mutex<HashMap<SocketAddr, [bool; 2]>>,
    second_connection_after: Duration,
}

impl Flows {
    /// State for connections of a run with this limit on connections in flight, and this limit for each stage.
    pub fn new(
        reach: &FlowDepth,
        controls: bool,
        showing: fn(&PlannedEndpoint, &Attempt) -> ConnectionResult,
        concurrency: usize,
        timeout: Duration,
    ) -> Self {
        Self {
            known: reach.known.clone(),
            controls,
            showing,
            slot: Arc::new(Semaphore::new(concurrency.max(1))),
            shown: watch::Sender::new(FlowsSoFar {
                open: !reach.only_on_change,
                differ: false,
            }),
            opening: Mutex::default(),
            second_connection_after: (timeout / SECOND_CONNECTION_SHARE).min(MAX_WAIT),
        }
    }

    /// The permit for one more probe, as soon as one is free; further connections never delay it for long.
    pub async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slot.clone().acquire_owned().await.ok()
    }

    /// The results so far, and a channel for updates.
    pub fn shown(&self) -> watch::Receiver<FlowsSoFar> {
        self.shown.subscribe()
    }

    /// The addresses that still need further connections, for which there was no permit or no reason earlier.
    pub fn addresses_to_retry(&self, endpoint: &PlannedEndpoint, attempts: &[Attempt]) -> Vec<SocketAddr> {
        let mut owed = Vec::new();
        for attempt in attempts {
            let address = attempt.address;
            if attempt.not_tried.is_none() && !owed.contains(&address) {
                let tally = AddressTally::of(self, endpoint, address, attempts);
                if tally.needs_connection(self, endpoint, Duration::ZERO)
                    || tally.needs_small_segments(self, endpoint, 0)
                {
                    owed.push(address);
                }
            }
        }
        owed
    }

    fn add(&self, more: FlowsSoFar) {
        self.shown.send_if_modified(|shown| {
            let before = *shown;
            shown.open |= more.open;
            shown.differ |= more.differ;
            *shown != before
        });
    }

    /// Records whether an address opens, for any endpoint: before data is sent, connections to it differ only in their
    /// ports.
    fn note(&self, endpoint: &PlannedEndpoint, attempt: &Attempt) {
        let opens = match attempt.tcp.as_ref().map(|tcp| &tcp.end) {
            Some(TcpEnd::Open) => true,
            Some(TcpEnd::Silent { .. }) => false,
            Some(TcpEnd::Failed(_)) | None => return,
        };
        if endpoint.need == Need::Documented || attempt.segment.is_some() {
            return;
        }
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = opening.entry(attempt.address).or_default();
        seen[usize::from(opens)] = true;
        let differ = *seen == [true, true];
        drop(opening);
        self.add(FlowsSoFar { open: false, differ });
    }

    /// The limit for a stage, after this much time on earlier connections. If the connection had to wait for a permit,
    /// and no connections of the run differ, it only confirms the earlier results, which had their full time, and must
    /// not double the run's.
    fn time(&self, timeout: Duration, spent: Duration) -> Duration {
        if self.shown.borrow().differ {
            timeout
        } else {
            timeout.saturating_sub(spent).max(self.second_connection_after * 2 / 5)
        }
    }

    fn show(&self, endpoint: &PlannedEndpoint, attempt: &Attempt) -> ConnectionResult {
        (self.showing)(endpoint, attempt)
    }
}

impl ProbeContext {
    /// Probes one address over one connection, and over more if the results so far require it. `earlier` are those that
    /// were made to it before. The caller holds a permit for the first one's socket.
    pub async fn connections(
        &self,
        endpoint: &PlannedEndpoint,
        address: SocketAddr,
        earlier: &[Attempt],
    ) -> Vec<Attempt> {
        let flows = &self.flows;
        let mut tally = AddressTally::of(flows, endpoint, address, earlier);
        let mut updates = flows.shown();
        let mut underway = InFlight::new(self);
        let began = Instant::now();
        let mut running = FuturesUnordered::new();
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut permits = Some(Vec::new());
        loop {
            updates.mark_unchanged();
            let waits = underway.waits(flows.second_connection_after);
            flows.add(tally.adds(flows, endpoint, waits.longest));
            let needs_small_segments = tally.needs_small_segments(flows, endpoint, waits.silent);
            let usual =
                tally.needs_connection(flows, endpoint, waits.longest) || (permits.is_some() && !needs_small_segments);
            let small = !usual && needs_small_segments;
            if (usual || small)
                && let Some(permits) = permits.take().or_else(|| self.spare_permits())
            {
                let options = ConnectOptions {
                    segment: small.then_some(SMALL_SEGMENT),
                    early_port: tally.is_odd(),
                    ..ConnectOptions::default()
                };
                tally.start(options.segment);
                let spent = if earlier.is_empty() {
                    began.elapsed()
                } else {
                    self.limits.timeout
                };
                let progress = underway.add(self, small, flows.time(self.limits.timeout, spent));
                running.push(async move {
                    let attempt = self.attempt(endpoint, address, options, &progress).await;
                    drop(permits);
                    (progress, attempt)
                });
                continue;
            }
            let wake = async { tokio::time::sleep_until(waits.next.unwrap_or_else(Instant::now)).await };
            tokio::select! {
                ended = running.next() => {
                    let Some((progress, attempt)) = ended else { break };
                    underway.remove(&progress);
                    if Instant::now() >= self.end {
                        // Its result is not needed any more.
                        tally.end(attempt.segment, ConnectionResult::Nothing);
                        attempts.push(attempt);
                        continue;
                    }
                    flows.note(endpoint, &attempt);
                    let showing = flows.show(endpoint, &attempt);
                    if !showing.is_proof() && progress.was_shortened() && !tally.is_first() {
                        tally.end(attempt.segment, ConnectionResult::Nothing);
                    } else {
                        tally.end(attempt.segment, showing);
                        attempts.push(attempt);
                    }
                }
                () = wake, if waits.next.is_some() => {}
                // The sender exists as long as this.
                _ = updates.changed() => {}
            }
        }
        attempts.sort_by_key(|attempt| attempt.started);
        attempts
    }

    /// What a further connection needs: a free permit and a free socket, since others come first, and time.
    fn spare_permits(&self) -> Option<Vec<SemaphorePermit<'_>>> {
        if self.end.saturating_duration_since(Instant::now()) < self.limits.timeout / 2 {
            return None;
        }
        let slot = self.flows.slot.try_acquire().ok()?;
        Some(vec![slot, self.sockets.try_acquire().ok()?])
    }
}

/// The open connections to one address.
struct InFlight {
    clock: Arc<StageClock>,
    /// Their courses, and whether their segments are small.
    progresses: Vec<(Arc<ConnectionProgress>, bool)>,
}

/// How long connections may wait in their stages.
struct StageWaits {
    longest: Duration,
    /// How many have waited for long after our data was sent.
    silent: usize,
    /// When one of them will have waited for long.
    next: Option<Instant>,
}

impl InFlight {
    fn new(stages: &ProbeContext) -> Self {
        Self {
            clock: Arc::new(StageClock::new(stages)),
            progresses: Vec::new(),
        }
    }

    /// Adds one, in parallel with the others; after them, the time starts again, with this limit for each stage.
    fn add(&mut self, stages: &ProbeContext, small: bool, timeout: Duration) -> Arc<ConnectionProgress> {
        if self.progresses.is_empty() {
            self.clock = Arc::new(StageClock::within(stages, timeout));
        }
        let progress = Arc::new(ConnectionProgress::parallel(self.clock.clone()));
        self.progresses.push((progress.clone(), small));
        progress
    }

    fn remove(&mut self, progress: &Arc<ConnectionProgress>) {
        self.progresses.retain(|(other, _)| !Arc::ptr_eq(other, progress));
    }

    /// How those with the usual segments wait.
    fn waits(&self, second_connection_after: Duration) -> StageWaits {
        let now = Instant::now();
        let usual = || {
            self.progresses
                .iter()
                .filter(|(_, small)| !small)
                .map(|(progress, _)| progress)
        };
        let turns = usual().flat_map(|progress| [1, 2].map(|times| progress.since() + times * second_connection_after));
        StageWaits {
            longest: usual()
                .map(|progress| now.duration_since(progress.since()))
                .max()
                .unwrap_or_default(),
            silent: usual()
                .filter(|progress| progress.is_silent(now, second_connection_after))
                .count(),
            next: turns.filter(|time| *time > now).min(),
        }
    }
}
