//! Rules and routes as clauses.

use super::{
    addresses::AddressSet,
    evaluate::{AddressKnowledge, Flow, NsgDecision, RemoteSide},
    nsg::{EffectiveRule, SecurityGroup},
    routes::EffectiveRoute,
};
use crate::{
    model::{
        Transport,
        prediction::{Access, NsgAttachment, RouteMatch, RuleMatch},
    },
    text::escape,
};

/// A rule of an NSG, as data.
pub(super) fn rule_match(group: &SecurityGroup, rule: &EffectiveRule) -> RuleMatch {
    RuleMatch {
        name: rule.name.clone(),
        priority: rule.priority,
        group: group.name.clone(),
        place: group.place,
        access: rule.access,
    }
}

/// A route that applies to some of `addresses`, as data.
pub(super) fn route_match(route: &EffectiveRoute, addresses: &AddressSet) -> RouteMatch {
    RouteMatch {
        prefix: prefix(route, addresses),
        source: route.source,
        next_hop_type: route.next_hop.clone(),
        next_hop: route.next_hop(),
    }
}

fn prefix(route: &EffectiveRoute, addresses: &AddressSet) -> String {
    let prefix = route.prefix_of(addresses);
    prefix.map(|prefix| prefix.to_string()).unwrap_or_default()
}

/// `NSG rule DenyInternet (4096, subnet)`.
pub(super) fn rule(decision: &NsgDecision<'_>, rule: &EffectiveRule) -> String {
    format!("NSG rule {}", short_rule(decision.group.place, rule))
}

/// `DenyInternet (4096, subnet)`.
pub(super) fn short_rule(place: NsgAttachment, rule: &EffectiveRule) -> String {
    format!("{} ({}, {})", escape(&rule.name), rule.priority, place.as_str())
}

/// `route 0.0.0.0/0 (user, to-firewall)`, for the prefix that applies to some of `addresses`.
pub(super) fn route(route: &EffectiveRoute, addresses: &AddressSet) -> String {
    let name = route
        .name
        .as_ref()
        .map(|name| format!(", {}", escape(name)))
        .unwrap_or_default();
    format!("route {} ({}{name})", prefix(route, addresses), route.source)
}

/// `denies TCP 1433 to 20.1.2.3`.
pub(super) fn does(access: Access, flow: &Flow<'_>) -> String {
    let verb = match access {
        Access::Deny => "denies",
        Access::Allow | Access::AlwaysAllow => "allows",
    };
    let way = if flow.outbound { "to" } else { "from" };
    format!("{verb} {} {way} {}", port(flow), remote(flow.remote))
}

/// `TCP 1433`.
pub(super) fn port(flow: &Flow<'_>) -> String {
    let transport = match flow.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    format!("{transport} {}", flow.port)
}

/// The remote side: addresses if they are known, or else its tag.
pub(super) fn remote(remote: &RemoteSide) -> String {
    match (remote.known, remote.tag.as_deref()) {
        (AddressKnowledge::Exactly, _) => remote.addresses.to_string(),
        (_, None) => "the internet".into(),
        (_, Some(tag)) => tag.to_owned(),
    }
}
