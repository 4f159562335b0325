//! Changes in this machine's own network during a run: its link, its addresses, its routes, its next hops. The kernel
//! itself reports what changes; nothing else is queried.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    control::TEST_NET_1,
    trace::{Attempt, NameTrace, ServerReply, Trace},
};
use crate::net::{
    SocketFailure,
    dns::{DnsEnd, DnsExchange},
    kernel::{self, Interface, Neighbour, RouteAnswer},
    tcp::{TcpEnd, TcpTrace},
    udp::UdpEnd,
};

#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub(super) use watch::OwnNetworkWatch;

/// Maximum number of destinations: those that fail have few next hops in common.
const MAX_ROUTES: usize = 64;

/// This machine's own network, as its kernel reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnNetwork {
    /// Every interface except loopback, at the end of the run; `None` if the kernel did not report them.
    pub interfaces: Option<Vec<Interface>>,
    /// When packets could not leave although they could at the start of the run, in order.
    pub outages: Vec<Outage>,
    /// The routes to the addresses that failed or did not reply.
    pub routes: Vec<RouteDecision>,
}

/// A time in which packets could not leave this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What was lost.
    pub lost: Lost,
    /// The interface, `eth0`.
    pub interface: String,
    /// The start, relative to the start of the run; `None` if the kernel only counted it, so that its time is not known.
    /// The kernel reports the loss of a carrier up to a second late.
    pub from: Option<Duration>,
    /// The end; `None` if it lasted to the end of the run.
    pub until: Option<Duration>,
}

/// What a machine can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The interface itself is gone.
    Interface,
    /// It was disabled.
    Link,
    /// It has no carrier.
    Carrier,
    /// It has no IPv4 address.
    Address,
    /// No outbound route uses it.
    Route,
}

/// Where the kernel sends packets to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteDecision {
    /// The address.
    pub to: IpAddr,
    /// The next hop, or the error number with which the kernel refuses to route.
    pub next: Result<KernelNextHop, i32>,
}

/// The next hop of a route: the gateway, or the target itself if it is on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNextHop {
    /// Its address.
    pub address: IpAddr,
    /// The interface that it is behind.
    pub interface: String,
    /// The state in the neighbour table if it answered no request for its hardware address: `INCOMPLETE` or `FAILED`.
    pub unanswered: Option<&'static str>,
}

impl OwnNetwork {
    /// Where packets to an address were sent.
    pub fn route_to(&self, to: IpAddr) -> Option<&RouteDecision> {
        self.routes.iter().find(|decision| decision.to == to)
    }

    /// The outage that covers a period, or only a part of it.
    pub fn outage(&self, to: IpAddr, from: Duration, until: Duration) -> Option<(&Outage, OutageCoverage)> {
        let by = self
            .route_to(to)
            .and_then(|decision| decision.next.as_ref().ok())
            .map(|hop| &hop.interface);
        let affects = |outage: &&Outage| by.is_none_or(|interface| *interface == outage.interface);
        let covered = |outage: &'_ Outage| outage.coverage(from, until);
        let outages = self.outages.iter().filter(affects);
        outages
            .filter_map(|outage| Some((outage, covered(outage)?)))
            .max_by_key(|(_, coverage)| *coverage)
    }
}

/// How much of a period an outage covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutageCoverage {
    /// Some of it.
    Part,
    /// All of it, or all from some moment to the end of the run.
    Whole,
}

impl Outage {
    /// How late the kernel reports a change of a carrier (`linkwatch`).
    const LATE: Duration = Duration::from_secs(1);

    fn coverage(&self, from: Duration, until: Duration) -> Option<OutageCoverage> {
        let Some(start) = self.from else {
            return Some(OutageCoverage::Part);
        };
        let begin = match self.lost {
            Lost::Carrier => start.saturating_sub(Self::LATE),
            _ => start,
        };
        let overlaps = begin <= until && self.until.is_none_or(|end| end >= from);
        overlaps.then(|| match self.until {
            None => OutageCoverage::Whole,
            Some(end) if begin <= from && end >= until => OutageCoverage::Whole,
            Some(_) => OutageCoverage::Part,
        })
    }
}

/// The addresses that did not reply or failed, with this machine's own address if one was used.
fn failing<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    names: &'a BTreeMap<String, NameTrace>,
) -> Vec<(IpAddr, Option<IpAddr>)> {
    let mut all: Vec<(IpAddr, Option<IpAddr>)> = Vec::new();
    let mut add = |to: SocketAddr, from: Option<SocketAddr>| {
        let from = from.map(|from| from.ip()).filter(|from| !from.is_unspecified());
        let is_new = !all.iter().any(|(known, _)| *known == to.ip());
        if is_new && all.len() < MAX_ROUTES && !to.ip().is_loopback() {
            all.push((to.ip(), from));
        }
    };
    for attempt in traces.flat_map(|trace| &trace.attempts) {
        if attempt_fails(attempt) {
            add(attempt.address, attempt.source());
        }
    }
    let exchanges = names.values().flat_map(NameTrace::everything_said);
    for exchange in exchanges.flat_map(ServerReply::questions) {
        if exchange_fails(exchange) {
            add(exchange.server, exchange.source);
        }
    }
    all
}

fn attempt_fails(attempt: &Attempt) -> bool {
    let over_udp = attempt.ntp.as_ref().is_some_and(|exchange| match &exchange.end {
        UdpEnd::Silent => true,
        UdpEnd::Failed(failure) => is_own(failure),
        UdpEnd::Replied(_) => false,
    });
    let is_asked = attempt.dns.as_deref().is_some_and(exchange_fails);
    attempt.tcp.as_ref().is_some_and(connection_fails) || over_udp || is_asked
}

fn exchange_fails(exchange: &DnsExchange) -> bool {
    match &exchange.end {
        DnsEnd::Silent { .. } => true,
        DnsEnd::Failed(failure) => is_own(failure),
        DnsEnd::NotConnected(trace) => connection_fails(trace),
        DnsEnd::Answered(_) | DnsEnd::Unanswered { .. } => false,
    }
}

fn connection_fails(trace: &TcpTrace) -> bool {
    match &trace.end {
        TcpEnd::Silent { .. } => true,
        TcpEnd::Failed(failure) => is_own(failure),
        TcpEnd::Open => false,
    }
}

/// Whether this machine itself refused.
fn is_own(failure: &SocketFailure) -> bool {
    failure.immediate || failure.icmp.iter().any(|error| error.own)
}

/// Where packets go, in words.
fn next_hop(to: IpAddr, answer: &RouteAnswer, interfaces: &[Interface], neighbours: &[Neighbour]) -> KernelNextHop {
    let address = answer.gateway.unwrap_or(to);
    let is_it = |other: &&Neighbour| other.address == address && other.interface == answer.interface;
    let name = interfaces.iter().find(|interface| interface.index == answer.interface);
    KernelNextHop {
        address,
        interface: name.map_or_else(String::new, |interface| interface.name.clone()),
        unanswered: neighbours
            .iter()
            .find(is_it)
            .and_then(|neighbour| neighbour.state.unanswered()),
    }
}

/// The watched destinations: the name servers, and an unused address (RFC 5737) that only a default route leads to.
/// Nothing is sent there.
fn references(name_servers: &[SocketAddr]) -> Vec<IpAddr> {
    let servers = name_servers
        .iter()
        .map(SocketAddr::ip)
        .filter(|server| !server.is_loopback());
    servers.chain([TEST_NET_1]).collect()
}

/// The times of a run.
fn since(began: Instant) -> Duration {
    began.elapsed()
}

/// On other systems: nothing is known, and nothing changes.
#[cfg(not(target_os = "linux"))]
pub(super) struct OwnNetworkWatch;

#[cfg(not(target_os = "linux"))]
impl OwnNetworkWatch {
    /// Watches nothing.
    pub(super) fn begin(_: &[SocketAddr], _: Instant) -> Self {
        Self
    }

    /// Never completes.
    pub(super) async fn changed(&mut self) {
        std::future::pending().await
    }

    /// Knows nothing.
    pub(super) fn finish<'a>(
        self,
        _: impl Iterator<Item = &'a Trace>,
        _: &'a BTreeMap<String, NameTrace>,
    ) -> OwnNetwork {
        OwnNetwork::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_with_unknown_start_covers_an_attempt_only_in_part() {
        let to = "10.0.0.9".parse().unwrap();
        let coverage = |from: Option<u64>, until: Option<u64>| {
            let own = OwnNetwork {
                outages: vec![Outage {
                    lost: Lost::Link,
                    interface: "eth0".into(),
                    from: from.map(Duration::from_secs),
                    until: until.map(Duration::from_secs),
                }],
                ..OwnNetwork::default()
            };
            let outage = own.outage(to, Duration::from_secs(2), Duration::from_secs(5));
            outage.map(|(_, coverage)| coverage)
        };
        assert_eq!(coverage(Some(1), Some(6)), Some(OutageCoverage::Whole));
        assert_eq!(coverage(Some(1), None), Some(OutageCoverage::Whole));
        assert_eq!(coverage(Some(3), Some(4)), Some(OutageCoverage::Part));
        assert_eq!(coverage(Some(6), Some(7)), None);
        assert_eq!(coverage(None, Some(6)), Some(OutageCoverage::Part));
    }
}
