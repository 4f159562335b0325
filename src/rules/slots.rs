//! The rule slots: one for each destination, transport and set of ports in the catalog, in its order.

use std::collections::HashMap;

use super::Requirement;
use crate::{
    azure::ACTIVATION,
    catalog::model::{Catalog, Dependency, EndpointSpec, Target},
    model::{Direction, Expect, Need, Transport},
};

/// A rule's slot, whether or not anything requires the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSlot {
    /// Whether it is inbound.
    pub inbound: bool,
    /// The remote side.
    pub far: RuleDestination,
    /// TCP or UDP.
    pub transport: Transport,
    /// Its ports, in the catalog's order.
    pub ports: Vec<u16>,
    /// The titles of its dependencies.
    pub titles: Vec<String>,
    /// The highest need among them.
    pub need: Need,
    /// The requirements, by index; empty if only the catalog contains the slot.
    pub requirements: Vec<usize>,
}

/// The remote side of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleDestination {
    /// All addresses of a service tag.
    Tag(String),
    /// The network's name servers.
    NameServers,
    /// The literal addresses of a dependency, by its id, because no tag covers it.
    Literal(String),
    /// The hosts of a dependency without a tag, by its id.
    Hosts(String),
}

/// Every slot of a catalog, for any cloud and network mode, followed by those of endpoints that are in no catalog.
pub(super) fn slots(catalog: &Catalog, requirements: &[Requirement]) -> Vec<RuleSlot> {
    let mut slots = Vec::new();
    for dependency in &catalog.dependencies {
        for spec in dependency
            .endpoints
            .iter()
            .filter(|spec| spec.expect == Expect::Reachable)
        {
            let need = spec.need.unwrap_or(dependency.need);
            let ports: Vec<u16> = spec.ports.iter().map(|(port, _)| *port).collect();
            for inbound in ways(spec.direction) {
                let far = of_spec(dependency, spec, *inbound);
                let behind = (dependency.title.as_str(), need);
                add(&mut slots, *inbound, &far, spec.transport, &ports, behind);
            }
        }
    }
    let dependencies = by_id(catalog);
    for (index, requirement) in requirements.iter().enumerate() {
        let dependency = dependencies.get(requirement.dependency.as_str());
        for inbound in ways(requirement.direction) {
            let far = of_requirement(dependency, requirement, *inbound);
            let (transport, port) = (requirement.transport, requirement.port);
            if !slots.iter().any(|slot| slot.takes(*inbound, &far, transport, port)) {
                let behind = (requirement.title.as_str(), requirement.need);
                add(&mut slots, *inbound, &far, transport, &[port], behind);
            }
            let taking = slots
                .iter_mut()
                .filter(|slot| slot.takes(*inbound, &far, transport, port));
            for slot in taking {
                slot.requirements.push(index);
            }
        }
    }
    slots
}

impl RuleSlot {
    /// `Storage-tcp-443`.
    pub fn name(&self, ports: &[u16]) -> String {
        let far = match &self.far {
            RuleDestination::Tag(tag) => tag.as_str(),
            RuleDestination::NameServers => "dns",
            RuleDestination::Literal(id) | RuleDestination::Hosts(id) => id.as_str(),
        };
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        name(&format!("{far}-{}-{}", self.transport.as_str(), ports.join("-")))
    }

    fn takes(&self, inbound: bool, far: &RuleDestination, transport: Transport, port: u16) -> bool {
        self.inbound == inbound && self.transport == transport && self.far == *far && self.ports.contains(&port)
    }
}

/// A name in the form that Azure accepts for rules: letters, digits, dots, hyphens and underscores, at most 70, which
/// leaves space for a prefix within Azure's 80.
pub(super) fn name(text: &str) -> String {
    const MAX_LENGTH: usize = 70;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(MAX_LENGTH)
        .collect()
}

/// Whether traffic is inbound, outbound, or both.
fn ways(direction: Direction) -> &'static [bool] {
    match direction {
        Direction::Outbound => &[false],
        Direction::Inbound => &[true],
        Direction::Peer => &[true, false],
    }
}

fn add(
    slots: &mut Vec<RuleSlot>,
    inbound: bool,
    far: &RuleDestination,
    transport: Transport,
    ports: &[u16],
    behind: (&str, Need),
) {
    let (title, need) = behind;
    let mut open = Vec::new();
    for port in ports {
        match slots.iter_mut().find(|slot| slot.takes(inbound, far, transport, *port)) {
            Some(slot) => {
                slot.need = slot.need.min(need);
                if !slot.titles.iter().any(|known| known == title) {
                    slot.titles.push(title.to_owned());
                }
            }
            None => open.push(*port),
        }
    }
    if !open.is_empty() {
        slots.push(RuleSlot {
            inbound,
            far: far.clone(),
            transport,
            ports: open,
            titles: vec![title.to_owned()],
            need,
            requirements: Vec::new(),
        });
    }
}

fn of_spec(dependency: &Dependency, spec: &EndpointSpec, inbound: bool) -> RuleDestination {
    if spec.target == Target::NameServer {
        return RuleDestination::NameServers;
    }
    destination(
        Some(dependency),
        &dependency.id,
        dependency.service_tag.as_deref(),
        spec.direction,
        spec.source_tag.as_deref(),
        inbound,
    )
}

/// A dependency of the catalog, and the transports that its name servers are queried over.
struct CatalogDependency<'a> {
    dependency: &'a Dependency,
    name_servers_over: Vec<Transport>,
}

/// The dependencies of a catalog by id. One of them may have all the endpoints of a large estate, so each is read once,
/// not once per requirement.
fn by_id(catalog: &Catalog) -> HashMap<&str, CatalogDependency<'_>> {
    let read = |dependency| CatalogDependency {
        dependency,
        name_servers_over: dependency
            .endpoints
            .iter()
            .filter(|spec| spec.target == Target::NameServer)
            .map(|spec| spec.transport)
            .collect(),
    };
    let dependencies = catalog.dependencies.iter();
    dependencies
        .map(|dependency| (dependency.id.as_str(), read(dependency)))
        .collect()
}

fn of_requirement(
    dependency: Option<&CatalogDependency<'_>>,
    requirement: &Requirement,
    inbound: bool,
) -> RuleDestination {
    if dependency.is_some_and(|known| known.name_servers_over.contains(&requirement.transport)) {
        return RuleDestination::NameServers;
    }
    destination(
        dependency.map(|known| known.dependency),
        &requirement.dependency,
        requirement.service_tag.as_deref(),
        requirement.direction,
        requirement.source_tag.as_deref(),
        inbound,
    )
}

fn destination(
    dependency: Option<&Dependency>,
    id: &str,
    tag: Option<&str>,
    direction: Direction,
    source_tag: Option<&str>,
    inbound: bool,
) -> RuleDestination {
    if inbound || direction == Direction::Peer {
        return RuleDestination::Tag(source_tag.unwrap_or("VirtualNetwork").to_owned());
    }
    if dependency.is_some_and(|dependency| !dependency.route_addresses.is_empty()) {
        return RuleDestination::Literal(id.to_owned());
    }
    tag.filter(|tag| *tag != ACTIVATION).map_or_else(
        || RuleDestination::Hosts(id.to_owned()),
        |tag| RuleDestination::Tag(tag.to_owned()),
    )
}
