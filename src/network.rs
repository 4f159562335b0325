//! The network's own rules, as Azure exports them, and what they say of every planned endpoint before a packet is sent.
//!
//! ```text
//! effective NSG rules ─┐
//! effective routes    ─┼─▶ NetworkRules ─ predict(endpoint) ─▶ Prediction ─ beside ─▶ the measurement, in the report
//! service tags        ─┘
//! ```
//! The evaluation follows Azure: groups of subnet and network interface both, priorities, the longest prefix, a user's
//! route before BGP before Azure's own, service tags by their addresses. Security admin rules of a network manager come
//! before all of these and are seldom exported, so nothing here proves that a packet passes.

use std::net::IpAddr;

pub mod addresses;
pub mod beside;
mod document;
pub mod evaluate;
mod halves;
mod kind;
pub mod nsg;
mod predict;
mod remote;
pub mod routes;
pub mod service_tags;
mod words;

pub use document::MAX_SIZE;

use self::{
    addresses::{AddressSet, prefix},
    nsg::SecurityRules,
    routes::Routes,
    service_tags::ServiceTags,
};
use crate::azure::PLATFORM;

/// Everything that is known of the network's rules. What was not given is not guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRules {
    security: Option<SecurityRules>,
    routes: Option<Routes>,
    tags: ServiceTags,
    /// Whether the documents themselves tell what `VirtualNetwork` is.
    network_is_known: bool,
}

/// Where the rules are looked at from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standpoint<'a> {
    /// The region, as the VM's metadata names regions.
    pub region: Option<&'a str>,
    /// The addresses of this machine.
    pub addresses: &'a [IpAddr],
}

impl NetworkRules {
    /// Puts together what was given. What the rules themselves tell of a service tag counts before the list of tags.
    pub fn new(security: Option<SecurityRules>, routes: Option<Routes>, tags: Option<ServiceTags>) -> Self {
        let mut tags = tags.unwrap_or_default();
        if let Some(security) = &security {
            tags.replace(security.learned().clone());
        }
        let told = tags.addresses(VIRTUAL_NETWORK).is_some();
        if !told {
            tags.learn(
                VIRTUAL_NETWORK,
                &routes.as_ref().map_or_else(private, Routes::virtual_network),
            );
        }
        if tags.addresses(INTERNET).is_none() {
            let network = tags
                .addresses(VIRTUAL_NETWORK)
                .map(|known| known.as_ref().clone())
                .unwrap_or_default();
            tags.learn(INTERNET, &AddressSet::everything().difference(&network));
        }
        tags.learn(LOAD_BALANCER, &AddressSet::from_iter([PLATFORM]));
        let security = security.map(|mut security| {
            security.resolve(&tags);
            security
        });
        Self {
            network_is_known: told || routes.is_some(),
            security,
            routes,
            tags,
        }
    }

    /// Whether there is anything to predict from.
    pub fn can_predict(&self) -> bool {
        self.security.is_some() || self.routes.is_some()
    }

    /// The service tags, those that the rules themselves explain included.
    pub fn tags(&self) -> &ServiceTags {
        &self.tags
    }

    /// The effective rules of the security groups, where they were given.
    pub fn security(&self) -> Option<&SecurityRules> {
        self.security.as_ref()
    }

    /// What the reader should know of these rules.
    pub fn notices(&self, standpoint: &Standpoint<'_>) -> Vec<String> {
        let mut notices = Vec::new();
        let network = self.network();
        let foreign = self.network_is_known && !standpoint.addresses.is_empty() && self.local(standpoint).is_none();
        if foreign {
            let here = standpoint
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            notices.push(format!(
                "no address of this machine ({here}) lies in the virtual network of the given rules ({network}): they belong to another network interface"
            ));
        }
        if self.tags.is_incomplete() {
            notices
                .push("the service tags are the first page of several: tags that are missing stay unresolved".into());
        }
        notices
    }

    /// The addresses of this machine that lie in the virtual network of the rules.
    fn local(&self, standpoint: &Standpoint<'_>) -> Option<AddressSet> {
        let network = self.network();
        let here = standpoint
            .addresses
            .iter()
            .copied()
            .filter(|address| network.contains(*address));
        Some(here.collect::<AddressSet>()).filter(|here| !here.is_empty())
    }

    /// The virtual network itself where routes tell it, or else all that counts as `VirtualNetwork`.
    fn network(&self) -> AddressSet {
        let own = self
            .routes
            .as_ref()
            .map(Routes::own_network)
            .filter(|own| !own.is_empty());
        own.or_else(|| self.tags.addresses(VIRTUAL_NETWORK).map(|tag| tag.as_ref().clone()))
            .unwrap_or_default()
    }
}

/// The tag for the virtual network, its peers, and what gateways lead to.
const VIRTUAL_NETWORK: &str = "VirtualNetwork";

/// The tag for everything else.
const INTERNET: &str = "Internet";

/// The tag for the address from which Azure's load balancer probes.
const LOAD_BALANCER: &str = "AzureLoadBalancer";

/// The tag for the management traffic of instances.
const API_MANAGEMENT: &str = "ApiManagement";

/// What a virtual network can consist of (RFC 1918, RFC 6598), for want of anything better.
fn private() -> AddressSet {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
        .into_iter()
        .filter_map(prefix)
        .chain([PLATFORM.into()])
        .collect()
}
