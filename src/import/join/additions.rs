//! The entries of one dependency after targets have joined them.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{Match, MatchScope, matching::EntryMatch};
use crate::{
    catalog::{Dependency, EndpointSpec, model::Target as To},
    import::{HostOrAddresses, InstanceTarget},
    model::Need,
};

/// Additions to and removals from one dependency.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// Entries to insert before one of the catalog, by its index.
    before: BTreeMap<usize, Vec<EndpointSpec>>,
    /// Ports of entries that were replaced.
    taken: BTreeSet<(usize, u16)>,
    /// Entries to append.
    pub(super) own: Vec<EndpointSpec>,
}

impl Additions {
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
        let stated = target.need.filter(|_| owner == Some(fitting.dependency));
        let (to, need, is_replaced) = match fit {
            // An instance that currently works without something does not change that the documentation requires it.
            EntryMatch::Known => {
                let need = stated.map_or(documented, |stated| stated.min(documented));
                if spec.retired.is_some() || (need == documented && !spec.only_when_named) {
                    return need;
                }
                // The plan keeps the first of two rows with the same id.
                (known(&spec.target, target), need, false)
            }
            EntryMatch::Elsewhere => {
                let need = stated.map_or(documented, |stated| stated.min(documented));
                (place_of(target), need, scope.region.is_none())
            }
            EntryMatch::Own { setting, .. } => (
                place_of(target),
                stated.unwrap_or(documented),
                !scope.values.has(setting),
            ),
            EntryMatch::Member => {
                let is_empty = matches!(&spec.target, To::Wildcard { members, .. } if members.is_empty());
                (known(&spec.target, target), stated.unwrap_or(documented), is_empty)
            }
        };
        if is_replaced {
            self.taken.insert((*entry, *port));
        }
        self.before.entry(*entry).or_default().push(EndpointSpec {
            target: to,
            ports: vec![(*port, *protocol)],
            need: Some(need),
            only_when_named: false,
            ..spec.clone()
        });
        need
    }

    /// Makes all changes to the dependency.
    pub(super) fn complete(mut self, dependency: &mut Dependency) {
        if !self.before.is_empty() {
            let entries = mem::take(&mut dependency.endpoints);
            for (entry, mut spec) in entries.into_iter().enumerate() {
                dependency
                    .endpoints
                    .extend(self.before.remove(&entry).unwrap_or_default());
                spec.ports.retain(|(port, _)| !self.taken.contains(&(entry, *port)));
                if !spec.ports.is_empty() {
                    dependency.endpoints.push(spec);
                }
            }
        }
        dependency.endpoints.extend(self.own);
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
