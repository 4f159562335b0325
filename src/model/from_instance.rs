//! What the instance itself saw of an endpoint, by the management API's `connectivityCheck`
//! (<https://learn.microsoft.com/rest/api/apimanagement/perform-connectivity-check-async>).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json;

/// The answer to one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FromInstance {
    /// Azure's word: `Connected`, `Reachable`, `Disconnected`, `Unreachable`, `Degraded`, `Unknown`; the list is open.
    pub status: String,
    /// When the answer came, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was asked for: `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// How many probes the instance sent; null where it does not say.
    pub probes_sent: Option<u64>,
    /// How many of them failed.
    pub probes_failed: Option<u64>,
    /// The way, as far as it is known.
    pub hops: Vec<InstanceHop>,
}

/// One hop of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceHop {
    /// Azure's word: `Source`, `Internet`, `VirtualAppliance`, `VnetLocal`; the list is open.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address.
    pub address: Option<String>,
    /// What is the matter there, a few words each: `NetworkSecurityRule (UserRule_x)`.
    pub issues: Vec<String>,
}

impl FromInstance {
    /// Whether the instance got through, by its own word.
    pub fn got_through(&self) -> Option<bool> {
        match self.status.to_ascii_lowercase().as_str() {
            "connected" | "reachable" => Some(true),
            "disconnected" | "unreachable" => Some(false),
            _ => None,
        }
    }
}
