//! From a planned endpoint to what the rules say of it.

use std::net::IpAddr;

use super::{
    API_MANAGEMENT, INTERNET, LOAD_BALANCER, NetworkRules, Standpoint, VIRTUAL_NETWORK,
    addresses::AddressSet,
    evaluate::{Flow, Known, Remote},
    halves::{Guarded, OF_THE_SUBNET, Routed, together, undecided},
    nsg::Rule,
    routes::{NextHop, Route},
    words,
};
use crate::{
    azure::PLATFORM,
    model::{
        Direction, Prediction, Protocol,
        prediction::{Access, Expected, Place, RouteMatch, Source},
    },
    plan::Endpoint,
};

/// Every group that this VM is subject to, those first that concern the instance too.
const OF_THIS_VM: [Place; 3] = [Place::NetworkManager, Place::Subnet, Place::Nic];

impl NetworkRules {
    /// What the rules say of an endpoint; `addresses` are those that a lookup gave, if there was one. `None` where there are
    /// no rules.
    pub fn predict(&self, endpoint: &Endpoint, addresses: &[IpAddr], from: &Standpoint<'_>) -> Option<Prediction> {
        self.can_predict().then(|| match endpoint.direction {
            Direction::Outbound => self.outbound(endpoint, addresses, from),
            Direction::Inbound => self.inbound(endpoint, from),
            Direction::Peer => self.peer(endpoint, from),
        })
    }

    /// The route on which replies to the management traffic of API Management are lost, and the sentence that says so.
    pub(super) fn lost_replies(&self, from: &Standpoint<'_>) -> Option<(RouteMatch, String)> {
        let returned = self.returned(&self.of_tag(API_MANAGEMENT, from.region))?;
        let lost = returned.verdict == Expected::Deny;
        returned.route.filter(|_| lost).map(|route| (route, returned.words))
    }

    fn outbound(&self, endpoint: &Endpoint, addresses: &[IpAddr], from: &Standpoint<'_>) -> Prediction {
        let remote = self.remote(endpoint, addresses, from.region);
        let local = self.local(from);
        let flow = Flow {
            outbound: true,
            transport: endpoint.transport,
            port: endpoint.port,
            remote: &remote,
            local: local.as_ref(),
            region: from.region,
        };
        if is_platform(&remote) {
            return self.platform(&flow);
        }
        let guarded = self.guarded(&flow, &OF_THIS_VM);
        let routed = self.routed(&remote);
        if endpoint.protocol == Protocol::Kms {
            return self.activation(guarded, routed);
        }
        together(guarded, routed)
    }

    /// `168.63.129.16` is subject to neither routes nor groups, but for rules that name its tag
    /// (network-security-groups-overview, "Azure platform considerations").
    fn platform(&self, flow: &Flow<'_>) -> Prediction {
        let named = self.security.iter().flat_map(|rules| &rules.groups).find_map(|group| {
            let names = |rule: &&Rule| rule.destination.names("AzurePlatformDNS", None);
            let about = |rule: &&Rule| rule.outbound && rule.concerns(flow.transport, flow.port);
            group.rules.iter().filter(about).find(names).map(|rule| (group, rule))
        });
        match named {
            Some((group, rule)) if rule.access == Access::Deny => Prediction {
                verdict: Expected::Deny,
                nsg: Some(words::rule_match(group, rule)),
                route: None,
                words: format!(
                    "NSG rule {} {}, by the tag AzurePlatformDNS",
                    words::short_rule(group.place, rule),
                    words::does(rule.access, flow)
                ),
            },
            _ => Prediction {
                verdict: Expected::Allow,
                nsg: None,
                route: None,
                words: format!("{PLATFORM} is the platform's own: neither NSGs nor routes stop it"),
            },
        }
    }

    /// Windows activation passes every group, unless a route takes 0.0.0.0/0; and it only works from an Azure public address
    /// (network-security-groups-overview, "Azure platform considerations"; custom-routes-enable-kms-activation).
    fn activation(&self, guarded: Option<Guarded>, routed: Option<Routed>) -> Prediction {
        let forced = self
            .routes
            .as_ref()
            .map(|routes| routes.default_route().is_some_and(is_forced));
        let named = guarded.as_ref().and_then(|guarded| guarded.rule.as_ref());
        let denied = guarded
            .as_ref()
            .is_some_and(|guarded| guarded.verdict == Expected::Deny);
        let rule = named.map(|rule| rule.name.clone()).unwrap_or_default();
        let leaves_wrong = routed.as_ref().is_some_and(|routed| {
            matches!(
                routed.next_hop,
                Some(NextHop::Appliance(_) | NextHop::Gateway | NextHop::Network(_))
            )
        });
        let mut prediction = together(guarded, routed);
        match forced {
            Some(false) if denied => {
                prediction.verdict = Expected::Allow;
                prediction.words = format!("the platform lets Windows activation past NSG rules such as {rule}");
            }
            None if denied => {
                prediction.verdict = Expected::Unknown;
                prediction.words.push_str(
                    ", which stops Windows activation only where a route takes 0.0.0.0/0: pass --effective-routes",
                );
            }
            _ => {}
        }
        if leaves_wrong {
            prediction
                .words
                .push_str("; activation works from an Azure public address only: route the KMS addresses to Internet");
        }
        prediction
    }

    fn inbound(&self, endpoint: &Endpoint, from: &Standpoint<'_>) -> Prediction {
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
        };
        let guarded = self.guarded_subnet(&flow);
        // Replies to the load balancer's probes go to the platform, whatever the routes.
        let returns = (!tag.eq_ignore_ascii_case(LOAD_BALANCER))
            .then(|| self.returned(&remote))
            .flatten();
        match (guarded, returns) {
            (Some(guarded), Some(returns)) if matters(&guarded, &returns) => Prediction {
                verdict: if [guarded.verdict, returns.verdict].contains(&Expected::Deny) {
                    Expected::Deny
                } else {
                    Expected::Unknown
                },
                nsg: guarded.rule,
                route: returns.route,
                words: format!("{}; {}", guarded.words, returns.words),
            },
            (Some(guarded), returns) => Prediction {
                verdict: guarded.verdict,
                nsg: guarded.rule,
                route: returns.and_then(|returns| returns.route),
                words: guarded.words,
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

    /// Both directions must pass: each machine begins conversations with the others.
    fn peer(&self, endpoint: &Endpoint, from: &Standpoint<'_>) -> Prediction {
        let local = self.local(from);
        // The other machines stand in the same subnet, where the rules see what they see of this machine.
        let remote = local.clone().map_or_else(
            || self.of_tag(VIRTUAL_NETWORK, from.region),
            |here| Remote {
                tag: Some(VIRTUAL_NETWORK.into()),
                addresses: here,
                known: Known::AsTag,
            },
        );
        let flow = |outbound| Flow {
            outbound,
            transport: endpoint.transport,
            port: endpoint.port,
            remote: &remote,
            local: local.as_ref(),
            region: from.region,
        };
        let both = [
            self.guarded(&flow(true), &OF_THE_SUBNET),
            self.guarded(&flow(false), &OF_THE_SUBNET),
        ];
        let worst = both.into_iter().flatten().max_by_key(|guarded| match guarded.verdict {
            Expected::Deny => 2,
            Expected::Unknown => 1,
            Expected::Allow => 0,
        });
        worst.map_or_else(undecided, |guarded| together(Some(guarded), None))
    }
}

fn is_platform(remote: &Remote) -> bool {
    let platform: AddressSet = AddressSet::from_iter([PLATFORM]);
    remote.known == Known::Exactly && remote.addresses == platform
}

/// Whether the way back is worth a word: where it is lost, or where it is all that is in doubt.
fn matters(guarded: &Guarded, returns: &Routed) -> bool {
    match returns.verdict {
        Expected::Deny => true,
        Expected::Unknown => guarded.verdict != Expected::Deny,
        Expected::Allow => false,
    }
}

/// Whether a route takes 0.0.0.0/0 away from Azure's own way out.
fn is_forced(route: &Route) -> bool {
    route.source != Source::Default
}
