//! The remote side of an endpoint, as precisely as it is known before or after a lookup.

use std::net::IpAddr;

use super::{
    INTERNET, NetworkRules,
    evaluate::{AddressKnowledge, RemoteSide, ipv4, public_internet},
};
use crate::plan::{PlannedEndpoint, ProbeTarget};

impl NetworkRules {
    /// The remote side of an outbound endpoint.
    pub(super) fn remote(&self, endpoint: &PlannedEndpoint, looked_up: &[IpAddr], region: Option<&str>) -> RemoteSide {
        let tag = endpoint.service_tag.as_deref();
        let addresses = known_addresses(endpoint, looked_up);
        if addresses.is_empty() {
            tag.map_or_else(|| Self::internet_address(None), |tag| self.of_tag(tag, region))
        } else {
            RemoteSide::at(addresses.into_iter().collect(), tag)
        }
    }

    /// All addresses of a service tag.
    pub(super) fn of_tag(&self, tag: &str, region: Option<&str>) -> RemoteSide {
        if tag.eq_ignore_ascii_case(INTERNET) {
            return Self::internet_address(None);
        }
        let name = self.tags.regional(tag, region).unwrap_or(tag);
        // Instances use IPv4, and the default rules of Azure's NSGs spell out IPv4 only.
        match self
            .tags
            .addresses(name)
            .map(|addresses| addresses.intersection(&ipv4()))
        {
            Some(addresses) if !addresses.is_empty() => RemoteSide {
                tag: self.tags.canonical_name(name).map(str::to_owned),
                addresses,
                known: AddressKnowledge::AsTag,
            },
            _ => Self::internet_address(Some(tag)),
        }
    }

    /// Somewhere on the internet, whatever Azure's rules count as that at the moment.
    fn internet_address(tag: Option<&str>) -> RemoteSide {
        RemoteSide {
            tag: tag.map(str::to_owned),
            addresses: public_internet(),
            known: AddressKnowledge::Hardly,
        }
    }
}

/// The addresses of an endpoint's remote side: those from a lookup, or else those that its plan gives.
pub(super) fn known_addresses(endpoint: &PlannedEndpoint, looked_up: &[IpAddr]) -> Vec<IpAddr> {
    match &endpoint.destination {
        _ if !looked_up.is_empty() => looked_up.to_vec(),
        ProbeTarget::Addresses { addresses, .. } => addresses.clone(),
        ProbeTarget::NameServer(server) => vec![server.ip()],
        ProbeTarget::Name => endpoint.host.parse().into_iter().collect(),
    }
}
