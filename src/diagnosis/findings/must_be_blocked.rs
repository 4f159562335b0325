//! Traffic that must be blocked, and is not.

use super::phrases;
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, FindingKind, Fix, Suspect},
};

/// Rows that must be blocked and answered, one finding per dependency.
pub(super) const OPEN: FindingRule = FindingRule {
    kind: FindingKind::Open,
    claims: EndpointMatcher::Each(|_, row| must_be_blocked(row).filter(|_| row.judgement.verdict.is_proved())),
    describe: open,
};

/// Rows that must be blocked and were never tried: a name that does not resolve shows nothing either way.
pub(super) const NEVER_TRIED: FindingRule = FindingRule {
    kind: FindingKind::NeverTried,
    claims: EndpointMatcher::Each(|_, row| must_be_blocked(row)),
    describe: never_tried,
};

/// The dependency of a row that must be blocked.
fn must_be_blocked(row: &ProbedEndpoint<'_>) -> Option<String> {
    (!should_work(row)).then(|| row.endpoint.dependency.clone())
}

fn open<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let (subject, ports) = (phrases::subject(&group.rows), phrases::ports(&group.rows));
    Explanation {
        title: format!("{subject}: {ports} must be blocked but is not"),
        grounds: Grounds::default().all(EvidenceWeight::Supports(Basis::Proof), phrases::examples(&group.rows)),
        suspects: vec![
            Suspect::Nsg,
            Suspect::FirewallNetworkRule,
            Suspect::FirewallApplicationRule,
        ],
        fix: Fix::new(format!(
            "Deny {ports} to {subject} in the subnet's NSG or in the firewall."
        )),
        impact: None,
    }
}

fn never_tried<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let (subject, ports) = (phrases::subject(&group.rows), phrases::ports(&group.rows));
    Explanation {
        title: format!("{subject}: {ports} was not tried, so it is not known to be blocked"),
        grounds: Grounds::default().all(
            EvidenceWeight::Supports(Basis::Ambiguous),
            phrases::examples(&group.rows),
        ),
        suspects: vec![Suspect::DnsServer],
        fix: Fix::new("Give this test's target as an address, so that it does not depend on DNS."),
        impact: None,
    }
}
