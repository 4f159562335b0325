//! Packets of full size that are lost.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    probe::flows::SMALL_SEGMENT,
    text::words::count,
};

/// So many hosts alike are no service's own trouble.
const SEVERAL: usize = 3;

/// Connections with the usual segments fall silent once we spoke, and those with small ones prove the service: a tunnel
/// on the way takes less than its ends believe, and nobody tells them. One finding over all endpoints.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let rows = pool.take(|row| row.cause() == Some(Cause::PathMtu));
    if rows.is_empty() {
        return Vec::new();
    }
    let hosts = say::hosts(&rows).len();
    let mut evidence = vec![
        format!(
            "{}: every connection falls silent after we spoke, and every one with segments of at most {SMALL_SEGMENT} bytes \
             proves the service",
            count(hosts, "host")
        ),
        "small packets pass, so no rule is in the way; only the direction towards this VM is seen".into(),
    ];
    let arrivals = rows.iter().filter(|row| has_gaps(row)).count();
    if arrivals > 0 {
        evidence.push(format!(
            "to {} smaller segments arrived behind full ones that never did (TCP_INFO, out of order)",
            count(arrivals, "endpoint")
        ));
    }
    evidence.extend(say::examples(&rows));
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(Cause::PathMtu),
        scope: "size".into(),
        title: "Full-size packets are lost (MTU; a tunnel or VPN on the way)".into(),
        confidence: if hosts >= SEVERAL || arrivals > 0 {
            Confidence::Certain
        } else {
            Confidence::High
        },
        evidence,
        suspects: vec![Suspect::Nva, Suspect::Udr],
        fix: Fix::new(
            "Let ICMP \"fragmentation needed\" (type 3, code 4) through on the way, or clamp the MSS on the tunnel to what it \
             carries.",
        )
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        .verify(["ping -M do -s 1372 ADDRESS"]),
        rows,
    }]
}

/// Whether segments came behind others that never did.
fn has_gaps(row: &Row<'_>) -> bool {
    row.attempts().iter().any(|attempt| {
        let counted = attempt.counted.filter(|_| attempt.segment.is_none());
        counted
            .and_then(|counted| counted.out_of_order)
            .is_some_and(|segments| segments > 0)
    })
}
