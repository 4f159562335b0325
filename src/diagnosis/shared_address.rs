//! One address for names that have nothing in common: the answering server, usually a DNS filter, returns its own
//! address for all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::context::{Context, domain};
use crate::{
    address,
    diagnosis::outcome::Judgement,
    model::{Cause, Protocol, Stage, Verdict},
    plan::{Plan, PlannedEndpoint, ProbeTarget},
    text::words,
};

/// No single service has this many unrelated names.
const MIN_DOMAINS: usize = 3;

/// Gives the rows of such an address their true cause, if no service is verified there.
///
/// Content networks answer for many names at one address; their names resolve through aliases in one domain, and so
/// count as one.
pub(super) fn reconsider(plan: &Plan, context: &Context, judgements: &mut [Judgement]) {
    let mut places: BTreeMap<IpAddr, AddressUsage> = BTreeMap::new();
    for (endpoint, judgement) in plan.endpoints.iter().zip(judgements.iter()) {
        let Some(address) = only_address(endpoint, judgement) else {
            continue;
        };
        let place = places.entry(address).or_default();
        place.domains.insert(domain(last_name(endpoint, context)).to_owned());
        place.hosts.insert(endpoint.host.clone());
        place.is_verified |= is_proved_beyond_doubt(endpoint, judgement);
    }
    places.retain(|_, place| place.domains.len() >= MIN_DOMAINS && !place.is_verified);
    for (endpoint, judgement) in plan.endpoints.iter().zip(judgements) {
        let Some((address, place)) =
            only_address(endpoint, judgement).and_then(|address| Some((address, places.get(&address)?)))
        else {
            continue;
        };
        let hosts: Vec<&str> = place.hosts.iter().map(String::as_str).collect();
        judgement.verdict = Verdict::Blocked;
        judgement.cause = Some(Cause::DnsSinkhole);
        judgement.stage = Some(Stage::Dns);
        judgement.detail = format!(
            "{address} is the answer for {} unrelated names ({}), and no service was verified there",
            hosts.len(),
            words::list(&hosts, 3)
        );
        judgement.evidence.insert(0, judgement.detail.clone());
    }
}

/// What was observed at one address.
#[derive(Debug, Default)]
struct AddressUsage {
    domains: BTreeSet<String>,
    hosts: BTreeSet<String>,
    is_verified: bool,
}

/// The public address that was tried for a name, if there is only one.
fn only_address(endpoint: &PlannedEndpoint, judgement: &Judgement) -> Option<IpAddr> {
    let mut addresses = judgement.outcomes.iter().map(|outcome| outcome.address.ip());
    let address = addresses.next()?;
    let counts = addresses.all(|other| other == address)
        && endpoint.destination == ProbeTarget::Name
        && judgement.verdict != Verdict::NotTested
        && !address::is_private(address)
        && !address::is_sinkhole(address);
    counts.then_some(address)
}

/// Whether the service was verified by more than plain text, which a block page has too.
fn is_proved_beyond_doubt(endpoint: &PlannedEndpoint, judgement: &Judgement) -> bool {
    let is_any_answer = endpoint.protocol == Protocol::Http && endpoint.path.is_none();
    judgement.verdict.is_proved() && !is_any_answer
}

/// The name of the address: the last alias, if there are any.
fn last_name<'a>(endpoint: &'a PlannedEndpoint, context: &'a Context) -> &'a str {
    let answer = context
        .name(&endpoint.host)
        .and_then(|name| name.decision()?.answer())
        .and_then(|answer| answer.cnames.last());
    answer.map_or(endpoint.host.as_str(), String::as_str)
}
