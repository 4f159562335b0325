//! The line between the VM and its router, and which packets a fault matches.

use std::{net::Ipv4Addr, str::FromStr};

use serde::Deserialize;

/// The line to the router: its speed, and the devices on the path.
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
    /// Routers in a row before the VM's world. The first one answers instead of the gateway. Without any, services at
    /// public addresses are farther away than a low TTL reaches, and nothing answers for one that expired.
    pub hops: Vec<PathRouter>,
    /// A NAT on the path.
    pub nat: Option<Nat>,
    /// The seed of every random or hashed decision: the same seed gives the same decisions.
    pub seed: u64,
    /// Whether frames are relayed although nothing happens to them, so that they can be counted.
    pub count_flows: bool,
    /// Whether every frame that leaves the VM is kept.
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
    /// One of two that share the flows: the second gets those from even ports on the VM ([`FaultCondition::even_source_ports`]).
    Either([Ipv4Addr; 2]),
    /// It never answers.
    Silent,
}

/// A NAT on the path, as far as ICMP errors show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// The hop that translates, counted from 1.
    pub hop: usize,
    /// What happens to errors from farther hops.
    pub icmp_errors: NatErrors,
}

/// What a NAT does with ICMP errors about packets that it translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatErrors {
    /// None comes back.
    Dropped,
    /// The quoted packet keeps the translated source, so that the VM finds no socket for it.
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

/// Which of the packets to its place a fault matches; every condition must be true. Without any, every packet, and the
/// kernel implements the fault.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultCondition {
    /// This share of the flows, by a hash of both addresses and ports: one appliance of a pair.
    pub flow_share: Option<f64>,
    /// Only flows from even ports on the VM: one appliance of a pair.
    pub even_source_ports: bool,
    /// Only these flows to each address and port, counted from 1 in the order of their first packets.
    pub nth_flow: Vec<u32>,
    /// Only flows after this many, over all places of the fault: a NAT that has run out of ports.
    pub after_flows: Option<u32>,
    /// Only packets of more bytes than this, IP header included.
    pub larger_than_bytes: Option<u16>,
    /// This share of the packets.
    pub packet_share: Option<f64>,
    /// Only from this many milliseconds after the very first packet …
    pub from_ms: Option<u64>,
    /// … until this many milliseconds after it.
    pub until_ms: Option<u64>,
    /// Only on flows that are older than this, in milliseconds.
    pub flow_older_than_ms: Option<u64>,
    /// Only packets in this direction.
    pub direction: Option<PacketDirection>,
    /// Only packets of this kind.
    pub packets: Option<PacketKind>,
    /// Behind this many of the hops, whose routers have checked the TTL; 0 is the VM's own end.
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
    /// It opens one: SYN, or the SYN-ACK in reply.
    Syn,
    /// It carries data.
    Data,
}
