//! One endpoint with everything known about it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::{
    address,
    diagnosis::outcome::{Judgement, Outcome},
    model::{Cause, Expect, Need, Prediction, Protocol, Stage, Transport, Verdict},
    net::{
        SocketFailure,
        dns::{DnsEnd, DnsExchange},
        icmp::IcmpError,
        tcp::{TcpEnd, TcpTrace},
        tls::chain::ChainFacts,
        udp::UdpEnd,
    },
    plan::{PlannedEndpoint, ProbeTarget},
    probe::trace::{Attempt, NameTrace, Trace},
};

/// One endpoint with its trace and its judgement.
#[derive(Debug, Clone, Copy)]
pub struct ProbedEndpoint<'a> {
    /// Its index in the plan.
    pub index: usize,
    /// The planned endpoint.
    pub endpoint: &'a PlannedEndpoint,
    /// Its trace, as far as its probe was finished.
    pub trace: Option<&'a Trace>,
    /// Its judgement.
    pub judgement: &'a Judgement,
    /// What the network's own rules predict for it, if anything.
    pub prediction: Option<&'a Prediction>,
}

impl<'a> ProbedEndpoint<'a> {
    /// Whether it is not as expected.
    pub fn is_unexpected(&self) -> bool {
        self.judgement.as_expected(self.endpoint.expect) == Some(false)
    }

    /// Why it is blocked; `None` where it is not.
    pub fn cause(&self) -> Option<Cause> {
        self.judgement
            .cause
            .filter(|_| self.judgement.verdict == Verdict::Blocked)
    }

    /// Whether its name gave no address.
    pub fn fails_by_name(&self) -> bool {
        self.cause().is_some() && matches!(self.judgement.name, Some(Err(_)))
    }

    /// The service tag of the documented rule; an empty string if there is none.
    pub fn tag(&self) -> &'a str {
        self.endpoint.service_tag.as_deref().unwrap_or_default()
    }

    /// The name server that this row tests, where it tests one.
    pub fn tested_server(&self) -> Option<SocketAddr> {
        match self.endpoint.destination {
            ProbeTarget::NameServer(server) => Some(server),
            _ => None,
        }
    }

    /// The name server whose reply decided about its name.
    pub fn deciding_server(&self) -> Option<SocketAddr> {
        Some(self.trace?.name.as_ref()?.decision()?.v4.server)
    }

    /// Every name server that answered for its name.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + use<'a> {
        let name = self.trace.and_then(|trace| trace.name.as_ref());
        name.into_iter()
            .flat_map(NameTrace::replies)
            .map(|reply| reply.v4.server)
    }

    /// The attempts at each address.
    pub fn attempts(&self) -> &'a [Attempt] {
        self.trace.map_or(&[], |trace| trace.attempts.as_slice())
    }

    /// What was seen at the address that decided.
    pub fn decisive(&self) -> Option<&'a Attempt> {
        self.attempts().get(self.judgement.decisive?)
    }

    /// The certificate chain that decided.
    pub fn chain(&self) -> Option<&'a ChainFacts> {
        self.decisive()?.tls.as_ref()?.chain.as_deref()
    }

    /// Whether its `ClientHello` was answered, with a certificate or the beginning of a handshake: then it was not cut
    /// there.
    pub fn was_greeted(&self) -> bool {
        let tls = self.decisive().and_then(|attempt| attempt.tls.as_ref());
        tls.is_some_and(|tls| tls.chain.is_some() || tls.version.is_some())
    }

    /// Whether every address that was tried gave no reply, over TCP or UDP.
    pub fn is_silent(&self) -> bool {
        let outcomes = &self.judgement.outcomes;
        self.tested_server().is_none() && !outcomes.is_empty() && outcomes.iter().all(is_silence)
    }

    /// The addresses that answered nothing at all: name servers for its name, or its own.
    pub fn silent_addresses(&self) -> Vec<IpAddr> {
        let name = self.trace.and_then(|trace| trace.name.as_ref());
        let lookup = name.filter(|_| self.fails_by_name()).and_then(NameTrace::decision);
        let servers = lookup.into_iter().map(|reply| &reply.v4);
        let servers = servers
            .filter(|exchange| is_unanswered(exchange))
            .map(|exchange| exchange.server.ip());
        let is_silent = |attempt: &&Attempt| {
            let over_udp = attempt
                .ntp
                .as_ref()
                .is_some_and(|exchange| exchange.end == UdpEnd::Silent);
            attempt.is_silent() || over_udp || attempt.dns.as_deref().is_some_and(is_unanswered)
        };
        let attempts = self
            .attempts()
            .iter()
            .filter(is_silent)
            .map(|attempt| attempt.address.ip());
        servers.chain(attempts).collect()
    }

    /// How many packets got no answer: queries for its name, SYNs if the kernel counts them, datagrams; for an open
    /// connection, one.
    pub fn unanswered(&self) -> usize {
        let name = self.trace.and_then(|trace| trace.name.as_ref());
        let asked = name.into_iter().flat_map(NameTrace::replies);
        let asked = asked.map(|reply| silent_questions(&reply.v4));
        asked.sum::<usize>() + self.attempts().iter().map(unanswered).sum::<usize>()
    }

    /// Whether it was tried outside this machine's own networks.
    pub fn is_public(&self) -> bool {
        let mut outcomes = self
            .judgement
            .outcomes
            .iter()
            .filter(|outcome| outcome.stage > Stage::Dns)
            .peekable();
        outcomes.peek().is_some() && outcomes.all(|outcome| !address::is_private(outcome.address.ip()))
    }

    /// Whether it goes over TCP.
    pub fn is_tcp(&self) -> bool {
        self.endpoint.transport == Transport::Tcp
    }

    /// The ICMP error with which a device on the path refused it; a target that refuses by itself is not on the path.
    pub fn refusal_on_the_way(&self) -> Option<&'a IcmpError> {
        let (error, _) = self.icmp().next()?;
        let mut outcomes = self.judgement.outcomes.iter();
        let by_target = outcomes.any(|outcome| Some(outcome.address.ip()) == error.sender);
        (self.cause().is_some() && !by_target && !self.fails_by_name()).then_some(error)
    }

    /// Whether firewalls judge this protocol by name: HTTP and TLS on their usual ports.
    pub fn is_web(&self) -> bool {
        matches!(self.endpoint.protocol, Protocol::Http | Protocol::Https | Protocol::Tls)
            && matches!(self.endpoint.port, 80 | 443)
    }

    /// Everything that failed in a socket, including the name lookup, with the elapsed time.
    pub fn failures(&self) -> impl Iterator<Item = (&'a SocketFailure, Duration)> + use<'a> {
        let name = self
            .trace
            .and_then(|trace| trace.name.as_ref())
            .and_then(|name| name.decision());
        let lookup = name.and_then(|reply| dns_failure(&reply.v4.end, reply.v4.duration));
        lookup
            .into_iter()
            .chain(self.attempts().iter().filter_map(attempt_failure))
    }

    /// Every ICMP error, with the time until it came.
    pub fn icmp(&self) -> impl Iterator<Item = (&'a IcmpError, Duration)> + use<'a> {
        self.failures()
            .filter_map(|(failure, after)| failure.icmp.first().map(|error| (error, after)))
    }
}

fn is_silence(outcome: &Outcome) -> bool {
    matches!(outcome.tcp, Some(Err(Cause::TcpTimeout)))
        || (outcome.tcp.is_none() && outcome.hello == Some(Err(Cause::HelloTimeout)))
}

/// Whether a query, or the connection for it, got no answer.
fn is_unanswered(exchange: &DnsExchange) -> bool {
    match &exchange.end {
        DnsEnd::Silent { .. } => true,
        DnsEnd::NotConnected(trace) => matches!(trace.end, TcpEnd::Silent { .. }),
        _ => false,
    }
}

fn silent_questions(exchange: &DnsExchange) -> usize {
    match exchange.end {
        DnsEnd::Silent { sent } => sent,
        _ => 0,
    }
}

fn unanswered(attempt: &Attempt) -> usize {
    match (attempt.tcp.as_ref().map(|tcp| &tcp.end), &attempt.ntp, &attempt.dns) {
        (Some(TcpEnd::Silent { syns, .. }), ..) => syns.unwrap_or(1),
        (Some(TcpEnd::Open), ..) => 1,
        (None, Some(exchange), _) => exchange.sent,
        (None, None, Some(exchange)) => silent_questions(exchange),
        _ => 0,
    }
}

fn attempt_failure(attempt: &Attempt) -> Option<(&SocketFailure, Duration)> {
    if let Some(TcpTrace {
        end: TcpEnd::Failed(failure),
        duration,
        ..
    }) = &attempt.tcp
    {
        return Some((failure, *duration));
    }
    if let Some(exchange) = &attempt.dns {
        return dns_failure(&exchange.end, exchange.duration);
    }
    match &attempt.ntp {
        Some(exchange) => match &exchange.end {
            UdpEnd::Failed(failure) => Some((failure, exchange.duration)),
            _ => None,
        },
        None => None,
    }
}

fn dns_failure(end: &DnsEnd, duration: Duration) -> Option<(&SocketFailure, Duration)> {
    match end {
        DnsEnd::Failed(failure) => Some((failure, duration)),
        DnsEnd::NotConnected(TcpTrace {
            end: TcpEnd::Failed(failure),
            duration,
            ..
        }) => Some((failure, *duration)),
        _ => None,
    }
}

/// Whether these rows must work; a row that must be blocked is never included.
pub fn should_work(row: &ProbedEndpoint<'_>) -> bool {
    row.endpoint.expect == Expect::Reachable
}

/// Whether a row must work and is needed by more than the documentation: a service that is only documented may not be
/// offered, and its failure shows nothing about the network.
pub fn is_needed(row: &ProbedEndpoint<'_>) -> bool {
    should_work(row) && row.endpoint.need != Need::Documented
}
