//! What the rules of a network do with a flow, evaluated as in Azure.
//!
//! A rule takes its part of the addresses in question, and the rest goes to the next rule. So one address and a whole
//! service tag are evaluated in the same way, and a tag that is only partly allowed shows as such.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::{
    addresses::AddressSet,
    nsg::{EffectiveRule, RuleSide, SecurityGroup, SecurityRules},
    routes::{EffectiveRoute, Routes},
};
use crate::model::{
    Transport,
    prediction::{Access, NsgAttachment},
};

/// A flow that one side starts: the subnet or the remote side.
#[derive(Debug, Clone)]
pub struct Flow<'a> {
    /// Whether the subnet starts it.
    pub outbound: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// The port at the destination.
    pub port: u16,
    /// The remote side.
    pub remote: &'a RemoteSide,
    /// The addresses of the local side, if they are known.
    pub local: Option<&'a AddressSet>,
    /// The region, which may be part of a tag's name.
    pub region: Option<&'a str>,
    /// For a platform service: the tag that rules match regardless of its addresses.
    pub platform: Option<&'static str>,
    /// Where no public service is: private addresses, and those in networks that Azure connects.
    pub inside: &'a AddressSet,
}

/// The remote side of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSide {
    /// Its documented service tag.
    pub tag: Option<String>,
    /// Its possible addresses; IPv4 only, unless it was looked up.
    pub addresses: AddressSet,
    /// How precisely the addresses are known.
    pub known: AddressKnowledge,
}

/// How precisely the addresses of the remote side are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKnowledge {
    /// They were looked up, or are literal.
    Exactly,
    /// They are those of its service tag: a result must hold for all of them.
    AsTag,
    /// It is somewhere on the internet: a result for most of it is likely.
    Hardly,
}

/// What one NSG does with a flow.
#[derive(Debug, Clone)]
pub enum GroupVerdict<'r> {
    /// One result for every address, with the rule that gives it.
    Clear(&'r EffectiveRule),
    /// Some addresses are allowed and others are denied.
    Mixed(Vec<(&'r EffectiveRule, AddressSet)>),
    /// It depends on another rule that is not completely known.
    Undetermined {
        /// The rule that decides if the other one does not match.
        rule: Option<&'r EffectiveRule>,
        /// The other rule.
        doubt: &'r EffectiveRule,
        /// What is not known about it.
        about: Doubt,
    },
    /// No rule matches it.
    Undecided,
}

/// What is not known about a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The addresses behind a service tag.
    Tag,
    /// The machines in an application security group.
    Group,
}

/// What all NSGs do with a flow: the one that denies, or else the first.
#[derive(Debug, Clone)]
pub struct NsgDecision<'r> {
    /// The NSG.
    pub group: &'r SecurityGroup,
    /// Its result.
    pub security: GroupVerdict<'r>,
}

impl RemoteSide {
    /// The remote side with known addresses.
    pub fn at(addresses: AddressSet, tag: Option<&str>) -> Self {
        Self {
            tag: tag.map(str::to_owned),
            addresses,
            known: AddressKnowledge::Exactly,
        }
    }

    /// Whether a tag with unknown addresses may contain some of these. Tags of different services share no address,
    /// except `AzureCloud`, which contains all.
    fn may_be_in(&self, named: &str) -> bool {
        let family = named.split('.').next().unwrap_or(named);
        let is = |tag: &str| family.eq_ignore_ascii_case(tag);
        match self.tag.as_deref() {
            _ if is("AzureCloud") => true,
            Some(tag) if !tag.eq_ignore_ascii_case("Internet") => is(tag.split('.').next().unwrap_or(tag)),
            _ => self.known == AddressKnowledge::Exactly,
        }
    }
}

impl GroupVerdict<'_> {
    /// Allow or deny, if that is known.
    pub fn access(&self) -> Option<Access> {
        match self {
            Self::Clear(rule) => Some(rule.access),
            _ => None,
        }
    }

    fn denies(&self) -> bool {
        self.access() == Some(Access::Deny)
    }
}

/// Evaluates every NSG at one of `places`; all of them must allow a flow. `None` if there is no NSG.
pub fn security<'r>(rules: &'r SecurityRules, flow: &Flow<'_>, places: &[NsgAttachment]) -> Option<NsgDecision<'r>> {
    let mut asked: Vec<NsgDecision<'r>> = Vec::new();
    for place in places {
        for group in rules.groups.iter().filter(|group| group.place == *place) {
            let security = decide(group, flow);
            if *place != NsgAttachment::NetworkManager {
                asked.push(NsgDecision { group, security });
            } else if !matches!(security, GroupVerdict::Undecided) && security.access() != Some(Access::Allow) {
                // An admin rule that merely allows leaves the decision to the NSGs; others decide, and so does
                // uncertainty.
                return Some(NsgDecision { group, security });
            }
        }
    }
    let worst = asked
        .iter()
        .position(|decision| decision.security.denies())
        .or_else(|| asked.iter().position(|decision| decision.security.access().is_none()))
        .unwrap_or_default();
    (worst < asked.len()).then(|| asked.swap_remove(worst))
}

/// The routes that a flow to `remote` uses, with their shares, the largest first.
pub fn routing<'r>(routes: &'r Routes, remote: &RemoteSide) -> Vec<(&'r EffectiveRoute, AddressSet)> {
    let mut shares = routes.decide(&remote.addresses);
    shares.sort_by_key(|(_, share)| std::cmp::Reverse(share.size()));
    if remote.known == AddressKnowledge::Hardly {
        shares.truncate(1);
    }
    shares
}

fn decide<'r>(group: &'r SecurityGroup, flow: &Flow<'_>) -> GroupVerdict<'r> {
    let mut left = flow.remote.addresses.clone();
    let mut shares: Vec<(&EffectiveRule, AddressSet)> = Vec::new();
    let mut doubts: Vec<(&EffectiveRule, Doubt)> = Vec::new();
    // A host that can be anywhere is hardly where a rule names a few networks.
    let negligible = if flow.remote.known == AddressKnowledge::Hardly {
        left.size() / 1000
    } else {
        0
    };
    let about = |rule: &&EffectiveRule| rule.outbound == flow.outbound && rule.concerns(flow.transport, flow.port);
    for rule in group.rules.iter().filter(about) {
        if left.is_empty() {
            break;
        }
        let (local_side, remote_side) = rule.sides(flow.outbound);
        let is_here = flow.local.is_none_or(|local| !local_side.part_of(local).is_empty());
        if !is_here {
            if local_side.has_group {
                doubts.push((rule, Doubt::Group));
            } else if !local_side.unresolved.is_empty() {
                doubts.push((rule, Doubt::Tag));
            }
            continue;
        }
        let share = share(remote_side, &left, flow);
        // Most rules match nothing, and a service tag has thousands of ranges to copy.
        let rest = if share.is_empty() {
            Cow::Borrowed(&left)
        } else {
            Cow::Owned(left.difference(&share))
        };
        doubts.extend(doubt(remote_side, &rest, flow).map(|doubt| (rule, doubt)));
        if share.size() > negligible {
            left = rest.into_owned();
            shares.push((rule, share));
        }
    }
    conclude(shares, &doubts, flow.remote.known)
}

/// The part of `left` that one side of a rule matches. A service tag as such matches public addresses only: it never
/// covers a private endpoint (service-tags-overview).
fn share(remote_side: &RuleSide, left: &AddressSet, flow: &Flow<'_>) -> AddressSet {
    if flow.platform.is_some_and(|tag| remote_side.is_written(tag)) {
        return left.clone();
    }
    let mut share = remote_side.part_of(left);
    if flow
        .remote
        .tag
        .as_ref()
        .is_some_and(|tag| remote_side.names(tag, flow.region))
    {
        share.extend(&match flow.remote.known {
            AddressKnowledge::Exactly => left.difference(flow.inside),
            AddressKnowledge::AsTag | AddressKnowledge::Hardly => left.clone(),
        });
    }
    share
}

/// The reason why some of these addresses may match one side of a rule: public ones a tag, private ones an application
/// security group.
fn doubt(remote_side: &RuleSide, left: &AddressSet, flow: &Flow<'_>) -> Option<Doubt> {
    let is_outside = || !left.difference(flow.inside).is_empty();
    if remote_side.unresolved.iter().any(|tag| flow.remote.may_be_in(tag)) && is_outside() {
        return Some(Doubt::Tag);
    }
    (remote_side.has_group && left.overlaps(flow.inside)).then_some(Doubt::Group)
}

fn conclude<'r>(
    mut shares: Vec<(&'r EffectiveRule, AddressSet)>,
    doubts: &[(&'r EffectiveRule, Doubt)],
    known: AddressKnowledge,
) -> GroupVerdict<'r> {
    shares.sort_by_key(|(_, share)| std::cmp::Reverse(share.size()));
    let rule = shares.first().map(|(rule, _)| *rule);
    let differs = |other: &EffectiveRule| rule.is_none_or(|rule| rule.access != other.access);
    let mixed = shares.iter().any(|(other, _)| differs(other));
    match (rule, doubts.iter().find(|(other, _)| differs(other))) {
        (_, Some((doubt, about))) => GroupVerdict::Undetermined {
            rule,
            doubt,
            about: *about,
        },
        (None, None) => GroupVerdict::Undecided,
        (Some(_), None) if mixed && known != AddressKnowledge::Hardly => GroupVerdict::Mixed(shares),
        (Some(rule), None) => GroupVerdict::Clear(rule),
    }
}

/// The IPv4 addresses that a public service can have (excluding the IANA special-purpose registry, RFC 6890).
pub fn public_internet() -> AddressSet {
    const SPECIAL: [(Ipv4Addr, u8); 10] = [
        (Ipv4Addr::UNSPECIFIED, 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    let special = SPECIAL
        .iter()
        .filter_map(|(address, length)| IpNet::new(IpAddr::V4(*address), *length).ok());
    ipv4().difference(&special.collect())
}

/// Every IPv4 address.
pub fn ipv4() -> AddressSet {
    IpNet::new(Ipv4Addr::UNSPECIFIED.into(), 0).into_iter().collect()
}
