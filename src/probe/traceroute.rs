//! Where on the path packets stop: SYNs, and data on open connections, that reach the first few hops only.
//!
//! A packet's TTL says how many routers may pass it on. A router at which it runs out drops the packet, and may say so;
//! Linux tells a socket that is being opened who did (`IP_RECVERR`, since 5.8), without any right. A device that
//! accepts, or cuts, although the packet can only have passed so many hops, is within them: that needs no router's
//! answer.
//!
//! All TTLs are tried at once and once only, as routers answer a few times a second at most.

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
/// So many addresses of a run are looked at.
pub const MOST: usize = 4;
/// So many connections from different ports show which of several first hops has which.
const FLOWS: usize = 8;
/// How long an answer is waited for. Hops and devices that answer for others are near.
const HOP_TIMEOUT: Duration = Duration::from_millis(400);
/// How long a whole connection may take in each stage, where connections are told apart by their first hops.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// With less time than this left nothing is begun: what is cut short shows nothing.
pub const LEAST_TIME: Duration = Duration::from_millis(500);
/// What there was no room for until then is left out, so that few probes at once do not hold up the report.
pub const MOST_TIME: Duration = Duration::from_secs(5);

/// An address to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The index of its endpoint in the plan.
    pub endpoint: usize,
    /// The address and port.
    pub address: SocketAddr,
    /// The stage in which what we said was cut, where a connection was opened.
    pub cut: Option<ConnectionStage>,
    /// Which connections are told apart by their first hops.
    pub flows: FlowSelection,
}

/// Which connections are told apart by their first hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowSelection {
    /// None: there is nothing to tell apart.
    Nothing,
    /// Some, where their first hops are not the same; then nothing else is looked at.
    OverSeveralHops,
    /// Some as well, whatever their first hops are.
    Any,
}

/// What small TTLs showed of the way to an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// The index of its endpoint in the plan.
    pub endpoint: usize,
    /// The address and port.
    pub address: SocketAddr,
    /// What became of one SYN each, with a TTL from 1 on; `None` where there was no room for it. Empty where the SYNs
    /// went to the first hops of `flows` instead.
    pub syns: Vec<Option<TcpTrace>>,
    /// What became of one open connection each, with that TTL from the stage on that was cut; empty where none was.
    pub words: Vec<Option<Attempt>>,
    /// Connections that fare differently.
    pub flows: Vec<FlowOverHop>,
}

/// A connection and the hop that it goes over.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowOverHop {
    /// Where its SYN with a TTL of 1 expired, where a hop reported it.
    pub hop: Option<IpAddr>,
    /// What became of all of it, from the same port.
    pub whole: Attempt,
}

/// What was seen of the ways of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ways {
    /// Those that were looked at.
    pub seen: Vec<Way>,
    /// Whether none could be, as this machine's kernel does not tell which hop answers.
    pub hops_unknown: bool,
}

/// Looks at the way to these addresses, [`MOST`] at most.
pub(super) async fn look(stages: &ProbeContext, plan: &Plan, calls: &[Call]) -> Vec<Way> {
    let looks = calls.iter().take(MOST).map(async |call| Way {
        endpoint: call.endpoint,
        address: call.address,
        ..look_at(stages, &plan.endpoints[call.endpoint], call).await
    });
    join_all(looks).await
}

/// With one series of SYNs only, which either reaches farther and farther or tells the first hops of several ports.
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

/// One connection that is opened as usual, and says what is said in this stage, and later, with this TTL.
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

/// Connections from several ports, each with the hop that the first SYN from there named.
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

/// The port of a SYN with a TTL of 1, where it can be used again, and the hop that said that it ran out. `early_port`
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

/// The word of the hop at which a SYN ran out.
pub fn ran_out(trace: &TcpTrace) -> Option<&IcmpError> {
    match &trace.end {
        TcpEnd::Failed(SocketFailure { icmp, .. }) => icmp.iter().find(|error| error.is_out_of_hops()),
        _ => None,
    }
}

/// Room for one more connection among the probes in flight, and a socket for it; `None` where too little time would be left to
/// wait for an answer.
async fn room(stages: &ProbeContext) -> Option<(OwnedSemaphorePermit, SemaphorePermit<'_>)> {
    let room = async { Some((stages.flows.room().await?, stages.socket().await?)) };
    timeout_at(stages.end - HOP_TIMEOUT, room).await.ok()?
}

fn until(stages: &ProbeContext, patience: Duration) -> Instant {
    stages.end.min(Instant::now() + patience.min(stages.limits.timeout))
}
