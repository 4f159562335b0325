//! What name servers answered, and what it means for a name and for the servers themselves.

use std::net::IpAddr;

pub(super) mod hidden;

use self::hidden::{Hidden, hidden};
use super::{context::Context, socket};
use crate::{
    address,
    diagnosis::outcome::{AttemptVerdict, Judged},
    model::Cause,
    net::{
        dns::{DnsAnswer, DnsEnd, DnsExchange},
        tcp::{TcpEnd, TcpTrace},
    },
    probe::trace::{NameTrace, ServerReply},
    text::words,
};

/// The result of a name lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupOutcome {
    /// Why there is no address to connect to, with one sentence about it.
    pub failure: Option<(Cause, String)>,
    /// What was seen, one sentence each.
    pub evidence: Vec<String>,
    /// What would affect the instance although the name resolves.
    pub doubt: Option<String>,
    /// Whether the alias chain goes through a private link.
    pub private_link: bool,
}

/// Judges what the configured servers answered for `host`.
pub(super) fn judge(host: &str, trace: &NameTrace, context: &Context) -> LookupOutcome {
    // The probe continued with the first answer; meanwhile the other servers may have replied.
    let trace = context.name(host).unwrap_or(trace);
    let Some(decision) = trace.decision() else {
        let detail = "this machine has no name server: see /etc/resolv.conf, or pass --dns-server".to_string();
        let evidence = vec![detail.clone()];
        return LookupOutcome {
            failure: Some((Cause::LocalFault, detail)),
            evidence,
            doubt: None,
            private_link: false,
        };
    };
    let mut evidence: Vec<String> = decision
        .v4
        .ignored
        .iter()
        .map(|why| ignored(&decision.v4, why))
        .collect();
    let (tried, all) = (decision.addresses().len(), decision.address_count());
    if tried < all {
        evidence.push(format!(
            "{host} has {all} addresses, of which the first {tried} were tried"
        ));
    }
    let failure = failure(host, decision).map(|(cause, detail)| own_stub(decision, cause, detail));
    let others = trace.replies().filter(|reply| reply.v4.server != decision.v4.server);
    let description = |reply: &ServerReply| format!("{} {}", reply.v4.server.ip(), describe(reply));
    let mut differing = Vec::new();
    for reply in others {
        if failure.is_some() {
            evidence.push(description(reply));
        } else if differs(decision, reply, context) {
            differing.push(description(reply));
        }
    }
    let doubt = (!differing.is_empty()).then(|| {
        format!(
            "name servers differ: {}; {}",
            description(decision),
            differing.join("; ")
        )
    });
    if trace.again {
        evidence.push(if failure.is_some() {
            "queried once more, because other names in its zone resolve: same result".into()
        } else {
            "answered only on the second query".into()
        });
    }
    if let Some((_, detail)) = &failure {
        evidence.insert(0, detail.clone());
        evidence.extend(trace.platform.as_deref().map(control));
    }
    if let Some(answer) = decision
        .answer()
        .filter(|answer| !answer.cnames.is_empty() && failure.is_some())
    {
        evidence.push(format!("alias chain: {host} -> {}", answer.cnames.join(" -> ")));
    }
    LookupOutcome {
        failure,
        evidence,
        doubt,
        private_link: decision.answer().is_some_and(has_private_link),
    }
}

/// What other name servers return instead of the addresses that failed.
pub(super) fn other_addresses(host: &str, trace: &NameTrace, context: &Context) -> Vec<String> {
    let trace = context.name(host).unwrap_or(trace);
    let Some(decision) = trace.decision() else {
        return Vec::new();
    };
    let tried = decision.addresses();
    trace
        .everything_said()
        .filter(|reply| {
            let addresses = reply.addresses();
            !addresses.is_empty() && !addresses.iter().any(|address| tried.contains(address))
        })
        .map(|reply| {
            format!(
                "{} {}, not tried: {} answered first, with other addresses",
                reply.v4.server.ip(),
                describe(reply),
                decision.v4.server.ip()
            )
        })
        .collect()
}

/// If a stub on this VM fails, only this VM is at fault.
fn own_stub(reply: &ServerReply, cause: Cause, detail: String) -> (Cause, String) {
    if reply.is_final() || !reply.is_of_a_stub() {
        return (cause, detail);
    }
    let detail = format!("{detail}; it is a stub on this VM, which the instance does not use: pass --dns-server");
    (Cause::LocalFault, detail)
}

/// What the platform's own server answers for a name that the configured ones do not resolve.
fn control(reply: &ServerReply) -> String {
    format!(
        "control: {}, Azure's own name server, {}",
        reply.v4.server.ip(),
        describe(reply)
    )
}

/// Why a reply gives no address to connect to.
fn failure(host: &str, reply: &ServerReply) -> Option<(Cause, String)> {
    let server = reply.v4.server.ip();
    let Some(answer) = reply.answer() else {
        let (cause, seen) = unanswered(&reply.v4);
        return Some((cause, format!("name server {server}: {seen}")));
    };
    // One of two queries may have failed.
    if !reply.addresses().is_empty() {
        return None;
    }
    let cause = match answer.rcode.as_str() {
        "NOERROR" => Cause::DnsNoAddress,
        "NXDOMAIN" => Cause::DnsNxdomain,
        "REFUSED" => Cause::DnsRefused,
        _ => Cause::DnsServfail,
    };
    let description = match cause {
        Cause::DnsNoAddress => format!("according to {server}, {host} exists but has no address"),
        Cause::DnsNxdomain => format!("{server} answers that {host} does not exist (NXDOMAIN)"),
        _ => format!("{server} answers {} for {host}", answer.rcode),
    };
    let hidden = hidden(host, answer);
    let by = match &answer.authority {
        _ if hidden == Some(Hidden::ByPolicy) => {
            "; a DNS security policy blocks it (blockpolicy.azuredns.invalid)".into()
        }
        Some(soa) if soa.is_private() => {
            format!(
                "; the answer is from a private DNS zone (SOA {}, served by {})",
                soa.zone, soa.primary
            )
        }
        Some(soa) if cause == Cause::DnsNxdomain => format!("; the answer is from the zone {}", soa.zone),
        _ => match hidden {
            Some(Hidden::ByZone { zone: Some(zone), .. }) => {
                format!("; a private DNS zone {zone} would answer like this")
            }
            _ => String::new(),
        },
    };
    Some((cause, format!("{description}{by}")))
}

/// Why a query was not answered at all.
fn unanswered(exchange: &DnsExchange) -> (Cause, String) {
    let truncated = if exchange.truncated {
        "the reply over UDP was truncated, and over TCP: "
    } else {
        ""
    };
    let (cause, seen) = match &exchange.end {
        DnsEnd::Answered(_) => (Cause::DnsTimeout, "answered".into()),
        DnsEnd::Silent { sent } => (
            Cause::DnsTimeout,
            format!(
                "no reply to {} in {}",
                words::count(*sent, "query"),
                words::duration(exchange.duration)
            ),
        ),
        DnsEnd::Unanswered { how } => (Cause::DnsTimeout, how.clone()),
        DnsEnd::Failed(failure) => match socket::over_udp(failure, exchange.duration) {
            // Nothing was sent, so no server left anything unanswered.
            (_, seen) if socket::is_without_route(failure) => (Cause::LocalFault, seen),
            (Cause::LocalFault, seen) => (Cause::LocalFault, seen),
            (_, seen) => (Cause::DnsTimeout, seen),
        },
        DnsEnd::NotConnected(trace) => match connection(trace) {
            (Cause::LocalFault | Cause::TcpNoRoute, seen) => (Cause::LocalFault, seen),
            (_, seen) => (Cause::DnsTimeout, seen),
        },
    };
    (cause, format!("{truncated}{seen}"))
}

fn connection(trace: &TcpTrace) -> (Cause, String) {
    match &trace.end {
        TcpEnd::Failed(failure) => socket::over_tcp(failure, trace.duration),
        TcpEnd::Open | TcpEnd::Silent { .. } => (
            Cause::TcpTimeout,
            format!(
                "no reply to the connection attempt in {}",
                words::duration(trace.duration)
            ),
        ),
    }
}

/// Whether two servers differ in kind. Different public addresses are normal for anything behind a CDN.
fn differs(decision: &ServerReply, other: &ServerReply, context: &Context) -> bool {
    if !other.is_final() {
        // A server that fails altogether is reported by its own endpoint, if the plan has one.
        return !context.is_down_and_planned(other.v4.server);
    }
    let (ours, theirs) = (AnswerKind::of(decision), AnswerKind::of(other));
    ours != theirs
}

/// What kind of answer a server gave.
#[derive(Debug, PartialEq, Eq)]
enum AnswerKind {
    Nothing,
    Sinkhole,
    PrivateLink,
    Private,
    Public,
}

impl AnswerKind {
    fn of(reply: &ServerReply) -> Self {
        let addresses = reply.addresses();
        let all = |test: fn(IpAddr) -> bool| addresses.iter().all(|address| test(*address));
        if addresses.is_empty() {
            Self::Nothing
        } else if all(address::is_sinkhole) {
            Self::Sinkhole
        } else if reply.answer().is_some_and(has_private_link) && all(address::is_private) {
            Self::PrivateLink
        } else if all(address::is_private) {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// A server's answer, in a few words.
fn describe(reply: &ServerReply) -> String {
    match reply.answer() {
        None => unanswered(&reply.v4).1,
        Some(answer) if reply.addresses().is_empty() && answer.rcode == "NOERROR" => {
            "answers without an address (NOERROR)".into()
        }
        Some(answer) if reply.addresses().is_empty() => format!("answers {}", answer.rcode),
        Some(answer) => {
            let addresses: Vec<String> = reply.addresses().iter().take(4).map(ToString::to_string).collect();
            let link = if has_private_link(answer) {
                " through a private link"
            } else {
                ""
            };
            format!("gives {}{link}", addresses.join(", "))
        }
    }
}

/// Aliases of private endpoints go through a `privatelink` zone.
fn has_private_link(answer: &DnsAnswer) -> bool {
    answer
        .cnames
        .iter()
        .any(|name| name.split('.').any(|label| label == "privatelink"))
}

fn ignored(exchange: &DnsExchange, why: &str) -> String {
    format!("ignored {why} from the address of {}", exchange.server.ip())
}

/// Judges the test of a name server, which is queried for an existing name.
pub(super) fn judge_server(exchange: &DnsExchange) -> Judged {
    let evidence = exchange.ignored.iter().map(|why| ignored(exchange, why)).collect();
    let (verdict, seen) = if exchange.truncated {
        // A truncated reply is a reply: whether TCP works is tested by this server's other endpoint.
        (AttemptVerdict::Proved, "DNS reply over UDP, truncated".to_string())
    } else {
        match &exchange.end {
            DnsEnd::Answered(answer) => answered(answer),
            DnsEnd::NotConnected(trace) => {
                let (cause, seen) = match &trace.end {
                    TcpEnd::Silent { syns: Some(syns), .. } => (
                        Cause::TcpTimeout,
                        format!(
                            "no reply to {} in {}",
                            words::count(*syns, "SYN"),
                            words::duration(trace.duration)
                        ),
                    ),
                    _ => connection(trace),
                };
                return Judged {
                    verdict: AttemptVerdict::failed(cause),
                    seen,
                    evidence,
                };
            }
            DnsEnd::Failed(failure) => {
                let (cause, seen) = socket::over_udp(failure, exchange.duration);
                (AttemptVerdict::failed(cause), seen)
            }
            DnsEnd::Silent { .. } | DnsEnd::Unanswered { .. } => {
                let (cause, seen) = unanswered(exchange);
                (AttemptVerdict::failed(cause), seen)
            }
        }
    };
    Judged {
        verdict,
        seen,
        evidence,
    }
}

fn answered(answer: &DnsAnswer) -> (AttemptVerdict, String) {
    let failed = |cause, seen: String| (AttemptVerdict::Failed(cause), seen);
    let by_policy = hidden("", answer) == Some(Hidden::ByPolicy);
    match answer.rcode.as_str() {
        "NOERROR" if by_policy => failed(
            Cause::DnsNoAddress,
            "answers that a DNS security policy blocks an Azure name".into(),
        ),
        "NOERROR" if answer.addresses.is_empty() => {
            failed(Cause::DnsNoAddress, "gives no address for a name that has one".into())
        }
        "NOERROR" if answer.addresses.iter().all(|address| address::is_sinkhole(*address)) => {
            let first = answer.addresses.first().map(ToString::to_string).unwrap_or_default();
            failed(
                Cause::DnsSinkhole,
                format!("gives {first} for an Azure name, which cannot be its address"),
            )
        }
        "NOERROR" => (
            AttemptVerdict::Proved,
            format!(
                "DNS reply with {}",
                words::count(answer.addresses.len() + answer.further, "address")
            ),
        ),
        "NXDOMAIN" => failed(
            Cause::DnsNxdomain,
            "answers that an existing name does not exist (NXDOMAIN)".into(),
        ),
        "REFUSED" => failed(Cause::DnsRefused, "refuses to answer this machine (REFUSED)".into()),
        other => failed(Cause::DnsServfail, format!("answers {other} for an existing name")),
    }
}
