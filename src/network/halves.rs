//! The two halves of a prediction: what the security groups say, and what the routes say.

use super::{
    API_MANAGEMENT, NetworkRules,
    evaluate::{Decision, Flow, Known, Remote, Security, routing, security},
    routes::{NextHop, Route},
    words,
};
use crate::model::{
    Prediction,
    prediction::{Access, Expected, Place, RouteMatch, RuleMatch, Source},
};

/// What the groups say.
pub(super) struct Guarded {
    pub(super) verdict: Expected,
    pub(super) rule: Option<RuleMatch>,
    pub(super) words: String,
}

/// What the routes say.
pub(super) struct Routed {
    pub(super) verdict: Expected,
    pub(super) route: Option<RouteMatch>,
    pub(super) next_hop: Option<NextHop>,
    pub(super) words: String,
}

/// The groups that an instance in the subnet is subject to. What guards this VM's network interface is this VM's alone.
pub(super) const OF_THE_SUBNET: [Place; 2] = [Place::NetworkManager, Place::Subnet];

impl NetworkRules {
    pub(super) fn guarded_subnet(&self, flow: &Flow<'_>) -> Option<Guarded> {
        let rules = self.security.as_ref()?;
        if rules.groups.iter().any(|group| group.place == Place::Subnet) {
            return self.guarded(flow, &OF_THE_SUBNET);
        }
        // virtual-network-reference and virtual-network-injection-resources: the group is required, as the load balancer is
        // secure by default.
        let words = "no NSG guards the subnet, and without one the instance's load balancer lets nothing in".into();
        Some(Guarded {
            verdict: Expected::Deny,
            rule: None,
            words,
        })
    }

    pub(super) fn guarded(&self, flow: &Flow<'_>, places: &[Place]) -> Option<Guarded> {
        let rules = self.security.as_ref()?;
        let Some(decision) = security(rules, flow, places) else {
            let words = "no NSG is in the way".into();
            return Some(Guarded {
                verdict: Expected::Allow,
                rule: None,
                words,
            });
        };
        Some(say(&decision, flow))
    }

    /// What the routes do with traffic to `remote`.
    pub(super) fn routed(&self, remote: &Remote) -> Option<Routed> {
        let shares = routing(self.routes.as_ref()?, remote);
        let Some((route, share)) = shares.first() else {
            let words = format!("no route leads to {}", words::remote(remote));
            return Some(Routed {
                verdict: Expected::Deny,
                route: None,
                next_hop: None,
                words,
            });
        };
        let matched = words::route_match(route, share);
        let says = format!("the {} leads to {}", words::route(&matched), route.leads());
        let dropped = |route: &Route| route.next_hop == NextHop::None;
        let other = shares
            .iter()
            .map(|(other, _)| other)
            .find(|other| dropped(other) != dropped(route));
        let (verdict, words) = match other {
            Some(other) => (
                Expected::Unknown,
                format!("{says}, but for some addresses another leads to {}", other.leads()),
            ),
            None if dropped(route) => (
                Expected::Deny,
                format!("the {} leads nowhere: Azure drops it", words::route(&matched)),
            ),
            None => (Expected::Allow, says),
        };
        Some(Routed {
            verdict,
            route: Some(matched),
            next_hop: Some(route.next_hop.clone()),
            words,
        })
    }

    /// What the routes do with replies to `remote`: through an appliance that never saw the request they are lost.
    pub(super) fn returned(&self, remote: &Remote) -> Option<Routed> {
        let table = self.routes.as_ref()?;
        let shares = routing(table, remote);
        let strays = |route: &Route| !matches!(route.next_hop, NextHop::Internet | NextHop::ServiceEndpoint);
        let Some((route, share)) = shares.iter().find(|(route, _)| strays(route)).or(shares.first()) else {
            return self.routed(remote);
        };
        let matched = words::route_match(route, share);
        let source = words::remote(remote);
        let may_be_routed = remote.known == Known::Hardly
            && table
                .iter()
                .any(|route| route.length > 0 && route.source == Source::User && route.next_hop == NextHop::Internet);
        let (verdict, words) = if !strays(route) {
            (
                Expected::Allow,
                format!("replies to {source} leave by the {}", words::route(&matched)),
            )
        } else if !is_of(remote, API_MANAGEMENT) {
            let words = format!(
                "replies to {source} leave by the {} to {}: they are lost unless the requests came that way",
                words::route(&matched),
                route.leads()
            );
            (Expected::Unknown, words)
        } else if may_be_routed {
            let words = format!(
                "replies leave by the {} to {}, unless another route covers {source}: pass --service-tags",
                words::route(&matched),
                route.leads()
            );
            (Expected::Unknown, words)
        } else {
            let words = format!(
                "replies to {source} leave by the {} to {}, which never saw the request: they are lost",
                words::route(&matched),
                route.leads()
            );
            (Expected::Deny, words)
        };
        Some(Routed {
            verdict,
            route: Some(matched),
            next_hop: Some(route.next_hop.clone()),
            words,
        })
    }
}

fn say(decision: &Decision<'_>, flow: &Flow<'_>) -> Guarded {
    let place = decision.group.place;
    match &decision.security {
        Security::Clear(rule) => Guarded {
            verdict: if rule.access == Access::Deny {
                Expected::Deny
            } else {
                Expected::Allow
            },
            rule: Some(words::rule_match(decision.group, rule)),
            words: format!("{} {}", words::rule(decision, rule), words::does(rule.access, flow)),
        },
        Security::Mixed(shares) => {
            const MOST: usize = 3;
            let parts = shares.iter().take(MOST).map(|(rule, share)| {
                let verb = if rule.access == Access::Deny {
                    "denies"
                } else {
                    "allows"
                };
                format!("{} {verb} {share}", words::short_rule(place, rule))
            });
            let parts = parts.collect::<Vec<_>>().join("; ");
            let words = format!(
                "NSG rules split {} with {}: {parts}",
                words::port(flow),
                words::remote(flow.remote)
            );
            Guarded {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
        Security::Unsure { rule, doubt } => {
            let otherwise = rule.map_or_else(String::new, |rule| {
                format!(
                    ", or else {} {}",
                    words::short_rule(place, rule),
                    words::does(rule.access, flow)
                )
            });
            let words = format!(
                "it depends on the addresses behind NSG rule {}: pass --service-tags{otherwise}",
                words::short_rule(place, doubt)
            );
            Guarded {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
        Security::Undecided => {
            let words = format!("no NSG rule of the {} is about {}", place.as_str(), words::port(flow));
            Guarded {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
    }
}

/// An outbound flow must pass the groups and then be routed somewhere.
pub(super) fn together(guarded: Option<Guarded>, routed: Option<Routed>) -> Prediction {
    let (verdict, words) = match (&guarded, &routed) {
        (Some(guarded), Some(routed)) => match (guarded.verdict, routed.verdict) {
            (Expected::Allow, Expected::Allow) => (Expected::Allow, passes(guarded, routed)),
            (Expected::Deny, Expected::Deny) => (Expected::Deny, format!("{}, and {}", guarded.words, routed.words)),
            (Expected::Deny, _) => (Expected::Deny, guarded.words.clone()),
            (_, Expected::Deny) => (Expected::Deny, routed.words.clone()),
            _ => (Expected::Unknown, format!("{}; {}", guarded.words, routed.words)),
        },
        (Some(guarded), None) => (guarded.verdict, guarded.words.clone()),
        (None, Some(routed)) => (routed.verdict, format!("{}{}", routed.words, look_there(routed))),
        (None, None) => return undecided(),
    };
    Prediction {
        verdict,
        nsg: guarded.and_then(|guarded| guarded.rule),
        route: routed.and_then(|routed| routed.route),
        words,
    }
}

fn passes(guarded: &Guarded, routed: &Routed) -> String {
    match (&routed.next_hop, &routed.route) {
        (Some(NextHop::Appliance(_)), Some(route)) if !route.next_hop_addresses.is_empty() => {
            format!(
                "NSG and routes allow it, next hop is {}{}",
                route.next_hop_addresses.join(" or "),
                look_there(routed)
            )
        }
        _ => format!("{}, and {}{}", guarded.words, routed.words, look_there(routed)),
    }
}

fn look_there(routed: &Routed) -> &'static str {
    match routed.next_hop {
        Some(NextHop::Appliance(_)) => ": look at the firewall there",
        Some(NextHop::Gateway) => ": look at the firewalls of your own network",
        _ => "",
    }
}

pub(super) fn undecided() -> Prediction {
    Prediction {
        verdict: Expected::Unknown,
        nsg: None,
        route: None,
        words: "the given rules say nothing of it".into(),
    }
}

fn is_of(remote: &Remote, family: &str) -> bool {
    remote
        .tag
        .as_deref()
        .and_then(|tag| tag.split('.').next())
        .is_some_and(|tag| tag.eq_ignore_ascii_case(family))
}
