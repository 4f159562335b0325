//! Backends whose certificates come from a CA that the instance does not have.

use super::phrases;
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::FindingGroup,
        rule::{EndpointMatcher, Explanation, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Suspect},
    net::tls::chain::common_name,
    text::words::{count, list},
};

/// A private CA that only backends use. If an Azure host presents a certificate from the same issuer, a device signs
/// for every host.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::BackendCa,
    claims: EndpointMatcher::Each(|view, row| {
        let issuer = untrusted(row).filter(|_| row.endpoint.of_instance.is_some())?;
        let is_everywhere = view
            .rows
            .iter()
            .any(|other| other.endpoint.of_instance.is_none() && untrusted(other) == Some(issuer));
        (!is_everywhere).then(|| phrases::slug(common_name(issuer)))
    }),
    describe,
};

/// The issuer that the instance does not trust.
fn untrusted<'a>(row: &ProbedEndpoint<'a>) -> Option<&'a str> {
    row.chain()
        .filter(|_| row.cause() == Some(Cause::TlsUntrusted))
        .map(|chain| chain.issuer.as_str())
}

fn describe<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let issuer = rows.first().and_then(untrusted).unwrap_or_default();
    let by = if issuer.is_empty() {
        "an unknown issuer"
    } else {
        common_name(issuer)
    };
    let title = match hosts[..] {
        [_] => format!(
            "{}: its certificate is from {by}, which the instance does not trust",
            phrases::leader(rows)
        ),
        _ => format!(
            "{} have certificates issued by {by}, which the instance does not trust",
            count(hosts.len(), "backend")
        ),
    };
    let shown = format!("no Azure host presents a certificate issued by {issuer}, so not all TLS is inspected");
    let mut grounds = Grounds::default()
        .pattern(shown)
        .all(EvidenceWeight::Notes, phrases::examples(rows));
    if rows.iter().any(ProbedEndpoint::is_public) {
        grounds = grounds.open("a device that inspects TLS to only some public hosts would look the same");
    }
    Explanation {
        title,
        grounds,
        suspects: vec![Suspect::Service, Suspect::TlsInspection],
        fix: Fix::new(format!(
            "Upload the CA certificate of {by} to the instance (Certificates > CA certificates, store Root), or give \
             {} a certificate from a public CA. A backend can also be set not to validate the chain, but then any \
             server can impersonate it.",
            list(&hosts, 2)
        ))
        .look(rows.first().map(fix::show_issuer)),
        impact: None,
    }
}
