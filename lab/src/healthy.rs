//! The healthy network for a plan, and a scenario's deviations from it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::network::{LabNetwork, NameResolution, ServiceAddress, ServiceProtocol, SimulatedService};

/// The names that name servers are tested with, one per cloud: they exist everywhere.
const LOGIN_HOSTS: [&str; 3] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
];

/// The fields of `apim-probe list --format json` that are needed here.
#[derive(Deserialize)]
struct ListedPlan {
    endpoints: Vec<ListedEndpoint>,
}

#[derive(Deserialize)]
struct ListedEndpoint {
    host: String,
    port: u16,
    transport: String,
    protocol: String,
    testable: bool,
}

/// The network in which every endpoint of the plan works, except for `deviations`.
///
/// Each host has a separate address, counted up from 20.0.0.1, and the right service on each of its planned ports. A
/// deviating name replaces the host's answer. A deviating service replaces the planned one, and uses its protocol
/// unless it gives another; `*:443` stands for every planned service on the port.
pub fn healthy(plan: &str, deviations: &LabNetwork) -> Result<LabNetwork> {
    let plan: ListedPlan = serde_json::from_str(plan).context("reading the plan")?;
    let planned: Vec<(ServiceAddress, &str)> = plan
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.testable && endpoint.protocol != "dns")
        .map(|endpoint| (place(endpoint), endpoint.protocol.as_str()))
        .collect();

    let mut names = BTreeMap::new();
    let hosts = planned
        .iter()
        .map(|(at, _)| at.host.as_str())
        .filter(|host| host.parse::<IpAddr>().is_err());
    for host in hosts.chain(LOGIN_HOSTS) {
        let next = u32::try_from(names.len()).context("too many hosts")?;
        names.entry(host.to_owned()).or_insert_with(|| NameResolution {
            addresses: vec![Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(20, 0, 0, 1)) + next).into()],
            ..NameResolution::default()
        });
    }
    names.extend(deviations.names.clone());

    let mut services = deviations.services.clone();
    services.retain(|at, _| at.host != "*");
    for (at, protocol) in planned {
        let protocol = service_protocol(protocol)?;
        let everybody = || {
            deviations
                .services
                .iter()
                .find(|(other, _)| other.host == "*" && other.covers(&at))
        };
        let service = services
            .entry(at.clone())
            .or_insert_with(|| everybody().map_or_else(SimulatedService::default, |it| it.1.clone()));
        service.protocol.get_or_insert(protocol);
    }
    Ok(LabNetwork {
        names,
        services,
        ..deviations.clone()
    })
}

fn place(endpoint: &ListedEndpoint) -> ServiceAddress {
    let host = endpoint.host.to_ascii_lowercase();
    if endpoint.transport == "udp" {
        ServiceAddress::udp(host, endpoint.port)
    } else {
        ServiceAddress::tcp(host, endpoint.port)
    }
}

fn service_protocol(protocol: &str) -> Result<ServiceProtocol> {
    serde_json::from_value(protocol.into()).with_context(|| format!("no service speaks {protocol}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{ "schema": "apim-probe/plan/v1", "endpoints": [
        { "host": "a.example", "port": 443, "transport": "tcp", "protocol": "https", "testable": true, "id": "…" },
        { "host": "a.example", "port": 80, "transport": "tcp", "protocol": "http", "testable": true },
        { "host": "B.example", "port": 443, "transport": "tcp", "protocol": "tls", "testable": true },
        { "host": "time.example", "port": 123, "transport": "udp", "protocol": "ntp", "testable": true },
        { "host": "20.9.9.9", "port": 1688, "transport": "tcp", "protocol": "kms", "testable": true },
        { "host": "168.63.129.16", "port": 53, "transport": "udp", "protocol": "dns", "testable": true },
        { "host": "{key_vault}.vault", "port": 443, "transport": "tcp", "protocol": "https", "testable": false } ] }"#;

    fn network(deviations: &str) -> LabNetwork {
        healthy(PLAN, &serde_yaml::from_str(deviations).unwrap()).unwrap()
    }

    #[test]
    fn healthy_network_gives_every_host_an_address_and_its_services() {
        let network = network("{}");
        let address = |name: &str| network.addresses(name)[0].to_string();
        assert_eq!(
            [
                address("a.example"),
                address("b.example"),
                address("time.example"),
                address(LOGIN_HOSTS[0])
            ],
            ["20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.4"]
        );
        let served: Vec<_> = network
            .services
            .iter()
            .map(|(at, it)| (at.to_string(), it.protocol.unwrap()))
            .collect();
        assert_eq!(
            served,
            [
                ("20.9.9.9:1688".into(), ServiceProtocol::Kms),
                ("a.example:80".into(), ServiceProtocol::Http),
                ("a.example:443".into(), ServiceProtocol::Https),
                ("b.example:443".into(), ServiceProtocol::Tls),
                ("time.example:123/udp".to_owned(), ServiceProtocol::Ntp),
            ]
        );
    }

    #[test]
    fn deviating_service_keeps_the_planned_protocol() {
        let network = network(
            "names: { a.example: { rcode: 3 } }
services: { 'a.example:443': { closed: true }, '*:443': { pacing: { interval_ms: 5 } }, 'x.example:25': { banner: hi } }",
        );
        assert_eq!(network.names["a.example"].rcode, 3);
        let service = |at: &str| &network.services[&at.parse::<ServiceAddress>().unwrap()];
        assert!(service("a.example:443").closed && service("a.example:443").pacing.is_none());
        assert_eq!(service("a.example:443").protocol, Some(ServiceProtocol::Https));
        assert!(service("b.example:443").pacing.is_some() && service("a.example:80").pacing.is_none());
        assert_eq!(service("x.example:25").protocol, None);
    }
}
