//! The report: all results of a run, as one plain value.
//!
//! The value is made once and rendered by one pure function per format. Its field names are the keys of the JSON
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
    /// Which program and catalog made it.
    pub agent: Agent,
    /// When the run began, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub duration_ms: f64,
    /// False where the run was interrupted; a run that its deadline ended is complete.
    pub complete: bool,
    /// Whether stand-ins replace the user's hosts, addresses and resource names (`--redact`). The same stand-in may be a
    /// different host's in another report.
    #[serde(default)]
    pub redacted: bool,
    /// Where the agent stood.
    pub vantage: VantageReport,
    /// What of the catalog was selected.
    #[serde(default)]
    pub selection: SelectionReport,
    /// The exit status of the run; null where it was not judged.
    #[serde(default)]
    pub exit: Option<ExitStatus>,
    /// The counts.
    pub summary: Summary,
    /// Root causes, the weightiest first.
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
    /// What kind of API Management was probed for.
    #[serde(default)]
    pub tier: Tier,
}

/// What of the catalog was selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "Selection")]
pub struct SelectionReport {
    /// The patterns of `--only`; null where everything was selected.
    pub only: Option<Vec<String>>,
    /// The patterns of `--skip`; null where nothing was left out.
    pub skip: Option<Vec<String>>,
    /// Whether only required endpoints were.
    pub required_only: bool,
}

impl SelectionReport {
    /// As one would type it: `--only sql,dns --required-only`; empty where everything was selected.
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

/// What a machine's place says of the instance's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A VM in the instance's subnet.
    InSubnet,
    /// A VM of Azure's, in a subnet that need not be the instance's.
    AzureVm,
    /// No VM of Azure's: its metadata service does not answer.
    NotAzure,
    /// A machine without a route to what it was to probe.
    NoNetwork,
}

/// Where the agent stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Vantage")]
pub struct VantageReport {
    /// The cloud whose names were probed.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The kind of virtual network; null means that both kinds' needs were planned.
    pub vnet: Option<Vnet>,
    /// How cloud and region are known.
    pub source: VantageSource,
    /// What that place shows about the instance's network; null where unknown.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// The resource id of the instance's subnet, where it is known to be another than this VM's.
    #[serde(default)]
    pub instance_subnet: Option<String>,
    /// This machine's name.
    pub host: Option<String>,
    /// This machine's addresses.
    pub addresses: Vec<IpAddr>,
    /// The subnet that its traffic leaves from, as the VM's metadata names it.
    pub subnet: Option<String>,
    /// How far this machine's clock is ahead of the world's, in milliseconds; null where nothing told.
    pub clock_skew_ms: Option<f64>,
    /// The name servers asked, `address:port`.
    pub resolvers: Vec<SocketAddr>,
    /// The name that name servers were tested with: the cloud's Entra login host.
    #[serde(default)]
    pub control_name: Option<String>,
    /// The documents of the instance that the plan was made with.
    #[serde(default)]
    pub imports: Vec<Imported>,
    /// What the reader should know before the results.
    pub notices: Vec<String>,
}

/// A document of the instance that the plan was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// What it is, by the flag that takes it: `network-status`, `dependencies` or `instance`.
    pub document: String,
    /// The file, or who sent it.
    pub from: String,
    /// How old its content is: when the instance last looked, or else when the file was written.
    #[serde(serialize_with = "json::to_the_millisecond_if_any")]
    #[schemars(with = "Option<String>")]
    pub as_of: Option<Timestamp>,
    /// How many endpoints it names.
    pub endpoints: usize,
}

/// How cloud and region are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VantageSource {
    /// The user said so.
    Flags,
    /// The VM's metadata service said so.
    Metadata,
    /// Not given: the public cloud, no region.
    Default,
}
