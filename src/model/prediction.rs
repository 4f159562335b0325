//! What a network's own rules predict for an endpoint.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::azure::NextHop;

/// What the rules predict for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// The prediction.
    pub verdict: Expected,
    /// The prediction as a sentence.
    pub words: String,
    /// The deciding security rule; null if none was given, or if several decide.
    pub nsg: Option<RuleMatch>,
    /// The deciding route; null if none was given, or if none matches.
    pub route: Option<RouteMatch>,
}

/// What the rules predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// They allow it as far as they reach: a firewall at the next hop has its own rules.
    Allow,
    /// They drop it.
    Deny,
    /// They do not decide it.
    Unknown,
}

/// A deciding security rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleMatch {
    /// Its name.
    pub name: String,
    /// Its priority.
    pub priority: u32,
    /// Its network security group.
    pub group: Option<String>,
    /// What that group is attached to.
    pub place: NsgAttachment,
    /// What it does.
    pub access: Access,
}

/// A deciding route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteMatch {
    /// The prefix that matches.
    pub prefix: String,
    /// Its source.
    pub source: RouteSource,
    /// The type of its next hop, in Azure's word.
    pub next_hop_type: NextHop,
    /// The address of the next hop, if it has one; several are separated by " or ".
    pub next_hop: Option<String>,
}

/// What a network security group is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Place")]
pub enum NsgAttachment {
    /// The subnet: this applies to the instance too.
    Subnet,
    /// The network interface of this VM only.
    Nic,
    /// The virtual network, through security admin rules of a network manager, which come before every group.
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
    /// Allows, regardless of later groups (security admin rules only).
    AlwaysAllow,
}

/// The source of a route, in the order in which Azure prefers them for one prefix
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
    /// A source that this program does not know.
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
