//! The page of a host: who needs it, on which ports, and what breaks without it.

use std::net::IpAddr;

use super::{
    dependency::{fill, needed_by, own_need},
    page::{label, line, section},
    words::flag,
};
use crate::{
    azure::{Cloud, PLATFORM},
    catalog::{
        model::{Catalog, Dependency, EndpointSpec, Target},
        stands_for,
    },
};

/// Every dependency that needs `asked`, a host or an address, with or without a port; `None` if there is none.
pub(super) fn page(asked: &str, catalog: &Catalog, cloud: Cloud) -> Option<String> {
    let (host, port) = parts(asked);
    let in_cloud = |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
    let needs = |dependency: &&Dependency| in_cloud(&dependency.clouds);
    let mut page = String::new();
    for dependency in catalog.dependencies.iter().filter(needs) {
        let endpoints = dependency
            .endpoints
            .iter()
            .filter(|endpoint| in_cloud(&endpoint.clouds));
        let on_port =
            |endpoint: &&EndpointSpec| port.is_none_or(|port| endpoint.ports.iter().any(|(it, _)| *it == port));
        let reaching: Vec<&EndpointSpec> = endpoints
            .filter(on_port)
            .filter(|endpoint| reaches(endpoint, host, catalog, cloud))
            .collect();
        if reaching.is_empty() {
            continue;
        }
        section(&mut page, &format!("{} ({})", dependency.title, dependency.id));
        for endpoint in reaching {
            label(&mut page, "Protocol", &protocol_name(endpoint, dependency));
            if let Some(note) = &endpoint.note {
                label(&mut page, "", note);
            }
        }
        label(&mut page, "Needed by", &needed_by(dependency, catalog.tier));
        label(&mut page, "Impact", &dependency.impact);
        if let Some(tag) = &dependency.service_tag {
            label(&mut page, "Service tag", tag);
        }
        label(
            &mut page,
            "Try",
            &format!("apim-probe run{} --only {}", flag(catalog.tier), dependency.id),
        );
    }
    if page.is_empty() {
        return None;
    }
    let mut whole = String::new();
    line(&mut whole, &format!("{host} in the {cloud} cloud"));
    Some(whole + &page)
}

/// Host and port of `host`, `host:port`, `host:port/udp`, `[address]:port` or an address alone.
fn parts(asked: &str) -> (&str, Option<u16>) {
    let asked = asked.strip_suffix("/udp").unwrap_or(asked);
    if asked.parse::<IpAddr>().is_ok() {
        return (asked, None);
    }
    let (host, port) = match asked.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (asked, None),
    };
    (host.trim_end_matches('.').trim_matches(['[', ']']), port)
}

fn reaches(endpoint: &EndpointSpec, host: &str, catalog: &Catalog, cloud: Cloud) -> bool {
    match &endpoint.target {
        Target::Host(template) => {
            let template = fill(template, catalog, cloud);
            // A host that only the user knows could be any.
            template.contains('.') && stands_for(&template, host)
        }
        Target::Wildcard { pattern, .. } => stands_for(&fill(pattern, catalog, cloud), host),
        Target::Addresses { addresses, .. } => host.parse().is_ok_and(|address: IpAddr| addresses.contains(&address)),
        // Azure's own name server; any other is known to the network alone.
        Target::NameServer => host.parse() == Ok(PLATFORM),
        Target::Anything => false,
    }
}

/// The ports and protocols of an endpoint, and its need if that is not its dependency's.
fn protocol_name(endpoint: &EndpointSpec, dependency: &Dependency) -> String {
    let transport = endpoint.transport.as_str().to_uppercase();
    let ports: Vec<String> = endpoint
        .ports
        .iter()
        .map(|(port, protocol)| format!("{transport} {port} {}", protocol.as_str()))
        .collect();
    ports.join(", ") + &own_need(endpoint, dependency)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn host_accepts_a_port_suffix() {
        assert_eq!(parts("a.example:443"), ("a.example", Some(443)));
        assert_eq!(parts("a.example.:123/udp"), ("a.example", Some(123)));
        assert_eq!(parts("[2001:db8::1]:443"), ("2001:db8::1", Some(443)));
        assert_eq!(parts("2001:db8::1"), ("2001:db8::1", None));
    }
}
