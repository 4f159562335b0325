//! The report: everything a run has to say, as one plain value.
//!
//! The value is made once and rendered by one pure function per format. Its field names are the keys of the JSON
//! document, which pipelines rely on.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    azure::Cloud,
    catalog::model::{Expect, Need, Protocol, Transport, Vnet},
    diagnosis::cause::{Cause, Confidence, Suspect, Verdict},
    exit,
    network::Prediction,
};

pub mod assemble;
pub mod brief;
pub mod csv;
pub mod format;
pub mod headline;
pub mod html;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod markdown;
pub mod nagios;
pub mod openmetrics;
mod stages;
pub mod text;
pub mod ticket;
pub mod view;

pub use format::{Format, Options, render};

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
    /// Where the agent stood.
    pub vantage: Vantage,
    /// The counts.
    pub summary: Summary,
    /// Root causes, the weightiest first.
    pub findings: Vec<Finding>,
    /// Every planned endpoint, in the order of the catalog.
    pub endpoints: Vec<Endpoint>,
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
}

/// Where the agent stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vantage {
    /// The cloud whose names were probed.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The kind of virtual network; null means that both kinds' needs were planned.
    pub vnet: Option<Vnet>,
    /// How cloud and region are known.
    pub source: VantageSource,
    /// This machine's name.
    pub host: Option<String>,
    /// This machine's addresses.
    pub addresses: Vec<String>,
    /// The subnet that its traffic leaves from, as the VM's metadata names it.
    pub subnet: Option<String>,
    /// How far this machine's clock is ahead of the world's, in milliseconds; null where nothing told.
    pub clock_skew_ms: Option<f64>,
    /// The name servers asked, `address:port`.
    pub resolvers: Vec<String>,
    /// The documents of the instance that the plan was made with.
    #[serde(default)]
    pub imports: Vec<Imported>,
    /// What the reader should know before the results.
    pub notices: Vec<String>,
}

/// A document of the instance that the plan was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// What it is, by the flag that takes it: `network-status` or `dependencies`.
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
    /// Nobody said so: the public cloud, no region.
    Default,
}

/// The counts of a run. `reachable` to `not_tested` leave out endpoints whose need is `documented`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The run in one word, as `--fail-on required` judges it.
    pub verdict: Overall,
    /// Every planned endpoint.
    pub total: usize,
    /// Endpoints that proved themselves on every address.
    pub reachable: usize,
    /// Endpoints that proved themselves with something wrong beside.
    pub degraded: usize,
    /// Endpoints that are blocked, expected or not.
    pub blocked: usize,
    /// Endpoints where something unspecific answered.
    pub unproven: usize,
    /// Endpoints that were not tried to the end.
    pub not_tested: usize,
    /// `documented` endpoints that are not reachable.
    pub noted: usize,
    /// Required endpoints that are blocked against expectation.
    pub required_blocked: usize,
    /// Endpoints that must be blocked and are not.
    pub unexpectedly_open: usize,
}

impl Summary {
    /// Counts the endpoints of a run.
    pub fn of(endpoints: &[Endpoint]) -> Self {
        let deciding = || endpoints.iter().filter(|e| e.need != Need::Documented);
        let of_verdict = |verdict| deciding().filter(|e| e.verdict == verdict).count();
        Self {
            verdict: exit::overall(endpoints),
            total: endpoints.len(),
            reachable: of_verdict(Verdict::Reachable),
            degraded: of_verdict(Verdict::Degraded),
            blocked: of_verdict(Verdict::Blocked),
            unproven: of_verdict(Verdict::Unproven),
            not_tested: of_verdict(Verdict::NotTested),
            noted: endpoints
                .iter()
                .filter(|e| e.need == Need::Documented && e.verdict != Verdict::Reachable)
                .count(),
            required_blocked: deciding()
                .filter(|e| e.need == Need::Required && e.verdict == Verdict::Blocked && e.as_expected == Some(false))
                .count(),
            unexpectedly_open: deciding()
                .filter(|e| e.expect == Expect::Blocked && e.verdict.is_proved())
                .count(),
        }
    }
}

/// A run in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Every selected required endpoint is reachable or degraded.
    Reachable,
    /// A required endpoint is blocked, or one that must be blocked is not.
    Blocked,
    /// Nothing is blocked, but something required is not proved.
    Incomplete,
}

/// One root cause behind one or many endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `cause/scope`, stable between runs.
    pub id: String,
    /// The cause; null where several causes have one root.
    pub cause: Option<Cause>,
    /// The finding in one line.
    pub title: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// The ids of the endpoints that it explains.
    pub endpoints: Vec<String>,
    /// What was seen, a sentence each.
    pub evidence: Vec<String>,
    /// Where to look, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// What the instance cannot do meanwhile.
    pub impact: String,
    /// What to change.
    pub fix: Fix,
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// The change in one or two sentences.
    pub summary: String,
    /// Commands that make or confirm it.
    pub commands: Vec<String>,
}

/// One endpoint and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// `dependency/host:port`, with `/udp` behind it for UDP.
    pub id: String,
    /// The id of its dependency.
    pub dependency: String,
    /// The title of its dependency.
    pub title: String,
    /// The service tag of the documented rule.
    pub service_tag: Option<String>,
    /// How much it counts.
    pub need: Need,
    /// Who needs it, for a feature's endpoint.
    pub feature: Option<String>,
    /// The host, or the first address.
    pub host: String,
    /// The wildcard that it stands for.
    pub pattern: Option<String>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What we say of it.
    pub verdict: Verdict,
    /// Why; null where there is nothing to explain.
    pub cause: Option<Cause>,
    /// One plain sentence.
    pub detail: String,
    /// What was seen, a sentence each.
    pub evidence: Vec<String>,
    /// What should be.
    pub expect: Expect,
    /// Whether it is as it should be; null where that cannot be said.
    pub as_expected: Option<bool>,
    /// How long its probe took, in milliseconds; null where nothing was tried.
    #[serde(serialize_with = "json::to_a_tenth_if_any")]
    #[schemars(with = "Option<f64>")]
    pub duration_ms: Option<f64>,
    /// What each stage gave.
    pub stages: Stages,
    /// What the network's own rules say; absent where none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Prediction>,
}

impl Endpoint {
    /// `host:port`, with `/udp` behind it for UDP: the id without its dependency.
    pub fn target(&self) -> &str {
        self.id
            .strip_prefix(self.dependency.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(&self.id)
    }

    /// Whether it was left untested for a reason that is no gap in the run: the catalog says that the host is gone, a
    /// wildcard has no known member, the traffic is not outbound, the user skipped it.
    ///
    /// A host that only this run found to be gone was looked up, and is a gap.
    pub fn is_set_aside(&self) -> bool {
        self.verdict == Verdict::NotTested
            && match self.cause {
                Some(Cause::Wildcard | Cause::NotOutbound | Cause::Skipped) => true,
                Some(Cause::Retired) => self.stages.dns.is_none(),
                _ => false,
            }
    }
}

/// What each stage gave. A stage that was not reached, or that the protocol lacks, is null or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// The name lookup that decided.
    pub dns: Option<DnsStage>,
    /// One entry for each address tried over TCP.
    pub tcp: Vec<TcpStage>,
    /// The handshake that decided.
    pub tls: Option<TlsStage>,
    /// The conversation that decided.
    pub hello: Option<HelloStage>,
}

/// A name lookup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DnsStage {
    /// `ok` or a cause.
    pub outcome: String,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The server whose reply decided, `address:port`.
    pub server: Option<String>,
    /// The response code, by its name in RFC 1035 (`NOERROR`, `NXDOMAIN` …).
    pub rcode: Option<String>,
    /// The chain of aliases, in order.
    pub cnames: Vec<String>,
    /// Every address.
    pub addresses: Vec<String>,
}

/// A connection attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TcpStage {
    /// The address.
    pub address: String,
    /// `ok` or a cause.
    pub outcome: String,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
}

/// A TLS handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsStage {
    /// `ok` or a cause.
    pub outcome: String,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The address.
    pub address: String,
    /// The protocol version agreed, `TLSv1.2` or `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite agreed.
    pub cipher: Option<String>,
    /// The subject of the server's certificate.
    pub subject: Option<String>,
    /// The issuer of the server's certificate.
    pub issuer: Option<String>,
    /// When the server's certificate ends, RFC 3339.
    pub not_after: Option<String>,
}

/// A conversation in the service's own protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HelloStage {
    /// `ok` or a cause.
    pub outcome: String,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The address.
    pub address: String,
    /// What the service said that proves it.
    pub proof: Option<String>,
}
