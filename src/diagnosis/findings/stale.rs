//! Documentation that is behind.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    text::words::{count, list},
};

/// Hosts that the page names and that no name server knows. Nothing on the way is at fault, and nothing needs doing but
/// taking them off lists.
pub fn recognise<'a>(view: &RunView<'a>, _: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let looked_up = |row: &&Row<'a>| row.judgement.cause == Some(Cause::Retired) && row.endpoint.untested.is_none();
    let rows: Vec<Row<'a>> = view.rows.iter().filter(looked_up).copied().collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let hosts = say::hosts(&rows);
    vec![Draft {
        impact: None,
        severity: Severity::Degradation,
        what: What::Cause(Cause::Retired),
        scope: "documentation".into(),
        title: format!(
            "The documentation names {} that no longer exist",
            count(hosts.len(), "host")
        ),
        confidence: Confidence::Low,
        evidence: vec![format!("no name server knows {}", list(&hosts, 4))],
        suspects: vec![Suspect::Documentation],
        fix: Fix::new("Nothing to allow: leave these names out of firewall rules."),
        rows,
    }]
}
