//! Effective security rules: what the network security groups of a subnet and of a network interface allow.

use std::{borrow::Cow, ops::RangeInclusive, sync::Arc};

use super::{
    addresses::{AddressSet, prefix},
    service_tags::ServiceTags,
};
use crate::{
    azure::{
        json::{self, AzureDocument, DocumentKind, JsonNode, Object},
        resources::Resource,
    },
    model::{
        Transport,
        prediction::{Access, NsgAttachment},
    },
    text::escape,
};

/// The NSGs that the traffic of a network interface passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityRules {
    /// Every NSG, as listed.
    pub groups: Vec<SecurityGroup>,
    learned: ServiceTags,
}

/// The effective rules of one network security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its name.
    pub name: Option<String>,
    /// Its own id, and those of the subnet and the network interface that it is attached to.
    pub ids: GroupIds,
    /// What it is attached to.
    pub place: NsgAttachment,
    /// Its rules, by priority.
    pub rules: Vec<EffectiveRule>,
}

/// The ids that an NSG is listed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupIds {
    /// The NSG.
    pub own: Option<Resource>,
    /// The subnet.
    pub subnet: Option<Resource>,
    /// The network interface.
    pub nic: Option<Resource>,
}

/// One effective rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRule {
    /// Its name, without the `securityRules/` before it.
    pub name: String,
    /// The lowest decides.
    pub priority: u32,
    /// Whether it is outbound.
    pub outbound: bool,
    /// What it does.
    pub access: Access,
    /// The transport; `None` for any.
    transport: Option<Cow<'static, str>>,
    /// The destination ports.
    ports: Vec<RangeInclusive<u16>>,
    /// The source ports.
    source_ports: Vec<RangeInclusive<u16>>,
    /// The source.
    pub source: RuleSide,
    /// The destination.
    pub destination: RuleSide,
}

/// A port that every system may use as a source port (IANA's dynamic range, except what Linux leaves out).
const EPHEMERAL: u16 = 50_000;

/// One side of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSide {
    addresses: Vec<Arc<AddressSet>>,
    /// The tags as written, even if their addresses are known.
    tags: Vec<String>,
    /// Tags with unknown addresses.
    pub unresolved: Vec<String>,
    /// Whether it contains application security groups, whose addresses no export lists.
    pub has_group: bool,
}

impl SecurityRules {
    /// Reads effective rules from the REST API, the command line, the portal or PowerShell.
    ///
    /// # Errors
    ///
    /// A sentence that says what the document is instead, or which part of it cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        json::parse(bytes, DocumentKind::EffectiveNsg, Self::of).map_err(|refusal| refusal.to_string())
    }

    fn of(document: &AzureDocument<'_>) -> Result<Self, String> {
        let mut rules = Self::default();
        for entry in document.entries()? {
            if let Some(tags) = entry.get("tagMap").and_then(JsonNode::object) {
                for (tag, prefixes) in tags.fields() {
                    rules
                        .learned
                        .add(tag, &prefixes.words().iter().filter_map(|text| prefix(text)).collect());
                }
            }
            let listed = entry.list("effectiveSecurityRules");
            let mut group = SecurityGroup {
                name: group_name(&entry),
                ids: GroupIds::of(&entry),
                place: place(&entry),
                rules: Vec::new(),
            };
            for rule in listed {
                let rule = rule
                    .object()
                    .ok_or("has an effective security rule that is not an object")?;
                group.rules.push(parse(&rule, &mut rules.learned)?);
            }
            if group.place != NsgAttachment::NetworkManager {
                group.complete();
            }
            group.rules.sort_by_key(|rule| rule.priority);
            rules.groups.push(group);
        }
        Ok(rules)
    }

    /// Notices about the document.
    pub(super) fn notice(&self) -> Option<String> {
        if self.groups.is_empty() {
            return Some(
                "the effective rules are an empty list: neither the subnet nor the network interface has an NSG, or \
                 the VM is not running"
                    .into(),
            );
        }
        let shows_defaults = |group: &SecurityGroup, outbound| {
            let mut rules = group.rules.iter().filter(|rule| rule.outbound == outbound);
            rules.any(|rule| rule.priority >= FIRST_DEFAULT)
        };
        let is_cut = |group: &&SecurityGroup| {
            group.place != NsgAttachment::NetworkManager && ![true, false].iter().all(|way| shows_defaults(group, *way))
        };
        let group = self.groups.iter().find(is_cut)?;
        let name = group
            .name
            .as_deref()
            .map_or_else(String::new, |name| format!(" {}", escape(name)));
        Some(format!(
            "the effective rules of the NSG{name} lack the default rules, which cannot be removed: the list is \
             incomplete"
        ))
    }

    /// The addresses of tags according to the rules themselves.
    pub fn learned(&self) -> &ServiceTags {
        &self.learned
    }

    /// Replaces tags with addresses.
    pub fn resolve(&mut self, tags: &ServiceTags) {
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            rule.source.resolve(tags);
            rule.destination.resolve(tags);
        }
    }
}

impl SecurityGroup {
    /// Adds default rules that an export omitted in a direction of which it shows some rules: they cannot be removed
    /// (network-security-groups-overview, "Default security rules").
    fn complete(&mut self) {
        for (name, outbound, priority, access, source, destination) in DEFAULTS {
            let default = |rule: &&EffectiveRule| rule.outbound == outbound && rule.priority >= FIRST_DEFAULT;
            let shown: Vec<u32> = self.rules.iter().filter(default).map(|rule| rule.priority).collect();
            if !shown.is_empty() && !shown.contains(&priority) {
                self.rules.push(EffectiveRule {
                    name: name.into(),
                    priority,
                    outbound,
                    access,
                    transport: None,
                    ports: vec![0..=u16::MAX],
                    source_ports: vec![0..=u16::MAX],
                    source: RuleSide::of(source),
                    destination: RuleSide::of(destination),
                });
            }
        }
    }
}

/// The default rules of every NSG: name, whether outbound, priority, access, source and destination.
const DEFAULTS: [(&str, bool, u32, Access, &str, &str); 6] = [
    (
        "AllowVnetInBound",
        false,
        65000,
        Access::Allow,
        "VirtualNetwork",
        "VirtualNetwork",
    ),
    (
        "AllowAzureLoadBalancerInBound",
        false,
        65001,
        Access::Allow,
        "AzureLoadBalancer",
        "*",
    ),
    ("DenyAllInBound", false, 65500, Access::Deny, "*", "*"),
    (
        "AllowVnetOutBound",
        true,
        65000,
        Access::Allow,
        "VirtualNetwork",
        "VirtualNetwork",
    ),
    ("AllowInternetOutBound", true, 65001, Access::Allow, "*", "Internet"),
    ("DenyAllOutBound", true, 65500, Access::Deny, "*", "*"),
];

/// The priority of the first default rule; a user's rules end at 4096.
const FIRST_DEFAULT: u32 = 65000;

impl EffectiveRule {
    /// Whether it applies to a transport and a port.
    pub fn concerns(&self, transport: Transport, port: u16) -> bool {
        let about = self.transport.as_deref().is_none_or(|word| word == transport.as_str());
        let holds = |list: &[RangeInclusive<u16>], port| list.iter().any(|ports| ports.contains(&port));
        about && holds(&self.ports, port) && holds(&self.source_ports, EPHEMERAL)
    }

    /// Its local and its remote side, seen from the subnet.
    pub fn sides(&self, outbound: bool) -> (&RuleSide, &RuleSide) {
        if outbound {
            (&self.source, &self.destination)
        } else {
            (&self.destination, &self.source)
        }
    }
}

impl RuleSide {
    /// A tag, or `*`.
    fn of(word: &str) -> Self {
        if word == "*" {
            return Self {
                addresses: vec![Arc::new(AddressSet::everything())],
                ..Self::default()
            };
        }
        Self {
            tags: vec![word.to_owned()],
            unresolved: vec![word.to_owned()],
            ..Self::default()
        }
    }

    /// The part of `addresses` that it matches.
    pub fn part_of(&self, addresses: &AddressSet) -> AddressSet {
        let mut parts = self.addresses.iter().map(|set| addresses.intersection(set));
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |mut part, more| {
            part.extend(&more);
            part
        })
    }

    /// Whether it is known to match no address at all.
    pub fn is_empty(&self) -> bool {
        self.unresolved.is_empty() && !self.has_group && self.addresses.iter().all(|set| set.is_empty())
    }

    /// Whether this tag, or its part for this region, is in it and has unknown addresses.
    pub fn names(&self, tag: &str, region: Option<&str>) -> bool {
        let regional = region.map(|region| format!("{tag}.{region}"));
        self.unresolved.iter().any(|named| {
            named.eq_ignore_ascii_case(tag) || regional.as_ref().is_some_and(|part| named.eq_ignore_ascii_case(part))
        })
    }

    /// Whether this tag is in it, with or without known addresses.
    pub fn is_written(&self, tag: &str) -> bool {
        self.tags.iter().any(|written| written.eq_ignore_ascii_case(tag))
    }

    fn resolve(&mut self, tags: &ServiceTags) {
        let addresses = &mut self.addresses;
        self.unresolved.retain(|tag| match tags.addresses(tag) {
            Some(known) => {
                addresses.push(known.clone());
                false
            }
            None => true,
        });
    }
}

impl GroupIds {
    fn of(entry: &Object<'_>) -> Self {
        let association = entry.get("association").and_then(JsonNode::object);
        let at = |key: &str| association.as_ref()?.get(key).and_then(JsonNode::object)?.text("id");
        let own = entry.get("networkSecurityGroup").and_then(JsonNode::object);
        let read = |id: Option<Cow<'_, str>>| Resource::of_id(&id?);
        Self {
            own: read(own.and_then(|group| group.text("id"))),
            subnet: read(at("subnet")),
            nic: read(at("networkInterface")),
        }
    }
}

/// The last part of the NSG's id.
fn group_name(entry: &Object<'_>) -> Option<String> {
    let id = entry
        .get("networkSecurityGroup")
        .and_then(JsonNode::object)?
        .text("id")?;
    id.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// An NSG can be listed with both of its attachments; the subnet is the one that concerns the instance.
fn place(entry: &Object<'_>) -> NsgAttachment {
    let association = entry.get("association").and_then(JsonNode::object);
    let has = |key: &str| {
        association
            .as_ref()
            .and_then(|place| place.get(key))
            .is_some_and(|node| !node.is_nothing())
    };
    if has("networkManager") {
        NsgAttachment::NetworkManager
    } else if has("networkInterface") && !has("subnet") {
        NsgAttachment::Nic
    } else {
        NsgAttachment::Subnet
    }
}

fn parse(rule: &Object<'_>, learned: &mut ServiceTags) -> Result<EffectiveRule, String> {
    let name = rule.text("name").ok_or("has a security rule without a name")?;
    let name = short(&name).to_owned();
    let odd = |key: &str| match rule.text(key) {
        Some(value) => format!("has the rule {name} with {key} \"{value}\", which is not recognised"),
        None => format!("has the rule {name} without {key}"),
    };
    let word = |key: &str| rule.text(key).unwrap_or_default().to_ascii_lowercase();
    let outbound = match word("direction").as_str() {
        "outbound" => true,
        "inbound" => false,
        _ => return Err(odd("direction")),
    };
    let access = match word("access").as_str() {
        "allow" => Access::Allow,
        "deny" => Access::Deny,
        "alwaysallow" => Access::AlwaysAllow,
        _ => return Err(odd("access")),
    };
    let priority = word("priority").parse().map_err(|_| odd("priority"))?;
    let ranges = |key: &str| {
        let ranges = rule
            .words(key)
            .iter()
            .map(|text| ports(text))
            .collect::<Option<Vec<_>>>();
        ranges.ok_or_else(|| odd(key))
    };
    let source_ports = Some(ranges("sourcePortRange")?).filter(|ranges| !ranges.is_empty());
    let ports = ranges("destinationPortRange")?;
    if ports.is_empty() {
        return Err(odd("destinationPortRange"));
    }
    let mut side = |which| {
        side(rule, which, learned).map_err(|text| format!("has the rule {name} with \"{text}\", which is not a prefix"))
    };
    Ok(EffectiveRule {
        source: side("Source")?,
        destination: side("Destination")?,
        priority,
        outbound,
        access,
        transport: transport(&word("protocol")),
        ports,
        source_ports: source_ports.unwrap_or_else(|| vec![0..=u16::MAX]),
        name,
    })
}

/// The name without what the API puts before it: `securityRules/`, `defaultSecurityRules/`, `UserRule_`, `DefaultRule_`.
fn short(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_prefix("UserRule_")
        .or_else(|| name.strip_prefix("DefaultRule_"))
        .unwrap_or(name)
}

fn transport(word: &str) -> Option<Cow<'static, str>> {
    match word {
        "" | "all" | "*" | "any" => None,
        "tcp" | "6" => Some("tcp".into()),
        "udp" | "17" => Some("udp".into()),
        // ICMP, ESP, AH and others: never used by a probe.
        other => Some(other.to_owned().into()),
    }
}

/// `80-80`, `0-65535`, `80` or `*`.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let text = text.trim();
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

/// Reads prefixes and tags; the expansion of a single tag is used for every rule that names the tag.
///
/// # Errors
///
/// The text that is neither a prefix nor a tag.
fn side(rule: &Object<'_>, which: &str, learned: &mut ServiceTags) -> Result<RuleSide, String> {
    let read = |text: &Cow<'_, str>| prefix(text).ok_or_else(|| text.to_string());
    let expanded = rule
        .get(&format!("expanded{which}AddressPrefix"))
        .map(JsonNode::words)
        .unwrap_or_default()
        .iter()
        .map(read)
        .collect::<Result<AddressSet, _>>()?;
    let mut named = AddressSet::default();
    let mut tags: Vec<String> = Vec::new();
    for text in rule.words(&format!("{which}AddressPrefix")) {
        match text.as_ref() {
            // The portal's "Any" comes out of the API as the prefix of every IPv4 address.
            "*" | "Any" | "0.0.0.0/0" => named = AddressSet::everything(),
            _ if is_tag(&text) => tags.push(text.into_owned()),
            _ => named.extend(&AddressSet::from_iter([read(&text)?])),
        }
    }
    let mut unresolved = tags.clone();
    match &tags[..] {
        [tag] if !expanded.is_empty() => learned.add(tag, &expanded),
        _ if !expanded.is_empty() => {
            named.extend(&expanded);
            unresolved.clear();
        }
        _ => {}
    }
    let has_group = tags.is_empty() && named.is_empty();
    let addresses = if named.is_empty() {
        Vec::new()
    } else {
        vec![Arc::new(named)]
    };
    Ok(RuleSide {
        addresses,
        tags,
        unresolved,
        has_group,
    })
}

/// Tags begin with a letter and contain no colon, which IPv6 prefixes do.
fn is_tag(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && !text.contains(':')
}
