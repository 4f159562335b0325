//! From a planned endpoint to what the rules predict for it.

use std::net::IpAddr;

use super::{
    INTERNET, LOAD_BALANCER, NetworkRules, Origin, VIRTUAL_NETWORK,
    addresses::AddressSet,
    decision::{NsgPrediction, OF_THE_SUBNET, RoutePrediction, combine, undecided},
    describe,
    evaluate::{AddressKnowledge, Flow, RemoteSide},
    nsg::EffectiveRule,
};
use crate::{
    azure::{ACTIVATION, METADATA, NextHop, PLATFORM},
    model::{
        Direction, Prediction, Protocol,
        prediction::{Access, Expected, NsgAttachment},
    },
    plan::PlannedEndpoint,
    text::escape,
};

/// Every NSG that applies to this VM, those first that also apply to the instance.
const OF_THIS_VM: [NsgAttachment; 3] = [NsgAttachment::NetworkManager, NsgAttachment::Subnet, NsgAttachment::Nic];

impl NetworkRules {
    /// What the rules predict for an endpoint; `addresses` are those from a lookup, if there was one. `None` if there
    /// are no rules.
    pub fn predict(&self, endpoint: &PlannedEndpoint, addresses: &[IpAddr], from: &Origin<'_>) -> Option<Prediction> {
        self.can_predict().then(|| match endpoint.direction {
            Direction::Outbound => self.outbound(endpoint, addresses, from),
            Direction::Inbound => self.inbound(endpoint, from),
            Direction::Peer => self.peer(endpoint, from),
        })
    }

    fn outbound(&self, endpoint: &PlannedEndpoint, addresses: &[IpAddr], from: &Origin<'_>) -> Prediction {
        let remote = self.remote(endpoint, addresses, from.region);
        let local = self.local(from);
        let flow = Flow {
            outbound: true,
            transport: endpoint.transport,
            port: endpoint.port,
            remote: &remote,
            local: local.as_ref(),
            region: from.region,
            platform: platform_tag(endpoint, &remote),
            inside: &self.inside,
        };
        if is_platform(&remote) {
            return self.platform(&flow);
        }
        let nsg_prediction = self.nsg_prediction(&flow, &OF_THIS_VM);
        let route_prediction = self.route_prediction(&remote);
        if endpoint.protocol == Protocol::Kms {
            return self.activation(&flow, nsg_prediction, route_prediction);
        }
        combine(nsg_prediction, route_prediction)
    }

    /// Neither routes nor NSGs apply to the platform's own addresses, except rules that name their tag
    /// (network-security-groups-overview, "Azure platform considerations").
    fn platform(&self, flow: &Flow<'_>) -> Prediction {
        self.denial_by_tag(flow).unwrap_or_else(|| Prediction {
            verdict: Expected::Allow,
            words: format!(
                "{} is an Azure platform address: neither NSG rules nor routes block it",
                flow.remote.addresses
            ),
            nsg: None,
            route: None,
        })
    }

    /// The rule that blocks a flow to the platform, by the name of its tag. Exports may or may not list the tag's
    /// addresses.
    fn denial_by_tag(&self, flow: &Flow<'_>) -> Option<Prediction> {
        let tag = flow.platform?;
        let rules = self.security.as_ref()?;
        let names = |rule: &&EffectiveRule| {
            let (local_side, remote_side) = rule.sides(flow.outbound);
            let is_here = flow.local.is_none_or(|local| !local_side.part_of(local).is_empty());
            rule.outbound == flow.outbound
                && is_here
                && remote_side.is_written(tag)
                && rule.concerns(flow.transport, flow.port)
        };
        let (group, rule) = rules
            .groups
            .iter()
            .filter_map(|group| Some((group, group.rules.iter().find(names)?)))
            .find(|(_, rule)| rule.access == Access::Deny)?;
        Some(Prediction {
            verdict: Expected::Deny,
            words: format!(
                "NSG rule {} {}, through the tag {tag}",
                describe::short_rule(group.place, rule),
                describe::does(rule.access, flow)
            ),
            nsg: Some(describe::rule_match(group, rule)),
            route: None,
        })
    }

    /// Windows activation passes every NSG except rules that name its tag, unless a route covers 0.0.0.0/0; and it only
    /// works from an Azure public address (network-security-groups-overview, "Azure platform considerations";
    /// custom-routes-enable-kms-activation).
    fn activation(
        &self,
        flow: &Flow<'_>,
        nsg_prediction: Option<NsgPrediction>,
        route_prediction: Option<RoutePrediction>,
    ) -> Prediction {
        if let Some(denial) = self.denial_by_tag(flow) {
            return denial;
        }
        let denial = nsg_prediction
            .as_ref()
            .filter(|nsg_prediction| nsg_prediction.verdict != Expected::Allow);
        let rule = denial
            .and_then(|nsg_prediction| nsg_prediction.rule.as_ref())
            .map(|rule| rule.name.clone());
        let leaves_wrong = route_prediction.as_ref().is_some_and(|route_prediction| {
            matches!(
                route_prediction.next_hop,
                Some(NextHop::Appliance(_) | NextHop::Gateway | NextHop::Network(_))
            )
        });
        let mut prediction = match (self.is_forced(), denial) {
            (Some(false), Some(_)) => {
                let such = rule.map_or_else(String::new, |rule| format!(" such as {}", escape(&rule)));
                let exempt = NsgPrediction {
                    verdict: Expected::Allow,
                    rule: None,
                    words: format!("Azure lets Windows activation through regardless of NSG rules{such}"),
                };
                combine(Some(exempt), route_prediction)
            }
            (None, Some(denial)) if denial.verdict == Expected::Deny => {
                let mut prediction = combine(nsg_prediction, route_prediction);
                prediction.verdict = Expected::Unknown;
                prediction.words.push_str(
                    ", which blocks Windows activation only if a user or BGP route covers 0.0.0.0/0: pass \
                     --effective-routes",
                );
                prediction
            }
            _ => combine(nsg_prediction, route_prediction),
        };
        if leaves_wrong {
            prediction.words.push_str(
                "; activation works only from an Azure public address: route the KMS addresses to Internet, unless the \
                 firewall there is in Azure and translates (SNAT) to one",
            );
        }
        prediction
    }

    fn inbound(&self, endpoint: &PlannedEndpoint, from: &Origin<'_>) -> Prediction {
        let tag = endpoint.source_tag.as_deref().unwrap_or(INTERNET);
        let remote = self.of_tag(tag, from.region);
        let local = self.local(from);
        let flow = Flow {
            outbound: false,
            transport: endpoint.transport,
            port: endpoint.port,
            remote: &remote,
            local: local.as_ref(),
            region: from.region,
            platform: None,
            inside: &self.inside,
        };
        let nsg_prediction = self.subnet_nsg_prediction(&flow);
        // Replies to the load balancer's probes go to the platform, regardless of routes.
        let returns = (!tag.eq_ignore_ascii_case(LOAD_BALANCER))
            .then(|| self.return_prediction(&remote))
            .flatten();
        match (nsg_prediction, returns) {
            (Some(nsg_prediction), Some(returns)) if matters(&nsg_prediction, &returns) => Prediction {
                verdict: if [nsg_prediction.verdict, returns.verdict].contains(&Expected::Deny) {
                    Expected::Deny
                } else {
                    Expected::Unknown
                },
                nsg: nsg_prediction.rule,
                route: returns.route,
                words: format!("{}; {}", nsg_prediction.words, returns.words),
            },
            (Some(nsg_prediction), returns) => Prediction {
                verdict: nsg_prediction.verdict,
                nsg: nsg_prediction.rule,
                route: returns.and_then(|returns| returns.route),
                words: nsg_prediction.words,
            },
            (None, Some(returns)) => Prediction {
                verdict: returns.verdict,
                nsg: None,
                route: returns.route,
                words: returns.words,
            },
            (None, None) => undecided(),
        }
    }

    /// Both directions must be allowed: each machine opens connections to the others.
    fn peer(&self, endpoint: &PlannedEndpoint, from: &Origin<'_>) -> Prediction {
        let local = self.local(from);
        // The other machines are in the same subnet, where the rules treat them like this machine.
        let remote = local.clone().map_or_else(
            || self.of_tag(VIRTUAL_NETWORK, from.region),
            |here| RemoteSide {
                tag: Some(VIRTUAL_NETWORK.into()),
                addresses: here,
                known: AddressKnowledge::AsTag,
            },
        );
        let flow = |outbound| Flow {
            outbound,
            transport: endpoint.transport,
            port: endpoint.port,
            remote: &remote,
            local: local.as_ref(),
            region: from.region,
            platform: None,
            inside: &self.inside,
        };
        let both = [
            self.nsg_prediction(&flow(true), &OF_THE_SUBNET),
            self.nsg_prediction(&flow(false), &OF_THE_SUBNET),
        ];
        let worst = both
            .into_iter()
            .flatten()
            .max_by_key(|nsg_prediction| match nsg_prediction.verdict {
                Expected::Deny => 2,
                Expected::Unknown => 1,
                Expected::Allow => 0,
            });
        worst.map_or_else(undecided, |nsg_prediction| combine(Some(nsg_prediction), None))
    }
}

/// The platform's addresses, and the only tags with which rules match them.
const OF_THE_PLATFORM: [(IpAddr, &str); 2] = [(PLATFORM, "AzurePlatformDNS"), (METADATA, "AzurePlatformIMDS")];

fn is_platform(remote: &RemoteSide) -> bool {
    remote.known == AddressKnowledge::Exactly && OF_THE_PLATFORM.iter().any(|(address, _)| is_at(remote, *address))
}

fn is_at(remote: &RemoteSide, address: IpAddr) -> bool {
    remote.addresses == AddressSet::from_iter([address])
}

/// The tag with which rules match what the platform exempts; the one for name resolution applies only to that.
fn platform_tag(endpoint: &PlannedEndpoint, remote: &RemoteSide) -> Option<&'static str> {
    if endpoint.protocol == Protocol::Kms {
        return Some(ACTIVATION);
    }
    OF_THE_PLATFORM
        .iter()
        .find(|(address, _)| is_at(remote, *address))
        .map(|(_, tag)| *tag)
        .filter(|_| !is_at(remote, PLATFORM) || endpoint.port == 53)
}

/// Whether the return path is worth mentioning: if replies are lost on it, or if it is the only uncertainty.
fn matters(nsg_prediction: &NsgPrediction, returns: &RoutePrediction) -> bool {
    match returns.verdict {
        Expected::Deny => true,
        Expected::Unknown => nsg_prediction.verdict != Expected::Deny,
        Expected::Allow => false,
    }
}
