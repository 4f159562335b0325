//! No two endpoints of a run share an id.

use std::borrow::Cow;

use super::endpoint::Inherited;
use crate::{
    catalog::{
        model::{EndpointSpec, Target},
        problem::{ByteRange, Problem},
        settings::NAME_SERVER,
    },
    model::Transport,
};

/// One host and port of an entry.
struct HostPort<'a> {
    name: Cow<'a, str>,
    port: u16,
    endpoint: &'a EndpointSpec,
    at: ByteRange,
}

impl HostPort<'_> {
    fn id(&self) -> (&str, u16, Transport) {
        (&self.name, self.port, self.endpoint.transport)
    }
}

/// Reports entries that would get the same id in one run; `places` are their positions.
pub(super) fn check(endpoints: &[EndpointSpec], places: &[ByteRange], scope: &Inherited, problems: &mut Vec<Problem>) {
    let mut rows = Vec::with_capacity(endpoints.len());
    for (endpoint, at) in endpoints.iter().zip(places) {
        for name in hosts(&endpoint.target) {
            let row = |(port, _): &(u16, _)| HostPort {
                name: name.clone(),
                port: *port,
                endpoint,
                at: *at,
            };
            rows.extend(endpoint.ports.iter().map(row));
        }
    }
    rows.sort_by(|a, b| a.id().cmp(&b.id()));
    for same in rows.chunk_by(|a, b| a.id() == b.id()) {
        for (index, again) in same.iter().enumerate() {
            let mut earlier = same[..index].iter();
            if let Some(first) = earlier.find(|other| overlap(other.endpoint, again.endpoint, scope)) {
                let message = format!("`{}` port {} is listed twice", again.name, again.port);
                problems.push(
                    Problem::new(again.at, message, "keep one of the two entries")
                        .label("again here")
                        .related(first.at, "first here"),
                );
            }
        }
    }
}

/// The hosts in the ids of an endpoint.
fn hosts(target: &Target) -> Vec<Cow<'_, str>> {
    match target {
        Target::Host(host) => vec![Cow::Borrowed(host)],
        Target::Wildcard { pattern, members } if members.is_empty() => vec![Cow::Borrowed(pattern)],
        Target::Wildcard { members, .. } => members.iter().map(|member| Cow::Borrowed(member.as_str())).collect(),
        Target::Addresses { addresses, .. } => addresses.first().map(|it| it.to_string().into()).into_iter().collect(),
        Target::NameServer => vec![format!("{{{NAME_SERVER}}}").into()],
        Target::Anything => vec!["*".into()],
    }
}

/// Whether there is a cloud and a kind of network in which both apply.
fn overlap(a: &EndpointSpec, b: &EndpointSpec, scope: &Inherited) -> bool {
    let clouds = |endpoint: &EndpointSpec, cloud| endpoint.clouds.is_empty() || endpoint.clouds.contains(cloud);
    let vnet = |endpoint: &EndpointSpec| endpoint.vnet.or(scope.vnet);
    let same_vnet = match (vnet(a), vnet(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    same_vnet && scope.clouds.iter().any(|cloud| clouds(a, cloud) && clouds(b, cloud))
}
