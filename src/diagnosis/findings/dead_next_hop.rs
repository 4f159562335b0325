//! A next hop that nobody answers for.

use std::time::Duration;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Confidence, Fix, Suspect},
    net::icmp::IcmpError,
    text::words,
};

/// The kernel asks for the next hop three times, a second apart, before it gives up.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Rows that this machine's own kernel called unreachable after about three seconds: it asked for the hardware address
/// of the next hop and got no answer. No firewall behaves like that, and the fault is on the first metre.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let dead = |row: &Row<'a>| row.icmp().any(|(error, after)| is_dead_next_hop(view, error, after));
    let rows = pool.take(dead);
    if rows.is_empty() {
        return Vec::new();
    }
    let after =
        say::range(rows.iter().flat_map(Row::icmp).map(|(_, after)| after)).map_or(PATIENCE, |(first, _)| first);
    let answered = view.proved().count();
    let mut evidence = vec![
        format!(
            "{}: this VM's own kernel says host unreachable after {}",
            say::host_count(&rows),
            words::duration(after)
        ),
        "so nobody answered for the next hop: this is no firewall".into(),
    ];
    if answered > 0 {
        evidence.push(format!(
            "{answered} other endpoints prove themselves, over another route"
        ));
    }
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "dead-next-hop"),
        scope: "dead-next-hop".into(),
        title: format!("The next hop to {} is dead", say::host_count(&rows)),
        confidence: Confidence::Certain,
        evidence,
        suspects: vec![Suspect::Udr, Suspect::Nva, Suspect::LocalHost],
        fix: Fix::new(
            "Correct the next hop of the route that these addresses take, or bring up the appliance that it names.",
        )
        .look([
            "az network nic show-effective-route-table -g RG -n NIC -o table",
            "ip route get ADDRESS",
        ]),
        rows,
    }]
}

/// Whether an ICMP error is the kernel's word for a next hop that did not answer (measured on Linux).
pub fn is_dead_next_hop(view: &RunView<'_>, error: &IcmpError, after: Duration) -> bool {
    view.is_own(error)
        && matches!((error.v6, error.kind, error.code), (false, 3, 1) | (true, 1, 3))
        && after >= PATIENCE
}
