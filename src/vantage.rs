//! Where the agent stands: the only part that asks the machine about itself.

use std::net::SocketAddr;

use crate::{
    catalog::model::{Cloud, Vnet},
    report::VantageSource,
};

pub mod descriptors;
pub mod hosts;
pub mod resolvers;

/// Where the agent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    /// The cloud whose names are probed.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The kind of virtual network; `None` plans for both.
    pub vnet: Option<Vnet>,
    /// How cloud and region are known.
    pub source: VantageSource,
    /// This machine's name.
    pub host: Option<String>,
    /// This machine's addresses, loopback and link-local ones left out.
    pub addresses: Vec<String>,
    /// The name servers to test and to ask.
    pub name_servers: Vec<SocketAddr>,
    /// What the reader should know before the results.
    pub notices: Vec<String>,
}

/// What the user said of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `--cloud`.
    pub cloud: Option<Cloud>,
    /// `--region`.
    pub region: Option<String>,
    /// `--vnet`.
    pub vnet: Option<Vnet>,
    /// `--dns-server`; empty means the system's.
    pub name_servers: Vec<SocketAddr>,
}

impl Vantage {
    /// Looks around on this machine; what the user claims comes first.
    pub fn look(claims: &Claims) -> Self {
        let mut notices = Vec::new();
        let name_servers = if claims.name_servers.is_empty() {
            let system = resolvers::system();
            notices.extend(system.notices);
            system.servers
        } else {
            claims.name_servers.clone()
        };
        notices.extend(proxy_notice());
        let named = claims.cloud.is_some() || claims.region.is_some();
        Self {
            cloud: claims.cloud.unwrap_or(Cloud::Public),
            region: claims.region.clone(),
            vnet: claims.vnet,
            source: if named {
                VantageSource::Flags
            } else {
                VantageSource::Default
            },
            host: nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()),
            addresses: addresses(),
            name_servers,
            notices,
        }
    }
}

/// The variables that other tools take a proxy from.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

fn proxy_notice() -> Option<String> {
    let set: Vec<&str> = PROXY_VARIABLES
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    let verb = if set.len() == 1 { "is" } else { "are" };
    (!set.is_empty()).then(|| format!("{} {verb} set and ignored: the instance has no proxy", set.join(", ")))
}

fn addresses() -> Vec<String> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let mut addresses: Vec<String> = Vec::new();
    for storage in interfaces.filter_map(|interface| interface.address) {
        let v4 = storage
            .as_sockaddr_in()
            .map(nix::sys::socket::SockaddrIn::ip)
            .filter(|ip| !ip.is_loopback() && !ip.is_link_local());
        let v6 = storage
            .as_sockaddr_in6()
            .map(nix::sys::socket::SockaddrIn6::ip)
            .filter(|ip| !ip.is_loopback() && !ip.is_unicast_link_local());
        let text = v4.map(|ip| ip.to_string()).or(v6.map(|ip| ip.to_string()));
        addresses.extend(text.filter(|text| !addresses.contains(text)));
    }
    addresses
}
