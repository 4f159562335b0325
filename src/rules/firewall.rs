//! A rule collection group for an Azure Firewall policy.
//!
//! Application rules go by name and only fit HTTP on 80 and TLS on 443. An `https` rule for another port makes the firewall
//! accept connections to everyone on it and then fail what is not TLS with a server name, so everything else gets network
//! rules by service tag. (There is `mssql:1433` as well, but only for servers whose connection policy is Proxy.)

use super::{
    Request, Wanted,
    nsg::{literal, name_servers},
    slots::{Far, Slot, name, slots},
};
use crate::model::{Direction, Protocol, Transport};

/// A rule collection group with one collection of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionGroup {
    /// Its name. Rules for what is missing get a group of their own, as a group is always replaced as a whole.
    pub name: &'static str,
    /// Its priority within the policy.
    pub priority: u16,
    /// Rules by address.
    pub network: Vec<NetworkRule>,
    /// Rules by name.
    pub application: Vec<ApplicationRule>,
}

/// The names and priorities of the two collections.
pub const NETWORK: (&str, u16) = ("apim-network", 200);
/// See [`NETWORK`].
pub const APPLICATION: (&str, u16) = ("apim-application", 300);

/// A rule by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Its name: `apim-Sql-tcp-1433`.
    pub name: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// The subnet.
    pub source: String,
    /// A tag, addresses, or `*`; empty where names stand instead.
    pub destinations: Vec<String>,
    /// Names, which work only while the firewall is the network's DNS proxy.
    pub fqdns: Vec<String>,
    /// The ports.
    pub ports: Vec<u16>,
}

/// A rule by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRule {
    /// Its name: `apim-certificate-revocation-http`.
    pub name: String,
    /// `Http` or `Https`.
    pub protocol: &'static str,
    /// The port.
    pub port: u16,
    /// The subnet.
    pub source: String,
    /// The names, `*.` allowed.
    pub fqdns: Vec<String>,
}

/// The rules for what is wanted.
pub fn rules(request: &Request<'_>) -> CollectionGroup {
    let (name, priority) = if request.missing_only {
        ("apim-dependencies-missing", 990)
    } else {
        ("apim-dependencies", 1000)
    };
    CollectionGroup {
        name,
        priority,
        network: network(request),
        application: application(request),
    }
}

fn application(request: &Request<'_>) -> Vec<ApplicationRule> {
    let mut rules: Vec<(bool, ApplicationRule)> = Vec::new();
    for wanted in &request.wanted {
        let Some((protocol, fqdn)) = by_name(wanted) else {
            continue;
        };
        let name = name(&format!("apim-{}-{}", wanted.dependency, protocol.to_ascii_lowercase()));
        let at = rules.iter().position(|(_, rule)| rule.name == name).unwrap_or_else(|| {
            let source = request.subnet.to_owned();
            let rule = ApplicationRule {
                name,
                protocol,
                port: wanted.port,
                source,
                fqdns: Vec::new(),
            };
            rules.push((false, rule));
            rules.len() - 1
        });
        let (missing, rule) = &mut rules[at];
        *missing |= wanted.missing;
        if !rule.fqdns.contains(&fqdn) {
            rule.fqdns.push(fqdn);
        }
    }
    rules
        .into_iter()
        .filter(|(missing, _)| request.has_place(*missing))
        .map(|(_, rule)| rule)
        .collect()
}

/// The protocol and the name, where a rule by name fits: HTTP on 80 and TLS on 443, to a name that is known.
fn by_name(wanted: &Wanted) -> Option<(&'static str, String)> {
    let protocol = match (wanted.protocol, wanted.port) {
        (Protocol::Http, 80) => "Http",
        (Protocol::Https | Protocol::Tls, 443) => "Https",
        _ => return None,
    };
    let fqdn = wanted.pattern.as_ref().unwrap_or(&wanted.host);
    let is_name = wanted.addresses.is_empty() && !fqdn.contains('{');
    (wanted.direction == Direction::Outbound && is_name).then(|| (protocol, fqdn.clone()))
}

fn network(request: &Request<'_>) -> Vec<NetworkRule> {
    let outbound = slots(request).into_iter().filter(|slot| !slot.inbound);
    outbound.filter_map(|slot| network_rule(request, &slot)).collect()
}

fn network_rule(request: &Request<'_>, slot: &Slot) -> Option<NetworkRule> {
    let by_address: Vec<&Wanted> = slot
        .wanted(request)
        .filter(|wanted| wanted.direction == Direction::Outbound && by_name(wanted).is_none())
        .collect();
    let ports: Vec<u16> = slot
        .ports
        .iter()
        .copied()
        .filter(|port| by_address.iter().any(|wanted| wanted.port == *port))
        .collect();
    let missing = by_address.iter().any(|wanted| wanted.missing);
    let (mut destinations, mut fqdns) = (Vec::new(), Vec::new());
    match &slot.far {
        // No tag of a firewall stands for the internet, and a rule for all of the web is no rule.
        Far::Tag(tag) if tag.eq_ignore_ascii_case("Internet") => {
            if !ports.iter().any(|port| matches!(port, 80 | 443)) {
                destinations.push("*".into());
            }
        }
        Far::Tag(tag) => destinations.push(request.tag(tag)),
        Far::NameServers => destinations = name_servers(request, slot),
        Far::Literal(id) => destinations = literal(request, id),
        Far::Hosts(_) => {
            for wanted in &by_address {
                let (list, entries) = if wanted.addresses.is_empty() {
                    (&mut fqdns, vec![wanted.host.clone()])
                } else {
                    (
                        &mut destinations,
                        wanted.addresses.iter().map(ToString::to_string).collect(),
                    )
                };
                list.extend(
                    entries
                        .into_iter()
                        .filter(|entry| !list.contains(entry))
                        .collect::<Vec<_>>(),
                );
            }
        }
    }
    // A rule names addresses or names; a firewall that knows the names needs no addresses.
    if !fqdns.is_empty() {
        destinations.clear();
    }
    let has_far_end = !destinations.is_empty() || !fqdns.is_empty();
    (has_far_end && !ports.is_empty() && request.has_place(missing)).then(|| NetworkRule {
        name: format!("apim-{}", slot.name(&ports)),
        transport: slot.transport,
        source: request.subnet.to_owned(),
        destinations,
        fqdns,
        ports,
    })
}
