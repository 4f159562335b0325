//! The result of one address.

use std::time::Duration;

use super::{context::Context, dns, hello, socket, tls};
use crate::{
    diagnosis::outcome::{AttemptVerdict, Outcome},
    model::{Cause, Protocol, Stage, Transport},
    net::{dns::DnsEnd, tcp::TcpEnd, udp::UdpEnd},
    plan::PlannedEndpoint,
    probe::trace::{Attempt, NotTriedReason},
    text::words,
};

/// Judges one attempt.
pub fn judge(endpoint: &PlannedEndpoint, attempt: &Attempt, context: &Context) -> Outcome {
    let outcome = Outcome {
        control: attempt.segment.is_some(),
        ..Outcome::new(attempt.address)
    };
    match attempt.not_tried {
        Some(NotTriedReason::Sinkhole) => {
            let seen = "not a possible address of the service, so no connection was tried";
            return outcome.conclude(AttemptVerdict::Failed(Cause::DnsSinkhole), Stage::Dns, seen);
        }
        Some(NotTriedReason::NoSocket) => {
            let seen = "the run ended before a socket was available";
            return outcome.conclude(AttemptVerdict::NotTried(Cause::Deadline), Stage::Dns, seen);
        }
        None => {}
    }
    match endpoint.protocol {
        Protocol::Dns => name_server(outcome, attempt),
        Protocol::Ntp => time_server(outcome, attempt),
        _ if endpoint.transport == Transport::Udp => {
            let seen = "no protocol to test on this port";
            outcome.conclude(AttemptVerdict::NotTried(Cause::NotOutbound), Stage::Dns, seen)
        }
        _ => over_tcp(outcome, endpoint, attempt, context),
    }
}

fn over_tcp(mut outcome: Outcome, endpoint: &PlannedEndpoint, attempt: &Attempt, context: &Context) -> Outcome {
    let Some(tcp) = &attempt.tcp else {
        return outcome.conclude(AttemptVerdict::NotTried(Cause::Deadline), Stage::Dns, "not tried");
    };
    match &tcp.end {
        TcpEnd::Open => outcome.tcp = Some(Ok(())),
        TcpEnd::Silent { syns, kept_here } => {
            outcome.tcp = Some(Err(Cause::TcpTimeout));
            let seen = if *kept_here {
                format!(
                    "this machine's own firewall drops it: the kernel could not retransmit its SYN in {}",
                    words::duration(tcp.duration)
                )
            } else {
                silence(*syns, tcp.duration)
            };
            return outcome.conclude(AttemptVerdict::Failed(Cause::TcpTimeout), Stage::Tcp, seen);
        }
        TcpEnd::Failed(failure) => {
            let (cause, seen) = socket::over_tcp(failure, tcp.duration);
            outcome.tcp = Some(Err(cause));
            return outcome.conclude(AttemptVerdict::failed(cause), Stage::Tcp, seen);
        }
    }
    if endpoint.protocol == Protocol::Tcp {
        let seen = if endpoint.of_instance.is_some() {
            "the connection was accepted, but without TLS nothing proves which host accepted it; no request is sent \
             to a backend"
        } else {
            "the connection was accepted, but nothing proves which host accepted it"
        };
        return outcome.conclude(AttemptVerdict::Unproven(None), Stage::Tcp, seen);
    }
    let mut proof = None;
    if let Some(prelude) = &attempt.prelude {
        let judged = hello::before_tls(prelude);
        outcome.hello = Some(judged.verdict.step());
        // What is said before TLS proves something only if no TLS follows.
        if attempt.tls.is_none() {
            return outcome.conclude(judged.verdict, Stage::Prelude, judged.seen);
        }
        proof = Some(judged.seen);
    }
    let mut asked = false;
    if let Some(handshake) = &attempt.tls {
        let judged = tls::judge(endpoint, handshake, context);
        outcome.tls = Some(judged.verdict.step());
        outcome.evidence = judged.evidence;
        asked = handshake.asked_for_certificate;
        if judged.verdict != AttemptVerdict::Proved || attempt.hello.is_none() {
            let seen = match (judged.verdict, proof) {
                (AttemptVerdict::Proved, Some(proof)) => {
                    format!("{proof}, then {}", hello::after_acceptance(&judged.seen))
                }
                _ => judged.seen,
            };
            return outcome.conclude(judged.verdict, Stage::Tls, seen);
        }
        proof = Some(judged.seen);
    }
    let Some(hello) = &attempt.hello else {
        return outcome.conclude(
            AttemptVerdict::Failed(Cause::HelloTimeout),
            Stage::Hello,
            "the exchange did not start",
        );
    };
    let judged = if attempt.tls.is_some() {
        hello::behind_tls(hello, asked)
    } else {
        hello::in_the_clear(endpoint, hello)
    };
    outcome.hello = Some(judged.verdict.step());
    if let Some(proof) = proof {
        outcome.evidence.insert(0, format!("{}: {proof}", outcome.address.ip()));
    }
    outcome.conclude(judged.verdict, Stage::Hello, judged.seen)
}

fn name_server(mut outcome: Outcome, attempt: &Attempt) -> Outcome {
    let Some(exchange) = &attempt.dns else {
        return outcome.conclude(AttemptVerdict::NotTried(Cause::Deadline), Stage::Dns, "not queried");
    };
    let judged = dns::judge_server(exchange);
    outcome.evidence = judged.evidence;
    if matches!(exchange.end, DnsEnd::NotConnected(_)) && !exchange.truncated {
        outcome.tcp = Some(judged.verdict.step());
        return outcome.conclude(judged.verdict, Stage::Tcp, judged.seen);
    }
    outcome.tcp = (exchange.transport == Transport::Tcp).then_some(Ok(()));
    outcome.hello = Some(judged.verdict.step());
    outcome.conclude(judged.verdict, Stage::Hello, judged.seen)
}

fn time_server(mut outcome: Outcome, attempt: &Attempt) -> Outcome {
    let Some(exchange) = &attempt.ntp else {
        return outcome.conclude(AttemptVerdict::NotTried(Cause::Deadline), Stage::Dns, "not queried");
    };
    let (verdict, seen) = match &exchange.end {
        UdpEnd::Replied(reply) => (AttemptVerdict::Proved, reply.proof()),
        UdpEnd::Silent if exchange.ignored.is_empty() => {
            let seen = format!(
                "no reply to {} within {}",
                words::count(exchange.sent, "datagram"),
                words::duration(exchange.duration)
            );
            (AttemptVerdict::Failed(Cause::HelloTimeout), seen)
        }
        UdpEnd::Silent => {
            let seen = format!("only invalid replies: {}", exchange.ignored.join("; "));
            (AttemptVerdict::Failed(Cause::HelloUnexpected), seen)
        }
        UdpEnd::Failed(failure) => {
            let (cause, seen) = socket::over_udp(failure, exchange.duration);
            (AttemptVerdict::failed(cause), seen)
        }
    };
    outcome.hello = Some(verdict.step());
    outcome.conclude(verdict, Stage::Hello, seen)
}

fn silence(syns: Option<usize>, duration: Duration) -> String {
    match syns {
        Some(syns) => format!(
            "no reply to {} in {}",
            words::count(syns, "SYN"),
            words::duration(duration)
        ),
        None => format!("no reply in {}", words::duration(duration)),
    }
}
