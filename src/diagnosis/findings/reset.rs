//! Resets for everything.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Suspect},
};

/// One service may not listen on a port; services of several dependencies do not all stop listening.
const FEWEST_DEPENDENCIES: usize = 3;

/// SYNs of several dependencies are answered with resets: a device on the way refuses in their place. Fewer are left to
/// the groups by dependency, where the service itself is a suspect.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let refused = |row: &Row<'a>| row.cause() == Some(Cause::TcpRefused) && row.tested_server().is_none();
    let rows: Vec<Row<'a>> = pool.iter().filter(|row| refused(row)).copied().collect();
    if say::dependencies(&rows).len() < FEWEST_DEPENDENCIES {
        return Vec::new();
    }
    let rows = pool.take(refused);
    let allow = fix::allow(&rows, view);
    let mut evidence = vec![
        format!(
            "{} of {} answer our SYN with a reset",
            say::host_count(&rows),
            say::subject(&rows)
        ),
        "services of Azure that listen elsewhere do not all refuse: a device on the way does".into(),
    ];
    evidence.extend(say::examples(&rows));
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(Cause::TcpRefused),
        scope: "resets".into(),
        title: format!(
            "A device on the way resets {} to {}",
            say::ports(&rows),
            say::host_count(&rows)
        ),
        confidence: Confidence::High,
        evidence,
        suspects: vec![Suspect::Nva, Suspect::FirewallNetworkRule, Suspect::Udr],
        fix: Fix::new(format!("Find the device that resets. {}", allow.summary)).change(allow.change),
        rows,
    }]
}
