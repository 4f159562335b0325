//! Who dials what, and for whom: backends, identity providers, and what policies name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    catalog::model::Validation,
    import::instance::{Api, Backend, Link, Mention, Policy, Records, Scope},
    text::words,
};

/// The dependency that a use belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    Backends,
    IdentityProviders,
    PolicyTargets,
}

/// Something that the instance dials for somebody.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub group: Group,
    /// What it is, in the user's words: `Backend orders`.
    pub title: String,
    /// Who needs it: `API Orders`. Empty where no document tells.
    pub users: Vec<String>,
    /// What breaks without it.
    pub impact: String,
    pub link: Link,
    pub validation: Validation,
    /// A proxy in its place: the one that is dialled.
    pub is_proxy: bool,
}

/// Every use, in the order of the documents.
pub(super) fn of(records: &Records, notices: &mut Vec<String>) -> Vec<Use> {
    let books = Books::new(records);
    let mut uses = Vec::new();
    for backend in &records.backends {
        uses.extend(books.backend(backend));
    }
    for api in records.apis.iter().filter(|api| api.is_current) {
        uses.extend(books.api(api));
    }
    for (policy, mention) in &books.mentions {
        uses.extend(books.mention(policy, mention));
    }
    uses.extend(identity_providers(records));
    let old = records.apis.iter().filter(|api| !api.is_current).count();
    if old > 0 {
        notices.push(format!(
            "{} of APIs that {} not current: left out",
            words::count(old, "revision"),
            if old == 1 { "is" } else { "are" }
        ));
    }
    let unread = records
        .policies
        .iter()
        .chain(&records.fragments)
        .filter(|policy| !policy.is_readable);
    let unread: Vec<String> = unread.map(|policy| books.who(&policy.scope)).collect();
    if !unread.is_empty() {
        notices.push(format!(
            "the policies of {} are no XML even without their code, so no host of theirs is known: save them in the format xml",
            words::list(&words::distinct(unread.iter().map(String::as_str)), 3)
        ));
    }
    let leads_nowhere = |backend: &&Backend| {
        !backend.is_pool && backend.url.is_none() && backend.proxy.is_none() && backend.cluster.is_empty()
    };
    let nowhere = records.backends.iter().filter(leads_nowhere);
    let nowhere: Vec<&str> = nowhere.map(|backend| backend.name.as_str()).collect();
    if !nowhere.is_empty() {
        notices.push(format!(
            "no URL is told of {}, so not probed: {}",
            words::count(nowhere.len(), "backend"),
            words::list(&nowhere, 3)
        ));
    }
    notices.extend(books.unknown_members());
    uses
}

/// What the lists say of each other.
struct Books<'a> {
    records: &'a Records,
    /// Whether an API is the current revision, by its name in lower case.
    current: HashMap<String, bool>,
    /// Titles of APIs by their names, without revision.
    titles: HashMap<&'a str, &'a str>,
    /// Each policy with what it names, fragments resolved.
    mentions: Vec<(&'a Policy, &'a Mention)>,
    /// Who uses a backend, by its name in lower case: the user, and whether each of its calls goes there.
    users: HashMap<String, BTreeMap<String, bool>>,
    /// The pools that a backend is a member of.
    pools: HashMap<String, Vec<&'a str>>,
    /// APIs whose policies send calls elsewhere, by name.
    rerouted: BTreeSet<&'a str>,
}

impl<'a> Books<'a> {
    fn new(records: &'a Records) -> Self {
        let titles = records.apis.iter().filter(|api| api.is_current);
        let titles = titles.map(|api| (base(&api.name), api.title.as_str())).collect();
        let mut current = HashMap::new();
        for api in &records.apis {
            current.entry(api.name.to_ascii_lowercase()).or_insert(api.is_current);
        }
        let mut books = Self {
            records,
            current,
            titles,
            mentions: Vec::new(),
            users: HashMap::new(),
            pools: HashMap::new(),
            rerouted: BTreeSet::new(),
        };
        let fragments: HashMap<String, &Policy> = records
            .fragments
            .iter()
            .filter_map(|fragment| match &fragment.scope {
                Scope::Fragment(name) => Some((name.to_ascii_lowercase(), fragment)),
                _ => None,
            })
            .collect();
        for policy in &records.policies {
            if !books.is_current(&policy.scope) {
                continue;
            }
            let mut open: Vec<&Mention> = policy.mentions.iter().collect();
            let mut included = BTreeSet::new();
            while let Some(mention) = open.pop() {
                if let Mention::Fragment(name) = mention {
                    let name = name.to_ascii_lowercase();
                    if let Some(fragment) = fragments.get(&name).filter(|_| included.insert(name.clone())) {
                        open.extend(&fragment.mentions);
                    }
                } else {
                    books.mentions.push((policy, mention));
                }
            }
        }
        let mut users: HashMap<String, BTreeMap<String, bool>> = HashMap::new();
        for (policy, mention) in &books.mentions {
            let always = match mention {
                Mention::Backend { is_conditional, .. } | Mention::BackendUrl { is_conditional, .. } => !is_conditional,
                _ => continue,
            };
            if let Scope::Api(name) | Scope::Operation { api: name, .. } = &policy.scope {
                books.rerouted.insert(base(name));
            }
            if let Mention::Backend { name, .. } = mention {
                let of = users.entry(name.to_ascii_lowercase()).or_default();
                *of.entry(books.who(&policy.scope)).or_default() |= always;
            }
        }
        for pool in records.backends.iter().filter(|backend| backend.is_pool) {
            let through = users.get(&pool.name.to_ascii_lowercase()).cloned().unwrap_or_default();
            for member in &pool.members {
                let member = member.to_ascii_lowercase();
                books.pools.entry(member.clone()).or_default().push(&pool.name);
                // A member gets some of the calls.
                let of = users.entry(member).or_default();
                for user in through.keys() {
                    of.entry(user.clone()).or_default();
                }
            }
        }
        books.users = users;
        books
    }

    /// Whether a policy holds for calls that do not ask for an old revision.
    fn is_current(&self, scope: &Scope) -> bool {
        let (Scope::Api(name) | Scope::Operation { api: name, .. }) = scope else {
            return true;
        };
        let known = self.current.get(&name.to_ascii_lowercase());
        known.copied().unwrap_or_else(|| !name.contains(";rev="))
    }

    /// Whose calls a scope means.
    fn who(&self, scope: &Scope) -> String {
        match scope {
            Scope::Everything => "every API".into(),
            Scope::Product(name) => format!("product {name}"),
            Scope::Api(name) => format!("API {}", self.title(name)),
            Scope::Operation { api, operation } => format!("operation {operation} of API {}", self.title(api)),
            Scope::Fragment(name) => format!("fragment {name}"),
        }
    }

    fn title<'b>(&'b self, api: &'b str) -> &'b str {
        self.titles.get(base(api)).copied().unwrap_or_else(|| base(api))
    }

    /// The proxy of a backend, its URL or the endpoints of its cluster; nothing for a pool, whose members are backends.
    fn backend(&self, backend: &'a Backend) -> Vec<Use> {
        if backend.is_pool {
            return Vec::new();
        }
        let name = &backend.name;
        let key = name.to_ascii_lowercase();
        let of = self.users.get(&key);
        let users: Vec<String> = of.map(|of| of.keys().cloned().collect()).unwrap_or_default();
        let always = of.is_some_and(|of| of.values().all(|always| *always));
        let pools = self.pools.get(&key).map_or(&[][..], Vec::as_slice);
        let impact = match (users.is_empty(), always, pools) {
            (true, _, []) => format!("Calls that a policy sends to backend {name} fail."),
            (true, _, pools) => format!("Pool {} loses this member.", words::list(pools, 3)),
            (false, true, _) => format!("{} fails.", every_call(&users)),
            (false, false, []) => format!("{} that its policy sends to backend {name} fails.", every_call(&users)),
            (false, false, pools) => format!(
                "Pool {} loses this member: {} that is sent to it fails, or goes to the others.",
                words::list(pools, 3),
                lower(&every_call(&users))
            ),
        };
        let validation = Validation {
            chain: backend.chain,
            name: backend.own_name,
            thumbprints: backend.thumbprints.clone(),
            issued: backend.issued.clone(),
            ..Validation::default()
        };
        let of = |title: String, link: &Link, is_proxy| Use {
            group: Group::Backends,
            title,
            users: users.clone(),
            impact: impact.clone(),
            link: link.clone(),
            validation: validation.clone(),
            is_proxy,
        };
        if let Some(proxy) = &backend.proxy {
            return vec![of(format!("Proxy of backend {name}"), proxy, true)];
        }
        if backend.cluster.is_empty() {
            return backend
                .url
                .iter()
                .map(|link| of(format!("Backend {name}"), link, false))
                .collect();
        }
        let cluster = backend.cluster.iter();
        cluster
            .map(|link| of(format!("Service Fabric cluster of backend {name}"), link, false))
            .collect()
    }

    /// The URL of an API itself.
    fn api(&self, api: &'a Api) -> Option<Use> {
        let who = format!("API {}", api.title);
        let impact = if self.rerouted.contains(base(&api.name)) {
            format!("Every call to {who} that no policy sends elsewhere fails.")
        } else {
            format!("Every call to {who} fails.")
        };
        Some(Use {
            group: Group::Backends,
            title: format!("Backend of {who}"),
            users: vec![who],
            impact,
            link: api.url.clone()?,
            validation: Validation::default(),
            is_proxy: false,
        })
    }

    /// What a policy dials.
    fn mention(&self, policy: &Policy, mention: &Mention) -> Option<Use> {
        let who = self.who(&policy.scope);
        let of = |group, title: String, impact: String, link: &Link| {
            Some(Use {
                group,
                title,
                users: vec![who.clone()],
                impact,
                link: link.clone(),
                validation: Validation::default(),
                is_proxy: false,
            })
        };
        match mention {
            Mention::Url { element, link } => of(
                Group::PolicyTargets,
                format!("{element} of {who}"),
                format!("The {element} in the policy of {who} gets no answer."),
                link,
            ),
            Mention::BackendUrl { link, is_conditional } => {
                let sent = if *is_conditional {
                    " that its policy sends there"
                } else {
                    ""
                };
                of(
                    Group::Backends,
                    format!("Backend of {who}"),
                    format!("{}{sent} fails.", every_call(std::slice::from_ref(&who))),
                    link,
                )
            }
            Mention::Metadata(link) => of(
                Group::PolicyTargets,
                format!("Token issuer of {who}"),
                format!(
                    "Tokens cannot be validated: {} is refused (401).",
                    lower(&every_call(std::slice::from_ref(&who)))
                ),
                link,
            ),
            _ => None,
        }
    }

    /// Members of pools that no document has.
    fn unknown_members(&self) -> Option<String> {
        let known: BTreeSet<String> = self
            .records
            .backends
            .iter()
            .map(|backend| backend.name.to_ascii_lowercase())
            .collect();
        let members = self.records.backends.iter().flat_map(|pool| &pool.members);
        let unknown: Vec<&str> = members
            .map(String::as_str)
            .filter(|name| !known.contains(&name.to_ascii_lowercase()))
            .collect();
        let names = words::distinct(unknown);
        (!names.is_empty()).then(|| {
            let (backends, are, them) = if names.len() == 1 {
                ("backend", "is a member", "it")
            } else {
                ("backends", "are members", "them")
            };
            format!(
                "the {backends} {} {are} of pools, and no document has {them}: give --instance all backends",
                words::list(&names, 3)
            )
        })
    }
}

/// What the instance asks for tokens and their metadata.
fn identity_providers(records: &Records) -> Vec<Use> {
    let of = |title: String, user: &str, impact: String, link: Link| Use {
        group: Group::IdentityProviders,
        title,
        users: vec![user.to_owned()],
        impact,
        link,
        validation: Validation::default(),
        is_proxy: false,
    };
    let mut uses = Vec::new();
    for provider in &records.identity_providers {
        let kind = &provider.kind;
        let b2c = || {
            let tenant = provider
                .tenants
                .iter()
                .find_map(|tenant| tenant.strip_suffix(".onmicrosoft.com"))?;
            Link::of(&format!("https://{tenant}.b2clogin.com"))
        };
        let link = match &provider.authority {
            Some(link) => Some(link.clone()),
            None if kind.eq_ignore_ascii_case("aadB2C") => b2c(),
            // The others have hosts of their own, which browsers open.
            None => None,
        };
        uses.extend(link.map(|link| {
            of(
                format!("Identity provider {kind}"),
                "Sign-in to the developer portal",
                format!(
                    "Signing in to the developer portal with {kind} fails where the instance itself asks for its keys."
                ),
                link,
            )
        }));
    }
    for host in &records.token_hosts {
        let impact = format!("{} gives no tokens and no metadata.", host.of);
        uses.push(of(host.of.clone(), host.feature, impact, host.url.clone()));
    }
    uses
}

/// The name of an API without its revision.
fn base(name: &str) -> &str {
    name.split_once(";rev=").map_or(name, |(base, _)| base)
}

/// `Every call to API Orders, API Billing and 2 more`.
fn every_call(users: &[String]) -> String {
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    if names.contains(&"every API") {
        return "Every call".into();
    }
    format!("Every call to {}", words::list(&names, 3))
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
