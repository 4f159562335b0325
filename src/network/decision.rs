//! The two parts of a prediction: what the NSG rules decide, and what the routes decide.

use super::{
    API_MANAGEMENT, NetworkRules, describe,
    evaluate::{AddressKnowledge, Doubt, Flow, GroupVerdict, NsgDecision, RemoteSide, routing, security},
    nsg::SecurityRules,
    routes::EffectiveRoute,
};
use crate::{
    azure::NextHop,
    model::{
        Prediction,
        prediction::{Access, Expected, NsgAttachment, RouteMatch, RouteSource, RuleMatch},
    },
};

/// The result of the NSGs.
pub(super) struct NsgPrediction {
    pub(super) verdict: Expected,
    pub(super) rule: Option<RuleMatch>,
    pub(super) words: String,
}

/// The result of the routes.
pub(super) struct RoutePrediction {
    pub(super) verdict: Expected,
    pub(super) route: Option<RouteMatch>,
    pub(super) next_hop: Option<NextHop>,
    pub(super) words: String,
}

/// The NSGs that apply to an instance in the subnet. The one on this VM's network interface applies to this VM only.
pub(super) const OF_THE_SUBNET: [NsgAttachment; 2] = [NsgAttachment::NetworkManager, NsgAttachment::Subnet];

impl NetworkRules {
    pub(super) fn subnet_nsg_prediction(&self, flow: &Flow<'_>) -> Option<NsgPrediction> {
        if !self.lacks_nsg() {
            return self.nsg_prediction(flow, &OF_THE_SUBNET);
        }
        // virtual-network-reference and virtual-network-injection-resources: the NSG is required, because the load
        // balancer is secure by default.
        let words =
            "the subnet has no NSG, and without one the instance's load balancer blocks all inbound traffic".into();
        Some(NsgPrediction {
            verdict: Expected::Deny,
            rule: None,
            words,
        })
    }

    /// The result of the NSGs at some places. If it is not known what `VirtualNetwork` and `Internet` stand for, both
    /// results must agree.
    pub(super) fn nsg_prediction(&self, flow: &Flow<'_>, places: &[NsgAttachment]) -> Option<NsgPrediction> {
        let nsg_prediction = nsg_prediction_of(self.security.as_ref()?, flow, places);
        let Some(otherwise) = &self.otherwise else {
            return Some(nsg_prediction);
        };
        if nsg_prediction_of(&otherwise.security, flow, places).verdict == nsg_prediction.verdict {
            return Some(nsg_prediction);
        }
        Some(NsgPrediction {
            verdict: Expected::Unknown,
            rule: None,
            words: format!("{}, {}", nsg_prediction.words, otherwise.doubt),
        })
    }

    /// What the routes do with traffic to `remote`.
    pub(super) fn route_prediction(&self, remote: &RemoteSide) -> Option<RoutePrediction> {
        let shares = routing(self.routes.as_ref()?, remote);
        let Some((route, share)) = shares.first() else {
            // Azure's own table has a route for everything, so this one is incomplete.
            let words = format!("none of the given routes leads to {}", describe::remote(remote));
            return Some(RoutePrediction {
                verdict: Expected::Unknown,
                route: None,
                next_hop: None,
                words,
            });
        };
        let named = describe::route(route, share);
        let sentence = format!("the {named} leads to {}", route.leads());
        let dropped = |route: &EffectiveRoute| route.next_hop == NextHop::None;
        let other = shares
            .iter()
            .map(|(other, _)| other)
            .find(|other| dropped(other) != dropped(route));
        let (verdict, words) = match other {
            Some(other) => (
                Expected::Unknown,
                format!(
                    "{sentence}, but a different route leads to {} for some addresses",
                    other.leads()
                ),
            ),
            None if dropped(route) => (Expected::Deny, format!("the {named} leads nowhere: Azure drops it")),
            None => (Expected::Allow, sentence),
        };
        Some(RoutePrediction {
            verdict,
            route: Some(describe::route_match(route, share)),
            next_hop: Some(route.next_hop.clone()),
            words,
        })
    }

    /// What the routes do with replies to `remote`: replies through an appliance that never saw the request are lost.
    pub(super) fn return_prediction(&self, remote: &RemoteSide) -> Option<RoutePrediction> {
        let table = self.routes.as_ref()?;
        let shares = routing(table, remote);
        let leaves_azure =
            |route: &EffectiveRoute| !matches!(route.next_hop, NextHop::Internet | NextHop::ServiceEndpoint);
        let Some((route, share)) = shares.iter().find(|(route, _)| leaves_azure(route)).or(shares.first()) else {
            return self.route_prediction(remote);
        };
        let named = describe::route(route, share);
        let source = describe::remote(remote);
        // If no list contains the tag's addresses, another user-defined route may be the one for it.
        let outward = |route: &&EffectiveRoute| {
            let is_users = route.length > 0 && route.source == RouteSource::User && route.next_hop == NextHop::Internet;
            is_users && !route.addresses.difference(&self.activation).is_empty()
        };
        let is_its_own = |route: &&EffectiveRoute| is_of(remote, API_MANAGEMENT) && route.is_for(API_MANAGEMENT);
        if remote.known == AddressKnowledge::Hardly
            && let Some(route) = table.iter().filter(outward).find(is_its_own)
        {
            return Some(RoutePrediction {
                verdict: Expected::Allow,
                route: Some(describe::route_match(route, &route.addresses)),
                next_hop: Some(route.next_hop.clone()),
                words: format!(
                    "replies to {source} leave through the {}",
                    describe::route(route, &route.addresses)
                ),
            });
        }
        let may_be_routed = remote.known == AddressKnowledge::Hardly
            && table
                .iter()
                .filter(outward)
                .any(|route| route.may_be_for(API_MANAGEMENT));
        let (verdict, words) = if !leaves_azure(route) {
            (
                Expected::Allow,
                format!("replies to {source} leave through the {named}"),
            )
        } else if !is_of(remote, API_MANAGEMENT) {
            let words = format!(
                "replies to {source} leave through the {named} to {}: they are lost unless the requests came that way",
                route.leads()
            );
            (Expected::Unknown, words)
        } else if may_be_routed {
            let words = format!(
                "replies leave through the {named} to {}, unless another route covers {source}: pass --service-tags",
                route.leads()
            );
            (Expected::Unknown, words)
        } else {
            let words = format!(
                "replies to {source} leave through the {named} to {}, which never saw the request: they are lost",
                route.leads()
            );
            (Expected::Deny, words)
        };
        Some(RoutePrediction {
            verdict,
            route: Some(describe::route_match(route, share)),
            next_hop: Some(route.next_hop.clone()),
            words,
        })
    }
}

fn nsg_prediction_of(rules: &SecurityRules, flow: &Flow<'_>, places: &[NsgAttachment]) -> NsgPrediction {
    security(rules, flow, places).map_or_else(
        || NsgPrediction {
            verdict: Expected::Allow,
            rule: None,
            words: "no NSG applies".into(),
        },
        |decision| describe(&decision, flow),
    )
}

fn describe(decision: &NsgDecision<'_>, flow: &Flow<'_>) -> NsgPrediction {
    let place = decision.group.place;
    match &decision.security {
        GroupVerdict::Clear(rule) => NsgPrediction {
            verdict: if rule.access == Access::Deny {
                Expected::Deny
            } else {
                Expected::Allow
            },
            rule: Some(describe::rule_match(decision.group, rule)),
            words: format!(
                "{} {}",
                describe::rule(decision, rule),
                describe::does(rule.access, flow)
            ),
        },
        GroupVerdict::Mixed(shares) => {
            const MAX_SHARES: usize = 3;
            let parts = shares.iter().take(MAX_SHARES).map(|(rule, share)| {
                let verb = if rule.access == Access::Deny {
                    "denies"
                } else {
                    "allows"
                };
                format!("{} {verb} {share}", describe::short_rule(place, rule))
            });
            let parts = parts.collect::<Vec<_>>().join("; ");
            let words = format!(
                "NSG rules split {} with {}: {parts}",
                describe::port(flow),
                describe::remote(flow.remote)
            );
            NsgPrediction {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
        GroupVerdict::Undetermined { rule, doubt, about } => {
            let otherwise = rule.map_or_else(String::new, |rule| {
                format!(
                    ", or else {} {}",
                    describe::short_rule(place, rule),
                    describe::does(rule.access, flow)
                )
            });
            let doubtful = describe::short_rule(place, doubt);
            let words = match about {
                Doubt::Tag => {
                    format!("depends on the addresses in NSG rule {doubtful}: pass --service-tags{otherwise}")
                }
                Doubt::Group => format!(
                    "depends on the members of the application security group in NSG rule {doubtful}{otherwise}"
                ),
            };
            NsgPrediction {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
        GroupVerdict::Undecided => {
            let words = format!("no NSG rule of the {} covers {}", place.as_str(), describe::port(flow));
            NsgPrediction {
                verdict: Expected::Unknown,
                rule: None,
                words,
            }
        }
    }
}

/// An outbound flow must pass the NSGs and then be routed.
pub(super) fn combine(nsg_prediction: Option<NsgPrediction>, route_prediction: Option<RoutePrediction>) -> Prediction {
    let (verdict, words) = match (&nsg_prediction, &route_prediction) {
        (Some(nsg_prediction), Some(route_prediction)) => match (nsg_prediction.verdict, route_prediction.verdict) {
            (Expected::Allow, Expected::Allow) => (Expected::Allow, passes(nsg_prediction, route_prediction)),
            (Expected::Deny, Expected::Deny) => (
                Expected::Deny,
                format!("{}, and {}", nsg_prediction.words, route_prediction.words),
            ),
            (Expected::Deny, _) => (Expected::Deny, nsg_prediction.words.clone()),
            (_, Expected::Deny) => (Expected::Deny, route_prediction.words.clone()),
            _ => (
                Expected::Unknown,
                format!("{}; {}", nsg_prediction.words, route_prediction.words),
            ),
        },
        (Some(nsg_prediction), None) => (nsg_prediction.verdict, nsg_prediction.words.clone()),
        (None, Some(route_prediction)) => (
            route_prediction.verdict,
            format!("{}{}", route_prediction.words, look_there(route_prediction)),
        ),
        (None, None) => return undecided(),
    };
    Prediction {
        verdict,
        nsg: nsg_prediction.and_then(|nsg_prediction| nsg_prediction.rule),
        route: route_prediction.and_then(|route_prediction| route_prediction.route),
        words,
    }
}

fn passes(nsg_prediction: &NsgPrediction, route_prediction: &RoutePrediction) -> String {
    match (&route_prediction.next_hop, &route_prediction.route) {
        (
            Some(NextHop::Appliance(_)),
            Some(RouteMatch {
                next_hop: Some(address),
                ..
            }),
        ) => {
            format!("allowed, next hop is {address}{}", look_there(route_prediction))
        }
        (Some(NextHop::Gateway), _) => format!(
            "allowed, next hop is the virtual network gateway or hub{}",
            look_there(route_prediction)
        ),
        _ => format!(
            "{}, and {}{}",
            nsg_prediction.words,
            route_prediction.words,
            look_there(route_prediction)
        ),
    }
}

fn look_there(route_prediction: &RoutePrediction) -> &'static str {
    match route_prediction.next_hop {
        Some(NextHop::Appliance(_)) => ": check the firewall there",
        // A secured hub shows its firewall as a gateway.
        Some(NextHop::Gateway) => {
            ": check the firewall of a secured virtual hub, or of your own network behind the gateway"
        }
        _ => "",
    }
}

pub(super) fn undecided() -> Prediction {
    Prediction {
        verdict: Expected::Unknown,
        nsg: None,
        route: None,
        words: "the given rules do not cover it".into(),
    }
}

fn is_of(remote: &RemoteSide, family: &str) -> bool {
    remote
        .tag
        .as_deref()
        .and_then(|tag| tag.split('.').next())
        .is_some_and(|tag| tag.eq_ignore_ascii_case(family))
}
