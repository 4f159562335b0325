//! Where on the path packets stop: SYNs, and data on open connections, that reach only the first few hops.
//!
//! A packet's TTL limits how many routers may forward it. The router at which it expires drops the packet, and may
//! report it; Linux tells a connecting socket which router did (`IP_RECVERR`, since 5.8), without any privileges. If a
//! device accepts or cuts although the packet can only have passed a number of hops, it is within that distance: this
//! does not depend on any router's answer.
//!
//! All TTLs are tried at once and only once, because routers answer at most a few times per second.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{OwnedSemaphorePermit, SemaphorePermit},
    time::{Instant, timeout_at},
};

use super::{
    flows::connection_progress::{ConnectionProgress, ConnectionStage},
    stages::ProbeContext,
    trace::Attempt,
};
use crate::{
    net::{
        SocketFailure,
        icmp::IcmpError,
        tcp::{self, ConnectOptions, TcpEnd, TcpTrace},
    },
    plan::{Plan, PlannedEndpoint},
};

/// The largest TTL that is tried.
pub const MAX_TTL: u8 = 8;
/// Maximum number of addresses that are traced in a run.
pub const MAX_TARGETS: usize = 4;
/// This many connections from different ports show which of several first hops each of them uses.
const FLOWS: usize = 8;
/// How long to wait for an answer. Hops and devices that answer instead of others are near.
const HOP_TIMEOUT: Duration = Duration::from_millis(400);
/// How long a whole connection may take in each stage, if connections are compared by their first hops.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// With less time left than this, nothing is started: an interrupted trace shows nothing.
pub const MIN_TIME: Duration = Duration::from_millis(500);
/// Packets without a permit until then are skipped, so that a low concurrency does not delay the report.
pub const MAX_TIME: Duration = Duration::from_secs(5);

/// An address to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceTarget {
    /// The index of its endpoint in the plan.
    pub endpoint: usize,
    /// The address and port.
    pub address: SocketAddr,
    /// The stage in which our data was cut, if a connection was opened.
    pub cut: Option<ConnectionStage>,
    /// Which connections are compared by their first hops.
    pub flows: FlowSelection,
}

/// Which connections are compared by their first hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowSelection {
    /// None: there is nothing to compare.
    Nothing,
    /// Some, if their first hops differ; then nothing else is traced.
    OverSeveralHops,
    /// Some as well, even if their first hops are the same.
    Any,
}

/// What packets with a low TTL showed about the path to an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Traceroute {
    /// The index of its endpoint in the plan.
    pub endpoint: usize,
    /// The address and port.
    pub address: SocketAddr,
    /// The result of one SYN for each TTL, from 1 on; `None` if there was no permit for it. Empty if the SYNs went to
    /// the first hops of `flows` instead.
    pub syns: Vec<Option<TcpTrace>>,
    /// The result of one open connection for each TTL, which applied from the cut stage on; empty if there was none.
    pub words: Vec<Option<Attempt>>,
    /// Connections with different results.
    pub flows: Vec<HopFlow>,
}

/// A connection and its first hop.
#[derive(Debug, Clone, PartialEq)]
pub struct HopFlow {
    /// Where its SYN with a TTL of 1 expired, if a hop reported it.
    pub hop: Option<IpAddr>,
    /// The result of the whole connection, from the same port.
    pub whole: Attempt,
}

/// The results for the paths of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traceroutes {
    /// Those that were traced.
    pub seen: Vec<Traceroute>,
    /// Whether none could be traced, because this machine's kernel does not report which hop answers.
    pub hops_unknown: bool,
}

/// Traces the path to these addresses, at most [`MAX_TARGETS`].
pub(super) async fn trace_all(stages: &ProbeContext, plan: &Plan, calls: &[TraceTarget]) -> Vec<Traceroute> {
    let looks = calls.iter().take(MAX_TARGETS).map(async |call| Traceroute {
        endpoint: call.endpoint,
        address: call.address,
        ..trace_one(stages, &plan.endpoints[call.endpoint], call).await
    });
    join_all(looks).await
}

/// With only one series of SYNs, which either has increasing TTLs or shows the first hops of several ports.
async fn trace_one(stages: &ProbeContext, endpoint: &PlannedEndpoint, call: &TraceTarget) -> Traceroute {
    let farthest = if call.flows == FlowSelection::OverSeveralHops {
        0
    } else {
        MAX_TTL
    };
    let syns = join_all((1..=farthest).map(|ttl| syn(stages, call.address, ttl)));
    let words = async {
        match call.cut {
            Some(cut) => join_all((1..=farthest).map(|ttl| word(stages, endpoint, call.address, cut, ttl))).await,
            None => Vec::new(),
        }
    };
    let (syns, words) = tokio::join!(syns, words);
    let flows = if call.flows == FlowSelection::Nothing {
        Vec::new()
    } else {
        flows(stages, endpoint, call).await
    };
    Traceroute {
        endpoint: call.endpoint,
        address: call.address,
        syns,
        words,
        flows,
    }
}

/// One SYN with this TTL.
async fn syn(stages: &ProbeContext, address: SocketAddr, ttl: u8) -> Option<TcpTrace> {
    let _room = acquire_sockets(stages).await?;
    let options = ConnectOptions {
        ttl: Some(ttl),
        ..ConnectOptions::default()
    };
    let (trace, _) = tcp::connect(address, options, until(stages, HOP_TIMEOUT)).await;
    Some(trace)
}

/// One connection that is opened as usual, and sends the data of this stage, and of later ones, with this TTL.
async fn word(
    stages: &ProbeContext,
    endpoint: &PlannedEndpoint,
    address: SocketAddr,
    from: ConnectionStage,
    ttl: u8,
) -> Option<Attempt> {
    let _room = acquire_sockets(stages).await?;
    let progress = ConnectionProgress::within(stages, HOP_TIMEOUT).near(from, ttl);
    Some(
        stages
            .attempt(endpoint, address, ConnectOptions::default(), &progress)
            .await,
    )
}

/// Connections from several ports, each with the hop that reported the first SYN from that port.
async fn flows(stages: &ProbeContext, endpoint: &PlannedEndpoint, call: &TraceTarget) -> Vec<HopFlow> {
    let firsts = join_all((0..FLOWS).map(|n| first_hop(stages, call.address, n % 2 == 1))).await;
    let firsts: Vec<(Option<u16>, Option<IpAddr>)> = firsts.into_iter().flatten().collect();
    let hops: BTreeSet<IpAddr> = firsts.iter().filter_map(|(_, hop)| *hop).collect();
    if call.flows == FlowSelection::OverSeveralHops && hops.len() < 2 {
        return Vec::new();
    }
    let whole = firsts.into_iter().map(async |(port, hop)| {
        let _room = acquire_sockets(stages).await?;
        let options = ConnectOptions {
            port,
            ..ConnectOptions::default()
        };
        let progress = ConnectionProgress::within(stages, CONNECTION_TIMEOUT);
        let whole = stages.attempt(endpoint, call.address, options, &progress).await;
        Some(HopFlow { hop, whole })
    });
    join_all(whole).await.into_iter().flatten().collect()
}

/// The port of a SYN with a TTL of 1, if it can be used again, and the hop that reported that it expired. `early_port`
/// is [`ConnectOptions`]'s: ports of both kinds.
async fn first_hop(
    stages: &ProbeContext,
    address: SocketAddr,
    early_port: bool,
) -> Option<(Option<u16>, Option<IpAddr>)> {
    let _room = acquire_sockets(stages).await?;
    let options = ConnectOptions {
        ttl: Some(1),
        early_port,
        ..ConnectOptions::default()
    };
    let (trace, _) = tcp::connect(address, options, until(stages, HOP_TIMEOUT)).await;
    let hop = ran_out(&trace).and_then(|error| error.sender);
    // What was accepted keeps its port for a while.
    let port = trace.source.filter(|_| trace.end != TcpEnd::Open);
    Some((port.map(|source| source.port()), hop))
}

/// The report of the hop at which a SYN expired.
pub fn ran_out(trace: &TcpTrace) -> Option<&IcmpError> {
    match &trace.end {
        TcpEnd::Failed(SocketFailure { icmp, .. }) => icmp.iter().find(|error| error.is_out_of_hops()),
        _ => None,
    }
}

/// A permit for one more connection among the probes in flight, and a socket for it; `None` if too little time would be
/// left to wait for an answer.
async fn acquire_sockets(stages: &ProbeContext) -> Option<(OwnedSemaphorePermit, SemaphorePermit<'_>)> {
    let permits = async { Some((stages.flows.slot().await?, stages.socket().await?)) };
    timeout_at(stages.end - HOP_TIMEOUT, permits).await.ok()?
}

fn until(stages: &ProbeContext, timeout: Duration) -> Instant {
    stages.end.min(Instant::now() + timeout.min(stages.limits.timeout))
}
