//! The network's own rules, as Azure exports them, and what they predict for every planned endpoint before a packet is sent.
//!
//! ```text
//! effective NSG rules ─┐
//! effective routes    ─┼─▶ NetworkRules ─ predictions(plan, traces) ─▶ Predictions ─▶ diagnosis
//! service tags        ─┘
//! ```
//! The evaluation follows Azure: the NSGs of both subnet and network interface, priorities, the longest prefix,
//! user-defined routes before BGP before Azure's own, service tags by their addresses. Security admin rules of a network
//! manager come before all of these and are seldom exported, so nothing here proves that a packet passes.

use std::net::IpAddr;

pub mod addresses;
pub mod configured;
mod conflicts;
mod decision;
mod describe;
pub mod evaluate;
pub mod nsg;
mod predict;
mod predictions;
mod remote;
pub mod routes;
pub mod service_tags;

pub use conflicts::AllowedTraffic;
pub use predictions::Predictions;

use self::{
    addresses::{AddressSet, prefix},
    evaluate::{ipv4, public_internet},
    nsg::{SecurityGroup, SecurityRules},
    routes::Routes,
    service_tags::ServiceTags,
};
use crate::{azure::PLATFORM, model::prediction::NsgAttachment};

/// Everything that is known about the network's rules. What was not given is not guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRules {
    security: Option<SecurityRules>,
    /// The NSG rules' result if `VirtualNetwork` and `Internet` stand for something else.
    otherwise: Option<Alternative>,
    routes: Option<Routes>,
    tags: ServiceTags,
    /// Notices about the documents.
    notices: Vec<String>,
    /// The virtual network, as far as the documents contain it.
    network: Option<AddressSet>,
    /// Where no public service is: private addresses, and those in networks that Azure connects.
    inside: AddressSet,
    /// Whether `VirtualNetwork` is everything, as far as the documents show.
    is_forced: Option<bool>,
    /// The addresses for Windows activation: routes to these are for nothing else.
    activation: AddressSet,
}

/// The alternative, if the documents allow two.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    security: SecurityRules,
    /// Why there are two, worded to follow a sentence about the result of the first.
    doubt: &'static str,
}

/// Whose point of view the rules are evaluated from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The region, as the VM's metadata names regions.
    pub region: Option<&'a str>,
    /// The addresses of this machine.
    pub addresses: &'a [IpAddr],
}

impl NetworkRules {
    /// Combines the documents. Addresses of a service tag in the rules themselves take precedence over the list of
    /// tags.
    ///
    /// `VirtualNetwork` and `Internet` follow the routes: if a user-defined or BGP route covers 0.0.0.0/0, the former
    /// is everything and the latter nothing (service-tags-overview; MicrosoftDocs/azure-docs#22178 and #101300). If the
    /// rules do not spell them out and no routes were given, or if rules and routes contradict each other, both cases
    /// are kept.
    pub fn new(security: Option<SecurityRules>, routes: Option<Routes>, tags: Option<ServiceTags>) -> Self {
        let notices = [
            security.as_ref().and_then(SecurityRules::notice),
            routes.as_ref().and_then(Routes::notice),
            tags.as_ref().and_then(ServiceTags::notice),
        ];
        let routes = routes.filter(|routes| !routes.is_empty());
        let mut tags = tags.unwrap_or_default();
        if let Some(security) = &security {
            tags.replace(security.learned().clone());
        }
        let is_listed = Networks::from_tags(&tags).is_some();
        let (networks, other) = Networks::all(&tags, routes.as_ref());
        let is_forced = match &other {
            Some(_) => routes.as_ref().map(Routes::is_forced),
            None => Some(networks.is_forced()),
        };
        tags.add(LOAD_BALANCER, &AddressSet::from_iter([PLATFORM]));
        let otherwise = security.clone().zip(other).map(|(mut security, (networks, doubt))| {
            networks.name_in(&mut tags);
            security.resolve(&tags);
            Alternative { security, doubt }
        });
        networks.name_in(&mut tags);
        let security = security.map(|mut security| {
            security.resolve(&tags);
            security
        });
        let own = routes.as_ref().map(Routes::own_network).filter(|own| !own.is_empty());
        let mut inside = private();
        inside.extend(&routes.as_ref().map(Routes::connected).unwrap_or_default());
        Self {
            notices: notices.into_iter().flatten().collect(),
            network: own.or_else(|| is_listed.then_some(networks.virtual_network)),
            security,
            otherwise,
            routes,
            tags,
            inside,
            is_forced,
            activation: AddressSet::default(),
        }
    }

    /// The same, with the addresses for Windows activation in any cloud: a route to them is for nothing else.
    #[must_use]
    pub fn with_activation_at(self, addresses: impl Iterator<Item = IpAddr>) -> Self {
        Self {
            activation: addresses.collect(),
            ..self
        }
    }

    /// Whether there is anything to predict from.
    pub fn can_predict(&self) -> bool {
        self.security.is_some() || self.routes.is_some()
    }

    /// The service tags, including those that the rules themselves explain.
    pub fn tags(&self) -> &ServiceTags {
        &self.tags
    }

    /// The ids of the subnet's NSG, as far as the rules contain them.
    pub fn ids(&self) -> nsg::GroupIds {
        let groups = || self.security.iter().flat_map(|security| &security.groups);
        let of_the_subnet = groups().find(|group| group.place == NsgAttachment::Subnet);
        nsg::GroupIds {
            own: of_the_subnet.and_then(|group| group.ids.own.clone()),
            subnet: groups().find_map(|group| group.ids.subnet.clone()),
            nic: groups().find_map(|group| group.ids.nic.clone()),
        }
    }

    /// The names of the user's NSGs, rules and routes, and the ids that they were listed with.
    pub fn own_names(&self) -> Vec<(&'static str, String)> {
        let mut names = Vec::new();
        for group in self.security.iter().flat_map(|security| &security.groups) {
            names.extend(group.name.iter().map(|name| ("nsg", name.clone())));
            let ids = [
                ("nsg", &group.ids.own),
                ("vnet", &group.ids.subnet),
                ("nic", &group.ids.nic),
            ];
            for (kind, resource) in ids.into_iter().filter_map(|(kind, id)| Some((kind, id.as_ref()?))) {
                names.extend(resource.own_names(kind));
            }
            names.extend(group.rules.iter().map(|rule| ("rule", rule.name.clone())));
        }
        let routes = self.routes.iter().flat_map(Routes::iter);
        names.extend(routes.filter_map(|route| Some(("route", route.name.clone()?))));
        names
    }

    /// Whether the effective rules of security groups were given.
    pub fn has_security(&self) -> bool {
        self.security.is_some()
    }

    /// Whether the subnet has no NSG, as far as the documents show.
    pub fn lacks_nsg(&self) -> bool {
        let guards = |group: &SecurityGroup| group.place == NsgAttachment::Subnet;
        self.security
            .as_ref()
            .is_some_and(|rules| !rules.groups.iter().any(guards))
    }

    /// Notices about these rules.
    pub fn notices(&self, origin: &Origin<'_>) -> Vec<String> {
        let mut notices = self.notices.clone();
        let is_foreign = !origin.addresses.is_empty() && self.local(origin).is_none();
        if let Some(network) = self.network.as_ref().filter(|_| is_foreign) {
            let here = origin
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            notices.push(format!(
                "no address of this machine ({here}) is in the virtual network of the given rules ({network}): the \
                 rules are those of another network interface"
            ));
        }
        if self.otherwise.is_some() && self.routes.is_some() {
            notices.push(
                "the given rules and routes contradict each other: only one of them shows a route for 0.0.0.0/0. \
                 Export both again, from the same network interface"
                    .into(),
            );
        }
        notices
    }

    /// The addresses of this machine that are in the virtual network of the rules, or in any if the rules show none.
    /// Instances use IPv4.
    fn local(&self, origin: &Origin<'_>) -> Option<AddressSet> {
        let network = self.network.as_ref().unwrap_or(&self.inside);
        let here = origin
            .addresses
            .iter()
            .copied()
            .filter(|address| address.is_ipv4() && network.contains(*address));
        Some(here.collect::<AddressSet>()).filter(|here| !here.is_empty())
    }

    /// Whether a user-defined or BGP route covers 0.0.0.0/0, so that Azure counts everything as `VirtualNetwork` and
    /// nothing as `Internet`; `None` if the documents do not show it.
    pub fn is_forced(&self) -> Option<bool> {
        self.is_forced
    }

    /// Where 0.0.0.0/0 leads, as a clause, if a user-defined or BGP route covers it.
    pub fn default_route_override(&self) -> Option<String> {
        if self.is_forced != Some(true) {
            return None;
        }
        let route = self.routes.as_ref().and_then(Routes::default_route);
        Some(route.map_or_else(
            || "to a next hop that the given rules do not show".into(),
            routes::EffectiveRoute::leads,
        ))
    }
}

/// The addresses of the two tags that follow the routes.
#[derive(Debug, Clone)]
struct Networks {
    virtual_network: AddressSet,
    internet: AddressSet,
}

impl Networks {
    /// What the rules spell out, or else what the routes show; and the other case, if there is one, with the reason.
    fn all(tags: &ServiceTags, routes: Option<&Routes>) -> (Self, Option<(Self, &'static str)>) {
        let shown = routes.map(|routes| Self::around(routes.virtual_network()));
        match (Self::from_tags(tags), shown) {
            (Some(told), Some(shown)) if told.is_forced() != shown.is_forced() => {
                let doubt = "but the rules and routes do not agree on whether a user or BGP route covers 0.0.0.0/0";
                (told, Some((shown, doubt)))
            }
            (Some(known), _) | (None, Some(known)) => (known, None),
            (None, None) => {
                let doubt = "unless a user or BGP route covers 0.0.0.0/0: pass --effective-routes";
                (Self::around(private()), Some((Self::around(ipv4()), doubt)))
            }
        }
    }

    /// What the rules themselves spell out; `None` if they do not.
    fn from_tags(tags: &ServiceTags) -> Option<Self> {
        let of = |tag| tags.addresses(tag).map(|addresses| addresses.as_ref().clone());
        match (of(VIRTUAL_NETWORK), of(INTERNET)) {
            (None, None) => None,
            (Some(virtual_network), None) => Some(Self::around(virtual_network)),
            (virtual_network, Some(internet)) => Some(Self {
                virtual_network: virtual_network.unwrap_or_else(private),
                internet,
            }),
        }
    }

    /// A virtual network, and the internet around it. If it contains all of IPv4, nothing else is left: exports then
    /// show the internet as empty.
    fn around(virtual_network: AddressSet) -> Self {
        if ipv4().difference(&virtual_network).is_empty() {
            return Self {
                virtual_network: AddressSet::everything(),
                internet: AddressSet::default(),
            };
        }
        let mut public = public_internet();
        public.extend(&AddressSet::from_iter(prefix("2000::/3")));
        Self {
            internet: public.difference(&virtual_network),
            virtual_network,
        }
    }

    /// Whether the internet is empty.
    fn is_forced(&self) -> bool {
        self.internet.is_empty()
    }

    fn name_in(&self, tags: &mut ServiceTags) {
        tags.set(VIRTUAL_NETWORK, &self.virtual_network);
        tags.set(INTERNET, &self.internet);
    }
}

/// The tag for the virtual network, its peers, and what gateways connect.
const VIRTUAL_NETWORK: &str = "VirtualNetwork";

/// The tag for everything else.
pub const INTERNET: &str = "Internet";

/// The tag for the address from which Azure's load balancer probes.
const LOAD_BALANCER: &str = "AzureLoadBalancer";

/// The tag for the management traffic of instances.
pub const API_MANAGEMENT: &str = "ApiManagement";

/// The possible addresses of a virtual network (RFC 1918, RFC 6598), if nothing better is known, and the platform's
/// address.
fn private() -> AddressSet {
    let ranges = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    ];
    ranges.into_iter().filter_map(prefix).chain([PLATFORM.into()]).collect()
}
