//! This machine's own network interface, address or route was lost while the run went on.

use super::{
    own_vm::{THIS_VM, is_in_outage, with_other_evidence},
    phrases,
};
use crate::{
    diagnosis::{
        grounds::Grounds,
        outage,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::RunView,
    },
    model::{FindingKind, Fix, Suspect},
    probe::own_network::{Lost, Outage},
};

/// Rows whose failures are all covered by an outage of this machine's own network. They are not blocked, but not tested.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::LinkLost,
    claims: EndpointMatcher::Groups(|view, _| {
        let covered = view.rows.iter().filter(|row| is_in_outage(view, row));
        FindingGroup::unless_empty(THIS_VM, covered.copied().collect())
    }),
    describe,
};

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let mut outages: Vec<&Outage> = Vec::new();
    for (outage, _) in group.rows.iter().filter_map(|row| view.outage(row)) {
        if !outages.contains(&outage) {
            outages.push(outage);
        }
    }
    let Some(first) = outages.first() else {
        return Explanation::default();
    };
    let interface = &first.interface;
    let what = outage::what_happened(first.lost);
    let grounds = outages.iter().fold(Grounds::default(), |grounds, outage| {
        grounds.proof(format!("this VM's kernel (rtnetlink): {}", outage::sentence(outage)))
    });
    let is_back = first.until.is_some();
    let fix = match first.lost {
        _ if is_back => {
            format!("Run again. If it happens again, find out why {interface} is unstable: see the kernel's log.")
        }
        Lost::Interface | Lost::Link | Lost::Carrier => {
            format!("Bring {interface} up again, with its address and default route, then run again.")
        }
        Lost::Address => format!("Give {interface} its address and default route again (DHCP), then run again."),
        Lost::Route => {
            format!("Add the lost route over {interface} again (DHCP sets the default route), then run again.")
        }
    };
    Explanation {
        title: format!(
            "This VM's network interface {interface} {what} during the run: {} not tested",
            phrases::host_count(&group.rows)
        ),
        grounds: with_other_evidence(view, grounds),
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new(fix).look(["ip -br address", "ip route show table all", "sudo dmesg | tail"]),
        impact: None,
    }
}
