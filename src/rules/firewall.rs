//! A rule collection group for an Azure Firewall policy.
//!
//! Application rules match host names and only suit HTTP on 80 and TLS on 443. An `https` rule for another port makes
//! the firewall accept connections to any address on it and then fail everything that is not TLS with a server name, so
//! everything else gets network rules by service tag. (There is `mssql:1433` as well, but only for servers whose
//! connection policy is Proxy.)

use super::{
    Requirement, RuleFilter, RuleSet,
    nsg::{literal, name_servers},
    slots::{RuleDestination, RuleSlot, name},
};
use crate::model::{Direction, Protocol, Transport};

/// A rule collection group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionGroup {
    /// Its name. Rules for what is missing get a separate group, because a group is always replaced completely.
    pub name: &'static str,
    /// Its priority within the policy.
    pub priority: u16,
    /// Its collections: one of each kind, or one for each rule if rules are added to the group's contents.
    pub collections: Vec<Collection>,
    /// Whether rules are added to the group's existing contents.
    pub is_added_to: bool,
}

/// A collection of rules that allow, at least one and all of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its name, unique within its group.
    pub name: String,
    /// Its priority, unique within its group.
    pub priority: u16,
    /// Its rules.
    pub rules: Vec<FirewallRule>,
}

/// A rule of a firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirewallRule {
    /// By address.
    Network(NetworkRule),
    /// By name.
    Application(ApplicationRule),
}

/// The names and priorities of the two collections that contain every rule.
const NETWORK: (&str, u16) = ("apim-network", 200);
/// See [`NETWORK`].
const APPLICATION: (&str, u16) = ("apim-application", 300);

/// The first priority of collections that contain one rule each, with enough distance for any catalog. A firewall
/// evaluates network rules before application rules, whatever the priorities.
const FIRST_NETWORK: u16 = 200;
/// See [`FIRST_NETWORK`].
const FIRST_APPLICATION: u16 = 10_000;

/// A rule by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Its name: `apim-Sql-tcp-1433`.
    pub name: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// The subnet.
    pub source: String,
    /// A tag, addresses, or `*`; empty if names are used instead.
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

/// The selected rules.
pub(super) fn rules(set: &RuleSet<'_>, choice: RuleFilter<'_>) -> CollectionGroup {
    let (network, application) = (network(set, choice), application(set, choice));
    match choice {
        RuleFilter::All => CollectionGroup {
            name: "apim-dependencies",
            priority: 1000,
            collections: [(NETWORK, network), (APPLICATION, application)]
                .into_iter()
                .filter(|(_, rules)| !rules.is_empty())
                .map(|((name, priority), rules)| Collection {
                    name: name.to_owned(),
                    priority,
                    rules: rules.into_iter().map(|(_, rule)| rule).collect(),
                })
                .collect(),
            is_added_to: false,
        },
        // What is applied later must neither replace what was applied before nor depend on it.
        RuleFilter::For(_) => {
            let network = network.into_iter().map(|rule| alone(FIRST_NETWORK, rule));
            let application = application.into_iter().map(|rule| alone(FIRST_APPLICATION, rule));
            CollectionGroup {
                name: "apim-dependencies-missing",
                priority: 990,
                collections: network.chain(application).collect(),
                is_added_to: true,
            }
        }
    }
}

/// A collection that contains one rule, with its index among the rules of its kind.
fn alone(first: u16, (at, rule): (usize, FirewallRule)) -> Collection {
    Collection {
        name: rule.name().to_owned(),
        priority: u16::try_from(at).map_or(u16::MAX, |at| first.saturating_add(at)),
        rules: vec![rule],
    }
}

impl CollectionGroup {
    /// How many rules it contains.
    pub fn len(&self) -> usize {
        self.collections.iter().map(|collection| collection.rules.len()).sum()
    }
}

impl FirewallRule {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Network(rule) => &rule.name,
            Self::Application(rule) => &rule.name,
        }
    }
}

/// Rules by name, each with its index among all that the catalog could have.
fn application(set: &RuleSet<'_>, choice: RuleFilter<'_>) -> Vec<(usize, FirewallRule)> {
    let mut rules: Vec<(bool, usize, ApplicationRule)> = Vec::new();
    for requirement in &set.requirements {
        let Some((protocol, fqdn)) = by_name(requirement) else {
            continue;
        };
        let name = name(&format!(
            "apim-{}-{}",
            requirement.dependency,
            protocol.to_ascii_lowercase()
        ));
        let known = rules.iter().position(|(_, _, rule)| rule.name == name);
        let at = known.unwrap_or_else(|| {
            let rule = ApplicationRule {
                name,
                protocol,
                port: requirement.port,
                source: set.basis.subnet.to_owned(),
                fqdns: Vec::new(),
            };
            let of_dependency = set.place_of(&requirement.dependency);
            rules.push((false, 2 * of_dependency + usize::from(protocol == "Https"), rule));
            rules.len() - 1
        });
        let (is_chosen, _, rule) = &mut rules[at];
        *is_chosen |= choice.takes(std::iter::once(requirement));
        if !rule.fqdns.contains(&fqdn) {
            rule.fqdns.push(fqdn);
        }
    }
    rules
        .into_iter()
        .filter(|(is_chosen, _, _)| *is_chosen)
        .map(|(_, at, rule)| (at, FirewallRule::Application(rule)))
        .collect()
}

/// Rules by address, each with its index among all that the catalog could have.
fn network(set: &RuleSet<'_>, choice: RuleFilter<'_>) -> Vec<(usize, FirewallRule)> {
    let outbound = set.slots.iter().filter(|slot| !slot.inbound).enumerate();
    outbound
        .filter_map(|(at, slot)| Some((at, FirewallRule::Network(network_rule(set, slot, choice)?))))
        .collect()
}

/// The protocol and the name, if a rule by name is suitable: HTTP on 80 and TLS on 443, to a known name.
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

fn network_rule(set: &RuleSet<'_>, slot: &RuleSlot, choice: RuleFilter<'_>) -> Option<NetworkRule> {
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
        // No firewall tag stands for the internet, and a rule for every web host would restrict nothing.
        RuleDestination::Tag(tag) if tag.eq_ignore_ascii_case("Internet") => {
            if !ports.iter().any(|port| matches!(port, 80 | 443)) {
                destinations.push("*".into());
            }
        }
        RuleDestination::Tag(tag) => destinations.push(set.basis.tag(tag)),
        RuleDestination::NameServers => destinations = name_servers(set, slot),
        RuleDestination::Literal(id) => destinations = literal(&set.basis, id),
        RuleDestination::Hosts(_) => {
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
    // A rule has addresses or names; with names, a firewall needs no addresses.
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
