//! A next hop that does not answer.

use std::time::Duration;

use super::phrases;
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, FindingKind, Fix, Suspect},
    text::words::{self, distinct},
};

/// The kernel sends three requests for the next hop, one second apart, before it gives up (measured on Linux).
/// Connections that start later wait for less time.
const WHOLE_WAIT: Duration = Duration::from_millis(2_500);

/// Rows that this machine's own kernel reported as unreachable, after it requested the hardware address of the next hop
/// and got no answer. No firewall behaves like that, and the fault is on the first hop.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::DeadNextHop,
    claims: EndpointMatcher::Each(|view, row| {
        let is_reported = row.icmp().any(|(error, after)| view.is_dead_next_hop(error, after));
        let is_listed = row.cause().is_some() && all_unanswered(view, row);
        (is_reported || is_listed).then(|| "first-hop".into())
    }),
    describe,
};

/// Whether the neighbour table lists the next hop to everything that was silent as one that does not answer. That shows
/// sooner than the kernel's own report, which ends no wait that is shorter.
fn all_unanswered(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let silent = row.silent_addresses();
    !silent.is_empty() && view.unanswered_hops(row).count() == silent.len()
}

/// What the neighbour table says, one sentence for each next hop.
fn listed(view: &RunView<'_>, group: &FindingGroup<'_>) -> Vec<String> {
    let hops = group.rows.iter().flat_map(|row| view.unanswered_hops(row));
    let sentences: Vec<String> = hops
        .map(|hop| {
            let asks = if hop.address.is_ipv6() {
                "neighbour discovery"
            } else {
                "ARP"
            };
            format!(
                "next hop {} on {} does not answer {asks}: this VM's neighbour table lists it as {}",
                hop.address,
                hop.interface,
                hop.unanswered.unwrap_or_default()
            )
        })
        .collect();
    distinct(sentences.iter().map(String::as_str))
        .into_iter()
        .take(2)
        .map(str::to_owned)
        .collect()
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let listed = listed(view, group);
    let after = phrases::range(group.rows.iter().flat_map(ProbedEndpoint::icmp).map(|(_, after)| after));
    let (first, last) = after.unwrap_or_default();
    let asked = distinct(
        group
            .rows
            .iter()
            .flat_map(ProbedEndpoint::icmp)
            .map(|(error, _)| error.resolution()),
    );
    let waited = format!(
        "{}: this VM's own kernel reports host unreachable after {}, because the next hop does not answer {}",
        phrases::host_count(&group.rows),
        words::duration(if last >= WHOLE_WAIT { last } else { first }),
        asked.join(" or ")
    );
    let grounds = if asked.is_empty() {
        Grounds::default()
    } else if last >= WHOLE_WAIT {
        Grounds::default().proof(waited)
    } else {
        Grounds::default().pattern(waited)
    };
    let grounds = grounds.all(EvidenceWeight::Supports(Basis::Proof), listed);
    let answered = view.proved().count();
    let grounds = if answered > 0 {
        grounds.note(format!("{} over another route", phrases::others_prove(answered)))
    } else {
        grounds
    };
    Explanation {
        title: format!("The next hop to {} is dead", phrases::host_count(&group.rows)),
        grounds,
        suspects: vec![Suspect::Udr, Suspect::Nva, Suspect::LocalHost],
        fix: Fix::new(
            "Correct this VM's own route to these addresses (its next hop, its address and mask), or start the device at \
             the address of the next hop.",
        )
        .look([
            "ip route get ADDRESS",
            "ip neigh",
            "az network nic show-effective-route-table -g RG -n NIC -o table",
        ]),
        impact: None,
    }
}
