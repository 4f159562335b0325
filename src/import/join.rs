//! From a document's targets to entries of the catalog.
//!
//! A target that matches an entry joins it: `x.blob.core.windows.net` replaces `{storage_account}.blob.…`, and a host
//! in the catalog stays one row. A target without a match becomes a new entry.

mod additions;
mod matching;

use std::collections::BTreeMap;

use super::{CompletedCatalog, HostOrAddresses, InstanceTarget};
use crate::{
    azure::Cloud,
    catalog::{Catalog, Dependency, EndpointSpec, SETTINGS, model::Target as To, placeholders},
    model::{Direction, Expect, Need, Protocol, Transport},
    plan::{Values, fill},
    text::words,
};

use additions::{Additions, place_of};
use matching::{EntryMatch, fit};

/// The dependency for everything that belongs to no other.
pub(super) const OTHER: &str = "imported";

type Suffixes = BTreeMap<String, String>;

/// A cloud other than `cloud` that the instance is in, judged by the suffixes of its own hosts, with one of them.
pub(super) fn other_cloud(catalog: &Catalog, targets: &[InstanceTarget], cloud: Cloud) -> Option<(Cloud, String)> {
    let hosts: Vec<&str> = targets.iter().filter_map(InstanceTarget::host).collect();
    let own_host = |cloud: Cloud| {
        let suffixes = catalog.clouds.get(&cloud)?;
        let specs = || catalog.dependencies.iter().flat_map(|dependency| &dependency.endpoints);
        let is_own = |host: &str| {
            specs().any(|spec| matches!(fit(&spec.target, suffixes, None, host), Some(EntryMatch::Own { .. })))
        };
        hosts.iter().copied().find(|host| is_own(host))
    };
    if own_host(cloud).is_some() {
        return None;
    }
    Cloud::ALL
        .into_iter()
        .find_map(|other| Some((other, own_host(other)?.to_string())))
}

/// Adds targets to the catalog, and the instance's names where no host from a document replaces a placeholder.
pub(super) fn join(
    mut catalog: Catalog,
    values: &Values,
    targets: &[InstanceTarget],
    cloud: Cloud,
    region: Option<&str>,
) -> CompletedCatalog {
    let suffixes = catalog.clouds.get(&cloud).cloned().unwrap_or_default();
    let scope = MatchScope {
        cloud,
        region,
        suffixes: &suffixes,
        values,
    };
    let mut notices = settle(&mut catalog.dependencies, targets);
    let known = &catalog.dependencies;
    let mut additions: Vec<Additions> = known.iter().map(|_| Additions::default()).collect();
    let mut others = Vec::new();
    let mut derived = Vec::new();
    for target in targets {
        let fits = scope.fits(known, target);
        let home = scope.owner(known, target, &fits);
        for fit in &fits {
            let dependency = &known[fit.dependency];
            let need = additions[fit.dependency].take(dependency, target, fit, &scope, home);
            // An account that only a feature uses need not offer what the instance requires.
            if let EntryMatch::Own { setting, value } = &fit.fit
                && need == dependency.need
                && !scope.values.has(setting)
            {
                derived.push((setting.clone(), value.clone()));
            }
        }
        if fits.is_empty() {
            match home {
                Some(home) => additions[home].own.push(scope.own(Some(&known[home]), target)),
                None => others.push(scope.own(None, target)),
            }
        }
    }
    let unmatched: Vec<String> = others.iter().map(|endpoint| describe(&endpoint.target)).collect();
    let strays = words::distinct(unmatched.iter().map(String::as_str));
    for (dependency, additions) in catalog.dependencies.iter_mut().zip(additions) {
        additions.complete(dependency);
    }
    if !others.is_empty() {
        match catalog.dependencies.iter_mut().find(|it| it.id == OTHER) {
            Some(dependency) => dependency.endpoints.extend(others),
            None => catalog.dependencies.push(other(others)),
        }
    }
    let mut values = values.clone();
    for (setting, value) in derived {
        values.add(&setting, [value]);
    }
    if !strays.is_empty() {
        notices.push(format!(
            "the catalog has no dependency for {}: probed under \"{OTHER}\"",
            words::list(&strays, 3)
        ));
    }
    CompletedCatalog {
        catalog,
        values,
        remarks: Vec::new(),
        notices,
    }
}

/// Appends the instance's own dependencies; a dependency of the user's with the same id is extended.
pub(super) fn append(catalog: &mut Catalog, own: Vec<Dependency>) {
    for dependency in own {
        match catalog.dependencies.iter_mut().find(|known| known.id == dependency.id) {
            Some(known) => known.endpoints.extend(dependency.endpoints),
            None => catalog.dependencies.push(dependency),
        }
    }
}

/// Sets the need of dependencies about which the page contradicts itself to that from the instance's own status; returns a
/// sentence for each that the status calls optional throughout.
fn settle(dependencies: &mut [Dependency], targets: &[InstanceTarget]) -> Vec<String> {
    let mut notices = Vec::new();
    for dependency in dependencies
        .iter_mut()
        .filter(|it| it.instance_decides && it.need == Need::Required)
    {
        let mut stated = targets
            .iter()
            .filter(|target| target.dependency == Some(dependency.id.as_str()))
            .filter_map(|target| target.need)
            .peekable();
        if stated.peek().is_some() && stated.all(|need| need > Need::Required) {
            dependency.need = Need::Feature;
            notices.push(format!(
                "the instance marks {} as optional, so it counts as a feature",
                dependency.title
            ));
        }
    }
    notices
}

impl InstanceTarget {
    fn host(&self) -> Option<&str> {
        match &self.place {
            HostOrAddresses::Host(host) => Some(host),
            HostOrAddresses::Addresses(_) => None,
        }
    }
}

/// One port of an entry that a target matches.
#[derive(Debug)]
struct Match {
    dependency: usize,
    entry: usize,
    port: u16,
    protocol: Protocol,
    fit: EntryMatch,
}

/// The context in which targets are matched.
struct MatchScope<'a> {
    cloud: Cloud,
    region: Option<&'a str>,
    suffixes: &'a Suffixes,
    values: &'a Values,
}

impl MatchScope<'_> {
    fn is_here(&self, clouds: &[Cloud]) -> bool {
        clouds.is_empty() || clouds.contains(&self.cloud)
    }

    fn specs<'d>(&self, dependency: &'d Dependency) -> impl Iterator<Item = (usize, &'d EndpointSpec)> {
        let here = self.is_here(&dependency.clouds);
        let applies =
            move |spec: &EndpointSpec| here && self.is_here(&spec.clouds) && spec.direction == Direction::Outbound;
        dependency
            .endpoints
            .iter()
            .enumerate()
            .filter(move |(_, spec)| applies(spec))
    }

    fn fits(&self, dependencies: &[Dependency], target: &InstanceTarget) -> Vec<Match> {
        let Some(host) = target.host() else { return Vec::new() };
        let mut matches = Vec::new();
        for (dependency, of) in dependencies.iter().enumerate() {
            for (entry, spec) in self.specs(of) {
                let Some(fit) = fit(&spec.target, self.suffixes, self.region, host) else {
                    continue;
                };
                let wanted = |port: u16| target.port.is_none_or(|wanted| wanted == port);
                matches.extend(
                    spec.ports
                        .iter()
                        .filter(|(port, _)| wanted(*port))
                        .map(|(port, protocol)| Match {
                            dependency,
                            entry,
                            port: *port,
                            protocol: *protocol,
                            fit: fit.clone(),
                        }),
                );
            }
        }
        matches
    }

    /// The dependency whose need the document may change: the one that it names, else the first that the host matches.
    fn owner(&self, dependencies: &[Dependency], target: &InstanceTarget, fits: &[Match]) -> Option<usize> {
        let named = dependencies.iter().position(|dependency| {
            Some(dependency.id.as_str()) == target.dependency && self.is_here(&dependency.clouds)
        });
        let fitting = |index: &usize| fits.is_empty() || fits.iter().any(|fit| fit.dependency == *index);
        named.filter(fitting).or(fits.first().map(|fit| fit.dependency))
    }

    /// An entry for a target without a match: it uses the protocol of the dependency's other entries on the same port.
    fn own(&self, dependency: Option<&Dependency>, target: &InstanceTarget) -> EndpointSpec {
        let port = target.port.unwrap_or(443);
        let neighbours: Vec<&EndpointSpec> = dependency
            .into_iter()
            .flat_map(|dependency| self.specs(dependency))
            .map(|(_, spec)| spec)
            .filter(|spec| spec.retired.is_none() && spec.ports.iter().any(|(theirs, _)| *theirs == port))
            .collect();
        let neighbour = neighbours.first();
        let spoken = neighbour.and_then(|spec| spec.ports.iter().find(|(theirs, _)| *theirs == port));
        let need = dependency.map_or(Need::Feature, |dependency| {
            let need = neighbour.and_then(|spec| spec.need).unwrap_or(dependency.need);
            // A host that is not documented is required only if all hosts of the dependency are the instance's own.
            if has_settings(dependency) {
                need
            } else {
                need.max(Need::Feature)
            }
        });
        let names: Vec<String> = match &target.place {
            HostOrAddresses::Host(_) => Vec::new(),
            HostOrAddresses::Addresses(_) => neighbours
                .iter()
                .filter_map(|spec| self.any_name(&spec.target))
                .collect(),
        };
        let mut protocol = spoken.map_or_else(|| protocol_of(port), |(_, protocol)| *protocol);
        if matches!(target.place, HostOrAddresses::Addresses(_)) && protocol.speaks_tls() && names.is_empty() {
            // Without a name, no certificate can be verified.
            protocol = Protocol::Tcp;
        }
        EndpointSpec {
            target: place_of(target),
            ports: vec![(port, protocol)],
            transport: protocol.transports().first().copied().unwrap_or(Transport::Tcp),
            names,
            need: Some(target.need.unwrap_or(need)),
            direction: Direction::Outbound,
            source_tag: None,
            clouds: Vec::new(),
            vnet: None,
            path: None,
            note: Some(format!("Not in the catalog; listed by the instance ({}).", target.kind)),
            expect: Expect::Reachable,
            retired: None,
            replaced_by: None,
            only_when_named: false,
            on_page: None,
            of_instance: None,
        }
    }

    /// The names that a certificate at an entry may have: `*` instead of the instance's own.
    fn any_name(&self, to: &To) -> Option<String> {
        let To::Host(template) = to else { return None };
        let filled = fill(template, self.suffixes);
        let names: Vec<&str> = placeholders(&filled).collect();
        match names[..] {
            [] => Some(filled),
            [name] => filled
                .strip_prefix(&format!("{{{name}}}."))
                .map(|suffix| format!("*.{suffix}")),
            _ => None,
        }
    }
}

fn has_settings(dependency: &Dependency) -> bool {
    dependency.endpoints.iter().any(|spec| match &spec.target {
        To::Host(template) => placeholders(template).any(|name| SETTINGS.iter().any(|setting| setting.name == name)),
        _ => false,
    })
}

/// Whether a catalog contains this placeholder.
pub(super) fn has_setting(catalog: &Catalog, setting: &str) -> bool {
    let has = |spec: &EndpointSpec| match &spec.target {
        To::Host(template) => placeholders(template).any(|name| name == setting),
        _ => false,
    };
    catalog
        .dependencies
        .iter()
        .any(|dependency| dependency.endpoints.iter().any(has))
}

/// The usual protocol of a port. For an unknown service behind TLS, a verified handshake is proof enough.
fn protocol_of(port: u16) -> Protocol {
    match port {
        80 => Protocol::Http,
        123 => Protocol::Ntp,
        443 | 1886 | 8443 => Protocol::Tls,
        445 => Protocol::Smb,
        1433 => Protocol::Tds,
        1688 => Protocol::Kms,
        5671 => Protocol::Amqps,
        5672 => Protocol::Amqp,
        6380 | 10000 => Protocol::Redis,
        _ => Protocol::Tcp,
    }
}

fn describe(to: &To) -> String {
    match to {
        To::Host(host) => host.clone(),
        To::Addresses { addresses, .. } => addresses.first().map(ToString::to_string).unwrap_or_default(),
        To::Wildcard { pattern, .. } => pattern.clone(),
        To::NameServer | To::Anything => String::new(),
    }
}

fn other(endpoints: Vec<EndpointSpec>) -> Dependency {
    Dependency {
        id: OTHER.into(),
        title: "Other hosts that the instance lists".into(),
        need: Need::Feature,
        instance_decides: false,
        feature: Some("Not known; the instance uses it".into()),
        service_tag: None,
        impact: "Whatever the instance uses this host for does not work.".into(),
        stops_activation: false,
        docs: None,
        clouds: Vec::new(),
        vnet: None,
        on_page: None,
        route_addresses: BTreeMap::new(),
        endpoints,
    }
}
