//! `--redact`: the user's hosts, addresses and ids become stand-ins, in the whole report, before any renderer sees it.
//!
//! A report is redacted as a document: every string in it, under any key, goes through [`Names`]. Keys that are added
//! later are therefore covered as well. A stand-in is the same wherever its original appears, and from round to round;
//! from run to run if the plan is the same and its names resolve to as many addresses.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::{
    azure::resources::KnownResources,
    catalog::OF_DOCUMENTS,
    model::{EndpointReport, Report, SelectionReport, TlsStage},
    plan::{self, Plan, ProbeTarget},
    vantage::Vantage,
};

mod names;
mod public;
mod table;
mod tokens;

use self::{names::Names, public::PublicNames};

/// Keys whose values are words of closed lists, version numbers and the like: nothing of the user's.
const PLAIN: [&str; 35] = [
    "schema",
    "version",
    "catalog_documented",
    "catalog_sha256",
    "tier",
    "cloud",
    "region",
    "vnet",
    "standing",
    "verdict",
    "cause",
    "kind",
    "need",
    "confidence",
    "suspects",
    "transport",
    "protocol",
    "direction",
    "expect",
    "outcome",
    "rcode",
    "cipher",
    "docs",
    "owner",
    "for",
    "language",
    "access",
    "place",
    "next_hop_type",
    "started_at",
    "not_after",
    "chain_not_after",
    "document",
    "status",
    "does",
];
/// Keys of words from a catalog.
const OF_CATALOG: [&str; 3] = ["dependency", "service_tag", "source_tag"];
/// Keys of ids, `dependency/host:port` and `kind/scope`: the part before the slash is the catalog's or ours.
const IDS: [&str; 2] = ["id", "endpoints"];

/// How many words from the network's answers are kept in addition to the user's own, and how many more for each
/// endpoint: beyond that they are forgotten, and get new stand-ins when they appear again. A long-running agent keeps
/// seeing new addresses.
const MAX_LEARNED: usize = 10_000;
const MAX_OF_EACH: usize = 32;

/// Redacts the texts of a run.
#[derive(Debug)]
pub(crate) struct Redactor(Mutex<Names>);

/// What is known about the user's names before the first packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnNames<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The user's resources.
    pub known: &'a KnownResources,
    /// This machine.
    pub vantage: &'a Vantage,
    /// The names in the documents, each with the word for what it is.
    pub names: &'a [(&'static str, String)],
    /// Which part of the catalog was selected.
    pub selection: &'a SelectionReport,
    /// The files that flags name.
    pub files: &'a [PathBuf],
}

impl Redactor {
    /// Learns the hosts of a plan, the user's resources and this machine's names.
    pub(crate) fn new(own: OwnNames<'_>) -> Self {
        let public = PublicNames::of(own.plan.cloud, own.vantage.region.as_deref());
        let mut names = Names::new(public);
        names.learn_own(|names| {
            own.files.iter().for_each(|path| names.learn_file(path));
            learn_all(names, own);
        });
        Self(Mutex::new(names))
    }

    /// Continues with another plan; existing stand-ins stay.
    pub(crate) fn renew(&self, own: OwnNames<'_>) {
        let mut names = self.names();
        names.renew(PublicNames::of(own.plan.cloud, own.vantage.region.as_deref()));
        names.learn_own(|names| learn_all(names, own));
    }

    /// A redacted notice: what it quotes from a document is the user's as well.
    pub(crate) fn notice(&self, notice: &str) -> String {
        let mut names = self.names();
        names.learn_quoted(notice);
        names.text(notice)
    }

    /// A file that the user named.
    pub(crate) fn learn_file(&self, path: &Path) {
        self.names().learn_own(|names| names.learn_file(path));
    }

    /// A redacted id of an endpoint.
    pub(crate) fn id(&self, id: &str) -> String {
        redacted_id(id, &mut self.names())
    }

    /// A redacted report.
    ///
    /// # Panics
    ///
    /// Never: a report can be written as a document and read again, and a stand-in has the type of its original.
    pub(crate) fn report(&self, report: &Report) -> Report {
        let names = &mut *self.names();
        names.forget_beyond(MAX_LEARNED + MAX_OF_EACH * report.endpoints.len());
        learn(names, report);
        let mut document = serde_json::to_value(report).expect("a report is a document");
        redact_value(&mut document, None, names);
        Report {
            redacted: true,
            ..serde_json::from_value(document).expect("a stand-in has the type of its original")
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which endpoints of a report have their real names: the same stand-in may be another host's in another report.
pub(crate) fn known(report: &Report) -> impl Fn(&EndpointReport) -> bool + use<> {
    let is_public = report.redacted.then(|| public(report));
    move |endpoint| is_public.as_ref().is_none_or(|is_public| is_public(endpoint))
}

/// Which endpoints of a report would have their real names if it were made with `--redact`.
pub(crate) fn public(report: &Report) -> impl Fn(&EndpointReport) -> bool + use<> {
    let vantage = &report.vantage;
    let public = PublicNames::of(vantage.cloud, vantage.region.as_deref());
    move |endpoint| {
        let is_built_in = public.has_text(&endpoint.dependency) || OF_DOCUMENTS.contains(&endpoint.dependency.as_str());
        is_built_in
            && match endpoint.host.parse() {
                Ok(address) => public.has_address(address),
                Err(_) => public.has(&endpoint.host.to_lowercase()),
            }
    }
}

/// Learns what is known before the first packet.
fn learn_all(names: &mut Names, own: OwnNames<'_>) {
    let OwnNames {
        plan, known, vantage, ..
    } = own;
    for (kind, name) in own.names {
        names.learn(name, kind);
    }
    for endpoint in &plan.endpoints {
        match &endpoint.destination {
            ProbeTarget::Name => names.learn_host(&endpoint.host),
            ProbeTarget::Addresses { addresses, .. } => addresses.iter().for_each(|address| {
                names.learn_address(*address);
            }),
            ProbeTarget::NameServer(server) => {
                names.learn_address(server.ip());
            }
        }
        for name in &endpoint.names {
            names.learn_host(name);
        }
        of_catalog(names, endpoint);
    }
    names.learn_host(&plan.control_name);
    let patterns = [&own.selection.only, &own.selection.skip];
    for pattern in patterns.into_iter().flatten().flatten() {
        names.learn_pattern(pattern);
    }
    if let Some(host) = &vantage.host {
        names.learn(host, "machine");
        names.learn_word(host.split('.').next().unwrap_or(host), "machine");
    }
    if let Some(id) = &known.subscription {
        names.learn_word(id, "subscription");
    }
    for address in &vantage.addresses {
        names.learn_address(*address);
    }
    vantage.subnets.ids().for_each(|id| names.learn(id, "id"));
    for (resource, kind) in [
        (&known.vm, "machine"),
        (&known.service, "instance"),
        (&known.nsg, "nsg"),
        (&known.table, "route-table"),
        (&known.subnet, "vnet"),
        (&known.nic, "nic"),
    ] {
        for (kind, name) in resource.iter().flat_map(|resource| resource.own_names(kind)) {
            names.learn_resource(&name, kind);
        }
    }
}

/// What a user's catalog says about an endpoint, or a document if it lists the endpoint.
fn of_catalog(names: &mut Names, endpoint: &plan::PlannedEndpoint) {
    if endpoint.of_instance.is_some() || OF_DOCUMENTS.contains(&endpoint.dependency.as_str()) {
        return;
    }
    names.learn_of_catalog(&endpoint.dependency, "dependency");
    for tag in endpoint.service_tag.iter().chain(&endpoint.source_tag) {
        names.learn_of_catalog(tag, "tag");
    }
    let sentences = [
        (Some(&endpoint.title), "dependency"),
        (endpoint.feature.as_ref(), "feature"),
        (Some(&endpoint.impact), "impact"),
        (endpoint.note.as_ref(), "note"),
        (endpoint.path.as_ref(), "path"),
    ];
    for (text, kind) in sentences {
        if let Some(text) = text {
            names.learn_sentence(text, kind);
        }
    }
}

/// Names that only the report contains: from DNS answers, certificates, and deciding rules.
fn learn(names: &mut Names, report: &Report) {
    for notice in &report.vantage.notices {
        names.learn_quoted(notice);
    }
    for endpoint in &report.endpoints {
        let is_own = !names.is_public(&endpoint.host);
        if let Some(dns) = &endpoint.stages.dns {
            for alias in dns.cnames.iter().filter(|_| is_own) {
                names.learn_host(alias);
            }
            // In order, because answers differ from one time to the next.
            let mut addresses = dns.addresses.clone();
            addresses.sort();
            for address in addresses {
                names.learn_address(address);
            }
        }
        if let Some(tls) = &endpoint.stages.tls {
            // A host that is not a public service's may be a proxy of the user's.
            let is_untrusted = hides_issuer(tls);
            let is_theirs = is_own || tls.outcome.as_str() != "ok";
            for (name, kind) in [(&tls.subject, "subject"), (&tls.issuer, "issuer")] {
                if let Some(name) = name
                    .as_ref()
                    .filter(|_| is_untrusted || (is_theirs && kind == "subject"))
                {
                    names.learn_certificate(name, kind);
                }
            }
        }
        if let Some(rule) = endpoint.predicted.as_ref().and_then(|predicted| predicted.nsg.as_ref()) {
            names.learn(&rule.name, "rule");
            if let Some(group) = &rule.group {
                names.learn_resource(group.rsplit('/').next().unwrap_or(group), "nsg");
            }
        }
        let hops = endpoint.from_instance.iter().flat_map(|seen| &seen.hops);
        for issue in hops.flat_map(|hop| &hop.issues) {
            let in_brackets = issue.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
            for rule in in_brackets.into_iter().flat_map(|rules| rules.split(", ")) {
                names.learn(rule, "rule");
            }
        }
    }
}

/// Whether the issuer is the user's: a CA that only the user trusts.
pub(crate) fn hides_issuer(tls: &TlsStage) -> bool {
    tls.outcome.as_str() == "tls-untrusted"
}

/// Whether it cannot contain anything of the user's: a `source` is the word for where something is from, or an address.
fn is_plain(key: &str, text: &str) -> bool {
    let is_word = key == "source" && text.parse::<SocketAddr>().is_err() && text.parse::<IpAddr>().is_err();
    is_word || PLAIN.contains(&key)
}

/// Redacts every string of a document.
fn redact_value(value: &mut Value, key: Option<&str>, names: &mut Names) {
    match value {
        Value::String(text) if key.is_some_and(|key| is_plain(key, text)) => {}
        Value::String(text) => {
            *text = match key {
                Some(key) if OF_CATALOG.contains(&key) => names.of_catalog(text).to_owned(),
                Some(key) if IDS.contains(&key) => redacted_id(text, names),
                _ => names.text(text),
            };
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_value(item, key, names)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, item)| redact_value(item, Some(key), names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An id: the part before the slash may be from a user's catalog.
fn redacted_id(id: &str, names: &mut Names) -> String {
    match id.split_once('/') {
        Some((before, behind)) => format!("{}/{}", names.of_catalog(before).to_owned(), names.text(behind)),
        None => names.text(id),
    }
}

/// How many stand-ins of each kind there are.
type Counts = BTreeMap<&'static str, usize>;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{names::Names, public::PublicNames, redact_value};
    use crate::azure::Cloud;

    /// The words of closed lists in a schema, with their keys.
    fn words(schema: &Value) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        let definitions = schema["$defs"].as_object().expect("definitions");
        let all = definitions.values().chain([schema]);
        for (key, property) in all.filter_map(|one| one["properties"].as_object()).flatten() {
            for word in listed(property, schema) {
                found.insert((key.clone(), word));
            }
        }
        found
    }

    /// The possible words of a value.
    fn listed(property: &Value, schema: &Value) -> Vec<String> {
        let name = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        let referred = name.map(|name| &schema["$defs"][name]);
        let lists = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|key| property[*key].as_array())
            .flatten();
        let inner = lists.chain(referred).chain(property.get("items"));
        let mut words: Vec<String> = inner.flat_map(|one| listed(one, schema)).collect();
        let enumerated = property["enum"].as_array().into_iter().flatten();
        words.extend(
            enumerated
                .chain(property.get("const"))
                .filter_map(Value::as_str)
                .map(String::from),
        );
        words
    }

    #[test]
    fn closed_list_words_are_kept_if_a_resource_has_that_name() {
        let schema = crate::schema::Document::Report.schema();
        let words = words(schema.as_value());
        assert!(words.contains(&("source".into(), "default".into())), "{words:?}");
        let mut names = Names::new(PublicNames::of(Cloud::Public, None));
        for (_, word) in &words {
            names.learn_word(word, "subnet");
        }
        for (key, word) in &words {
            let document = json!({ key: word });
            let mut output = document.clone();
            redact_value(&mut output, None, &mut names);
            assert_eq!(output, document);
        }
    }

    #[test]
    fn address_as_source_is_redacted() {
        let mut names = Names::new(PublicNames::of(Cloud::Public, None));
        let mut document = json!({ "source": "10.1.0.4:49152" });
        redact_value(&mut document, None, &mut names);
        assert_eq!(document, json!({ "source": "198.18.0.1:49152" }));
    }

    #[test]
    fn learned_names_are_bounded_and_user_names_are_kept() {
        let mut names = Names::new(PublicNames::of(Cloud::Public, None));
        names.learn_own(|names| {
            names.learn_host("db.corp.internal");
            names.learn_word("orders", "machine");
            names.learn_address([10, 1, 0, 4].into());
        });
        let own = "orders at 10.1.0.4 asks db.corp.internal";
        let output = names.text(own);
        let mut given = BTreeSet::new();
        for n in 0..300_000_u32 {
            names.forget_beyond(1_000);
            assert!(given.insert(names.learn_address((0x0b00_0000 + n).to_be_bytes().into())));
            let private = names.learn_address((0x0a80_0000 + n).to_be_bytes().into());
            assert_eq!(names.learn_address(private), private, "a replacement for a replacement");
            if n % 1_000 == 0 {
                names.learn_certificate(&format!("CN=cache{n}.far.net, O=Some Company {n}"), "issuer");
            }
            assert!(names.passing() <= 1_100, "{} after {n}", names.passing());
        }
        assert_eq!(names.text(own), output);
        // A name that first appeared in an answer, and is the user's own according to a catalog that was read again.
        names.learn_word("stage", "issuer");
        names.learn_own(|names| names.learn_word("stage", "machine"));
        let output = names.text("stage");
        names.forget_beyond(0);
        assert_eq!((names.text("stage"), names.passing()), (output, 0));
    }

    #[test]
    fn short_name_is_redacted_case_sensitively() {
        let mut names = Names::new(PublicNames::of(Cloud::Public, None));
        names.learn_word("PROD", "resource-group");
        names.learn_word("vm", "machine");
        names.learn_word("VM01", "machine");
        assert_eq!(
            names.text("VM01 in PROD is a VM"),
            "machine-2 in resource-group-1 is a VM"
        );
    }

    #[test]
    fn truncated_resource_id_does_not_panic() {
        let mut names = Names::new(PublicNames::of(Cloud::Public, None));
        for text in [
            "/subscriptions/x/providers",
            "/subscriptions/providers",
            "see /subscriptions/",
        ] {
            names.text(text);
        }
    }
}
