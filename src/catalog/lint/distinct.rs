//! No two endpoints of a run share an id.

use std::collections::HashMap;

use super::endpoint::Scope;
use crate::catalog::{
    model::{Endpoint, Target},
    problem::{Place, Problem},
    raw,
    settings::NAME_SERVER,
};

/// Reports entries that would get the same id in one run.
pub(super) fn check(endpoints: &[(&raw::Endpoint, Endpoint)], scope: &Scope, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<_, Vec<(&Endpoint, Place)>> = HashMap::new();
    for (raw, endpoint) in endpoints {
        for (name, port) in hosts(&endpoint.target)
            .into_iter()
            .flat_map(|name| endpoint.ports.iter().map(move |(port, _)| (name.clone(), *port)))
        {
            let earlier = seen.entry((name.clone(), port, endpoint.transport)).or_default();
            if let Some((_, first)) = earlier.iter().find(|(other, _)| overlap(other, endpoint, scope)) {
                problems.push(
                    Problem::new(
                        raw.at,
                        format!("`{name}` port {port} is listed twice"),
                        "keep one of the two entries",
                    )
                    .label("again here")
                    .related(*first, "first here"),
                );
            }
            earlier.push((endpoint, raw.at));
        }
    }
}

/// The hosts that name an endpoint in its id.
fn hosts(target: &Target) -> Vec<String> {
    match target {
        Target::Host(host) => vec![host.clone()],
        Target::Wildcard { pattern, members } if members.is_empty() => vec![pattern.clone()],
        Target::Wildcard { members, .. } => members.clone(),
        Target::Addresses { addresses, .. } => addresses.first().map(ToString::to_string).into_iter().collect(),
        Target::NameServer => vec![format!("{{{NAME_SERVER}}}")],
        Target::Anything => vec!["*".to_owned()],
    }
}

/// Whether there is a cloud and a kind of network in which both apply.
fn overlap(a: &Endpoint, b: &Endpoint, scope: &Scope) -> bool {
    let clouds = |endpoint: &Endpoint, cloud| endpoint.clouds.is_empty() || endpoint.clouds.contains(cloud);
    let vnet = |endpoint: &Endpoint| endpoint.vnet.or(scope.vnet);
    let same_vnet = match (vnet(a), vnet(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    same_vnet && scope.clouds.iter().any(|cloud| clouds(a, cloud) && clouds(b, cloud))
}
