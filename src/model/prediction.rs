//! What a network's own rules predict for an endpoint.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::azure::NextHop;

/// What the rules say of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// The answer.
    pub verdict: Expected,
    /// The answer as a sentence.
    pub words: String,
    /// The security rule that decides; null where none was given, or several do.
    pub nsg: Option<RuleMatch>,
    /// The route that decides; null where none was given, or none matches.
    pub route: Option<RouteMatch>,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// They let it through, as far as they reach: a firewall behind the next hop has rules of its own.
    Allow,
    /// They drop it.
    Deny,
    /// They do not settle it.
    Unknown,
}

/// A security rule that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleMatch {
    /// Its name.
    pub name: String,
    /// Its priority.
    pub priority: u32,
    /// The network security group that holds it.
    pub group: Option<String>,
    /// What that group guards.
    pub place: NsgAttachment,
    /// What it does.
    pub access: Access,
}

/// A route that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteMatch {
    /// The prefix that matches.
    pub prefix: String,
    /// Who made it.
    pub source: RouteSource,
    /// The kind of its next hop, in Azure's word.
    pub next_hop_type: NextHop,
    /// The address of the next hop, where it has one; of several, all with " or " between them.
    pub next_hop: Option<String>,
}

/// What a group guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Place")]
pub enum NsgAttachment {
    /// The subnet: what holds for the instance too.
    Subnet,
    /// The network interface of this VM only.
    Nic,
    /// The virtual network, by security admin rules of a network manager; before every group.
    NetworkManager,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Lets through.
    Allow,
    /// Drops.
    Deny,
    /// Lets through, whatever later groups say (security admin rules only).
    AlwaysAllow,
}

/// Who made a route, in the order in which Azure prefers them for one prefix
/// (<https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview#how-azure-selects-a-route>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Source")]
pub enum RouteSource {
    /// A route table of the user.
    User,
    /// A virtual network gateway, by BGP.
    Gateway,
    /// Azure itself.
    Default,
    /// Something newer than this program.
    Unknown,
}

impl Expected {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unknown => "unknown",
        }
    }
}

impl NsgAttachment {
    /// The word in sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subnet => "subnet",
            Self::Nic => "NIC",
            Self::NetworkManager => "network manager",
        }
    }
}

impl fmt::Display for RouteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Gateway => "BGP",
            Self::Default => "default",
            Self::Unknown => "of unknown source",
        })
    }
}
