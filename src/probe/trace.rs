//! What a probe saw, as data.

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
        dns::{DnsAnswer, DnsEnd, DnsExchange, MOST_ADDRESSES},
        icmp::TcpFacts,
        tcp::{TcpEnd, TcpTrace},
        tls::TlsTrace,
        udp::UdpTrace,
    },
};

/// What one probe saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// How long the probe took.
    pub duration: Duration,
    /// What the name servers had said when the probe went on; `None` where no name had to be looked up.
    pub name: Option<NameTrace>,
    /// One entry for each connection: by address in the order of the answer, and to each in the order of their start.
    pub attempts: Vec<Attempt>,
    /// Whether the end of the run cut it short.
    pub cut: bool,
}

/// What the name servers said of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct NameTrace {
    /// When the first server was asked, from the start of the run on.
    pub started: Duration,
    /// How long it took until an answer could be used.
    pub duration: Duration,
    /// The index of the reply that decided; `None` where there is none.
    pub decided: Option<usize>,
    /// One entry for each configured server, in their order; `None` where it had not replied yet.
    pub replies: Vec<Option<Arc<ServerReply>>>,
    /// Whether they were asked once more, because no answer was final and other names of the zone resolved.
    pub again: bool,
    /// What the platform's own server said, where it was asked as a control.
    pub platform: Option<Box<ServerReply>>,
}

/// What one name server said of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReply {
    /// The question for IPv4 addresses.
    pub v4: DnsExchange,
    /// The question for IPv6 addresses, where it was asked.
    pub v6: Option<Box<DnsExchange>>,
}

/// What was seen of one connection to an address, or of one question to it.
///
/// There are dozens for each endpoint where names have many addresses, and most of those end before anything is said: so
/// what comes behind the connection is boxed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The address and port tried.
    pub address: SocketAddr,
    /// When it began, from the start of the run on.
    pub started: Duration,
    /// The largest segment that was asked for, where it was a control of the size of packets.
    pub segment: Option<u32>,
    /// The connection.
    pub tcp: Option<TcpTrace>,
    /// What was said before TLS.
    pub prelude: Option<Box<Hello>>,
    /// The handshake.
    pub tls: Option<Box<TlsTrace>>,
    /// What was said in the end.
    pub hello: Option<Box<Hello>>,
    /// What the kernel counted on the connection, where it was opened.
    pub counted: Option<TcpFacts>,
    /// Whether a hop said that the TTL of our words ran out, where it was a small one.
    pub ran_out: bool,
    /// The exchange with a name server.
    pub dns: Option<Box<DnsExchange>>,
    /// The exchange with a time server.
    pub ntp: Option<Box<UdpTrace<NtpReply>>>,
    /// How far this machine's clock is ahead of the peer's, where the peer gave its time.
    pub clock_ahead: Option<SignedDuration>,
    /// Set where the address was not tried.
    pub not_dialled: Option<NotDialled>,
}

/// Why an address was not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDialled {
    /// It cannot be the service's.
    Sinkhole,
    /// The run ended before a socket was free.
    NoSocket,
}

/// One conversation in the service's own protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    /// How long it took.
    pub duration: Duration,
    /// How it ended and what was said.
    pub greeting: Greeting,
}

impl Trace {
    /// The addresses that were tried, or else those that the name resolved to.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let dialled = self.attempts.iter().filter(|attempt| attempt.was_dialled());
        let mut dialled: Vec<IpAddr> = dialled.map(|attempt| attempt.address.ip()).collect();
        // Several connections to one address stand together.
        dialled.dedup();
        if !dialled.is_empty() {
            return dialled;
        }
        let decision = self.name.as_ref().and_then(NameTrace::decision);
        decision.map(ServerReply::addresses).unwrap_or_default()
    }

    /// Counts its moments from an earlier start of the run on.
    pub fn delay(&mut self, later: Duration) {
        for attempt in &mut self.attempts {
            attempt.started += later;
        }
        if let Some(name) = &mut self.name {
            name.started += later;
        }
    }

    /// Adds what further connections showed, each behind the others to its address.
    pub fn add(&mut self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            let behind = self.attempts.iter().rposition(|other| other.address == attempt.address);
            self.attempts
                .insert(behind.map_or(self.attempts.len(), |at| at + 1), attempt);
        }
    }
}

impl Attempt {
    fn was_dialled(&self) -> bool {
        self.tcp.is_some() || self.dns.is_some() || self.ntp.is_some()
    }

    /// How its connection was opened, a name server's included; `None` where there was none.
    pub fn connection(&self) -> Option<&TcpTrace> {
        self.tcp.as_ref().or_else(|| self.dns.as_ref()?.tcp())
    }

    /// Whether the connection was accepted or refused: at the time, new connections got out, and replies came back.
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

    /// This machine's end of it; of a question over UDP, the port that it left from first.
    pub fn source(&self) -> Option<SocketAddr> {
        let of_tcp = self.tcp.as_ref().and_then(|tcp| tcp.source);
        let of_dns = || self.dns.as_ref().and_then(|exchange| exchange.source);
        of_tcp.or_else(of_dns).or_else(|| self.ntp.as_ref()?.source)
    }

    /// An attempt of which nothing is known yet.
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
            not_dialled: None,
        }
    }
}

impl NameTrace {
    /// The reply that decided. Where a stub of this machine failed, the instance does not: it is the next server's.
    pub fn decision(&self) -> Option<&ServerReply> {
        let decided = self.replies.get(self.decided?)?.as_deref()?;
        if decided.is_final() || !decided.is_of_a_stub() {
            return Some(decided);
        }
        let mut replies = self.replies();
        replies.find(|reply| !reply.is_of_a_stub()).or(Some(decided))
    }

    /// What every server said, the platform's own included.
    pub fn everything_said(&self) -> impl Iterator<Item = &ServerReply> {
        self.replies().chain(self.platform.as_deref())
    }

    /// What the configured servers said, as far as they had replied.
    pub fn replies(&self) -> impl Iterator<Item = &ServerReply> {
        self.replies.iter().flatten().map(Arc::as_ref)
    }
}

impl ServerReply {
    /// The questions that it answers, or leaves open.
    pub fn questions(&self) -> impl Iterator<Item = &DnsExchange> {
        iter::once(&self.v4).chain(self.v6.as_deref())
    }

    /// The answer, where the server gave one; IPv4 first, unless only the other question was answered.
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

    /// The addresses in it that are tried, in its order, IPv4 first: [`MOST_ADDRESSES`] at most.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let all = self.answers().flat_map(|answer| answer.addresses.iter().copied());
        all.take(MOST_ADDRESSES).collect()
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

    /// Whether a resolver would stop here: the name has addresses, or it has none, or it does not exist.
    pub fn is_final(&self) -> bool {
        let settles = |answer: &DnsAnswer| matches!(answer.rcode.as_str(), "NOERROR" | "NXDOMAIN");
        self.answer().is_some_and(settles) || !self.addresses().is_empty()
    }

    /// Whether it comes from this machine itself.
    pub fn is_of_a_stub(&self) -> bool {
        self.v4.server.ip().is_loopback()
    }

    /// What failed in the socket, where the question never got through.
    pub fn failure(&self) -> Option<&SocketFailure> {
        match &self.v4.end {
            DnsEnd::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
