//! A host and port as they are usually written.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// `host:port`, `host:port/udp`, or `host` for every port; the host is a name, an address, a network or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceAddress {
    /// A name, an address, a network (`20.0.0.0/8`) or `*`.
    pub host: String,
    /// The port; none means all.
    pub port: Option<u16>,
    /// TCP unless given.
    pub transport: IpProtocol,
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl IpProtocol {
    /// The word in nftables rules and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl ServiceAddress {
    /// A TCP port of a host.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port: Some(port),
            transport: IpProtocol::Tcp,
        }
    }

    /// A UDP port of a host.
    pub fn udp(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port: Some(port),
            transport: IpProtocol::Udp,
        }
    }

    /// Whether `other` is included; `*` means every host.
    pub fn covers(&self, other: &Self) -> bool {
        (self.host == "*" || self.host == other.host)
            && (self.port.is_none() || self.port == other.port)
            && self.transport == other.transport
    }
}

impl FromStr for ServiceAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, transport) = match text.strip_suffix("/udp") {
            Some(place) => (place, IpProtocol::Udp),
            None => (text, IpProtocol::Tcp),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (
                host,
                Some(port.parse().map_err(|_| format!("{text}: {port} is not a port"))?),
            ),
            None => (place, None),
        };
        if host.is_empty() {
            return Err(format!("{text}: no host"));
        }
        if port.is_none() && transport == IpProtocol::Udp {
            return Err(format!("{text}: without a port it means both TCP and UDP"));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            transport,
        })
    }
}

impl TryFrom<String> for ServiceAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if self.transport == IpProtocol::Udp {
            f.write_str("/udp")?;
        }
        Ok(())
    }
}
