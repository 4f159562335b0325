//! The connections to one address so far, and what to do next.

use std::{net::SocketAddr, time::Duration};

use super::{ConnectionResult, EarlierResult, Flows, FlowsSoFar, MAX_CONNECTIONS};
use crate::{
    model::{Need, Protocol, Transport},
    plan::PlannedEndpoint,
    probe::trace::Attempt,
};

/// How many connections with small segments are made, once this many with the usual ones stopped responding.
const SMALL: usize = 2;

/// The connections to one address so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AddressTally {
    started: usize,
    running: usize,
    proved: usize,
    failed: usize,
    /// The failed ones, and those that verified the service before.
    went_silent: usize,
    /// Those that verified the service.
    proved_then_silent: usize,
    not_tried: usize,
    small: usize,
}

impl AddressTally {
    /// The finished connections to an address.
    pub(super) fn of(flows: &Flows, endpoint: &PlannedEndpoint, address: SocketAddr, attempts: &[Attempt]) -> Self {
        let mut tally = Self::default();
        for attempt in attempts.iter().filter(|attempt| attempt.address == address) {
            tally.start(attempt.segment);
            tally.end(attempt.segment, flows.show(endpoint, attempt));
        }
        tally
    }

    /// Another one begins.
    pub(super) fn start(&mut self, segment: Option<u32>) {
        self.running += 1;
        match segment {
            None => self.started += 1,
            Some(_) => self.small += 1,
        }
    }

    /// One has ended.
    pub(super) fn end(&mut self, segment: Option<u32>, showing: ConnectionResult) {
        self.running -= 1;
        if segment.is_some() {
            return;
        }
        match showing {
            ConnectionResult::Proved => self.proved += 1,
            ConnectionResult::ProvedThenSilent => {
                self.proved += 1;
                self.proved_then_silent += 1;
                self.went_silent += 1;
            }
            ConnectionResult::Failed => self.failed += 1,
            ConnectionResult::WentSilent => {
                self.failed += 1;
                self.went_silent += 1;
            }
            ConnectionResult::Nothing => {}
            ConnectionResult::NotTried => self.not_tried += 1,
        }
    }

    /// Whether there was only one so far.
    pub(super) fn is_first(&self) -> bool {
        self.started + self.small == 1
    }

    /// Whether an odd number of them have begun.
    pub(super) fn is_odd(&self) -> bool {
        (self.started + self.small) % 2 == 1
    }

    /// Whether another connection is needed; `waited` is the longest time that one has waited in its stage.
    pub(super) fn needs_connection(&self, flows: &Flows, endpoint: &PlannedEndpoint, waited: Duration) -> bool {
        // Over UDP, each repetition of a query is a separate flow.
        let shown = *flows.shown.borrow();
        if endpoint.transport == Transport::Udp || !shown.open || self.not_tried > 0 || self.started == 0 {
            return false;
        }
        let fails = self.proved == 0 && self.fails(flows, waited);
        let differs = flows.known.get(&endpoint.id) == Some(&EarlierResult::Differs);
        match self.started {
            1 if endpoint.need == Need::Documented => fails,
            1 => fails || differs || self.proved_then_silent > 0,
            MAX_CONNECTIONS.. => false,
            _ if endpoint.need == Need::Documented => false,
            _ => differs || (shown.differ && (fails || self.passes_and_fails(flows, waited))),
        }
    }

    fn fails(&self, flows: &Flows, waited: Duration) -> bool {
        self.failed > 0 || waited >= flows.second_connection_after
    }

    /// What this address adds to what the run has shown.
    pub(super) fn adds(&self, flows: &Flows, endpoint: &PlannedEndpoint, waited: Duration) -> FlowsSoFar {
        let contradicts = match flows.known.get(&endpoint.id) {
            Some(EarlierResult::Proves) => self.proved == 0 && self.fails(flows, waited),
            Some(EarlierResult::Fails) => self.proved > 0,
            Some(EarlierResult::Differs) | None => false,
        };
        FlowsSoFar {
            open: contradicts,
            differ: endpoint.need != Need::Documented && self.passes_and_fails(flows, waited),
        }
    }

    /// Whether both outcomes occurred; a connection that keeps waiting long after another passed counts as failed.
    fn passes_and_fails(&self, flows: &Flows, waited: Duration) -> bool {
        self.proved > 0 && (self.failed > 0 || waited >= 2 * flows.second_connection_after)
    }

    /// Whether connections with small segments are needed; `mute` is how many have waited for long after our data was
    /// sent.
    pub(super) fn needs_small_segments(&self, flows: &Flows, endpoint: &PlannedEndpoint, mute: usize) -> bool {
        flows.controls
            && flows.shown.borrow().open
            && endpoint.need != Need::Documented
            // A query fits any segment.
            && endpoint.protocol != Protocol::Dns
            && self.proved == self.proved_then_silent
            && self.small < SMALL
            && self.went_silent + mute >= SMALL
    }
}
