//! The host names of an internal instance, which must resolve to its private address inside the network.
//!
//! Public DNS does not contain them, and the instance answers requests by host name only
//! (<https://learn.microsoft.com/azure/api-management/api-management-using-with-internal-vnet>).

use std::net::IpAddr;

use super::endpoint;
use crate::{
    catalog::{
        Dependency, EndpointSpec,
        model::{CertificateValidation, InstanceFacts, Target as To},
    },
    import::{
        OWN_HOSTNAMES,
        instance::{HostName, Role, ServiceResource},
    },
    model::{Protocol, Vnet},
};

/// The host names of an internal instance as a dependency, from a region's point of view; nothing for any other
/// instance.
pub(super) fn dependency(service: &ServiceResource, region: Option<&str>, has_gateways: bool) -> Option<Dependency> {
    if service.vnet() != Some(Vnet::Internal) {
        return None;
    }
    // Only self-hosted gateways use the configuration API.
    let counts = |name: &&HostName| name.role != Role::Configuration || has_gateways;
    let endpoints: Vec<EndpointSpec> = service
        .host_names
        .iter()
        .filter(counts)
        .map(|name| entry(name, leads_to(service, name, region)))
        .collect();
    (!endpoints.is_empty()).then(|| {
        super::of_the_instance(
            OWN_HOSTNAMES,
            "Clients inside the network",
            "Clients inside the network cannot resolve the instance's host name.",
            "https://learn.microsoft.com/azure/api-management/api-management-using-with-internal-vnet",
            endpoints,
        )
    })
}

/// The addresses that a name may resolve to, the one for this region first. The portal and the management API are only
/// in the primary location.
fn leads_to(service: &ServiceResource, name: &HostName, region: Option<&str>) -> Vec<IpAddr> {
    let primary = service
        .locations
        .first()
        .map(|place| place.private.as_slice())
        .unwrap_or_default();
    if name.role != Role::Gateway {
        return primary.to_vec();
    }
    let here = service
        .place_in(region)
        .map(|place| place.private.as_slice())
        .unwrap_or_default();
    let mut addresses = here.to_vec();
    for address in service.locations.iter().flat_map(|place| &place.private) {
        if !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    addresses
}

fn entry(name: &HostName, leads_to: Vec<IpAddr>) -> EndpointSpec {
    let (title, path) = match name.role {
        Role::Gateway => ("Gateway", Some("/status-0123456789abcdef")),
        Role::DeveloperPortal => ("Developer portal", Some("/signin")),
        Role::Management => ("Management API", Some("/ServiceStatus")),
        Role::Configuration => ("Configuration API", None),
    };
    let (users, does) = match name.role {
        Role::Gateway => ("Clients inside the network that call APIs", "do"),
        Role::DeveloperPortal => ("Clients inside the network that use the developer portal", "do"),
        Role::Management => ("The developer portal, which uses the management API,", "does"),
        Role::Configuration => ("Self-hosted gateways, which fetch their configuration,", "do"),
    };
    let of_instance = InstanceFacts {
        title: format!("{title} {}", name.host),
        feature: users.trim_end_matches(',').into(),
        impact: format!("{users} {does} not reach it at {}.", name.host),
        validation: CertificateValidation {
            // A custom certificate implies clients that trust it.
            chain: !name.is_custom,
            ..CertificateValidation::default()
        },
        unknown: None,
        leads_to,
    };
    EndpointSpec {
        path: path.map(str::to_owned),
        ..endpoint(To::Host(name.host.clone()), 443, Protocol::Https, of_instance)
    }
}
