//! One entry for each host and port, with all of its uses.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use super::{
    endpoint,
    hosts::{Hosts, UnresolvedUrl, UrlTarget},
    shown,
    uses::{Use, UseKind, UserList},
};
use crate::{
    catalog::{
        Dependency, EndpointSpec,
        model::{CertificateValidation, InstanceFacts, Target as To, TrustedAuthority},
    },
    import::{HostOrAddresses, some_of},
    model::Protocol,
    text::words,
};

/// The result.
#[derive(Debug, Default)]
pub(super) struct GatheredNeeds {
    pub dependencies: Vec<Dependency>,
    pub notices: Vec<String>,
}

/// Maximum number of users of one host that are named; more are counted.
const MAX_USERS: usize = 25;

/// A host and port with everything that uses it.
struct SharedTarget {
    spot: Result<UrlTarget, (String, String)>,
    port: u16,
    uses: Vec<Use>,
}

/// Groups uses by their target.
pub(super) fn gather(uses: Vec<Use>, hosts: &Hosts<'_>, authorities: &[TrustedAuthority]) -> GatheredNeeds {
    let mut shared: Vec<SharedTarget> = Vec::new();
    let mut places: HashMap<(String, u16), usize> = HashMap::new();
    let (mut computed, mut no_hosts) = (Vec::new(), Vec::new());
    for of in uses {
        let (key, spot) = match hosts.find(&of.link) {
            Ok(spot) => ((shown(&spot.place), spot.port), Ok(spot)),
            Err(UnresolvedUrl::Hidden { host, port, why }) => ((host.clone(), port), Err((host, why))),
            Err(UnresolvedUrl::Computed) => {
                computed.push(of.title);
                continue;
            }
            Err(UnresolvedUrl::NoHost(text)) => {
                no_hosts.push(format!("{text} ({})", of.title));
                continue;
            }
        };
        let port = key.1;
        let index = *places.entry(key).or_insert_with(|| {
            shared.push(SharedTarget {
                spot,
                port,
                uses: Vec::new(),
            });
            shared.len() - 1
        });
        shared[index].uses.push(of);
    }
    let authorities: Arc<[TrustedAuthority]> = authorities.into();
    let mut by_group: HashMap<UseKind, Vec<EndpointSpec>> = HashMap::new();
    for place in shared {
        let group = place.uses.iter().map(|of| of.group).min().unwrap_or(UseKind::Backends);
        by_group.entry(group).or_default().push(place.endpoint(&authorities));
    }
    let groups = [UseKind::Backends, UseKind::IdentityProviders, UseKind::PolicyTargets];
    let dependencies = groups
        .into_iter()
        .filter_map(|group| Some(dependency(group, by_group.remove(&group)?)));
    let mut notices = Vec::new();
    let one_or_many = |count: usize, one: &'static str, many: &'static str| if count == 1 { one } else { many };
    if !computed.is_empty() {
        notices.push(format!(
            "{} {} known only at call time, so not probed: {}",
            words::count(computed.len(), "computed URL"),
            one_or_many(computed.len(), "is", "are"),
            some_of(&computed)
        ));
    }
    if !no_hosts.is_empty() {
        notices.push(format!(
            "{} {} no host that can be connected to, so not probed: {}",
            words::count(no_hosts.len(), "URL"),
            one_or_many(no_hosts.len(), "names", "name"),
            some_of(&no_hosts)
        ));
    }
    GatheredNeeds {
        dependencies: dependencies.collect(),
        notices,
    }
}

impl SharedTarget {
    fn endpoint(self, authorities: &Arc<[TrustedAuthority]>) -> EndpointSpec {
        let tls = self.spot.as_ref().map_or(true, |spot| spot.tls);
        let of_instance = InstanceFacts {
            title: some(&words::distinct(self.uses.iter().map(|of| of.title.as_str()))),
            feature: self.feature(),
            impact: self.impact(),
            validation: CertificateValidation {
                authorities: authorities.clone(),
                ..self.validation()
            },
            unknown: self.spot.as_ref().err().map(|(_, why)| why.clone()),
            leads_to: Vec::new(),
        };
        let target = match &self.spot {
            Ok(spot) => match &spot.place {
                HostOrAddresses::Host(host) => To::Host(host.clone()),
                HostOrAddresses::Addresses(addresses) => To::Addresses {
                    addresses: addresses.clone(),
                    any: false,
                },
            },
            Err((host, _)) => To::Host(host.clone()),
        };
        // A certificate for an address contains the address.
        let names = match &target {
            To::Addresses { addresses, .. } if tls => addresses.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let protocol = if tls { Protocol::Tls } else { Protocol::Tcp };
        EndpointSpec {
            names,
            note: self.note(tls),
            ..endpoint(target, self.port, protocol, of_instance)
        }
    }

    fn feature(&self) -> String {
        // Each list is used once, even if several mentions in a fragment have the same target.
        let mut lists: Vec<&UserList> = self.uses.iter().map(|of| &of.users).collect();
        let mut seen = HashSet::new();
        lists.retain(|users| seen.insert(Rc::as_ptr(users)));
        let users: Vec<&str> = match lists[..] {
            [one] => one.iter().map(String::as_str).collect(),
            _ => words::distinct(lists.iter().flat_map(|users| users.iter()).map(String::as_str)),
        };
        if users.is_empty() {
            "Policies that send calls there".into()
        } else {
            words::list(&users, MAX_USERS)
        }
    }

    /// What breaks, one sentence each.
    fn impact(&self) -> String {
        const MAX_SENTENCES: usize = 4;
        let sentences = words::distinct(self.uses.iter().map(|of| of.impact.as_str()));
        let more = sentences.len().saturating_sub(MAX_SENTENCES);
        let impact = sentences[..sentences.len().min(MAX_SENTENCES)].join(" ");
        if more > 0 {
            return format!("{impact} The same applies to {more} more.");
        }
        impact
    }

    /// The strictest of all.
    fn validation(&self) -> CertificateValidation {
        let mut uses = self.uses.iter().map(|of| &of.validation);
        let mut all = uses.next().cloned().unwrap_or_default();
        for other in uses {
            if (&all.thumbprints, &all.issued) != (&other.thumbprints, &other.issued) {
                all.thumbprints.clear();
                all.issued.clear();
            }
            all.chain |= other.chain;
            all.name |= other.name;
        }
        all
    }

    fn note(&self, tls: bool) -> Option<String> {
        let proxied: Vec<&str> = self
            .uses
            .iter()
            .filter(|of| of.is_proxy)
            .map(|of| of.title.as_str())
            .collect();
        let mut notes = Vec::new();
        if !proxied.is_empty() {
            notes.push("The instance connects to this proxy; hosts behind it are not tested.".to_owned());
        }
        if !tls && self.spot.is_ok() {
            notes.push(
                "Plain HTTP: no request is sent to a backend, so an accepted connection proves nothing.".to_owned(),
            );
        }
        let lax = |of: &&Use| !of.validation.chain || !of.validation.name;
        let (lax, strict): (Vec<&Use>, Vec<&Use>) = self.uses.iter().partition(lax);
        if !lax.is_empty() && !strict.is_empty() {
            notes.push(format!(
                "{} does not validate the certificate; the others do.",
                lax[0].title
            ));
        }
        (!notes.is_empty()).then(|| notes.join(" "))
    }
}

fn some(items: &[&str]) -> String {
    words::list(items, 3)
}

fn dependency(group: UseKind, endpoints: Vec<EndpointSpec>) -> Dependency {
    let (id, feature, impact, docs) = match group {
        UseKind::Backends => (
            "backends",
            "The APIs behind them",
            "Calls to the APIs behind them fail.",
            "https://learn.microsoft.com/azure/api-management/backends",
        ),
        UseKind::IdentityProviders => (
            "identity-providers",
            "Sign-in and tokens",
            "Sign-in and tokens from these providers fail.",
            "https://learn.microsoft.com/azure/api-management/developer-portal-overview",
        ),
        UseKind::PolicyTargets => (
            "policy-targets",
            "Policies that call them",
            "Policies that call them fail.",
            "https://learn.microsoft.com/azure/api-management/api-management-policies",
        ),
    };
    super::of_the_instance(id, feature, impact, docs, endpoints)
}
