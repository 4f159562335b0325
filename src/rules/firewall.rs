//! A rule collection group for an Azure Firewall policy.
//!
//! Application rules go by name and only fit HTTP on 80 and TLS on 443. An `https` rule for another port makes the firewall
//! accept connections to everyone on it and then fail what is not TLS with a server name, so everything else gets network
//! rules by service tag. (There is `mssql:1433` as well, but only for servers whose connection policy is Proxy.)

use super::{
    Choice, Requirement, RuleSet,
    nsg::{literal, name_servers},
    slots::{Far, Slot, name},
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

/// The rules that are chosen.
pub fn rules(set: &RuleSet<'_>, choice: Choice<'_>) -> CollectionGroup {
    let (name, priority) = match choice {
        Choice::All => ("apim-dependencies", 1000),
        Choice::For(_) => ("apim-dependencies-missing", 990),
    };
    let outbound = set.slots.iter().filter(|slot| !slot.inbound);
    CollectionGroup {
        name,
        priority,
        network: outbound.filter_map(|slot| network_rule(set, slot, choice)).collect(),
        application: application(set, choice),
    }
}

fn application(set: &RuleSet<'_>, choice: Choice<'_>) -> Vec<ApplicationRule> {
    let mut rules: Vec<(bool, ApplicationRule)> = Vec::new();
    for requirement in &set.requirements {
        let Some((protocol, fqdn)) = by_name(requirement) else {
            continue;
        };
        let name = name(&format!(
            "apim-{}-{}",
            requirement.dependency,
            protocol.to_ascii_lowercase()
        ));
        let at = rules.iter().position(|(_, rule)| rule.name == name).unwrap_or_else(|| {
            let rule = ApplicationRule {
                name,
                protocol,
                port: requirement.port,
                source: set.basis.subnet.to_owned(),
                fqdns: Vec::new(),
            };
            rules.push((false, rule));
            rules.len() - 1
        });
        let (is_chosen, rule) = &mut rules[at];
        *is_chosen |= choice.takes(std::iter::once(requirement));
        if !rule.fqdns.contains(&fqdn) {
            rule.fqdns.push(fqdn);
        }
    }
    rules
        .into_iter()
        .filter(|(is_chosen, _)| *is_chosen)
        .map(|(_, rule)| rule)
        .collect()
}

/// The protocol and the name, where a rule by name fits: HTTP on 80 and TLS on 443, to a name that is known.
fn by_name(requirement: &Requirement) -> Option<(&'static str, String)> {
    let protocol = match (requirement.protocol, requirement.port) {
        (Protocol::Http, 80) => "Http",
        (Protocol::Https | Protocol::Tls, 443) => "Https",
        _ => return None,
    };
    let fqdn = requirement.pattern.as_ref().unwrap_or(&requirement.host);
    let is_name = requirement.addresses.is_empty() && !fqdn.contains('{');
    (requirement.direction == Direction::Outbound && is_name).then(|| (protocol, fqdn.clone()))
}

fn network_rule(set: &RuleSet<'_>, slot: &Slot, choice: Choice<'_>) -> Option<NetworkRule> {
    let by_address: Vec<&Requirement> = set
        .required_by(slot)
        .filter(|requirement| requirement.direction == Direction::Outbound && by_name(requirement).is_none())
        .collect();
    let ports: Vec<u16> = slot
        .ports
        .iter()
        .copied()
        .filter(|port| by_address.iter().any(|requirement| requirement.port == *port))
        .collect();
    let (mut destinations, mut fqdns) = (Vec::new(), Vec::new());
    match &slot.far {
        // No tag of a firewall stands for the internet, and a rule for all of the web is no rule.
        Far::Tag(tag) if tag.eq_ignore_ascii_case("Internet") => {
            if !ports.iter().any(|port| matches!(port, 80 | 443)) {
                destinations.push("*".into());
            }
        }
        Far::Tag(tag) => destinations.push(set.basis.tag(tag)),
        Far::NameServers => destinations = name_servers(set, slot),
        Far::Literal(id) => destinations = literal(&set.basis, id),
        Far::Hosts(_) => {
            for requirement in &by_address {
                let (list, entries) = if requirement.addresses.is_empty() {
                    (&mut fqdns, vec![requirement.host.clone()])
                } else {
                    (
                        &mut destinations,
                        requirement.addresses.iter().map(ToString::to_string).collect(),
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
    (has_far_end && !ports.is_empty() && choice.takes(by_address.into_iter())).then(|| NetworkRule {
        name: format!("apim-{}", slot.name(&ports)),
        transport: slot.transport,
        source: set.basis.subnet.to_owned(),
        destinations,
        fqdns,
        ports,
    })
}
