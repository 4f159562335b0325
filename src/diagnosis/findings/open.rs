//! What must not get out, and does.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, RunView, should_work},
    model::{Confidence, Fix, Suspect},
};

/// Rows that must be blocked, one finding for each dependency. What answered is open, certainly; a name that does not
/// resolve shows nothing either way, since the traffic was never tried.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups = pool.take_by(|row| {
        (!should_work(row)).then_some((row.endpoint.dependency.as_str(), row.judgement.verdict.is_proved()))
    });
    let draft = |((dependency, open), rows): ((&str, bool), Vec<_>)| {
        let (subject, ports) = (say::subject(&rows), say::ports(&rows));
        let title = if open {
            format!("{subject}: {ports} must be blocked and is not")
        } else {
            format!("{subject}: {ports} was never tried, so no block is shown")
        };
        Draft {
            impact: None,
            severity: Severity::Failure,
            what: What::Word(if open { "open" } else { "never-tried" }),
            scope: dependency.to_string(),
            title,
            confidence: if open { Confidence::Certain } else { Confidence::Medium },
            evidence: say::examples(&rows),
            suspects: if open {
                vec![
                    Suspect::Nsg,
                    Suspect::FirewallNetworkRule,
                    Suspect::FirewallApplicationRule,
                ]
            } else {
                vec![Suspect::DnsServer]
            },
            fix: Fix::new(if open {
                format!(
                    "Deny {ports} to {} in the subnet's NSG or at the firewall.",
                    say::subject(&rows)
                )
            } else {
                "Name the target of this test by its address, so that no name server has a say.".into()
            }),
            rows,
        }
    };
    groups.into_iter().map(draft).collect()
}
