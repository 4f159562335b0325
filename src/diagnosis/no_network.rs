//! A machine without any network: nothing was tried, so nothing is blocked.

use std::net::{IpAddr, SocketAddr};

use super::outcome::Judgement;
use crate::{
    model::{Cause, Stage, Verdict},
    net::{
        dns::{DnsEnd, DnsExchange},
        tcp::TcpEnd,
        udp::UdpEnd,
    },
    plan::Plan,
    probe::{
        Run,
        trace::{Attempt, NameTrace, ServerReply},
    },
};

/// Withdraws every block on a machine that has no address and sent nothing.
pub(super) fn reconsider(plan: &Plan, run: &Run, addresses: &[IpAddr], judgements: &mut [Judgement]) {
    if !addresses.is_empty() || something_left(run) {
        return;
    }
    for (_, judgement) in plan
        .endpoints
        .iter()
        .zip(judgements)
        .filter(|(endpoint, judgement)| endpoint.untested.is_none() && judgement.verdict == Verdict::Blocked)
    {
        judgement.verdict = Verdict::NotTested;
        judgement.cause = Some(Cause::LocalFault);
        judgement.name = judgement.name.map(|_| Err(Cause::LocalFault));
        judgement.stage = Some(Stage::Dns);
        judgement.detail = "this machine has no network: none of its interfaces has an address".into();
    }
}

/// Whether any packet of the run may have left this machine.
fn something_left(run: &Run) -> bool {
    let attempts = run.traces.iter().flatten().flat_map(|trace| &trace.attempts);
    let replies = run.names.values().flat_map(NameTrace::everything_said);
    attempts.clone().any(attempt_left) || replies.flat_map(ServerReply::questions).any(exchange_left)
}

fn attempt_left(attempt: &Attempt) -> bool {
    let connected = attempt.tcp.as_ref().is_some_and(|tcp| connection_left(&tcp.end));
    let replied = attempt.ntp.as_ref().is_some_and(|ntp| match &ntp.end {
        UdpEnd::Failed(failure) => !failure.immediate,
        UdpEnd::Replied(_) | UdpEnd::Silent => true,
    });
    (is_far(attempt.address) && (connected || replied)) || attempt.dns.as_deref().is_some_and(exchange_left)
}

fn exchange_left(exchange: &DnsExchange) -> bool {
    let left = match &exchange.end {
        DnsEnd::Failed(failure) => !failure.immediate,
        DnsEnd::NotConnected(trace) => connection_left(&trace.end),
        DnsEnd::Answered(_) | DnsEnd::Silent { .. } | DnsEnd::Unanswered { .. } => true,
    };
    is_far(exchange.server) && left
}

fn connection_left(end: &TcpEnd) -> bool {
    match end {
        TcpEnd::Failed(failure) => !failure.immediate,
        TcpEnd::Open | TcpEnd::Silent { .. } => true,
    }
}

/// Traffic to this machine itself does not leave it.
fn is_far(address: SocketAddr) -> bool {
    !address.ip().is_loopback()
}
