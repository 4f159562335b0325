//! Times in which this machine's own network was out: what failed then shows nothing about the network beyond it.

use std::{net::IpAddr, time::Duration};

use super::outcome::{AttemptVerdict, Judgement};
use crate::{
    model::{Cause, FailureMode, Stage, Verdict},
    plan::Plan,
    probe::{
        Run,
        own_network::{Lost, Outage, OutageCoverage, OwnNetwork},
        trace::Trace,
    },
    text::words,
};

/// Withdraws the block of every endpoint whose failures are all covered by an outage of this machine's own network.
pub(super) fn reconsider(plan: &Plan, run: &Run, judgements: &mut [Judgement]) {
    if run.own_network.outages.is_empty() {
        return;
    }
    for ((endpoint, trace), judgement) in plan.endpoints.iter().zip(&run.traces).zip(judgements) {
        let Some(trace) = trace.as_ref().filter(|_| judgement.verdict == Verdict::Blocked) else {
            continue;
        };
        if let Some((outage, OutageCoverage::Whole)) = of(&run.own_network, trace, judgement)
            && endpoint.untested.is_none()
        {
            judgement.verdict = Verdict::NotTested;
            judgement.cause = Some(Cause::LocalFault);
            judgement.name = judgement.name.map(|name| name.map_err(|_| Cause::LocalFault));
            judgement.detail = sentence(outage);
            judgement.evidence.insert(0, judgement.detail.clone());
            if judgement.name.is_some_and(|name| name.is_err()) {
                judgement.stage = Some(Stage::Dns);
            }
        }
    }
}

/// The outage that may explain why an endpoint failed, and how much of its failures it covers; `None` if nothing failed
/// meanwhile, or something passed.
pub(super) fn of<'a>(
    own: &'a OwnNetwork,
    trace: &Trace,
    judgement: &Judgement,
) -> Option<(&'a Outage, OutageCoverage)> {
    if own.outages.is_empty() || judgement.outcomes.iter().any(|outcome| outcome.verdict.passes()) {
        return None;
    }
    let failures = failures(trace, judgement);
    let covered: Vec<Option<(&Outage, OutageCoverage)>> = failures
        .iter()
        .map(|(to, from, until)| own.outage(*to, *from, *until))
        .collect();
    let first = covered
        .iter()
        .flatten()
        .copied()
        .max_by_key(|(_, coverage)| *coverage)?;
    let is_whole = covered.iter().all(|it| matches!(it, Some((_, OutageCoverage::Whole))));
    Some((
        first.0,
        if is_whole {
            OutageCoverage::Whole
        } else {
            OutageCoverage::Part
        },
    ))
}

/// What happened, without a capital: `network interface eth0 went down 0.3 s into the run`.
pub(super) fn sentence(outage: &Outage) -> String {
    let (interface, what) = (&outage.interface, what_happened(outage.lost));
    match (outage.from, outage.until) {
        (None, _) => format!("network interface {interface} {what} during the run"),
        (Some(from), None) => format!(
            "network interface {interface} {what} {} into the run and did not come back",
            words::duration(from)
        ),
        (Some(from), Some(until)) => format!(
            "network interface {interface} {what} {} into the run, until {}",
            words::duration(from),
            words::duration(until)
        ),
    }
}

/// What happened to an interface, after its name: `went down`.
pub(super) fn what_happened(lost: Lost) -> &'static str {
    match lost {
        Lost::Interface => "was removed",
        Lost::Link => "went down",
        Lost::Carrier => "lost its carrier",
        Lost::Address => "lost its IPv4 address",
        Lost::Route => "lost its route",
    }
}

/// The addresses at which something failed silently or could not be sent, each from when until when.
fn failures(trace: &Trace, judgement: &Judgement) -> Vec<(IpAddr, Duration, Duration)> {
    let fails = |verdict: &AttemptVerdict| match verdict {
        AttemptVerdict::Failed(cause) => {
            cause.ending() == FailureMode::Silence || matches!(cause, Cause::TcpNoRoute | Cause::UdpUnreachable)
        }
        AttemptVerdict::NotTried(cause) => *cause == Cause::LocalFault,
        _ => false,
    };
    let attempts = trace.attempts.iter().zip(&judgement.outcomes);
    let mut failures: Vec<(IpAddr, Duration, Duration)> = attempts
        .filter(|(_, outcome)| fails(&outcome.verdict))
        .map(|(attempt, _)| {
            (
                attempt.address.ip(),
                attempt.started,
                attempt.started + attempt.duration(),
            )
        })
        .collect();
    if let (Some(name), Some(Err(_))) = (&trace.name, judgement.name) {
        failures.extend(name.decision().map(|reply| {
            let exchange = &reply.v4;
            (exchange.server.ip(), name.started, name.started + exchange.duration)
        }));
    }
    failures
}
