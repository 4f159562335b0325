//! A next hop that does not answer.

use std::time::Duration;

use super::phrases;
use crate::{
    diagnosis::{
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{FindingKind, Fix, Suspect},
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
        row.icmp()
            .any(|(error, after)| view.is_dead_next_hop(error, after))
            .then(|| "first-hop".into())
    }),
    describe,
};

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
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
    let grounds = if last >= WHOLE_WAIT {
        Grounds::default().proof(waited)
    } else {
        Grounds::default().pattern(waited)
    };
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
        fix: Fix::new("Correct the next hop of the route to these addresses, or start the appliance at that address.")
            .look([
                "az network nic show-effective-route-table -g RG -n NIC -o table",
                "ip route get ADDRESS",
            ]),
        impact: None,
    }
}
