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
        tcp::{self, Manner, TcpEnd, TcpTrace},
    },
    plan::{Plan, PlannedEndpoint},
};

/// The largest TTL that is tried.
pub const FARTHEST: u8 = 8;
/// Maximum number of addresses that are traced in a run.
pub const MOST: usize = 4;
/// This many connections from different ports show which of several first hops each of them uses.
const FLOWS: usize = 8;
/// How long to wait for an answer. Hops and devices that answer instead of others are near.
const HOP_TIMEOUT: Duration = Duration::from_millis(400);
/// How long a whole connection may take in each stage, if connections are compared by their first hops.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// With less time left than this, nothing is started: an interrupted trace shows nothing.
pub const LEAST_TIME: Duration = Duration::from_millis(500);
/// Packets without a permit until then are skipped, so that a low concurrency does not delay the report.
pub const MOST_TIME: Duration = Duration::from_secs(5);

/// An address to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
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
pub struct Way {
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
    pub flows: Vec<FlowOverHop>,
}

/// A connection and its first hop.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowOverHop {
    /// Where its SYN with a TTL of 1 expired, if a hop reported it.
    pub hop: Option<IpAddr>,
    /// The result of the whole connection, from the same port.
    pub whole: Attempt,
}

/// The results for the paths of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ways {
    /// Those that were traced.
    pub seen: Vec<Way>,
    /// Whether none could be traced, because this machine's kernel does not report which hop answers.
    pub hops_unknown: bool,
}

/// Traces the path to these addresses, at most [`MOST`].
pub(super) async fn look(stages: &ProbeContext, plan: &Plan, calls: &[Call]) -> Vec<Way> {
    let looks = calls.iter().take(MOST).map(async |call| Way {
        endpoint: call.endpoint,
        address: call.address,
        ..look_at(stages, &plan.endpoints[call.endpoint], call).await
    });
    join_all(looks).await
}

/// With only one series of SYNs, which either has increasing TTLs or shows the first hops of several ports.
async fn look_at(stages: &ProbeContext, endpoint: &PlannedEndpoint, call: &Call) -> Way {
    let farthest = if call.flows == FlowSelection::OverSeveralHops {
        0
    } else {
        FARTHEST
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
    Way {
        endpoint: call.endpoint,
        address: call.address,
        syns,
        words,
        flows,
    }
}

/// One SYN with this TTL.
async fn syn(stages: &ProbeContext, address: SocketAddr, ttl: u8) -> Option<TcpTrace> {
    let _room = room(stages).await?;
    let manner = Manner {
        ttl: Some(ttl),
        ..Manner::default()
    };
    let (trace, _) = tcp::connect(address, manner, until(stages, HOP_TIMEOUT)).await;
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
    let _room = room(stages).await?;
    let course = ConnectionProgress::within(stages, HOP_TIMEOUT).near(from, ttl);
    Some(stages.attempt(endpoint, address, Manner::default(), &course).await)
}

/// Connections from several ports, each with the hop that reported the first SYN from that port.
async fn flows(stages: &ProbeContext, endpoint: &PlannedEndpoint, call: &Call) -> Vec<FlowOverHop> {
    let firsts = join_all((0..FLOWS).map(|n| first_hop(stages, call.address, n % 2 == 1))).await;
    let firsts: Vec<(Option<u16>, Option<IpAddr>)> = firsts.into_iter().flatten().collect();
    let hops: BTreeSet<IpAddr> = firsts.iter().filter_map(|(_, hop)| *hop).collect();
    if call.flows == FlowSelection::OverSeveralHops && hops.len() < 2 {
        return Vec::new();
    }
    let whole = firsts.into_iter().map(async |(port, hop)| {
        let _room = room(stages).await?;
        let manner = Manner {
            port,
            ..Manner::default()
        };
        let course = ConnectionProgress::within(stages, CONNECTION_TIMEOUT);
        let whole = stages.attempt(endpoint, call.address, manner, &course).await;
        Some(FlowOverHop { hop, whole })
    });
    join_all(whole).await.into_iter().flatten().collect()
}

/// The port of a SYN with a TTL of 1, if it can be used again, and the hop that reported that it expired. `early_port`
/// is [`Manner`]'s: ports of both kinds.
async fn first_hop(
    stages: &ProbeContext,
    address: SocketAddr,
    early_port: bool,
) -> Option<(Option<u16>, Option<IpAddr>)> {
    let _room = room(stages).await?;
    let manner = Manner {
        ttl: Some(1),
        early_port,
        ..Manner::default()
    };
    let (trace, _) = tcp::connect(address, manner, until(stages, HOP_TIMEOUT)).await;
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
async fn room(stages: &ProbeContext) -> Option<(OwnedSemaphorePermit, SemaphorePermit<'_>)> {
    let room = async { Some((stages.flows.room().await?, stages.socket().await?)) };
    timeout_at(stages.end - HOP_TIMEOUT, room).await.ok()?
}

fn until(stages: &ProbeContext, patience: Duration) -> Instant {
    stages.end.min(Instant::now() + patience.min(stages.limits.timeout))
}
