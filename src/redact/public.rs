//! Hosts, zones and addresses that are the same for all users: those of the built-in catalogs.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
};

use crate::{
    azure::{Cloud, PLATFORM},
    catalog::{Catalog, model::Target, placeholders},
    model::{Cause, FindingKind, Tier},
    plan::{Plan, PlanScope, PlannedEndpoint, ProbeTarget, Selection, Values},
};

/// A host with one name left open, as the catalog writes it: `{sql_server}.database.windows.net`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    name: String,
    before: String,
    behind: String,
}

/// The public names.
#[derive(Debug)]
pub(super) struct PublicNames {
    hosts: HashSet<String>,
    /// Domains in which all users have names of their own.
    zones: BTreeSet<String>,
    templates: BTreeSet<Template>,
    addresses: HashSet<IpAddr>,
    /// The built-in catalogs' dependencies, tags and paths, and their texts.
    texts: HashSet<String>,
    /// The words of our own texts, in lower case: a resource with such a name cannot be distinguished from them.
    vocabulary: HashSet<String>,
}

/// Hosts in our own texts, and zones of the platform's.
const OURS: [&str; 18] = [
    "learn.microsoft.com",
    "aka.ms",
    "github.com",
    "azureprivatedns.net",
    "azure-api.net",
    "azurewebsites.net",
    // Zones for private endpoints that are called otherwise than the service's own
    // (https://learn.microsoft.com/azure/private-link/private-endpoint-dns).
    "vaultcore.azure.net",
    "vaultcore.usgovcloudapi.net",
    "vaultcore.azure.cn",
    "redisenterprise.cache.azure.net",
    "monitor.azure.com",
    "oms.opinsights.azure.com",
    "ods.opinsights.azure.com",
    "agentsvc.azure-automation.net",
    "management.azure.com",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "no-color.org",
];

/// Words that almost every sentence contains, and closed lists.
const OF_SENTENCES: [&str; 40] = [
    "a",
    "all",
    "an",
    "and",
    "api",
    "apim",
    "apis",
    "as",
    "at",
    "backend",
    "by",
    "cache",
    "client",
    "default",
    "error",
    "for",
    "from",
    "host",
    "http",
    "https",
    "in",
    "is",
    "it",
    "logger",
    "machine",
    "named",
    "no",
    "not",
    "of",
    "on",
    "operation",
    "policy",
    "product",
    "region",
    "rule",
    "server",
    "service",
    "the",
    "to",
    "value",
];

impl PublicNames {
    /// Learns the built-in catalogs' names for a cloud and a region.
    pub(super) fn of(cloud: Cloud, region: Option<&str>) -> Self {
        let mut public = Self {
            hosts: OURS.map(str::to_owned).into(),
            zones: ["azure-api.net", "azurewebsites.net"].map(str::to_owned).into(),
            templates: BTreeSet::new(),
            addresses: HashSet::from([PLATFORM, METADATA, TEST_NET_1]),
            texts: HashSet::new(),
            vocabulary: OF_SENTENCES.map(str::to_owned).into(),
        };
        public.read_all();
        let scope = PlanScope {
            cloud,
            region: region.map(str::to_owned),
            vnet: None,
            // Without one there are no rows about name servers to be read.
            name_servers: vec![(PLATFORM, 53).into()],
        };
        for tier in [
            Tier::Classic,
            Tier::PremiumV2,
            Tier::WorkspaceGateway,
            Tier::SelfHostedGateway,
        ] {
            let catalog = Catalog::of(tier);
            let ids = catalog.dependencies.iter().map(|dependency| dependency.id.clone());
            public.texts.extend(ids);
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
                public.read(endpoint);
                public.take_in(&endpoint.host);
                endpoint.names.iter().for_each(|name| public.take_in(name));
                if let Some(pattern) = &endpoint.pattern {
                    public.take_in(pattern);
                }
                if let ProbeTarget::Addresses { addresses, .. } = &endpoint.destination {
                    public.addresses.extend(addresses);
                }
            }
        }
        public
    }

    /// Learns the words that explain causes and findings.
    fn read_all(&mut self) {
        for cause in Cause::ALL {
            self.texts.insert(cause.as_str().to_owned());
            let lists = cause.usually().iter().chain(cause.check());
            lists
                .chain([&cause.meaning(), &cause.wire()])
                .for_each(|text| self.learn(text));
        }
        for kind in FindingKind::ALL {
            self.texts.insert(kind.as_str().to_owned());
            let similar = kind.lookalikes().iter();
            similar
                .chain([&kind.meaning(), &kind.scope(), &kind.seen()])
                .for_each(|text| self.learn(text));
        }
    }

    /// Learns what a built-in catalog says about an endpoint.
    fn read(&mut self, endpoint: &PlannedEndpoint) {
        let given = [
            &endpoint.feature,
            &endpoint.note,
            &endpoint.path,
            &endpoint.service_tag,
            &endpoint.source_tag,
        ];
        let always = [&endpoint.dependency, &endpoint.title, &endpoint.impact];
        for text in given.into_iter().flatten().chain(always) {
            self.learn(text);
            self.texts.insert(text.clone());
        }
    }

    fn learn(&mut self, text: &str) {
        let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        self.vocabulary.extend(words.filter(|word| !word.is_empty()));
    }

    /// Whether a text is in a built-in catalog: the id of a dependency, its title, a path.
    pub(super) fn has_text(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// Whether a pattern of ids was made for the built-in ones.
    pub(super) fn has_ids_like(&self, pattern: &str) -> bool {
        let part = pattern.trim_matches('*');
        self.texts.iter().any(|text| text.contains(part))
    }

    /// Whether a word, in lower case, is in our own texts. Numbers are not names either.
    pub(super) fn has_word(&self, word: &str) -> bool {
        let is_number = word.len() < 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        is_number || self.vocabulary.contains(word) || self.texts.contains(word)
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

    /// Whether a host is public; so are private zones of the platform's.
    pub(super) fn has(&self, host: &str) -> bool {
        self.hosts.contains(host.strip_prefix("privatelink.").unwrap_or(host))
    }

    /// Whether it is a domain that contains public hosts only.
    pub(super) fn is_above(&self, domain: &str) -> bool {
        let holds = |host: &String| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.hosts.iter().any(holds)
    }

    /// Whether an address is the same for all users.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || address.is_loopback() || address.is_unspecified()
    }

    /// The part of a host that is the user's, and its kind: `storage_account`.
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

    /// The zone of a user's own host: its name without the first part.
    pub(super) fn zone<'h>(&self, host: &'h str) -> Option<(&'h str, &'h str)> {
        host.split_once('.').filter(|(_, zone)| self.zones.contains(*zone))
    }
}

/// The metadata service.
const METADATA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));
/// The documentation address that a control connects to.
const TEST_NET_1: IpAddr = crate::probe::control::TEST_NET_1;
