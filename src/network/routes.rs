//! Effective routes: where Azure sends outbound traffic of a network interface.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use super::addresses::{AddressSet, prefix};
use crate::{
    azure::{
        NextHop, PLATFORM,
        json::{self, AzureDocument, DocumentKind, JsonNode, Object},
        normalised,
    },
    model::prediction::RouteSource,
};

/// The active routes of a network interface, the one that wins first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(Vec<EffectiveRoute>);

/// The prefixes of one length that an effective route sends to one next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRoute {
    /// The name of a user-defined route.
    pub name: Option<String>,
    /// Its source.
    pub source: RouteSource,
    /// The length of its prefixes.
    pub length: u8,
    /// The addresses that it can apply to.
    pub addresses: AddressSet,
    /// Its prefixes; more than one for a service tag.
    pub prefixes: Vec<IpNet>,
    /// The type of its next hop.
    pub next_hop: NextHop,
    /// The addresses of the appliances, if there are any.
    pub next_hop_addresses: Vec<String>,
    /// How precisely its prefixes were named, which decides between routes from one source.
    named: PrefixForm,
    /// The service tags that it is for, if the export names them.
    tags: Vec<String>,
}

/// How a route names its prefixes, in the order in which Azure prefers them for one prefix
/// (<https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview#service-tags-for-user-defined-routes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PrefixForm {
    /// By the prefix itself.
    Prefix,
    /// By a tag of one region, such as `Storage.WestEurope`.
    RegionalTag,
    /// By a tag, such as `Storage`.
    Tag,
    /// By `AzureCloud.westeurope`.
    RegionalCloud,
    /// By `AzureCloud`.
    Cloud,
}

impl Routes {
    /// Reads effective routes from the REST API, the command line, the portal or PowerShell.
    ///
    /// # Errors
    ///
    /// A sentence that says what the document is instead, or which part of it cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        json::parse(bytes, DocumentKind::EffectiveRoutes, Self::of).map_err(|refusal| refusal.to_string())
    }

    fn of(document: &AzureDocument<'_>) -> Result<Self, String> {
        let mut routes = Vec::new();
        for entry in document.entries()?.iter().filter(|entry| is_active(entry)) {
            routes.extend(parse(entry)?);
        }
        Ok(Self::ranked(routes))
    }

    /// The routes that decide for `addresses`, the winning one first, each with its share.
    pub fn decide(&self, addresses: &AddressSet) -> Vec<(&EffectiveRoute, AddressSet)> {
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
    pub fn iter(&self) -> impl Iterator<Item = &EffectiveRoute> {
        self.0.iter()
    }

    /// The addresses of the virtual network itself.
    pub fn own_network(&self) -> AddressSet {
        self.union(|route| matches!(&route.next_hop, NextHop::Network(kind) if kind == "VnetLocal"))
    }

    /// The networks that Azure itself connects: the virtual network, its peers and groups, private endpoints. No public
    /// service has an address in them.
    pub fn connected(&self) -> AddressSet {
        self.union(|route| route.source == RouteSource::Default && matches!(route.next_hop, NextHop::Network(_)))
    }

    /// What Azure means by `VirtualNetwork`: the network, its peers, what gateways connect, the prefixes of every
    /// user-defined route, and the platform's address. So if a user-defined or BGP route covers 0.0.0.0/0, it is
    /// everything (service-tags-overview; MicrosoftDocs/azure-docs#22178 and #101300).
    pub fn virtual_network(&self) -> AddressSet {
        let counts = |route: &&EffectiveRoute| match (route.source, &route.next_hop) {
            (RouteSource::User | RouteSource::Gateway, _)
            | (_, NextHop::Network(_) | NextHop::Gateway | NextHop::Appliance(_)) => true,
            (RouteSource::Default | RouteSource::Unknown, _) => false,
        };
        let prefixes = self.0.iter().filter(counts).flat_map(|route| &route.prefixes).copied();
        prefixes.chain([PLATFORM.into()]).collect()
    }

    /// Whether a user-defined or BGP route covers 0.0.0.0/0 instead of Azure's own.
    pub fn is_forced(&self) -> bool {
        self.default_route().is_some_and(|route| match route.source {
            RouteSource::User | RouteSource::Gateway => true,
            RouteSource::Default | RouteSource::Unknown => {
                matches!(route.next_hop, NextHop::Appliance(_) | NextHop::Gateway)
            }
        })
    }

    /// Whether there is none: then this was not the list of a running VM.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notices about the document.
    pub(super) fn notice(&self) -> Option<String> {
        if self.is_empty() {
            return Some(
                "the effective routes are an empty list, but every network interface of a running VM has some: nothing \
                 is predicted from them"
                    .into(),
            );
        }
        let is_whole = self.default_route().is_some() && !self.own_network().is_empty();
        (!is_whole).then(|| {
            "the effective routes lack the virtual network's route or the one for 0.0.0.0/0, which every network \
             interface has: the list is incomplete"
                .into()
        })
    }

    /// The route for everything that no other route covers.
    pub fn default_route(&self) -> Option<&EffectiveRoute> {
        self.0.iter().find(|route| {
            route
                .prefixes
                .iter()
                .any(|prefix| prefix.prefix_len() == 0 && prefix.addr().is_ipv4())
        })
    }

    fn union(&self, wanted: impl Fn(&EffectiveRoute) -> bool) -> AddressSet {
        let mut union = AddressSet::default();
        for route in self.0.iter().filter(|route| wanted(route)) {
            union.extend(&route.addresses);
        }
        union
    }

    /// Sorts routes by precedence: the longest prefix, then the source, then how precisely it is named.
    ///
    /// Two kinds of system routes are exceptions. A BGP route never takes precedence over those of the network, its
    /// peers and service endpoints, however long its prefix (virtual-networks-udr-overview). And a service endpoint
    /// takes precedence over a user-defined route for the same prefix, unless that is one by service tag whose next hop
    /// is not the internet (MicrosoftDocs/azure-docs#111594, #111706 and #128591, each tested by its author).
    fn ranked(mut routes: Vec<EffectiveRoute>) -> Self {
        let union = |routes: &[EffectiveRoute], wanted: &dyn Fn(&EffectiveRoute) -> bool| {
            let mut union = AddressSet::default();
            for route in routes.iter().filter(|route| wanted(route)) {
                union.extend(&route.addresses);
            }
            union
        };
        let by_tag = union(&routes, &|route| {
            route.source == RouteSource::User
                && route.named != PrefixForm::Prefix
                && route.next_hop != NextHop::Internet
        });
        for route in routes
            .iter_mut()
            .filter(|route| route.next_hop == NextHop::ServiceEndpoint)
        {
            route.addresses = route.addresses.difference(&by_tag);
        }
        let preferred = union(&routes, &|route| {
            let preferred = matches!(route.next_hop, NextHop::Network(_) | NextHop::ServiceEndpoint);
            route.source == RouteSource::Default && preferred
        });
        for route in routes.iter_mut().filter(|route| route.source == RouteSource::Gateway) {
            route.addresses = route.addresses.difference(&preferred);
        }
        routes.sort_by_key(|route| {
            (
                std::cmp::Reverse(route.length),
                route.next_hop != NextHop::ServiceEndpoint,
                route.source,
                route.named,
            )
        });
        Self(routes)
    }
}

impl EffectiveRoute {
    /// Whether it may be a route for this service tag, if the export names tags; `AzureCloud` contains all of them.
    pub fn may_be_for(&self, tag: &str) -> bool {
        self.tags.is_empty() || self.is_for(tag) || self.is_for("AzureCloud")
    }

    /// Whether the export says that it is for this service tag, or for the tag's part in a region.
    pub fn is_for(&self, tag: &str) -> bool {
        let family = |named: &str| named.split('.').next().unwrap_or_default().eq_ignore_ascii_case(tag);
        self.tags.iter().any(|named| family(named))
    }

    /// The addresses of its next hop as one text: if there are several, any may be used.
    pub fn next_hop(&self) -> Option<String> {
        (!self.next_hop_addresses.is_empty()).then(|| self.next_hop_addresses.join(" or "))
    }

    /// The prefix with which it covers some of `addresses`.
    pub fn prefix_of(&self, addresses: &AddressSet) -> Option<IpNet> {
        self.prefixes
            .iter()
            .copied()
            .find(|prefix| addresses.overlaps(&AddressSet::from_iter([*prefix])))
    }

    /// Where it leads, as a clause.
    pub fn leads(&self) -> String {
        match &self.next_hop {
            NextHop::Appliance(_) => self.next_hop().map_or_else(
                || "an appliance without an address".into(),
                |addresses| format!("the appliance {addresses}"),
            ),
            NextHop::Network(_) => "the virtual network".into(),
            NextHop::Internet => "the internet".into(),
            NextHop::ServiceEndpoint => "a service endpoint, which bypasses every firewall".into(),
            NextHop::Gateway => "the virtual network gateway or hub".into(),
            NextHop::None => "nowhere".into(),
            NextHop::Other(kind) => format!("a next hop of type {kind}"),
        }
    }
}

impl PrefixForm {
    /// From the tags that newer exports name, or else from the number of prefixes: a user enters one prefix or one tag.
    fn by(tags: &[Cow<'_, str>], prefixes: usize) -> Self {
        match tags.first().map(|tag| {
            tag.split_once('.')
                .map_or((tag.as_ref(), false), |(tag, _)| (tag, true))
        }) {
            Some((tag, is_regional)) if tag.eq_ignore_ascii_case("AzureCloud") => {
                if is_regional {
                    Self::RegionalCloud
                } else {
                    Self::Cloud
                }
            }
            Some((_, true)) => Self::RegionalTag,
            Some((_, false)) => Self::Tag,
            None if prefixes > 1 => Self::Tag,
            None => Self::Prefix,
        }
    }
}

/// Overridden routes are listed too, as `Invalid`.
fn is_active(entry: &Object<'_>) -> bool {
    entry
        .text("state")
        .is_none_or(|state| state.eq_ignore_ascii_case("Active"))
}

fn parse(entry: &Object<'_>) -> Result<Vec<EffectiveRoute>, String> {
    let kind = entry.text("nextHopType").unwrap_or(Cow::Borrowed("unknown"));
    let source = match normalised(&entry.text("source").unwrap_or_default()).as_str() {
        "user" => RouteSource::User,
        "virtualnetworkgateway" => RouteSource::Gateway,
        "default" => RouteSource::Default,
        _ => RouteSource::Unknown,
    };
    let mut by_length: BTreeMap<u8, Vec<IpNet>> = BTreeMap::new();
    let texts = entry.words("addressPrefix");
    for text in &texts {
        let prefix = prefix(text).ok_or_else(|| format!("has a route to \"{text}\", which is not a prefix"))?;
        by_length.entry(prefix.prefix_len()).or_default().push(prefix);
    }
    if by_length.is_empty() {
        return Err("has a route without an addressPrefix".into());
    }
    let tags = entry
        .get("destinationServiceTags")
        .map(JsonNode::words)
        .unwrap_or_default();
    let named = PrefixForm::by(&tags, texts.len());
    let next_hop_addresses = next_hops(entry);
    let route = |(length, prefixes): (u8, Vec<IpNet>)| EffectiveRoute {
        name: entry.text("name").filter(|name| !name.is_empty()).map(Cow::into_owned),
        source,
        length,
        addresses: prefixes.iter().copied().collect(),
        prefixes,
        next_hop: NextHop::of(&kind),
        next_hop_addresses: next_hop_addresses.clone(),
        named,
        tags: tags.iter().map(ToString::to_string).collect(),
    };
    Ok(by_length.into_iter().map(route).collect())
}

/// One address, or several of a `VirtualApplianceEcmp` below `nextHop`.
fn next_hops(entry: &Object<'_>) -> Vec<String> {
    let several = entry
        .get("nextHop")
        .and_then(JsonNode::object)
        .map(|hop| hop.words("nextHopIpAddress"));
    let texts = several
        .filter(|texts| !texts.is_empty())
        .unwrap_or_else(|| entry.words("nextHopIpAddress"));
    texts
        .into_iter()
        .filter(|text| text.parse::<IpAddr>().is_ok())
        .map(Cow::into_owned)
        .collect()
}
