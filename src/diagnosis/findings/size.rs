//! Packets of full size that are lost.

use super::say;
use crate::{
    diagnosis::{
        grounds::{Grounds, Weight},
        rule::{Account, Claims, Group, Rule},
        view::{Row, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    probe::flows::SMALL_SEGMENT,
    text::words::count,
};

/// So many hosts alike are no service's own trouble.
const SEVERAL: usize = 3;

/// Connections with the usual segments fall silent once we spoke, and those with small ones prove the service: a tunnel
/// on the way takes less than its ends believe, and nobody tells them. One finding over all endpoints.
pub(super) const RULE: Rule = Rule {
    kind: FindingKind::PacketSize,
    claims: Claims::Each(|_, row| (row.cause() == Some(Cause::PathMtu)).then(|| "path".into())),
    describe,
};

fn describe<'a>(_: &RunView<'a>, group: &Group<'a>) -> Account {
    let rows = &group.rows;
    let hosts = say::hosts(rows).len();
    let arrivals = rows.iter().filter(|row| has_gaps(row)).count();
    let basis = if hosts >= SEVERAL || arrivals > 0 {
        Basis::Proof
    } else {
        Basis::Pattern
    };
    let mut grounds = Grounds::default().with(
        Weight::Supports(basis),
        format!(
            "{}: every connection falls silent after we spoke, and every one with segments of at most {SMALL_SEGMENT} bytes \
             proves the service",
            count(hosts, "host")
        ),
    );
    if arrivals > 0 {
        grounds = grounds.proof(format!(
            "to {} smaller segments arrived behind full ones that never did (TCP_INFO, out of order)",
            count(arrivals, "endpoint")
        ));
    }
    Account {
        title: "Full-size packets are lost (MTU; a tunnel or VPN on the way)".into(),
        grounds: grounds
            .note("small packets pass, so no rule is in the way; only the direction towards this VM is seen")
            .all(Weight::Tells, say::examples(rows)),
        suspects: vec![Suspect::Nva, Suspect::Udr],
        fix: Fix::new(
            "Let ICMP \"fragmentation needed\" (type 3, code 4) through on the way, or clamp the MSS on the tunnel to what it \
             carries.",
        )
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        .verify(["ping -M do -s 1372 ADDRESS"]),
        impact: None,
    }
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
