//! The catalog's entries from its page, and its other entries.

use super::PageRow;
use crate::{
    azure::Cloud,
    catalog::{Catalog, Dependency, EndpointSpec, SETTINGS, SourceMention, Target, fill, placeholders},
    model::Direction,
};

/// One port of one entry in one cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The entry, in the form of a row.
    pub row: PageRow,
    /// What the page lists for it.
    pub named: SourceMention,
    /// Members of a wildcard: a page may list one of them.
    pub members: Vec<String>,
}

/// Every entry of the catalog, in its order.
pub(super) fn of(catalog: &Catalog) -> Vec<Claim> {
    let mut claims = Vec::new();
    for dependency in &catalog.dependencies {
        for endpoint in &dependency.endpoints {
            for cloud in catalog.clouds.keys().copied() {
                let exists = |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
                if exists(&dependency.clouds) && exists(&endpoint.clouds) {
                    claims.extend(in_cloud(catalog, dependency, endpoint, cloud));
                }
            }
        }
    }
    claims
}

fn in_cloud<'a>(
    catalog: &'a Catalog,
    dependency: &'a Dependency,
    endpoint: &'a EndpointSpec,
    cloud: Cloud,
) -> impl Iterator<Item = Claim> + 'a {
    let filled = |template: &str| {
        let suffixes = catalog.clouds.get(&cloud);
        let suffix = |name: &str| suffixes.and_then(|it| it.get(name)).cloned();
        fill(template, |name| suffix(name).or_else(|| Some(format!("{{{name}}}"))))
            .unwrap_or_else(|_| template.to_owned())
    };
    let (host, members) = match &endpoint.target {
        Target::Host(host) => (Some(filled(host)), Vec::new()),
        Target::Wildcard { pattern, members } => (Some(filled(pattern)), members.iter().map(|it| filled(it)).collect()),
        Target::NameServer | Target::Anything => (None, Vec::new()),
        Target::Addresses { addresses, .. } => (addresses.first().map(ToString::to_string), Vec::new()),
    };
    let tag = match endpoint.direction {
        Direction::Outbound => dependency.service_tag.clone(),
        Direction::Inbound | Direction::Peer => endpoint.source_tag.clone(),
    };
    let named = named(catalog, dependency, endpoint, cloud);
    endpoint.ports.iter().map(move |(port, _)| Claim {
        row: PageRow {
            host: host.clone(),
            port: Some(*port),
            transport: Some(endpoint.transport),
            direction: Some(endpoint.direction),
            tag: tag.clone(),
            cloud: Some(cloud),
            line: None,
        },
        named,
        members: members.clone(),
    })
}

/// What the page lists for an entry in one cloud, if the entry is from this page.
fn named(catalog: &Catalog, dependency: &Dependency, endpoint: &EndpointSpec, cloud: Cloud) -> SourceMention {
    let of_the_page = dependency.docs.as_deref().is_some_and(|docs| docs.starts_with('#'));
    if !of_the_page || endpoint.retired.is_some() {
        return SourceMention::Nothing;
    }
    let named = endpoint
        .on_page
        .or(dependency.on_page)
        .unwrap_or_else(|| usual(endpoint));
    // If a host differs between clouds, the page lists the public one.
    let differs = match &endpoint.target {
        Target::Host(host) | Target::Wildcard { pattern: host, .. } => {
            placeholders(host).any(|name| catalog.clouds.values().any(|suffixes| suffixes.contains_key(name)))
        }
        _ => false,
    };
    if cloud != Cloud::Public && (differs || named != SourceMention::Host) {
        return SourceMention::Nothing;
    }
    named
}

/// For a host that all customers share, the host; for one that only the user knows, the tag; for a name server, the
/// port.
fn usual(endpoint: &EndpointSpec) -> SourceMention {
    let is_users = |host: &str| placeholders(host).any(|name| SETTINGS.iter().any(|setting| setting.name == name));
    match &endpoint.target {
        Target::Host(host) if is_users(host) => SourceMention::Tag,
        Target::Host(_) | Target::Wildcard { .. } | Target::Addresses { .. } => SourceMention::Host,
        Target::Anything => SourceMention::Tag,
        Target::NameServer => SourceMention::Port,
    }
}
