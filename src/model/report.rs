//! The report: all results of a run, as one plain value.
//!
//! The value is created once and rendered by one pure function per format. Its field names are the keys of the JSON
//! document, which pipelines rely on.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EndpointReport, ExitStatus, Finding, Summary, Tier, Vnet, json};
use crate::azure::Cloud;

/// The `schema` of a report document.
pub const SCHEMA: &str = "apim-probe/report/v1";

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The program and the catalog that made it.
    pub agent: Agent,
    /// When the run began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub duration_ms: f64,
    /// False if the run was interrupted; a run that its deadline ended is complete.
    pub complete: bool,
    /// Whether stand-ins replace the user's hosts, addresses and resource names (`--redact`). The same stand-in may be a
    /// different host's in another report.
    #[serde(default)]
    pub redacted: bool,
    /// Where the agent ran.
    pub vantage: VantageReport,
    /// Which part of the catalog was selected.
    #[serde(default)]
    pub selection: SelectionReport,
    /// The exit status of the run; null if it was not determined.
    #[serde(default)]
    pub exit: Option<ExitStatus>,
    /// The counts.
    pub summary: Summary,
    /// Root causes, the most important first.
    pub findings: Vec<Finding>,
    /// Every planned endpoint, in the order of the catalog.
    pub endpoints: Vec<EndpointReport>,
}

/// The program and its catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// The version of apim-probe.
    pub version: String,
    /// The date of the documentation behind the catalog, `YYYY-MM-DD`; null for a catalog without a date.
    pub catalog_documented: Option<String>,
    /// SHA-256 of the catalog, overlays included, in hexadecimal.
    pub catalog_sha256: String,
    /// The tier of API Management.
    #[serde(default)]
    pub tier: Tier,
}

/// Which part of the catalog was selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "Selection")]
pub struct SelectionReport {
    /// The patterns of `--only`; null if everything was selected.
    pub only: Option<Vec<String>>,
    /// The patterns of `--skip`; null if nothing was skipped.
    pub skip: Option<Vec<String>>,
    /// Whether only required endpoints were selected.
    pub required_only: bool,
}

impl SelectionReport {
    /// As typed: `--only sql,dns --required-only`; empty if everything was selected.
    pub fn flags(&self) -> String {
        let list = |flag: &str, patterns: &Option<Vec<String>>| {
            patterns
                .as_ref()
                .map(|patterns| format!("--{flag} {}", patterns.join(",")))
        };
        let required_only = self.required_only.then(|| "--required-only".to_owned());
        let flags = [list("only", &self.only), list("skip", &self.skip), required_only];
        flags.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What a machine's place shows about the instance's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A VM in the instance's subnet.
    InSubnet,
    /// An Azure VM, in a subnet that may not be the instance's.
    AzureVm,
    /// Not an Azure VM: its firmware names another vendor.
    NotAzure,
    /// A machine without a route to what it was to probe.
    NoNetwork,
}

/// Where the agent ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Vantage")]
pub struct VantageReport {
    /// The cloud whose hosts were probed.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The network mode; null means that the needs of both modes were planned.
    pub vnet: Option<Vnet>,
    /// Where cloud and region are from.
    pub source: VantageSource,
    /// What that place shows about the instance's network; null if not known.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// Why the VM's metadata service gave no usable answer, if it was queried: one sentence.
    #[serde(default)]
    pub metadata_failure: Option<String>,
    /// The resource id of the instance's subnet, if it is known to differ from this VM's.
    #[serde(default)]
    pub instance_subnet: Option<String>,
    /// This machine's name.
    pub host: Option<String>,
    /// This machine's addresses.
    pub addresses: Vec<IpAddr>,
    /// The subnet that its traffic leaves from, as the VM's metadata names it.
    pub subnet: Option<String>,
    /// How far this machine's clock is ahead of the real time, in milliseconds; null if not known.
    pub clock_skew_ms: Option<f64>,
    /// The name servers that were queried, `address:port`.
    pub resolvers: Vec<SocketAddr>,
    /// The name that name servers were tested with: the cloud's Entra login host.
    #[serde(default)]
    pub control_name: Option<String>,
    /// The documents of the instance that were used for the plan.
    #[serde(default)]
    pub imports: Vec<Imported>,
    /// Notices for the reader.
    pub notices: Vec<String>,
}

impl VantageReport {
    /// Whether it is not known if this is a VM of Azure's, although its metadata service was asked.
    pub fn is_place_unknown(&self) -> bool {
        self.standing.is_none() && self.metadata_failure.is_some()
    }
}

/// A document of the instance that was used for the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// The kind of document, by the flag that takes it: `network-status`, `dependencies` or `instance`.
    pub document: String,
    /// The file, or the sender.
    pub from: String,
    /// The time of its content: when the instance last checked, or else when the file was written.
    #[serde(serialize_with = "json::to_the_millisecond_if_any")]
    #[schemars(with = "Option<String>")]
    pub as_of: Option<Timestamp>,
    /// How many endpoints it lists.
    pub endpoints: usize,
}

/// Where cloud and region are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VantageSource {
    /// A flag.
    Flags,
    /// The VM's metadata service.
    Metadata,
    /// Not given: the public cloud, no region.
    Default,
}
