//! From what an instance says to what has to be reached for it.
//!
//! ```text
//! Records ─ uses ─▶ what connects where, and for what ─ gather ─▶ one entry for each host and port
//!    │        └ hosts: {{named values}}, schemes, ports
//!    └ known ─▶ names for the placeholders of the catalog, and the instance's own results for its vaults
//! ```

mod catalogued;
mod gather;
mod hosts;
mod own_names;
mod uses;

use std::{collections::BTreeMap, sync::Arc};

use super::{HostOrAddresses, InstanceTarget, instance::Instance, view::Remark};
use crate::{
    azure::Cloud,
    catalog::{
        self, Dependency, EndpointSpec,
        model::{InstanceFacts, TrustedAuthority},
    },
    model::{Direction, Expect, Need, Protocol, Transport},
};

/// What an instance needs, according to its documents.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Hosts that match entries of the catalog.
    pub targets: Vec<InstanceTarget>,
    /// Names for placeholders of the catalog.
    pub values: Vec<SettingValue>,
    /// The instance's own: backends, identity providers, policies' targets, its host names.
    pub dependencies: Vec<Dependency>,
    /// The instance's own results for hosts.
    pub remarks: Vec<Remark>,
    /// Notices.
    pub notices: Vec<String>,
}

/// A name for placeholders of the catalog.
#[derive(Debug)]
pub(super) struct SettingValue {
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// The target that it becomes if the catalog has no such placeholder.
    pub hosts: Vec<InstanceTarget>,
}

/// With this many endpoints of its own, the deadline may pass first.
const MANY: usize = 500;

/// What an instance needs in a cloud, seen from a region.
pub(super) fn of(instance: &Instance, cloud: Cloud, region: Option<&str>) -> Needs {
    let mut needs = Needs::default();
    catalogued::add(instance, cloud, &mut needs);
    let hosts = hosts::Hosts::new(&instance.records.named_values);
    let authorities = authorities(instance);
    let uses = uses::of(&instance.records, &mut needs.notices);
    let gathered = gather::gather(uses, &hosts, &authorities);
    needs.dependencies = gathered.dependencies;
    needs.notices.extend(gathered.notices);
    let own: usize = needs
        .dependencies
        .iter()
        .map(|dependency| dependency.endpoints.len())
        .sum();
    if own > MANY {
        needs.notices.push(format!(
            "the instance has {own} backends and other hosts of its own: any that do not fit in the deadline are not \
             tested, so raise --deadline and --concurrency, or select with --only and --skip"
        ));
    }
    if let Some(service) = &instance.service {
        let has_gateways = !instance.records.gateways.is_empty();
        needs
            .dependencies
            .extend(own_names::dependency(service, region, has_gateways));
    }
    needs
}

/// The CA certificates that were uploaded to the instance.
fn authorities(instance: &Instance) -> Vec<TrustedAuthority> {
    let service = instance.service.as_ref();
    service.map_or_else(Vec::new, |service| service.authorities.clone())
}

/// A dependency that is not documented.
fn of_the_instance(id: &str, feature: &str, impact: &str, docs: &str, endpoints: Vec<EndpointSpec>) -> Dependency {
    Dependency {
        id: id.into(),
        title: catalog::title_of_documents(id).unwrap_or(id).into(),
        need: Need::Feature,
        instance_decides: false,
        feature: Some(feature.into()),
        service_tag: None,
        impact: impact.into(),
        stops_activation: false,
        docs: Some(docs.into()),
        clouds: Vec::new(),
        vnet: None,
        on_page: None,
        route_addresses: BTreeMap::new(),
        endpoints,
    }
}

/// One entry of such a dependency: a feature's, outbound over TCP.
fn endpoint(target: catalog::model::Target, port: u16, protocol: Protocol, of_instance: InstanceFacts) -> EndpointSpec {
    EndpointSpec {
        target,
        ports: vec![(port, protocol)],
        transport: Transport::Tcp,
        names: Vec::new(),
        need: Some(Need::Feature),
        direction: Direction::Outbound,
        source_tag: None,
        clouds: Vec::new(),
        vnet: None,
        path: None,
        note: None,
        expect: Expect::Reachable,
        retired: None,
        replaced_by: None,
        only_when_named: false,
        on_page: None,
        of_instance: Some(Arc::new(of_instance)),
    }
}

/// The host of a place, or its first address.
fn shown(place: &HostOrAddresses) -> String {
    match place {
        HostOrAddresses::Host(host) => host.clone(),
        HostOrAddresses::Addresses(addresses) => addresses.first().map(ToString::to_string).unwrap_or_default(),
    }
}
