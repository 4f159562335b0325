//! The link between the VM and its router, and which packets a fault matches.

use std::{net::Ipv4Addr, str::FromStr};

use serde::Deserialize;

/// The link to the router: its speed, and the devices on the path.
///
/// If anything here is set, or a fault matches some packets only, every frame passes through the lab's own relay, which
/// needs no kernel module.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedLink {
    /// Delay of a frame in milliseconds, in each direction.
    pub delay_ms: u64,
    /// Kilobits per second, in each direction; none means no limit.
    pub rate_kbit: Option<u64>,
    /// Size of the queue in bytes if the rate is limited; frames beyond that are lost. None means 64 KiB.
    pub queue_bytes: Option<u64>,
    /// The routers on the path, nearest first. The first one answers instead of the gateway. Without any, services at
    /// public addresses are farther away than a low TTL reaches, and no router answers when the TTL expires.
    pub hops: Vec<PathRouter>,
    /// A NAT on the path.
    pub nat: Option<Nat>,
    /// The seed of every random or hashed decision: the same seed gives the same decisions.
    pub seed: u64,
    /// Relays and counts frames even if nothing happens to them.
    pub count_flows: bool,
    /// Keeps every frame that leaves the VM.
    pub record_frames: bool,
}

/// A router on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum PathRouter {
    /// It answers from this address when a packet's TTL expires.
    Address(Ipv4Addr),
    /// The same, at most once per second in total.
    OncePerSecond(Ipv4Addr),
    /// One of two that share the flows: the second gets those from even ports on the VM
    /// ([`FaultCondition::even_source_ports`]).
    Either([Ipv4Addr; 2]),
    /// It never answers.
    Silent,
}

/// A NAT on the path: only its effect on ICMP errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// The number of the hop that translates, from 1.
    pub hop: usize,
    /// What happens to errors from farther hops.
    pub icmp_errors: NatErrors,
}

/// What a NAT does with ICMP errors about packets that it translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatErrors {
    /// They are dropped.
    Dropped,
    /// The quoted packet keeps its translated source address, so no socket on the VM matches it.
    Untranslated,
    /// They come from the NAT's own address.
    FromNat,
}

impl FromStr for PathRouter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| {
            text.parse::<Ipv4Addr>().map_err(|_| {
                format!(
                    "{text} is no IPv4 address; a hop is ADDRESS, ADDRESS once per second, ADDRESS or ADDRESS, silent"
                )
            })
        };
        if text == "silent" {
            Ok(Self::Silent)
        } else if let Some(seldom) = text.strip_suffix(" once per second") {
            address(seldom).map(Self::OncePerSecond)
        } else if let Some((one, other)) = text.split_once(" or ") {
            Ok(Self::Either([address(one)?, address(other)?]))
        } else {
            address(text).map(Self::Address)
        }
    }
}

impl TryFrom<String> for PathRouter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Which of the packets to its destination a fault matches; all conditions must be true. Without any condition it
/// matches every packet, and the kernel implements it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultCondition {
    /// This share of the flows, chosen by a hash of both addresses and ports, as by a load balancer.
    pub flow_share: Option<f64>,
    /// Only flows from even source ports: those of one of two appliances.
    pub even_source_ports: bool,
    /// Only flows with these numbers, from 1 per destination address and port, in the order of their first packets.
    pub nth_flow: Vec<u32>,
    /// Only flows after this many, over all destinations of the fault: a NAT that has run out of ports.
    pub after_flows: Option<u32>,
    /// Only packets larger than this many bytes, including the IP header.
    pub larger_than_bytes: Option<u16>,
    /// This share of the packets, at random.
    pub packet_share: Option<f64>,
    /// Only from this many milliseconds after the agent's first packet …
    pub from_ms: Option<u64>,
    /// … until this many milliseconds after it.
    pub until_ms: Option<u64>,
    /// Only on flows that are older than this, in milliseconds.
    pub flow_older_than_ms: Option<u64>,
    /// Only packets in this direction.
    pub direction: Option<PacketDirection>,
    /// Only packets of this kind.
    pub packets: Option<PacketKind>,
    /// The position of the fault: after this many hops, whose routers have checked the TTL; 0 is before the first one.
    pub after_hops: Option<usize>,
}

/// The direction of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketDirection {
    /// From the VM.
    FromVm,
    /// To the VM.
    ToVm,
}

impl PacketDirection {
    /// The other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::FromVm => Self::ToVm,
            Self::ToVm => Self::FromVm,
        }
    }
}

/// The role of a packet in its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketKind {
    /// SYN or SYN-ACK.
    Syn,
    /// A packet with data.
    Data,
}
