//! The instance itself: `GET {id}`, as REST, the Azure CLI and PowerShell print it.

use std::{borrow::Cow, net::IpAddr};

use super::link::UrlOrigin;
use crate::{
    azure::{
        Cloud,
        json::{JsonNode, Object},
    },
    catalog::{model::TrustedAuthority, region_name},
    model::{Tier, Vnet},
};

/// The instance's own document. While it is being activated, or after that failed, most of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceResource {
    /// Its name, with which its default host names begin.
    pub name: Option<String>,
    /// The tier, by Azure's word: `Developer`, `Premium`, `StandardV2` …
    pub sku: Option<String>,
    /// Its state: `Succeeded`, `Activating`, `Failed` …
    pub state: Option<String>,
    /// The network mode, in Azure's word: `None`, `External`, `Internal`.
    pub network: Option<String>,
    /// Where it runs, the primary location first.
    pub locations: Vec<InstanceLocation>,
    /// Its host names: the default ones and custom ones.
    pub host_names: Vec<HostName>,
    /// The CA certificates that were uploaded to it.
    pub authorities: Vec<TrustedAuthority>,
}

/// One location of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceLocation {
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The resource id of its subnet.
    pub subnet: Option<String>,
    /// Its addresses inside the network: an internal instance has one.
    pub private: Vec<IpAddr>,
    /// Its public addresses.
    pub public: Vec<IpAddr>,
}

/// What a host name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The gateway, which serves the APIs.
    Gateway,
    /// The developer portal.
    DeveloperPortal,
    /// The management API that the developer portal uses.
    Management,
    /// The configuration API that self-hosted gateways use.
    Configuration,
}

/// One host name of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// What it is for.
    pub role: Role,
    /// The name, in lower case.
    pub host: String,
    /// Whether it is a custom name, with the user's own certificate.
    pub is_custom: bool,
    /// The vault of its certificate.
    pub(in crate::import) vault: Option<UrlOrigin>,
}

impl ServiceResource {
    pub(super) fn of(entry: &Object<'_>) -> Self {
        let network = entry.filled("virtualNetworkType").or_else(|| entry.filled("vpnType"));
        let sku = entry.get("sku").and_then(|sku| match sku.object() {
            Some(sku) => sku.filled("name").map(Cow::into_owned),
            None => sku.text().map(Cow::into_owned),
        });
        let mut locations = vec![InstanceLocation::of(entry)];
        let more = entry
            .list("additionalLocations")
            .into_iter()
            .filter_map(JsonNode::object);
        locations.extend(more.map(|location| InstanceLocation::of(&location)));
        let owned = |key: &str| entry.filled(key).map(Cow::into_owned);
        Self {
            name: owned("name").map(|name| name.to_ascii_lowercase()),
            sku,
            state: owned("provisioningState"),
            network: network.map(Cow::into_owned),
            locations,
            host_names: host_names(entry),
            authorities: entry
                .list("certificates")
                .into_iter()
                .filter_map(|node| authority(&node.object()?))
                .collect(),
        }
    }

    /// The network mode; `None` if there is none, or if it is not known.
    pub fn vnet(&self) -> Option<Vnet> {
        match self.network.as_deref()?.to_ascii_lowercase().as_str() {
            "external" => Some(Vnet::External),
            "internal" => Some(Vnet::Internal),
            _ => None,
        }
    }

    /// The tier whose catalog applies; `None` if it is not known, or has no network of the user's.
    pub fn tier(&self) -> Option<Tier> {
        match self.sku.as_deref()?.to_ascii_lowercase().as_str() {
            "developer" | "premium" => Some(Tier::Classic),
            // An integrated instance needs the same outbound access as an injected one.
            "premiumv2" | "standardv2" => Some(Tier::PremiumV2),
            _ => None,
        }
    }

    /// The tier in the usual spelling: `Premium v2`.
    pub fn tier_name(&self) -> Option<String> {
        Some(self.sku.as_deref()?.replace("V2", " v2"))
    }

    /// The location in a region, or the primary one.
    pub fn place_in(&self, region: Option<&str>) -> Option<&InstanceLocation> {
        let here = self
            .locations
            .iter()
            .find(|place| region.is_some() && place.region.as_deref() == region);
        here.or_else(|| self.locations.first())
    }

    pub(super) fn notices(&self, from: &str) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(state) = self
            .state
            .as_deref()
            .filter(|state| !state.eq_ignore_ascii_case("Succeeded"))
        {
            notices.push(format!(
                "{from}: the instance is not ready ({state}), so its own data may be incomplete; it is used as it is"
            ));
        }
        if self
            .network
            .as_deref()
            .is_some_and(|network| network.eq_ignore_ascii_case("None"))
        {
            notices.push(format!(
                "{from}: the instance is not in a virtual network (virtualNetworkType None), so its traffic does not \
                 leave from this subnet"
            ));
        }
        notices
    }
}

impl InstanceLocation {
    fn of(location: &Object<'_>) -> Self {
        let network = ["virtualNetworkConfiguration", "virtualNetwork"]
            .into_iter()
            .find_map(|key| location.get(key)?.object());
        Self {
            region: location.filled("location").and_then(|name| region_name(&name)),
            subnet: network.and_then(|network| network.filled("subnetResourceId").map(Cow::into_owned)),
            private: addresses(location, "privateIPAddresses"),
            public: addresses(location, "publicIPAddresses"),
        }
    }
}

fn addresses(location: &Object<'_>, key: &str) -> Vec<IpAddr> {
    let words = location.get(key).map(JsonNode::words).unwrap_or_default();
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

/// The host names of an instance. The old portal and Git's (`scm`) are omitted: both are retired.
fn host_names(entry: &Object<'_>) -> Vec<HostName> {
    let mut names: Vec<HostName> = Vec::new();
    let mut add = |role, host: &str, is_custom, vault| {
        let Some(host) = full_name(host) else { return };
        match names.iter_mut().find(|known| known.host == host) {
            Some(known) => {
                known.is_custom |= is_custom;
                known.vault = known.vault.take().or(vault);
            }
            None => names.push(HostName {
                role,
                host,
                is_custom,
                vault,
            }),
        }
    };
    for configuration in entry
        .list("hostnameConfigurations")
        .into_iter()
        .filter_map(JsonNode::object)
    {
        let role = match configuration
            .filled("type")
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "proxy" => Role::Gateway,
            "developerportal" => Role::DeveloperPortal,
            "management" => Role::Management,
            "configurationapi" => Role::Configuration,
            _ => continue,
        };
        let host = configuration.filled("hostName").unwrap_or_default();
        let is_custom = !is_default(&host);
        let vault = configuration.filled("keyVaultId").and_then(|url| UrlOrigin::of(&url));
        add(role, &host, is_custom, vault);
    }
    let urls = [
        ("gatewayUrl", Role::Gateway),
        ("runtimeUrl", Role::Gateway),
        ("developerPortalUrl", Role::DeveloperPortal),
        ("managementApiUrl", Role::Management),
    ];
    for (key, role) in urls {
        if let Some(link) = entry.filled(key).and_then(|url| UrlOrigin::of(&url)) {
            let host = link.as_str().split_once("://").map_or(link.as_str(), |(_, host)| host);
            add(role, host, !is_default(host), None);
        }
    }
    names
}

/// The cloud that a host name belongs to; `None` for a custom one.
pub(super) fn cloud_of(host: &str) -> Option<Cloud> {
    let host = host.to_ascii_lowercase();
    let suffixes = [
        ("azure-api.net", Cloud::Public),
        ("azure-api.us", Cloud::Usgov),
        ("azure-api.cn", Cloud::China),
    ];
    let is_below = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    suffixes
        .into_iter()
        .find(|(suffix, _)| is_below(suffix))
        .map(|(_, cloud)| cloud)
}

fn is_default(host: &str) -> bool {
    cloud_of(host).is_some()
}

fn full_name(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    super::super::host_name::is_host(&host).then_some(host)
}

/// A CA certificate, from an entry of `certificates`.
fn authority(entry: &Object<'_>) -> Option<TrustedAuthority> {
    let certificate = entry.get("certificate").and_then(JsonNode::object);
    let text_of = |key: &str| {
        let inner = certificate.as_ref().and_then(|certificate| certificate.filled(key));
        inner.or_else(|| entry.filled(key)).map(Cow::into_owned)
    };
    let store = entry.filled("storeName").unwrap_or_default();
    let digits = text_of("thumbprint").unwrap_or_default();
    Some(TrustedAuthority {
        subject: text_of("subject")?,
        thumbprint: digits
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect::<String>()
            .to_ascii_uppercase(),
        is_root: !store.eq_ignore_ascii_case("CertificateAuthority"),
    })
}
