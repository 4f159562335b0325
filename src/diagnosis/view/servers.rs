//! What a run saw of one name server, over all queries.

use std::net::IpAddr;

use super::row::ProbedEndpoint;
use crate::{
    model::Transport,
    net::{
        SocketFailure,
        dns::{DnsEnd, DnsExchange},
        icmp::IcmpError,
        tcp::TcpEnd,
    },
    probe::trace::{NameTrace, ServerReply},
};

/// What a run saw of one name server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameServerView {
    /// Over UDP.
    pub udp: QueryCounts,
    /// Over TCP.
    pub tcp: QueryCounts,
}

/// The results of the queries over one transport, as numbers of queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryCounts {
    /// A reply came, of any kind.
    pub answered: usize,
    /// Replies that settle a name: it has addresses, or none, or does not exist.
    pub final_answers: usize,
    /// Nothing came back.
    pub silent: usize,
    /// The connection was accepted, and no reply came over it.
    pub accepted: usize,
    /// A reset or ICMP port unreachable came back: the host is up, and does not listen.
    pub refused: usize,
}

impl NameServerView {
    /// Evaluates all queries to this server in a run: for names, and in the servers' own tests.
    pub fn of<'a>(address: IpAddr, names: impl Iterator<Item = &'a NameTrace>, rows: &'a [ProbedEndpoint<'a>]) -> Self {
        let mut server = Self::default();
        let lookups = names
            .flat_map(NameTrace::everything_said)
            .flat_map(ServerReply::questions);
        let tests = rows
            .iter()
            .flat_map(ProbedEndpoint::attempts)
            .filter_map(|attempt| attempt.dns.as_deref());
        for exchange in lookups.chain(tests).filter(|exchange| exchange.server.ip() == address) {
            server.add(exchange);
        }
        server
    }

    /// Evaluates only some of its queries.
    pub fn over<'a>(exchanges: impl Iterator<Item = &'a DnsExchange>) -> Self {
        let mut server = Self::default();
        exchanges.for_each(|exchange| server.add(exchange));
        server
    }

    /// Whether any reply came from it.
    pub fn is_alive(&self) -> bool {
        self.udp.answered + self.tcp.answered > 0
    }

    fn add(&mut self, exchange: &DnsExchange) {
        let over_tcp = exchange.transport == Transport::Tcp || exchange.truncated;
        self.udp.answered += usize::from(exchange.truncated);
        let seen = if over_tcp { &mut self.tcp } else { &mut self.udp };
        match &exchange.end {
            DnsEnd::Answered(answer) => {
                seen.answered += 1;
                seen.final_answers += usize::from(matches!(answer.rcode.as_str(), "NOERROR" | "NXDOMAIN"));
            }
            DnsEnd::Silent { .. } => seen.silent += 1,
            DnsEnd::Unanswered { .. } => seen.accepted += 1,
            DnsEnd::Failed(failure) => seen.failed(failure),
            DnsEnd::NotConnected(trace) => match &trace.end {
                TcpEnd::Failed(failure) => seen.failed(failure),
                TcpEnd::Silent { .. } | TcpEnd::Open => seen.silent += 1,
            },
        }
    }
}

impl QueryCounts {
    /// Anything that is neither a refusal nor a missing reply (no route, another ICMP error) belongs to other findings.
    fn failed(&mut self, failure: &SocketFailure) {
        let is_port = |error: &IcmpError| matches!((error.v6, error.kind, error.code), (false, 3, 3) | (true, 1, 4));
        if failure.icmp.iter().any(is_port) || (failure.icmp.is_empty() && failure.errno == Some(libc::ECONNREFUSED)) {
            self.refused += 1;
        }
    }
}
