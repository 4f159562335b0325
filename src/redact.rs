//! `--redact`: hosts of the user, addresses and ids become stand-ins, in a report as a whole and before any format sees it.
//!
//! A report is turned as a document: every string of it, of whatever key, goes through [`Names`]. What a key that comes
//! later holds is therefore covered as well. A stand-in is the same wherever its original stands, and from round to round;
//! from run to run as far as the plan is the same and its names lead to as many addresses.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::{
    azure::resources::Known,
    model::Report,
    plan::{Destination, Plan},
    vantage::Vantage,
};

mod names;
mod public;
mod words;

use self::{names::Names, public::Public};

/// Keys whose values are words of closed lists, numbers of versions and the like: nothing of the user's.
const PLAIN: [&str; 36] = [
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
    "dependency",
    "service_tag",
    "source_tag",
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
    "document",
    "status",
];
/// Keys of ids, `dependency/host:port` and `kind/scope`: what stands before the slash is the catalog's or ours.
const IDS: [&str; 2] = ["id", "endpoints"];

/// What turns the texts of a run.
#[derive(Debug)]
pub(crate) struct Redactor(Mutex<Names>);

impl Redactor {
    /// Knows the hosts of a plan, the user's resources and this machine.
    pub(crate) fn new(plan: &Plan, known: &Known, vantage: &Vantage) -> Self {
        let mut names = Names::new(Public::of(plan.cloud, vantage.region.as_deref()));
        for endpoint in &plan.endpoints {
            if let Destination::Name = endpoint.destination {
                names.learn_host(&endpoint.host);
            }
            for name in &endpoint.names {
                names.learn_host(name);
            }
            if let Some(of_instance) = &endpoint.of_instance {
                names.learn_phrase(&of_instance.title, "dependency of the instance");
                names.learn_phrase(&of_instance.feature, "feature of the instance");
                names.learn_phrase(&of_instance.impact, "impact on the instance");
            }
        }
        names.learn_host(&plan.control_name);
        if let Some(host) = &vantage.host {
            names.learn_word(host, "machine");
        }
        if let Some(id) = &known.subscription {
            names.learn_word(id, "subscription");
        }
        for address in &vantage.addresses {
            names.learn_address(*address);
        }
        for (resource, kind) in [
            (&known.vm, "machine"),
            (&known.service, "instance"),
            (&known.nsg, "nsg"),
            (&known.table, "route-table"),
            (&known.subnet, "vnet"),
            (&known.nic, "nic"),
        ] {
            let Some(resource) = resource else { continue };
            names.learn_word(&resource.subscription, "subscription");
            names.learn_word(&resource.group, "resource-group");
            names.learn_word(&resource.name, kind);
            if let Some(part) = &resource.part {
                names.learn_word(part, "subnet");
            }
        }
        Self(Mutex::new(names))
    }

    /// A text without what is to be kept back.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text(text)
    }

    /// A report without what is to be kept back.
    ///
    /// # Panics
    /// Never: a report can be written as a document and be read again, and a stand-in has the type of its original.
    pub(crate) fn report(&self, report: &Report) -> Report {
        let names = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learn(names, report);
        let mut document = serde_json::to_value(report).expect("a report is a document");
        turn(&mut document, None, names);
        serde_json::from_value(document).expect("a stand-in has the type of its original")
    }
}

/// What only the report knows: who answered for the names, who signed, and which rules decide.
fn learn(names: &mut Names, report: &Report) {
    for endpoint in &report.endpoints {
        let is_own = !names.is_public(&endpoint.host);
        if let Some(dns) = &endpoint.stages.dns {
            for alias in dns.cnames.iter().filter(|_| is_own) {
                names.learn_host(alias);
            }
            // In their order, as an answer's is another each time.
            let mut addresses = dns.addresses.clone();
            addresses.sort();
            for address in addresses {
                names.learn_address(address);
            }
        }
        if let Some(tls) = &endpoint.stages.tls {
            let is_untrusted = tls.outcome.as_str() == "tls-untrusted";
            for (name, kind) in [(&tls.subject, "subject"), (&tls.issuer, "issuer")] {
                if let Some(name) = name.as_ref().filter(|_| is_untrusted || (is_own && kind == "subject")) {
                    names.learn_certificate(name, kind);
                }
            }
        }
        if let Some(rule) = endpoint.predicted.as_ref().and_then(|predicted| predicted.nsg.as_ref()) {
            names.learn_rule(&rule.name);
            if let Some(group) = &rule.group {
                names.learn_word(group.rsplit('/').next().unwrap_or(group), "nsg");
            }
        }
    }
}

/// Turns every string of a document.
fn turn(value: &mut Value, key: Option<&str>, names: &mut Names) {
    match value {
        Value::String(_) if key.is_some_and(|key| PLAIN.contains(&key)) => {}
        Value::String(text) => {
            let id = key.filter(|key| IDS.contains(key)).and_then(|_| text.split_once('/'));
            *text = match id {
                Some((before, behind)) => format!("{before}/{}", names.text(behind)),
                None => names.text(text),
            };
        }
        Value::Array(items) => items.iter_mut().for_each(|item| turn(item, key, names)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, item)| turn(item, Some(key), names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How many stand-ins of each kind there are.
type Counts = BTreeMap<&'static str, usize>;
