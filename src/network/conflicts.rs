//! What a new rule in the subnet's NSG conflicts with: the rule that denies its traffic, and the priorities in use.

use std::net::IpAddr;

use super::{
    INTERNET, NetworkRules, Origin,
    evaluate::{Flow, GroupVerdict, RemoteSide, security},
    nsg::EffectiveRule,
};
use crate::model::{
    Transport,
    prediction::{Access, NsgAttachment},
};

/// The traffic that a rule is to allow.
#[derive(Debug, Clone, Copy)]
pub struct AllowedTraffic<'a> {
    /// Whether the subnet starts it.
    pub outbound: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// The destination ports.
    pub ports: &'a [u16],
    /// The remote side, as in the rule: one service tag, `*`, or addresses.
    pub remote_names: &'a [String],
}

impl NetworkRules {
    /// The rule in the subnet's NSG that denies some of this traffic, the first if several do. A rule that allows it
    /// has no effect after this one.
    pub fn first_deny(&self, new_rule: &AllowedTraffic<'_>, from: &Origin<'_>) -> Option<&EffectiveRule> {
        let remote = self.named(new_rule.remote_names, from.region);
        let local = self.local(from);
        let readings = self
            .security
            .iter()
            .chain(self.otherwise.as_ref().map(|otherwise| &otherwise.security));
        let denies = readings.flat_map(|rules| {
            let (remote, local) = (&remote, local.as_ref());
            new_rule.ports.iter().filter_map(move |port| {
                let flow = Flow {
                    outbound: new_rule.outbound,
                    transport: new_rule.transport,
                    port: *port,
                    remote,
                    local,
                    region: from.region,
                    platform: None,
                    inside: &self.inside,
                };
                denier(security(rules, &flow, &[NsgAttachment::Subnet])?.security)
            })
        });
        denies.min_by_key(|rule| rule.priority)
    }

    /// The rules of the subnet's NSG for one direction.
    pub fn of_the_subnet(&self, outbound: bool) -> impl Iterator<Item = &EffectiveRule> {
        let groups = self.security.iter().flat_map(|security| &security.groups);
        groups
            .filter(|group| group.place == NsgAttachment::Subnet)
            .flat_map(|group| &group.rules)
            .filter(move |rule| rule.outbound == outbound)
    }

    fn named(&self, remote_names: &[String], region: Option<&str>) -> RemoteSide {
        let addresses: Option<Vec<IpAddr>> = remote_names.iter().map(|word| word.parse().ok()).collect();
        match (addresses, remote_names) {
            (Some(addresses), [_, ..]) => RemoteSide::at(addresses.into_iter().collect(), None),
            (_, [tag]) if tag != "*" => self.of_tag(tag, region),
            _ => self.of_tag(INTERNET, region),
        }
    }
}

/// The rule that denies, or may deny; the first of several.
fn denier(security: GroupVerdict<'_>) -> Option<&EffectiveRule> {
    let rules: Vec<&EffectiveRule> = match security {
        GroupVerdict::Clear(rule) => vec![rule],
        GroupVerdict::Mixed(shares) => shares.into_iter().map(|(rule, _)| rule).collect(),
        GroupVerdict::Undetermined { rule, doubt, .. } => rule.into_iter().chain([doubt]).collect(),
        GroupVerdict::Undecided => Vec::new(),
    };
    let denying = rules.into_iter().filter(|rule| rule.access == Access::Deny);
    denying.min_by_key(|rule| rule.priority)
}
