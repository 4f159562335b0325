//! Where on the path to an endpoint packets stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The path from this machine to one address, as far as it is known. It stops after the last of the hops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Path {
    /// The id of the endpoint.
    pub endpoint: String,
    /// This machine's address; null where it is not known.
    pub from: Option<String>,
    /// The endpoint's address and port.
    pub to: String,
    /// The name of the target: its service tag, or else its host, and its port.
    pub label: String,
    /// The known hops, the nearest first; at least one.
    pub hops: Vec<Hop>,
}

/// A device on the path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// The TTL that expires there, from 1 on.
    pub hop: u8,
    /// What it does there.
    pub does: HopDoes,
    /// Its address; null if it did not answer.
    pub address: Option<String>,
    /// The ICMP type of its answer (RFC 792, RFC 4443); null if there was none.
    pub icmp_type: Option<u8>,
    /// The code within the type.
    pub icmp_code: Option<u8>,
    /// The round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
}

/// What a device on the path does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HopDoes {
    /// It forwards packets.
    Forwards,
    /// It accepts connections instead of the endpoint.
    Accepts,
    /// It refuses connections instead of the endpoint.
    Refuses,
}
