//! What the rules predict for a whole plan, once its names are resolved.

use std::{collections::HashMap, net::IpAddr};

use super::{INTERNET, NetworkRules, Origin, addresses::AddressSet, remote::known_addresses};
use crate::{
    address::is_private,
    model::{
        Direction, Prediction, Protocol, Transport,
        prediction::{Expected, RouteMatch},
    },
    plan::{Plan, PlannedEndpoint},
    probe::trace::Trace,
};

use super::API_MANAGEMENT;

/// What the rules predict for a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predictions {
    /// One entry for each endpoint, in the plan's order; `None` where the rules predict nothing.
    pub endpoints: Vec<Option<Prediction>>,
    /// One entry for each endpoint: a remark if it answers from outside its service tag, so that rules with the tag do
    /// not cover it.
    pub outside_their_tag: Vec<Option<String>>,
    /// The route on which replies to API Management's management traffic are lost, and the sentence about it.
    pub lost_replies: Option<(RouteMatch, String)>,
    /// Whether the subnet has no NSG, as far as the documents show.
    pub lacks_nsg: bool,
    /// Where 0.0.0.0/0 leads, as a clause, if a user-defined or BGP route covers it.
    pub default_route_override: Option<String>,
}

/// What a prediction depends on while no address is known. The endpoints of a service differ in their hosts only, and
/// evaluating 500 rules for all addresses of a service tag takes more than a millisecond; for a few known addresses it
/// takes little.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FlowKey<'p> {
    direction: Direction,
    protocol: Protocol,
    transport: Transport,
    port: u16,
    service_tag: Option<&'p str>,
    source_tag: Option<&'p str>,
}

impl<'p> FlowKey<'p> {
    fn of(endpoint: &'p PlannedEndpoint) -> Self {
        Self {
            direction: endpoint.direction,
            protocol: endpoint.protocol,
            transport: endpoint.transport,
            port: endpoint.port,
            service_tag: endpoint.service_tag.as_deref(),
            source_tag: endpoint.source_tag.as_deref(),
        }
    }
}

impl NetworkRules {
    /// What the rules predict for every endpoint, at the addresses in `traces` (one for each endpoint); before a run
    /// there are none.
    pub fn predictions(&self, plan: &Plan, traces: &[Option<Trace>], from: &Origin<'_>) -> Predictions {
        let at = |index: usize| {
            let trace: Option<&Trace> = traces.get(index).and_then(Option::as_ref);
            trace.map(Trace::addresses).unwrap_or_default()
        };
        let endpoints = || plan.endpoints.iter().enumerate();
        let mut without_address: HashMap<FlowKey<'_>, Option<Prediction>> = HashMap::new();
        Predictions {
            endpoints: endpoints()
                .map(|(index, endpoint)| {
                    let addresses = known_addresses(endpoint, &at(index));
                    if !addresses.is_empty() {
                        return self.predict(endpoint, &addresses, from);
                    }
                    let prediction = without_address
                        .entry(FlowKey::of(endpoint))
                        .or_insert_with(|| self.predict(endpoint, &addresses, from));
                    prediction.clone()
                })
                .collect(),
            outside_their_tag: endpoints()
                .map(|(index, endpoint)| self.outside_its_tag(endpoint, &at(index)))
                .collect(),
            lost_replies: self.lost_replies(from),
            lacks_nsg: self.lacks_nsg(),
            default_route_override: self.default_route_override(),
        }
    }

    fn lost_replies(&self, from: &Origin<'_>) -> Option<(RouteMatch, String)> {
        let return_prediction = self.return_prediction(&self.of_tag(API_MANAGEMENT, from.region))?;
        let lost = return_prediction.verdict == Expected::Deny;
        return_prediction
            .route
            .filter(|_| lost)
            .map(|route| (route, return_prediction.words))
    }

    fn outside_its_tag(&self, endpoint: &PlannedEndpoint, addresses: &[IpAddr]) -> Option<String> {
        let tag = endpoint
            .service_tag
            .as_deref()
            .filter(|tag| !tag.eq_ignore_ascii_case(INTERNET))?;
        let known = self.tags.addresses(tag)?;
        let outside: AddressSet = addresses
            .iter()
            .copied()
            .filter(|address| !is_private(*address) && !known.contains(*address))
            .collect();
        let verb = if outside.size() == 1 { "is" } else { "are" };
        (!outside.is_empty())
            .then(|| format!("{outside} {verb} not in the service tag {tag}: a rule with this tag does not cover that"))
    }
}
