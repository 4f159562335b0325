//! Rules of a network security group: one service tag a rule, what comes in marked as such.

use super::{
    Basis, Choice, RuleSet,
    slots::{Far, Slot},
};
use crate::{
    address::is_impossible,
    azure::PLATFORM,
    model::{Transport, prediction::Access},
    network::nsg::SecurityRules,
    text::escape,
};

/// The rules for a network security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NsgRules {
    /// The rules, those for what comes in first.
    pub rules: Vec<SecurityRule>,
    /// Whether a route takes 0.0.0.0/0 away from Azure; `None` where nobody told.
    is_forced: Option<bool>,
}

/// A rule that allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityRule {
    /// Its name: `apim-out-Sql-tcp-1433`.
    pub name: String,
    /// Its priority, unique for its direction.
    pub priority: u16,
    /// Whether it is about what comes in.
    pub inbound: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// Where the traffic comes from: a tag.
    pub source: String,
    /// Where it goes: one tag, or addresses.
    pub destination: Vec<String>,
    /// The ports at the destination.
    pub ports: Vec<u16>,
    /// What it is for, in at most 140 characters.
    pub description: String,
}

/// The priority of a direction's first rule, and the step to the next: room for a user's own rules before and between.
const FIRST: usize = 2000;
const STEP: usize = 10;

/// The last priority that Azure takes.
const LAST: usize = 4096;

/// The longest description that Azure takes.
const LONGEST: usize = 140;

/// The rules that are chosen.
///
/// # Errors
/// A sentence, where there are more rules than priorities.
pub fn rules(set: &RuleSet<'_>, choice: Choice<'_>) -> Result<NsgRules, String> {
    let mut rules = Vec::new();
    for inbound in [true, false] {
        for (at, slot) in set.slots.iter().filter(|slot| slot.inbound == inbound).enumerate() {
            if !choice.takes(set.required_by(slot)) {
                continue;
            }
            let priority = FIRST + STEP * at;
            if priority > LAST {
                return Err(format!(
                    "the catalog needs more rules than there are priorities from {FIRST} to {LAST}"
                ));
            }
            rules.extend(rule(set, slot, u16::try_from(priority).unwrap_or(u16::MAX)));
        }
    }
    Ok(NsgRules {
        rules,
        is_forced: set.basis.is_forced,
    })
}

impl NsgRules {
    /// What a reader should know of `Internet` (service-tags-overview; MicrosoftDocs/azure-docs#22178).
    pub(super) fn remark(&self) -> Option<&'static str> {
        let is_said = |word: &str| {
            self.rules
                .iter()
                .any(|rule| rule.source == word || rule.destination.iter().any(|destination| destination == word))
        };
        if self.is_forced.is_none() && is_said(INTERNET) {
            return Some(
                "Where a route takes 0.0.0.0/0 (to a firewall or a gateway), Azure counts everything as VirtualNetwork, and \
                 rules for Internet match nothing: pass --effective-routes, or put * in the place of Internet.",
            );
        }
        (self.is_forced == Some(true) && is_said(EVERYTHING))
            .then_some("A route takes 0.0.0.0/0, so that Azure counts nothing as Internet: * stands in its place.")
    }
}

/// The documentation's word for everything outside the virtual network.
const INTERNET: &str = "Internet";

/// What stands in its place where a route takes 0.0.0.0/0.
const EVERYTHING: &str = "*";

/// Where the rules meet those that are in force: a priority that is taken, or a deny that comes before.
pub fn clashes(rules: &[SecurityRule], existing: &SecurityRules) -> Vec<String> {
    let mut clashes: Vec<String> = Vec::new();
    for known in existing.groups.iter().flat_map(|group| &group.rules) {
        let same_way = |rule: &&SecurityRule| rule.inbound != known.outbound;
        let taken = rules
            .iter()
            .filter(same_way)
            .find(|rule| u32::from(rule.priority) == known.priority && rule.name != known.name);
        if let Some(rule) = taken {
            clashes.push(format!(
                "priority {} of {} is taken by {}",
                rule.priority,
                rule.name,
                escape(&known.name)
            ));
        }
        let late = rules.iter().filter(same_way).filter(|rule| {
            known.access == Access::Deny
                && !known.source.is_nowhere()
                && !known.destination.is_nowhere()
                && u32::from(rule.priority) > known.priority
                && rule.ports.iter().any(|port| known.concerns(rule.transport, *port))
        });
        let late = late.count();
        if late > 0 {
            clashes.push(format!(
                "{} ({}) denies and comes before {late} of these rules",
                escape(&known.name),
                known.priority
            ));
        }
    }
    clashes.sort();
    clashes.dedup();
    clashes
}

fn rule(set: &RuleSet<'_>, slot: &Slot, priority: u16) -> Option<SecurityRule> {
    let far = match &slot.far {
        Far::Tag(tag) if tag == INTERNET => vec![internet(&set.basis)],
        Far::Tag(tag) => vec![set.basis.tag(tag)],
        Far::NameServers => name_servers(set, slot),
        Far::Literal(id) => literal(&set.basis, id),
        Far::Hosts(_) => hosts(set, slot),
    };
    // A name server at the platform's own address needs no rule.
    let first = far.first()?.clone();
    let here = "VirtualNetwork".to_owned();
    let (source, destination) = if slot.inbound { (first, vec![here]) } else { (here, far) };
    let way = if slot.inbound { "in" } else { "out" };
    Some(SecurityRule {
        name: format!("apim-{way}-{}", slot.name(&slot.ports)),
        priority,
        inbound: slot.inbound,
        transport: slot.transport,
        source,
        destination,
        ports: slot.ports.clone(),
        description: description(slot),
    })
}

/// The name servers that a rule can be about: not the platform's, which is exempt, nor what only this machine knows.
pub fn name_servers(set: &RuleSet<'_>, slot: &Slot) -> Vec<String> {
    let addresses = set.required_by(slot).flat_map(|requirement| &requirement.addresses);
    let mut servers: Vec<String> = Vec::new();
    for address in addresses.filter(|address| !is_impossible(**address)) {
        let text = address.to_string();
        if *address != PLATFORM && !servers.contains(&text) {
            servers.push(text);
        }
    }
    servers
}

/// The addresses of a dependency that no tag covers.
pub fn literal(basis: &Basis<'_>, id: &str) -> Vec<String> {
    let dependency = basis.catalog.dependencies.iter().find(|dependency| dependency.id == id);
    let addresses = dependency.and_then(|dependency| dependency.route_addresses.get(&basis.cloud));
    addresses.into_iter().flatten().map(ToString::to_string).collect()
}

/// Everything outside the virtual network, by the word that matches it.
fn internet(basis: &Basis<'_>) -> String {
    let word = if basis.is_forced == Some(true) {
        EVERYTHING
    } else {
        INTERNET
    };
    word.to_owned()
}

/// Hosts without a tag: their addresses if all are known, or else the internet.
fn hosts(set: &RuleSet<'_>, slot: &Slot) -> Vec<String> {
    if set
        .required_by(slot)
        .any(|requirement| requirement.addresses.is_empty())
    {
        return vec![internet(&set.basis)];
    }
    let mut addresses: Vec<String> = set
        .required_by(slot)
        .flat_map(|requirement| &requirement.addresses)
        .map(ToString::to_string)
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn description(slot: &Slot) -> String {
    let way = if slot.inbound { "Inbound, " } else { "" };
    let text = format!("{way}{}: {}", slot.need.as_str(), slot.titles.join(", "));
    let text = escape(&text);
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    let cut: String = text.chars().take(LONGEST - 1).collect();
    format!("{cut}…")
}
