//! Hosts, zones and addresses that are the same for everybody: those of the built-in catalogs.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
};

use crate::{
    azure::{Cloud, PLATFORM},
    catalog::{Catalog, model::Target, placeholders},
    model::Tier,
    plan::{Destination, Plan, Scope, Selection, Values},
};

/// A host with one name left open, as the catalog writes it: `{sql_server}.database.windows.net`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    name: String,
    before: String,
    behind: String,
}

/// What is no secret of anybody's.
#[derive(Debug)]
pub(super) struct Public {
    hosts: HashSet<String>,
    /// Domains in which everybody has names of their own.
    zones: BTreeSet<String>,
    templates: BTreeSet<Template>,
    addresses: HashSet<IpAddr>,
}

/// Hosts that our own texts name, and zones of the platform's.
const OURS: [&str; 10] = [
    "learn.microsoft.com",
    "aka.ms",
    "github.com",
    "azureprivatedns.net",
    "azure-api.net",
    "azurewebsites.net",
    "management.azure.com",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "no-color.org",
];

impl Public {
    /// What the built-in catalogs name in a cloud and a region.
    pub(super) fn of(cloud: Cloud, region: Option<&str>) -> Self {
        let mut public = Self {
            hosts: OURS.map(str::to_owned).into(),
            zones: ["azure-api.net", "azurewebsites.net"].map(str::to_owned).into(),
            templates: BTreeSet::new(),
            addresses: HashSet::from([PLATFORM, METADATA, NOBODY]),
        };
        let scope = Scope {
            cloud,
            region: region.map(str::to_owned),
            vnet: None,
            name_servers: Vec::new(),
        };
        for tier in [
            Tier::Classic,
            Tier::PremiumV2,
            Tier::WorkspaceGateway,
            Tier::SelfHostedGateway,
        ] {
            let catalog = Catalog::of(tier);
            for suffix in catalog.clouds.values().flat_map(|names| names.values()) {
                public.hosts.insert(suffix.to_lowercase());
                public.zones.insert(suffix.to_lowercase());
            }
            let fixed = catalog.clouds.get(&cloud).cloned().unwrap_or_default();
            for endpoint in catalog.dependencies.iter().flat_map(|dependency| &dependency.endpoints) {
                if let Target::Host(host) = &endpoint.target {
                    let filled = fixed.iter().fold(host.clone(), |host, (name, value)| {
                        host.replace(&format!("{{{name}}}"), value)
                    });
                    public.take_in(&filled.replace("{region}", region.unwrap_or("{region}")));
                }
            }
            let Ok(plan) = Plan::make(&catalog, &scope, &Values::default(), &Selection::default()) else {
                continue;
            };
            for endpoint in &plan.endpoints {
                public.take_in(&endpoint.host);
                endpoint.names.iter().for_each(|name| public.take_in(name));
                if let Some(pattern) = &endpoint.pattern {
                    public.take_in(pattern);
                }
                if let Destination::Addresses { addresses, .. } = &endpoint.destination {
                    public.addresses.extend(addresses);
                }
            }
        }
        public
    }

    fn take_in(&mut self, host: &str) {
        let host = host.to_lowercase();
        let open = placeholders(&host).next().map(str::to_owned);
        if let Some(name) = open {
            if let Some((before, behind)) = host.split_once(&format!("{{{name}}}"))
                && !behind.contains('{')
                && !before.contains('{')
            {
                if let Some((_, zone)) = behind.split_once('.') {
                    self.hosts.insert(zone.to_owned());
                    self.zones.insert(zone.to_owned());
                }
                self.templates.insert(Template {
                    before: before.to_owned(),
                    behind: behind.to_owned(),
                    name,
                });
            }
        } else if let Some(zone) = host.strip_prefix("*.") {
            self.hosts.insert(zone.to_owned());
            self.zones.insert(zone.to_owned());
        } else {
            self.hosts.insert(host);
        }
    }

    /// Whether a host is known to everybody; a private zone of the platform's is.
    pub(super) fn has(&self, host: &str) -> bool {
        self.hosts.contains(host) || host.starts_with("privatelink.")
    }

    /// Whether it is a domain that holds public hosts: nobody's own.
    pub(super) fn is_above(&self, domain: &str) -> bool {
        let holds = |host: &String| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.hosts.iter().any(holds)
    }

    /// Whether an address is the same for everybody.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || address.is_loopback() || address.is_unspecified()
    }

    /// The part of a host that is the user's, and what it is: `storage_account`.
    pub(super) fn value<'h>(&self, host: &'h str) -> Option<(&str, &'h str)> {
        let of = |template: &Template| {
            let value = host.strip_prefix(template.before.as_str())?;
            let value = value.strip_suffix(template.behind.as_str())?;
            let is_whole = template.before.is_empty() && template.behind.is_empty();
            (!value.is_empty() && !is_whole && !value.contains('.')).then_some(value)
        };
        self.templates
            .iter()
            .find_map(|template| Some((template.name.as_str(), of(template)?)))
    }

    /// The zone in which a host is somebody's own: its name without the first part.
    pub(super) fn zone<'h>(&self, host: &'h str) -> Option<(&'h str, &'h str)> {
        host.split_once('.').filter(|(_, zone)| self.zones.contains(*zone))
    }
}

/// The metadata service.
const METADATA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));
/// The documentation address that a control connects to.
const NOBODY: IpAddr = crate::probe::control::NOBODY;
