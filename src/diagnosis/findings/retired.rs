//! Outdated documentation.

use super::phrases;
use crate::{
    diagnosis::{
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Suspect},
    text::words::{count, list},
};

/// Hosts that the page lists and that no name server knows. Nothing on the path is at fault; the only action is to
/// remove them from allow lists.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::RetiredHosts,
    claims: EndpointMatcher::Groups(|view, _| {
        let looked_up =
            |row: &&ProbedEndpoint<'_>| row.judgement.cause == Some(Cause::Retired) && row.endpoint.untested.is_none();
        FindingGroup::unless_empty("documentation", view.rows.iter().filter(looked_up).copied().collect())
    }),
    describe,
};

fn describe<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let hosts = phrases::hosts(&group.rows);
    Explanation {
        title: format!("Retired, still in the documentation: {}", count(hosts.len(), "host")),
        grounds: Grounds::default().note(format!("no name server knows {}", list(&hosts, 4))),
        suspects: vec![Suspect::Documentation],
        fix: Fix::new("No action needed: leave these names out of firewall rules."),
        impact: None,
    }
}
