//! Which paths are traced: one for each group that is blocked.

use std::collections::HashMap;

use crate::{
    diagnosis::{
        Diagnosis,
        outcome::{AttemptVerdict, Judgement},
    },
    model::{Cause, Finding, FindingKind, Need, Transport, Verdict},
    net::tcp::TcpEnd,
    plan::{Plan, PlannedEndpoint},
    probe::{
        Run,
        flows::connection_progress::ConnectionStage,
        trace::Attempt,
        traceroute::{FlowSelection, MAX_TARGETS, TraceTarget},
    },
};

/// The addresses whose path is traced: one for each finding that blocks what the instance needs, the most important
/// first; none in a run in which nothing is blocked.
pub fn calls(plan: &Plan, run: &Run, diagnosis: &Diagnosis) -> Vec<TraceTarget> {
    let mut calls: Vec<TraceTarget> = Vec::new();
    let indices: HashMap<&str, usize> = plan.endpoints.iter().map(|it| it.id.as_str()).zip(0..).collect();
    for finding in &diagnosis.findings {
        if calls.len() == MAX_TARGETS {
            break;
        }
        let call = call(plan, run, diagnosis, finding, &indices);
        if let Some(call) = call.filter(|call| calls.iter().all(|other| other.address != call.address)) {
            calls.push(call);
        }
    }
    calls
}

/// Every address to which a packet left this machine for the first endpoint of a run, at most [`MAX_TARGETS`], with
/// connections from several ports.
pub fn every(run: &Run) -> Vec<TraceTarget> {
    let Some(trace) = run.traces.first().and_then(Option::as_ref) else {
        return Vec::new();
    };
    let mut calls: Vec<TraceTarget> = Vec::new();
    for attempt in trace.attempts.iter().filter(|attempt| attempt.segment.is_none()) {
        let is_known = calls.iter().any(|call| call.address == attempt.address);
        if left(attempt) && !is_known && calls.len() < MAX_TARGETS {
            calls.push(TraceTarget {
                flows: FlowSelection::Any,
                ..of(0, attempt)
            });
        }
    }
    calls
}

fn call(
    plan: &Plan,
    run: &Run,
    diagnosis: &Diagnosis,
    finding: &Finding,
    indices: &HashMap<&str, usize>,
) -> Option<TraceTarget> {
    let is_of_flows = finding.kind == Some(FindingKind::Flows);
    if finding.is_about_the_link() && !is_of_flows {
        return None;
    }
    let row = |id: &String| {
        let index = *indices.get(id.as_str())?;
        Some((index, plan.endpoints.get(index)?, diagnosis.judgements.get(index)?))
    };
    let rows: Vec<(usize, &PlannedEndpoint, &Judgement)> = finding.endpoints.iter().filter_map(row).collect();
    let attempts = |index: usize| {
        run.traces
            .get(index)
            .and_then(Option::as_ref)
            .map(|trace| &trace.attempts)
    };
    let blocked = rows.iter().find_map(|&(index, endpoint, judgement)| {
        let attempt = attempts(index)?.get(judgement.decisive?)?;
        is_blocked_on_the_way(endpoint, judgement, attempt).then(|| of(index, attempt))
    })?;
    if !is_of_flows {
        return Some(blocked);
    }
    // If both outcomes were seen, more connections may show more of both.
    let both = rows.iter().find_map(|&(index, endpoint, judgement)| {
        let flows = judgement
            .flows
            .filter(|flows| flows.passed > 0 && flows.passed < flows.tried)?;
        let is_tcp = endpoint.transport == Transport::Tcp && endpoint.need != Need::Documented && flows.tried > 0;
        let failed = judgement
            .outcomes
            .iter()
            .position(|outcome| !outcome.control && matches!(outcome.verdict, AttemptVerdict::Failed(_)))?;
        let attempt = attempts(index)?.get(failed)?;
        is_tcp.then(|| of(index, attempt))
    });
    Some(TraceTarget {
        flows: FlowSelection::OverSeveralHops,
        ..both.unwrap_or(blocked)
    })
}

/// Whether an endpoint that counts was blocked over TCP by a device other than this machine.
fn is_blocked_on_the_way(endpoint: &PlannedEndpoint, judgement: &Judgement, attempt: &Attempt) -> bool {
    left(attempt)
        && judgement.verdict == Verdict::Blocked
        && judgement.cause != Some(Cause::PathMtu)
        && judgement.as_expected(endpoint.expect) == Some(false)
        && endpoint.need != Need::Documented
}

/// Whether its SYNs left this machine, as far as that is known.
fn left(attempt: &Attempt) -> bool {
    match attempt.tcp.as_ref().map(|tcp| &tcp.end) {
        Some(TcpEnd::Open | TcpEnd::Silent { kept_here: false, .. }) => true,
        Some(TcpEnd::Failed(failure)) => !failure.immediate && failure.icmp.iter().all(|error| !error.own),
        Some(TcpEnd::Silent { .. }) | None => false,
    }
}

fn of(index: usize, attempt: &Attempt) -> TraceTarget {
    TraceTarget {
        endpoint: index,
        address: attempt.address,
        cut: cut_in(attempt),
        flows: FlowSelection::Nothing,
    }
}

/// The stage in which our data on an open connection was cut: the last that began. If anything other than the end came
/// back, the distance shows nothing.
pub fn cut_in(attempt: &Attempt) -> Option<ConnectionStage> {
    let opened = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    let sent = if attempt.tls.is_some() {
        Some(ConnectionStage::Handshake)
    } else if attempt.hello.is_some() {
        Some(ConnectionStage::Converse)
    } else if attempt.prelude.is_some() {
        Some(ConnectionStage::Prelude)
    } else {
        None
    };
    sent.filter(|_| opened)
}
