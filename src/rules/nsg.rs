//! Rules of a network security group: one service tag per rule, inbound ones marked as such.

use super::{
    RuleBasis, RuleFilter, RuleSet,
    priorities::{DenyRule, FreePriorities, RANGE},
    slots::{RuleDestination, RuleSlot},
};
use crate::{
    address::is_impossible,
    azure::PLATFORM,
    model::Transport,
    network::NetworkRules,
    text::{escape, words::list},
};

/// The rules for a network security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NsgRules {
    /// The rules, inbound ones first.
    pub rules: Vec<SecurityRule>,
    /// Whether another route covers 0.0.0.0/0 instead of Azure's; `None` if unknown.
    is_forced: Option<bool>,
    /// Whether the rules in force are known.
    is_known: bool,
}

/// A rule that allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityRule {
    /// Its name: `apim-out-Sql-tcp-1433`.
    pub name: String,
    /// Its priority, unique for its direction.
    pub priority: u16,
    /// Whether it is inbound.
    pub inbound: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// The source: a tag.
    pub source: String,
    /// The destination: one tag, or addresses.
    pub destination: Vec<String>,
    /// The destination ports.
    pub ports: Vec<u16>,
    /// What it is for, in at most 140 characters.
    pub description: String,
    /// The rule in force that denies some of its traffic, and must come after it.
    pub deny: Option<DenyRule>,
}

/// The longest description that Azure accepts.
const MAX_DESCRIPTION: usize = 140;

/// The selected rules.
///
/// # Errors
///
/// A sentence, if there are more rules than priorities.
pub(super) fn rules(set: &RuleSet<'_>, choice: RuleFilter<'_>) -> Result<NsgRules, String> {
    let mut rules = Vec::new();
    for inbound in [true, false] {
        let slots: Vec<&RuleSlot> = set.slots.iter().filter(|slot| slot.inbound == inbound).collect();
        let numbers = FreePriorities::new(&set.basis, slots.len(), inbound);
        for (at, slot) in slots.into_iter().enumerate() {
            if choice.takes(set.required_by(slot)) {
                rules.extend(rule(set, slot, &numbers, at)?);
            }
        }
    }
    Ok(NsgRules {
        rules,
        is_forced: set.basis.is_forced,
        is_known: set.basis.network.is_some_and(NetworkRules::has_security),
    })
}

impl NsgRules {
    /// Remarks for the reader.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let denies = self.preceded();
        let denies: Vec<&str> = denies.iter().map(String::as_str).collect();
        let of_priorities = match denies.as_slice() {
            _ if !self.is_known => Some(ORDER_NOTICE.to_owned()),
            [] => None,
            denies => Some(format!(
                "Their priorities are free, and come before {}.",
                list(denies, 4)
            )),
        };
        of_priorities.into_iter().chain(self.of_internet().map(str::to_owned))
    }

    /// Whether the rules in force are known.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// The rules in force that deny what these allow, and come after them.
    pub fn preceded(&self) -> Vec<String> {
        self.denies(true)
    }

    /// The rules in force that deny what these allow, and come before them because no priority is free.
    pub fn preceding(&self) -> Vec<String> {
        self.denies(false)
    }

    fn denies(&self, behind: bool) -> Vec<String> {
        let mut denies: Vec<String> = Vec::new();
        for rule in &self.rules {
            let deny = rule.deny.as_ref().filter(|deny| rule.is_before(deny) == behind);
            denies.extend(deny.map(ToString::to_string).filter(|deny| !denies.contains(deny)));
        }
        denies
    }

    /// The remark about `Internet` (service-tags-overview; MicrosoftDocs/azure-docs#22178).
    fn of_internet(&self) -> Option<&'static str> {
        let is_said = |word: &str| {
            self.rules
                .iter()
                .any(|rule| rule.source == word || rule.destination.iter().any(|destination| destination == word))
        };
        if self.is_forced.is_none() && is_said(INTERNET) {
            return Some(
                "If a route sends 0.0.0.0/0 to a firewall or a gateway, Azure counts every address as VirtualNetwork, \
                 and rules for Internet match nothing: pass --effective-routes, or replace Internet with *.",
            );
        }
        (self.is_forced == Some(true) && is_said(EVERYTHING)).then_some(
            "A user or BGP route covers 0.0.0.0/0, so Azure counts no address as Internet: * is used instead.",
        )
    }
}

/// The documentation's word for everything outside the virtual network.
const INTERNET: &str = "Internet";

/// What is used instead if another route covers 0.0.0.0/0.
const EVERYTHING: &str = "*";

/// The remark about priorities if the rules in force are not known.
const ORDER_NOTICE: &str = "A rule has no effect after a deny rule: put it before your own deny, or pass --effective-nsg to \
                      have free priorities found.";

impl NsgRules {
    /// Remarks if the NSG in force leaves no good priority: one is taken, or a deny comes before.
    pub fn clashes(&self, network: &NetworkRules) -> Vec<String> {
        let taken = self.rules.iter().filter_map(|rule| {
            let mut in_force = network.of_the_subnet(!rule.inbound);
            let other = in_force.find(|other| other.priority == u32::from(rule.priority) && other.name != rule.name)?;
            Some(format!(
                "priority {} of {} is taken by {}",
                rule.priority,
                rule.name,
                escape(&other.name)
            ))
        });
        let mut clashes: Vec<String> = taken.collect();
        let mut late: Vec<(&DenyRule, usize)> = Vec::new();
        for rule in &self.rules {
            let Some(deny) = rule.deny.as_ref().filter(|deny| !rule.is_before(deny)) else {
                continue;
            };
            match late.iter_mut().find(|(known, _)| *known == deny) {
                Some((_, rules)) => *rules += 1,
                None => late.push((deny, 1)),
            }
        }
        let late = late
            .into_iter()
            .map(|(deny, rules)| format!("{deny} denies and comes before {rules} of these rules"));
        clashes.extend(late);
        clashes
    }
}

impl SecurityRule {
    /// Whether it comes before a rule that denies.
    pub fn is_before(&self, deny: &DenyRule) -> bool {
        u32::from(self.priority) < deny.priority
    }
}

/// The rule of a slot; none if there is nothing to allow, as for a name server at the platform's own address.
fn rule(
    set: &RuleSet<'_>,
    slot: &RuleSlot,
    numbers: &FreePriorities<'_>,
    at: usize,
) -> Result<Option<SecurityRule>, String> {
    let far = match &slot.far {
        RuleDestination::Tag(tag) if tag == INTERNET => vec![internet(&set.basis)],
        RuleDestination::Tag(tag) => vec![set.basis.tag(tag)],
        RuleDestination::NameServers => name_servers(set, slot),
        RuleDestination::Literal(id) => literal(&set.basis, id),
        RuleDestination::Hosts(_) => hosts(set, slot),
    };
    let Some(first) = far.first().cloned() else {
        return Ok(None);
    };
    let way = if slot.inbound { "in" } else { "out" };
    let name = format!("apim-{way}-{}", slot.name(&slot.ports));
    let deny = DenyRule::first(&set.basis, slot, &far);
    let priority = numbers.number(&name, at, deny.as_ref()).ok_or_else(|| {
        let last = RANGE.end();
        format!("an NSG's priorities end at {last}, which leaves none for {name}: pass a lower --first-priority")
    })?;
    let here = "VirtualNetwork".to_owned();
    let (source, destination) = if slot.inbound { (first, vec![here]) } else { (here, far) };
    Ok(Some(SecurityRule {
        name,
        priority,
        inbound: slot.inbound,
        transport: slot.transport,
        source,
        destination,
        ports: slot.ports.clone(),
        description: description(slot),
        deny,
    }))
}

/// The name servers that a rule can be about: excluding the platform's, which is exempt, and one that only this machine
/// uses.
pub(super) fn name_servers(set: &RuleSet<'_>, slot: &RuleSlot) -> Vec<String> {
    if set.basis.own_servers {
        return Vec::new();
    }
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
pub(super) fn literal(basis: &RuleBasis<'_>, id: &str) -> Vec<String> {
    let dependency = basis.catalog.dependencies.iter().find(|dependency| dependency.id == id);
    let addresses = dependency.and_then(|dependency| dependency.route_addresses.get(&basis.cloud));
    addresses.into_iter().flatten().map(ToString::to_string).collect()
}

/// Everything outside the virtual network, with the word that matches it.
fn internet(basis: &RuleBasis<'_>) -> String {
    let word = if basis.is_forced == Some(true) {
        EVERYTHING
    } else {
        INTERNET
    };
    word.to_owned()
}

/// Hosts without a tag: their addresses if all are known, or else the internet.
fn hosts(set: &RuleSet<'_>, slot: &RuleSlot) -> Vec<String> {
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

fn description(slot: &RuleSlot) -> String {
    let way = if slot.inbound { "Inbound, " } else { "" };
    let text = format!("{way}{}: {}", slot.need.as_str(), slot.titles.join(", "));
    let text = escape(&text);
    if text.chars().count() <= MAX_DESCRIPTION {
        return text.into_owned();
    }
    let cut: String = text.chars().take(MAX_DESCRIPTION - 1).collect();
    format!("{cut}…")
}
