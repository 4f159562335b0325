//! What the team that runs the firewall, the network or the name servers needs to find a finding in their own logs.

use std::{iter, net::SocketAddr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Need, Placeholder, Transport, json};

/// What others need to find a finding in their own logs, and to mend it.
///
/// Its times are those of the world, where peers that proved who they are showed this machine's clock to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handover {
    /// When the first of the flows began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When the last of them was over.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// The connections and questions that failed, in order of their start: 50 at most, each destination once before any
    /// twice.
    pub flows: Vec<SeenFlow>,
    /// How many more there were.
    #[serde(default)]
    pub more: usize,
    /// Where to look them up.
    pub queries: Vec<Query>,
    /// One block for each of those who may have to act, the likeliest first.
    #[serde(default)]
    pub owners: Vec<Request>,
}

/// One connection, or one question over UDP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenFlow {
    /// This machine's end, `address:port`; null where it is not known. Repetitions over UDP leave from further ports.
    pub source: Option<SocketAddr>,
    /// The other end, `address:port`.
    pub destination: SocketAddr,
    /// The name that was meant, or asked for; the address where there is none.
    pub host: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// When it began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Why it failed; null where that cannot be said, and where it should have failed.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// A query for a team's logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Query {
    /// Whose logs or tools it is for.
    #[serde(rename = "for")]
    pub target: QueryTarget,
    /// What it is written in.
    pub language: QueryLanguage,
    /// What it finds, in a few words.
    #[serde(default)]
    pub title: String,
    /// The query itself, on one or several lines.
    pub text: String,
}

/// Whose logs or tools a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueryTarget {
    /// Azure Firewall: its structured logs in Log Analytics, or its packet capture.
    AzureFirewall,
    /// Flow logs of virtual networks and NSGs, in Traffic Analytics.
    FlowLogs,
    /// Any other network virtual appliance.
    Nva,
}

/// What a query is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryLanguage {
    /// Kusto Query Language, for Log Analytics.
    Kql,
    /// Plain words and numbers.
    Text,
}

/// What one of those who run the network is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Who is asked.
    pub owner: Owner,
    /// How much it counts.
    pub need: Need,
    /// Whether the instance cannot be activated meanwhile.
    pub stops_activation: bool,
    /// What the instance cannot do meanwhile.
    pub impact: String,
    /// What to allow or to change, an item each.
    pub allow: Vec<String>,
    /// Commands that make the change in Azure's own services, where there are any.
    pub change: Vec<String>,
    /// What takes each of these changes back, in their order; null where nothing needs to be.
    pub undo: Vec<Option<String>>,
    /// The words in capitals that are left in these commands.
    pub placeholders: Vec<Placeholder>,
    /// Commands that show the same with commonly installed tools.
    pub reproduce: Vec<String>,
}

/// Who runs a part of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The firewall, or any other appliance that judges traffic.
    Firewall,
    /// NSGs, security admin rules, routes and outbound access.
    NsgAndRoutes,
    /// Name servers and private DNS zones.
    Dns,
}

impl Owner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Firewall, Self::NsgAndRoutes, Self::Dns];

    /// What they run, in the reader's words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Firewall => "Firewall",
            Self::NsgAndRoutes => "NSG and routes",
            Self::Dns => "DNS",
        }
    }
}

impl Request {
    /// Each change with what takes it back.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let undo = self.undo.iter().map(Option::as_deref).chain(iter::repeat(None));
        self.change.iter().map(String::as_str).zip(undo)
    }
}

impl QueryTarget {
    /// Who can ask it.
    pub fn owner(self) -> Owner {
        match self {
            Self::AzureFirewall | Self::Nva => Owner::Firewall,
            Self::FlowLogs => Owner::NsgAndRoutes,
        }
    }
}
