//! Nothing is probed twice: a host in the instance's documents may be planned already.

use std::collections::{HashMap, HashSet};

use super::PlannedEndpoint;
use crate::model::Transport;

/// Each host and port once. If the instance's own documents list a host that the catalog has, or that another of their
/// entries has, the first entry stays, its remark lists the others, and it gets the highest need.
pub(super) fn each(endpoints: Vec<PlannedEndpoint>) -> Vec<PlannedEndpoint> {
    if endpoints.iter().all(|endpoint| endpoint.of_instance.is_none()) {
        return endpoints;
    }
    let mut first: HashMap<(String, u16), usize> = HashMap::new();
    let mut kept: Vec<PlannedEndpoint> = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let place = (endpoint.host.clone(), endpoint.port);
        let is_probed = endpoint.untested.is_none() && endpoint.transport == Transport::Tcp;
        let known = first.get(&place).copied();
        if let Some(index) = known.filter(|_| is_probed && endpoint.of_instance.is_some()) {
            join(&mut kept[index], endpoint);
            continue;
        }
        if is_probed {
            first.entry(place).or_insert(kept.len());
        }
        kept.push(endpoint);
    }
    kept
}

/// Adds the second of two endpoints with the same host and port to the first.
fn join(one: &mut PlannedEndpoint, other: PlannedEndpoint) {
    let feature = other.feature.map(|feature| format!(" ({feature})")).unwrap_or_default();
    let also = format!("Also: {}{feature}.", other.title);
    one.note = Some(
        one.note
            .take()
            .map_or_else(|| also.clone(), |note| format!("{note} {also}")),
    );
    if other.need < one.need {
        one.need = other.need;
        one.impact = other.impact;
    }
    let names: HashSet<&String> = one.names.iter().collect();
    let more: Vec<String> = other
        .names
        .iter()
        .filter(|name| !names.contains(name))
        .cloned()
        .collect();
    one.names.extend(more);
}
