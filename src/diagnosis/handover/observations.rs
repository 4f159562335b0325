//! The connections and queries that are worth looking up.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    diagnosis::{
        outcome::{AttemptVerdict, Outcome},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Cause, Need, Protocol, SeenFlow},
    net::dns::{DnsEnd, DnsExchange},
};

/// A connection or a query, with what decides whether it is included.
pub(super) struct Observation {
    pub(super) flow: SeenFlow,
    /// When it ended.
    pub(super) end: Timestamp,
    /// How important its endpoint is.
    pub(super) need: Need,
    /// What is spoken there.
    pub(super) protocol: Protocol,
    /// How often the same was tried before.
    pub(super) repetition: usize,
}

/// What failed for these rows, in their order.
pub(super) fn seen(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<Observation> {
    let mut seen: Vec<Observation> = Vec::new();
    let mut before: HashMap<(String, SocketAddr), usize> = HashMap::new();
    let mut asked: HashSet<&str> = HashSet::new();
    for row in rows {
        let of_row = if !row.attempts().is_empty() {
            connections(row, view)
        } else if asked.insert(&row.endpoint.host) {
            questions(row, view)
        } else {
            // Endpoints of one name share its lookup.
            continue;
        };
        for mut one in of_row {
            let tried = before.entry((one.flow.host.clone(), one.flow.destination)).or_default();
            one.repetition = *tried;
            *tried += 1;
            seen.push(one);
        }
    }
    seen
}

/// The queries for the name of a row that gave no address.
fn questions(row: &ProbedEndpoint<'_>, view: &RunView<'_>) -> Vec<Observation> {
    let Some(name) = row.trace.and_then(|trace| trace.name.as_ref()) else {
        return Vec::new();
    };
    let failed = name.replies().filter(|reply| reply.addresses().is_empty());
    let exchanges = failed.map(|reply| &reply.v4).filter(|exchange| was_sent(exchange));
    let seen = exchanges.map(|exchange| {
        let flow = SeenFlow {
            source: exchange.source,
            destination: exchange.server,
            host: row.endpoint.host.clone(),
            transport: exchange.transport,
            at: moment(view, name.started),
            cause: row.judgement.cause,
        };
        Observation::new(flow, exchange.duration, row, Protocol::Dns)
    });
    seen.collect()
}

/// Whether anything left this machine.
fn was_sent(exchange: &DnsExchange) -> bool {
    !matches!(&exchange.end, DnsEnd::Failed(failure) if failure.immediate)
}

/// The connections of a row, or the queries to it if it is a UDP service.
fn connections(row: &ProbedEndpoint<'_>, view: &RunView<'_>) -> Vec<Observation> {
    let attempts = row.attempts().iter().zip(&row.judgement.outcomes);
    let counts = attempts.filter(|(attempt, outcome)| attempt.source().is_some() && is_worth_a_look(row, outcome));
    let seen = counts.map(|(attempt, outcome)| {
        let is_server = row.tested_server().is_some();
        let host = if is_server {
            &view.plan.control_name
        } else {
            &row.endpoint.host
        };
        let flow = SeenFlow {
            source: attempt.source(),
            destination: attempt.address,
            host: host.clone(),
            transport: row.endpoint.transport,
            at: moment(view, attempt.started),
            cause: outcome.verdict.cause(),
        };
        Observation::new(flow, attempt.duration(), row, row.endpoint.protocol)
    });
    seen.collect()
}

/// Whether a connection failed. One that never left this machine concerns no other team.
fn is_worth_a_look(row: &ProbedEndpoint<'_>, outcome: &Outcome) -> bool {
    let failed = match outcome.verdict {
        AttemptVerdict::Proved => !should_work(row),
        AttemptVerdict::NotTried(_) | AttemptVerdict::Failed(Cause::TcpNoRoute) => false,
        AttemptVerdict::Degraded(_) | AttemptVerdict::Unproven(_) | AttemptVerdict::Failed(_) => true,
    };
    failed && !outcome.control
}

impl Observation {
    fn new(flow: SeenFlow, duration: Duration, row: &ProbedEndpoint<'_>, protocol: Protocol) -> Self {
        Self {
            end: later(flow.at, duration),
            flow,
            need: row.endpoint.need,
            protocol,
            repetition: 0,
        }
    }
}

/// A moment of the run, according to the servers' clocks.
fn moment(view: &RunView<'_>, after: Duration) -> Timestamp {
    let here = later(view.began, after);
    let wrong = view.clock.filter(|clock| clock.signed && clock.is_off());
    let Some(wrong) = wrong else { return here };
    here.checked_sub(wrong.ahead).unwrap_or(here)
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or_default();
    time.checked_add(by).unwrap_or(time)
}
