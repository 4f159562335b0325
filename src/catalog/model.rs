//! The checked catalog: what `probes.yaml` says once every rule of the format has been verified.
//!
//! These types hold no positions and no raw text: those end with the linter.

use std::{collections::BTreeMap, net::IpAddr};

use crate::azure::Cloud;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every documented dependency of an instance, in the order in which reports show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// The page that the catalog was made from.
    pub source: Source,
    /// What `{name}` in a host stands for, cloud by cloud.
    pub clouds: BTreeMap<Cloud, BTreeMap<String, String>>,
    /// The dependencies, in file order.
    pub dependencies: Vec<Dependency>,
    /// The documented gateway addresses of Azure SQL, where the catalog has them.
    pub sql_gateways: Option<SqlGateways>,
    /// SHA-256 over the files that the catalog was read from, in hexadecimal.
    pub sha256: String,
}

/// Where the facts of a catalog come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The page's title.
    pub title: String,
    /// The page's address.
    pub url: String,
    /// The page's own date, `YYYY-MM-DD`.
    pub documented: String,
}

/// One thing the instance needs: Azure SQL, Entra ID, certificate revocation …
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The name that `--only`, `--skip`, findings and endpoint ids use.
    pub id: String,
    /// The name that people use.
    pub title: String,
    /// How much its endpoints count, unless an endpoint says otherwise.
    pub need: Need,
    /// Who needs it, where `need` is [`Need::Feature`].
    pub feature: Option<String>,
    /// The service tag of the documented NSG rule.
    pub service_tag: Option<String>,
    /// What breaks without it, in one sentence.
    pub impact: String,
    /// The anchor on the source page, or a full address.
    pub docs: Option<String>,
    /// The clouds it exists in; empty means all.
    pub clouds: Vec<Cloud>,
    /// The kind of virtual network it applies to; `None` means both.
    pub vnet: Option<Vnet>,
    /// Literal addresses for routes and rules where no service tag covers the service; not probed.
    pub route_addresses: BTreeMap<Cloud, Vec<IpAddr>>,
    /// What to test, in file order.
    pub endpoints: Vec<Endpoint>,
}

/// One entry of a dependency's `endpoints`: a target and the ports to test on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// What to reach.
    pub target: Target,
    /// The ports and what is spoken on each, paired. Nothing is spoken to inbound and peer rows: `tcp` stands there.
    pub ports: Vec<(u16, Protocol)>,
    /// As written where the protocol has both (dns, UDP by default) and for inbound and peer rows; the protocol's own
    /// transport otherwise.
    pub transport: Transport,
    /// Other names that count as the host's own, in a certificate or as target of a redirect; `*.` matches one label.
    pub names: Vec<String>,
    /// Overrides the dependency's need.
    pub need: Option<Need>,
    /// Which way the traffic flows.
    pub direction: Direction,
    /// Where inbound traffic comes from.
    pub source_tag: Option<String>,
    /// The clouds it exists in; empty means all of the dependency's.
    pub clouds: Vec<Cloud>,
    /// The kind of virtual network it applies to; `None` means the dependency's.
    pub vnet: Option<Vnet>,
    /// The path of the request (http and https).
    pub path: Option<String>,
    /// A remark for people.
    pub note: Option<String>,
    /// Whether it should be reachable or must be blocked.
    pub expect: Expect,
    /// Set where the host is gone.
    pub retired: Option<Retired>,
    /// The host that took its place, or will: a host may still answer after it was replaced.
    pub replaced_by: Option<String>,
    /// Whether to test it only when an import or `--only` names it.
    pub only_when_named: bool,
}

/// What an [`Endpoint`] reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host name, possibly with `{name}` placeholders.
    Host(String),
    /// A wildcard such as `*.data.microsoft.com`, probed through its known members.
    Wildcard {
        /// The wildcard as documented.
        pattern: String,
        /// Hosts known to live under it; none means that it cannot be tested.
        members: Vec<String>,
    },
    /// Addresses in place of a name: one endpoint.
    Addresses {
        /// At least one.
        addresses: Vec<IpAddr>,
        /// Whether one address that proves itself is enough.
        any: bool,
    },
    /// Each configured name server (`host: "{name_server}"`).
    NameServer,
    /// Inbound and peer rows have no target of their own.
    Anything,
}

/// A host that the documentation once listed and that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The host that took its place, if any did.
    pub replaced_by: Option<String>,
}

/// The gateway addresses of Azure SQL, which stand in for a server whose name is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlGateways {
    /// Where the addresses come from.
    pub source: String,
    /// Addresses by region, named as the VM's metadata names regions (`westeurope`).
    pub regions: BTreeMap<String, Vec<IpAddr>>,
}

/// How much an endpoint counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// The instance does not work without it.
    Required,
    /// Only who uses the feature needs it.
    Feature,
    /// The page names host and port, but the service is not known to offer it.
    Documented,
}

impl Need {
    /// Every value, as error messages list them.
    pub const ALL: [Self; 3] = [Self::Required, Self::Feature, Self::Documented];

    /// The word in catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Feature => "feature",
            Self::Documented => "documented",
        }
    }
}

/// How the instance is injected into its virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Vnet {
    /// The gateway has a public address.
    External,
    /// The gateway has a private address only.
    Internal,
}

impl Vnet {
    /// Every value, as error messages list them.
    pub const ALL: [Self; 2] = [Self::External, Self::Internal];

    /// The word in flags, catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Internal => "internal",
        }
    }
}

/// Which way a dependency's traffic flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the subnet out: what a probe can test.
    #[default]
    Outbound,
    /// Into the subnet.
    Inbound,
    /// Between the machines of the instance.
    Peer,
}

impl Direction {
    /// Every value, as error messages list them.
    pub const ALL: [Self; 3] = [Self::Outbound, Self::Inbound, Self::Peer];

    /// The word in catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Peer => "peer",
        }
    }
}

/// Whether an endpoint should be reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// It should work.
    #[default]
    Reachable,
    /// It must not get out: a negative test.
    Blocked,
}

impl Expect {
    /// Every value, as error messages list them.
    pub const ALL: [Self; 2] = [Self::Reachable, Self::Blocked];

    /// The word in catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Blocked => "blocked",
        }
    }
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Every value, as error messages list them.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// The word in catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A DNS query, over UDP or TCP.
    Dns,
    /// An accepted connection and no more: never proof.
    Tcp,
    /// A TLS handshake.
    Tls,
    /// One plain HTTP request.
    Http,
    /// A TLS handshake and one HTTP request.
    Https,
    /// TDS PRELOGIN, then a TLS handshake inside TDS packets.
    Tds,
    /// AMQP 1.0 with an upgrade to TLS.
    Amqp,
    /// AMQP 1.0 over TLS from the first byte.
    Amqps,
    /// SMB2 NEGOTIATE.
    Smb,
    /// A DCE/RPC bind to the key management service.
    Kms,
    /// One NTP client packet.
    Ntp,
    /// Redis over TLS.
    Redis,
}

impl Protocol {
    /// Every protocol, as error messages list them.
    pub const ALL: [Self; 12] = [
        Self::Dns,
        Self::Tcp,
        Self::Tls,
        Self::Http,
        Self::Https,
        Self::Tds,
        Self::Amqp,
        Self::Amqps,
        Self::Smb,
        Self::Kms,
        Self::Ntp,
        Self::Redis,
    ];

    /// The word in catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tds => "tds",
            Self::Amqp => "amqp",
            Self::Amqps => "amqps",
            Self::Smb => "smb",
            Self::Kms => "kms",
            Self::Ntp => "ntp",
            Self::Redis => "redis",
        }
    }

    /// The transports it runs over, the usual one first.
    pub fn transports(self) -> &'static [Transport] {
        match self {
            Self::Dns => &[Transport::Udp, Transport::Tcp],
            Self::Ntp => &[Transport::Udp],
            _ => &[Transport::Tcp],
        }
    }

    /// Whether a certificate is shown on the way.
    pub fn speaks_tls(self) -> bool {
        match self {
            Self::Tls | Self::Https | Self::Tds | Self::Amqp | Self::Amqps | Self::Redis => true,
            Self::Dns | Self::Tcp | Self::Http | Self::Smb | Self::Kms | Self::Ntp => false,
        }
    }

    /// Whether its request has a path.
    pub fn has_path(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}
