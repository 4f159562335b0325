//! Private endpoints that do not answer.

use super::phrases;
use crate::{
    address,
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::words::{distinct, list},
};

/// Names that resolve through a private link to private addresses without a reply: the endpoint was deleted, or
/// something on the path blocks it. No rule for the service's tag fixes that, since tags contain public addresses only.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::PrivateEndpoint,
    claims: EndpointMatcher::Groups(|_, unexplained| {
        let rows: Vec<ProbedEndpoint<'_>> = unexplained.iter().filter(|row| does_not_answer(row)).copied().collect();
        let scope = match &addresses(&rows)[..] {
            [address] => address.clone(),
            _ => "several".into(),
        };
        FindingGroup::unless_empty(scope, rows)
    }),
    describe,
};

fn does_not_answer(row: &ProbedEndpoint<'_>) -> bool {
    let mut outcomes = row.judgement.outcomes.iter();
    row.is_tcp()
        && should_work(row)
        && matches!(row.cause(), Some(Cause::TcpTimeout | Cause::TcpRefused))
        && leads_through_a_link(row)
        && outcomes.all(|outcome| address::is_private(outcome.address.ip()))
}

fn leads_through_a_link(row: &ProbedEndpoint<'_>) -> bool {
    let answer = row.trace.and_then(|trace| trace.name.as_ref()?.decision()?.answer());
    let labels = answer
        .into_iter()
        .flat_map(|answer| &answer.cnames)
        .flat_map(|alias| alias.split('.'));
    labels.into_iter().any(|label| label == "privatelink")
}

fn addresses(rows: &[ProbedEndpoint<'_>]) -> Vec<String> {
    let all: Vec<String> = rows
        .iter()
        .flat_map(|row| row.judgement.addresses())
        .map(|address| address.ip().to_string())
        .collect();
    distinct(all.iter().map(String::as_str))
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn describe<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let addresses = addresses(rows);
    let title = match (&hosts[..], &addresses[..]) {
        ([_], [address]) => format!(
            "{}: the private endpoint {address} does not answer",
            phrases::leader(rows)
        ),
        ([_], _) => format!("{}: its private endpoint does not answer", phrases::leader(rows)),
        _ => format!("Private endpoints of {} hosts do not answer", hosts.len()),
    };
    Explanation {
        title,
        grounds: Grounds::default()
            .all(EvidenceWeight::Supports(Basis::Pattern), phrases::examples(rows))
            .note("a deleted private endpoint may leave its DNS record behind, and one whose subnet blocks the traffic does not answer")
            .note("service tags contain public addresses only: a rule with a tag does not cover a private endpoint"),
        suspects: vec![Suspect::PrivateDnsZone, Suspect::Nsg, Suspect::Udr, Suspect::Nva],
        fix: Fix::new(format!(
            "Check that the private endpoint at {} exists and is approved, and allow {} into its subnet; if it was \
             deleted, delete its record.",
            list(&addresses.iter().map(String::as_str).collect::<Vec<_>>(), 2),
            phrases::ports(rows)
        ))
        .look([
            "az network private-endpoint list --query \"[].{name:name, addresses:customDnsConfigs[].ipAddresses[], \
             state:privateLinkServiceConnections[].privateLinkServiceConnectionState.status}\" -o json",
        ]),
        impact: None,
    }
}
