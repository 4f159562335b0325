//! Effective routes: where Azure sends what leaves a network interface.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::{
    addresses::{AddressSet, prefix},
    document::{self, Node, Object},
    kind::Kind,
};
use crate::model::prediction::Source;

/// The active routes of a network interface, the one that wins first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

/// The prefixes of one length that an effective route leads to one next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name of a user's route.
    pub name: Option<String>,
    /// Who made it.
    pub source: Source,
    /// The length of its prefixes.
    pub length: u8,
    /// The addresses for which it can win.
    pub addresses: AddressSet,
    /// Its prefixes; more than one where a service tag stands behind it.
    pub prefixes: Vec<IpNet>,
    /// Where it leads.
    pub next_hop: NextHop,
    /// The addresses of the appliances, where it leads to some.
    pub next_hop_addresses: Vec<String>,
}

/// Where a route leads. Azure adds kinds from time to time, so the list is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHop {
    /// Within the virtual network, peered ones and private endpoints included.
    Network(String),
    /// To the internet, or along Azure's backbone to a service.
    Internet,
    /// To a service through a service endpoint: past every firewall.
    ServiceEndpoint,
    /// To an appliance, `VirtualApplianceEcmp` included.
    Appliance(String),
    /// To a virtual network gateway.
    Gateway,
    /// Nowhere.
    None,
    /// Something newer than this program.
    Other(String),
}

impl Routes {
    /// Reads effective routes as the REST API, the command line, the portal or PowerShell give them.
    ///
    /// # Errors
    /// A sentence that says what the document is instead, or which part of it cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = document::text(bytes)?;
        let entries = document::entries(&text, &Kind::EffectiveRoutes)?;
        if entries.is_empty() {
            return Err("holds no route: every running VM has some".into());
        }
        let mut routes = Vec::new();
        for entry in entries.iter().filter(|entry| is_active(entry)) {
            routes.extend(parse(entry)?);
        }
        Ok(Self::ranked(routes))
    }

    /// The routes that decide for `addresses`, the winning one first, each with its share.
    pub fn decide(&self, addresses: &AddressSet) -> Vec<(&Route, AddressSet)> {
        let mut left = addresses.clone();
        let mut shares = Vec::new();
        for route in &self.0 {
            if left.is_empty() {
                break;
            }
            let share = left.intersection(&route.addresses);
            if !share.is_empty() {
                left = left.difference(&share);
                shares.push((route, share));
            }
        }
        shares
    }

    /// Every route, the one that wins first.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// The addresses of the virtual network itself.
    pub fn own_network(&self) -> AddressSet {
        self.union(|route| matches!(&route.next_hop, NextHop::Network(kind) if kind.eq_ignore_ascii_case("VnetLocal")))
    }

    /// What Azure means by `VirtualNetwork`, as far as routes show it: the network, its peers, what gateways lead to, and
    /// the prefixes of the user's routes to appliances (service-tags-overview).
    pub fn virtual_network(&self) -> AddressSet {
        self.union(|route| match &route.next_hop {
            NextHop::Network(_) => true,
            NextHop::Gateway => route.length > 0,
            NextHop::Appliance(_) => route.length > 0 && route.source == Source::User,
            _ => false,
        })
    }

    /// The route for everything that no other route takes.
    pub fn default_route(&self) -> Option<&Route> {
        self.0
            .iter()
            .find(|route| route.length == 0 && route.addresses.contains(Ipv4Addr::UNSPECIFIED.into()))
    }

    fn union(&self, wanted: impl Fn(&Route) -> bool) -> AddressSet {
        let mut union = AddressSet::default();
        for route in self.0.iter().filter(|route| wanted(route)) {
            union.extend(&route.addresses);
        }
        union
    }

    /// Puts routes into the order in which they win: routes of service endpoints, which nothing overrides, then the longest
    /// prefix, then the source. A BGP route does not win against Azure's own routes of the network and its peers, however
    /// long its prefix.
    fn ranked(mut routes: Vec<Route>) -> Self {
        let mut preferred = AddressSet::default();
        for route in routes.iter().filter(|route| route.source == Source::Default) {
            if matches!(route.next_hop, NextHop::Network(_)) {
                preferred.extend(&route.addresses);
            }
        }
        for route in routes.iter_mut().filter(|route| route.source == Source::Gateway) {
            route.addresses = route.addresses.difference(&preferred);
        }
        let rank = |route: &Route| {
            (
                route.next_hop != NextHop::ServiceEndpoint,
                std::cmp::Reverse(route.length),
                route.source,
            )
        };
        routes.sort_by_key(rank);
        Self(routes)
    }
}

impl Route {
    /// The prefix by which it takes some of `addresses`.
    pub fn prefix_of(&self, addresses: &AddressSet) -> Option<IpNet> {
        self.prefixes
            .iter()
            .copied()
            .find(|prefix| addresses.overlaps(&AddressSet::from_iter([*prefix])))
    }

    /// Where it leads, as half of a sentence.
    pub fn leads(&self) -> String {
        let hops = self.next_hop_addresses.join(" or ");
        match &self.next_hop {
            NextHop::Appliance(_) if hops.is_empty() => "an appliance without an address".into(),
            NextHop::Appliance(_) => format!("the appliance {hops}"),
            NextHop::Network(_) => "the virtual network".into(),
            NextHop::Internet => "the internet".into(),
            NextHop::ServiceEndpoint => "a service endpoint, past every firewall".into(),
            NextHop::Gateway => "the virtual network gateway".into(),
            NextHop::None => "nowhere".into(),
            NextHop::Other(kind) => format!("a next hop of the kind {kind}"),
        }
    }
}

impl NextHop {
    /// The word that Azure uses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Network(kind) | Self::Appliance(kind) | Self::Other(kind) => kind,
            Self::Internet => "Internet",
            Self::ServiceEndpoint => "VirtualNetworkServiceEndpoint",
            Self::Gateway => "VirtualNetworkGateway",
            Self::None => "None",
        }
    }

    fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "vnetlocal" | "vnetpeering" | "vnetglobalpeering" | "interfaceendpoint" => Self::Network(word.into()),
            "internet" => Self::Internet,
            "virtualnetworkserviceendpoint" => Self::ServiceEndpoint,
            "virtualnetworkgateway" => Self::Gateway,
            "none" | "null" => Self::None,
            appliance if appliance.starts_with("virtualappliance") => Self::Appliance(word.into()),
            _ => Self::Other(word.into()),
        }
    }
}

/// Overridden routes are listed too, as `Invalid`.
fn is_active(entry: &Object<'_>) -> bool {
    entry
        .text("state")
        .is_none_or(|state| state.eq_ignore_ascii_case("Active"))
}

fn parse(entry: &Object<'_>) -> Result<Vec<Route>, String> {
    let kind = entry.text("nextHopType").unwrap_or(Cow::Borrowed("unknown"));
    let source = match entry.text("source").unwrap_or_default().to_ascii_lowercase().as_str() {
        "user" => Source::User,
        "virtualnetworkgateway" => Source::Gateway,
        "default" => Source::Default,
        _ => Source::Unknown,
    };
    let mut by_length: BTreeMap<u8, Vec<IpNet>> = BTreeMap::new();
    for text in entry.texts("addressPrefix") {
        let prefix = prefix(&text).ok_or_else(|| format!("has a route to \"{text}\", which is no prefix"))?;
        by_length.entry(prefix.prefix_len()).or_default().push(prefix);
    }
    if by_length.is_empty() {
        return Err("has a route without addressPrefix".into());
    }
    let next_hop_addresses = next_hops(entry);
    let route = |(length, prefixes): (u8, Vec<IpNet>)| Route {
        name: entry.text("name").filter(|name| !name.is_empty()).map(Cow::into_owned),
        source,
        length,
        addresses: prefixes.iter().copied().collect(),
        prefixes,
        next_hop: NextHop::of(&kind),
        next_hop_addresses: next_hop_addresses.clone(),
    };
    Ok(by_length.into_iter().map(route).collect())
}

/// One address, or several of a `VirtualApplianceEcmp` below `nextHop`.
fn next_hops(entry: &Object<'_>) -> Vec<String> {
    let several = entry
        .get("nextHop")
        .and_then(Node::object)
        .map(|hop| hop.texts("nextHopIpAddress"));
    let texts = several
        .filter(|texts| !texts.is_empty())
        .unwrap_or_else(|| entry.texts("nextHopIpAddress"));
    texts
        .into_iter()
        .filter(|text| text.parse::<IpAddr>().is_ok())
        .map(Cow::into_owned)
        .collect()
}
