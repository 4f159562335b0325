//! What the instance connects to, and for what: backends, identity providers, and targets in policies.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use crate::{
    catalog::model::CertificateValidation,
    import::instance::{Api, ApimPolicy, Backend, Mention, PolicyScope, Records, UrlOrigin},
    text::words,
};

/// The dependency that a use belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum UseKind {
    Backends,
    IdentityProviders,
    PolicyTargets,
}

/// The users of something, each once: `API Orders`. All mentions in one fragment share one list.
pub(super) type UserList = Rc<[String]>;

/// Something that the instance connects to, and for what.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub group: UseKind,
    /// Its description, in the user's words: `Backend orders`.
    pub title: String,
    /// Its users. Empty if no document shows any.
    pub users: UserList,
    /// What breaks without it.
    pub impact: String,
    pub link: UrlOrigin,
    pub validation: CertificateValidation,
    /// A proxy used instead: the connection goes there.
    pub is_proxy: bool,
}

/// Every use, in the order of the documents.
pub(super) fn of(records: &Records, notices: &mut Vec<String>) -> Vec<Use> {
    let index = RecordIndex::new(records);
    let mut uses = Vec::new();
    for backend in &records.backends {
        uses.extend(index.backend(backend));
    }
    for api in records.apis.iter().filter(|api| api.is_current) {
        uses.extend(index.api(api));
    }
    for source in &index.sources {
        uses.extend(source.mentions.iter().filter_map(|mention| source.use_of(mention)));
    }
    uses.extend(identity_providers(records));
    let old = records.apis.iter().filter(|api| !api.is_current).count();
    if old > 0 {
        notices.push(format!(
            "{} of APIs that {} not current: skipped",
            words::count(old, "revision"),
            if old == 1 { "is" } else { "are" }
        ));
    }
    let unread = records
        .policies
        .iter()
        .chain(&records.fragments)
        .filter(|policy| !policy.is_readable);
    let unread: Vec<String> = unread.map(|policy| index.who(&policy.scope)).collect();
    if !unread.is_empty() {
        notices.push(format!(
            "the policies of {} are not XML, even without their expressions, so their hosts are not known: export \
             them in the format xml",
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
            "no URL is known for {}, so not probed: {}",
            words::count(nowhere.len(), "backend"),
            words::list(&nowhere, 3)
        ));
    }
    notices.extend(index.unknown_members());
    uses
}

/// References between the lists.
struct RecordIndex<'a> {
    records: &'a Records,
    /// Whether an API is the current revision, by its name in lower case.
    current: HashMap<String, bool>,
    /// Titles of APIs by their names, without revision.
    titles: HashMap<&'a str, &'a str>,
    /// Policies, and each fragment once, after the first policy that includes it.
    sources: Vec<PolicySource<'a>>,
    /// The users of a backend, by its name in lower case, and whether each of their calls goes there.
    users: HashMap<String, Vec<(UserList, bool)>>,
    /// The pools that contain a backend.
    pools: HashMap<String, Vec<&'a str>>,
    /// APIs whose policies send calls elsewhere, by name.
    rerouted: BTreeSet<&'a str>,
}

impl<'a> RecordIndex<'a> {
    fn new(records: &'a Records) -> Self {
        let titles = records.apis.iter().filter(|api| api.is_current);
        let titles = titles.map(|api| (base(&api.name), api.title.as_str())).collect();
        let mut current = HashMap::new();
        for api in &records.apis {
            current.entry(api.name.to_ascii_lowercase()).or_insert(api.is_current);
        }
        let mut index = Self {
            records,
            current,
            titles,
            sources: Vec::new(),
            users: HashMap::new(),
            pools: HashMap::new(),
            rerouted: BTreeSet::new(),
        };
        let fragments = Fragments::new(&records.fragments);
        let current = records.policies.iter().filter(|policy| index.is_current(&policy.scope));
        for (policy, includers) in fragments.in_order(current.collect()) {
            let users: Vec<String> = includers.iter().map(|includer| index.who(&includer.scope)).collect();
            let source = PolicySource {
                users: words::distinct(users.iter().map(String::as_str))
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                mentions: &policy.mentions,
            };
            if source.sends().next().is_some() {
                index
                    .rerouted
                    .extend(includers.iter().filter_map(|includer| includer.scope.api()).map(base));
            }
            index.sources.push(source);
        }
        let mut users: HashMap<String, Vec<(UserList, bool)>> = HashMap::new();
        for source in &index.sources {
            for (name, is_conditional) in source.sends() {
                let Some(name) = name else { continue };
                let of = users.entry(name.to_ascii_lowercase()).or_default();
                of.push((source.users.clone(), !is_conditional));
            }
        }
        for pool in records.backends.iter().filter(|backend| backend.is_pool) {
            let through = users.get(&pool.name.to_ascii_lowercase()).cloned().unwrap_or_default();
            for member in &pool.members {
                let member = member.to_ascii_lowercase();
                index.pools.entry(member.clone()).or_default().push(&pool.name);
                // A member of a pool gets some of the calls.
                let of = users.entry(member).or_default();
                of.extend(through.iter().map(|(users, _)| (users.clone(), false)));
            }
        }
        index.users = users;
        index
    }

    /// Whether a policy applies to calls that do not ask for an old revision.
    fn is_current(&self, scope: &PolicyScope) -> bool {
        let (PolicyScope::Api(name) | PolicyScope::Operation { api: name, .. }) = scope else {
            return true;
        };
        let known = self.current.get(&name.to_ascii_lowercase());
        known.copied().unwrap_or_else(|| !name.contains(";rev="))
    }

    /// Whose calls a scope covers.
    fn who(&self, scope: &PolicyScope) -> String {
        match scope {
            PolicyScope::Everything => "every API".into(),
            PolicyScope::Product(name) => format!("product {name}"),
            PolicyScope::Api(name) => format!("API {}", self.title(name)),
            PolicyScope::Operation { api, operation } => format!("operation {operation} of API {}", self.title(api)),
            PolicyScope::Fragment(name) => format!("fragment {name}"),
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
        let (users, always) = self.users.get(&key).map(|of| merge_users(of)).unwrap_or_default();
        let pools = self.pools.get(&key).map_or(&[][..], Vec::as_slice);
        let impact = match (users.is_empty(), always, pools) {
            (true, _, []) => format!("Calls that a policy sends to backend {name} fail."),
            (true, _, pools) => format!("Pool {} loses this member.", words::list(pools, 3)),
            (false, true, _) => format!("{} fails.", every_call(&users)),
            (false, false, []) => format!("{} that its policy sends to backend {name} fails.", every_call(&users)),
            (false, false, pools) => format!(
                "Pool {} loses this member: {} sent to it fails, or goes to other members.",
                words::list(pools, 3),
                lower(&every_call(&users))
            ),
        };
        let validation = CertificateValidation {
            chain: backend.chain,
            name: backend.own_name,
            thumbprints: backend.thumbprints.clone(),
            issued: backend.issued.clone(),
            ..CertificateValidation::default()
        };
        let of = |title: String, link: &UrlOrigin, is_proxy| Use {
            group: UseKind::Backends,
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
            format!("Every call to {who} fails, unless a policy sends it elsewhere.")
        } else {
            format!("Every call to {who} fails.")
        };
        Some(Use {
            group: UseKind::Backends,
            title: format!("Backend of {who}"),
            users: [who].into(),
            impact,
            link: api.url.clone()?,
            validation: CertificateValidation::default(),
            is_proxy: false,
        })
    }

    /// Members of pools that no document contains.
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
                "the {backends} {} {are} of pools, but no document contains {them}: pass all backends with --instance",
                words::list(&names, 3)
            )
        })
    }
}

/// A policy or a fragment, with those whose calls it applies to.
struct PolicySource<'a> {
    users: UserList,
    mentions: &'a [Mention],
}

impl<'a> PolicySource<'a> {
    /// The backends that calls are sent to, by name if they have one, and whether only some calls are.
    fn sends(&self) -> impl Iterator<Item = (Option<&'a str>, bool)> {
        self.mentions.iter().filter_map(|mention| match mention {
            Mention::Backend { name, is_conditional } => Some((Some(name.as_str()), *is_conditional)),
            Mention::BackendUrl { is_conditional, .. } => Some((None, *is_conditional)),
            _ => None,
        })
    }

    /// The target of a mention.
    fn use_of(&self, mention: &Mention) -> Option<Use> {
        let names: Vec<&str> = self.users.iter().map(String::as_str).collect();
        let (who, every_call) = (words::list(&names, 3), every_call(&self.users));
        let policy = if names.len() == 1 { "policy" } else { "policies" };
        let of = |group, title: String, impact: String, link: &UrlOrigin| {
            Some(Use {
                group,
                title,
                users: self.users.clone(),
                impact,
                link: link.clone(),
                validation: CertificateValidation::default(),
                is_proxy: false,
            })
        };
        match mention {
            Mention::Url { element, link } => of(
                UseKind::PolicyTargets,
                format!("{element} of {who}"),
                format!("The {element} {policy} of {who} gets no reply."),
                link,
            ),
            Mention::BackendUrl { link, is_conditional } => {
                let sent = if *is_conditional {
                    " that its policy sends there"
                } else {
                    ""
                };
                of(
                    UseKind::Backends,
                    format!("Backend of {who}"),
                    format!("{every_call}{sent} fails."),
                    link,
                )
            }
            Mention::Metadata(link) => of(
                UseKind::PolicyTargets,
                format!("Token issuer of {who}"),
                format!(
                    "Tokens cannot be validated: {} is refused with 401.",
                    lower(&every_call)
                ),
                link,
            ),
            _ => None,
        }
    }
}

/// Fragments, and which other fragments each includes.
struct Fragments<'a> {
    known: Vec<&'a ApimPolicy>,
    by_name: HashMap<String, usize>,
}

impl<'a> Fragments<'a> {
    fn new(fragments: &'a [ApimPolicy]) -> Self {
        let mut known = Vec::new();
        let mut by_name = HashMap::new();
        for fragment in fragments {
            if let PolicyScope::Fragment(name) = &fragment.scope {
                by_name.insert(name.to_ascii_lowercase(), known.len());
                known.push(fragment);
            }
        }
        Self { known, by_name }
    }

    /// The fragments that a policy or a fragment includes directly.
    fn included(&self, policy: &ApimPolicy) -> Vec<usize> {
        let names = policy.mentions.iter().filter_map(|mention| match mention {
            Mention::Fragment(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        names.filter_map(|name| self.by_name.get(&name).copied()).collect()
    }

    /// Policies in order, each fragment after the first policy that includes it, with the policies that include it.
    fn in_order(&self, policies: Vec<&'a ApimPolicy>) -> Vec<(&'a ApimPolicy, Vec<&'a ApimPolicy>)> {
        let within: Vec<Vec<usize>> = self.known.iter().map(|fragment| self.included(fragment)).collect();
        let mut places: Vec<Option<usize>> = vec![None; self.known.len()];
        let mut found: Vec<(&ApimPolicy, Vec<&ApimPolicy>)> = Vec::new();
        for policy in policies {
            found.push((policy, vec![policy]));
            let mut open = self.included(policy);
            let mut seen = BTreeSet::new();
            while let Some(fragment) = open.pop() {
                if seen.insert(fragment) {
                    open.extend(&within[fragment]);
                    let place = *places[fragment].get_or_insert(found.len());
                    if place == found.len() {
                        found.push((self.known[fragment], Vec::new()));
                    }
                    found[place].1.push(policy);
                }
            }
        }
        found
    }
}

/// Users from several sources as one list, in the order of their names, and whether each of them always sends its calls
/// there.
fn merge_users(of: &[(UserList, bool)]) -> (UserList, bool) {
    if let [(users, always)] = of {
        return (users.clone(), *always);
    }
    let names = |sets: &mut dyn Iterator<Item = &(UserList, bool)>| -> BTreeSet<String> {
        let lists: HashMap<*const [String], &UserList> = sets.map(|(users, _)| (Rc::as_ptr(users), users)).collect();
        lists.into_values().flat_map(|users| users.iter().cloned()).collect()
    };
    let all = names(&mut of.iter());
    let always = names(&mut of.iter().filter(|(_, always)| *always));
    (
        all.iter().cloned().collect(),
        !all.is_empty() && all.len() == always.len(),
    )
}

/// Where the instance gets tokens and their metadata.
fn identity_providers(records: &Records) -> Vec<Use> {
    let of = |title: String, user: &str, impact: String, link: UrlOrigin| Use {
        group: UseKind::IdentityProviders,
        title,
        users: [user.to_owned()].into(),
        impact,
        link,
        validation: CertificateValidation::default(),
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
            UrlOrigin::of(&format!("https://{tenant}.b2clogin.com"))
        };
        let link = match &provider.authority {
            Some(link) => Some(link.clone()),
            None if kind.eq_ignore_ascii_case("aadB2C") => b2c(),
            // The others use hosts of their own, which browsers open.
            None => None,
        };
        uses.extend(link.map(|link| {
            of(
                format!("Identity provider {kind}"),
                "Sign-in to the developer portal",
                format!(
                    "Signing in to the developer portal with {kind} fails where the instance itself fetches its keys."
                ),
                link,
            )
        }));
    }
    for host in &records.token_hosts {
        let impact = format!("{} provides no tokens and no metadata.", host.of);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import::instance::{Instance, InstancePart};

    /// An instance with this many APIs, whose policies all include one fragment, which includes another twice.
    fn instance_with_fragment(apis: usize, requests: usize) -> Instance {
        let mut instance = Instance::default();
        let mut add = |part, entry: serde_json::Value| instance.add(part, &entry.to_string(), "test").unwrap();
        let request = |n| format!("<send-request><set-url>https://r{n}.example</set-url></send-request>");
        let inner: String = (0..requests).map(request).collect();
        let inner = format!(
            "<fragment>{inner}<set-backend-service backend-id=\"b\"/><include-fragment fragment-id=\"f\"/></fragment>"
        );
        let outer = "<fragment><include-fragment fragment-id=\"G\"/></fragment>";
        for (name, text) in [("f", outer), ("g", &inner)] {
            add(
                InstancePart::PolicyFragments,
                json!({ "name": name, "properties": { "value": text } }),
            );
        }
        add(
            InstancePart::Backends,
            json!({ "name": "b", "properties": { "url": "https://b.example" } }),
        );
        for n in 0..apis {
            let policy = "<policies><inbound><include-fragment fragment-id=\"f\"/></inbound></policies>";
            let id = format!("/apis/a{n}/policies/policy");
            add(
                InstancePart::Policies,
                json!({ "id": id, "properties": { "value": policy } }),
            );
        }
        instance
    }

    #[test]
    fn policy_fragment_counts_once_however_often_included() {
        let uses = of(&instance_with_fragment(500, 40).records, &mut Vec::new());
        // Forty requests and the backend.
        assert_eq!(uses.len(), 41);
        let requests: Vec<&Use> = uses.iter().filter(|of| of.group == UseKind::PolicyTargets).collect();
        assert_eq!(requests.len(), 40);
        assert!(requests.iter().all(|of| Rc::ptr_eq(&of.users, &requests[0].users)));
        assert!(uses.iter().all(|of| of.users.len() == 500), "{:?}", uses[0]);
        assert_eq!(requests[0].title, "send-request of API a0, API a1 and 498 more");
        let backend = uses.iter().find(|of| of.group == UseKind::Backends).unwrap();
        assert_eq!(backend.impact, "Every call to API a0, API a1 and 498 more fails.");
    }

    #[test]
    fn fragment_used_by_one_policy_is_titled_like_the_policy() {
        let uses = of(&instance_with_fragment(1, 1).records, &mut Vec::new());
        let request = uses.iter().find(|of| of.group == UseKind::PolicyTargets).unwrap();
        assert_eq!(request.title, "send-request of API a0");
        assert_eq!(request.impact, "The send-request policy of API a0 gets no reply.");
    }

    #[test]
    fn merged_users_are_unconditional_only_if_all_are() {
        let users = |names: &[&str]| -> UserList { names.iter().map(|name| (*name).to_owned()).collect() };
        let (ab, bc) = (users(&["a", "b"]), users(&["b", "c"]));
        for (of, names, always) in [
            (vec![(ab.clone(), true)], "a b", true),
            (vec![(ab.clone(), true), (ab.clone(), false)], "a b", true),
            (vec![(ab.clone(), true), (bc.clone(), false)], "a b c", false),
            (vec![(ab.clone(), true), (bc.clone(), true)], "a b c", true),
            (vec![(bc, false), (ab, false)], "a b c", false),
        ] {
            let (all, is_always) = merge_users(&of);
            assert_eq!((all.join(" ").as_str(), is_always), (names, always), "{of:?}");
        }
    }
}
