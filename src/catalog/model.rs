//! The checked catalog: what `probes.yaml` says once every rule of the format has been verified.
//!
//! These types hold no positions and no raw text: those end with the linter.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::{
    azure::Cloud,
    model::{Direction, Expect, Need, Protocol, Tier, Transport, Vnet},
};

/// Every documented dependency of an instance, in the order in which reports show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// What kind of API Management it is for.
    pub tier: Tier,
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
    /// Whether a network status of the instance that calls it optional is right, whatever `need` says.
    pub instance_decides: bool,
    /// Who needs it, where `need` is [`Need::Feature`].
    pub feature: Option<String>,
    /// The service tag of the documented NSG rule.
    pub service_tag: Option<String>,
    /// What breaks without it, in one sentence.
    pub impact: String,
    /// Whether the instance cannot be activated without it.
    pub stops_activation: bool,
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
    /// Ranges by region, for regions of which no address is documented that listens.
    pub ranges: BTreeMap<String, Vec<IpNet>>,
}
