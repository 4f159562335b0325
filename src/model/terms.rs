//! The words that catalogs, plans and reports share: need, direction, transport, protocol.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much an endpoint counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// The instance does not work without it.
    Required,
    /// Only users of the feature need it.
    Feature,
    /// It is documented, but not known to be used.
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

    /// The word in text: what only the users of a feature need is optional.
    pub fn label(self) -> &'static str {
        match self {
            Self::Required | Self::Documented => self.as_str(),
            Self::Feature => "optional",
        }
    }
}

/// The network mode of the instance.
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
    /// It must be blocked: a negative test.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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

/// The protocol on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A DNS query, over UDP or TCP.
    Dns,
    /// An accepted connection only: never proof.
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

    /// The possible transports, the default first.
    pub fn transports(self) -> &'static [Transport] {
        match self {
            Self::Dns => &[Transport::Udp, Transport::Tcp],
            Self::Ntp => &[Transport::Udp],
            _ => &[Transport::Tcp],
        }
    }

    /// Whether a certificate is part of the exchange.
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
