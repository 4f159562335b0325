//! What the team that runs the firewall, the network or the name servers needs to find the traffic in their own logs.

use std::{iter, net::SocketAddr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Need, Placeholder, Transport, json};

/// What other teams need to find the traffic in their own logs, and to fix the problem.
///
/// Its times are corrected if verified peers showed that this machine's clock is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handover {
    /// When the first of the flows began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When the last of them ended.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// The connections and queries that failed, in order of start: 50 at most, each destination once before any is
    /// repeated.
    pub flows: Vec<SeenFlow>,
    /// How many more there were.
    #[serde(default)]
    pub more: usize,
    /// Where to look them up.
    pub queries: Vec<Query>,
    /// One block for each team that may have to act, the most likely first.
    #[serde(default)]
    pub owners: Vec<Request>,
}

/// One connection, or one UDP query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenFlow {
    /// This machine's end, `address:port`; null if it is not known. Repeated UDP queries use further ports.
    pub source: Option<SocketAddr>,
    /// The other end, `address:port`.
    pub destination: SocketAddr,
    /// The intended name, or the name in the query; the address if there is none.
    pub host: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// When it began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The cause of the failure; null if it is not known, and if it should have failed.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// A query for a team's logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Query {
    /// Whose logs or tools it is for.
    #[serde(rename = "for")]
    pub target: QueryTarget,
    /// The language.
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

/// The language of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryLanguage {
    /// Kusto Query Language, for Log Analytics.
    Kql,
    /// Plain words and numbers.
    Text,
}

/// What one team is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Who is asked.
    pub owner: Owner,
    /// How much it counts.
    pub need: Need,
    /// Whether the instance cannot be activated until this is fixed.
    pub stops_activation: bool,
    /// What the instance cannot do until this is fixed.
    pub impact: String,
    /// What to allow or to change, one item each.
    pub allow: Vec<String>,
    /// Commands that make the change in Azure's own services, if there are any.
    pub change: Vec<String>,
    /// The command that undoes each of these changes, in the same order; null if there is nothing to undo.
    pub undo: Vec<Option<String>>,
    /// The placeholders that remain in these commands.
    pub placeholders: Vec<Placeholder>,
    /// Commands that reproduce the failure with commonly installed tools.
    pub reproduce: Vec<String>,
}

/// Who runs a part of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The firewall, or any other appliance that filters traffic.
    Firewall,
    /// NSGs, security admin rules, routes and outbound access.
    NsgAndRoutes,
    /// Name servers and private DNS zones.
    Dns,
}

impl Owner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Firewall, Self::NsgAndRoutes, Self::Dns];

    /// What they run, in words for the reader.
    pub fn label(self) -> &'static str {
        match self {
            Self::Firewall => "Firewall",
            Self::NsgAndRoutes => "NSG and routes",
            Self::Dns => "DNS",
        }
    }
}

impl Request {
    /// Each change with the command that undoes it.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let undo = self.undo.iter().map(Option::as_deref).chain(iter::repeat(None));
        self.change.iter().map(String::as_str).zip(undo)
    }
}

impl QueryTarget {
    /// Who can run it.
    pub fn owner(self) -> Owner {
        match self {
            Self::AzureFirewall | Self::Nva => Owner::Firewall,
            Self::FlowLogs => Owner::NsgAndRoutes,
        }
    }
}
