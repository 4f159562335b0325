//! Full-size packets that are lost.

use super::phrases;
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect, Verdict},
    probe::flows::SMALL_SEGMENT,
    text::words::count,
};

/// If this many hosts fail in the same way, no single service is at fault.
const SEVERAL: usize = 3;

/// Connections with the usual segments get no reply after our first data, and those with small segments work: a tunnel
/// on the path has a smaller MTU than its ends assume, and no ICMP message reports it. One finding for all endpoints.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::PacketSize,
    claims: EndpointMatcher::Groups(|view, _| {
        let is_by_size = |row: &&ProbedEndpoint<'_>| should_work(row) && row.judgement.cause == Some(Cause::PathMtu);
        FindingGroup::unless_empty("path", view.rows.iter().filter(is_by_size).copied().collect())
    }),
    describe,
};

fn describe<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows).len();
    let arrivals = rows.iter().filter(|row| has_gaps(row)).count();
    let basis = if hosts >= SEVERAL || arrivals > 0 {
        Basis::Proof
    } else {
        Basis::Pattern
    };
    let mut grounds = Grounds::default().with(
        EvidenceWeight::Supports(basis),
        format!(
            "{}: every connection stops responding after our first data, but every connection with segments of at most \
             {SMALL_SEGMENT} bytes works",
            count(hosts, "host")
        ),
    );
    if arrivals > 0 {
        grounds = grounds.proof(format!(
            "on {}, smaller segments arrived after full-size ones that never did (TCP_INFO, out of order)",
            count(arrivals, "endpoint")
        ));
    }
    Explanation {
        title: "Full-size packets are lost (MTU; a tunnel or VPN on the path)".into(),
        grounds: grounds
            .note(format!(
                "small packets pass, so no rule blocks this; {}",
                direction(rows)
            ))
            .all(EvidenceWeight::Notes, phrases::examples(rows)),
        suspects: vec![Suspect::Nva, Suspect::Udr],
        fix: Fix::new(
            "Allow ICMP \"fragmentation needed\" (type 3, code 4) along the path, or clamp the MSS on the tunnel to \
             what it can carry.",
        )
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        .verify(["ping -M do -s 1372 ADDRESS"]),
        impact: None,
    }
}

/// The direction of the lost packets, as far as it is known.
fn direction(rows: &[ProbedEndpoint<'_>]) -> String {
    // The certificates before it had arrived.
    let behind_tls = rows.iter().filter(|row| row.judgement.verdict == Verdict::Degraded);
    match behind_tls.count() {
        0 if rows.iter().any(|row| row.endpoint.path.is_some()) => {
            "this covers the direction towards this VM and, with requests of 1,400 bytes, the other one".into()
        }
        0 => "this covers only the direction towards this VM".into(),
        all => format!(
            "{} gave no reply to a request of 1,400 bytes after a complete handshake: the direction from this VM is \
             affected",
            count(all, "endpoint")
        ),
    }
}

/// Whether segments arrived after others that never did.
fn has_gaps(row: &ProbedEndpoint<'_>) -> bool {
    row.attempts().iter().any(|attempt| {
        let counted = attempt.counted.filter(|_| attempt.segment.is_none());
        counted
            .and_then(|counted| counted.out_of_order)
            .is_some_and(|segments| segments > 0)
    })
}
