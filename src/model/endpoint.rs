//! One endpoint in a report, stage by stage.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Direction, Elsewhere, Expect, FromInstance, Need, Prediction, Protocol, Transport, Verdict, json};

/// One endpoint and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub struct EndpointReport {
    /// `dependency/host:port`, followed by `/udp` for UDP.
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
    /// The protocol.
    pub protocol: Protocol,
    /// Which way the traffic flows.
    #[serde(default)]
    pub direction: Direction,
    /// Where inbound traffic comes from.
    #[serde(default)]
    pub source_tag: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The cause; null if there is nothing to explain.
    pub cause: Option<Cause>,
    /// One plain sentence.
    pub detail: String,
    /// Observations, one sentence each.
    pub evidence: Vec<String>,
    /// The expected result.
    pub expect: Expect,
    /// Whether it is as expected; null if that cannot be determined.
    pub as_expected: Option<bool>,
    /// How long its probe took, in milliseconds; null if nothing was tried.
    #[serde(serialize_with = "json::to_a_tenth_if_any")]
    #[schemars(with = "Option<f64>")]
    pub duration_ms: Option<f64>,
    /// How many connections were made and over how many the service was verified, over all addresses; null if there was
    /// one to each address.
    #[serde(default)]
    pub flows: Option<FlowCounts>,
    /// The result of each stage.
    pub stages: StageReports,
    /// What the network's own rules predict; absent if none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Box<Prediction>>,
    /// The instance's own result, if it was asked to test; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_instance: Option<Box<FromInstance>>,
    /// The result in the report given with `--elsewhere`; null if there is none, or if it has no such endpoint.
    #[serde(default)]
    pub elsewhere: Option<Elsewhere>,
}

impl EndpointReport {
    /// `host:port`, followed by `/udp` for UDP: the id without its dependency.
    pub fn target(&self) -> &str {
        self.id
            .strip_prefix(self.dependency.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(&self.id)
    }

    /// The addresses that were tried: those of connections or, if there were none, those of the name.
    fn tried(&self) -> Vec<IpAddr> {
        let stages = &self.stages;
        if !stages.tcp.is_empty() {
            return stages.tcp.iter().map(|connection| connection.address).collect();
        }
        let of_name = stages.dns.iter().flat_map(|dns| &dns.addresses).copied();
        of_name.chain(self.host.parse()).collect()
    }

    /// Whether an address was tried from both places: a name may lead to different services, for example if only one
    /// place has a private endpoint.
    pub(crate) fn shares_address_with(&self, other: &Self) -> bool {
        let others = other.tried();
        self.tried().iter().any(|address| others.contains(address))
    }

    /// Whether so few connections work that the instance fails: fewer than three quarters.
    pub fn is_mostly_lost(&self) -> bool {
        let few = |flows: FlowCounts| flows.passed * 4 < flows.tried * 3;
        self.verdict == Verdict::Degraded && self.flows.is_some_and(few)
    }

    /// Whether it was not tested for a reason that is not a gap in the run: the catalog says that the host is retired,
    /// a wildcard has no known member, the traffic is not outbound, the user skipped it.
    ///
    /// A host that only this run found to be retired was looked up, and is a gap.
    pub fn is_set_aside(&self) -> bool {
        self.verdict == Verdict::NotTested
            && match self.cause {
                Some(Cause::Wildcard | Cause::NotOutbound | Cause::Skipped) => true,
                Some(Cause::Retired) => self.stages.dns.is_none(),
                _ => false,
            }
    }

    /// Whether this run should have tried it and did not: the deadline passed first, or this machine could not probe.
    pub fn was_not_tried(&self) -> bool {
        self.verdict == Verdict::NotTested && matches!(self.cause, Some(Cause::Deadline | Cause::LocalFault))
    }
}

/// How many connections were made to an endpoint, and how many succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Flows")]
pub struct FlowCounts {
    /// Connections, each from a different source port, excluding controls of the packet size.
    pub tried: usize,
    /// Those over which the service was verified.
    pub passed: usize,
}

/// The result of each stage. A stage that was not reached, or that the protocol lacks, is null or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Stages")]
pub struct StageReports {
    /// The name lookup that decided.
    pub dns: Option<DnsStage>,
    /// One entry for each TCP connection, in order of start.
    pub tcp: Vec<TcpStage>,
    /// The handshake that decided.
    pub tls: Option<TlsStage>,
    /// The conversation that decided.
    pub hello: Option<HelloStage>,
}

/// The result of a stage: `ok`, or the cause of its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageOutcome {
    /// It succeeded.
    Ok,
    /// It failed.
    #[serde(untagged)]
    Failed(Cause),
}

impl StageOutcome {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(cause) => cause.as_str(),
        }
    }
}

impl From<Option<Cause>> for StageOutcome {
    fn from(cause: Option<Cause>) -> Self {
        cause.map_or(Self::Ok, Self::Failed)
    }
}

impl fmt::Display for StageOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name lookup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DnsStage {
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The server whose reply decided, `address:port`.
    pub server: Option<SocketAddr>,
    /// The response code, by its name in RFC 1035 (`NOERROR`, `NXDOMAIN` …).
    pub rcode: Option<String>,
    /// The chain of aliases, in order.
    pub cnames: Vec<String>,
    /// Every address.
    pub addresses: Vec<IpAddr>,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TcpStage {
    /// The address.
    pub address: IpAddr,
    /// This machine's end, `address:port`; null where there was none.
    #[serde(default)]
    pub source: Option<SocketAddr>,
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The largest segment that can be sent, in bytes; null, like the next two, if the connection was never open or the
    /// system does not report it.
    #[serde(default)]
    pub mss: Option<u32>,
    /// The smoothed round-trip time in milliseconds.
    #[serde(default, serialize_with = "json::to_a_tenth_if_any")]
    #[schemars(with = "Option<f64>")]
    pub rtt_ms: Option<f64>,
    /// How many segments were retransmitted, including SYNs.
    #[serde(default)]
    pub retransmitted: Option<u32>,
}

/// A TLS handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsStage {
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The address.
    pub address: IpAddr,
    /// The protocol version agreed, `TLSv1.2` or `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite agreed.
    pub cipher: Option<String>,
    /// The subject of the server's certificate.
    pub subject: Option<String>,
    /// The issuer of the server's certificate.
    pub issuer: Option<String>,
    /// When the server's certificate expires, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub not_after: Option<Timestamp>,
    /// When the first certificate of the chain that the server sent expires, including its own, RFC 3339.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub chain_not_after: Option<Timestamp>,
}

/// A conversation in the service's own protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HelloStage {
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Duration in milliseconds.
    #[serde(serialize_with = "json::to_a_tenth")]
    #[schemars(with = "f64")]
    pub ms: f64,
    /// The address.
    pub address: IpAddr,
    /// The part of the reply that proves the service.
    pub proof: Option<String>,
}
