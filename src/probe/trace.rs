//! The observations of a probe, as data.

use std::{
    iter,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;

use crate::{
    hello::{Greeting, ntp::NtpReply},
    net::{
        SocketFailure,
        dns::{DnsAnswer, DnsEnd, DnsExchange, MAX_ADDRESSES},
        icmp::TcpFacts,
        tcp::{TcpEnd, TcpTrace},
        tls::TlsTrace,
        udp::UdpTrace,
    },
};

/// The observations of one probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// How long the probe took.
    pub duration: Duration,
    /// The name servers' answers when the probe continued; `None` if no name had to be looked up.
    pub name: Option<NameTrace>,
    /// One entry for each connection: by address in the order of the answer, and for each in order of start.
    pub attempts: Vec<Attempt>,
    /// Whether the end of the run interrupted it.
    pub cut: bool,
}

/// The name servers' answers for one name.
#[derive(Debug, Clone, PartialEq)]
pub struct NameTrace {
    /// When the first server was queried, relative to the start of the run.
    pub started: Duration,
    /// How long it took until an answer could be used.
    pub duration: Duration,
    /// The index of the reply that decided; `None` if there is none.
    pub decided: Option<usize>,
    /// One entry for each configured server, in their order; `None` if it had not replied yet.
    pub replies: Vec<Option<Arc<ServerReply>>>,
    /// Whether they were queried once more, because no answer was final and other names of the zone resolved.
    pub again: bool,
    /// The platform's own server's answer, if it was queried as a control.
    pub platform: Option<Box<ServerReply>>,
}

/// One name server's answers for one name.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReply {
    /// The query for IPv4 addresses.
    pub v4: DnsExchange,
    /// The query for IPv6 addresses, if there was one.
    pub v6: Option<Box<DnsExchange>>,
}

/// The observations on one connection to an address, or of one query to it.
///
/// There are dozens for each endpoint if names have many addresses, and most of them end before any data is sent: so
/// the later stages are boxed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The address and port tried.
    pub address: SocketAddr,
    /// When it began, relative to the start of the run.
    pub started: Duration,
    /// The MSS that was requested, if it was a control of the packet size.
    pub segment: Option<u32>,
    /// The connection.
    pub tcp: Option<TcpTrace>,
    /// The exchange before TLS.
    pub prelude: Option<Box<HelloTrace>>,
    /// The handshake.
    pub tls: Option<Box<TlsTrace>>,
    /// The exchange in the service's protocol.
    pub hello: Option<Box<HelloTrace>>,
    /// The kernel's counts for the connection, if it was opened.
    pub counted: Option<TcpFacts>,
    /// Whether a hop reported that the TTL of our data expired, if it was a low one.
    pub ran_out: bool,
    /// The exchange with a name server.
    pub dns: Option<Box<DnsExchange>>,
    /// The exchange with a time server.
    pub ntp: Option<Box<UdpTrace<NtpReply>>>,
    /// How far this machine's clock is ahead of the peer's, if the peer sent its time.
    pub clock_ahead: Option<SignedDuration>,
    /// Set if the address was not tried.
    pub not_tried: Option<NotTriedReason>,
}

/// Why an address was not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTriedReason {
    /// It cannot be the service's.
    Sinkhole,
    /// The run ended before a socket was free.
    NoSocket,
}

/// One exchange in the service's own protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct HelloTrace {
    /// How long it took.
    pub duration: Duration,
    /// How it ended, and its content.
    pub greeting: Greeting,
}

impl Trace {
    /// The addresses that were tried, or else those that the name resolved to.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let tried = self.attempts.iter().filter(|attempt| attempt.was_tried());
        let mut tried: Vec<IpAddr> = tried.map(|attempt| attempt.address.ip()).collect();
        // Several connections to one address are adjacent.
        tried.dedup();
        if !tried.is_empty() {
            return tried;
        }
        let decision = self.name.as_ref().and_then(NameTrace::decision);
        decision.map(ServerReply::addresses).unwrap_or_default()
    }

    /// Makes its times relative to an earlier start of the run.
    pub fn delay(&mut self, later: Duration) {
        for attempt in &mut self.attempts {
            attempt.started += later;
        }
        if let Some(name) = &mut self.name {
            name.started += later;
        }
    }

    /// Adds the results of further connections, each after the others to its address.
    pub fn add(&mut self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            let behind = self.attempts.iter().rposition(|other| other.address == attempt.address);
            self.attempts
                .insert(behind.map_or(self.attempts.len(), |at| at + 1), attempt);
        }
    }
}

impl Attempt {
    fn was_tried(&self) -> bool {
        self.tcp.is_some() || self.dns.is_some() || self.ntp.is_some()
    }

    /// How its connection was opened, including a name server's; `None` if there was none.
    pub fn connection(&self) -> Option<&TcpTrace> {
        self.tcp.as_ref().or_else(|| self.dns.as_ref()?.tcp())
    }

    /// Whether the connection was accepted or refused: at that time, new connections got out, and replies came back.
    pub fn is_answered(&self) -> bool {
        match self.tcp.as_ref().map(|tcp| &tcp.end) {
            Some(TcpEnd::Open) => true,
            Some(TcpEnd::Failed(failure)) => failure.is_reset(),
            Some(TcpEnd::Silent { .. }) | None => false,
        }
    }

    /// Whether the connection got no answer.
    pub fn is_silent(&self) -> bool {
        self.tcp
            .as_ref()
            .is_some_and(|tcp| matches!(tcp.end, TcpEnd::Silent { .. }))
    }

    /// This machine's end of it; for a UDP query, the first source port.
    pub fn source(&self) -> Option<SocketAddr> {
        let of_tcp = self.tcp.as_ref().and_then(|tcp| tcp.source);
        let of_dns = || self.dns.as_ref().and_then(|exchange| exchange.source);
        of_tcp.or_else(of_dns).or_else(|| self.ntp.as_ref()?.source)
    }

    /// How long all of it took. A DNS exchange includes its connection.
    pub fn duration(&self) -> Duration {
        let stages = [
            self.tcp.as_ref().map(|tcp| tcp.duration),
            self.prelude.as_ref().map(|prelude| prelude.duration),
            self.tls.as_ref().map(|tls| tls.duration),
            self.hello.as_ref().map(|hello| hello.duration),
            self.dns.as_ref().map(|exchange| exchange.duration),
            self.ntp.as_ref().map(|exchange| exchange.duration),
        ];
        stages.into_iter().flatten().sum()
    }

    /// An attempt without results yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            started: Duration::ZERO,
            segment: None,
            tcp: None,
            prelude: None,
            tls: None,
            hello: None,
            counted: None,
            ran_out: false,
            dns: None,
            ntp: None,
            clock_ahead: None,
            not_tried: None,
        }
    }
}

impl NameTrace {
    /// The reply that decided. If a stub on this machine failed, the instance does not fail: the next server's reply
    /// counts.
    pub fn decision(&self) -> Option<&ServerReply> {
        let decided = self.replies.get(self.decided?)?.as_deref()?;
        if decided.is_final() || !decided.is_of_a_stub() {
            return Some(decided);
        }
        let mut replies = self.replies();
        replies.find(|reply| !reply.is_of_a_stub()).or(Some(decided))
    }

    /// Every server's answers, including the platform's.
    pub fn everything_said(&self) -> impl Iterator<Item = &ServerReply> {
        self.replies().chain(self.platform.as_deref())
    }

    /// What the configured servers said, as far as they had replied.
    pub fn replies(&self) -> impl Iterator<Item = &ServerReply> {
        self.replies.iter().flatten().map(Arc::as_ref)
    }
}

impl ServerReply {
    /// The queries that it answers, or leaves unanswered.
    pub fn questions(&self) -> impl Iterator<Item = &DnsExchange> {
        iter::once(&self.v4).chain(self.v6.as_deref())
    }

    /// The answer, if the server sent one; IPv4 first, unless only the other query was answered.
    pub fn answer(&self) -> Option<&DnsAnswer> {
        let answer = |exchange: &'_ DnsExchange| matches!(exchange.end, DnsEnd::Answered(_));
        let exchange = if answer(&self.v4) {
            &self.v4
        } else {
            self.v6.as_deref().unwrap_or(&self.v4)
        };
        match &exchange.end {
            DnsEnd::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    /// The addresses in it that are tried, in its order, IPv4 first: at most [`MAX_ADDRESSES`].
    pub fn addresses(&self) -> Vec<IpAddr> {
        let all = self.answers().flat_map(|answer| answer.addresses.iter().copied());
        all.take(MAX_ADDRESSES).collect()
    }

    /// How many addresses it has, tried or not.
    pub fn address_count(&self) -> usize {
        self.answers()
            .map(|answer| answer.addresses.len() + answer.further)
            .sum()
    }

    fn answers(&self) -> impl Iterator<Item = &DnsAnswer> {
        self.questions().filter_map(|exchange| match &exchange.end {
            DnsEnd::Answered(answer) => Some(answer),
            _ => None,
        })
    }

    /// Whether a resolver would stop here: the name has addresses, has none, or does not exist.
    pub fn is_final(&self) -> bool {
        let settles = |answer: &DnsAnswer| matches!(answer.rcode.as_str(), "NOERROR" | "NXDOMAIN");
        self.answer().is_some_and(settles) || !self.addresses().is_empty()
    }

    /// Whether it comes from this machine itself.
    pub fn is_of_a_stub(&self) -> bool {
        self.v4.server.ip().is_loopback()
    }

    /// The socket's error, if the query was not sent successfully.
    pub fn failure(&self) -> Option<&SocketFailure> {
        match &self.v4.end {
            DnsEnd::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
