//! The entries of one dependency after targets have joined them.

use std::collections::BTreeSet;

use super::{Match, MatchScope, matching::Fit};
use crate::{
    catalog::{Dependency, EndpointSpec, model::Target as To},
    import::{HostOrAddresses, InstanceTarget},
    model::Need,
};

/// Additions to and removals from one dependency.
#[derive(Debug)]
pub(super) struct Additions {
    /// Entries to insert before each one of the catalog.
    before: Vec<Vec<EndpointSpec>>,
    /// Ports of entries that were replaced.
    taken: BTreeSet<(usize, u16)>,
    /// Entries to append.
    pub(super) own: Vec<EndpointSpec>,
}

impl Additions {
    pub(super) fn new(dependency: &Dependency) -> Self {
        Self {
            before: vec![Vec::new(); dependency.endpoints.len()],
            taken: BTreeSet::new(),
            own: Vec::new(),
        }
    }

    /// Inserts a target before the entry that it matches, or replaces it; returns its need.
    pub(super) fn take(
        &mut self,
        dependency: &Dependency,
        target: &InstanceTarget,
        fitting: &Match,
        scope: &MatchScope,
        owner: Option<usize>,
    ) -> Need {
        let Match {
            entry,
            port,
            protocol,
            fit,
            ..
        } = fitting;
        let spec = &dependency.endpoints[*entry];
        let documented = spec.need.unwrap_or(dependency.need);
        let said = target.need.filter(|_| owner == Some(fitting.dependency));
        let (to, need, is_replaced) = match fit {
            // An instance that currently works without something does not change that the documentation requires it.
            Fit::Known => {
                let need = said.map_or(documented, |said| said.min(documented));
                if spec.retired.is_some() || (need == documented && !spec.only_when_named) {
                    return need;
                }
                // The plan keeps the first of two rows with the same id.
                (known(&spec.target, target), need, false)
            }
            Fit::Elsewhere => {
                let need = said.map_or(documented, |said| said.min(documented));
                (place_of(target), need, scope.region.is_none())
            }
            Fit::Own { setting, .. } => (place_of(target), said.unwrap_or(documented), !scope.values.has(setting)),
            Fit::Member => {
                let is_empty = matches!(&spec.target, To::Wildcard { members, .. } if members.is_empty());
                (known(&spec.target, target), said.unwrap_or(documented), is_empty)
            }
        };
        if is_replaced {
            self.taken.insert((*entry, *port));
        }
        self.before[*entry].push(EndpointSpec {
            target: to,
            ports: vec![(*port, *protocol)],
            need: Some(need),
            only_when_named: false,
            ..spec.clone()
        });
        need
    }

    /// The dependency with all changes.
    pub(super) fn complete(self, dependency: Dependency) -> Dependency {
        let mut endpoints = Vec::with_capacity(dependency.endpoints.len());
        for (entry, (mut spec, before)) in dependency.endpoints.into_iter().zip(self.before).enumerate() {
            endpoints.extend(before);
            spec.ports.retain(|(port, _)| !self.taken.contains(&(entry, *port)));
            if !spec.ports.is_empty() {
                endpoints.push(spec);
            }
        }
        endpoints.extend(self.own);
        Dependency {
            endpoints,
            ..dependency
        }
    }
}

/// An entry's target, narrowed to the matching member of a wildcard.
fn known(to: &To, target: &InstanceTarget) -> To {
    match to {
        To::Wildcard { pattern, .. } => To::Wildcard {
            pattern: pattern.clone(),
            members: target.host().map(str::to_string).into_iter().collect(),
        },
        other => other.clone(),
    }
}

/// A target's place, in the form of a catalog entry.
pub(super) fn place_of(target: &InstanceTarget) -> To {
    match &target.place {
        HostOrAddresses::Host(host) => To::Host(host.clone()),
        HostOrAddresses::Addresses(addresses) => To::Addresses {
            addresses: addresses.clone(),
            any: false,
        },
    }
}
