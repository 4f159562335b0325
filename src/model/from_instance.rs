//! The instance's own result for an endpoint, from the management API's `connectivityCheck`
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
    /// When the answer arrived, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The requested protocol: `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// How many probes the instance sent; null if not reported.
    pub probes_sent: Option<u64>,
    /// How many of them failed.
    pub probes_failed: Option<u64>,
    /// The path, as far as it is known.
    pub hops: Vec<InstanceHop>,
}

/// One hop of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceHop {
    /// Azure's word: `Source`, `Internet`, `VirtualAppliance`, `VnetLocal`; the list is open.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address.
    pub address: Option<String>,
    /// The issues there, a few words each: `NetworkSecurityRule (UserRule_x)`.
    pub issues: Vec<String>,
}

impl FromInstance {
    /// Whether the instance got through, according to Azure's word.
    pub fn got_through(&self) -> Option<bool> {
        match self.status.to_ascii_lowercase().as_str() {
            "connected" | "reachable" => Some(true),
            "disconnected" | "unreachable" => Some(false),
            _ => None,
        }
    }
}
